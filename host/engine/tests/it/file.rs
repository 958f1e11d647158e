//! Files that are not what they should be, and core modules that become components.

use rayw_core::ErrorKind;
use wasm_encoder::{Component, ComponentSectionId, CustomSection, Module, RawSection};

use crate::support::{caller, component, engine, guest, load, run, start};

async fn refusal(file: impl AsRef<[u8]>) -> String {
    let error = load(&engine(), file).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument, "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_empty_file_is_called_empty() {
    assert!(refusal(b"").await.starts_with("`app.wasm` is empty: rayw runs WebAssembly components"));
}

#[tokio::test]
async fn another_file_is_named_with_its_first_bytes() {
    let words = refusal(b"\x89PNG\r\n\x1a\n").await;
    assert!(words.contains(r#"it starts with "\x89PNG\r\n\x1a\n" (89 50 4e 47)"#), "{words}");
    assert!(words.contains("`rayw build`"), "{words}");
    assert!(refusal(b"\x7fELF....").await.contains("a native program"));
    assert!(refusal(b"hello").await.contains("is not WebAssembly"));
}

#[tokio::test]
async fn a_file_that_ends_early_is_found_out() {
    let whole = guest(include_str!("guest.wat"));
    for length in [4, 8, 20, whole.len() / 2, whole.len() - 1] {
        let words = refusal(&whole[..length]).await;
        assert!(words.contains("build or copy it again") || words.contains("exports nothing"), "{length}: {words}");
    }
}

#[tokio::test]
async fn a_corrupt_file_is_found_out() {
    let mut file = guest(include_str!("guest.wat"));
    let middle = file.len() / 3;
    file[middle..middle + 64].fill(0xff);
    assert!(refusal(file).await.contains("is not a valid component"));
}

#[tokio::test]
async fn wrong_text_is_shown_with_its_place() {
    let words = refusal("(component (func").await;
    assert!(words.contains("app.wasm:1"), "{words}");
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_named() {
    let words = refusal(r#"(component (import "acme:db/kv@1.0.0" (instance (export "get" (func)))))"#).await;
    assert!(words.contains("imports `acme:db/kv@1.0.0`, which rayw does not offer"), "{words}");
    assert!(words.contains("rayw offers `rayw:core@0.1.0`"), "{words}");
}

#[tokio::test]
async fn of_many_imports_that_nobody_offers_the_first_are_named() {
    let name = "k".repeat(1_000);
    let import = |number: u32| format!("(import \"acme:db/{name}{number}@1.0.0\" (instance (export \"get\" (func))))");
    let imports: String = (0..12).map(import).collect();
    let words = refusal(format!("(component {imports})")).await;
    assert!(words.contains("k…` and 2 more, which rayw does not offer"), "{words}");
    assert!(words.len() < 10_000, "{} bytes", words.len());
}

#[tokio::test]
async fn another_version_of_the_contract_asks_for_a_rebuild() {
    let words = refusal(r#"(component (import "rayw:core/tasks@0.9.0" (instance (export "submit" (func)))))"#).await;
    assert!(words.contains("has `rayw:core/tasks@0.9.0`") && words.contains("build it again"), "{words}");
    let exported = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $g (export "describe" (func $f)) (export "invoke" (func $f)) (export "construct" (func $f))
            (export "call" (func $f)))
        (export "rayw:core/guest@VERSION" (instance $g)))"#;
    for version in ["0.2.0", "0.1.0"] {
        let words = refusal(exported.replace("VERSION", version)).await;
        assert!(words.contains("build it again"), "{words}");
    }
}

#[tokio::test]
async fn a_component_without_anything_to_run_is_refused() {
    assert!(refusal("(component)").await.contains("exports nothing that could run"));
}

/// A component of one section.
fn section(id: ComponentSectionId, data: &[u8]) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&RawSection { id: id.into(), data });
    component.finish()
}

/// A component with types of instances in one another.
fn nested_types(levels: usize) -> Vec<u8> {
    let mut types: Vec<u8> = vec![1];
    types.extend_from_slice(&[0x42_u8, 1, 1].repeat(levels - 1));
    types.extend_from_slice(&[0x42, 0]);
    section(ComponentSectionId::Type, &types)
}

/// Components in one another.
fn nested_components(levels: usize) -> Vec<u8> {
    (1..levels).fold(Component::new().finish(), |inner, _| section(ComponentSectionId::Component, &inner))
}

#[tokio::test]
async fn types_and_components_that_are_nested_too_deep_are_refused_before_they_are_read() {
    for levels in [65, 1_000_000] {
        let words = refusal(nested_types(levels)).await;
        assert!(words.contains("`app.wasm` is refused: its types are nested deeper than 64 levels"), "{words}");
    }
    let words = refusal(section(ComponentSectionId::Component, &nested_types(1_000_000))).await;
    assert!(words.contains("its types are nested deeper"), "{words}");
    let words = refusal(nested_components(65)).await;
    assert!(words.contains("its components are nested deeper than 64 levels"), "{words}");
    for file in [nested_types(64), nested_components(64)] {
        assert!(refusal(file).await.contains("exports nothing that could run"));
    }
}

#[tokio::test]
async fn a_world_whose_types_are_nested_too_deep_is_refused() {
    let world = nested_types(1_000_000);
    let old_world = [&[3, 0, 1, b'w'][..], &world].concat();
    for data in [world, old_world] {
        let mut module = Module::new();
        module.section(&CustomSection { name: "component-type:app".into(), data: data.into() });
        let words = refusal(module.finish()).await;
        assert!(words.contains("its types are nested deeper than 64 levels"), "{words}");
    }
}

#[tokio::test]
async fn types_of_a_few_levels_are_like_any_others() {
    let types = format!("{}{}", "(type (instance ".repeat(20), "))".repeat(20));
    let file = component("", "i32.const 7").replacen("(component", &format!("(component {types}"), 1);
    assert_eq!(run(&file, "f()").await.unwrap(), "7");
}

#[tokio::test]
async fn what_is_broken_within_a_module_does_not_hide_what_is_behind_it() {
    let mut file = Component::new();
    file.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: b"\0asm broken" });
    let mut file = file.finish();
    file.extend_from_slice(&nested_types(1_000_000)[8..]);
    assert!(refusal(file).await.contains("its types are nested deeper"));
}

#[tokio::test]
async fn a_component_of_very_many_parts_is_refused() {
    let mut file = Component::new();
    for _ in 0..1_001 {
        file.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: b"\0asm\x01\0\0\0" });
    }
    let words = refusal(file.finish()).await;
    assert!(words.contains("it has more than 1000 modules and components in it"), "{words}");
}

#[tokio::test]
async fn a_bare_module_offers_its_functions() {
    let module = r#"(module
        (func $fib (export "fibOf") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5)))
        (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 0)))"#;
    assert_eq!(run(module, "fib-of(20)").await.unwrap(), "6765");
    assert_eq!(run(module, "half(3)").await.unwrap(), "1.5");
}

#[tokio::test]
async fn a_bare_module_without_tasks_is_refused() {
    let words = refusal(r#"(module (func (export "f") (result i32 i32) i32.const 1 i32.const 2))"#).await;
    assert!(words.contains("without a function that could be a task"), "{words}");
    let words = refusal(r#"(module (import "env" "puts" (func (param i32))) (func (export "f")))"#).await;
    assert!(words.contains("imports `puts` from `env`"), "{words}");
}

#[tokio::test]
async fn a_bare_module_of_very_many_functions_is_refused() {
    let exports = |number: u32| (0..number).map(|name| format!("(export \"f{name}\" (func $f))")).collect::<String>();
    let words = refusal(format!("(module (func $f) {})", exports(10_001))).await;
    assert!(words.contains("exports 10001 functions, more than 10000"), "{words}");
    let long = format!("(func $f (param {}))", "i32 ".repeat(1_000));
    let words = refusal(format!("(module {long} {})", exports(900))).await;
    assert!(words.contains("their names and parameters take more than 8 MiB of text"), "{words}");
}

#[tokio::test]
async fn a_program_for_the_old_wasi_is_a_driver() {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 0))))"#;
    let engine = engine();
    let program = load(&engine, module).await.unwrap();
    assert!(program.has_driver());
    let (mut instance, _) = start(&engine, &program).await;
    assert_eq!(instance.run_driver(caller()).await.unwrap(), 0);

    let failing = module.replace("i32.const 0", "i32.const 1");
    let program = load(&engine, failing).await.unwrap();
    let (mut instance, _) = start(&engine, &program).await;
    assert_eq!(instance.run_driver(caller()).await.unwrap(), 1);
}

#[tokio::test]
async fn one_component_is_loaded_once() {
    let engine = engine();
    let file = component("", "i32.const 1");
    let (one, two) = tokio::join!(load(&engine, &file), load(&engine, &file));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(std::sync::Arc::ptr_eq(&one, &two));
    assert!(engine.program(one.digest()).is_some());
}
