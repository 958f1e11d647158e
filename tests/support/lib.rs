//! What the tests share: starting `rayw`, asking it from outside, waiting for things with a deadline.
//!
//! ```text
//! place    where the program and the guests are
//! run      `run("behave").args(["scenario"]).num_cpus(2).output()`
//! running  a run in the background, asked and steered from outside
//! cluster  a cluster inside the test, for several jobs in one
//! home     heads and nodes in the background, found by their sessions
//! bench    what the benchmarks measure
//! patience `eventually(…)`: the only way that a test waits
//! ```
//!
//! A process that does not end in time is killed, and the test fails with what it has printed.

pub mod bench;
mod cluster;
mod home;
mod patience;
mod place;
mod run;
mod running;

pub use cluster::{Job, TestCluster, cluster};
pub use home::Home;
pub use patience::{PATIENCE, eventually};
pub use place::{guest, program, workspace};
pub use run::{Output, Run, command, run, run_app};
pub use running::{Running, kill};
