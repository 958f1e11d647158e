//! Guests that wait for what is not here: a job that is met here first, a head that is far behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rayw_core::message::{FromHead, ToHead};
use rayw_core::{
    ActorId, ComponentDigest, Description, ErrorKind, GroupId, JobId, JobSpec, TaskOptions, TaskTerms, limits,
};
use rayw_engine::{Caller, GroupServices as _, Services as _};
use tokio::task::JoinSet;

use super::NodeServices;
use crate::Node;
use crate::catalog::Catalog;
use crate::sample::{self, Elsewhere, Heard};

/// A component with one function.
const COMPONENT: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func (export "f") (result s32) (canon lift (core func $i "f"))))"#;

/// What guests of a component of job 1 are given that offers nothing.
fn services(node: &Arc<Node>) -> NodeServices {
    let job = JobId::numbered(1);
    let catalog = Catalog::new(job, ComponentDigest([0; 32]), &Description::default()).unwrap();
    NodeServices { node: Arc::clone(node), job, catalog: Arc::new(catalog) }
}

/// A guest that runs for that job.
fn caller(node: &Node, job: JobId, component: ComponentDigest) -> Caller {
    let terms = Arc::new(TaskTerms::new(job, component, Arc::from("g")));
    Caller::new(job.driver(0), terms, node.id(), Arc::from(""), Arc::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_met_here_first_comes_and_is_let_go_when_it_is_over() {
    let component = ComponentDigest::of(COMPONENT.as_bytes());
    let spec = Arc::new(JobSpec::new(JobId::numbered(2), component, "app.wasm", ""));
    let head = Arc::<Heard>::default();
    let node = sample::node(&head, &Elsewhere::with(COMPONENT));
    let (services, caller) = (services(&node), caller(&node, spec.id, component));
    let mut guests = JoinSet::new();
    guests.spawn(async move { services.submit(&caller, "f", Vec::new(), TaskOptions::default()) });
    head.hears(|message| matches!(message, ToHead::JobWanted { .. })).await;
    node.head_said(FromHead::JobFound { job: spec.id, result: Ok(Arc::clone(&spec)), is_over: true });
    let submitted = guests.join_next().await.unwrap().unwrap();
    assert_eq!(submitted.unwrap().num_returns, 1);

    let held = node.job(spec.id).unwrap();
    node.let_jobs_go();
    assert!(node.job(spec.id).is_ok(), "somebody here works for it");
    drop(held);
    node.let_jobs_go();
    assert!(node.job(spec.id).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_something_waits_or_is_refused_while_the_head_is_far_behind() {
    let (head, network) = (Arc::<Heard>::default(), Arc::default());
    head.unconfirmed.store(limits::GUESTS_UNCONFIRMED_BYTES_MAX + 1, Ordering::Relaxed);
    let node = sample::node(&head, &network);
    let (services, caller) = (services(&node), caller(&node, JobId::numbered(1), ComponentDigest([0; 32])));
    let refused = services.cancel(&caller, caller.task.output(0), false, true).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::LimitExceeded);
    assert!(refused.message.ends_with("try again when it has caught up"), "{refused}");

    let looks = head.looks.load(Ordering::Relaxed);
    let mut guests = JoinSet::new();
    guests.spawn(async move {
        let actor = ActorId([3; 16]);
        services.kill_actor(&caller, actor, true);
        services.terminate_actor(&caller, actor);
        services.remove_group(GroupId([4; 16]));
    });
    head.until(|head| head.looks.load(Ordering::Relaxed) > looks + 2).await;
    let is_end = |message: &ToHead| matches!(message, ToHead::ActorKill { .. } | ToHead::GroupRemove { .. });
    assert!(!head.has(is_end), "it waits");
    head.unconfirmed.store(0, Ordering::Relaxed);
    guests.join_all().await;
    assert!(head.has(|message| matches!(message, ToHead::ActorKill { .. })));
    assert!(head.has(|message| matches!(message, ToHead::GroupRemove { .. })));
}
