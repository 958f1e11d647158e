//! End to end tests: one binary that starts real processes.
fn main() {}
