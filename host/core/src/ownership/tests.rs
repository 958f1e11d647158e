//! Cases of the owner’s machine.
