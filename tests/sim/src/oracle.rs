//! What must come of a program: the same steps, done at once and without a cluster.

use std::rc::Rc;

use crate::guest::{Action, Answer, Argument, Code, Features, Guest, Kind, Reference, Val};

/// What an object must be.
#[derive(Debug)]
pub enum Expected {
    /// This value.
    Value(Val<Known>),
    /// An error.
    Failed,
    /// Whatever it is: what an actor keeps depends on who called it before.
    Any,
    /// Whatever it is, or an error: a call of an actor that may never live, and what depends on one.
    Unsure,
}

/// A reference of the oracle.
#[derive(Debug, Clone)]
pub enum Known {
    /// An object.
    Object(Rc<Expected>),
    /// An actor.
    Actor {
        /// Whether its constructor gets what it needs.
        lives: bool,
    },
}

impl Reference for Known {
    fn is_actor(&self) -> bool {
        matches!(self, Self::Actor { .. })
    }
}

/// What MessagePack's nil is as a number: the value of a group's `ready`.
pub const NIL: u64 = 0xc0;

/// What the returns of a task must be.
#[must_use]
pub fn outputs(
    code: Code,
    args: Vec<Argument<Known>>,
    returns: u32,
    retries: u32,
    features: &Features,
) -> Vec<Rc<Expected>> {
    let all = |expected: fn() -> Expected| (0..returns).map(|_| Rc::new(expected())).collect();
    if code.kind == Kind::Give {
        return all(|| Expected::Any);
    }
    let mut values = Vec::new();
    for arg in args {
        match arg {
            Argument::Value(value) => values.push(value),
            Argument::Object(Known::Actor { .. }) => return all(|| Expected::Any),
            Argument::Object(Known::Object(expected)) => match expected.as_ref() {
                Expected::Value(value) => values.push(value.clone()),
                Expected::Failed => return all(|| Expected::Failed),
                Expected::Any => return all(|| Expected::Any),
                Expected::Unsure => return all(|| Expected::Unsure),
            },
        }
    }
    if code.crashes(features) > retries {
        return all(|| Expected::Failed);
    }
    match run(Guest::new(code, values, returns, *features), features) {
        Ended::Returned(values) => values.into_iter().map(|value| Rc::new(Expected::Value(value))).collect(),
        Ended::Failed => all(|| Expected::Failed),
        Ended::Unsure => all(|| Expected::Unsure),
    }
}

/// Whether an actor with these arguments comes to live.
pub fn lives<'a>(args: impl IntoIterator<Item = &'a Argument<Known>>) -> bool {
    args.into_iter().all(|arg| match arg {
        Argument::Object(Known::Object(expected)) => matches!(expected.as_ref(), Expected::Value(_)),
        Argument::Object(Known::Actor { .. }) | Argument::Value(_) => true,
    })
}

/// How a program ends.
enum Ended {
    Returned(Vec<Val<Known>>),
    Failed,
    Unsure,
}

/// Runs a program to its end.
fn run(mut guest: Guest<Known>, features: &Features) -> Ended {
    let object = |expected: Expected| vec![Known::Object(Rc::new(expected))];
    let mut answer = Answer::Nothing;
    loop {
        answer = match guest.next(answer) {
            Action::Put(value) => Answer::Refs(object(Expected::Value(value))),
            Action::Submit(code, args, wish) => {
                let made = outputs(code, args, wish.returns, wish.retries, features);
                Answer::Refs(made.into_iter().map(Known::Object).collect())
            }
            Action::Create(_, args, _) => Answer::Refs(vec![Known::Actor { lives: lives(&args) }]),
            Action::Call(Known::Actor { lives: false }, ..) => Answer::Refs(object(Expected::Unsure)),
            // A method that breaks down takes its actor along: nothing is certain then.
            Action::Call(_, code, _) if code.crashes(features) > 0 => Answer::Refs(object(Expected::Any)),
            Action::Call(_, code, args) => {
                Answer::Refs(outputs(code, args, 1, 0, features).into_iter().map(Known::Object).collect())
            }
            Action::Get(objects) => match values(&objects) {
                Ended::Returned(values) => Answer::Values(values),
                Ended::Failed => Answer::Failed("PLANNED"),
                Ended::Unsure => return Ended::Unsure,
            },
            Action::Reserve(..) => {
                Answer::Refs(object(Expected::Value(Val { num: NIL, refs: Vec::new(), is_large: false })))
            }
            Action::Compute(_)
            | Action::Wait(..)
            | Action::Drop(_)
            | Action::Cancel(..)
            | Action::Kill(..)
            | Action::Terminate(_)
            | Action::Unreserve => Answer::Nothing,
            Action::Return(values) => return Ended::Returned(values),
            Action::Fail(_) => return Ended::Failed,
        };
    }
}

/// The values of objects. What may be anything is a number without meaning, which makes all that
/// follows from it uncertain too: programs open it themselves and count nothing in.
fn values(objects: &[Known]) -> Ended {
    let mut values = Vec::new();
    let mut is_unsure = false;
    for object in objects {
        let Known::Object(expected) = object else { continue };
        match expected.as_ref() {
            Expected::Value(value) => values.push(value.clone()),
            Expected::Any => values.push(Val { num: 0, refs: Vec::new(), is_large: false }),
            Expected::Failed => return Ended::Failed,
            Expected::Unsure => is_unsure = true,
        }
    }
    if is_unsure { Ended::Unsure } else { Ended::Returned(values) }
}
