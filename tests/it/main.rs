//! End to end tests: one binary that starts real processes.
//!
//! ```text
//! flow    what programs see: tasks, actors, objects, drivers, the examples
//! fault   what goes wrong: in guests, in what is given to rayw
//! cluster several processes: nodes, jobs, deaths
//! cli     what people see: lists, errors, exit codes, new crates
//! tidy    the architecture
//! ```
//!
//! A test that names a scenario runs the function of that name in `guests/behave`.

mod cli;
mod cluster;
mod fault;
mod flow;
mod tidy;
