//! Several nodes: what happens to tasks, actors and objects when one of them goes.
//!
//! A test starts nodes that offer the resource `safe` or `doomed`, and kills doomed ones.

use rayw::{Bytes, ObjectRef, WaitOptions};

use crate::stage::{Log, LogHandle, kind, pause, told, until};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    lost_results_are_made_again,
    a_result_that_is_lost_too_often,
    a_result_that_may_not_be_made_again,
    a_result_whose_lineage_was_too_large,
    an_object_whose_owner_dies,
    a_borrower_whose_node_dies,
    a_reference_that_outlives_its_lender,
    an_actor_on_nodes_that_die,
    a_detached_actor_on_a_node_that_dies,
    find_the_detached_actor_again,
    the_detached_actor_from_another_node,
    a_detached_actor_whose_constructor_submits,
    find_what_its_constructor_made,
    calls_of_an_actor_that_dies,
    results_of_an_actor_that_dies,
    results_of_an_actor_that_are_not_made_again,
    a_task_whose_node_dies,
    ready_wherever_it_is,
    an_argument_draws_its_task,
    what_a_draining_node_keeps,
    an_actor_that_is_preempted,
    one_object_for_all,
    a_partition,
];

/// Larger than what travels inline.
const LARGE: usize = 300_000;
/// A little of a node that offers it.
const LITTLE: f64 = 0.01;

fn safe_log() -> rayw::Result<LogHandle> {
    Log::options().num_cpus(0.0).resource("safe", LITTLE).remote()
}

#[rayw::task]
fn produce(log: LogHandle) -> Bytes {
    log.tell("make");
    vec![1; LARGE].into()
}

#[rayw::task]
fn increase(bytes: Bytes, log: LogHandle) -> Bytes {
    log.tell("increase");
    bytes.iter().map(|byte| byte + 1).collect::<Vec<_>>().into()
}

fn first(bytes: rayw::Result<Bytes>) -> String {
    told(bytes.map(|bytes| (bytes.len(), bytes[0])))
}

fn lost_results_are_made_again() -> rayw::Result<()> {
    let log = safe_log()?;
    let made = produce::options().resource("doomed", LITTLE).remote(&log);
    let more = increase::options().resource("doomed", LITTLE).remote(&made, &log);
    let most = increase::options().resource("doomed", LITTLE).remote(&more, &log);
    rayw::wait_with(&[most.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
    // What is in between is not wanted by anybody, and yet needed to make the last one again.
    drop((made, more));
    pause("made");
    println!("{}", first(most.get()));
    println!("{} {}", log.times("make"), log.times("increase"));
    Ok(())
}

fn a_result_that_is_lost_too_often() -> rayw::Result<()> {
    let log = safe_log()?;
    let made = produce::options().max_retries(1).resource("doomed", LITTLE).remote(&log);
    let somewhere = WaitOptions::default().fetch_local(false);
    rayw::wait_with(&[made.clone()], 1, None, somewhere)?;
    pause("made");
    // Read where it is made, so that no copy of it comes here.
    println!("{}", weigh::options().resource("doomed", LITTLE).remote(&made).get()?);
    pause("made again");
    println!("{}", first(made.get()));
    println!("{}", log.times("make"));
    Ok(())
}

#[rayw::task]
fn weigh(bytes: Bytes) -> usize {
    bytes.len()
}

fn a_result_that_may_not_be_made_again() -> rayw::Result<()> {
    let log = safe_log()?;
    let made = produce::options().max_retries(0).resource("doomed", LITTLE).remote(&log);
    rayw::wait_with(&[made.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
    pause("made");
    println!("{}", first(made.get()));
    println!("{}", log.times("make"));
    Ok(())
}

/// Run where only 4 KiB may be remembered of finished tasks.
fn a_result_whose_lineage_was_too_large() -> rayw::Result<()> {
    let log = safe_log()?;
    let make = || produce::options().resource("doomed", LITTLE).remote(&log);
    let early = make();
    let somewhere = WaitOptions::default().fetch_local(false);
    rayw::wait_with(&[early.clone()], 1, None, somewhere)?;
    let later: Vec<_> = (0..20).map(|_| make()).collect();
    rayw::wait_with(&later, later.len(), None, somewhere)?;
    pause("made");
    println!("{}", first(early.get()));
    println!("{}", first(later[19].get()));
    Ok(())
}

#[rayw::task]
fn put_inside() -> rayw::Result<Vec<ObjectRef<Bytes>>> {
    Ok(vec![rayw::put_bytes(vec![7; LARGE])?])
}

fn an_object_whose_owner_dies() -> rayw::Result<()> {
    let outer = put_inside::options().resource("doomed", LITTLE).remote();
    let inner = outer.get()?.remove(0);
    let waiting = weigh::options().resource("safe", LITTLE).remote(rayw::put_bytes(vec![7; LARGE])?);
    println!("{}", waiting.get()?);
    pause("put");
    println!("{}", told(inner.get().map(|bytes| bytes.len())));
    // Whoever takes it as an argument fails with the same error.
    println!("{}", kind(weigh::options().resource("safe", LITTLE).remote(&inner).get()));
    Ok(())
}

/// Keeps references, and gives them away again.
struct Lender {
    kept: Vec<ObjectRef<Bytes>>,
}

#[rayw::actor]
impl Lender {
    fn new() -> Self {
        Self { kept: Vec::new() }
    }

    fn keep(&mut self, refs: Vec<ObjectRef<Bytes>>) -> usize {
        self.kept.extend(refs);
        self.kept.len()
    }

    fn give(&self) -> Vec<ObjectRef<Bytes>> {
        self.kept.clone()
    }
}

fn a_borrower_whose_node_dies() -> rayw::Result<()> {
    let keeper = Lender::options().num_cpus(0.0).resource("doomed", LITTLE).remote()?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    println!("{}", keeper.keep(vec![object.clone()]).get()?);
    println!("id {}", object.id());
    drop(object);
    pause("borrowed");
    println!("{}", kind(keeper.give().get()));
    pause("freed");
    Ok(())
}

fn a_reference_that_outlives_its_lender() -> rayw::Result<()> {
    let keeper = Lender::options().num_cpus(0.0).resource("doomed", LITTLE).remote()?;
    let object = produce::options().resource("safe", LITTLE).remote(&safe_log()?);
    keeper.keep(vec![object.clone()]).get()?;
    drop(object);
    let given = keeper.give();
    let lent = given.get()?.remove(0);
    drop(given);
    drop(keeper);
    pause("lent");
    println!("{}", first(lent.get()));
    Ok(())
}

/// Counts, and says in which of its lives.
#[derive(Default)]
struct Phoenix {
    count: u32,
}

#[rayw::actor]
impl Phoenix {
    fn next(&mut self) -> (u32, u32) {
        self.count += 1;
        (rayw::context().restarts, self.count)
    }

    fn node(&self) -> String {
        rayw::context().node_id
    }

    fn large(&mut self) -> Bytes {
        self.count += 1;
        vec![7; LARGE].into()
    }

    fn hold(&mut self, log: LogHandle) -> u32 {
        log.tell("held");
        log.pass("let go");
        rayw::context().restarts
    }
}

/// Asks until the actor is in this life: while its node is not known to be dead, calls end with it.
fn next_in(life: &PhoenixHandle, restarts: u32) -> String {
    let mut told_last = String::new();
    until("the next life", || {
        let result = life.next().get();
        told_last = told(result.clone());
        result.is_ok_and(|(lived, _)| lived == restarts)
    });
    told_last
}

fn an_actor_on_nodes_that_die() -> rayw::Result<()> {
    let life = Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE).max_restarts(1).remote()?;
    println!("{} {}", told(life.next().get()), told(life.next().get()));
    let before = life.node().get()?;
    pause("lives");
    println!("{}", next_in(&life, 1));
    println!("{}", life.node().get()? == before);
    pause("lives again");
    println!("{}", told(life.next().get().and_then(|_| life.next().get())).split(':').next().unwrap_or_default());
    Ok(())
}

/// It outlives its job, and its node.
fn a_detached_actor_on_a_node_that_dies() -> rayw::Result<()> {
    let options = Phoenix::options().name("phoenix").detached().max_restarts(-1);
    let life = options.num_cpus(0.0).resource("doomed", LITTLE).remote()?;
    println!("{}", told(life.next().get()));
    Ok(())
}

fn find_the_detached_actor_again() -> rayw::Result<()> {
    let life = Phoenix::get_actor("phoenix")?;
    println!("{}", next_in(&life, 1));
    life.kill()?;
    Ok(())
}

#[rayw::task]
fn next_of(life: PhoenixHandle) -> String {
    told(life.next().get())
}

/// On a node that never had to do with the job of the actor.
fn the_detached_actor_from_another_node() -> rayw::Result<()> {
    let life = Phoenix::get_actor("phoenix")?;
    println!("{}", next_of::options().resource("safe", LITTLE).remote(&life).get()?);
    life.kill()?;
    Ok(())
}

#[rayw::task]
fn seven() -> u32 {
    7
}

/// Has its value from a task.
struct Heir {
    value: rayw::Result<u32>,
}

#[rayw::actor]
impl Heir {
    fn new() -> Self {
        Self { value: seven::remote().get() }
    }

    fn value(&self) -> (u32, String) {
        (rayw::context().restarts, told(self.value.clone()))
    }
}

fn a_detached_actor_whose_constructor_submits() -> rayw::Result<()> {
    let options = Heir::options().name("heir").detached().max_restarts(-1);
    let heir = options.num_cpus(0.0).resource("doomed", LITTLE).remote()?;
    println!("{}", told(heir.value().get()));
    Ok(())
}

fn find_what_its_constructor_made() -> rayw::Result<()> {
    let heir = Heir::get_actor("heir")?;
    let mut last = String::new();
    until("the next life", || {
        let value = heir.value().get();
        last = told(value.clone());
        value.is_ok_and(|(lived, _)| lived == 1)
    });
    println!("{last}");
    heir.kill()?;
    Ok(())
}

fn calls_of_an_actor_that_dies() -> rayw::Result<()> {
    let log = safe_log()?;
    let options = || Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE);
    let mortal = options().remote()?;
    let restarted = options().max_restarts(-1).remote()?;
    let patient = options().max_restarts(-1).max_task_retries(-1).remote()?;
    let held = [mortal.hold(&log), restarted.hold(&log), patient.hold(&log)];
    until("three calls", || log.times("held") == 3);
    let queued = [mortal.next(), restarted.next(), patient.next()];
    pause("held");
    log.open("let go").get()?;
    let ready = rayw::wait(&held, 3, None)?.0;
    println!("{}", ready.len());
    let kinds: Vec<_> = held.iter().map(|call| kind(call.get())).collect();
    println!("{}", kinds.join(" "));
    let kinds: Vec<_> = queued.iter().map(|call| kind(call.get())).collect();
    println!("{}", kinds.join(" "));
    Ok(())
}

fn results_of_an_actor_that_dies() -> rayw::Result<()> {
    let life =
        Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE).max_restarts(-1).max_task_retries(-1).remote()?;
    for round in 0..10 {
        let large = life.large();
        rayw::wait_with(&[large.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
        pause(&format!("made {round}"));
        println!("{}", told(large.get().map(|bytes| bytes.len())));
    }
    Ok(())
}

fn results_of_an_actor_that_are_not_made_again() -> rayw::Result<()> {
    let life = Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE).max_restarts(-1).remote()?;
    let large = life.large();
    rayw::wait_with(&[large.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
    pause("made");
    println!("{}", kind(large.get()));
    println!("{}", next_in(&life, 1));
    Ok(())
}

#[rayw::task]
fn hold_on(log: LogHandle) -> u32 {
    log.tell("held");
    log.pass("let go");
    rayw::context().attempt
}

fn a_task_whose_node_dies() -> rayw::Result<()> {
    let log = safe_log()?;
    let tried_again = hold_on::options().resource("doomed", LITTLE).remote(&log);
    let tried_once = hold_on::options().max_retries(0).resource("doomed", LITTLE).remote(&log);
    until("both", || log.times("held") == 2);
    pause("held");
    println!("{}", told(tried_once.get()).split(':').next().unwrap_or_default());
    log.open("let go").get()?;
    println!("{}", told(tried_again.get()));
    Ok(())
}

fn ready_wherever_it_is() -> rayw::Result<()> {
    let made = produce::options().resource("doomed", LITTLE).remote(&safe_log()?);
    let refs = [made];
    let (ready, _) = rayw::wait_with(&refs, 1, None, WaitOptions::default().fetch_local(false))?;
    println!("{}", ready.len());
    pause("ready");
    let (ready, _) = rayw::wait(&refs, 1, None)?;
    println!("{}", ready.len());
    pause("here");
    Ok(())
}

#[rayw::task]
fn read_here(bytes: Bytes) -> (usize, String) {
    (bytes.len(), rayw::context().node_id)
}

#[rayw::task]
fn near_a_borrowed(refs: Vec<ObjectRef<Bytes>>) -> rayw::Result<(usize, String)> {
    read_here::remote(&refs[0]).get()
}

#[rayw::task]
fn node_here() -> String {
    rayw::context().node_id
}

fn an_argument_draws_its_task() -> rayw::Result<()> {
    // Without cpus, so that their leases, which are kept for a moment, leave these to the readers.
    let doomed = node_here::options().num_cpus(0.0).resource("doomed", LITTLE).remote().get()?;
    let made = produce::options().num_cpus(0.0).resource("doomed", LITTLE).remote(&safe_log()?);
    rayw::wait_with(&[made.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
    let (_, node) = read_here::remote(&made).get()?;
    println!("{}", node == doomed);
    let (_, node) = near_a_borrowed::options().resource("safe", LITTLE).remote(vec![made]).get()?;
    println!("{}", node == doomed);
    Ok(())
}

fn what_a_draining_node_keeps() -> rayw::Result<()> {
    let log = safe_log()?;
    // May not be made again, so it must not be lost.
    let made = produce::options().max_retries(0).resource("doomed", LITTLE).remote(&log);
    let outer = put_inside::options().resource("doomed", LITTLE).remote();
    rayw::wait_with(&[made.clone()], 1, None, WaitOptions::default().fetch_local(false))?;
    let inner = outer.get()?.remove(0);
    drop(outer);
    pause("made");
    // The node owns this one: it stays until nobody refers to it any more.
    println!("{}", told(inner.get().map(|bytes| bytes.len())));
    drop(inner);
    pause("left");
    println!("{}", first(made.get()));
    println!("{}", log.times("make"));
    Ok(())
}

fn an_actor_that_is_preempted() -> rayw::Result<()> {
    let life = Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE).max_restarts(1).remote()?;
    println!("{}", told(life.next().get()));
    pause("lives");
    println!("{}", next_in(&life, 1));
    pause("preempted");
    // The drain cost no restart, so that there is one left for this death.
    println!("{}", next_in(&life, 2));
    Ok(())
}

#[rayw::task]
fn add_up(bytes: Bytes) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

/// One large object for a task on each node, which are `node0`, `node1`, ….
fn one_object_for_all() -> rayw::Result<()> {
    let size = 32 << 20;
    let object = rayw::put_bytes(vec![3; size])?;
    let count: usize = std::env::args().nth(2).and_then(|count| count.parse().ok()).unwrap_or(1);
    let sums: Vec<_> =
        (0..count).map(|node| add_up::options().resource(format!("node{node}"), LITTLE).remote(&object)).collect();
    let right = rayw::get_all(&sums)?.into_iter().filter(|sum| *sum == 3 * size as u64).count();
    println!("{right} of {count}");
    Ok(())
}

/// Tasks and an actor on a node that is cut off, not dead.
fn a_partition() -> rayw::Result<()> {
    let log = safe_log()?;
    let life = Phoenix::options().num_cpus(0.0).resource("doomed", LITTLE).max_restarts(-1).remote()?;
    println!("{}", told(life.next().get()));
    let held: Vec<_> = (0..2).map(|_| hold_on::options().resource("doomed", LITTLE).remote(&log)).collect();
    until("both", || log.times("held") == 2);
    pause("held");
    // Each runs once more, on another node; what the cut node goes on with is heard by nobody.
    until("both again", || log.times("held") == 4);
    println!("{}", next_in(&life, 1));
    pause("held again");
    log.open("let go").get()?;
    println!("{:?}", rayw::get_all(&held)?);
    println!("{}", told(life.next().get()));
    println!("{}", log.times("held"));
    Ok(())
}
