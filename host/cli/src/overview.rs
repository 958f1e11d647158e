//! The screen of `rayw status`, in the layout of `ray status`: nodes, usage against totals, what waits and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rayw_core::control::{ClusterStatus, DemandStatus, NodeStatus};
use rayw_core::{Amount, Resources};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::table::{Clock, printable};

const LINE: &str = "---------------------------------------------------------------";

/// The status as people read it.
#[must_use]
pub fn text(status: &ClusterStatus, verbose: bool, clock: &Clock) -> String {
    let mut text = format!("{}\nNode status\n{LINE}\n", clock.header("Cluster status"));
    let alive = |node: &&NodeStatus| node.state == "ALIVE";
    let of = |filter: &dyn Fn(&&NodeStatus) -> bool| -> Vec<String> {
        status.nodes.iter().filter(filter).map(|node| format!("{}{}", name(node), reason(node))).collect()
    };
    section(&mut text, "Active", "no active nodes", &of(&|node| alive(node) && !node.is_idle));
    section(&mut text, "Idle", "no idle nodes", &of(&|node| alive(node) && node.is_idle));
    section(&mut text, "Draining", "no draining nodes", &of(&|node| node.state == "DRAINING"));
    // Only for a moment after the head was started again: no line for what is nearly never there.
    let rejoining = of(&|node| node.state == "REJOINING");
    if !rejoining.is_empty() {
        section(&mut text, "Rejoining", "no rejoining nodes", &rejoining);
    }
    // Who was drained did what it was asked for.
    let failed = status.nodes.iter().filter(|node| node.state == "DEAD" && !node.has_left);
    let dead = failed.map(|node| death(node, clock));
    section(&mut text, "Recent failures", "no failures", &dead.collect::<Vec<_>>());
    let _ = writeln!(text, "\nResources\n{LINE}");
    section(&mut text, "Total Usage", "no nodes", &usage(status));
    section(&mut text, "Pending Demands", "no resource demands", &demands(&status.demands));
    let jobs = status.jobs.iter().map(|job| {
        let id = if job.submission_id.is_empty() { &job.job_id } else { &job.submission_id };
        format!("{}: {} {}", printable(id), job.status, printable(&job.entrypoint))
    });
    section(&mut text, "Jobs", "no jobs", &jobs.collect::<Vec<_>>());
    if verbose {
        for node in status.nodes.iter().filter(|node| node.state != "DEAD") {
            let _ = writeln!(text, "\nNode: {} ({})", printable(&node.name), node.state);
            let _ = writeln!(text, " Id: {}\n Address: {}\n Usage:", node.node_id, node.address);
            let lines = amounts(&node.used, &node.total, None);
            lines.into_iter().chain([store(node.store_bytes, node.store_bytes_max)]).for_each(|line| {
                let _ = writeln!(text, "  {line}");
            });
            let _ = writeln!(text, " Activity:\n  {}", activity(node));
        }
    }
    text
}

fn section(text: &mut String, title: &str, none: &str, rows: &[String]) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{title}:");
    if rows.is_empty() {
        let _ = writeln!(text, " ({none})");
    }
    for row in rows {
        let _ = writeln!(text, " {row}");
    }
}

fn name(node: &NodeStatus) -> String {
    format!("{} ({}, {})", node.node_id, printable(&node.name), node.address)
}

fn reason(node: &NodeStatus) -> String {
    if node.why.is_empty() { String::new() } else { format!(": {}", printable(&node.why)) }
}

fn death(node: &NodeStatus, clock: &Clock) -> String {
    let at = node.died_ms.and_then(|died| clock.read(i64::try_from(died).ok()?));
    format!("{}: died {}{}", name(node), at.unwrap_or_default(), reason(node))
}

fn activity(node: &NodeStatus) -> String {
    let mut used = Vec::new();
    if node.used.cpu > Amount::ZERO {
        used.push("CPU");
    }
    if node.used.memory > 0 {
        used.push("memory");
    }
    used.extend(node.used.custom().map(|(name, _)| name));
    match (node.is_idle, used.is_empty()) {
        (true, _) => "(no activity)".to_owned(),
        (false, true) => "Work that asks for nothing runs here.".to_owned(),
        (false, false) => format!("In use or reserved: {}.", used.join(", ")),
    }
}

/// Sums over the nodes that live. What groups reserve counts as far as it is used, as in Ray.
fn usage(status: &ClusterStatus) -> Vec<String> {
    let living: Vec<_> = status.nodes.iter().filter(|node| node.state != "DEAD").collect();
    if living.is_empty() {
        return Vec::new();
    }
    let sum = |part: fn(&NodeStatus) -> &Resources| {
        let mut sum = Resources::default();
        living.iter().for_each(|node| sum.give(part(node), 1));
        sum
    };
    let (total, used) = (sum(|node| &node.total), sum(|node| &node.used));
    let reserved = (&status.reserved_used, &status.reserved);
    let mut lines = amounts(&used, &total, Some(reserved));
    let (bytes, max) =
        living.iter().fold((0_u64, 0_u64), |(bytes, max), node| (bytes + node.store_bytes, max + node.store_bytes_max));
    lines.push(store(bytes, max));
    lines
}

/// A line for each resource, such as `1/4 CPU (1 used of 2 reserved in placement groups)`.
fn amounts(used: &Resources, total: &Resources, reserved: Option<(&Resources, &Resources)>) -> Vec<String> {
    let within = |part: fn(&Resources, &str) -> u64, name: &str| {
        reserved.map_or((0, 0), |(used, reserved)| (part(used, name), part(reserved, name)))
    };
    let line = |name: &str, part: fn(&Resources, &str) -> u64, show: fn(u64) -> String| {
        let (group_used, group_total) = within(part, name);
        let in_use = (part(used, name) + group_used).saturating_sub(group_total);
        let of_groups = if group_total == 0 {
            String::new()
        } else {
            format!(" ({} used of {} reserved in placement groups)", show(group_used), show(group_total))
        };
        format!("{}/{} {}{of_groups}", show(in_use), show(part(total, name)), printable(name))
    };
    let units = |amount: u64| Amount(amount).to_string();
    let mut lines = vec![
        line("CPU", |resources, _| resources.cpu.0, units),
        line("memory", |resources, _| resources.memory, bytes),
    ];
    let custom = total.custom().map(|(name, _)| line(name, |resources, name| resources.custom_amount(name).0, units));
    lines.extend(custom);
    lines
}

fn store(used: u64, max: u64) -> String {
    format!("{}/{} object_store_memory", bytes(used), bytes(max))
}

/// Bytes in the largest unit that keeps them above one, as Ray writes them.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes}B") } else { format!("{value:.2}{unit}") }
}

fn demands(demands: &[DemandStatus]) -> Vec<String> {
    let row = |demand: &DemandStatus| {
        let DemandStatus { wanted, kind, count, why, job_id } = demand;
        let kind = if *count == 1 { kind.strip_suffix('s').unwrap_or(kind) } else { kind.as_str() };
        let of = if job_id.is_empty() { String::new() } else { format!(" of job {job_id}") };
        let why = if why.is_empty() { "its turn comes" } else { why };
        format!("{}: {count} pending {kind}{of}\n   {}", printable(wanted), printable(why))
    };
    demands.iter().map(row).collect()
}

/// The status for programs: resources by their names, memory in bytes.
#[must_use]
pub fn document(status: &ClusterStatus) -> Value {
    let nodes = status.nodes.iter().map(|node| {
        json!({
            "node_id": node.node_id,
            "node_name": node.name,
            "address": node.address,
            "state": node.state,
            "state_message": node.why,
            "is_idle": node.is_idle,
            "end_time_ms": node.died_ms,
            "total": by_name(&node.total, Some(node.store_bytes_max)),
            "used": by_name(&node.used, Some(node.store_bytes)),
        })
    });
    json!({
        "time_ms": status.time_ms,
        "nodes": nodes.collect::<Vec<_>>(),
        "reserved": by_name(&status.reserved, None),
        "reserved_used": by_name(&status.reserved_used, None),
        "demands": plain(&status.demands),
        "jobs": plain(&status.jobs),
    })
}

fn plain(rows: &impl Serialize) -> Value {
    // Rows are plain structs of text and numbers.
    serde_json::to_value(rows).unwrap_or_default()
}

fn by_name(resources: &Resources, store_bytes: Option<u64>) -> Value {
    let mut amounts: BTreeMap<String, Value> =
        resources.custom().map(|(name, amount)| (name.to_owned(), json!(amount.units()))).collect();
    amounts.insert("CPU".to_owned(), json!(resources.cpu.units()));
    amounts.insert("memory".to_owned(), json!(resources.memory));
    if let Some(bytes) = store_bytes {
        amounts.insert("object_store_memory".to_owned(), json!(bytes));
    }
    Value::Object(amounts.into_iter().collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayw_core::view::JobRow;

    fn clock() -> Clock {
        Clock { now: "2026-11-22T18:05:01.25Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    fn node(name: &str, state: &str, used: u64) -> NodeStatus {
        let cpus = |units: u64| Resources::cpus(Amount(units * Amount::ONE.0));
        NodeStatus {
            node_id: format!("{name}{name}"),
            name: name.into(),
            address: "127.0.0.1:1".into(),
            state: state.into(),
            is_idle: used == 0,
            used: cpus(used),
            total: cpus(4).with_memory(8 << 30).with_custom("slot", Amount::ONE),
            store_bytes: 1 << 20,
            store_bytes_max: 4 << 30,
            ..NodeStatus::default()
        }
    }

    fn status() -> ClusterStatus {
        let demand = |kind: &str, count, why: &str| DemandStatus {
            wanted: "{'CPU': 8}".into(),
            kind: kind.into(),
            count,
            why: why.into(),
            job_id: "00000001".into(),
        };
        ClusterStatus {
            time_ms: 1,
            nodes: vec![
                node("a", "ALIVE", 3),
                node("b", "ALIVE", 0),
                NodeStatus { why: "somebody drained it".into(), ..node("c", "DRAINING", 0) },
                NodeStatus {
                    why: "its process has ended".into(),
                    died_ms: Some(1_795_370_701_250),
                    ..node("d", "DEAD", 0)
                },
            ],
            demands: vec![
                demand("tasks", 100, "infeasible: needs 8 CPU (4 here); the largest node aa has {'CPU': 4}"),
                demand("drivers", 1, ""),
            ],
            reserved: Resources::cpus(Amount(2 * Amount::ONE.0)),
            reserved_used: Resources::cpus(Amount::ONE),
            jobs: vec![JobRow {
                job_id: "00000001".into(),
                submission_id: "rayw_1".into(),
                status: "RUNNING".into(),
                entrypoint: "app.wasm".into(),
                ..JobRow::default()
            }],
        }
    }

    #[test]
    fn a_cluster_at_a_glance() {
        insta::assert_snapshot!(text(&status(), false, &clock()), @r"
        ======== Cluster status: 2026-11-22 18:05:01.250000 ========
        Node status
        ---------------------------------------------------------------
        Active:
         aa (a, 127.0.0.1:1)
        Idle:
         bb (b, 127.0.0.1:1)
        Draining:
         cc (c, 127.0.0.1:1): somebody drained it
        Recent failures:
         dd (d, 127.0.0.1:1): died 2026-11-22 18:05:01.250: its process has ended

        Resources
        ---------------------------------------------------------------
        Total Usage:
         2/12 CPU (1 used of 2 reserved in placement groups)
         0B/24.00GiB memory
         0/3 slot
         3.00MiB/12.00GiB object_store_memory
        Pending Demands:
         {'CPU': 8}: 100 pending tasks of job 00000001
           infeasible: needs 8 CPU (4 here); the largest node aa has {'CPU': 4}
         {'CPU': 8}: 1 pending driver of job 00000001
           its turn comes
        Jobs:
         rayw_1: RUNNING app.wasm
        ");
    }

    #[test]
    fn a_cluster_node_by_node() {
        let status = ClusterStatus { nodes: status().nodes.drain(..2).collect(), ..ClusterStatus::default() };
        insta::assert_snapshot!(text(&status, true, &clock()), @r"
        ======== Cluster status: 2026-11-22 18:05:01.250000 ========
        Node status
        ---------------------------------------------------------------
        Active:
         aa (a, 127.0.0.1:1)
        Idle:
         bb (b, 127.0.0.1:1)
        Draining:
         (no draining nodes)
        Recent failures:
         (no failures)

        Resources
        ---------------------------------------------------------------
        Total Usage:
         3/8 CPU
         0B/16.00GiB memory
         0/2 slot
         2.00MiB/8.00GiB object_store_memory
        Pending Demands:
         (no resource demands)
        Jobs:
         (no jobs)

        Node: a (ALIVE)
         Id: aa
         Address: 127.0.0.1:1
         Usage:
          3/4 CPU
          0B/8.00GiB memory
          0/1 slot
          1.00MiB/4.00GiB object_store_memory
         Activity:
          In use or reserved: CPU.

        Node: b (ALIVE)
         Id: bb
         Address: 127.0.0.1:1
         Usage:
          0/4 CPU
          0B/8.00GiB memory
          0/1 slot
          1.00MiB/4.00GiB object_store_memory
         Activity:
          (no activity)
        ");
    }

    #[test]
    fn nodes_that_a_new_head_has_yet_to_hear_of_are_shown() {
        let away = NodeStatus {
            why: "the head was started again and it has yet to report".into(),
            ..node("b", "REJOINING", 0)
        };
        let status = ClusterStatus { nodes: vec![node("a", "ALIVE", 0), away], ..ClusterStatus::default() };
        let text = text(&status, false, &clock());
        let (nodes, _) = text.split_once("\nResources").unwrap();
        insta::assert_snapshot!(nodes, @r"
        ======== Cluster status: 2026-11-22 18:05:01.250000 ========
        Node status
        ---------------------------------------------------------------
        Active:
         (no active nodes)
        Idle:
         aa (a, 127.0.0.1:1)
        Draining:
         (no draining nodes)
        Rejoining:
         bb (b, 127.0.0.1:1): the head was started again and it has yet to report
        Recent failures:
         (no failures)
        ");
    }

    #[test]
    fn an_empty_cluster() {
        insta::assert_snapshot!(text(&ClusterStatus::default(), false, &clock()), @r"
        ======== Cluster status: 2026-11-22 18:05:01.250000 ========
        Node status
        ---------------------------------------------------------------
        Active:
         (no active nodes)
        Idle:
         (no idle nodes)
        Draining:
         (no draining nodes)
        Recent failures:
         (no failures)

        Resources
        ---------------------------------------------------------------
        Total Usage:
         (no nodes)
        Pending Demands:
         (no resource demands)
        Jobs:
         (no jobs)
        ");
    }

    #[test]
    fn for_programs_resources_are_numbers_by_name() {
        let document = document(&status());
        let expected = json!({"CPU": 4.0, "memory": 8_u64 << 30, "object_store_memory": 4_u64 << 30, "slot": 1.0});
        assert_eq!(document["nodes"][0]["total"], expected);
        assert_eq!(document["demands"][0]["count"], 100);
        assert_eq!(document["reserved"]["CPU"], 2.0);
    }

    #[test]
    fn bytes_have_rays_units() {
        assert_eq!([0, 1023, 1536, 8 << 30].map(bytes), ["0B", "1023B", "1.50KiB", "8.00GiB"]);
    }
}
