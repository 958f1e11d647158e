//! Places for what components are made of.

use crate::support::{engine, load, start};

/// A component with so many memories, and two tables for each.
fn with_memories(number: usize) -> String {
    let instances = "(core instance (instantiate $m))".repeat(number);
    format!(
        r#"(component
            (core module $m (memory 1) (table 1 funcref) (table 1 funcref))
            {instances}
            (core module $n (func (export "f") (result i32) i32.const 1))
            (core instance $i (instantiate $n))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#
    )
}

#[tokio::test]
async fn every_place_has_room_for_all_that_one_component_may_have() {
    let engine = engine();
    assert!(engine.has_pool());
    let program = load(&engine, with_memories(4)).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(start(&engine, &program).await);
    }
}

#[tokio::test]
async fn a_component_of_more_memories_than_it_may_have_is_refused() {
    let error = load(&engine(), with_memories(5)).await.unwrap_err();
    let words = error.to_string();
    assert!(words.starts_with("`app.wasm` has more memories, tables or modules than a sandbox may have: "), "{words}");
    assert!(words.contains("5 Wasm linear memories"), "{words}");
}
