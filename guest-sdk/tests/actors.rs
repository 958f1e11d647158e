//! Actors: state, order, handles, names, limits, ends and restarts.

mod support;

use rayw::{ErrorKind, ObjectRef};
use serde::{Deserialize, Serialize};

struct Counter {
    value: i64,
}

#[rayw::actor]
impl Counter {
    fn new(value: i64) -> Self {
        Counter { value }
    }

    fn add(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    fn value(&self) -> i64 {
        self.value
    }

    fn checked(&self, divisor: i64) -> Result<i64, String> {
        self.value.checked_div(divisor).ok_or_else(|| "there is no division by zero".to_owned())
    }

    #[rayw(num_returns = 2)]
    fn parts(&self) -> (i64, i64) {
        (self.value / 10, self.value % 10)
    }

    fn digits(&self) -> Vec<u8> {
        self.value.to_string().into_bytes()
    }

    fn add_of(&mut self, other: CounterHandle) -> rayw::Result<i64> {
        self.value += other.value().get()?;
        Ok(self.value)
    }

    fn crash(&mut self) {
        panic!("the counter fell down");
    }

    fn context(&self) -> (String, Option<String>, u32) {
        let context = rayw::context();
        (context.task_name, context.actor_id, context.restarts)
    }

    fn leave(&mut self) -> rayw::Result<i64> {
        rayw::exit_actor()?;
        Ok(self.value)
    }

    #[rayw(skip)]
    fn borrowed(&self) -> &i64 {
        &self.value
    }

    fn largest() -> i64 {
        i64::MAX
    }
}

#[test]
fn an_actor_stays_a_type() {
    let mut counter = Counter::new(1);
    assert_eq!(counter.add(2), 3);
    assert_eq!((*counter.borrowed(), Counter::largest()), (3, i64::MAX));
}

#[test]
fn an_actor_keeps_its_state_and_the_order_of_calls() {
    let counter = Counter::remote(10).unwrap();
    let sums: Vec<_> = (1..=100).map(|amount| counter.add(amount)).collect();
    let expected: Vec<_> = (1..=100)
        .scan(10, |sum, amount| {
            *sum += amount;
            Some(*sum)
        })
        .collect();
    assert_eq!(rayw::get_all(sums).unwrap(), expected);
}

#[test]
fn an_actor_without_new_is_made_by_default() {
    #[derive(Default)]
    struct Log {
        lines: Vec<String>,
    }

    #[rayw::actor]
    impl Log {
        fn write(&mut self, line: String) -> usize {
            self.lines.push(line);
            self.lines.len()
        }
    }

    let log = Log::remote().unwrap();
    log.write("a");
    assert_eq!(log.write("b").get().unwrap(), 2);
}

#[test]
fn a_call_takes_values_and_references() {
    let counter = Counter::remote(rayw::put(&5).unwrap()).unwrap();
    let ten = counter.add(5);
    assert_eq!(counter.add(&ten).get().unwrap(), 20);
    assert_eq!(counter.parts().0.get().unwrap(), 2);
    assert_eq!(rayw::get_all(counter.options().num_returns(2).digits()).unwrap(), *b"20");
    assert_eq!(counter.checked(0).get().unwrap_err().message(), "there is no division by zero");
    assert_eq!(counter.checked(4).get().unwrap(), 5);
}

#[test]
fn a_call_waits_for_the_arguments_of_those_before_it() {
    let counter = Counter::remote(1).unwrap();
    let late = support::number_after("actors: order", 1);
    #[rayw::task]
    fn signed(number: u64) -> i64 {
        number as i64
    }
    let first = counter.add(signed::remote(late));
    let second = counter.value();
    let (ready, _) =
        rayw::wait(&[first.clone(), second.clone()], 1, Some(std::time::Duration::from_millis(1))).unwrap();
    assert!(ready.is_empty());
    support::open("actors: order");
    assert_eq!((first.get().unwrap(), second.get().unwrap()), (2, 2));
}

#[test]
fn out_of_order_calls_do_not_wait() {
    let counter = Counter::options().allow_out_of_order_execution(true).remote(1).unwrap();
    #[rayw::task]
    fn as_signed(number: u64) -> i64 {
        number as i64
    }
    let first = counter.add(as_signed::remote(support::number_after("actors: out of order", 1)));
    assert_eq!(counter.value().get().unwrap(), 1);
    support::open("actors: out of order");
    assert_eq!(first.get().unwrap(), 2);
}

#[derive(Serialize, Deserialize)]
struct Crew {
    members: Vec<CounterHandle>,
}

#[rayw::task]
fn add_to_all(crew: Crew, amount: i64) -> rayw::Result<Vec<i64>> {
    rayw::get_all(crew.members.iter().map(|member| member.add(amount)))
}

#[test]
fn handles_travel_in_any_value() {
    let members: Vec<_> = (0..3).map(|value| Counter::remote(value).unwrap()).collect();
    let crew = Crew { members: members.clone() };
    assert_eq!(add_to_all::remote(crew, 10).get().unwrap(), [10, 11, 12]);
    assert_eq!(members[0].add_of(&members[1]).get().unwrap(), 21);
    assert_eq!(members[0], rayw::put(&members[0]).unwrap().get().unwrap());
    assert!(format!("{:?}", members[0]).starts_with("Actor(Counter, "));
}

#[rayw::task]
fn read_handle_of_another(handle: support::PorterHandle) -> String {
    handle.id().to_owned()
}

#[test]
fn a_handle_of_another_class_is_refused() {
    #[derive(Serialize)]
    struct Disguised(CounterHandle);
    impl<'de> Deserialize<'de> for Disguised {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            support::PorterHandle::deserialize(deserializer)?;
            Err(serde::de::Error::custom("it was let in"))
        }
    }

    let porter = support::Porter::remote().unwrap();
    assert_eq!(read_handle_of_another::remote(&porter).get().unwrap(), porter.id());
    let object = rayw::put(&Disguised(Counter::remote(1).unwrap())).unwrap();
    let error = object.get().err().unwrap();
    assert!(error.to_string().ends_with("expected the handle of a `Porter`, found a `Counter`"), "{error}");
}

#[test]
fn a_named_actor_is_found_by_its_name() {
    let first = Counter::options().name("named").remote(1).unwrap();
    assert_eq!(Counter::get_actor("named").unwrap().add(1).get().unwrap(), 2);
    let same = Counter::options().name("named").get_if_exists(true).remote(100).unwrap();
    assert_eq!(same.value().get().unwrap(), 2);
    let error = Counter::options().name("named").remote(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ActorAlreadyExists);
    assert_eq!(Counter::get_actor_in("named", "elsewhere").unwrap_err().kind(), ErrorKind::ActorNotFound);
    let error = support::Porter::get_actor("named").unwrap_err();
    assert!(error.message().ends_with("ask for it by `Counter::get_actor`"), "{error}");
    drop(first);
}

#[test]
fn a_name_is_free_when_its_last_handle_is_gone() {
    let first = Counter::options().name("free again").remote(1).unwrap();
    drop(first);
    assert_eq!(Counter::get_actor("free again").unwrap_err().kind(), ErrorKind::ActorNotFound);
    let second = Counter::options().name("free again").remote(2).unwrap();
    assert_eq!(Counter::get_actor("free again").unwrap().value().get().unwrap(), 2);
    drop(second);
}

#[test]
fn a_detached_actor_lives_without_handles_until_it_is_killed() {
    drop(Counter::options().name("detached").namespace("prod").detached().remote(7).unwrap());
    let found = Counter::get_actor_in("detached", "prod").unwrap();
    assert_eq!(found.value().get().unwrap(), 7);
    found.kill().unwrap();
    assert_eq!(Counter::get_actor_in("detached", "prod").unwrap_err().kind(), ErrorKind::ActorNotFound);
    assert_eq!(Counter::options().detached().remote(1).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_calls_of_a_dropped_handle_still_run_and_then_the_actor_ends() {
    struct Owner {
        porter: support::PorterHandle,
        _gone: OpensWhenDropped,
    }
    struct OpensWhenDropped;
    impl Drop for OpensWhenDropped {
        fn drop(&mut self) {
            support::open("the owner is gone");
        }
    }

    #[rayw::actor]
    impl Owner {
        fn new(porter: support::PorterHandle) -> Self {
            Self { porter, _gone: OpensWhenDropped }
        }

        fn ask(&self) -> rayw::Result<u64> {
            self.porter.number_after("ask", 1).get()
        }
    }

    let owner = Owner::remote(support::Porter::remote().unwrap()).unwrap();
    let answer = owner.ask();
    drop(owner);
    support::open("ask");
    assert_eq!(answer.get().unwrap(), 1);
    support::pass("the owner is gone");
}

#[test]
fn kill_fails_what_waits_and_what_comes() {
    let porter = support::Porter::remote().unwrap();
    let waiting: Vec<_> = (0..3).map(|number| porter.number_after("never: kill", number)).collect();
    porter.kill().unwrap();
    for call in waiting {
        assert_eq!(call.get().unwrap_err().kind(), ErrorKind::ActorDied);
    }
    let error = porter.number_after("never: kill", 1).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ActorDied);
    assert!(error.message().ends_with("of class `Porter` is gone: it was killed"), "{error}");
    assert_eq!(porter.try_call().number_after("x", 1).unwrap_err().kind(), ErrorKind::ActorDied);
    porter.kill().unwrap();
}

#[test]
fn terminate_lets_the_calls_before_it_run() {
    let counter = Counter::remote(1).unwrap();
    let before = counter.add(1);
    counter.terminate().unwrap();
    assert_eq!(before.get().unwrap(), 2);
    assert_eq!(counter.add(1).get().unwrap_err().kind(), ErrorKind::ActorDied);
}

#[test]
fn an_actor_may_leave_by_itself() {
    let counter = Counter::remote(1).unwrap();
    assert_eq!(counter.leave().get().unwrap(), 1);
    let error = counter.value().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ActorDied);
    assert_eq!(rayw::exit_actor().unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_panic_ends_an_actor_without_restarts() {
    let counter = Counter::remote(1).unwrap();
    let error = counter.crash().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskPanicked);
    let error = counter.value().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ActorDied);
    assert!(error.to_string().contains("it crashed: `Counter::crash` panicked at"), "{error}");
    assert!(error.to_string().ends_with("the counter fell down"), "{error}");
}

#[test]
fn an_actor_with_restarts_starts_anew_with_its_arguments() {
    let counter = Counter::options().max_restarts(2).remote(5).unwrap();
    counter.add(1).get().unwrap();
    counter.crash().get().unwrap_err();
    assert_eq!(counter.value().get().unwrap(), 5);
    counter.kill_and_restart().unwrap();
    assert_eq!(counter.value().get().unwrap(), 5);
    let (name, id, restarts) = counter.options().name("look").context().get().unwrap();
    assert_eq!((name.as_str(), id.as_deref(), restarts), ("look", Some(counter.id()), 2));
    counter.crash().get().unwrap_err();
    assert_eq!(counter.value().get().unwrap_err().kind(), ErrorKind::ActorDied);
}

#[test]
fn a_call_is_tried_again_on_the_next_incarnation() {
    struct Fragile;

    #[rayw::actor(max_restarts = -1)]
    impl Fragile {
        fn new() -> Self {
            Self
        }

        #[rayw(max_task_retries = 2)]
        fn third_time(&self) -> (u32, u32) {
            let context = rayw::context();
            assert!(context.attempt >= 2, "not yet");
            (context.attempt, context.restarts)
        }
    }

    let fragile = Fragile::remote().unwrap();
    assert_eq!(fragile.third_time().get().unwrap(), (2, 2));
    let error = fragile.options().max_task_retries(0).third_time().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskPanicked);
}

#[test]
fn a_constructor_that_fails_is_seen_by_the_first_call() {
    struct Picky;

    #[rayw::actor]
    impl Picky {
        fn new(word: String) -> Result<Self, String> {
            if word == "please" { Ok(Self) } else { Err(format!("`{word}` is not the word")) }
        }

        fn enter(&self) -> bool {
            true
        }
    }

    assert!(Picky::remote("please").unwrap().enter().get().unwrap());
    let error = Picky::remote("now").unwrap().enter().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ActorDied);
    assert!(error.to_string().ends_with("it could not be made: `now` is not the word"), "{error}");
    let failed: ObjectRef<String> = {
        #[rayw::task]
        fn no_word() -> Result<String, String> {
            Err("speechless".to_owned())
        }
        no_word::remote()
    };
    let error = Picky::remote(failed).unwrap().enter().get().unwrap_err();
    assert!(error.to_string().ends_with("it could not be made: speechless"), "{error}");
}

#[test]
fn too_many_pending_calls_are_refused() {
    let porter = support::Porter::options().max_pending_calls(2).remote().unwrap();
    let first = porter.number_after("pending", 1);
    let second = porter.number_after("pending", 2);
    let error = porter.try_call().number_after("pending", 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PendingCallsLimitExceeded);
    let refused = porter.number_after("pending", 3);
    assert_eq!(refused.get().unwrap_err().kind(), ErrorKind::PendingCallsLimitExceeded);
    support::open("pending");
    assert_eq!(rayw::get_all([first, second]).unwrap(), [1, 2]);
    assert_eq!(porter.try_call().number_after("pending", 3).unwrap().get().unwrap(), 3);
}

#[test]
fn a_running_call_that_is_cancelled_sees_it_and_a_waiting_one_never_runs() {
    struct Patient;

    #[rayw::actor]
    impl Patient {
        fn new() -> Self {
            Self
        }

        fn look(&self) -> bool {
            support::open("patient: looks");
            support::pass("patient: go on");
            rayw::is_cancelled()
        }
    }

    let patient = Patient::remote().unwrap();
    let (running, waiting) = (patient.look(), patient.look());
    support::pass("patient: looks");
    let forced = rayw::cancel_with(&running, rayw::CancelOptions::default().force(true));
    assert_eq!(forced.unwrap_err().kind(), ErrorKind::InvalidArgument);
    rayw::cancel(&waiting).unwrap();
    rayw::cancel(&running).unwrap();
    support::open("patient: go on");
    assert!(running.get().unwrap());
    assert_eq!(waiting.get().unwrap_err().kind(), ErrorKind::TaskCancelled);
}
