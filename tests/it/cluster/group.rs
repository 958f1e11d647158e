//! Placement groups, strategies and labels on several nodes.

use rayw_tests::eventually;

use super::support::{Processes, word_after};

/// What a scenario of `behave` prints on the cluster.
#[track_caller]
fn prints(cluster: &Processes, args: &[&str]) -> String {
    cluster.submit("behave", args).output().succeeded()
}

#[test]
fn each_strategy_puts_bundles_where_it_says() {
    let cluster = Processes::start_with(&["--num-cpus 4"; 3]);
    insta::assert_snapshot!(prints(&cluster, &["groups_of_all_strategies"]), @"
    Pack: 2 bundles on 1 nodes, true
    StrictPack: 2 bundles on 1 nodes, true
    Spread: 2 bundles on 2 nodes, true
    StrictSpread: 3 bundles on 3 nodes, true
    ");
}

#[test]
fn a_cluster_without_cpus_runs_what_needs_none() {
    let cluster = Processes::start(0);
    insta::assert_snapshot!(prints(&cluster, &["no_cpus"]), @"
    zero ok
    one get-timeout
    ");
}

#[test]
fn custom_resources_lead_to_the_nodes_that_have_them() {
    let cluster = Processes::start_with(&[r#"--resources {"A":1}"#, r#"--resources {"B":1}"#]);
    let (a, b) = (cluster.id_of("node-0"), cluster.id_of("node-1"));
    assert_eq!(prints(&cluster, &["places_by_resource"]), format!("A {a}\nB {b}\nC get-timeout\n"));
}

#[test]
fn spread_tasks_use_both_nodes() {
    let cluster = Processes::start_with(&[r#"--resources {"slot":8}"#; 2]);
    insta::assert_snapshot!(prints(&cluster, &["spread_tasks"]), @"[5, 5]");
}

#[test]
fn work_that_names_a_node_runs_there_or_says_why_not() {
    let mut cluster = Processes::start(2);
    let (alive, dead) = (cluster.id_of("node-0"), cluster.id_of("node-1"));
    cluster.kill(1);
    cluster.rows_become("nodes", |rows| rows.iter().any(|row| row["node_id"] == *dead && row["state"] == "DEAD"));
    let said = prints(&cluster, &["a_chosen_node", &alive, &dead]).replace(&dead, "DEAD");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[..2], ["true", "true"], "{said}");
    assert!(lines[2].starts_with("unschedulable: cannot run on node DEAD: it died ("), "{said}");
    assert!(lines[2].ends_with("make the affinity soft, or name another node"), "{said}");
    assert_eq!(lines[3], "ok", "{said}");
    assert!(lines[4].starts_with("unschedulable: actor `Member` ("), "{said}");
}

#[test]
fn work_that_names_a_busy_node_waits_for_it() {
    let cluster = Processes::start_with(&["", r#"--resources {"slot":1}"#]);
    let there = cluster.id_of("node-1");
    insta::assert_snapshot!(prints(&cluster, &["a_busy_node", &there]), @"
    get-timeout
    true true
    ");
}

#[test]
fn labels_lead_to_the_nodes_that_have_them() {
    let cluster = Processes::start_with(&["--labels zone=a,tier=work", "--labels zone=b,tier=work"]);
    insta::assert_snapshot!(prints(&cluster, &["labelled_nodes"]), @r#"
    Some("b")
    a: Some("a")
    !a: Some("b")
    in(a,c): Some("a")
    !in(a,c): Some("b")
    c: get-timeout
    bundles: [Some("b"), Some("a")]
    "#);
}

#[test]
fn a_lost_bundle_gets_another_node_and_the_others_stay() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("behave", &["a_group_that_loses_a_node"]);
    let doomed = word_after(&job, "on ");
    let index = (0..3).find(|index| cluster.id_of(&format!("node-{index}")) == doomed).expect("it is one of the nodes");
    cluster.kill(index);
    eventually("work in the bundles that are left", || job.so_far().stdout.contains("rescheduling").then_some(()));
    cluster.join("");
    let said = job.output().succeeded();
    insta::assert_snapshot!(said.replace(&doomed, "DOOMED"), @"
    on DOOMED
    kept true
    rescheduling
    3 true
    true
    ");
}

#[test]
fn a_gang_starts_together_on_four_nodes_and_another_on_one() {
    let cluster = Processes::start(4);
    let output = cluster.submit("gang", &[]).output();
    insta::assert_snapshot!(output.succeeded(), @"
    StrictPack: 4 workers on 1 node(s)
      worker 0 met [0, 1, 2, 3]
      worker 1 met [0, 1, 2, 3]
      worker 2 met [0, 1, 2, 3]
      worker 3 met [0, 1, 2, 3]
    StrictSpread: 4 workers on 4 node(s)
      worker 0 met [0, 1, 2, 3]
      worker 1 met [0, 1, 2, 3]
      worker 2 met [0, 1, 2, 3]
      worker 3 met [0, 1, 2, 3]
    ");
}
