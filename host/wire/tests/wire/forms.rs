//! Messages with everything in them survive the encoding that links use.

use std::sync::Arc;
use std::time::Duration;

use rayw_core::message::{FromHead, NodeAddress, RefOwner, Shape, ToHead, ToPeer};
use rayw_core::ownership::{Input, Order, Stored};
use rayw_core::{
    Amount, Arg, Codec, ComponentDigest, Error, ErrorKind, GroupId, JobId, JobSpec, LabelSelector, LeaseId, ObjectId,
    Placement, RefId, Resources, Retries, RetryExceptions, Strategy, TaskId, TaskKind, TaskSpec, TaskTerms, Value,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::support::id;

fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: &T) {
    let bytes = postcard::to_stdvec(message).unwrap();
    assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), message);
}

fn resources() -> Resources {
    let cpus = Resources::cpus(Amount::from_units(0.3).unwrap());
    cpus.with_memory(u64::MAX >> 8).with_custom("accelerator", Amount::from_units(1000.0001).unwrap())
}

fn placement() -> Placement {
    let strategy = Strategy::Group { group: GroupId([4; 16]), bundle: Some(3), capture: true };
    Placement { strategy, selector: LabelSelector::parse([("zone", "in(a,b)"), ("disk", "!slow")]).unwrap() }
}

fn task() -> TaskSpec {
    TaskSpec {
        id: TaskId([1; 16]),
        parent: TaskId([2; 16]),
        submitter: TaskId([3; 16]),
        kind: TaskKind::Normal,
        args: vec![Arg::Object(ObjectId([5; 20]))],
        terms: Arc::new(TaskTerms {
            job: JobId::numbered(1),
            component: ComponentDigest::of(b"component"),
            function: "square".into(),
            name: "squäre".into(),
            num_returns: 1,
            resources: Arc::new(Resources::default()),
            placement: Arc::new(placement()),
            max_retries: Retries::Unlimited,
            retry_exceptions: RetryExceptions::Only(vec!["Overflow".to_owned()]),
            max_calls: 1,
            timeout: Some(Duration::from_millis(1500)),
        }),
    }
}

#[test]
fn messages_survive() {
    let at = NodeAddress { address: "a:1".to_owned(), name: "a".to_owned(), is_head_node: true };
    let labels = [("zone".to_owned(), "a".to_owned())].into();
    survives(&ToHead::NodeJoined { node: id(1), at, total: resources(), labels });
    let (resources, placement) = (Arc::new(resources()), Arc::new(placement()));
    let shape = Shape { job: JobId::numbered(1), resources, placement, near: Some(id(2)) };
    survives(&FromHead::SlotsGranted {
        lease: LeaseId(u64::MAX),
        shape: shape.clone(),
        node: id(2),
        bundle: None,
        slots: 9,
    });
    let error = Error::new(ErrorKind::NodeDied, "the node died").caused_by("a cause").from_task("t", "1");
    survives(&FromHead::ShapeFailed { shape, error });
    let job = JobSpec::new(JobId::numbered(1), ComponentDigest::of(b"component"), "run app.wasm", "");
    survives(&FromHead::DriverStart { spec: Arc::new(job) });

    let value = Value { codec: Codec::Wave, data: vec![1; 300].into(), refs: vec![RefId::Object(ObjectId([6; 20]))] };
    let stored = Stored { object: ObjectId([5; 20]), size: 1 << 30, owner: id(1), at: vec![id(1), id(2)] };
    let inputs = vec![Input::Inline(Arc::new(value)), Input::Stored(stored)];
    let (spec, lease) = (Arc::new(task()), Some(LeaseId(3)));
    let order = Order { spec, attempt: 2, inputs, lease, owner: id(1), stores_returns: true };
    survives(&ToPeer::Run {
        order,
        refs: vec![RefOwner::Object { id: ObjectId([6; 20]), owner: id(1) }],
        behind: None,
    });
}
