//! Placement groups and places: handles, names, captured children, removal, in local mode.

mod support;

use std::time::Duration;

use rayw::{Bundle, ErrorKind, PlacementGroup, PlacementGroupState, Strategy};
use serde::{Deserialize, Serialize};

const SOON: Duration = Duration::from_secs(10);

fn pair() -> PlacementGroup {
    PlacementGroup::new([Bundle::new().num_cpus(1), Bundle::new().num_cpus(0.5)], Strategy::Pack)
        .create()
        .expect("a group can be made")
}

#[rayw::task]
fn where_am_i() -> Option<String> {
    let group = rayw::current_placement_group();
    assert_eq!(group.as_ref().map(|group| group.id().to_owned()), rayw::context().placement_group_id);
    group.map(|group| group.id().to_owned())
}

#[rayw::task]
fn where_are_my_children() -> Vec<Option<String>> {
    let inherited = where_am_i::remote();
    let outside = where_am_i::options().default_strategy().remote();
    rayw::get_all([inherited, outside]).expect("both run")
}

#[rayw::task(spread, labels(zone = "in(a,b)", "my.org/disk" = "!slow"))]
fn anywhere() -> u32 {
    1
}

struct Sleeper;

#[rayw::actor(spread)]
impl Sleeper {
    fn new() -> Self {
        Sleeper
    }

    fn child(&self) -> Option<String> {
        where_am_i::remote().get().expect("it runs")
    }

    fn wait_for(&self, object: Vec<rayw::ObjectRef<u32>>) -> u32 {
        object[0].get().expect("it runs")
    }
}

#[test]
fn a_group_is_created_used_and_removed() {
    let group = pair();
    group.ready().get().unwrap();
    assert!(group.wait(SOON).unwrap());
    let table = group.table().unwrap();
    assert_eq!((table.state, table.strategy, table.bundles.len()), (PlacementGroupState::Created, Strategy::Pack, 2));
    assert_eq!(table.bundles[1].resources["CPU"], 0.5);
    let here = where_am_i::options().placement_group(&group).bundle(1).remote().get().unwrap();
    assert_eq!(here.as_deref(), Some(group.id()));
    assert_eq!(where_am_i::remote().get().expect("it runs"), None);
    group.remove().unwrap();
    group.remove().unwrap();
    assert_eq!(group.table().unwrap().state, PlacementGroupState::Removed);
    assert_eq!(group.ready().get().unwrap_err().kind(), ErrorKind::PlacementGroupRemoved);
    let late = where_am_i::options().placement_group(&group).remote();
    assert_eq!(late.get().unwrap_err().kind(), ErrorKind::PlacementGroupRemoved);
}

#[test]
fn children_run_in_the_group_when_it_captures_them() {
    let group = pair();
    let of = |capture: bool| {
        let options = where_are_my_children::options().placement_group(&group).capture_child_tasks(capture);
        options.remote().get().unwrap()
    };
    assert_eq!(of(true), [Some(group.id().to_owned()), None]);
    assert_eq!(of(false), [None, None]);
    let actor = Sleeper::options().placement_group(&group).capture_child_tasks(true).remote().unwrap();
    assert_eq!(actor.child().get().unwrap().as_deref(), Some(group.id()));
}

#[test]
fn a_handle_travels_in_values() {
    #[derive(Serialize, Deserialize)]
    struct Plan {
        group: PlacementGroup,
        bundle: u32,
    }

    #[rayw::task]
    fn follow(plan: Plan) -> Option<String> {
        where_am_i::options().placement_group(&plan.group).bundle(plan.bundle).remote().get().unwrap()
    }

    let group = pair();
    let plan = Plan { group: group.clone(), bundle: 1 };
    assert_eq!(follow::remote(plan).get().unwrap().as_deref(), Some(group.id()));
}

#[test]
fn a_name_leads_to_the_group_until_it_is_removed() {
    let named =
        || PlacementGroup::new([Bundle::new().memory("1MiB")], Strategy::StrictSpread).name("gang").detached().create();
    let group = named().unwrap();
    assert_eq!(PlacementGroup::get("gang").unwrap(), group);
    assert!(named().unwrap_err().to_string().contains("a placement group named `gang` exists"));
    group.remove().unwrap();
    assert!(PlacementGroup::get("gang").unwrap_err().to_string().contains("no placement group named `gang`"));
    named().unwrap().remove().unwrap();
}

#[test]
fn what_runs_in_a_group_ends_with_it() {
    let group = pair();
    #[rayw::task]
    fn never() -> u32 {
        loop {
            rayw::context();
            std::thread::yield_now();
        }
    }

    let endless = never::options().placement_group(&group).remote();
    let actor = Sleeper::options().placement_group(&group).remote().unwrap();
    let call = actor.wait_for(vec![endless.clone()]);
    assert_eq!(endless.get_timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::GetTimeout);
    group.remove().unwrap();
    assert_eq!(endless.get().unwrap_err().kind(), ErrorKind::PlacementGroupRemoved);
    assert!(call.get().is_err());
    assert_eq!(actor.child().get().unwrap_err().kind(), ErrorKind::PlacementGroupRemoved);
}

#[test]
fn nonsense_is_refused() {
    let refused = |bundles: Vec<Bundle>| PlacementGroup::new(bundles, Strategy::Pack).create().unwrap_err();
    assert!(refused(Vec::new()).to_string().contains("it has no bundle"));
    assert!(refused(vec![Bundle::new()]).to_string().contains("a bundle of it is empty"));
    assert!(refused(vec![Bundle::new().memory("much")]).to_string().contains("not an amount of memory"));
    let group = pair();
    let outside = where_am_i::options().placement_group(&group).bundle(2).remote().get().unwrap_err();
    assert!(outside.to_string().contains("has no bundle 2: its bundles are 0 to 1"), "{outside}");
    let alone = where_am_i::options().bundle(0).remote().get().unwrap_err();
    assert!(alone.to_string().contains("say which one by `placement_group`"), "{alone}");
}

#[test]
fn places_outside_of_groups() {
    assert_eq!(anywhere::remote().get().unwrap(), 1);
    assert_eq!(anywhere::options().label("zone", "c").spread().remote().get().unwrap(), 1);
    let here = rayw::context().node_id;
    assert_eq!(anywhere::options().node_affinity(here, false).remote().get().unwrap(), 1);
    assert_eq!(anywhere::options().node_affinity("elsewhere", true).remote().get().unwrap(), 1);
    let nowhere = anywhere::options().node_affinity("elsewhere", false).remote().get().unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Unschedulable);
}
