//! Placement groups and places: bundles, strategies, labels, who runs where and what ends with it.

use std::collections::BTreeSet;
use std::time::Duration;

use rayw::{Bundle, ObjectRef, PlacementGroup, PlacementGroupState, Strategy};

use crate::stage::{Log, LogHandle, kind, told, until};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_group,
    a_group_that_does_not_fit,
    a_group_that_is_removed,
    a_full_group,
    a_group_that_captures,
    a_group_in_a_value,
    groups_that_are_refused,
    groups_of_all_strategies,
    groups_that_outlive_their_job,
    groups_that_were_left,
    groups_of_a_dead_actor,
    no_cpus,
    places_by_resource,
    spread_tasks,
    a_chosen_node,
    a_busy_node,
    labelled_nodes,
    a_group_that_loses_a_node,
];

/// Long enough for whatever can be placed at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to see that something waits.
const A_MOMENT: Duration = Duration::from_millis(200);

fn cpus(number: u32) -> Bundle {
    Bundle::new().num_cpus(number)
}

fn created(bundles: impl IntoIterator<Item = Bundle>, strategy: Strategy) -> rayw::Result<PlacementGroup> {
    let group = PlacementGroup::new(bundles, strategy).create()?;
    assert!(group.wait(SOON)?, "{:?}", group.table()?);
    Ok(group)
}

/// The node that it runs on.
#[rayw::task]
fn node() -> String {
    rayw::context().node_id
}

/// The group that it runs in.
#[rayw::task]
fn group() -> Option<String> {
    assert_eq!(rayw::context().placement_group_id, rayw::current_placement_group().map(|group| group.id().to_owned()));
    rayw::context().placement_group_id
}

/// Says that it runs, and waits until it may go on.
#[rayw::task]
fn held_up(log: LogHandle, gate: String) -> String {
    log.tell(&format!("at {gate}"));
    log.pass(&gate);
    rayw::context().node_id
}

fn a_group() -> rayw::Result<()> {
    let group = created([cpus(1), cpus(1)], Strategy::Pack)?;
    group.ready().get()?;
    let table = group.table()?;
    println!("{:?} {:?} {:?}", table.state, table.strategy, table.bundles[1].resources);
    let parts: Vec<_> = (0..2).map(|bundle| node::options().placement_group(&group).bundle(bundle).remote()).collect();
    let ran_on: BTreeSet<_> = rayw::get_all(parts)?.into_iter().map(Some).collect();
    println!("{}", ran_on == table.bundles.into_iter().map(|bundle| bundle.node_id).collect());
    let anywhere: Vec<_> = (0..10).map(|_| node::options().placement_group(&group).remote()).collect();
    println!("{}", rayw::get_all(anywhere)?.len());
    group.remove()
}

fn a_group_that_does_not_fit() -> rayw::Result<()> {
    let group = PlacementGroup::new([cpus(1), cpus(100)], Strategy::Spread).create()?;
    println!("{}", group.wait(A_MOMENT)?);
    let table = group.table()?;
    println!("{:?}: {}", table.state, table.why);
    println!("{:?}", table.bundles.iter().map(|bundle| &bundle.node_id).collect::<Vec<_>>());
    // Nothing is reserved, so all of the node is free.
    println!("{}", kind(node::options().num_cpus(2).remote().get()));
    let waits = node::options().placement_group(&group).remote();
    println!("{}", kind(waits.get_timeout(A_MOMENT)));
    group.remove()?;
    println!("{:?} {}", group.table()?.state, kind(waits.get()));
    let strict = PlacementGroup::new([cpus(1), cpus(1), cpus(1)], Strategy::StrictSpread).create()?;
    println!("{} {}", strict.wait(A_MOMENT)?, strict.table()?.why);
    Ok(())
}

struct Member;

#[rayw::actor]
impl Member {
    fn node(&self) -> String {
        rayw::context().node_id
    }

    fn group(&self) -> Option<String> {
        rayw::context().placement_group_id
    }

    fn child(&self) -> Option<String> {
        group::remote().get().unwrap_or_default()
    }
}

impl Default for Member {
    fn default() -> Self {
        Member
    }
}

fn a_group_that_is_removed() -> rayw::Result<()> {
    let log = Log::remote()?;
    let group = created([cpus(1), cpus(1)], Strategy::Pack)?;
    let member = Member::options().placement_group(&group).bundle(1).max_restarts(5).remote()?;
    println!("{}", member.group().get()?.as_deref() == Some(group.id()));
    let running = held_up::options().placement_group(&group).bundle(0).remote(&log, "never");
    log.await_line("at never");
    let queued = node::options().placement_group(&group).bundle(0).remote();
    for _ in 0..3 {
        group.remove()?;
    }
    println!("running {}", kind(running.get()));
    println!("queued {}", kind(queued.get()));
    println!("late {}", kind(node::options().placement_group(&group).remote().get()));
    until("the end of the actor", || member.node().get().is_err());
    println!("actor {}", kind(member.node().get()));
    println!("ready {}", kind(group.ready().get()));
    println!("wait {}", kind(group.wait(SOON)));
    // Both cpus are free again.
    println!("{}", kind(node::options().num_cpus(2).remote().get()));
    Ok(())
}

fn a_full_group() -> rayw::Result<()> {
    let log = Log::remote()?;
    // Memory, because whoever waits in a `get` keeps it, unlike its cpu.
    let group = created([Bundle::new().memory("64MiB")], Strategy::Pack)?;
    let first = held_up::options().placement_group(&group).num_cpus(0).memory("64MiB").remote(&log, "on");
    log.await_line("at on");
    println!("ready {}", kind(group.ready().get()));
    let second = node::options().placement_group(&group).num_cpus(0).memory("64MiB").remote();
    println!("second {}", kind(second.get_timeout(A_MOMENT)));
    log.open("on").get()?;
    println!("{}", first.get()? == second.get()?);
    Ok(())
}

/// Groups of two children: one that says nothing, one that wants out.
#[rayw::task(num_cpus = 0)]
fn two_children() -> rayw::Result<Vec<Option<String>>> {
    rayw::get_all([group::remote(), group::options().default_strategy().remote()])
}

/// As `two_children`, one generation further down.
#[rayw::task(num_cpus = 0)]
fn two_grandchildren() -> rayw::Result<Vec<Option<String>>> {
    two_children::remote().get()
}

fn a_group_that_captures() -> rayw::Result<()> {
    let of_group = created([cpus(1)], Strategy::Pack)?;
    let is_in = |groups: Vec<Option<String>>| -> Vec<bool> {
        groups.iter().map(|group| group.as_deref() == Some(of_group.id())).collect()
    };
    for capture in [false, true] {
        let options = two_children::options().placement_group(&of_group).capture_child_tasks(capture);
        println!("capture {capture}: {:?}", is_in(options.remote().get()?));
    }
    println!("unsaid: {:?}", is_in(two_children::options().placement_group(&of_group).remote().get()?));
    let deep = two_grandchildren::options().placement_group(&of_group).capture_child_tasks(true).remote();
    println!("grandchildren: {:?}", is_in(deep.get()?));
    let member = Member::options().placement_group(&of_group).capture_child_tasks(true).remote()?;
    println!("of an actor: {:?}", is_in(vec![member.child().get()?, member.group().get()?]));
    Ok(())
}

#[rayw::task(num_cpus = 0)]
fn use_group(given: PlacementGroup) -> rayw::Result<bool> {
    let inside = group::options().placement_group(&given).remote().get()?;
    Ok(given.wait(SOON)? && inside.as_deref() == Some(given.id()))
}

fn a_group_in_a_value() -> rayw::Result<()> {
    let group = created([cpus(1)], Strategy::Pack)?;
    println!("{}", use_group::remote(&group).get()?);
    let object: ObjectRef<Vec<PlacementGroup>> = rayw::put(&vec![group.clone()])?;
    println!("{}", object.get()?[0] == group);
    Ok(())
}

fn groups_that_are_refused() -> rayw::Result<()> {
    let refused = |bundles: Vec<Bundle>| told(PlacementGroup::new(bundles, Strategy::Pack).create());
    println!("{}", refused(vec![]));
    println!("{}", refused(vec![cpus(1), Bundle::new()]));
    println!("{}", refused(vec![cpus(1).resource("CPU", 1)]));
    println!("{}", refused(vec![cpus(1).label("zone", "in(a")]));
    println!("{}", told(PlacementGroup::get("nobody")));
    let group = PlacementGroup::new([cpus(1)], Strategy::Pack).name("one").create()?;
    println!("{}", told(PlacementGroup::new([cpus(1)], Strategy::Pack).name("one").create()));
    println!("{}", PlacementGroup::get("one")? == group);
    assert!(group.wait(SOON)?);
    println!("{}", told(node::options().placement_group(&group).bundle(3).remote().get()));
    println!("{}", told(node::options().placement_group(&group).num_cpus(2).remote().get()));
    println!("{}", told(node::options().label("zone", "!").remote().get()));
    println!("{}", told(node::options().node_affinity("here", false).remote().get()));
    Ok(())
}

/// Wants three nodes of four cpus.
fn groups_of_all_strategies() -> rayw::Result<()> {
    for (strategy, bundles) in
        [(Strategy::Pack, 2), (Strategy::StrictPack, 2), (Strategy::Spread, 2), (Strategy::StrictSpread, 3)]
    {
        let group = created((0..bundles).map(|_| cpus(2)), strategy)?;
        let table = group.table()?;
        let nodes: BTreeSet<_> = table.bundles.iter().map(|bundle| bundle.node_id.clone()).collect();
        let runs = |bundle| node::options().placement_group(&group).bundle(bundle).num_cpus(2).remote();
        let ran_on: BTreeSet<_> = rayw::get_all((0..bundles).map(runs))?.into_iter().map(Some).collect();
        println!("{strategy:?}: {bundles} bundles on {} nodes, {}", nodes.len(), nodes == ran_on);
        group.remove()?;
    }
    Ok(())
}

/// A detached actor that creates a group which is not detached.
struct Founder;

#[rayw::actor]
impl Founder {
    fn new() -> Self {
        Founder
    }

    fn found(&self, name: String) -> rayw::Result<bool> {
        PlacementGroup::new([Bundle::new().num_cpus(0.5)], Strategy::Pack).name(name).create()?.wait(SOON)
    }
}

fn groups_that_outlive_their_job() -> rayw::Result<()> {
    let half = || [Bundle::new().num_cpus(0.5)];
    PlacementGroup::new(half(), Strategy::Pack).name("own").create()?.ready().get()?;
    PlacementGroup::new(half(), Strategy::Pack).name("kept").detached().create()?.ready().get()?;
    let founder = Founder::options().name("founder").detached().remote()?;
    println!("{}", founder.found("of the founder").get()?);
    Ok(())
}

/// How the groups are that another job left.
fn tell_groups() {
    for name in ["own", "kept", "of the founder"] {
        println!("{name}: {}", kind(PlacementGroup::get(name)));
    }
}

fn groups_that_were_left() -> rayw::Result<()> {
    tell_groups();
    println!("{}", kind(node::options().placement_group(&PlacementGroup::get("kept")?).num_cpus(0.5).remote().get()));
    PlacementGroup::get("kept")?.remove()?;
    Founder::get_actor("founder")?.kill()?;
    Ok(())
}

fn groups_of_a_dead_actor() -> rayw::Result<()> {
    until("the end of its group", || PlacementGroup::get("of the founder").is_err());
    tell_groups();
    Ok(())
}

fn no_cpus() -> rayw::Result<()> {
    println!("zero {}", kind(node::options().num_cpus(0).remote().get()));
    println!("one {}", kind(node::remote().get_timeout(A_MOMENT)));
    Ok(())
}

/// Wants nodes with one `A` and one `B`, whose ids it prints.
fn places_by_resource() -> rayw::Result<()> {
    let of = |name: &str| node::options().resource(name, 1).remote();
    let unknown = of("C");
    println!("A {}", of("A").get()?);
    println!("B {}", of("B").get()?);
    println!("C {}", kind(unknown.get_timeout(A_MOMENT)));
    Ok(())
}

/// Wants two nodes with eight `slot`s each, which a task keeps while it waits in a `get`.
fn spread_tasks() -> rayw::Result<()> {
    let log = Log::remote()?;
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            held_up::options().spread().num_cpus(0).resource("slot", 1).remote(&log, format!("gate {number}"))
        })
        .collect();
    for number in 0..10 {
        log.await_line(&format!("at gate {number}"));
    }
    for number in 0..10 {
        log.open(format!("gate {number}")).get()?;
    }
    let ran_on = rayw::get_all(tasks)?;
    let nodes: BTreeSet<&String> = ran_on.iter().collect();
    println!("{:?}", nodes.iter().map(|node| ran_on.iter().filter(|on| on == node).count()).collect::<Vec<_>>());
    Ok(())
}

fn argument(index: usize) -> String {
    std::env::args().nth(index).unwrap_or_default()
}

/// The second argument is a node that lives, the third one that died.
fn a_chosen_node() -> rayw::Result<()> {
    let (alive, dead) = (argument(2), argument(3));
    println!("{}", node::options().node_affinity(&alive, false).remote().get()? == alive);
    let member = Member::options().node_affinity(&alive, false).remote()?;
    println!("{}", member.node().get()? == alive);
    println!("{}", told(node::options().node_affinity(&dead, false).remote().get()));
    println!("{}", kind(node::options().node_affinity(&dead, true).remote().get()));
    let gone = Member::options().node_affinity(&dead, false).remote()?;
    println!("{}", told(gone.node().get()));
    Ok(())
}

/// The second argument is a node with one `slot`.
fn a_busy_node() -> rayw::Result<()> {
    let there = argument(2);
    let log = Log::remote()?;
    let first = held_up::options().resource("slot", 1).node_affinity(&there, false).remote(&log, "on");
    log.await_line("at on");
    let second = node::options().resource("slot", 1).node_affinity(&there, false).remote();
    println!("{}", kind(second.get_timeout(A_MOMENT)));
    log.open("on").get()?;
    println!("{} {}", first.get()? == there, second.get()? == there);
    Ok(())
}

#[rayw::task(labels(zone = "b"))]
fn zone() -> Option<String> {
    rayw::context().node_labels.get("zone").cloned()
}

/// Wants nodes in the zones `a` and `b`.
fn labelled_nodes() -> rayw::Result<()> {
    println!("{:?}", zone::remote().get()?);
    for selector in ["a", "!a", "in(a,c)", "!in(a,c)"] {
        println!("{selector}: {:?}", zone::options().label("zone", selector).label("tier", "work").remote().get()?);
    }
    let nowhere = zone::options().label("zone", "c").remote();
    println!("c: {}", kind(nowhere.get_timeout(A_MOMENT)));
    let bundles = [cpus(1).label("zone", "b"), cpus(1).label("zone", "a")];
    let group = created(bundles, Strategy::Spread)?;
    let of = |bundle| zone::options().label("zone", "in(a,b)").placement_group(&group).bundle(bundle).remote();
    println!("bundles: {:?}", rayw::get_all([of(0), of(1)])?);
    Ok(())
}

/// Wants three nodes, one of which is killed when it says so; its bundle goes to a fourth.
fn a_group_that_loses_a_node() -> rayw::Result<()> {
    let group = created((0..3).map(|_| cpus(1)), Strategy::StrictSpread)?;
    let before = group.table()?;
    println!("on {}", before.bundles[1].node_id.as_deref().unwrap_or_default());
    until("the loss of a bundle", || group.table().is_ok_and(|table| table.state == PlacementGroupState::Rescheduling));
    let kept = node::options().placement_group(&group).bundle(0).remote().get()?;
    println!("kept {}", Some(&kept) == before.bundles[0].node_id.as_ref());
    println!("rescheduling");
    until("another node", || group.table().is_ok_and(|table| table.state == PlacementGroupState::Created));
    let after = group.table()?;
    let nodes: BTreeSet<_> = after.bundles.iter().map(|bundle| bundle.node_id.clone()).collect();
    println!("{} {}", nodes.len(), after.bundles[0] == before.bundles[0] && after.bundles[2] == before.bundles[2]);
    println!("{}", node::options().placement_group(&group).bundle(1).remote().get().is_ok());
    Ok(())
}
