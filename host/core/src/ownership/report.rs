//! What a node says when it joins again: all that the head must know of its owner.

use super::Ownership;
use super::borrow::for_head;
use crate::TaskId;
use crate::message::ToHead;

impl Ownership {
    /// Other nodes, leases, wishes, actors and groups, to be said after `NodeJoined`. What was said before and not
    /// heard is in it.
    #[must_use]
    pub fn report(&mut self) -> Vec<ToHead> {
        let mut report = Vec::from_iter(self.report_peers());
        report.extend(self.report_leases());
        for (id, actor) in &self.actors {
            if actor.is_dead() {
                continue;
            }
            if self.is_borrowed_actor(*id) {
                let owner = self.owner_of(crate::RefId::Actor(*id));
                report.push(ToHead::ActorWatch { node: self.node, actor: *id, owner });
                continue;
            }
            report.push(ToHead::ActorRegister {
                owner: self.node,
                request: None,
                spec: for_head(actor.spec()),
                get_if_exists: true,
            });
            if let Some(reason) = actor.release() {
                report.push(ToHead::ActorReleased { actor: *id, reason });
                continue;
            }
            if self.tasks.get(&TaskId::from(*id)).is_some_and(|creation| creation.missing == 0) {
                let inputs = self.detached_inputs(*id);
                report.push(ToHead::ActorDependenciesReady { actor: *id, inputs, failed: None });
            }
        }
        report.extend(self.report_groups());
        report
    }
}
