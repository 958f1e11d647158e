//! Cases of the head’s machine.
