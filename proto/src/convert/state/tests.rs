//! What goes over the wire comes back the same.

use proptest::prelude::*;
use rayw_core::{Amount, Resources};

use super::*;

const RESOURCES: [Resource; 7] = [
    Resource::Tasks,
    Resource::Actors,
    Resource::Objects,
    Resource::Nodes,
    Resource::Jobs,
    Resource::Leases,
    Resource::PlacementGroups,
];

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn maybe<T: std::fmt::Debug + Clone>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(some)
}

prop_compose! {
    fn task_rows()(
        words in prop::array::uniform8(text()),
        options in prop::array::uniform6(maybe(text())),
        numbers in any::<(u32, u64, Option<u64>, Option<u64>)>(),
    ) -> TaskRow {
        let [task_id, name, state, job_id, r#type, func_or_class_name, parent_task_id, required_resources] = words;
        let [actor_id, node_id, worker_id, error_type, pending_reason, error_message] = options;
        let (attempt_number, creation_time_ms, start_time_ms, end_time_ms) = numbers;
        TaskRow {
            task_id, attempt_number, name, state, job_id, actor_id, r#type, func_or_class_name, parent_task_id,
            node_id, worker_id, error_type, pending_reason, required_resources, creation_time_ms, start_time_ms,
            end_time_ms, error_message,
        }
    }
}

prop_compose! {
    fn actor_rows()(
        words in prop::array::uniform7(text()),
        options in prop::array::uniform3(maybe(text())),
        (is_detached, num_restarts) in any::<(bool, u32)>(),
    ) -> ActorRow {
        let [actor_id, class_name, state, job_id, name, ray_namespace, required_resources] = words;
        let [node_id, death_cause, pending_reason] = options;
        ActorRow {
            actor_id, class_name, state, job_id, name, node_id, ray_namespace, required_resources, death_cause,
            is_detached, num_restarts, pending_reason,
        }
    }
}

prop_compose! {
    fn object_rows()(
        words in prop::array::uniform6(text()),
        (object_size, attempt_number, pid) in any::<(Option<u64>, u32, u32)>(),
    ) -> ObjectRow {
        let [object_id, task_status, reference_type, call_site, r#type, ip] = words;
        ObjectRow { object_id, object_size, task_status, attempt_number, reference_type, call_site, r#type, pid, ip }
    }
}

prop_compose! {
    fn node_rows()(
        words in prop::array::uniform8(text()),
        (is_head_node, start_time_ms, end_time_ms) in any::<(bool, u64, Option<u64>)>(),
    ) -> NodeRow {
        let [node_id, node_ip, state, node_name, resources_total, resources_available, labels, state_message] = words;
        NodeRow {
            node_id, node_ip, is_head_node, state, node_name, resources_total, resources_available, labels,
            state_message, start_time_ms, end_time_ms,
        }
    }
}

prop_compose! {
    fn job_rows()(
        [job_id, status, entrypoint] in prop::array::uniform3(text()),
        (start_time_ms, end_time_ms) in any::<(u64, Option<u64>)>(),
    ) -> JobRow {
        JobRow {
            submission_id: format!("rayw_{job_id}"),
            exit_code: end_time_ms.map(|_| 1),
            r#type: "SUBMISSION".to_owned(),
            error_type: end_time_ms.map(|_| "JOB_ENTRYPOINT_COMMAND_ERROR".to_owned()),
            job_id,
            status,
            entrypoint,
            start_time_ms,
            end_time_ms,
            ..JobRow::default()
        }
    }
}

prop_compose! {
    fn lease_rows()(
        words in prop::array::uniform5(text()),
        placement_group_id in maybe(text()),
        (slots, parked, reclaiming, bundle_index, grant_time_ms) in any::<(u32, u32, u32, Option<u32>, u64)>(),
    ) -> LeaseRow {
        let [lease_id, job_id, node_id, owner_node_id, required_resources] = words;
        LeaseRow {
            lease_id, job_id, node_id, owner_node_id, required_resources, slots, parked, reclaiming,
            placement_group_id, bundle_index, grant_time_ms,
        }
    }
}

prop_compose! {
    fn group_rows()(
        words in prop::array::uniform6(text()),
        bundles in prop::collection::vec(text(), 0..3),
        is_detached in any::<bool>(),
        pending_reason in maybe(text()),
    ) -> GroupRow {
        let [placement_group_id, name, creator_job_id, state, strategy, ray_namespace] = words;
        GroupRow {
            placement_group_id, name, creator_job_id, state, strategy, bundles, is_detached, ray_namespace,
            pending_reason,
        }
    }
}

prop_compose! {
    fn amounts()(cpu in any::<u32>(), memory in any::<u64>(), slot in any::<u32>()) -> Resources {
        Resources::cpus(Amount(cpu.into())).with_memory(memory).with_custom("slot", Amount(slot.into()))
    }
}

prop_compose! {
    fn statuses()(
        words in prop::array::uniform5(text()),
        (died_ms, is_idle, store_bytes, store_bytes_max, time_ms) in any::<(Option<u64>, bool, u64, u64, u64)>(),
        (total, used, reserved, reserved_used) in (amounts(), amounts(), amounts(), amounts()),
        jobs in prop::collection::vec(job_rows(), 0..2),
    ) -> ClusterStatus {
        let [node_id, name, address, state, why] = words;
        let demand = DemandStatus {
            wanted: name.clone(), kind: state.clone(), count: time_ms, why: why.clone(), job_id: node_id.clone(),
        };
        let node = NodeStatus {
            node_id, name, address, state, why, died_ms, is_idle, has_left: is_idle, total, used, store_bytes,
            store_bytes_max,
        };
        ClusterStatus { time_ms, nodes: vec![node], demands: vec![demand], reserved, reserved_used, jobs }
    }
}

fn rows() -> impl Strategy<Value = Rows> {
    prop_oneof![
        prop::collection::vec(task_rows(), 0..3).prop_map(Rows::Tasks),
        prop::collection::vec(actor_rows(), 0..3).prop_map(Rows::Actors),
        prop::collection::vec(object_rows(), 0..3).prop_map(Rows::Objects),
        prop::collection::vec(node_rows(), 0..3).prop_map(Rows::Nodes),
        prop::collection::vec(job_rows(), 0..3).prop_map(Rows::Jobs),
        prop::collection::vec(lease_rows(), 0..3).prop_map(Rows::Leases),
        prop::collection::vec(group_rows(), 0..3).prop_map(Rows::PlacementGroups),
    ]
}

prop_compose! {
    fn queries()(
        resource in prop::sample::select(&RESOURCES[..]),
        filters in prop::collection::vec((text(), any::<bool>(), text()), 0..3),
        limit in any::<usize>(),
    ) -> Query {
        let filters =
            filters.into_iter().map(|(key, negated, value)| Filter { key, negated, value }).collect();
        Query { resource, filters, limit }
    }
}

/// Through the bytes, not only through the structs.
fn sent<M: prost::Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

proptest! {
    #[test]
    fn answers_survive_the_wire(rows in rows(), total in any::<usize>(), filtered in any::<usize>()) {
        let answer = Answer { rows, total, filtered, unheard: total };
        let back = Answer::try_from(sent(&wire::Answer::from(answer.clone())));
        prop_assert_eq!(back, Ok(answer));
    }

    #[test]
    fn a_status_survives_the_wire(status in statuses()) {
        prop_assert_eq!(ClusterStatus::from(sent(&wire::ClusterStatus::from(status.clone()))), status);
    }

    #[test]
    fn queries_survive_the_wire(query in queries()) {
        let back = Query::try_from(sent(&wire::Query::from(query.clone())));
        prop_assert_eq!(back, Ok(query));
    }

    #[test]
    fn summaries_survive_the_wire(
        name in text(),
        kind in text(),
        state_counts in prop::collection::vec((text(), any::<u64>()), 0..4),
    ) {
        let row = TaskSummaryRow { func_or_class_name: name, r#type: kind, state_counts };
        prop_assert_eq!(TaskSummaryRow::from(sent(&wire::TaskSummaryRow::from(row.clone()))), row);
    }
}

#[test]
fn what_is_missing_is_named() {
    let answer = Answer::try_from(wire::Answer::default()).unwrap_err();
    assert_eq!(answer.to_string(), "`Answer.rows` is missing");
    let rows = Rows::try_from(wire::Rows::default()).unwrap_err();
    assert_eq!(rows.to_string(), "`Rows.kind` is missing");
    let query = Query::try_from(wire::Query::default()).unwrap_err();
    assert_eq!(query.to_string(), "`Query.resource` is missing");
}

#[test]
fn what_is_unknown_is_named() {
    let error = Query::try_from(wire::Query { resource: 99, ..Default::default() }).unwrap_err();
    assert_eq!(error.to_string(), "`Query.resource` is 99, which this version of rayw does not know");
}
