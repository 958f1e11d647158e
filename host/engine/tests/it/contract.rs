//! A guest that keeps our contract, from one side and the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rayw_core::{Codec, Error, ErrorKind, RefId, Value, limits};
use rayw_engine::{Engine, Instance, Program, Services};

use crate::support::{Notes, actor, caller, engine, guest, load, object, sandbox, start, text};

async fn program(engine: &Arc<Engine>) -> Arc<Program> {
    load(engine, guest(include_str!("guest.wat"))).await.unwrap()
}

async fn started() -> (Instance, Arc<Notes>, Arc<Engine>) {
    let engine = engine();
    let program = program(&engine).await;
    let (instance, notes) = start(&engine, &program).await;
    (instance, notes, engine)
}

async fn failure(function: &str) -> (Error, Instance) {
    let (mut instance, _, _engine) = started().await;
    let error = instance.invoke(caller(), function, &[], 1).await.unwrap_err();
    (error, instance)
}

#[tokio::test]
async fn a_guest_says_what_is_in_it() {
    let engine = engine();
    let program = program(&engine).await;
    assert!(!program.is_typed() && !program.has_driver());
    assert_eq!(program.signatures(None).unwrap(), "echo(value: any) -> any\n");
    assert!(program.description().function("eco").unwrap_err().message.contains("did you mean `echo`"));
}

#[tokio::test]
async fn values_go_in_and_come_back() {
    let (mut instance, _, _engine) = started().await;
    let values = [text("one"), text("")];
    let returned = instance.invoke(caller(), "echo", &values, 2).await.unwrap();
    let expected: Vec<Value> = values.iter().map(|value| Value::clone(value)).collect();
    assert_eq!(returned.values, expected);
    assert!(instance.is_usable());
}

#[tokio::test]
async fn references_are_counted_exactly() {
    let (mut instance, notes, _engine) = started().await;
    let value = Value { refs: vec![object(1), actor(2), object(1)], ..Value::clone(&text("x")) };
    // One count of whoever owns the argument.
    notes.acquire(&caller(), &value.refs);
    let returned = instance.invoke(caller(), "refs", &[Arc::new(value.clone())], 1).await.unwrap();
    assert_eq!(returned.values, [value]);
    assert_eq!(notes.held(), 6, "three of the owner, three of what was returned");
    drop(returned);
    assert_eq!(notes.held(), 3);
}

#[tokio::test]
async fn what_a_guest_keeps_is_given_back_with_its_sandbox() {
    let (mut instance, notes, _engine) = started().await;
    let value = Value { refs: (0..10_000).map(object).collect(), ..Value::clone(&text("x")) };
    instance.invoke(caller(), "keep", &[Arc::new(value)], 0).await.unwrap();
    assert_eq!(notes.held(), 10_000);
    drop(instance);
    assert_eq!(notes.held(), 0);
}

#[tokio::test]
async fn a_hundred_thousand_references_fit_in_a_value() {
    let (mut instance, notes, _engine) = started().await;
    let value = Value { refs: (0..100_000).map(object).collect(), ..Value::clone(&text("x")) };
    let returned = instance.invoke(caller(), "echo", &[Arc::new(value)], 1).await.unwrap();
    assert_eq!(returned.values[0].refs.len(), 100_000);
    drop(returned);
    assert_eq!(notes.held(), 0);
}

#[tokio::test]
async fn what_is_put_keeps_its_references_and_its_own_comes_back() {
    let (mut instance, notes, _engine) = started().await;
    let value = Value { refs: vec![actor(1)], ..Value::clone(&text("inside")) };
    let returned = instance.invoke(caller(), "uput", &[Arc::new(value.clone())], 1).await.unwrap();
    assert_eq!(*notes.puts.lock().unwrap(), [value]);
    assert!(matches!(returned.values[0].refs[..], [RefId::Object(object)] if object.is_put()));
    assert_eq!(notes.held(), 2, "the object, and the actor inside it");
}

#[tokio::test]
async fn bytes_are_put_as_they_are() {
    let (mut instance, notes, _engine) = started().await;
    let value = Value { codec: Codec::Msgpack, refs: vec![actor(1)], ..Value::clone(&text("inside")) };
    let returned = instance.invoke(caller(), "bput", &[Arc::new(value)], 1).await.unwrap();
    let raw = Value { codec: Codec::Raw, refs: Vec::new(), ..Value::clone(&text("inside")) };
    assert_eq!(*notes.puts.lock().unwrap(), [raw]);
    assert!(matches!(returned.values[0].refs[..], [RefId::Object(object)] if object.is_put()));
}

#[tokio::test]
async fn two_hundred_mebibytes_pass() {
    let engine = engine();
    let program = program(&engine).await;
    let notes = Arc::new(Notes::default());
    let mut instance = engine.start(&program, notes, caller(), &sandbox(1 << 30)).await.unwrap();
    let data = Bytes::from(vec![42; 200 << 20]);
    let value = Arc::new(Value { codec: Codec::Raw, data: data.clone(), refs: Vec::new() });
    let returned = instance.invoke(caller(), "echo", &[value], 1).await.unwrap();
    assert!(returned.values[0].data == data);
}

#[tokio::test]
async fn a_value_above_the_limit_is_refused_and_breaks_nothing() {
    let engine = engine();
    let program = program(&engine).await;
    let notes = Arc::new(Notes::default());
    let mut instance = engine.start(&program, notes, caller(), &sandbox(4 << 30)).await.unwrap();
    let data = Bytes::from(vec![0; limits::VALUE_BYTES_MAX + 1]);
    let value = Arc::new(Value { codec: Codec::Raw, data, refs: Vec::new() });
    for put in ["uput", "bput"] {
        let error = instance.invoke(caller(), put, &[Arc::clone(&value)], 1).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::LimitExceeded, "{put}: {error}");
        assert!(instance.is_usable());
    }
}

#[tokio::test]
async fn the_guest_s_own_error_arrives_as_it_is() {
    let (error, instance) = failure("fail").await;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::TaskError, "boom"));
    assert!(instance.is_usable());
}

#[tokio::test]
async fn a_panic_speaks_with_the_guest_s_words() {
    let (error, instance) = failure("panic").await;
    assert_eq!(error.kind, ErrorKind::TaskPanicked);
    assert_eq!(error.message, "task panicked at src/x.rs:1:2: boom");
    assert!(error.backtrace.is_some());
    assert!(!instance.is_usable());
}

fn guest_of_pages(number: u32) -> String {
    let memory = |pages: u32| format!("(memory (export \"memory\") {pages})");
    include_str!("guest.wat").replacen(&memory(1), &memory(number), 1)
}

/// The error of a guest that writes these words into the one that it fails with.
async fn failure_with(words: &[(u32, u32)]) -> Error {
    let writes: String =
        words.iter().map(|(at, word)| format!("(i32.store (i32.const {at}) (i32.const {word}))")).collect();
    let module = guest_of_pages(4);
    let length = "(i32.store (i32.const 4108) (i32.const 4))";
    let text = "(memory.fill (i32.const 8192) (i32.const 97) (i32.const 40000))";
    let module = module.replacen(length, &format!("{length} {text} {writes}"), 1);
    let engine = engine();
    let program = load(&engine, guest(&module)).await.unwrap();
    let (mut instance, _) = start(&engine, &program).await;
    instance.invoke(caller(), "fail", &[], 1).await.unwrap_err()
}

#[tokio::test]
async fn all_that_an_error_says_has_one_limit() {
    // Its message, two causes, its payload and its backtrace are the same long text.
    let mut words = [4104, 5000, 5008, 4136, 4148].map(|at: u32| [(at, 8192_u32), (at + 4, 40_000)]).concat();
    words.extend([(4112, 5000), (4116, 2), (4132, 1), (4144, 1)]);
    let error = failure_with(&words).await;
    assert_eq!((error.kind, error.message.len(), error.causes.len()), (ErrorKind::TaskError, 40_000, 1));
    assert_eq!(error.causes[0].len(), (64 << 10) - 40_000 + "…".len());
    assert_eq!(error.backtrace, None);
    assert_eq!(error.payload.as_ref().map(Vec::len), Some(40_000));
}

#[tokio::test]
async fn a_payload_larger_than_a_small_value_is_left_out() {
    let error = failure_with(&[(4132, 1), (4136, 0), (4140, 200_000)]).await;
    assert_eq!((error.message.as_str(), &error.payload), ("boom", &None));
}

#[tokio::test]
async fn the_place_of_a_panic_has_a_limit() {
    let place = "(i32.const 2110) (i32.const 12)";
    let module = include_str!("guest.wat").replacen(place, "(i32.const 2110) (i32.const 1800)", 1);
    let engine = engine();
    let program = load(&engine, guest(&module)).await.unwrap();
    let (mut instance, _) = start(&engine, &program).await;
    let error = instance.invoke(caller(), "panic", &[], 1).await.unwrap_err();
    assert!(error.message.len() < 1_100 && error.message.ends_with("…: boom"), "{error}");
}

#[tokio::test]
async fn a_guest_that_says_too_much_of_what_is_in_it_is_refused() {
    let module = guest_of_pages(4_000);
    // The length of a name: 9 MiB, and more than a description may bring along at all.
    for length in ["\\00\\00\\90\\00", "\\00\\00\\00\\0c"] {
        let name = "\\00\\08\\00\\00";
        let module = module.replacen(&format!("{name}\\04\\00\\00\\00"), &format!("{name}{length}"), 1);
        let error = load(&engine(), guest(&module)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains("cannot say what is in it: it says more than 8 MiB"), "{error}");
    }
}

#[tokio::test]
async fn an_exit_within_a_task_is_a_crash() {
    let (error, _) = failure("xit").await;
    assert_eq!(error.kind, ErrorKind::WorkerCrashed);
    assert_eq!(error.message, "the guest exited with code 7");
}

#[tokio::test]
async fn memory_above_the_cap_is_an_out_of_memory() {
    let (error, _) = failure("grow").await;
    assert_eq!(error.kind, ErrorKind::OutOfMemory);
    assert!(error.message.contains("may have 64.0 MiB"), "{error}");
}

#[tokio::test]
async fn a_guest_that_copes_with_too_little_memory_goes_on() {
    let (mut instance, _, _engine) = started().await;
    let before = instance.memory_bytes();
    instance.invoke(caller(), "cope", &[text("x")], 1).await.unwrap();
    assert_eq!(instance.memory_bytes(), before);
    // What was refused to an earlier call does not explain the end of a later one.
    let error = instance.invoke(caller(), "watch", &[], 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WorkerCrashed, "{error}");
}

#[tokio::test]
async fn an_endless_loop_is_dropped_and_harms_nobody() {
    let (mut instance, notes, engine) = started().await;
    let args = [Arc::new(Value { refs: vec![object(1)], ..Value::clone(&text("x")) })];
    let spinning = instance.invoke(caller(), "spin", &args, 1);
    assert!(tokio::time::timeout(Duration::from_millis(100), spinning).await.is_err());
    assert!(!instance.is_usable());
    let refused = instance.invoke(caller(), "echo", &[], 0).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::System);
    drop(instance);
    assert_eq!(notes.held(), 0);

    let program = program(&engine).await;
    let (mut next, _) = start(&engine, &program).await;
    next.invoke(caller(), "echo", &[text("still here")], 1).await.unwrap();
}

#[tokio::test]
async fn a_wish_to_cancel_can_be_seen() {
    let (mut instance, _, _engine) = started().await;
    let caller = caller();
    caller.cancelled.store(true, Ordering::Relaxed);
    instance.invoke(caller, "watch", &[], 0).await.unwrap();
}

#[tokio::test]
async fn an_actor_is_constructed_and_called() {
    let (mut instance, _, _engine) = started().await;
    instance.construct(caller(), "Counter", &[]).await.unwrap();
    let returned = instance.call(caller(), "echo", &[text("1")], 1).await.unwrap();
    assert_eq!(returned.values[0].data, "1");
    assert!(!instance.exit_requested());
}

#[tokio::test]
async fn another_number_of_values_than_was_asked_for_is_an_error() {
    let (mut instance, _, _engine) = started().await;
    let error = instance.invoke(caller(), "echo", &[text("1")], 3).await.unwrap_err();
    assert_eq!(error.message, "`echo` returned 1 values, its `num_returns` is 3");
}

#[tokio::test]
async fn a_full_engine_says_so_in_the_end() {
    let engine = engine();
    let program = program(&engine).await;
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(start(&engine, &program).await.0);
    }
    let services: Arc<dyn Services> = Arc::new(Notes::default());
    let late = engine.start(&program, Arc::clone(&services), caller(), &sandbox(64 << 20)).await;
    assert_eq!(late.unwrap_err().kind, ErrorKind::LimitExceeded);
    all.pop();
    engine.start(&program, services, caller(), &sandbox(64 << 20)).await.unwrap();
}

#[tokio::test]
async fn a_command_line_call_of_a_guest_is_json() {
    let engine = engine();
    let program = program(&engine).await;
    let (name, args) = program.encode_call("echo([1, \"a\"])").unwrap();
    assert_eq!((name.as_str(), args.len()), ("echo", 1));
    assert_eq!(program.display(&args[0]), r#"[1,"a"]"#);
    let error = program.encode_call("echo(1, 2)").unwrap_err();
    assert_eq!(error.message, "`echo` takes 1 argument (value: any), 2 given");
    let error = program.encode_call("echo({a: 1})").unwrap_err();
    assert!(error.message.contains("are no JSON values"), "{error}");
}
