//! Constructors: whoever is to make an actor asks its owner for the arguments, and gets them when they
//! are there. What was lost meanwhile is made again first.

use super::{Command, LostCopy, Order, Ownership};
use crate::message::{RefOwner, ToPeer};
use crate::{ActorId, Arg, Error, ErrorKind, Millis, NodeId, ObjectId, TaskId};

/// A constructor that was asked for and whose arguments are not there.
#[derive(Debug)]
pub(super) struct Construct {
    actor: ActorId,
    incarnation: u32,
    by: NodeId,
}

impl Ownership {
    pub(super) fn construct_wanted(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        by: NodeId,
        missing: Vec<LostCopy>,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        for copy in missing {
            self.copy_missing(copy.object, copy.missing_at, out);
        }
        for object in self.constructor_objects(actor) {
            self.ensure(object, out);
        }
        self.make_again(now, out);
        self.constructs.push(Construct { actor, incarnation, by });
    }

    fn constructor_objects(&self, actor: ActorId) -> Vec<ObjectId> {
        let args = self.tasks.get(&TaskId::from(actor)).map(|task| task.spec.args.as_slice()).unwrap_or_default();
        let objects = args.iter().filter_map(|argument| match argument {
            Arg::Object(object) => Some(*object),
            Arg::Value(_) => None,
        });
        objects.collect()
    }

    /// Answers those who asked for constructors whose arguments are there by now, or failed.
    pub(super) fn answer_constructs(&mut self, out: &mut Vec<Command>) {
        if self.constructs.is_empty() {
            return;
        }
        for construct in std::mem::take(&mut self.constructs) {
            if self.dead.contains(&construct.by) {
                continue;
            }
            let objects = self.constructor_objects(construct.actor);
            let failure = objects.iter().find_map(|object| self.failure(*object)).cloned();
            let is_waiting = objects.iter().any(|id| self.objects.get(id).is_some_and(|object| object.is_pending()));
            match (self.creation_order(construct.actor), failure) {
                (_, Some(error)) => self.answer_construct(&construct, Err(error), out),
                (Some(order), None) => self.answer_construct(&construct, Ok(order), out),
                (None, None) if is_waiting => self.constructs.push(construct),
                (None, None) => {
                    let message = format!(
                        "the arguments of the constructor of actor `{}` are gone with its owner's task",
                        construct.actor
                    );
                    self.answer_construct(&construct, Err(Error::new(ErrorKind::ObjectLost, message)), out);
                }
            }
        }
    }

    fn answer_construct(&mut self, to: &Construct, result: Result<Order, Error>, out: &mut Vec<Command>) {
        let (actor, incarnation, by) = (to.actor, to.incarnation, to.by);
        if by == self.node {
            return out.push(Command::Construct { actor, incarnation, result: Box::new(result) });
        }
        let (result, refs): (Result<Order, Error>, Vec<RefOwner>) = match result {
            Ok(order) => {
                let (order, refs) = self.travelling(order, by, out);
                (Ok(order), refs)
            }
            Err(error) => (Err(error), Vec::new()),
        };
        out.push(Command::to_peer(by, ToPeer::Construct { actor, incarnation, result, refs }));
    }
}
