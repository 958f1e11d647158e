//! What rayw is given: files that are no components, calls that name nothing or fit nothing.

use std::path::PathBuf;

use rayw_tests::{guest, run, run_app};
use tempfile::TempDir;

/// A file with this content, and what keeps it there.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder can be made");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("the file can be written");
    (folder, path)
}

/// The words with which a file is refused, its folder left out.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>) -> String {
    let (folder, path) = file(name, content);
    let words = run_app(path).output().failed(1);
    words.replace(&format!("{}/", folder.path().display()), "")
}

/// The words with which a call is refused.
#[track_caller]
fn call_refused(call: &str) -> String {
    run("behave").flag("--call", call).output().failed(1)
}

#[test]
fn a_file_that_is_not_wasm_is_named_with_its_first_bytes() {
    insta::assert_snapshot!(refused("picture.wasm", b"\x89PNG\r\n\x1a\n and so on"), @r#"error: `picture.wasm` is not WebAssembly, it starts with "\x89PNG\r\n\x1a\n and so " (89 50 4e 47): rayw runs WebAssembly components: build one with `rayw build`"#);
}

#[test]
fn an_empty_file_is_called_empty() {
    insta::assert_snapshot!(refused("empty.wasm", b""), @"error: `empty.wasm` is empty: rayw runs WebAssembly components: build one with `rayw build`");
}

#[test]
fn a_component_that_ends_early_is_found_out() {
    let whole = std::fs::read(guest("behave")).unwrap();
    let words = refused("half.wasm", &whole[..whole.len() / 2]);
    assert!(words.contains("build or copy it again"), "{words}");
}

#[test]
fn an_import_that_nobody_offers_is_named() {
    let text = r#"(component (import "acme:db/kv@1.0.0" (instance (export "get" (func)))))"#;
    insta::assert_snapshot!(refused("app.wat", text), @"
    error: `app.wat` imports `acme:db/kv@1.0.0`, which rayw does not offer; rayw offers `rayw:core@0.1.0` (types, objects, tasks, actors, groups, context, line) and WASI 0.2 (cli, clocks, filesystem, io, random, sockets)
      caused by: component imports instance `acme:db/kv@1.0.0`, but a matching implementation was not found in the linker: instance export `get` has the wrong type: function implementation is missing
    ");
}

#[test]
fn wrong_text_is_shown_with_its_place() {
    let words = refused("app.wat", "(component\n  (func");
    assert!(words.contains("app.wat:2"), "{words}");
}

#[test]
fn a_component_with_nothing_to_run_is_refused() {
    insta::assert_snapshot!(refused("app.wat", "(component)"), @"error: `app.wat` exports nothing that could run: neither `rayw:core/guest`, nor `wasi:cli/run`, nor a function over plain values; write tasks with the `rayw` crate and build with `rayw build`");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = run_app("/nowhere/app.wasm").output();
    assert!(output.code == Some(64) || output.code == Some(1), "{output}");
    assert!(output.stderr.contains("/nowhere/app.wasm"), "{output}");
}

#[test]
fn a_component_without_a_driver_names_what_can_be_called() {
    let text = r#"(module (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5))))"#;
    insta::assert_snapshot!(refused("app.wat", text), @"
    error: `app.wat` has no driver: it does not export `wasi:cli/run`
      caused by: it has the functions `half`
      hint: call one with `--call 'NAME(ARGUMENTS)'`
    ");
}

#[test]
fn a_function_of_a_bare_module_can_be_called() {
    let text = r#"(module (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5))))"#;
    let (_folder, path) = file("app.wat", text);
    let call = |text: &str| run_app(&path).flag("--call", text).output();
    assert_eq!(call("half(3)").succeeded(), "1.5\n");
    insta::assert_snapshot!(call("halv(3)").failed(1), @"error: no function `halv`; did you mean `half`?");
    insta::assert_snapshot!(call("half()").failed(1), @"error: `half` takes 1 argument (p0: f64), 0 given");
    insta::assert_snapshot!(call("half(\"three\")").failed(1), @r#"
    error: `half` takes `p0: f64`, and `"three"` is not one
      caused by: invalid value type at 0..7
    "#);
}

#[test]
fn a_task_can_be_called_by_its_name() {
    assert_eq!(run("behave").flag("--call", "square(12)").output().succeeded(), "144\n");
    assert_eq!(run("behave").flag("--call", "count_to(3)").output().succeeded(), "[1,2,3]\n");
}

#[test]
fn an_unknown_function_is_answered_with_the_nearest_names() {
    let words = call_refused("sqare(12)");
    assert!(words.starts_with("error: no function `sqare`; did you mean `square`"), "{words}");
}

#[test]
fn too_few_too_many_and_ill_typed_arguments_are_told_with_the_parameters() {
    insta::assert_snapshot!(call_refused("square()"), @"error: `square` takes 1 argument (number: u64), 0 given");
    insta::assert_snapshot!(call_refused("square(1, 2)"), @"error: `square` takes 1 argument (number: u64), 2 given");
    let words = call_refused("square(\"twelve\")");
    assert!(words.starts_with("error: argument `number` of `square` is not a `u64`"), "{words}");
    insta::assert_snapshot!(call_refused("square(twelve)"), @r#"
    error: the arguments of `square(twelve)` are no JSON values: write them like `f(1, "two", [3, 4])`
      caused by: expected ident at line 1 column 3
    "#);
    insta::assert_snapshot!(call_refused("square(1"), @r#"error: `square(1` is not a call, its last character is not `)`: write it like `f(1, "two")`"#);
}
