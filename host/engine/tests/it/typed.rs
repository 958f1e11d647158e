//! Components whose exported functions are tasks.

use rayw_core::ErrorKind;

use crate::support::{caller, component, engine, load, run, start, text};

const CHOICES: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (data (i32.const 100) "bad")
        (func (export "halve") (param i32) (result i32)
            (if (i32.and (local.get 0) (i32.const 1))
                (then (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 100)) (i32.store (i32.const 8) (i32.const 3)))
                (else (i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.div_u (local.get 0) (i32.const 2)))))
            (i32.const 0))
        (func (export "nothing")))
    (core instance $i (instantiate $m))
    (func $halve (param "n" u32) (result (result u32 (error string)))
        (canon lift (core func $i "halve") (memory (core memory $i "memory"))))
    (func $nothing (canon lift (core func $i "nothing")))
    (instance $calc (export "halve" (func $halve)))
    (export "acme:math/calc@1.0.0" (instance $calc))
    (export "nothing" (func $nothing)))"#;

#[tokio::test]
async fn a_function_of_a_component_is_a_task() {
    assert_eq!(run(&component("", "i32.const 42"), "f()").await.unwrap(), "42");
}

#[tokio::test]
async fn functions_of_an_interface_have_long_and_short_names() {
    let engine = engine();
    let program = load(&engine, CHOICES).await.unwrap();
    assert!(program.is_typed());
    assert_eq!(program.signatures(None).unwrap(), "acme:math/calc.halve(n: u32) -> result<u32, string>\nnothing()\n");
    assert_eq!(run(CHOICES, "acme:math/calc.halve(8)").await.unwrap(), "4");
    assert_eq!(run(CHOICES, "halve(8)").await.unwrap(), "4");
    assert_eq!(run(CHOICES, "nothing").await.unwrap(), "()");
}

#[tokio::test]
async fn an_err_is_an_error_of_the_task() {
    let error = run(CHOICES, "halve(7)").await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::TaskError, "bad"));
    assert_eq!(error.type_name.as_deref(), Some("string"));
}

#[tokio::test]
async fn wrong_calls_say_what_would_be_right() {
    let cases = [
        ("halv(1)", ErrorKind::UnknownFunction, "did you mean `halve`"),
        ("acme:math/calc.half(1)", ErrorKind::UnknownFunction, "did you mean `acme:math/calc.halve`"),
        ("halve()", ErrorKind::InvalidArgument, "takes 1 argument (n: u32), 0 given"),
        ("halve(1, 2)", ErrorKind::InvalidArgument, "takes 1 argument (n: u32), 2 given"),
        ("halve(\"x\")", ErrorKind::InvalidArgument, "takes `n: u32`, and `\"x\"` is not one"),
        ("halve(-1)", ErrorKind::InvalidArgument, "takes `n: u32`, and `-1` is not one"),
        ("halve(1", ErrorKind::InvalidArgument, "is not a call"),
    ];
    for (call, kind, words) in cases {
        let error = run(CHOICES, call).await.unwrap_err();
        assert_eq!(error.kind, kind, "{call}: {error}");
        assert!(error.to_string().contains(words), "{call}: {error}");
    }
}

#[tokio::test]
async fn other_values_than_wave_are_refused() {
    let engine = engine();
    let program = load(&engine, CHOICES).await.unwrap();
    let (mut instance, _) = start(&engine, &program).await;
    let error = instance.invoke(caller(), "halve", &[text("8")], 1).await.unwrap_err();
    assert!(error.message.contains("as a WAVE value"), "{error}");
    assert!(instance.is_usable());
    let error = instance.invoke(caller(), "nothing", &[], 2).await.unwrap_err();
    assert!(error.message.contains("returns one value at most"), "{error}");
    assert!(instance.construct(caller(), "Counter", &[]).await.is_err());
    assert!(instance.run_driver(caller()).await.unwrap_err().message.contains("has no driver"));
}

#[tokio::test]
async fn handles_cannot_be_written_down() {
    let file = r#"(component
        (type $file (resource (rep i32)))
        (core module $m (func (export "f") (param i32)))
        (core instance $i (instantiate $m))
        (export $exported "file" (type $file))
        (func (export "f") (param "x" (own $exported)) (canon lift (core func $i "f"))))"#;
    let error = load(&engine(), file).await.unwrap_err();
    assert!(error.to_string().contains("`f` has a `resource` in its type"), "{error}");
}

#[tokio::test]
async fn a_type_that_is_very_long_is_shown_in_part() {
    let name = "n".repeat(1_000);
    let mut types = format!("(type $record (record (field \"{name}\" u8))) (export $t0 \"r\" (type $record))");
    for level in 1..=12 {
        types.push_str(&format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1));
    }
    let file = format!(
        r#"(component
            {types}
            (core module $m (memory (export "memory") 1) (func (export "f") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "f") (result $t12) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#
    );
    let program = load(&engine(), file).await.unwrap();
    let shown = &program.description().functions[0].returns;
    assert!(shown.starts_with("tuple<tuple<") && shown.ends_with("n…"), "{shown}");
    assert_eq!(shown.len(), (4 << 10) + "…".len());
}

#[tokio::test]
async fn an_argument_that_is_very_long_is_shown_in_part() {
    let error = run(CHOICES, &format!("halve(\"{}\")", "x".repeat(100_000))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument);
    assert!(error.message.len() < 2_000 && error.message.ends_with("x…` is not one"), "{error}");
}
