//! Errors.

use rayw_core::{Details, Error, ErrorKind};

use crate::wire;

impl From<ErrorKind> for wire::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::TaskError => Self::TaskError,
            ErrorKind::TaskPanicked => Self::TaskPanicked,
            ErrorKind::TaskCancelled => Self::TaskCancelled,
            ErrorKind::TaskTimeout => Self::TaskTimeout,
            ErrorKind::GetTimeout => Self::GetTimeout,
            ErrorKind::WorkerCrashed => Self::WorkerCrashed,
            ErrorKind::NodeDied => Self::NodeDied,
            ErrorKind::OutOfMemory => Self::OutOfMemory,
            ErrorKind::ObjectStoreFull => Self::ObjectStoreFull,
            ErrorKind::OutOfDisk => Self::OutOfDisk,
            ErrorKind::ActorDied => Self::ActorDied,
            ErrorKind::ActorUnavailable => Self::ActorUnavailable,
            ErrorKind::ActorAlreadyExists => Self::ActorAlreadyExists,
            ErrorKind::ActorNotFound => Self::ActorNotFound,
            ErrorKind::PendingCallsLimitExceeded => Self::PendingCallsLimitExceeded,
            ErrorKind::ObjectLost => Self::ObjectLost,
            ErrorKind::OwnerDied => Self::OwnerDied,
            ErrorKind::Unschedulable => Self::Unschedulable,
            ErrorKind::PlacementGroupRemoved => Self::PlacementGroupRemoved,
            ErrorKind::UnknownFunction => Self::UnknownFunction,
            ErrorKind::InvalidArgument => Self::InvalidArgument,
            ErrorKind::Serialization => Self::Serialization,
            ErrorKind::LimitExceeded => Self::LimitExceeded,
            ErrorKind::System => Self::System,
        }
    }
}

impl From<wire::ErrorKind> for ErrorKind {
    fn from(kind: wire::ErrorKind) -> Self {
        match kind {
            wire::ErrorKind::TaskError => Self::TaskError,
            wire::ErrorKind::TaskPanicked => Self::TaskPanicked,
            wire::ErrorKind::TaskCancelled => Self::TaskCancelled,
            wire::ErrorKind::TaskTimeout => Self::TaskTimeout,
            wire::ErrorKind::GetTimeout => Self::GetTimeout,
            wire::ErrorKind::WorkerCrashed => Self::WorkerCrashed,
            wire::ErrorKind::NodeDied => Self::NodeDied,
            wire::ErrorKind::OutOfMemory => Self::OutOfMemory,
            wire::ErrorKind::ObjectStoreFull => Self::ObjectStoreFull,
            wire::ErrorKind::OutOfDisk => Self::OutOfDisk,
            wire::ErrorKind::ActorDied => Self::ActorDied,
            wire::ErrorKind::ActorUnavailable => Self::ActorUnavailable,
            wire::ErrorKind::ActorAlreadyExists => Self::ActorAlreadyExists,
            wire::ErrorKind::ActorNotFound => Self::ActorNotFound,
            wire::ErrorKind::PendingCallsLimitExceeded => Self::PendingCallsLimitExceeded,
            wire::ErrorKind::ObjectLost => Self::ObjectLost,
            wire::ErrorKind::OwnerDied => Self::OwnerDied,
            wire::ErrorKind::Unschedulable => Self::Unschedulable,
            wire::ErrorKind::PlacementGroupRemoved => Self::PlacementGroupRemoved,
            wire::ErrorKind::UnknownFunction => Self::UnknownFunction,
            wire::ErrorKind::InvalidArgument => Self::InvalidArgument,
            wire::ErrorKind::Serialization => Self::Serialization,
            wire::ErrorKind::LimitExceeded => Self::LimitExceeded,
            // An error must arrive, even one of a kind that only a newer rayw knows.
            wire::ErrorKind::System | wire::ErrorKind::Unspecified => Self::System,
        }
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        let Details { kind, message, causes, type_name, payload, backtrace, origin } = error.into();
        Self { kind: wire::ErrorKind::from(kind).into(), message, causes, type_name, payload, backtrace, origin }
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        let kind = error.kind().into();
        let wire::Error { kind: _, message, causes, type_name, payload, backtrace, origin } = error;
        Details { kind, message, causes, type_name, payload, backtrace, origin }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = ErrorKind> {
        // The numbers of the wire are dense; `Unspecified` is nobody's image.
        (1_i32..=24).prop_map(|number| wire::ErrorKind::try_from(number).expect("all numbers are taken").into())
    }

    proptest! {
        #[test]
        fn errors_survive_the_wire(
            kind in kinds(),
            message in ".*",
            causes in prop::collection::vec(".*", 0..4),
            type_name in prop::option::of(".*"),
            payload in prop::option::of(prop::collection::vec(any::<u8>(), 0..32)),
            backtrace in prop::option::of(".*"),
            origin in prop::option::of(".*"),
        ) {
            let error = Error::from(Details { kind, message, causes, type_name, payload, backtrace, origin });
            prop_assert_eq!(Error::from(wire::Error::from(error.clone())), error);
        }
    }

    #[test]
    fn every_kind_has_one_number_and_the_same_name() {
        for number in 1..=24 {
            let wire = wire::ErrorKind::try_from(number).unwrap();
            let kind = ErrorKind::from(wire);
            assert_eq!(wire::ErrorKind::from(kind), wire);
            assert_eq!(wire.as_str_name(), format!("ERROR_KIND_{}", kind.name()));
        }
        assert!(wire::ErrorKind::try_from(25).is_err(), "a new kind needs its number in this test");
    }

    #[test]
    fn a_kind_from_the_future_is_a_failure_of_the_system() {
        let error = Error::from(wire::Error { kind: 4_711, message: "x".into(), ..Default::default() });
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::System, "x"));
    }
}
