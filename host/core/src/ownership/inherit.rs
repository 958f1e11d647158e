//! References that a dead node passed on: who got them says so to the owner itself.
//!
//! A node that dies can take its word to the owner along although the one that it passed a reference
//! to has got it, or the other way round. So when a node is declared dead,
//!
//! * who holds tokens of it tells their owner how many ([`ToPeer::Inherited`]); these count as the
//!   owner's own from then on;
//! * an owner that counts tokens which a dead node gave asks their borrower ([`ToPeer::Recount`]); the
//!   answer comes behind what the borrower has said, and takes away what it never got;
//! * what the dead node itself had borrowed stays for [`TOKEN_GRACE`](limits::TOKEN_GRACE), so that
//!   such words arrive before it goes.

use super::borrow::Far;
use super::{Command, Ownership};
use crate::message::ToPeer;
use crate::{Millis, NodeId, RefId, limits};

/// A question that cannot be answered before a death is known here.
#[derive(Debug)]
pub(super) struct Question {
    by: NodeId,
    id: RefId,
    lender: NodeId,
}

impl Ownership {
    /// A node is dead: settles what it lent, and remembers to void what it borrowed.
    pub(super) fn inherit(&mut self, node: NodeId, now: Millis, out: &mut Vec<Command>) {
        let grace: Millis = limits::TOKEN_GRACE.as_millis().try_into().unwrap_or(Millis::MAX);
        self.void.push_back((now.saturating_add(grace), node));
        let here = self.node;
        let mut messages: Vec<(NodeId, ToPeer)> = Vec::new();
        let mut asked: Vec<RefId> = Vec::new();
        for (id, far) in self.all_far() {
            far.wanted_by.retain(|borrower| *borrower != node);
            match far.owner {
                Some(owner) => {
                    let inherited = far.inherit(node, owner);
                    if owner != node && inherited > 0 {
                        messages.push((owner, ToPeer::Inherited { id, lender: node, tokens: inherited }));
                    }
                }
                None => {
                    for loan in far.borrowers.iter().filter(|loan| loan.lender == node && loan.borrower != node) {
                        messages.push((loan.borrower, ToPeer::Recount { id, lender: node }));
                    }
                    far.borrowers.retain(|loan| loan.lender != node || loan.borrower != here);
                    asked.push(id);
                }
            }
        }
        let questions = std::mem::take(&mut self.questions);
        for question in questions {
            if question.lender == node {
                messages.push((question.by, ToPeer::Inherited { id: question.id, lender: node, tokens: 0 }));
            } else if question.by != node {
                self.questions.push(question);
            }
        }
        let messages = messages.into_iter().filter(|(to, _)| !self.dead.contains(to));
        out.extend(messages.map(|(to, message)| Command::to_peer(to, message)));
        self.drop_unused(asked, out);
    }

    /// A borrower says how many tokens it has of a dead node.
    pub(super) fn inherited(&mut self, id: RefId, from: NodeId, lender: NodeId, tokens: u32, out: &mut Vec<Command>) {
        let here = self.node;
        if let Some(far) = self.far_of(id).filter(|far| far.owner.is_none()) {
            far.settle_loan(from, lender, here, tokens);
            self.drop_unused(vec![id], out);
        }
    }

    /// An owner asks how many tokens this node has of a node that died.
    pub(super) fn recount(&mut self, id: RefId, by: NodeId, lender: NodeId, out: &mut Vec<Command>) {
        if self.dead.contains(&lender) {
            // What there is was said when it died.
            return out.push(Command::to_peer(by, ToPeer::Inherited { id, lender, tokens: 0 }));
        }
        self.questions.push(Question { by, id, lender });
    }

    /// Voids what nodes had borrowed that died long enough ago.
    pub(super) fn void_dead(&mut self, now: Millis, out: &mut Vec<Command>) {
        while let Some((due, node)) = self.void.front().copied()
            && due <= now
        {
            self.void.pop_front();
            let mut borrowed = Vec::new();
            for (id, far) in self.all_far().filter(|(_, far)| far.owner.is_none()) {
                far.forget_borrower(node);
                borrowed.push(id);
            }
            self.drop_unused(borrowed, out);
            self.lent_early.values_mut().for_each(|far| {
                far.forget_borrower(node);
                // Its word that it lent them will not come any more.
                far.borrowers.retain(|loan| loan.lender != node || loan.tokens > 0);
            });
            self.lent_early.retain(|_, far| far.is_borrowed_by_others());
        }
    }

    fn all_far(&mut self) -> impl Iterator<Item = (RefId, &mut Far)> {
        let objects = self.objects.iter_mut().map(|(id, object)| (RefId::Object(*id), object.far.as_deref_mut()));
        let actors = self.actors.iter_mut().map(|(id, actor)| (RefId::Actor(*id), actor.far.as_deref_mut()));
        objects.chain(actors).filter_map(|(id, far)| Some((id, far?)))
    }
}
