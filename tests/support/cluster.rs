//! A cluster inside the test: several jobs in one, and a look at what it owns.

use std::sync::{Arc, Mutex, PoisonError};

use rayw_cli::embedded::{Cluster, ClusterSettings, JobRequest, Line, Program};
use tempfile::TempDir;

use crate::patience::eventually;
use crate::place;

/// A cluster that offers this many cpus.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn cluster(num_cpus: f64) -> TestCluster {
    let session = TempDir::new().expect("a folder can be made");
    let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let cluster = Cluster::start(ClusterSettings {
        num_cpus: Some(num_cpus),
        memory: None,
        object_store_memory: Some(1 << 30),
        // Whatever else is on the disk where tests run, their objects have room.
        disk_percent_max: Some(100),
        resources: Vec::new(),
        cache_dir: Some(place::cache()),
        session_dir: session.path().to_owned(),
        output: Arc::new(move |line| sink.lock().unwrap_or_else(PoisonError::into_inner).push(line)),
    });
    TestCluster { cluster: Some(cluster.expect("a cluster can be started")), lines, _session: session }
}

/// What one job did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its exit code.
    pub code: u8,
    /// What its driver printed, stdout and stderr together.
    pub lines: Vec<String>,
}

/// A cluster; it ends with the test.
#[derive(Debug)]
pub struct TestCluster {
    /// Taken at the end.
    cluster: Option<Cluster>,
    lines: Arc<Mutex<Vec<Line>>>,
    _session: TempDir,
}

impl TestCluster {
    /// The cluster itself.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().unwrap_or_else(|| unreachable!("it is taken when this is dropped"))
    }

    /// Runs a job to its end. Jobs follow each other, so all new lines are its own.
    ///
    /// # Panics
    /// When it cannot be run, or breaks down.
    #[track_caller]
    #[must_use]
    pub fn run(&self, guest: &str, args: &[&str], namespace: Option<&str>) -> Job {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let request = JobRequest {
            program: self.load(guest),
            entrypoint: guest.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            dirs: Vec::new(),
            env: Vec::new(),
        };
        let cluster = self.cluster();
        let code = cluster.handle().block_on(cluster.run_in(request, namespace.map(str::to_owned)));
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.iter().filter(|line| line.driver).map(|line| line.text.clone()).collect();
        Job { code: code.expect("the job runs"), lines }
    }

    /// Objects and unfinished tasks that the node owns.
    #[must_use]
    pub fn owned(&self) -> (usize, usize) {
        self.cluster().node().owned()
    }

    /// Waits until the node owns nothing any more.
    ///
    /// # Panics
    /// When it goes on to.
    #[track_caller]
    pub fn owns_nothing(&self) {
        eventually("a node that owns nothing", || (self.owned() == (0, 0)).then_some(()));
        eventually("an empty store", || (self.cluster().node().store_usage().objects == 0).then_some(()));
    }

    fn load(&self, guest: &str) -> Arc<Program> {
        let path = place::guest(guest);
        let bytes = std::fs::read(&path).expect("the component can be read");
        let cluster = self.cluster();
        let load = cluster.load(bytes.into(), guest);
        cluster.handle().block_on(load).expect("the component is one")
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.shutdown();
        }
    }
}
