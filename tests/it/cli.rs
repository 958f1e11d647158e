//! What people see.

mod list;
mod new;
mod run;
