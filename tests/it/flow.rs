//! What programs see.

mod actor;
mod driver;
mod examples;
mod object;
mod task;
