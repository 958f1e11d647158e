//! References across nodes: tokens given, tokens got (`message/peer.rs` says how they are counted).

use std::sync::Arc;

use super::actor::ActorEntry;
use super::object::{Object, Place};
use super::{Command, Ownership};
use crate::message::{RefOwner, ToHead, ToPeer};
use crate::{ActorSpec, Arg, Error, ErrorKind, NodeId, ObjectId, RefId, TaskSpec};

/// What only those objects and actors have that more than one node knows.
#[derive(Debug, Default)]
pub(super) struct Far {
    /// The owner, for what is borrowed.
    pub(super) owner: Option<NodeId>,
    /// Borrowed: tokens got, by who gave them.
    pub(super) tokens: Vec<(NodeId, u32)>,
    /// Owned: tokens given, less those that came back. No zeros.
    pub(super) borrowers: Vec<Loan>,
    /// Owned: borrowers that want to know how it ends.
    pub(super) wanted_by: Vec<NodeId>,
    /// Borrowed: the owner was asked how it ends.
    pub(super) asked: bool,
}

/// Tokens that one node has of another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loan {
    pub(super) borrower: NodeId,
    /// Who gave them: the owner, or a borrower that passed them on.
    pub(super) lender: NodeId,
    /// Below 0 while the lender's word of it is on its way.
    pub(super) tokens: i64,
}

impl Far {
    pub(super) fn is_borrowed_by_others(&self) -> bool {
        !self.borrowers.is_empty()
    }

    pub(super) fn borrowers_count(&self) -> u32 {
        u32::try_from(self.borrowers.len()).unwrap_or(u32::MAX)
    }

    fn borrowed_from(owner: NodeId) -> Box<Self> {
        Box::new(Self { owner: Some(owner), ..Self::default() })
    }

    fn change(&mut self, borrower: NodeId, lender: NodeId, tokens: i64) {
        let is_it = |loan: &Loan| loan.borrower == borrower && loan.lender == lender;
        let index = self.borrowers.iter().position(is_it).unwrap_or_else(|| {
            self.borrowers.push(Loan { borrower, lender, tokens: 0 });
            self.borrowers.len() - 1
        });
        self.borrowers[index].tokens += tokens;
        if self.borrowers[index].tokens == 0 {
            self.borrowers.swap_remove(index);
        }
    }

    /// A borrower gave tokens back. What a dead lender did not get to say before it died is not counted,
    /// so what comes back of it beyond that counts for nothing.
    fn take_back(&mut self, borrower: NodeId, tokens: &[(NodeId, u32)], dead: &[NodeId]) {
        for (lender, tokens) in tokens {
            self.change(borrower, *lender, -i64::from(*tokens));
        }
        self.borrowers.retain(|loan| loan.borrower != borrower || loan.tokens > 0 || !dead.contains(&loan.lender));
    }

    fn take_token(&mut self, giver: NodeId) {
        match self.tokens.iter_mut().find(|(node, _)| *node == giver) {
            Some((_, tokens)) => *tokens += 1,
            None => self.tokens.push((giver, 1)),
        }
    }

    /// What a dead node gave counts as the owner's own. Answers how much that is.
    pub(super) fn inherit(&mut self, giver: NodeId, owner: NodeId) -> u32 {
        let Some(index) = self.tokens.iter().position(|(node, _)| *node == giver) else { return 0 };
        let (_, inherited) = self.tokens.swap_remove(index);
        match self.tokens.iter_mut().find(|(node, _)| *node == owner) {
            Some((_, tokens)) => *tokens += inherited,
            None => self.tokens.push((owner, inherited)),
        }
        inherited
    }

    /// A borrower has these tokens of a dead lender, whatever that one said.
    pub(super) fn settle_loan(&mut self, borrower: NodeId, lender: NodeId, owner: NodeId, tokens: u32) {
        self.borrowers.retain(|loan| loan.borrower != borrower || loan.lender != lender);
        if tokens > 0 {
            self.change(borrower, owner, i64::from(tokens));
        }
    }

    /// A node is dead: its tokens are void.
    pub(super) fn forget_borrower(&mut self, node: NodeId) {
        self.borrowers.retain(|loan| loan.borrower != node);
    }
}

impl Ownership {
    pub(super) fn owner_of(&self, id: RefId) -> NodeId {
        let far = match id {
            RefId::Object(id) => self.objects.get(&id).and_then(|object| object.far.as_ref()),
            RefId::Actor(id) => self.actors.get(&id).and_then(|actor| actor.far.as_ref()),
            RefId::Group(_) => None,
        };
        far.and_then(|far| far.owner).unwrap_or(self.node)
    }

    pub(super) fn far_of(&mut self, id: RefId) -> Option<&mut Box<Far>> {
        match id {
            RefId::Object(id) => Some(self.objects.get_mut(&id)?.far.get_or_insert_default()),
            RefId::Actor(id) => Some(self.actors.get_mut(&id)?.far.get_or_insert_default()),
            RefId::Group(_) => None,
        }
    }

    /// Hands references to another node: one token for each distinct one.
    pub(super) fn lend_refs(&mut self, refs: Vec<RefId>, to: NodeId, out: &mut Vec<Command>) -> Vec<RefOwner> {
        if refs.is_empty() {
            return Vec::new();
        }
        let here = self.node;
        let mut seen = std::collections::HashSet::new();
        let mut lent = Vec::new();
        for id in refs.into_iter().filter(|id| seen.insert(*id)) {
            let owner = self.owner_of(id);
            let what = match id {
                RefId::Object(id) => RefOwner::Object { id, owner },
                RefId::Actor(actor) => match self.actors.get(&actor) {
                    Some(entry) => RefOwner::Actor { spec: without_args(entry.spec()), owner },
                    // Nobody here knows it any more: whoever gets it finds it dead.
                    None => continue,
                },
                // The head knows it, and nobody counts it.
                RefId::Group(_) => continue,
            };
            lent.push(what);
            if owner == self.node {
                if !self.dead.contains(&to)
                    && let Some(far) = self.far_of(id)
                {
                    far.change(to, here, 1);
                }
            } else if owner != to {
                out.push(Command::to_peer(owner, ToPeer::Lent { id, to }));
            }
        }
        lent
    }

    /// Takes references in that came with a message. They are counted by whoever holds them next;
    /// [`Self::drop_unused`] gives back what nobody does.
    pub(super) fn borrow(&mut self, refs: &[RefOwner], from: NodeId, out: &mut Vec<Command>) -> Vec<RefId> {
        let mut taken = Vec::with_capacity(refs.len());
        for reference in refs {
            let (id, owner) = match reference {
                RefOwner::Object { id, owner } => (RefId::Object(*id), *owner),
                RefOwner::Actor { spec, owner } => (RefId::Actor(spec.id), *owner),
            };
            taken.push(id);
            if owner == self.node {
                continue;
            }
            match reference {
                RefOwner::Object { id, .. } => {
                    let gone = self.dead.contains(&owner);
                    let object = self.objects.entry(*id).or_insert_with(|| borrowed(*id, owner, gone));
                    if let Some(far) = &mut object.far {
                        far.take_token(from);
                    }
                }
                RefOwner::Actor { spec, .. } => {
                    self.meet_actor(spec, owner, out);
                    if let Some(far) = self.actors.get_mut(&spec.id).and_then(|actor| actor.far.as_mut()) {
                        far.take_token(from);
                    }
                }
            }
        }
        taken
    }

    /// Makes an entry for an actor of another node, and asks the head to tell of it.
    fn meet_actor(&mut self, spec: &Arc<ActorSpec>, owner: NodeId, out: &mut Vec<Command>) {
        if self.actors.contains_key(&spec.id) {
            return;
        }
        let mut entry = ActorEntry::new(Arc::clone(spec));
        entry.far = Some(Far::borrowed_from(owner));
        for (which, count) in self.counted_early.remove(&spec.id).unwrap_or_default() {
            *entry.count_of(which) += count;
        }
        self.actors.insert(spec.id, entry);
        out.push(Command::to_head(ToHead::ActorWatch { node: self.node, actor: spec.id, owner }));
    }

    /// A guest got an actor by its name: the owner is told that it is borrowed.
    pub(super) fn actor_known(&mut self, spec: Arc<ActorSpec>, owner: NodeId, out: &mut Vec<Command>) {
        let id = spec.id;
        if owner != self.node {
            self.meet_actor(&spec, owner, out);
            if !spec.detached
                && let Some(far) = self.actors.get_mut(&id).and_then(|actor| actor.far.as_mut())
                && far.owner == Some(owner)
            {
                far.take_token(self.node);
                out.push(Command::to_peer(owner, ToPeer::Lent { id: RefId::Actor(id), to: self.node }));
            }
        }
        if !self.actors.contains_key(&id) {
            // It is over and forgotten here, or about to be told of: the head says which.
            out.push(Command::to_head(ToHead::ActorWatch { node: self.node, actor: id, owner }));
        }
        self.actors.entry(id).or_insert_with(|| ActorEntry::new(spec)).handles += 1;
    }

    /// Gives back what came and nobody holds.
    pub(super) fn drop_unused(&mut self, refs: Vec<RefId>, out: &mut Vec<Command>) {
        for id in refs {
            match id {
                RefId::Object(id) => self.let_go(id, out),
                RefId::Actor(id) => self.release_actor_if_unused(id, out),
                RefId::Group(_) => {}
            }
        }
    }

    /// A borrowed reference that nobody here holds goes back to its owner. Answers whether it is borrowed.
    pub(super) fn give_back(&mut self, id: RefId, far: Option<Box<Far>>, out: &mut Vec<Command>) -> bool {
        let Some((owner, tokens)) = far.and_then(|far| far.owner.map(|owner| (owner, far.tokens))) else {
            return false;
        };
        if !tokens.is_empty() && !self.dead.contains(&owner) {
            out.push(Command::to_peer(owner, ToPeer::Returned { id, tokens }));
        }
        true
    }

    /// Somebody passed a reference to something of ours on.
    pub(super) fn lent(&mut self, id: RefId, from: NodeId, to: NodeId) {
        if to == self.node || self.dead.contains(&to) {
            return;
        }
        match (self.far_of(id), id) {
            (Some(far), _) => far.change(to, from, 1),
            // Found by its name before this node has heard that it may have the name.
            (None, RefId::Actor(actor)) => {
                self.lent_early.entry(actor).or_default().change(to, from, 1);
                self.lent_early.retain(|_, far| far.is_borrowed_by_others());
            }
            (None, RefId::Object(_) | RefId::Group(_)) => {}
        }
    }

    /// A borrower has no use for something of ours any more.
    pub(super) fn returned(&mut self, id: RefId, from: NodeId, tokens: &[(NodeId, u32)], out: &mut Vec<Command>) {
        let lenders = tokens.iter().map(|(lender, _)| *lender);
        let dead: Vec<NodeId> = lenders.filter(|lender| self.dead.contains(lender)).collect();
        if let Some(far) = self.far_of(id) {
            far.take_back(from, tokens, &dead);
            return self.drop_unused(vec![id], out);
        }
        if let RefId::Actor(actor) = id {
            // The word that it was lent is here already, or it is on its way to an actor that ended meanwhile.
            self.lent_early.entry(actor).or_default().take_back(from, tokens, &dead);
            self.lent_early.retain(|_, far| far.is_borrowed_by_others());
        }
    }

    /// Marks an actor as borrowed from the node that owns it, for those that were created by a name
    /// that somebody else had.
    pub(super) fn is_borrowed_actor(&self, id: crate::ActorId) -> bool {
        self.owner_of(RefId::Actor(id)) != self.node
    }
}

/// An object of another node.
fn borrowed(id: ObjectId, owner: NodeId, gone: bool) -> Object {
    let place = if gone { Place::Failed(Arc::new(owner_died(id, owner))) } else { Place::Pending };
    Object { place, far: Some(Far::borrowed_from(owner)), ..Object::pending() }
}

pub(super) fn owner_died(id: ObjectId, owner: NodeId) -> Error {
    let message = format!(
        "object `{id}` is lost because node {owner}, which owned it, is gone: have the object owned by a node that \
         lives longer, such as the driver's"
    );
    Error::new(ErrorKind::OwnerDied, message)
}

/// Bytes of a constructor's arguments that may go along where nobody reads them.
const ARGS_ALONG_BYTES_MAX: usize = 1_024;

/// What the head needs to know of an actor. Small arguments go along, because a copy without them costs more.
#[must_use]
pub fn for_head(spec: &Arc<ActorSpec>) -> Arc<ActorSpec> {
    let bytes = spec.creation.args.iter().filter_map(Arg::value).map(|value| value.data.len());
    if bytes.sum::<usize>() > ARGS_ALONG_BYTES_MAX { without_args(spec) } else { Arc::clone(spec) }
}

/// What others need to know of an actor: its constructor's arguments stay with the owner.
fn without_args(spec: &Arc<ActorSpec>) -> Arc<ActorSpec> {
    if spec.creation.args.is_empty() {
        return Arc::clone(spec);
    }
    let creation = TaskSpec { args: Vec::new(), ..spec.creation.as_ref().clone() };
    Arc::new(ActorSpec { creation: Arc::new(creation), ..spec.as_ref().clone() })
}
