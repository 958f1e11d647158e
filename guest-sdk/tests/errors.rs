//! Errors: what is kept of the error types that tasks return.

mod support;

use std::fmt;
use std::time::Duration;

use rayw::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
enum Refusal {
    TooSmall { least: u32 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("too small")
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug)]
struct Outer(Refusal);

impl fmt::Display for Outer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the order was not taken")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[rayw::task]
fn refuse() -> Result<(), Refusal> {
    Err(Refusal::TooSmall { least: 3 })
}

#[rayw::task]
fn refuse_outer() -> Result<(), Outer> {
    Err(Outer(Refusal::TooSmall { least: 3 }))
}

#[rayw::task]
fn refuse_boxed() -> Result<(), Box<dyn std::error::Error>> {
    Err(Box::new(Outer(Refusal::TooSmall { least: 3 })))
}

#[rayw::task]
fn refuse_shared() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err(Box::new(Outer(Refusal::TooSmall { least: 3 })))
}

#[rayw::task]
fn read_a_file() -> std::io::Result<String> {
    std::fs::read_to_string("/there/is/no/such/file")
}

#[test]
fn a_serialisable_error_comes_back_as_it_was() {
    let error = refuse::remote().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskError);
    assert!(error.is::<Refusal>());
    assert!(!error.is::<Outer>());
    assert_eq!(error.downcast(), Some(Refusal::TooSmall { least: 3 }));
    assert_eq!(error.type_name(), Some("errors::Refusal"));
    assert!(error.origin().unwrap().starts_with("refuse ("));
}

#[test]
fn the_sources_of_an_error_are_its_causes() {
    for error in
        [refuse_outer::remote(), refuse_boxed::remote(), refuse_shared::remote()].map(|task| task.get().unwrap_err())
    {
        assert_eq!(error.to_string(), "the order was not taken: too small");
        assert_eq!(error.causes(), ["too small"]);
    }
    assert!(refuse_outer::remote().get().unwrap_err().is::<Outer>());
}

#[test]
fn a_result_of_any_path_is_a_result() {
    let error = read_a_file::remote().get().unwrap_err();
    assert!(error.is::<std::io::Error>());
    assert!(error.message().starts_with("No such file"), "{error}");
}

#[rayw::task]
fn pass_on() -> rayw::Result<()> {
    refuse::remote().get()
}

#[rayw::task]
fn own_words() -> rayw::Result<()> {
    refuse::remote().get().map_err(|error| error.context("the nested task failed"))
}

#[rayw::task]
fn out_of_time(never: Vec<rayw::ObjectRef<u64>>) -> rayw::Result<u64> {
    never[0].get_timeout(Duration::from_millis(1))
}

#[test]
fn the_error_of_a_nested_task_is_seen_all_the_way_up() {
    let error = pass_on::remote().get().unwrap_err();
    assert_eq!(error.downcast(), Some(Refusal::TooSmall { least: 3 }));
    assert!(error.origin().unwrap().starts_with("refuse ("));
    assert_eq!(own_words::remote().get().unwrap_err().to_string(), "the nested task failed: too small");
}

#[test]
fn an_error_of_another_kind_becomes_a_cause_and_keeps_its_kind() {
    let never = vec![support::number_after("never: errors", 1)];
    let error = out_of_time::remote(never).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskError);
    assert_eq!(
        error.to_string(),
        "a request of the task failed: get-timeout: 1 of 1 objects were not ready within 1 ms"
    );
    assert_eq!(error.downcast::<Error>().unwrap().kind(), ErrorKind::GetTimeout);
}

#[test]
fn an_error_can_be_a_value() {
    let error = refuse::remote().get().unwrap_err();
    assert_eq!(rayw::put(&error).unwrap().get().unwrap(), error);
    assert_eq!(ErrorKind::OutOfMemory.to_string(), "out-of-memory");
    assert!(format!("{error:?}").starts_with("Error { kind: TaskError, message: \"too small\""));
}
