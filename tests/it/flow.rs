//! What programs see.

mod actor;
mod bench;
mod driver;
mod examples;
mod object;
mod task;
