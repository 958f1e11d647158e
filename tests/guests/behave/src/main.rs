//! A guest that shows how rayw behaves: the first argument names a scenario, which prints what it saw.
//!
//! A scenario is a function of the file that its noun names. Nothing in it waits by sleeping: who
//! waits asks an actor, or stops at [`stage::pause`] until the test lets it go on.

mod actors;
mod cancel;
mod durable;
mod failures;
mod faults;
mod groups;
mod hostile;
mod jobs;
mod lines;
mod nodes;
mod objects;
mod resources;
mod stage;
mod tasks;

/// A scenario: its name, and what it does.
type Scenario = (&'static str, fn() -> rayw::Result<()>);

/// Lists functions as scenarios under their own names.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn() -> rayw::Result<()>)),*]
    };
}
pub(crate) use scenarios;

#[rayw::main]
fn main() -> rayw::Result<()> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let scenarios = [
        tasks::SCENARIOS,
        failures::SCENARIOS,
        cancel::SCENARIOS,
        actors::SCENARIOS,
        durable::SCENARIOS,
        faults::SCENARIOS,
        groups::SCENARIOS,
        jobs::SCENARIOS,
        lines::SCENARIOS,
        objects::SCENARIOS,
        resources::SCENARIOS,
        hostile::SCENARIOS,
        nodes::SCENARIOS,
    ]
    .concat();
    match scenarios.iter().find(|(name, _)| *name == wanted) {
        Some((_, run)) => run(),
        None => Err(rayw::Error::new(format!("there is no scenario `{wanted}`"))),
    }
}
