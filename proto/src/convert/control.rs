//! Submissions and lines of logs.

use std::collections::HashMap;

use rayw_core::control::{DrainReason, DrainRequest, EndRequest, Ended, JobSubmission};
use rayw_core::message::LogLine;
use rayw_core::{Amount, ComponentDigest, DirMount, Resources};

use super::ConvertError;
use crate::wire;

/// A digest, when it has the right length.
pub(crate) fn digest_of(bytes: &[u8], field: &'static str) -> Result<ComponentDigest, ConvertError> {
    let digest = <[u8; 32]>::try_from(bytes);
    digest.map(ComponentDigest).map_err(|_| ConvertError::Missing(field))
}

impl From<Resources> for wire::Amounts {
    fn from(resources: Resources) -> Self {
        let custom: HashMap<String, u64> =
            resources.custom().map(|(name, amount)| (name.to_owned(), amount.0)).collect();
        Self { cpu: resources.cpu.0, memory: resources.memory, custom }
    }
}

impl From<wire::Amounts> for Resources {
    fn from(amounts: wire::Amounts) -> Self {
        let wire::Amounts { cpu, memory, custom } = amounts;
        let start = Self::cpus(Amount(cpu)).with_memory(memory);
        custom.into_iter().fold(start, |resources, (name, amount)| resources.with_custom(&name, Amount(amount)))
    }
}

fn pairs(pairs: Vec<(String, String)>) -> Vec<wire::Pair> {
    pairs.into_iter().map(|(key, value)| wire::Pair { key, value }).collect()
}

fn tuples(pairs: Vec<wire::Pair>) -> Vec<(String, String)> {
    pairs.into_iter().map(|wire::Pair { key, value }| (key, value)).collect()
}

impl From<EndRequest> for wire::EndRequest {
    fn from(core: EndRequest) -> Self {
        let EndRequest { what, called, namespace } = core;
        let what = match what {
            Ended::Actor { restart } => wire::end_request::What::Actor(wire::EndActor { restart }),
            Ended::Group => wire::end_request::What::Group(wire::EndGroup {}),
        };
        Self { what: Some(what), called, namespace }
    }
}

impl TryFrom<wire::EndRequest> for EndRequest {
    type Error = ConvertError;

    fn try_from(wire: wire::EndRequest) -> Result<Self, ConvertError> {
        let wire::EndRequest { what, called, namespace } = wire;
        let what = match what.ok_or(ConvertError::Missing("EndRequest.what"))? {
            wire::end_request::What::Actor(wire::EndActor { restart }) => Ended::Actor { restart },
            wire::end_request::What::Group(wire::EndGroup {}) => Ended::Group,
        };
        Ok(Self { what, called, namespace })
    }
}

impl From<JobSubmission> for wire::SubmitJobRequest {
    fn from(core: JobSubmission) -> Self {
        let JobSubmission {
            submission_id,
            name,
            component,
            entrypoint,
            args,
            env,
            dirs,
            working_dir,
            namespace,
            resources,
            label_selector,
            fail_if_infeasible,
            weight,
        } = core;
        let bytes = |digest: Option<ComponentDigest>| digest.map(|digest| digest.0.to_vec()).unwrap_or_default();
        let dirs =
            dirs.into_iter().map(|DirMount { host, guest, read_only }| wire::DirMount { host, guest, read_only });
        Self {
            submission_id,
            name,
            component: bytes(component),
            entrypoint,
            args,
            env: pairs(env),
            dirs: dirs.collect(),
            working_dir: bytes(working_dir),
            namespace,
            resources: Some(resources.into()),
            label_selector: pairs(label_selector),
            fail_if_infeasible,
            weight,
        }
    }
}

impl TryFrom<wire::SubmitJobRequest> for JobSubmission {
    type Error = ConvertError;

    fn try_from(wire: wire::SubmitJobRequest) -> Result<Self, ConvertError> {
        let wire::SubmitJobRequest {
            submission_id,
            name,
            component,
            entrypoint,
            args,
            env,
            dirs,
            working_dir,
            namespace,
            resources,
            label_selector,
            fail_if_infeasible,
            weight,
        } = wire;
        let working_dir = (!working_dir.is_empty()).then(|| digest_of(&working_dir, "SubmitJobRequest.working_dir"));
        let dirs =
            dirs.into_iter().map(|wire::DirMount { host, guest, read_only }| DirMount { host, guest, read_only });
        Ok(Self {
            submission_id,
            name,
            component: Some(digest_of(&component, "SubmitJobRequest.component")?),
            entrypoint,
            args,
            env: tuples(env),
            dirs: dirs.collect(),
            working_dir: working_dir.transpose()?,
            namespace,
            resources: resources.map(Into::into).unwrap_or_default(),
            label_selector: tuples(label_selector),
            fail_if_infeasible,
            weight,
        })
    }
}

impl From<LogLine> for wire::LogLine {
    fn from(core: LogLine) -> Self {
        let LogLine { stderr, driver, prefix, text, ends } = core;
        Self { stderr, driver, prefix, text, ends }
    }
}

/// A line of a log.
pub(crate) fn log_line_of(wire: wire::LogLine) -> LogLine {
    let wire::LogLine { stderr, driver, prefix, text, ends } = wire;
    LogLine { stderr, driver, prefix, text, ends }
}

impl From<DrainRequest> for wire::DrainRequest {
    fn from(core: DrainRequest) -> Self {
        let DrainRequest { node, reason, message, deadline_ms } = core;
        let reason = match reason {
            DrainReason::IdleTermination => wire::DrainReason::IdleTermination,
            DrainReason::Preemption => wire::DrainReason::Preemption,
        };
        Self { node, reason: reason.into(), message, deadline_ms }
    }
}

impl TryFrom<wire::DrainRequest> for DrainRequest {
    type Error = ConvertError;

    fn try_from(wire: wire::DrainRequest) -> Result<Self, ConvertError> {
        let wire::DrainRequest { node, reason, message, deadline_ms } = wire;
        let field = "DrainRequest.reason";
        let reason = match wire::DrainReason::try_from(reason) {
            Ok(wire::DrainReason::IdleTermination) => DrainReason::IdleTermination,
            Ok(wire::DrainReason::Preemption) => DrainReason::Preemption,
            Ok(wire::DrainReason::Unspecified) => return Err(ConvertError::Missing(field)),
            Err(_) => return Err(ConvertError::Unknown { field, value: reason.into() }),
        };
        Ok(Self { node, reason, message, deadline_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_survives_the_wire() {
        let submission = JobSubmission {
            submission_id: "s".into(),
            component: Some(ComponentDigest([7; 32])),
            working_dir: Some(ComponentDigest([8; 32])),
            args: vec!["a".into()],
            env: vec![("K".into(), "V".into())],
            dirs: vec![DirMount { host: "/h".into(), guest: "g".into(), read_only: true }],
            resources: Resources::cpus(Amount(5_000)).with_memory(9).with_custom("slot", Amount::ONE),
            label_selector: vec![("zone".into(), "in(a,b)".into())],
            weight: 3,
            ..JobSubmission::default()
        };
        let wire = wire::SubmitJobRequest::from(submission.clone());
        assert_eq!(JobSubmission::try_from(wire).unwrap(), submission);
    }

    #[test]
    fn a_submission_without_a_component_is_refused() {
        assert!(JobSubmission::try_from(wire::SubmitJobRequest::default()).is_err());
    }

    #[test]
    fn a_drain_comes_back_as_it_was_and_needs_a_reason() {
        for reason in [DrainReason::IdleTermination, DrainReason::Preemption] {
            let request = DrainRequest { node: "a".into(), reason, message: "spot".into(), deadline_ms: Some(7) };
            assert_eq!(DrainRequest::try_from(wire::DrainRequest::from(request.clone())).unwrap(), request);
        }
        assert!(DrainRequest::try_from(wire::DrainRequest::default()).is_err());
    }
}
