//! A place where processes go to the background and are found again.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::patience::eventually;
use crate::run::{Output, Run, command};

/// Sessions of its own, and folders for what is started in the background. Dropped, all of it is killed.
#[derive(Debug)]
pub struct Home {
    runtime: TempDir,
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty one.
    ///
    /// # Panics
    /// When a folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let runtime = tempfile::Builder::new().prefix("rayw-it-").tempdir().expect("a folder can be made");
        Self { runtime, folder: TempDir::new().expect("a folder can be made") }
    }

    /// Calls `rayw` to its end, with the sessions of this home.
    #[must_use]
    pub fn call<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Output {
        self.run(command(words))
    }

    /// The same for a call with more to it.
    #[must_use]
    pub fn run(&self, run: Run) -> Output {
        run.output_in(self.runtime.path())
    }

    /// A folder below this home.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the sessions are.
    #[must_use]
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// Starts a head in the background and gives its address.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    #[must_use]
    pub fn head(&self, flags: &[&str]) -> String {
        let start = command(["start", "--head", "--port", "0"].iter().chain(flags));
        let said = self.run(start.flag("--dir", self.folder("head"))).succeeded();
        let rest = said.split_once("ready at ").map_or("", |(_, rest)| rest);
        rest.split_whitespace().next().expect("a head says its address").to_owned()
    }

    /// Starts a node of that name in the background.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn node(&self, head: &str, name: &str, flags: &[&str]) {
        let start = command(["start", "--address", head, "--node-name", name].iter().chain(flags));
        let said = self.run(start.flag("--dir", self.folder(name))).succeeded();
        assert!(said.contains("its head is at"), "{said}");
    }

    /// The log of a process in the background.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder(name).join("rayw.log")).unwrap_or_default()
    }

    /// The rows that `rayw list` shows, with all their columns.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    #[must_use]
    pub fn rows(&self, resource: &str) -> Vec<Value> {
        let json = self.call(["list", resource, "--detail", "--format", "json", "--limit", "10000"]).succeeded();
        serde_json::from_str(&json).expect("the answer is a JSON list")
    }

    /// Waits until the rows of `rayw list` fulfil this.
    ///
    /// # Panics
    /// When they never do.
    #[track_caller]
    pub fn rows_become(&self, resource: &str, fulfils: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(&format!("rows of {resource}"), || {
            let rows = self.rows(resource);
            fulfils(&rows).then_some(rows)
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A test that fails leaves nothing running either.
        drop(self.call(["stop", "--force"]));
    }
}
