//! A program in a few numbers, and what programs may do in a scenario.

use crate::random::mix;

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The driver of a job.
    Driver,
    /// A task that may wait for whatever it was given.
    Task,
    /// A task that holds memory or a custom resource: it waits for its own children alone, as others
    /// that hold some could wait for it.
    Holder,
    /// A constructor.
    Constructor,
    /// A method. It waits for its own children alone, as others could wait for the actor.
    Method,
    /// A method after which the actor keeps the references in its arguments.
    Keep,
    /// A method that returns what the actor keeps.
    Give,
}

/// A program, as short as a function's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// What it is for.
    pub kind: Kind,
    /// What settles its steps.
    pub seed: u64,
    /// How deep it may nest tasks.
    pub depth: u32,
}

const LETTERS: [(Kind, &str); 7] = [
    (Kind::Driver, "driver"),
    (Kind::Task, "task"),
    (Kind::Holder, "holder"),
    (Kind::Constructor, "new"),
    (Kind::Method, "method"),
    (Kind::Keep, "keep"),
    (Kind::Give, "give"),
];

impl Code {
    /// As a name.
    #[must_use]
    pub fn name(self) -> String {
        let word = LETTERS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, word)| word);
        format!("{word}-{}-{:x}", self.depth, self.seed)
    }

    /// From a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let word = parts.next()?;
        let kind = LETTERS.iter().find(|(_, known)| *known == word)?.0;
        let depth = parts.next()?.parse().ok()?;
        Some(Self { kind, depth, seed: u64::from_str_radix(parts.next()?, 16).ok()? })
    }

    /// Attempts under which the sandbox breaks down.
    #[must_use]
    pub fn crashes(self, features: &Features) -> u32 {
        let breaks = match self.kind {
            Kind::Task | Kind::Holder => features.crashes,
            Kind::Method => features.actor_crashes,
            Kind::Driver | Kind::Constructor | Kind::Keep | Kind::Give => false,
        };
        let drawn = mix(self.seed, 77) % 100;
        if breaks && drawn < 8 { 1 + u32::from(drawn < 2) } else { 0 }
    }
}

/// What programs may do in a scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features {
    /// Actors.
    pub actors: bool,
    /// Actors with names, and detached ones.
    pub names: bool,
    /// Actors are killed and ended.
    pub kills: bool,
    /// Tasks are cancelled.
    pub cancels: bool,
    /// Tasks fail by themselves.
    pub failures: bool,
    /// Sandboxes of tasks break down.
    pub crashes: bool,
    /// Sandboxes of actors break down.
    pub actor_crashes: bool,
    /// Placement groups.
    pub groups: bool,
    /// Strategies and labels.
    pub places: bool,
    /// Memory and custom resources.
    pub holders: bool,
    /// Waits that time out.
    pub timeouts: bool,
    /// Steps of a driver.
    pub steps: u32,
    /// Machines.
    pub machines: usize,
    /// Whether drivers and tasks begin with many small tasks.
    pub floods: bool,
}
