//! What people see of nodes, leases, groups and jobs.

use std::sync::Arc;

use super::Scheduler;
use super::cluster_tests::{A, B, free, job, join, lose, messages, on, pair, status_of, submit, tell, want};
use super::tests::{cpus, shape};
use crate::message::{FromHead, RequestId, Shape, ToHead};
use crate::{GroupId, GroupSpec, GroupStrategy, JobId, JobSpec, JobState, LabelSelector, Strategy};

fn group(head: &mut Scheduler, bundles: &[u64]) -> GroupId {
    let creator = JobId::numbered(1).driver(0);
    let spec = GroupSpec {
        id: GroupId::from(creator.child(1)),
        name: Some(Arc::from("gang")),
        namespace: Arc::from("n"),
        strategy: GroupStrategy::StrictSpread,
        bundles: bundles.iter().map(|units| cpus(*units)).collect(),
        selector: LabelSelector::default(),
        detached: true,
        job: JobId::numbered(1),
        creator,
    };
    let id = spec.id;
    tell(head, ToHead::GroupCreate { owner: A, request: RequestId(1), spec: Arc::new(spec) });
    id
}

fn error_of(head: &Scheduler, number: u32) -> Option<String> {
    head.job_row(&format!("job-{number}")).unwrap().error_type
}

fn failed(number: u32) -> ToHead {
    let job = JobId::numbered(number);
    ToHead::JobEnded { job, state: JobState::Failed, exit_code: None, message: "m".to_owned() }
}

#[test]
fn a_node_shows_its_labels_and_why_and_when_it_died() {
    let mut head = pair();
    assert_eq!(head.node_rows()[1].labels, "{'zone': 'b'}");
    lose(&mut head, B);
    let row = &head.node_rows()[1];
    assert_eq!((row.state.as_str(), row.end_time_ms), ("DEAD", Some(0)));
    assert!(row.state_message.contains("not heard"), "{row:?}");
    let status = head.status(0);
    assert_eq!((status.nodes[0].died_ms, status.nodes[1].died_ms), (None, Some(0)));
}

#[test]
fn a_lease_shows_who_uses_it_and_where_it_is_taken_from() {
    let mut head = pair();
    want(&mut head, A, shape(1), 2);
    let group = group(&mut head, &[1]);
    let strategy = Strategy::Group { group, bundle: None, capture: false };
    want(&mut head, B, Shape { placement: on(strategy), ..shape(1) }, 1);
    let rows = head.lease_rows();
    let [plain, grouped] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((plain.slots, plain.required_resources.as_str()), (2, "{'CPU': 1}"));
    assert_eq!((&plain.owner_node_id, &plain.node_id), (&A.to_string(), &A.to_string()));
    assert_eq!(plain.placement_group_id, None);
    assert_eq!((&grouped.owner_node_id, grouped.slots), (&B.to_string(), 1));
    assert_eq!((grouped.placement_group_id.clone(), grouped.bundle_index), (Some(group.to_string()), Some(0)));
}

#[test]
fn a_group_shows_its_bundles_and_why_it_waits() {
    let mut head = pair();
    group(&mut head, &[1, 2]);
    let row = head.group_rows().remove(0);
    assert_eq!((row.name.as_str(), row.state.as_str(), row.is_detached), ("gang", "CREATED", true));
    assert_eq!(row.strategy, "STRICT_SPREAD");
    assert!(row.bundles[0].starts_with("{'CPU': 1} on node "), "{row:?}");
    assert_eq!(row.pending_reason, None);
    lose(&mut head, B);
    let row = head.group_rows().remove(0);
    assert_eq!(row.state, "RESCHEDULING");
    assert_eq!(row.bundles.iter().filter(|bundle| bundle.ends_with("nowhere")).count(), 1);
    assert!(row.pending_reason.is_some(), "{row:?}");
}

#[test]
fn what_failed_has_rays_name() {
    let mut head = pair();
    submit(&mut head, job(1, 1));
    tell(&mut head, failed(1));
    assert_eq!(error_of(&head, 1).as_deref(), Some("RUNTIME_ENV_SETUP_FAILURE"));
    let spec = Arc::new(job(2, 1));
    submit(&mut head, job(2, 1));
    tell(&mut head, ToHead::JobStarted { spec, node: A });
    tell(&mut head, failed(2));
    assert_eq!(error_of(&head, 2).as_deref(), Some("JOB_ENTRYPOINT_COMMAND_ERROR"));
    submit(&mut head, JobSpec { fail_if_infeasible: true, ..job(3, 9) });
    assert_eq!(error_of(&head, 3).as_deref(), Some("JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE"));
}

#[test]
fn a_job_whose_node_died_says_so_and_one_that_was_stopped_did_not_fail() {
    let mut head = pair();
    // The driver that asks for something goes to the node with room.
    let out = submit(&mut head, job(1, 2));
    let node = out.iter().find(|(_, message)| matches!(message, FromHead::DriverStart { .. })).unwrap().0;
    lose(&mut head, node);
    assert_eq!(error_of(&head, 1).as_deref(), Some("JOB_SUPERVISOR_ACTOR_DIED"));
    submit(&mut head, job(2, 0));
    tell(&mut head, ToHead::JobStop { job: JobId::numbered(2) });
    tell(&mut head, failed(2));
    assert_eq!((status_of(&head, 2).as_str(), error_of(&head, 2)), ("STOPPED", None));
    assert_eq!(head.job_row("job-2").unwrap().r#type, "SUBMISSION");
}

#[test]
fn the_status_of_a_full_cluster_tells_why_a_driver_waits() {
    let mut head = Scheduler::default();
    join(&mut head, A, 2, "a");
    submit(&mut head, job(1, 2));
    let out = messages(submit(&mut head, job(2, 2)));
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(free(&head, A), "{}");
    let status = head.status(5);
    let [demand] = status.demands.as_slice() else { panic!("{status:?}") };
    assert_eq!((demand.kind.as_str(), demand.wanted.as_str(), demand.count), ("drivers", "{'CPU': 2}", 1));
    assert!(demand.why.contains("needs 2 CPU (0 here)"), "{demand:?}");
}
