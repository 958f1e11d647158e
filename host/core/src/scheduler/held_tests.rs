//! Cases of demands that were passed too often: whom they hold up, and whom not.

use std::sync::Arc;

use super::Scheduler;
use super::cluster_tests::{A, B, join, on, tell, want};
use super::tests::{cpus, granted, shape};
use crate::message::{FromHead, NodeAddress, Shape, ToHead};
use crate::{Amount, JobId, Labels, LeaseId, NodeId, Resources, Strategy, limits};

/// One node with cpus, a memory of 100 and one gpu.
fn head(units: u64) -> Scheduler {
    let mut head = Scheduler::default();
    let total = cpus(units).with_memory(100).with_custom("gpu", Amount::ONE);
    tell(&mut head, ToHead::NodeJoined { node: A, at: NodeAddress::default(), total, labels: Labels::new() });
    head
}

fn of(resources: Resources) -> Shape {
    Shape { resources: Arc::new(resources), ..shape(0) }
}

fn lease(head: &mut Scheduler, shape: Shape) -> Option<LeaseId> {
    let out: Vec<FromHead> = want(head, A, shape, 1).into_iter().map(|(_, message)| message).collect();
    granted(&out).map(|(lease, _)| lease)
}

fn give_back(head: &mut Scheduler, lease: LeaseId) -> Vec<(NodeId, FromHead)> {
    tell(head, ToHead::SlotsReturned { lease, slots: 1, parked: 0 })
}

/// Others are served past those who wait, so often that these hold up who is behind them from now on.
fn pass(head: &mut Scheduler, by: &Shape) {
    for _ in 0..limits::DEMAND_PASSED_MAX {
        let lease = lease(head, by.clone()).expect("it is served");
        give_back(head, lease);
    }
}

fn has_grant(out: &[(NodeId, FromHead)], shape: &Shape) -> bool {
    out.iter().any(|(_, message)| matches!(message, FromHead::SlotsGranted { shape: of, .. } if of == shape))
}

#[test]
fn who_waits_for_memory_does_not_keep_cpus_from_the_child_of_who_holds_it() {
    let mut head = head(4);
    let parent = lease(&mut head, of(cpus(1).with_memory(100))).unwrap();
    let waits = of(cpus(1).with_memory(50).with_custom("gpu", Amount::ONE));
    assert_eq!(lease(&mut head, waits.clone()), None);
    pass(&mut head, &shape(1));
    // The parent blocks and keeps its memory; its child wants a cpu, and ends.
    tell(&mut head, ToHead::SlotsReturned { lease: parent, slots: 1, parked: 1 });
    let child = lease(&mut head, shape(1)).expect("cpus are free");
    assert_eq!(lease(&mut head, of(cpus(1).with_custom("gpu", Amount::ONE))), None, "the gpu is kept");
    give_back(&mut head, child);
    tell(&mut head, ToHead::SlotsResumeWanted { lease: parent, slots: 1 });
    assert!(has_grant(&give_back(&mut head, parent), &waits));
}

#[test]
fn who_was_passed_too_often_gets_cpus_and_gpu_although_others_take_one_of_them_at_a_time() {
    let mut head = head(2);
    let (only_gpu, only_cpu) = (of(Resources::default().with_custom("gpu", Amount::ONE)), shape(1));
    let gpu = lease(&mut head, only_gpu.clone()).unwrap();
    let large = of(cpus(2).with_custom("gpu", Amount::ONE));
    assert_eq!(lease(&mut head, large.clone()), None);
    pass(&mut head, &only_cpu);
    let cpu = lease(&mut head, only_cpu.clone()).expect("it waits for the gpu alone");
    assert_eq!(lease(&mut head, only_gpu.clone()), None);
    assert!(!has_grant(&give_back(&mut head, gpu), &only_gpu), "the gpu is kept while it waits for cpus");
    assert_eq!(lease(&mut head, only_cpu), None, "now cpus are kept too");
    let out = give_back(&mut head, cpu);
    assert!(has_grant(&out, &large), "{out:?}");
}

#[test]
fn who_may_only_be_on_a_full_node_holds_up_nobody_elsewhere() {
    let mut head = Scheduler::default();
    join(&mut head, A, 1, "a");
    join(&mut head, B, 1, "b");
    let here = Shape { placement: on(Strategy::NodeAffinity { node: A, soft: false }), ..shape(1) };
    let taken = lease(&mut head, here.clone()).unwrap();
    let waits = Shape { job: JobId::numbered(2), ..here };
    assert_eq!(lease(&mut head, waits.clone()), None);
    pass(&mut head, &shape(1));
    assert!(lease(&mut head, shape(1)).is_some(), "the other node has a cpu");
    assert!(has_grant(&give_back(&mut head, taken), &waits));
}
