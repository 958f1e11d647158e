//! What people ask of a cluster: jobs to run, nodes to drain.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use rayw_core::control::{DrainRequest, EndRequest, Ended, JobSubmission, Submitted};
use rayw_core::message::{HeadLink as _, ToHead};
use rayw_core::scheduler::Scheduler;
use rayw_core::view::{JobRow, Rows};
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
    /// An answer that leaves when what it tells of is in the journal.
    fn when_safe<T: Send + 'static>(&self, result: Result<T, Error>) -> BoxFuture<Result<T, Error>> {
        let safe = self.safe();
        Box::pin(async move {
            let answer = result?;
            safe.await.map(|()| answer)
        })
    }

    /// The same for what was asked by a message, which somebody else may be handling.
    fn when_settled<T: Send + 'static>(&self, result: Result<T, Error>) -> BoxFuture<Result<T, Error>> {
        let settled = self.settle();
        Box::pin(async move {
            let answer = result?;
            settled.await.map(|()| answer)
        })
    }

    fn blobs(&self) -> Result<&Blobs, Error> {
        self.blobs.as_ref().ok_or_else(|| Error::new(ErrorKind::System, "this head keeps nothing on disk"))
    }

    fn logs(&self) -> Result<&Arc<Logs>, Error> {
        self.logs.as_ref().ok_or_else(|| Error::new(ErrorKind::System, "this head keeps no logs"))
    }

    fn known_job(&self, id: &str) -> Result<JobId, Error> {
        self.look(|machine| machine.job_id(id)).ok_or_else(|| {
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
        if submission.submission_id.parse::<JobId>().is_ok() {
            let message = format!("`{}` could be the id of a job: take another name", submission.submission_id);
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let pairs = submission.label_selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let selector = LabelSelector::parse(pairs)?;
        // Looked up and taken under one lock: of two with one name the second is refused.
        self.decide(|machine, out| {
            let name = &submission.submission_id;
            if machine.job_id(name).is_some() {
                let message = format!("a job was submitted as `{name}` already: take another name");
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            let spec = spec_of(machine.next_job(), component, selector, submission);
            let submitted = Submitted { job: spec.id, submission_id: spec.submission_id.to_string() };
            machine.handle(ToHead::JobSubmitted { spec: Arc::new(spec) }, now(), out);
            Ok(submitted)
        })
    }

    fn try_stop(&self, id: &str) -> Result<bool, Error> {
        let job = self.known_job(id)?;
        let is_over = self.look(|machine| machine.job_row(id)).is_none_or(|row| is_final(&row.status));
        if !is_over {
            self.send(ToHead::JobStop { job });
            self.flush();
        }
        Ok(!is_over)
    }

    fn try_end(&self, request: &EndRequest) -> Result<String, Error> {
        let EndRequest { what, called, namespace } = request;
        let is_in = |of: &str| namespace.as_ref().is_none_or(|wanted| wanted == of);
        let (living, one, all) = match what {
            Ended::Actor { .. } => {
                let mut rows = self.look(Scheduler::actor_rows);
                rows.retain(|row| row.state != "DEAD" && is_in(&row.ray_namespace));
                (Rows::Actors(rows), "actor", "actors")
            }
            Ended::Group => {
                let mut rows = self.look(Scheduler::group_rows);
                rows.retain(|row| row.state != "REMOVED" && is_in(&row.ray_namespace));
                (Rows::PlacementGroups(rows), "placement group", "placement-groups")
            }
        };
        let id = match living.the_one_called(called)? {
            Some(Rows::Actors(rows)) => rows.into_iter().next().map(|row| row.actor_id),
            Some(Rows::PlacementGroups(rows)) => rows.into_iter().next().map(|row| row.placement_group_id),
            _ => None,
        };
        let unknown = || {
            let within = namespace.as_ref().map_or_else(String::new, |name| format!(" in namespace `{name}`"));
            let message = format!("no {one} that lives is called `{called}`{within}: `rayw list {all}` shows all");
            Error::new(ErrorKind::InvalidArgument, message)
        };
        let id = id.ok_or_else(unknown)?;
        self.send(match what {
            Ended::Actor { restart } => {
                ToHead::ActorKill { actor: id.parse().map_err(|_| unknown())?, no_restart: !restart }
            }
            Ended::Group => ToHead::GroupRemove { group: id.parse().map_err(|_| unknown())? },
        });
        self.flush();
        Ok(id)
    }

    fn try_delete(&self, id: &str) -> Result<(), Error> {
        let job = self.known_job(id)?;
        // Its log goes with its record.
        self.decide(|machine, _| machine.forget_job(job))
    }
}

/// The job as it was submitted, what was left open settled.
fn spec_of(id: JobId, component: ComponentDigest, selector: LabelSelector, submission: JobSubmission) -> JobSpec {
    let submission_id = if submission.submission_id.is_empty() { drawn(id) } else { submission.submission_id };
    let namespace = submission.namespace.unwrap_or_else(|| format!("job-{id}"));
    JobSpec {
        submission_id: Arc::from(submission_id),
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
        answer(self.blobs().map(|blobs| blobs.keeps(digest)))
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
        self.when_safe(self.try_submit(submission))
    }

    fn job(&self, id: String) -> BoxFuture<Result<Option<JobRow>, Error>> {
        // Nobody is to act on the end of a job which a head that is started again would not know.
        self.when_safe(Ok(self.look(|machine| machine.job_row(&id))))
    }

    fn stop_job(&self, id: String) -> BoxFuture<Result<bool, Error>> {
        self.when_settled(self.try_stop(&id))
    }

    fn delete_job(&self, id: String) -> BoxFuture<Result<(), Error>> {
        self.when_safe(self.try_delete(&id))
    }

    fn job_logs(&self, id: String, follow: bool) -> BoxFuture<Result<LogStream, Error>> {
        answer(self.known_job(&id).and_then(|job| Ok(self.logs()?.read(job, follow))))
    }

    fn end(&self, request: EndRequest) -> BoxFuture<Result<String, Error>> {
        self.when_settled(self.try_end(&request))
    }

    fn drain(&self, request: DrainRequest) -> BoxFuture<Result<(), Error>> {
        // Looked at and taken under one lock: nothing begins on an idle node in between.
        self.when_safe(self.decide(|machine, out| machine.drain(request, now(), out)))
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
