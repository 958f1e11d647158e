//! Which objects go to disk: a pure decision.

use rayw_core::ObjectId;

/// An object that could go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: ObjectId,
    pub(crate) size: u64,
    /// When it was used last, as a count of uses.
    pub(crate) used: u64,
}

/// The least recently used candidates whose sizes together are at least `bytes`, or all of them.
pub(crate) fn victims(mut candidates: Vec<Candidate>, bytes: u64) -> Vec<ObjectId> {
    candidates.sort_by_key(|candidate| (candidate.used, candidate.id));
    let mut freed = 0;
    let needed = candidates.into_iter().take_while(|candidate| {
        let goes = freed < bytes;
        freed += candidate.size;
        goes
    });
    needed.map(|candidate| candidate.id).collect()
}
