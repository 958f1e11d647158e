//! What programs see.

mod actor;
mod bench;
mod driver;
mod durable;
mod examples;
mod group;
mod line;
mod object;
mod task;
