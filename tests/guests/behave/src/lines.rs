//! Calls and tasks that stand in line: what is true of one by itself is true of each.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rayw::ObjectRef;

use crate::stage;
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    each_call_in_a_line_is_one_of_its_own,
    what_goes_wrong_in_a_line_of_calls,
    a_crash_in_a_line_of_calls,
    the_end_of_an_actor_in_a_line_of_calls,
    a_call_out_of_time_in_a_line_of_calls,
    each_task_in_a_line_is_one_of_its_own,
    what_goes_wrong_in_a_line_of_tasks,
    instances_that_serve_three_tasks,
    a_task_that_wants_its_own_instance_in_a_line,
];

/// What a call can be told from another one by.
type Identity = (String, String, Option<ObjectRef<u64>>);

fn identity(number: u64) -> rayw::Result<Identity> {
    let context = rayw::context();
    Ok((context.task_id, context.worker_id, Some(rayw::put(&number)?)))
}

/// Whether identities are those of these calls, and how many instances there were.
fn are_their_own(calls: &[ObjectRef<Identity>]) -> rayw::Result<(bool, usize)> {
    let told = rayw::get_all(calls)?;
    let is_own = |(call, (task, _, _)): (&ObjectRef<Identity>, &Identity)| call.id().starts_with(task.as_str());
    let are_own = calls.iter().zip(&told).all(is_own);
    let workers: HashSet<_> = told.iter().map(|(_, worker, _)| worker.clone()).collect();
    let puts: Vec<_> = told.into_iter().filter_map(|(_, _, put)| put).collect();
    let are_different = rayw::get_all(&puts)?.into_iter().eq(0..calls.len() as u64);
    Ok((are_own && are_different, workers.len()))
}

/// Is called before it lives, so that its calls stand in line when it begins.
struct Clerk {
    served: u64,
}

#[rayw::actor]
impl Clerk {
    fn new() -> Self {
        Self { served: 0 }
    }

    fn serve(&mut self) -> u64 {
        self.served += 1;
        self.served
    }

    fn identify(&mut self, number: u64) -> rayw::Result<Identity> {
        identity(number)
    }

    fn refuse(&mut self) -> Result<u64, String> {
        self.served += 1;
        Err(format!("no number {}", self.served))
    }

    fn crash(&mut self) -> u64 {
        panic!("number {} was too much", self.served + 1)
    }

    fn leave(&mut self) -> rayw::Result<u64> {
        rayw::exit_actor()?;
        Ok(self.served)
    }

    fn mutter(&mut self, word: String) {
        print!("{word}");
    }

    fn dawdle(&mut self) -> u64 {
        stage::run_on();
        0
    }
}

fn each_call_in_a_line_is_one_of_its_own() -> rayw::Result<()> {
    let clerk = Clerk::remote()?;
    let calls: Vec<_> = (0..300).map(|number| clerk.identify(number)).collect();
    println!("{:?}", are_their_own(&calls)?);
    rayw::get_all([clerk.mutter("one".to_owned()), clerk.mutter("two".to_owned())])?;
    Ok(())
}

fn what_goes_wrong_in_a_line_of_calls() -> rayw::Result<()> {
    let clerk = Clerk::remote()?;
    let calls = [clerk.serve(), clerk.refuse(), clerk.serve(), clerk.refuse(), clerk.serve()];
    for call in &calls {
        println!("{}", stage::told(call.get()));
    }
    Ok(())
}

fn a_crash_in_a_line_of_calls() -> rayw::Result<()> {
    let clerk = Clerk::options().max_restarts(1).remote()?;
    let calls = [clerk.serve(), clerk.serve(), clerk.crash(), clerk.serve(), clerk.serve()];
    for call in &calls {
        println!("{}", call.get().map_or_else(|error| error.kind().to_string(), |value| value.to_string()));
    }
    Ok(())
}

fn the_end_of_an_actor_in_a_line_of_calls() -> rayw::Result<()> {
    let clerk = Clerk::remote()?;
    let calls = [clerk.serve(), clerk.serve(), clerk.leave(), clerk.serve()];
    for call in &calls {
        println!("{}", call.get().map_or_else(|error| error.kind().to_string(), |value| value.to_string()));
    }
    Ok(())
}

fn a_call_out_of_time_in_a_line_of_calls() -> rayw::Result<()> {
    let clerk = Clerk::options().max_restarts(1).remote()?;
    let late = clerk.options().timeout(Duration::from_millis(50));
    let calls = [clerk.serve(), clerk.serve(), late.dawdle(), clerk.serve()];
    for call in &calls {
        println!("{}", call.get().map_or_else(|error| error.kind().to_string(), |value| value.to_string()));
    }
    Ok(())
}

#[rayw::task(max_calls = 0)]
fn identify(number: u64) -> rayw::Result<Identity> {
    identity(number)
}

#[rayw::task(max_calls = 0)]
fn divide(number: u64) -> Result<u64, String> {
    if number % 7 == 3 {
        return Err(format!("{number} is no good"));
    }
    assert!(number % 7 != 5, "{number} is worse");
    Ok(number)
}

#[rayw::task(max_calls = 3)]
fn serve_three() -> String {
    rayw::context().worker_id
}

/// How often this instance has served before.
#[rayw::task(max_calls = 0)]
fn served_before() -> u32 {
    std::thread_local! { static SERVED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }
    SERVED.replace(SERVED.get() + 1)
}

fn a_task_that_wants_its_own_instance_in_a_line() -> rayw::Result<()> {
    rayw::get_all((0..64).map(|_| served_before::remote()))?;
    let calls: Vec<_> = (0..100)
        .map(|number| match number % 5 {
            3 => served_before::options().max_calls(1).remote(),
            _ => served_before::remote(),
        })
        .collect();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (number, served) in (0..).zip(rayw::get_all(&calls)?) {
        if number % 5 == 3 { own.push(served) } else { others.push(served) }
    }
    println!("own: {}, reused: {}", own.iter().all(|served| *served == 0), others.iter().any(|served| *served > 3));
    Ok(())
}

fn each_task_in_a_line_is_one_of_its_own() -> rayw::Result<()> {
    // Short ones, so that the node gives several at once.
    rayw::get_all((0..64).map(identify::remote))?;
    let calls: Vec<_> = (0..300).map(identify::remote).collect();
    let (are_own, workers) = are_their_own(&calls)?;
    println!("{are_own}, in {} instances", if workers < 10 { "few" } else { "many" });
    Ok(())
}

fn what_goes_wrong_in_a_line_of_tasks() -> rayw::Result<()> {
    rayw::get_all((0..64).map(|_| divide::remote(0)))?;
    let calls: Vec<_> = (0..70).map(|number| divide::options().max_retries(0).remote(number)).collect();
    let mut kinds = HashMap::<String, u32>::new();
    for (number, call) in (0..).zip(&calls) {
        let told = match call.get() {
            Ok(value) if value == number => "right".to_owned(),
            Ok(_) => "wrong".to_owned(),
            Err(error) => format!("{} of {}", error.kind(), number % 7),
        };
        *kinds.entry(told).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort();
    println!("{kinds:?}");
    Ok(())
}

fn instances_that_serve_three_tasks() -> rayw::Result<()> {
    rayw::get_all((0..64).map(|_| serve_three::remote()))?;
    let mut served = HashMap::<String, u32>::new();
    for worker in rayw::get_all((0..100).map(|_| serve_three::remote()))? {
        *served.entry(worker).or_default() += 1;
    }
    println!("at most {:?}, once at least {}", served.values().max(), served.values().any(|times| *times > 1));
    Ok(())
}
