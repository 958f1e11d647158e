//! One call after another in one entry.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rayw_core::{Error, ErrorKind, Value};
use rayw_engine::{Instance, Line, Next, Returned, Services};

use crate::support::{Notes, caller, engine, guest, load, object, start, text};

/// A line that keeps the answers.
#[derive(Default)]
struct Calls {
    waiting: Mutex<VecDeque<Next>>,
    answers: Mutex<Vec<Result<Returned, Error>>>,
}

impl Calls {
    fn of(calls: impl IntoIterator<Item = Next>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(calls.into_iter().collect()), answers: Mutex::default() })
    }

    /// The answers so far, for people.
    fn told(&self) -> Vec<String> {
        let answers = self.answers.lock().unwrap();
        let told = answers.iter().map(|answer| match answer {
            Ok(returned) => {
                let texts = returned.values.iter().map(|value| String::from_utf8_lossy(&value.data).into_owned());
                texts.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("{:?}: {}", error.kind, error.message),
        });
        told.collect()
    }
}

impl Line for Calls {
    fn next(&self, answer: Result<Returned, Error>, exits: bool) -> Option<Next> {
        assert!(!exits);
        self.answers.lock().unwrap().push(answer);
        self.waiting.lock().unwrap().pop_front()
    }
}

fn call(function: &str, args: &[Arc<Value>]) -> Next {
    Next { caller: caller(), function: function.into(), args: args.to_vec(), num_returns: args.len() as u32 }
}

async fn started() -> (Instance, Arc<Notes>) {
    let engine = engine();
    let program = load(&engine, guest(include_str!("guest.wat"))).await.unwrap();
    start(&engine, &program).await
}

#[tokio::test]
async fn calls_follow_one_another_and_each_has_its_answer() {
    let (mut instance, _) = started().await;
    assert!(instance.has_line());
    let line = Calls::of([call("fail", &[]), call("echo", &[text("two"), text("three")]), call("keep", &[text("")])]);
    instance.invoke_line(call("echo", &[text("one")]), line.clone()).await.unwrap();
    let expected =
        ["one", "TaskError: boom", "two, three", "InvalidArgument: `keep` returned 0 values, its `num_returns` is 1"];
    assert_eq!(line.told(), expected);
    assert!(instance.is_usable());
    let returned = instance.call(caller(), "echo", &[text("later")], 1).await.unwrap();
    assert_eq!(returned.values[0].data, "later");
}

#[tokio::test]
async fn a_trap_ends_the_line_and_what_was_answered_stays_answered() {
    let (mut instance, _) = started().await;
    let line = Calls::of([call("panic", &[]), call("echo", &[text("never")])]);
    let error = instance.call_line(call("echo", &[text("one")]), line.clone()).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::TaskPanicked, "task panicked at src/x.rs:1:2: boom"));
    assert_eq!(line.told(), ["one"]);
    assert!(!instance.is_usable());
    assert_eq!(line.waiting.lock().unwrap().len(), 1, "it has not begun");
}

#[tokio::test]
async fn references_are_counted_exactly_along_a_line() {
    let (mut instance, notes) = started().await;
    let value = Arc::new(Value { refs: vec![object(1), object(2)], ..Value::clone(&text("x")) });
    // One count of whoever owns the argument.
    notes.acquire(&caller(), &value.refs);
    let line = Calls::of([call("refs", std::slice::from_ref(&value)), call("echo", std::slice::from_ref(&value))]);
    instance.invoke_line(call("keep", &[]), line.clone()).await.unwrap();
    assert_eq!(line.told(), ["", "x", "x"]);
    assert_eq!(notes.held(), 6, "two of the owner, four of what was returned");
    line.answers.lock().unwrap().clear();
    assert_eq!(notes.held(), 2);
}

#[tokio::test]
async fn who_stands_in_no_line_has_no_next() {
    let (mut instance, _) = started().await;
    let error = instance.invoke(caller(), "next", &[], 0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WorkerCrashed);
    assert!(error.message.contains("`line.next` was called in no call of `line-guest`"), "{error}");
    assert!(!instance.is_usable());
}

#[tokio::test]
async fn a_call_whose_arguments_have_no_room_fails_alone() {
    let (mut instance, _) = started().await;
    let large = Arc::new(Value { data: vec![0; 80 << 20].into(), ..Value::clone(&text("")) });
    let line = Calls::of([call("echo", &[large]), call("echo", &[text("three")])]);
    instance.call_line(call("echo", &[text("one")]), line.clone()).await.unwrap();
    let told = line.told();
    assert!(told[1].starts_with("OutOfMemory: "), "{told:?}");
    assert_eq!((told[0].as_str(), told[2].as_str(), told.len()), ("one", "three", 3));
    assert!(instance.is_usable());
}
