//! Components that break down.

use rayw_core::{Error, ErrorKind};

use crate::support::{Notes, caller, component, engine, load, run, sandbox};

async fn crashed(items: &str, code: &str) -> Error {
    let error = run(&component(items, code), "f()").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WorkerCrashed, "{error}");
    error
}

#[tokio::test]
async fn unreachable_code_has_a_backtrace() {
    let error = crashed("(func $inner unreachable)", "call $inner i32.const 0").await;
    assert!(error.message.contains("`unreachable`"), "{error}");
    assert_eq!(error.backtrace.as_deref(), Some("  0: inner\n  1: f"));
}

#[tokio::test]
async fn endless_recursion_is_a_stack_overflow() {
    let error = crashed("", "call $f").await;
    assert!(error.message.contains("stack overflow"), "{error}");
    let backtrace = error.backtrace.clone().unwrap();
    assert!(backtrace.starts_with("  0: f\n") && backtrace.ends_with("\n     …"), "{backtrace}");
}

#[tokio::test]
async fn long_names_and_very_many_are_cut_in_a_backtrace() {
    let name = "n".repeat(1_000);
    let call = format!("call ${name} i32.const 0");
    let error = crashed(&format!("(func ${name} unreachable)"), &call).await;
    let expected = format!("  0: {}…\n  1: f", "n".repeat(256));
    assert_eq!(error.backtrace.as_deref(), Some(expected.as_str()));
    let error = crashed(&format!("(func ${name} call ${name})"), &call).await;
    let backtrace = error.backtrace.clone().unwrap();
    assert!(backtrace.len() < 17_000 && backtrace.ends_with("n…"), "{backtrace}");
}

#[tokio::test]
async fn a_division_by_zero_is_named() {
    let error = crashed("", "i32.const 1 i32.const 0 i32.div_u").await;
    assert_eq!(error.message, "the guest crashed: integer divide by zero");
}

#[tokio::test]
async fn a_program_larger_than_its_memory_does_not_start() {
    let engine = engine();
    let program = load(&engine, component("(memory 100)", "i32.const 0")).await.unwrap();
    let services = std::sync::Arc::new(Notes::default());
    let error = engine.start(&program, services, caller(), &sandbox(1 << 20)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfMemory);
    assert!(error.message.contains("may have 1.0 MiB"), "{error}");
}

#[tokio::test]
async fn memory_of_several_modules_is_added_up() {
    let engine = engine();
    let two = r#"(component
        (core module $m (memory 20))
        (core instance (instantiate $m))
        (core instance (instantiate $m))
        (core module $n (func (export "f")))
        (core instance $i (instantiate $n))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    let program = load(&engine, two).await.unwrap();
    let services = std::sync::Arc::new(Notes::default());
    let error = engine.start(&program, services, caller(), &sandbox(2 << 20)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfMemory, "{error}");
}
