//! Two gangs: four workers that must start together on nodes of their own, and four that must
//! share one node. A placement group reserves the places of a gang all at once or not at all.

mod desk;

use std::collections::BTreeSet;
use std::time::Duration;

use rayw::{Bundle, PlacementGroup, Strategy};
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, DeskHandle};

/// Workers of a gang.
const SIZE: u32 = 4;

/// What a worker has seen.
#[derive(Serialize, Deserialize)]
struct Report {
    rank: u32,
    node: String,
    met: Vec<u32>,
}

/// Signs in, and goes on only when the whole gang has: none of them would, were one of them not running.
#[rayw::task(num_cpus = 0.5, max_retries = 0)]
fn worker(rank: u32, desk: DeskHandle) -> rayw::Result<Report> {
    desk.sign_in(rank).get()?;
    let met = loop {
        let met = desk.signed_in().get()?;
        if met.len() == SIZE as usize {
            break met;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(Report { rank, node: rayw::context().node_id, met })
}

/// Starts a gang and waits for it.
fn run(strategy: Strategy, patience: Duration) -> rayw::Result<()> {
    let group = PlacementGroup::new((0..SIZE).map(|_| Bundle::new().num_cpus(0.5)), strategy).create()?;
    if !group.wait(patience)? {
        let why = group.table()?.why;
        group.remove()?;
        return Err(rayw::Error::new(format!("{strategy:?}: the gang cannot start: {why}")));
    }
    let reports = meet(&group);
    // Also when it failed: its places would be missed by the next gang.
    group.remove()?;
    let reports = reports?;
    let nodes: BTreeSet<_> = reports.iter().map(|report| &report.node).collect();
    println!("{strategy:?}: {SIZE} workers on {} node(s)", nodes.len());
    for Report { rank, met, .. } in &reports {
        println!("  worker {rank} met {met:?}");
    }
    Ok(())
}

/// Starts a worker in each bundle, and waits until they have met.
fn meet(group: &PlacementGroup) -> rayw::Result<Vec<Report>> {
    let desk = Desk::options().num_cpus(0).remote()?;
    let start = |rank| worker::options().placement_group(group).bundle(rank).remote(rank, &desk);
    rayw::get_all((0..SIZE).map(start))
}

#[rayw::main]
fn main() -> rayw::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(30);
    let patience = Duration::from_secs(seconds);
    let packed = run(Strategy::StrictPack, patience);
    let spread = run(Strategy::StrictSpread, patience);
    packed.and(spread)
}
