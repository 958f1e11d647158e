//! Wire ↔ core. Nothing else knows both sides.
//!
//! Towards the wire nothing can fail (`From`); from the wire everything may be
//! missing or unknown (`TryFrom`). Structs are taken apart by name, so a field
//! added to one side is a compile error here.

mod control;
mod error;
mod state;

pub(crate) use control::{digest_of, log_line_of};
pub(crate) use state::resource;

use rayw_core::{Error, ErrorKind};

/// A message that says less than it must, or something that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A number stands for nothing that is known here.
    #[error("`{field}` is {value}, which this version of rayw does not know")]
    Unknown {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Self {
        Self::new(ErrorKind::System, "failed to understand the other side of the wire").caused_by(error)
    }
}
