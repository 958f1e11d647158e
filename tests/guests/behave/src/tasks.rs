//! Tasks: results, several of them, waiting, references as arguments, nesting, instances.

use std::cell::Cell;
use std::time::Duration;

use rayw::ObjectRef;

use crate::stage::{Log, LogHandle, kind, run_on, told};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_result,
    results_in_order,
    several_results,
    fewer_results_than_declared,
    a_get_that_times_out,
    a_wait_for_two_of_four,
    a_wait_that_is_wrong,
    a_wait_that_times_out,
    references_as_arguments,
    a_failed_argument,
    nested_gets,
    nested_fan_out,
    fresh_instances,
    reused_instances,
    a_thousand_tasks,
    long_tasks_among_short_ones,
    failures_among_short_tasks,
    some_of_many_cancelled,
    a_chain,
    the_context,
    arguments_and_environment,
    an_exit_code,
    an_error_of_the_driver,
    a_panic_of_the_driver,
    a_driver_that_goes_on,
    printing,
    files,
    something_to_look_at,
];

/// The smallest task that does something.
#[rayw::task]
pub fn square(number: u64) -> u64 {
    number * number
}

fn a_result() -> rayw::Result<()> {
    println!("{}", square::remote(7).get()?);
    Ok(())
}

fn results_in_order() -> rayw::Result<()> {
    let (one, two) = (rayw::put(&"same".to_owned())?, rayw::put(&"same".to_owned())?);
    println!("{:?} {}", rayw::get_all([&one, &two])?, one != two);
    let squares: Vec<_> = (0..10).map(|number| square::remote(number)).collect();
    println!("{:?}", rayw::get_all(squares.iter().rev())?);
    println!("{:?}", rayw::get_all([&squares[3], &squares[3], &squares[1]])?);
    Ok(())
}

#[rayw::task(num_returns = 3)]
fn parts() -> (u8, String, Vec<u8>) {
    (1, "two".to_owned(), vec![3])
}

#[rayw::task]
fn count_to(count: u32) -> Vec<u32> {
    (1..=count).collect()
}

#[rayw::task(num_returns = 0)]
fn no_result(log: LogHandle) {
    log.tell("it ran");
}

fn several_results() -> rayw::Result<()> {
    let (one, two, three) = parts::remote();
    println!("{:?} {:?} {:?}", three.get()?, two.get()?, one.get()?);
    let refs: Vec<ObjectRef<u32>> = count_to::options().num_returns(3).remote(3);
    println!("{:?}", rayw::get_all(&refs)?);
    println!("{:?}", count_to::remote(3).get()?);
    let log = Log::remote()?;
    let nothing: () = no_result::remote(&log);
    log.await_line("it ran");
    println!("{nothing:?}");
    Ok(())
}

fn fewer_results_than_declared() -> rayw::Result<()> {
    let refs = count_to::options().num_returns(3).remote(2);
    for object in refs {
        println!("{}", told(object.get()));
    }
    Ok(())
}

#[rayw::task]
fn after_gate(log: LogHandle, gate: String) -> String {
    log.pass(&gate);
    gate
}

#[rayw::task]
fn number_after_gate(log: LogHandle) -> u64 {
    log.pass("number");
    1
}

fn a_get_that_times_out() -> rayw::Result<()> {
    let log = Log::remote()?;
    let blocked = after_gate::remote(&log, "gate");
    println!("{}", told(blocked.get_timeout(Duration::from_millis(100))));
    println!("{}", told(blocked.get_timeout(Duration::ZERO)));
    log.open("gate").get()?;
    println!("{}", told(blocked.get()));
    Ok(())
}

fn a_wait_for_two_of_four() -> rayw::Result<()> {
    let log = Log::remote()?;
    let refs: Vec<_> = ["zero", "one", "two", "three"].iter().map(|gate| after_gate::remote(&log, *gate)).collect();
    // In this order they become ready; the answer keeps the order of the question.
    for gate in ["three", "one"] {
        log.open(gate).get()?;
    }
    let (ready, rest) = rayw::wait(&refs, 2, None)?;
    println!("ready {:?}", rayw::get_all(&ready)?);
    println!("rest {:?}", rest == [refs[0].clone(), refs[2].clone()]);
    log.open("zero").get()?;
    let (ready, rest) = rayw::wait(&refs, 3, None)?;
    println!("ready {:?}, rest {}", rayw::get_all(&ready)?, rest.len());
    log.open("two").get()?;
    // All are ready, and no more than asked for are told.
    rayw::get_all(&refs)?;
    let (ready, rest) = rayw::wait(&refs, 2, None)?;
    println!("ready {:?}, rest {}", rayw::get_all(&ready)?, rest.len());
    Ok(())
}

fn a_wait_that_is_wrong() -> rayw::Result<()> {
    let (one, two) = (rayw::put(&1)?, rayw::put(&2)?);
    println!("{}", kind(rayw::wait(&[one.clone(), one.clone()], 1, None)));
    println!("{}", told(rayw::wait(&[one.clone(), two.clone()], 3, None)));
    println!("{}", told(rayw::wait(&[one, two], 0, None)));
    Ok(())
}

fn a_wait_that_times_out() -> rayw::Result<()> {
    let log = Log::remote()?;
    let refs = [after_gate::remote(&log, "never"), after_gate::remote(&log, "open")];
    log.open("open").get()?;
    refs[1].get()?;
    let (ready, rest) = rayw::wait(&refs, 2, Some(Duration::from_millis(50)))?;
    println!("ready {} rest {}", ready.len(), rest.len());
    let failed = crate::failures::fail::remote("it is ready all the same");
    let (ready, _) = rayw::wait(&[failed], 1, None)?;
    println!("ready {}", ready.len());
    log.open("never").get()?;
    Ok(())
}

#[rayw::task]
fn value_and_references(value: u32, nested: Vec<ObjectRef<u32>>) -> rayw::Result<String> {
    Ok(format!("value {value}, {} references to {:?}", nested.len(), rayw::get_all(&nested)?))
}

fn references_as_arguments() -> rayw::Result<()> {
    let (one, two) = (rayw::put(&1_u32)?, rayw::put(&2_u32)?);
    println!("{}", value_and_references::remote(&one, vec![one.clone(), two]).get()?);
    let of_task = square::remote(square::remote(3));
    println!("{}", of_task.get()?);
    Ok(())
}

#[rayw::task]
fn dependent(number: u64, log: LogHandle) -> u64 {
    log.tell("the dependent's body ran");
    number
}

fn a_failed_argument() -> rayw::Result<()> {
    let log = Log::remote()?;
    let root = crate::failures::fail::options().name("root").remote("the root of it");
    let first = dependent::remote(&root, &log);
    let second = dependent::remote(&first, &log);
    for result in [root.get(), first.get(), second.get()] {
        let error = result.expect_err("the root failed");
        let origin = error.origin().unwrap_or_default();
        println!("{}: {} from {}", error.kind(), error.message(), origin.split(' ').next().unwrap_or_default());
    }
    println!("{} bodies ran", log.times("the dependent's body ran"));
    Ok(())
}

#[rayw::task]
fn depth(levels: u32) -> rayw::Result<u32> {
    if levels == 0 { Ok(0) } else { Ok(depth::remote(levels - 1).get()? + 1) }
}

fn nested_gets() -> rayw::Result<()> {
    println!("{}", depth::remote(50).get()?);
    Ok(())
}

#[rayw::task]
fn sum_of_tree(levels: u32) -> rayw::Result<u32> {
    if levels == 0 {
        return Ok(1);
    }
    let below: Vec<_> = (0..3).map(|_| sum_of_tree::remote(levels - 1)).collect();
    Ok(rayw::get_all(&below)?.iter().sum())
}

fn nested_fan_out() -> rayw::Result<()> {
    println!("{}", sum_of_tree::remote(5).get()?);
    Ok(())
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// The instance, and how often it was here before.
#[rayw::task]
fn identity() -> (String, u32) {
    CALLS.set(CALLS.get() + 1);
    (rayw::context().worker_id, CALLS.get())
}

fn fresh_instances() -> rayw::Result<()> {
    let (first, second) = (identity::remote().get()?, identity::remote().get()?);
    println!("another instance: {}, calls {} {}", first.0 != second.0, first.1, second.1);
    Ok(())
}

fn reused_instances() -> rayw::Result<()> {
    let call = || identity::options().max_calls(2).remote().get();
    let (first, second, third) = (call()?, call()?, call()?);
    println!("second in the first's: {}, calls {} {}", first.0 == second.0, first.1, second.1);
    println!("third in the first's: {}, calls {}", first.0 == third.0, third.1);
    Ok(())
}

fn a_thousand_tasks() -> rayw::Result<()> {
    let refs: Vec<_> = (0..1000).map(|number| square::remote(number)).collect();
    println!("{}", rayw::get_all(&refs)?.iter().sum::<u64>());
    Ok(())
}

/// Runs and holds its cpu until somebody stops it.
#[rayw::task]
fn without_end() -> u64 {
    run_on();
    0
}

/// Gives its cpu up for the result of another one, which stands behind it.
#[rayw::task]
fn square_by_another(number: u64) -> u64 {
    square::remote(number).get().unwrap_or_default()
}

fn long_tasks_among_short_ones() -> rayw::Result<()> {
    let mut long = None;
    let refs: Vec<_> = (0..1000)
        .map(|number| {
            if number == 300 {
                long = Some(without_end::remote());
            }
            if number % 100 == 99 { square_by_another::remote(number) } else { square::remote(number) }
        })
        .collect();
    // Those that wait behind the long one go elsewhere.
    println!("{}", rayw::get_all(&refs)?.iter().sum::<u64>());
    if let Some(long) = long {
        rayw::cancel(&long)?;
        println!("{}", kind(long.get()));
    }
    Ok(())
}

#[rayw::task]
fn square_unless(number: u64, wrong: bool) -> u64 {
    assert!(!wrong, "{number} is no good");
    number * number
}

fn failures_among_short_tasks() -> rayw::Result<()> {
    let refs: Vec<_> = (0..1000).map(|number| square_unless::remote(number, number % 50 == 7)).collect();
    let results = refs.iter().map(|object| object.get().map_err(|error| error.kind()));
    let (squares, failures): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
    println!("{} {}", squares.len(), failures.len());
    println!("{}", failures.iter().all(|failure| *failure == Err(rayw::ErrorKind::TaskPanicked)));
    Ok(())
}

fn some_of_many_cancelled() -> rayw::Result<()> {
    let refs: Vec<_> = (0..2000).map(|number| square::remote(number)).collect();
    for unwanted in refs.iter().skip(3).step_by(7) {
        rayw::cancel(unwanted)?;
    }
    // What was over by then has its result; all others go on.
    let is_right = |(number, object): (u64, &ObjectRef<u64>)| match object.get() {
        Ok(square) => square == number * number,
        Err(error) => error.kind() == rayw::ErrorKind::TaskCancelled && number % 7 == 3,
    };
    println!("{}", (0..).zip(&refs).all(is_right));
    Ok(())
}

#[rayw::task]
fn successor(number: u64) -> u64 {
    number + 1
}

fn a_chain() -> rayw::Result<()> {
    let last = (0..500).fold(successor::remote(0), |previous, _| successor::remote(previous));
    println!("{}", last.get()?);
    Ok(())
}

#[rayw::task]
fn where_am_i() -> String {
    let context = rayw::context();
    format!("{} {} {:?} {:?}", context.task_name, context.attempt, context.actor_id, context.assigned_resources)
}

fn the_context() -> rayw::Result<()> {
    let context = rayw::context();
    println!("{} {:?}", context.task_name, context.actor_id);
    println!("{} {} {}", context.job_id.len(), context.task_id.len(), context.node_id.len());
    println!("{}", where_am_i::remote().get()?);
    let small = where_am_i::options().name("small").num_cpus(0.5).memory("64MiB").remote();
    println!("{}", small.get()?);
    Ok(())
}

#[rayw::task]
fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}

fn arguments_and_environment() -> rayw::Result<()> {
    println!("{:?}", std::env::args().skip(2).collect::<Vec<_>>());
    println!("{:?} {:?}", variable::remote("GREETING").get()?, variable::remote("HOME").get()?);
    println!("{:?}", std::fs::read_dir("/").map(Iterator::count).map_err(|error| error.kind()));
    Ok(())
}

fn an_exit_code() -> rayw::Result<()> {
    println!("before the exit");
    rayw::exit(7)
}

fn an_error_of_the_driver() -> rayw::Result<()> {
    crate::failures::fail::remote("the task's own words").get()?;
    Ok(())
}

fn a_panic_of_the_driver() -> rayw::Result<()> {
    panic!("the driver lost its way")
}

fn a_driver_that_goes_on() -> rayw::Result<()> {
    let log = Log::remote()?;
    let running = endless::options().name("endless").remote(&log);
    log.await_line("endless runs");
    println!("running");
    running.get()
}

#[rayw::task]
fn endless(log: LogHandle) {
    log.tell("endless runs");
    crate::stage::run_on();
}

#[rayw::task]
fn prints() {
    println!("on stdout");
    eprintln!("on stderr");
    print!("without an end");
}

fn printing() -> rayw::Result<()> {
    println!("the driver's line");
    eprintln!("the driver's other line");
    prints::options().name("printer").remote().get()?;
    print!("the driver's last words");
    Ok(())
}

/// What a file says, and whether another one can be written beside it.
fn try_files() -> (Option<String>, bool) {
    (std::fs::read_to_string("/data/in").ok(), std::fs::write("/data/out", "from inside").is_ok())
}

#[rayw::task]
fn try_files_elsewhere() -> (Option<String>, bool) {
    try_files()
}

fn files() -> rayw::Result<()> {
    let (read, wrote) = try_files();
    println!("driver reads {read:?}, writes {wrote}");
    let (read, wrote) = try_files_elsewhere::remote().get()?;
    println!("task reads {read:?}, writes {wrote}");
    println!("above: {:?}", std::fs::read_to_string("/data/../../etc/passwd").ok());
    Ok(())
}

/// One task in each state, for a look from outside.
fn something_to_look_at() -> rayw::Result<()> {
    let log = Log::remote()?;
    square::options().name("done").remote(3).get()?;
    let failed = crate::failures::fail::options().name("failed").remote("it was bound to fail");
    println!("{}", kind(failed.get()));
    let running = endless::options().name("running").remote(&log);
    let waiting = dependent::options().name("waiting").remote(number_after_gate::remote(&log), &log);
    log.await_line("endless runs");
    crate::stage::pause("look");
    drop((running, waiting));
    Ok(())
}
