//! Actors: order, ends, restarts, names, handles, limits.

use std::time::Duration;

use rayw::{Error, ErrorKind, ObjectRef};

use crate::stage::{self, Log, LogHandle, kind, told, until};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    calls_in_order,
    calls_out_of_order,
    calls_wait_for_slow_arguments,
    a_constructor_that_fails,
    a_constructor_that_panics,
    a_constructor_with_a_failed_argument,
    a_method_that_fails,
    a_call_under_which_the_actor_breaks,
    restarts_after_a_crash,
    restarts_with_retried_calls,
    restarts_by_itself,
    makes_the_same_in_each_life,
    killed_for_good,
    terminated_after_ten_calls,
    terminated_with_a_slow_argument,
    killed_with_calls_waiting,
    out_of_memory,
    exits_by_itself,
    an_actor_too_slow,
    the_last_handle,
    a_handle_in_another_actor,
    a_handle_in_an_object,
    named_actors,
    a_name_taken_twice,
    a_name_free_again,
    names_of_other_namespaces,
    a_name_of_another_class,
    pending_calls,
    several_callers,
    a_thousand_calls,
    calls_for_many_ticks,
    calls_ahead_of_the_actor,
    unknown_things,
    a_detached_actor,
    find_the_detached_actor,
    who_am_i,
    an_actor_waits_for_tasks,
    a_handle_without_seats,
];

/// Counts.
struct Counter {
    value: i64,
}

#[rayw::actor]
impl Counter {
    fn new(value: i64) -> Self {
        Self { value }
    }

    fn add(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    fn fail(&mut self, words: String) -> Result<i64, String> {
        self.value += 1;
        Err(words)
    }

    fn crash(&mut self) -> i64 {
        std::process::abort()
    }

    fn crash_once(&mut self, log: LogHandle) -> i64 {
        log.tell("attempt");
        if log.times("attempt") == 1 {
            std::process::abort();
        }
        self.value
    }

    fn pass(&mut self, log: LogHandle, gate: String) -> i64 {
        log.tell("at the gate");
        log.pass(&gate);
        self.value
    }

    fn leave(&mut self) -> rayw::Result<i64> {
        rayw::exit_actor()?;
        Ok(self.value)
    }

    fn restarts(&self) -> u32 {
        rayw::context().restarts
    }

    fn identity(&self) -> (Option<String>, String) {
        (rayw::context().actor_id, rayw::context().worker_id)
    }

    fn fan_out(&self, count: i64) -> rayw::Result<i64> {
        let tasks: Vec<_> = (0..count).map(|number| double::remote(number)).collect();
        Ok(rayw::get_all(&tasks)?.iter().sum())
    }
}

#[rayw::task]
fn double(number: i64) -> i64 {
    number * 2
}

#[rayw::task]
fn slow_number(log: LogHandle, gate: String, number: i64) -> i64 {
    log.pass(&gate);
    number
}

/// The words of an error without the actor's id, which is another one each time.
fn words<T: std::fmt::Debug>(result: rayw::Result<T>) -> String {
    let told = told(result);
    let is_id = |word: &str| word.len() == 34 && word.starts_with('(') && word.ends_with(')');
    told.split(' ').filter(|word| !is_id(word.trim_end_matches(':'))).collect::<Vec<_>>().join(" ")
}

fn causes(error: &Error) -> String {
    error.causes().join(" / ")
}

fn calls_in_order() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let calls: Vec<_> = (1..=10).map(|amount| counter.add(amount)).collect();
    println!("{:?}", rayw::get_all(&calls)?);
    let first: Vec<_> = (0..10).map(|_| Counter::remote(0)).collect::<Result<_, _>>()?;
    println!("{:?}", rayw::get_all(first.iter().map(|counter| counter.add(1)))?);
    println!("{:?}", rayw::get_all((0..5).map(|_| first[0].add(1)))?);
    Ok(())
}

fn calls_wait_for_slow_arguments() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::remote(0)?;
    let slow = counter.add(slow_number::remote(&log, "slow", 100));
    let quick = counter.add(1);
    println!("{}", kind(quick.get_timeout(std::time::Duration::from_millis(100))));
    log.open("slow").get()?;
    println!("{} {}", slow.get()?, quick.get()?);
    Ok(())
}

fn calls_out_of_order() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::options().allow_out_of_order_execution(true).remote(0)?;
    let slow = counter.add(slow_number::remote(&log, "slow", 100));
    let quick = counter.add(1);
    println!("{}", quick.get()?);
    log.open("slow").get()?;
    println!("{}", slow.get()?);
    Ok(())
}

/// Never comes to life.
struct Stillborn;

#[rayw::actor]
impl Stillborn {
    fn new(number: i64) -> Result<Self, String> {
        if number < 0 {
            panic!("{number} is too small");
        }
        Err(format!("{number} is no good"))
    }

    fn hello(&self) -> String {
        "hello".to_owned()
    }
}

fn a_constructor_that_fails() -> rayw::Result<()> {
    let actor = Stillborn::remote(13)?;
    let error = actor.hello().get().expect_err("it never lived");
    println!("{} because of {}", words::<()>(Err(error.clone())), causes(&error));
    println!("{}", error.kind() == ErrorKind::ActorDied);
    println!("{}", kind(actor.hello().get()));
    Ok(())
}

fn a_constructor_that_panics() -> rayw::Result<()> {
    let actor = Stillborn::options().max_restarts(3).remote(-1)?;
    let error = actor.hello().get().expect_err("it never lived");
    println!("{}: {}", error.kind(), error.causes().iter().any(|cause| cause.ends_with("-1 is too small")));
    Ok(())
}

fn a_constructor_with_a_failed_argument() -> rayw::Result<()> {
    let bad = slow_number::remote(
        Log::remote()?,
        "open",
        crate::failures::fail::remote("bad number").get().unwrap_or(1) as i64,
    );
    drop(bad);
    let failing = failing_number::remote();
    let actor = Counter::remote(&failing)?;
    let error = actor.add(1).get().expect_err("its argument failed");
    println!("{} because of {}", words::<()>(Err(error.clone())), causes(&error));
    Ok(())
}

#[rayw::task]
fn failing_number() -> Result<i64, String> {
    Err("there is no number".to_owned())
}

fn a_method_that_fails() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    println!("{}", told(counter.fail("not today").get()));
    println!("{}", counter.add(1).get()?);
    println!("{}", told(counter.options().retry_exceptions(true).max_task_retries(2).fail("again").get()));
    println!("{}", counter.add(0).get()?);
    Ok(())
}

fn a_call_under_which_the_actor_breaks() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let before = counter.add(1);
    let crash = counter.crash();
    let after = counter.add(1);
    println!("{}", before.get()?);
    let error = crash.get().expect_err("it crashed");
    println!("{} because of {}", words::<()>(Err(error.clone())), causes(&error));
    println!("{}", kind(after.get()));
    println!("{}", kind(counter.add(1).get()));
    Ok(())
}

fn restarts_after_a_crash() -> rayw::Result<()> {
    let counter = Counter::options().max_restarts(1).remote(10)?;
    println!("{}", counter.add(1).get()?);
    println!("{}", words(counter.crash().get()));
    println!("{} after {} restart", counter.add(1).get()?, counter.restarts().get()?);
    println!("{}", kind(counter.crash().get()));
    println!("{}", kind(counter.add(1).get()));
    Ok(())
}

fn restarts_with_retried_calls() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::options().max_restarts(-1).max_task_retries(1).remote(10)?;
    counter.add(1);
    let retried = counter.crash_once(&log);
    let next = counter.add(1);
    println!("{} {} after {} attempts", told(retried.get()), told(next.get()), log.times("attempt"));
    Ok(())
}

/// An actor that holds the only seat there is, and says so when it comes to life.
struct Seat;

#[rayw::actor]
impl Seat {
    fn new(log: LogHandle) -> Self {
        log.tell("constructed");
        Self
    }

    fn restarts(&self) -> u32 {
        rayw::context().restarts
    }
}

fn restarts_by_itself() -> rayw::Result<()> {
    let log = Log::remote()?;
    let seat = Seat::options().max_restarts(1).resource("seat", 1.0).remote(&log)?;
    log.await_line("constructed");
    seat.kill_and_restart()?;
    // Nobody calls it, and it comes back all the same.
    until("the second construction", || log.times("constructed") == 2);
    println!("{} restart", seat.restarts().get()?);
    // It holds the seat again: nobody else gets it.
    let other = Seat::options().resource("seat", 1.0).remote(&log)?;
    println!("{}", kind(other.restarts().get_timeout(std::time::Duration::from_millis(300))));
    seat.kill()?;
    println!("{} constructed, {} restarts of the other", 3, other.restarts().get()?);
    println!("{}", kind(seat.restarts().get()));
    Ok(())
}

#[rayw::task]
fn returned_life(number: u32) -> u32 {
    number
}

/// An actor whose constructor puts an object and submits a task; both say in which life.
struct Maker {
    put: ObjectRef<u32>,
    returned: ObjectRef<u32>,
}

#[rayw::actor]
impl Maker {
    fn new() -> rayw::Result<Self> {
        let life = rayw::context().restarts;
        Ok(Self { put: rayw::put(&life)?, returned: returned_life::remote(life) })
    }

    fn made(&self) -> Vec<ObjectRef<u32>> {
        vec![self.put.clone(), self.returned.clone()]
    }

    fn life(&self) -> u32 {
        rayw::context().restarts
    }
}

fn makes_the_same_in_each_life() -> rayw::Result<()> {
    let maker = Maker::options().max_restarts(1).max_task_retries(-1).remote()?;
    let first = maker.made().get()?;
    maker.kill_and_restart()?;
    until("the next life", || maker.life().get().is_ok_and(|life| life == 1));
    let second = maker.made().get()?;
    println!("{:?} {:?}", rayw::get_all(&first)?, rayw::get_all(&second)?);
    let same = first.iter().zip(&second).filter(|(first, second)| first.id() == second.id()).count();
    println!("{same} of {} are the same objects", first.len());
    Ok(())
}

fn killed_for_good() -> rayw::Result<()> {
    let counter = Counter::options().max_restarts(5).remote(0)?;
    println!("{}", counter.add(1).get()?);
    counter.kill()?;
    println!("{}", words(counter.add(1).get()));
    counter.kill()?;
    println!("{}", kind(counter.options().try_call().add(1).and_then(|object| object.get())));
    Ok(())
}

fn terminated_after_ten_calls() -> rayw::Result<()> {
    let counter = Counter::options().max_restarts(5).remote(0)?;
    let calls: Vec<_> = (0..10).map(|_| counter.add(1)).collect();
    counter.terminate()?;
    println!("{:?}", rayw::get_all(&calls)?);
    println!("{}", words(counter.add(1).get()));
    Ok(())
}

fn terminated_with_a_slow_argument() -> rayw::Result<()> {
    let log = Log::remote()?;
    for out_of_order in [false, true] {
        let gate = format!("slow {out_of_order}");
        let counter = Counter::options().allow_out_of_order_execution(out_of_order).remote(0)?;
        let slow = counter.add(slow_number::remote(&log, &gate, 100));
        counter.terminate()?;
        let after = counter.add(1);
        log.open(&gate).get()?;
        println!("{} {}", told(slow.get()), kind(after.get()));
    }
    Ok(())
}

/// Takes memory until there is none left.
#[derive(Default)]
struct Glutton {
    eaten: Vec<Vec<u8>>,
}

#[rayw::actor]
impl Glutton {
    fn eat(&mut self, mebibytes: usize) -> usize {
        for _ in 0..mebibytes {
            self.eaten.push(vec![1; 1 << 20]);
        }
        self.eaten.len()
    }
}

fn out_of_memory() -> rayw::Result<()> {
    let glutton = Glutton::options().memory("64MiB").max_restarts(1).remote()?;
    let neighbour = Glutton::options().memory("64MiB").remote()?;
    println!("{}", neighbour.eat(10).get()?);
    println!("{}", glutton.eat(10).get()?);
    println!("{}", kind(glutton.eat(100).get()));
    println!("{} {}", glutton.eat(10).get()?, neighbour.eat(10).get()?);
    println!("{} {}", kind(glutton.eat(100).get()), kind(glutton.eat(1).get()));
    Ok(())
}

fn killed_with_calls_waiting() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::remote(0)?;
    let running = counter.pass(&log, "never");
    log.await_line("at the gate");
    let waiting: Vec<_> = (0..3).map(|_| counter.add(1)).collect();
    counter.kill()?;
    println!("{}", kind(running.get()));
    println!("{:?}", waiting.iter().map(|call| kind(call.get())).collect::<Vec<_>>());
    Ok(())
}

fn exits_by_itself() -> rayw::Result<()> {
    let counter = Counter::options().max_restarts(5).remote(7)?;
    let (last, after) = (counter.leave(), counter.add(1));
    println!("{}", told(last.get()));
    println!("{}", words(after.get()));
    println!("{}", told(rayw::exit_actor()));
    Ok(())
}

fn an_actor_too_slow() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::remote(0)?;
    let slow = counter.options().timeout(std::time::Duration::from_millis(100)).pass(&log, "never");
    println!("{}", kind(slow.get()));
    println!("{}", kind(counter.add(1).get()));
    Ok(())
}

/// Holds the only seat; a class of its own needs no log.
#[derive(Default)]
struct Guest {
    friend: Option<CounterHandle>,
}

#[rayw::actor]
impl Guest {
    fn befriend(&mut self, friend: CounterHandle) {
        self.friend = Some(friend);
    }

    fn forget(&mut self) {
        self.friend = None;
    }

    fn ask_friend(&self) -> rayw::Result<i64> {
        match &self.friend {
            Some(friend) => friend.add(1).get(),
            None => Err(Error::new("there is no friend")),
        }
    }
}

fn the_last_handle() -> rayw::Result<()> {
    let first = Counter::options().resource("seat", 1.0).remote(1)?;
    println!("{}", first.add(0).get()?);
    let copy = first.clone();
    let second = Counter::options().resource("seat", 1.0).remote(2)?;
    let waiting = second.add(0);
    drop(first);
    println!("{}", kind(waiting.get_timeout(std::time::Duration::from_millis(200))));
    // The calls before the last handle's drop are done; then the seat is free.
    let last_call = copy.add(10);
    drop(copy);
    println!("{} {}", last_call.get()?, waiting.get()?);
    Ok(())
}

fn a_handle_in_another_actor() -> rayw::Result<()> {
    let guest = Guest::remote()?;
    let counter = Counter::options().resource("seat", 1.0).remote(0)?;
    guest.befriend(&counter).get()?;
    drop(counter);
    println!("{} {}", guest.ask_friend().get()?, guest.ask_friend().get()?);
    let next = Counter::options().resource("seat", 1.0).remote(100)?;
    let waiting = next.add(0);
    println!("{}", kind(waiting.get_timeout(std::time::Duration::from_millis(200))));
    guest.forget().get()?;
    println!("{}", waiting.get()?);
    Ok(())
}

fn a_handle_in_an_object() -> rayw::Result<()> {
    let counter = Counter::options().resource("seat", 1.0).remote(0)?;
    let stored = rayw::put(&vec![counter])?;
    let found = stored.get()?;
    println!("{}", found[0].add(5).get()?);
    drop(found);
    println!("{}", stored.get()?[0].add(5).get()?);
    drop(stored);
    let next = Counter::options().resource("seat", 1.0).remote(100)?;
    println!("{}", next.add(0).get()?);
    Ok(())
}

#[rayw::task]
fn add_to_named(name: String) -> rayw::Result<i64> {
    Counter::get_actor(&name)?.add(1).get()
}

fn named_actors() -> rayw::Result<()> {
    let counter = Counter::options().name("tally").remote(0)?;
    println!("{}", add_to_named::remote("tally").get()?);
    println!("{}", Counter::get_actor("tally")?.add(1).get()?);
    let same = Counter::options().name("tally").get_if_exists(true).remote(1000)?;
    println!("{} {}", same.add(1).get()?, same == counter);
    let other = Counter::options().name("other").get_if_exists(true).remote(1000)?;
    println!("{}", other.add(1).get()?);
    println!("{}", kind(Counter::get_actor("nobody")));
    println!("{}", told(Counter::options().get_if_exists(true).remote(1)));
    Ok(())
}

fn a_name_taken_twice() -> rayw::Result<()> {
    let counter = Counter::options().name("only").remote(0)?;
    println!("{}", kind(Counter::options().name("only").remote(0)));
    println!("{}", counter.add(1).get()?);
    Ok(())
}

fn a_name_free_again() -> rayw::Result<()> {
    let counter = Counter::options().name("again").remote(0)?;
    println!("{}", counter.add(1).get()?);
    counter.kill()?;
    let second = Counter::options().name("again").remote(50)?;
    println!("{}", second.add(1).get()?);
    println!("{}", Counter::get_actor("again")?.add(1).get()?);
    Ok(())
}

fn names_of_other_namespaces() -> rayw::Result<()> {
    let one = Counter::options().name("shared").namespace("one").remote(1)?;
    let two = Counter::options().name("shared").namespace("two").remote(2)?;
    println!("{} {}", one.add(0).get()?, two.add(0).get()?);
    println!("{}", Counter::get_actor_in("shared", "two")?.add(0).get()?);
    println!("{}", kind(Counter::get_actor("shared")));
    Ok(())
}

fn a_name_of_another_class() -> rayw::Result<()> {
    let _counter = Counter::options().name("mixed").remote(0)?;
    println!("{}", told(Guest::get_actor("mixed").map(|_| ())));
    Ok(())
}

fn pending_calls() -> rayw::Result<()> {
    let log = Log::remote()?;
    let counter = Counter::options().max_pending_calls(2).remote(0)?;
    let running = counter.pass(&log, "gate");
    log.await_line("at the gate");
    let second = counter.add(1);
    let third = counter.options().try_call().add(1);
    println!("{}", words(third.map(|_| ())));
    println!("{}", kind(counter.add(1).get()));
    log.open("gate").get()?;
    println!("{} {}", running.get()?, second.get()?);
    println!("{}", told(counter.add(1).get()));
    Ok(())
}

#[rayw::task]
fn add_many(counter: CounterHandle, count: i64) -> rayw::Result<bool> {
    let calls: Vec<_> = (0..count).map(|_| counter.add(1)).collect();
    let values = rayw::get_all(&calls)?;
    Ok(values.is_sorted())
}

fn several_callers() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let callers: Vec<_> = (0..8).map(|_| add_many::remote(&counter, 50)).collect();
    println!("{:?}", rayw::get_all(&callers)?);
    println!("{}", counter.add(0).get()?);
    Ok(())
}

fn a_thousand_calls() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let calls: Vec<_> = (0..1000).map(|_| counter.add(1)).collect();
    let values = rayw::get_all(&calls)?;
    println!("{} {}", values.is_sorted(), values.len());
    Ok(())
}

fn calls_for_many_ticks() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let mut last = 0;
    for _ in 0..40 {
        let calls: Vec<_> = (0..500).map(|_| counter.add(1)).collect();
        last = rayw::get_all(&calls)?.into_iter().max().unwrap_or(0);
    }
    println!("{last}");
    Ok(())
}

/// Whoever has the only cpu calls an actor that needs it.
fn calls_ahead_of_the_actor() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    counter.add(0).get()?;
    let calls: Vec<_> = (0..1000).map(|_| counter.add(1)).collect();
    let (ready, _) = rayw::wait(&calls[..1], 1, Some(Duration::ZERO))?;
    println!("{} of the first call is there", ready.len());
    println!("{:?}", rayw::get_all(&calls)?.last());
    Ok(())
}

fn unknown_things() -> rayw::Result<()> {
    println!("{}", kind(Counter::get_actor_in("nobody", "nowhere")));
    Ok(())
}

/// Makes an actor that outlives its job, and one that does not.
fn a_detached_actor() -> rayw::Result<()> {
    let kept = Counter::options().name("kept").detached().remote(0)?;
    let bound = Counter::options().name("bound").remote(0)?;
    println!("{} {}", kept.add(1).get()?, bound.add(1).get()?);
    Ok(())
}

/// Looks for them from another job.
fn find_the_detached_actor() -> rayw::Result<()> {
    println!("{}", told(Counter::get_actor("kept").and_then(|kept| kept.add(1).get())));
    println!("{}", kind(Counter::get_actor("bound")));
    if std::env::args().nth(2).as_deref() == Some("kill") {
        Counter::get_actor("kept")?.kill()?;
        println!("{}", kind(Counter::get_actor("kept")));
    }
    Ok(())
}

fn who_am_i() -> rayw::Result<()> {
    let counter = Counter::remote(0)?;
    let (first, second) = (counter.identity().get()?, counter.identity().get()?);
    println!("{} {}", first == second, first.0.as_deref() == Some(counter.id()));
    stage::pause("living");
    println!("{}", counter.add(1).get()?);
    Ok(())
}

fn an_actor_waits_for_tasks() -> rayw::Result<()> {
    let counter = Counter::options().num_cpus(1).remote(0)?;
    println!("{}", told(counter.fan_out(10).get()));
    Ok(())
}

/// Actors that know each other, and nobody else knows them any more at the end.
fn a_handle_without_seats() -> rayw::Result<()> {
    let guest = Guest::remote()?;
    let counter = Counter::remote(0)?;
    guest.befriend(&counter).get()?;
    println!("{}", guest.ask_friend().get()?);
    Ok(())
}
