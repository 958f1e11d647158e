//! What the benchmarks measure. `tests/benches/suites.rs` runs it at full size, `tests/it/flow/bench.rs`
//! at a tiny one, so that a benchmark that has stopped to measure something is seen.
//!
//! ```text
//! growth   scheduler, owner   the pure machines against nodes, shapes, waiters and objects
//! ceiling  bare, tcp          rayw's rows, and right beside each what bounds it
//! processes  tcp              nodes as processes on the loopback network
//! report                      what all of them give: rows and curves
//! ```

mod bare;
mod ceiling;
mod owner;
mod processes;
mod report;
mod scheduler;
mod tcp;

pub use ceiling::{Turns, ceiling};
pub use owner::{objects, queue, waiters};
pub use processes::{ProcessSizes, processes};
pub use report::{Curve, Report, Row, Series};
pub use scheduler::{nodes, shapes, waiting};

/// What each cost depends on, from small to large.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Nodes of the head.
    pub nodes: Vec<usize>,
    /// Shapes that wait for cpus at the head.
    pub waiting: Vec<usize>,
    /// Shapes at the head that were passed too often and hold up others.
    pub shapes: Vec<usize>,
    /// Tasks that wait at their owner.
    pub tasks: Vec<usize>,
    /// Waiters of one object.
    pub waiters: Vec<usize>,
    /// Objects that stay.
    pub objects: Vec<usize>,
    /// Decisions of the head in each measurement.
    pub decisions: usize,
}

/// How the cost of the pure machines grows.
#[must_use]
pub fn growth(sizes: &Sizes) -> Report {
    let curves = vec![
        nodes(&sizes.nodes, sizes.decisions),
        waiting(&sizes.waiting, sizes.decisions),
        // Each looks at all that wait.
        shapes(&sizes.shapes, sizes.decisions.div_ceil(10)),
        queue(&sizes.tasks),
        waiters(&sizes.waiters),
        objects(&sizes.objects, sizes.decisions),
    ];
    Report { rows: Vec::new(), curves }
}
