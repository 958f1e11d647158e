//! Cases of the journal: what is kept, and what is said when it cannot be read.

use std::sync::Arc;

use rayw_core::message::{NodeAddress, RequestId, ToHead};
use rayw_core::scheduler::{Outbox, Scheduler};
use rayw_core::{
    Amount, BundleSpec, ComponentDigest, GroupId, GroupSpec, JobId, JobSpec, JobState, LabelSelector, NodeId, Resources,
};
use tempfile::TempDir;

use super::*;

/// A machine with one thing of nearly each kind, and the changes that made it.
fn machine() -> (Scheduler, Vec<Change>) {
    let mut machine = Scheduler::restore([]);
    let mut out = Outbox::new();
    machine.begin(0, &mut out);
    let (job, node) = (machine.next_job(), NodeId([7; 16]));
    let at = NodeAddress { address: "h:1".into(), name: "n".into(), is_head_node: true };
    let total = Resources::cpus(Amount::ONE).with_memory(5);
    let labels = [("zone".to_owned(), "a".to_owned())].into_iter().collect();
    let mut spec = JobSpec::new(job, ComponentDigest([3; 32]), "app.wasm", "space");
    spec.submission_id = Arc::from("mine");
    let group = GroupSpec {
        id: GroupId::from(job.driver(1)),
        name: Some(Arc::from("g")),
        namespace: Arc::from("space"),
        strategy: rayw_core::GroupStrategy::Spread,
        bundles: vec![BundleSpec { resources: Resources::cpus(Amount::ONE), selector: LabelSelector::default() }],
        detached: true,
        job,
        creator: job.driver(1),
    };
    let said = [
        ToHead::NodeJoined { node, at, total, labels },
        ToHead::JobSubmitted { spec: Arc::new(spec) },
        ToHead::GroupCreate { owner: node, request: RequestId(1), spec: Arc::new(group) },
        ToHead::JobEnded { job, state: JobState::Failed, exit_code: Some(3), message: "m".into() },
    ];
    for message in said {
        machine.handle(message, 5, &mut out);
    }
    let changes = machine.take_changes();
    (machine, changes)
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("journal.redb")
}

fn refused(path: &Path) -> String {
    let Err(error) = Opened::open(path.to_owned()) else { panic!("it was opened") };
    error.message.replace(&path.display().to_string(), "JOURNAL")
}

fn written(changes: Vec<Change>) -> Vec<(Key, Option<Record>)> {
    changes.into_iter().map(|change| (change.key, change.record)).collect()
}

#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut machine, changes) = machine();
    let (opened, records) = Opened::open(path(&folder)).unwrap();
    assert!(records.is_empty());
    opened.write(written(changes)).unwrap();
    machine.forget_job(JobId::numbered(1)).unwrap();
    opened.write(written(machine.take_changes())).unwrap();
    drop(opened);
    let (_, records) = Opened::open(path(&folder)).unwrap();
    let mut records: Vec<Record> = records;
    records.sort_by_key(Record::key);
    assert_eq!(records, machine.records());
}

#[tokio::test]
async fn what_is_pushed_becomes_safe() {
    let folder = tempfile::tempdir().unwrap();
    let (machine, changes) = machine();
    let (opened, _) = Opened::open(path(&folder)).unwrap();
    let heard = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&heard);
    let journal = opened.start(move || told.notify_one()).unwrap();
    journal.push(Vec::new());
    assert_eq!((journal.last(), journal.safe()), (0, 0), "nothing is nothing");
    for change in changes {
        journal.push(vec![change]);
    }
    journal.reached(journal.last()).await.unwrap();
    assert_eq!(journal.safe(), journal.last());
    heard.notified().await;
    drop(journal);
    let (_, mut records) = Opened::open(path(&folder)).unwrap();
    records.sort_by_key(Record::key);
    assert_eq!(records, machine.records());
}

#[test]
fn a_second_head_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Opened::open(path(&folder)).unwrap();
    insta::assert_snapshot!(refused(&path(&folder)), @"another head uses the journal `JOURNAL`: end that one, or give this one a `--dir` of its own");
}

#[test]
fn a_damaged_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path(&folder), "this is no journal, whatever it is called").unwrap();
    insta::assert_snapshot!(refused(&path(&folder)), @"the head's journal `JOURNAL` is damaged: put a copy of it in its place, or move it away to begin anew without the jobs, actors and groups that it knew");
}

#[test]
fn a_damaged_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, _) = Opened::open(path(&folder)).unwrap();
    let transaction = opened.database.begin_write().unwrap();
    transaction.open_table(RECORDS).unwrap().insert([0_u8].as_slice(), [200_u8].as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(opened);
    insta::assert_snapshot!(refused(&path(&folder)), @"the head's journal `JOURNAL` is damaged: put a copy of it in its place, or move it away to begin anew without the jobs, actors and groups that it knew");
}

#[test]
fn a_journal_of_another_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, _) = Opened::open(path(&folder)).unwrap();
    let transaction = opened.database.begin_write().unwrap();
    transaction.open_table(ABOUT).unwrap().insert("format", FORMAT + 1).unwrap();
    transaction.commit().unwrap();
    drop(opened);
    insta::assert_snapshot!(refused(&path(&folder)), @"the head's journal `JOURNAL` has the form 3, and this rayw reads the form 2: start the head with the rayw that wrote it, or move the file away to begin anew");
}
