//! The attribute macros of the rayw guest SDK.
