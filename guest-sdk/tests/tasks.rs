//! Tasks: arguments, results, options, failures, retries, cancelling.

#![expect(clippy::needless_borrows_for_generic_args, reason = "that arguments may be borrowed is what is tested")]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rayw::{ErrorKind, ObjectRef};
use serde::{Deserialize, Serialize};

#[rayw::task]
fn square(number: u64) -> u64 {
    number * number
}

#[rayw::task]
fn greet(name: String, titles: Vec<String>, age: Option<u8>) -> String {
    format!("{} {name} {age:?}", titles.join(" "))
}

#[test]
fn a_task_stays_a_function() {
    assert_eq!(square(4), 16);
}

#[test]
fn a_task_answers_with_a_reference_to_its_result() {
    assert_eq!(square::remote(7).get().unwrap(), 49);
}

#[test]
fn arguments_may_be_owned_or_borrowed() {
    let titles = vec!["Dr.".to_owned()];
    let expected = "Dr. Ada Some(36)";
    assert_eq!(greet::remote("Ada", &titles, Some(36)).get().unwrap(), expected);
    assert_eq!(greet::remote("Ada".to_owned(), ["Dr.".to_owned()], &Some(36)).get().unwrap(), expected);
    assert_eq!(greet::remote(&"Ada".to_owned(), &titles[..], Some(36)).get().unwrap(), expected);
}

#[test]
fn a_reference_as_an_argument_arrives_as_its_value() {
    let seven = square::remote(&rayw::put(&7).unwrap());
    assert_eq!(square::remote(seven).get().unwrap(), 49 * 49);
}

#[test]
fn a_long_chain_of_references_ends() {
    #[rayw::task]
    fn successor(number: u32) -> u32 {
        number + 1
    }

    let last = (0..500).fold(successor::remote(0), |previous, _| successor::remote(previous));
    assert_eq!(last.get().unwrap(), 501);
}

#[rayw::task]
fn depth(levels: u32) -> rayw::Result<u32> {
    if levels == 0 { Ok(0) } else { Ok(depth::remote(levels - 1).get()? + 1) }
}

#[test]
fn tasks_nested_deeper_than_the_cpus_finish() {
    assert_eq!(depth::remote(64).get().unwrap(), 64);
}

#[test]
fn a_private_type_of_a_function_body_travels() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Point {
        x: i32,
        y: i32,
    }

    #[rayw::task]
    fn mirror(point: Point) -> Point {
        Point { x: point.y, y: point.x }
    }

    assert_eq!(mirror::remote(Point { x: 1, y: 2 }).get().unwrap(), Point { x: 2, y: 1 });
}

#[rayw::task]
fn r#type(r#fn: u8, mut count: u8) -> u8 {
    count += r#fn;
    count
}

#[test]
fn raw_names_and_mutable_parameters_work() {
    assert_eq!(r#type::remote(1, 2).get().unwrap(), 3);
}

#[rayw::task(num_returns = 3)]
fn spread(base: u32) -> (u32, String, Vec<u8>) {
    (base, base.to_string(), vec![1])
}

#[rayw::task(num_returns = 2)]
fn halves(text: String) -> Result<(String, String), String> {
    let (left, right) = text.split_once(' ').ok_or("there is no space")?;
    Ok((left.to_owned(), right.to_owned()))
}

#[rayw::task(num_returns = 3)]
fn three(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[rayw::task]
fn range(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[rayw::task(num_returns = 0)]
fn silent() {}

#[test]
fn a_declared_tuple_becomes_a_tuple_of_references() {
    let (number, text, bytes) = spread::remote(5);
    assert_eq!((number.get().unwrap(), text.get().unwrap(), bytes.get().unwrap()), (5, "5".to_owned(), vec![1]));
    let (left, right) = halves::remote("a b");
    assert_eq!((left.get().unwrap(), right.get().unwrap()), ("a".to_owned(), "b".to_owned()));
}

#[test]
fn a_failure_fails_each_of_the_returns() {
    let (left, right) = halves::remote("ab");
    assert_eq!(left.get().unwrap_err().message(), "there is no space");
    assert_eq!(right.get().unwrap_err().message(), "there is no space");
}

#[test]
fn a_declared_vec_becomes_a_vec_of_references() {
    assert_eq!(rayw::get_all(three::remote(3)).unwrap(), [0, 1, 2]);
}

#[test]
fn a_vec_is_one_object_unless_the_caller_says_otherwise() {
    assert_eq!(range::remote(3).get().unwrap(), [0, 1, 2]);
    let parts: Vec<ObjectRef<u32>> = range::options().num_returns(4).remote(4);
    assert_eq!(rayw::get_all(&parts).unwrap(), [0, 1, 2, 3]);
    assert!(range::options().num_returns(0).remote(4).is_empty());
}

#[test]
fn no_returns_is_nothing() {
    let () = silent::remote();
    silent::try_remote().unwrap();
}

#[test]
fn a_wrong_count_of_values_names_both_numbers() {
    let error = three::remote(2)[0].get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskError);
    assert_eq!(error.message(), "`three` returned 2 values, but its `num_returns` is 3");
}

#[test]
fn a_count_that_cannot_be_is_refused() {
    let refs = range::options().num_returns(1).remote(4);
    let error = refs[0].get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let (number, ..) = spread::options().num_returns(2).remote(1);
    assert!(number.get().unwrap_err().message().contains("a tuple of 3 cannot be returned as 2 objects"));
}

#[rayw::task]
fn who() -> (String, u32, Vec<(String, f64)>) {
    let context = rayw::context();
    (context.task_name, context.attempt, context.assigned_resources.into_iter().collect())
}

#[rayw::task(name = "someone", num_cpus = 2, memory = "1KiB", resources(gpu = 1, "my-chip" = 0.5))]
fn declared() -> (String, Vec<(String, f64)>) {
    let context = rayw::context();
    (context.task_name, context.assigned_resources.into_iter().collect())
}

#[test]
fn options_reach_the_task() {
    let options = who::options().name("me").num_cpus(0.5).memory("64MiB").resource("gpu", 2);
    let (name, attempt, resources) = options.remote().get().unwrap();
    assert_eq!((name.as_str(), attempt), ("me", 0));
    let expected = [("CPU", 0.5), ("gpu", 2.0), ("memory", 67_108_864.0)];
    assert_eq!(resources, expected.map(|(name, amount)| (name.to_owned(), amount)));
}

#[test]
fn declared_options_hold_where_the_caller_says_nothing() {
    let (name, resources) = declared::remote().get().unwrap();
    assert_eq!(name, "someone");
    let expected = [("CPU", 2.0), ("gpu", 1.0), ("memory", 1024.0), ("my-chip", 0.5)];
    assert_eq!(resources, expected.map(|(name, amount)| (name.to_owned(), amount)));
    assert_eq!(declared::options().name("other").remote().get().unwrap().0, "other");
}

#[test]
fn a_wrong_option_refuses_the_task() {
    let error = square::options().memory("much").remote(1).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(error.message(), "`much` is not an amount of memory; write it like `64MiB`");
    assert!(square::options().memory("much").try_remote(1).is_err());
    assert!(square::options().num_cpus(-1).try_remote(1).is_err());
    assert_eq!(square::try_remote(3).unwrap().get().unwrap(), 9);
}

#[test]
fn a_refused_task_refuses_what_depends_on_it() {
    let refused = square::options().memory("much").remote(1);
    let error = square::remote(&refused).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let (ready, rest) = rayw::wait(&[refused.clone(), square::remote(1)], 1, None).unwrap();
    assert_eq!((ready.len(), rest.len()), (1, 1));
    rayw::cancel(&refused).unwrap();
}

#[rayw::task]
fn explode(number: u32) -> u32 {
    assert!(number < 3, "{number} is too much");
    number
}

#[test]
fn a_panic_becomes_an_error_with_its_words() {
    let error = explode::remote(5).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskPanicked);
    assert!(error.message().starts_with("`explode` panicked at "), "{error}");
    assert!(error.message().contains("tests/tasks.rs:"), "{error}");
    assert!(error.message().ends_with(": 5 is too much"), "{error}");
    assert!(error.origin().unwrap().starts_with("explode ("));
}

#[test]
fn a_failed_argument_fails_the_dependent_and_its_body_never_runs() {
    static RUN: AtomicU32 = AtomicU32::new(0);

    #[rayw::task]
    fn count(_number: u32) {
        RUN.fetch_add(1, Ordering::SeqCst);
    }

    let error = count::remote(explode::remote(9)).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskPanicked);
    assert!(error.origin().unwrap().starts_with("explode ("));
    assert_eq!(RUN.load(Ordering::SeqCst), 0);
}

#[derive(Debug)]
struct Busy;
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Busy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("busy")
    }
}
impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("broken")
    }
}

/// Fails as long as there are failures left in the counter of that number.
#[rayw::task]
fn flaky(counter: u32) -> Result<u32, Busy> {
    static LEFT: [AtomicU32; 4] = [const { AtomicU32::new(2) }; 4];
    let left = LEFT[counter as usize].fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if left.is_ok() { Err(Busy) } else { Ok(rayw::context().attempt) }
}

#[test]
fn errors_are_retried_only_if_asked() {
    assert!(flaky::remote(0).get().unwrap_err().is::<Busy>());
    assert_eq!(flaky::options().retry_exceptions(true).remote(1).get().unwrap(), 2);
    assert_eq!(flaky::options().retry_only::<Broken>().retry_only::<Busy>().remote(2).get().unwrap(), 2);
    let error = flaky::options().retry_only::<Broken>().remote(3).get().unwrap_err();
    assert_eq!(error.message(), "busy");
}

#[test]
fn retries_end_after_max_retries() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[rayw::task(retry_exceptions = true, max_retries = 2)]
    fn never() -> Result<(), Busy> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        Err(Busy)
    }

    never::remote().get().unwrap_err();
    assert_eq!(RUNS.load(Ordering::SeqCst), 3);
}

#[rayw::task(timeout = "1ms")]
fn endless() -> rayw::Result<u64> {
    support::number_after("never opened", 1).get()
}

#[test]
fn a_task_over_its_time_fails() {
    let error = endless::remote().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskTimeout);
    assert_eq!(error.message(), "`endless` ran longer than its timeout of 1 ms");
}

#[rayw::task]
fn wait_for(number: ObjectRef<u64>) -> rayw::Result<u64> {
    number.get()
}

#[test]
fn a_queued_task_that_is_cancelled_never_runs() {
    let number = support::number_after("cancel queued", 1);
    let queued = square::remote(&number);
    let dependent = square::remote(&queued);
    rayw::cancel(&queued).unwrap();
    assert_eq!(queued.get().unwrap_err().kind(), ErrorKind::TaskCancelled);
    assert_eq!(dependent.get().unwrap_err().message(), "`square` was cancelled");
    support::open("cancel queued");
    assert_eq!(number.get().unwrap(), 1);
}

#[test]
fn a_running_task_that_is_cancelled_ends_with_its_children() {
    #[rayw::task]
    fn parent(number: ObjectRef<u64>, names: HashMap<String, u32>) -> rayw::Result<u64> {
        assert_eq!(names["a"], 1);
        let child = wait_for::remote(number);
        KEPT.lock().unwrap().push(child.clone());
        support::open("the child is there");
        child.get()
    }
    static KEPT: std::sync::Mutex<Vec<ObjectRef<u64>>> = std::sync::Mutex::new(Vec::new());

    let number = support::number_after("cancel running", 1);
    let running = parent::remote(number, HashMap::from([("a".to_owned(), 1)]));
    support::pass("the child is there");
    rayw::cancel(&running).unwrap();
    assert_eq!(running.get().unwrap_err().kind(), ErrorKind::TaskCancelled);
    let child = KEPT.lock().unwrap().remove(0);
    assert_eq!(child.get().unwrap_err().kind(), ErrorKind::TaskCancelled);
    support::open("cancel running");
}

#[test]
fn cancelling_what_is_finished_does_nothing() {
    let nine = square::remote(3);
    assert_eq!(nine.get().unwrap(), 9);
    rayw::cancel(&nine).unwrap();
    rayw::cancel_with(&nine, rayw::CancelOptions::default().force(true).recursive(false)).unwrap();
    assert_eq!(nine.get().unwrap(), 9);
    assert_eq!(rayw::cancel(&rayw::put(&1).unwrap()).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn many_tasks_give_all_their_results_in_order() {
    let refs: Vec<_> = (0..2000).map(square::remote).collect();
    let squares = rayw::get_all_timeout(&refs, Duration::from_secs(60)).unwrap();
    assert!(squares.iter().zip(0..).all(|(square, number): (&u64, u64)| *square == number * number));
}
