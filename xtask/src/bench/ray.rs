//! Ray, in a virtual environment of its own below `target/bench`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measured;
use crate::command;

/// The version that is compared with, unless `RAYW_BENCH_RAY` names another for pip. Its suite imports Ray Client.
const VERSION: &str = "ray[client]==2.60.0";

/// Runs Ray's own rows and some of ours.
const SCRIPT: &str = include_str!("ray_rows.py");

/// An environment with Ray in it.
pub(super) struct Ray {
    python: PathBuf,
    script: PathBuf,
}

impl Ray {
    /// Installs it where it is not yet.
    pub(super) fn install(folder: &Path) -> Result<Self> {
        let environment = folder.join("ray");
        let python = environment.join("bin/python");
        if !python.is_file() {
            command::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))
                .context("Ray needs python3 with its module venv")?;
        }
        let wanted = std::env::var("RAYW_BENCH_RAY").unwrap_or_else(|_| VERSION.to_owned());
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &wanted, "numpy"]);
        command::run(&mut pip).with_context(|| format!("failed to install `{wanted}`"))?;
        let script = folder.join("ray_rows.py");
        std::fs::write(&script, SCRIPT).context("failed to write the script for Ray")?;
        Ok(Self { python, script })
    }

    /// Measures these rows; what Ray prints goes to the terminal.
    pub(super) fn measure(&self, rows: &[String], report: &Path) -> Result<Value> {
        let mut run = Command::new(&self.python);
        run.arg(&self.script).arg("--report").arg(report).args(rows);
        // Nothing is sent anywhere, and no token is written into the home folder.
        run.env("RAY_USAGE_STATS_ENABLED", "0").env("RAY_AUTH_MODE", "disabled");
        command::run(&mut run).context("Ray's rows failed")?;
        let found = measured::read(report)?;
        if found["rows"].as_array().is_none_or(Vec::is_empty) {
            bail!("Ray knows none of these rows");
        }
        Ok(found)
    }
}
