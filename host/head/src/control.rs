//! What people ask of a cluster: jobs to run, nodes to drain.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use rayw_core::control::{JobSubmission, Submitted};
use rayw_core::message::{HeadLink as _, ToHead};
use rayw_core::view::JobRow;
use rayw_core::{ComponentDigest, Error, ErrorKind, JobId, JobSpec, LabelSelector, Placement, Strategy};
use rayw_proto::{BoxFuture, ControlSource, LogStream};

use crate::Head;
use crate::blobs::Blobs;
use crate::head::now;
use crate::logs::Logs;

/// Digits of a submission id that the head draws; Ray has 16 too.
const DRAWN_DIGITS: usize = 16;

fn answer<T: Send + 'static>(result: Result<T, Error>) -> BoxFuture<Result<T, Error>> {
    Box::pin(ready(result))
}

impl Head {
    fn blobs(&self) -> Result<&Blobs, Error> {
        self.blobs.as_ref().ok_or_else(|| Error::new(ErrorKind::System, "this head keeps nothing on disk"))
    }

    fn logs(&self) -> Result<&Arc<Logs>, Error> {
        self.logs.as_ref().ok_or_else(|| Error::new(ErrorKind::System, "this head keeps no logs"))
    }

    fn known_job(&self, id: &str) -> Result<JobId, Error> {
        self.machine().job_id(id).ok_or_else(|| {
            let message = format!("there is no job `{id}`; `rayw job list` shows all");
            Error::new(ErrorKind::InvalidArgument, message)
        })
    }

    fn try_submit(&self, submission: JobSubmission) -> Result<Submitted, Error> {
        let missing = |what: &str| Error::new(ErrorKind::InvalidArgument, format!("{what} was not uploaded before"));
        let component = submission.component.filter(|digest| self.blobs().is_ok_and(|blobs| blobs.has(*digest)));
        let component = component.ok_or_else(|| missing("the component of the job"))?;
        if let Some(digest) = submission.working_dir
            && !self.blobs()?.has(digest)
        {
            return Err(missing("the working directory of the job"));
        }
        let pairs = submission.label_selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let selector = LabelSelector::parse(pairs)?;
        let id = self.next_job();
        let submission_id = if submission.submission_id.is_empty() { drawn(id) } else { submission.submission_id };
        let namespace = submission.namespace.unwrap_or_else(|| format!("job-{id}"));
        let spec = JobSpec {
            submission_id: Arc::from(submission_id.as_str()),
            name: Arc::from(submission.name),
            args: submission.args,
            env: submission.env,
            dirs: submission.dirs,
            working_dir: submission.working_dir,
            resources: Arc::new(submission.resources),
            placement: Arc::new(Placement { strategy: Strategy::Default, selector }),
            fail_if_infeasible: submission.fail_if_infeasible,
            weight: submission.weight.max(1),
            ..JobSpec::new(id, component, &submission.entrypoint, &namespace)
        };
        {
            // Looked up and taken under one lock: of two with one name the second is refused.
            let mut names = self.submissions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if self.machine().job_id(&submission_id).is_some() || !names.insert(submission_id.clone()) {
                let message = format!("a job was submitted as `{submission_id}` already: take another name");
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
        }
        self.send(ToHead::JobSubmitted { spec: Arc::new(spec) });
        self.flush();
        Ok(Submitted { job: id, submission_id })
    }

    fn try_stop(&self, id: &str) -> Result<bool, Error> {
        let job = self.known_job(id)?;
        let is_over = self.machine().job_row(id).is_none_or(|row| is_final(&row.status));
        if !is_over {
            self.send(ToHead::JobStop { job });
            self.flush();
        }
        Ok(!is_over)
    }

    fn try_delete(&self, id: &str) -> Result<(), Error> {
        let job = self.known_job(id)?;
        let name = self.machine().job_row(id).map(|row| row.submission_id);
        self.machine().forget_job(job)?;
        if let Some(name) = name {
            self.submissions.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&name);
        }
        self.logs()?.delete(job);
        Ok(())
    }

    fn try_drain(&self, name: &str, why: String, deadline_ms: Option<u64>) -> Result<(), Error> {
        let rows = self.machine().node_rows();
        let named: Vec<_> = rows
            .iter()
            .filter(|row| row.state != "DEAD" && (row.node_id.starts_with(name) || row.node_name == name))
            .collect();
        let [row] = named.as_slice() else {
            let message = format!("{} nodes are called `{name}`: give an id of `rayw list nodes`", named.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        let node = row.node_id.parse();
        let node = node.map_err(|error| Error::new(ErrorKind::System, "a node has no id").caused_by(error))?;
        self.send(ToHead::NodeDrain { node, why, deadline_ms });
        self.flush();
        Ok(())
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "SUCCEEDED" | "FAILED" | "STOPPED")
}

/// A name that no other submission has: the job's number and the time, mixed.
fn drawn(job: JobId) -> String {
    let seed = [&job.0[..], &now().to_be_bytes()].concat();
    let digest = ComponentDigest::of(&seed).to_string();
    format!("rayw_{}", digest.get(..DRAWN_DIGITS).unwrap_or(&digest))
}

impl ControlSource for Head {
    fn has_blob(&self, digest: ComponentDigest) -> BoxFuture<Result<bool, Error>> {
        answer(self.blobs().map(|blobs| blobs.has(digest)))
    }

    fn put_blob(&self, digest: ComponentDigest, bytes: Bytes) -> BoxFuture<Result<(), Error>> {
        let blobs = self.blobs().cloned();
        on_thread(move || blobs?.put(digest, &bytes))
    }

    fn get_blob(&self, digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>> {
        let blobs = self.blobs().cloned();
        on_thread(move || blobs?.get(digest))
    }

    fn submit(&self, submission: JobSubmission) -> BoxFuture<Result<Submitted, Error>> {
        answer(self.try_submit(submission))
    }

    fn job(&self, id: String) -> BoxFuture<Result<Option<JobRow>, Error>> {
        answer(Ok(self.machine().job_row(&id)))
    }

    fn stop_job(&self, id: String) -> BoxFuture<Result<bool, Error>> {
        answer(self.try_stop(&id))
    }

    fn delete_job(&self, id: String) -> BoxFuture<Result<(), Error>> {
        answer(self.try_delete(&id))
    }

    fn job_logs(&self, id: String, follow: bool) -> BoxFuture<Result<LogStream, Error>> {
        answer(self.known_job(&id).and_then(|job| Ok(self.logs()?.read(job, follow))))
    }

    fn drain(&self, node: String, why: String, deadline_ms: Option<u64>) -> BoxFuture<Result<(), Error>> {
        answer(self.try_drain(&node, why, deadline_ms))
    }
}

/// Reads and writes files where nobody waits behind it.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> BoxFuture<Result<T, Error>> {
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(Error::new(ErrorKind::System, "a thread broke down").caused_by(error)))
    })
}
