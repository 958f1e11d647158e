//! Objects that are elsewhere: fetched once however many wait, kept as copies.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rayw_core::ownership::{Event, Found, Input, LostCopy, Stored};
use rayw_core::{Error, ErrorKind, NodeId, ObjectId, Value, limits};
use tokio::sync::Semaphore;

use crate::Node;
use crate::network::FetchError;
use crate::turns::Turns;

/// How long to wait before a node that cannot be reached is tried again: until the head has found out
/// whether it lives.
const RETRY: Duration = Duration::from_millis(50);

/// Objects that are being fetched, or read from a file: who comes second waits for the first, and gets what
/// that one got, as long as somebody reads it, also where the store had no room for it.
#[derive(Debug)]
pub(crate) struct Fetches {
    turns: Turns<ObjectId, Weak<Value>>,
    /// Places for objects that are brought here because their nodes leave.
    moves: Semaphore,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { turns: Turns::default(), moves: Semaphore::new(limits::MOVES_AT_ONCE_MAX) }
    }
}

/// Why a value is not here.
#[derive(Debug)]
pub(crate) enum Missing {
    /// It is not where it was said to be: the owner must say again where it is, or have it made again.
    Lost(Vec<LostCopy>),
    /// It cannot be had.
    Failed(Error),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Node {
    /// Arguments as values; those that are elsewhere are fetched.
    pub(crate) async fn inputs(self: &Arc<Self>, inputs: &[Input]) -> Result<Vec<Arc<Value>>, Missing> {
        let mut values = Vec::with_capacity(inputs.len());
        let mut lost = Vec::new();
        for input in inputs {
            match input {
                Input::Inline(value) => values.push(Arc::clone(value)),
                // In a box, so that a call without such inputs does not carry all that fetching takes.
                Input::Stored(stored) => match Box::pin(self.bring(stored)).await {
                    Ok(value) => values.push(value),
                    Err(Missing::Lost(copies)) => lost.extend(copies),
                    Err(failed @ Missing::Failed(_)) => return Err(failed),
                },
            }
        }
        if lost.is_empty() { Ok(values) } else { Err(Missing::Lost(lost)) }
    }

    /// The values that a wait found.
    pub(crate) async fn found(self: &Arc<Self>, found: Vec<Found>) -> Result<Vec<Arc<Value>>, Missing> {
        let mut values = Vec::with_capacity(found.len());
        let mut lost = Vec::new();
        for found in found {
            match found {
                Found::Inline(value) => values.push(value),
                Found::Stored(stored) => match self.bring(&stored).await {
                    Ok(value) => values.push(value),
                    Err(Missing::Lost(copies)) => lost.extend(copies),
                    Err(failed @ Missing::Failed(_)) => return Err(failed),
                },
            }
        }
        if lost.is_empty() { Ok(values) } else { Err(Missing::Lost(lost)) }
    }

    /// The value of an object in stores: from this node's, or from another's.
    pub(crate) async fn bring(self: &Arc<Self>, stored: &Stored) -> Result<Arc<Value>, Missing> {
        let id = stored.object;
        if let Some(value) = self.store.get_from_memory(id) {
            return Ok(value);
        }
        let turn = self.fetches.turns.of(id);
        let mut came = turn.take().await;
        let here = match came.upgrade() {
            Some(value) => Some(value),
            None => self.load(id).await,
        };
        let result = match here {
            Some(value) => Ok(value),
            None => self.pull(stored).await,
        };
        if let Ok(value) = &result {
            *came = Arc::downgrade(value);
        }
        drop(came);
        result
    }

    /// The value of an object in this node's store. One that was spilled and cannot be read again is
    /// dropped: its owner then finds another copy, or has it made again.
    async fn load(self: &Arc<Self>, id: ObjectId) -> Option<Arc<Value>> {
        if let Some(value) = self.store.get_from_memory(id) {
            return Some(value);
        }
        if !self.store.contains(id) {
            return None;
        }
        let node = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let read = node.store.get(id);
            if read.is_err() {
                node.store.forget(id);
            }
            read
        });
        match read.await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                tracing::warn!(object = %id, %error, "a spilled object is lost");
                None
            }
            Err(_) => None,
        }
    }

    /// Fetches an object from those who should have it. Once it is not there, the owner must speak.
    async fn pull(self: &Arc<Self>, stored: &Stored) -> Result<Arc<Value>, Missing> {
        let lost = |missing_at: Vec<NodeId>| Missing::Lost(vec![LostCopy { object: stored.object, missing_at }]);
        let since = Instant::now();
        loop {
            let alive: Vec<NodeId> =
                stored.at.iter().copied().filter(|node| *node != self.id && !self.is_dead(*node)).collect();
            if alive.is_empty() {
                return Err(lost(stored.at.clone()));
            }
            match self.network.fetch(alive.clone(), stored.object).await {
                Ok(value) => {
                    tracing::debug!(object = %stored.object, bytes = value.data.len(), "an object came");
                    let value = Arc::new(value);
                    self.keep_copy(stored, &value);
                    return Ok(value);
                }
                Err(FetchError::NotHere(mut missing)) => {
                    missing.push(self.id);
                    return Err(lost(missing));
                }
                // Others have it by now: the owner knows who.
                Err(FetchError::Busy) => return Err(lost(Vec::new())),
                Err(FetchError::Unreachable(why)) if since.elapsed() > limits::FETCH_TIMEOUT => {
                    let message = format!(
                        "object `{}` could not be fetched in {:?}: {why}; `rayw list nodes` shows who is there",
                        stored.object,
                        limits::FETCH_TIMEOUT
                    );
                    return Err(Missing::Failed(Error::new(ErrorKind::ObjectLost, message)));
                }
                Err(FetchError::Unreachable(_)) => self.sleep(RETRY).await,
            }
        }
    }

    /// Keeps what was fetched, where there is room for it. Whoever asked has it in any case.
    fn keep_copy(self: &Arc<Self>, stored: &Stored, value: &Arc<Value>) {
        if self.store.put_copy(stored.object, value) {
            self.handle(Event::Copied { object: stored.object, owner: stored.owner });
        }
    }

    /// Has a primary copy of an object of this node's here: those who have it are to leave.
    pub(crate) fn move_here(self: &Arc<Self>, stored: Stored) {
        let node = Arc::clone(self);
        let moving = async move {
            let since = Instant::now();
            let Ok(_place) = node.fetches.moves.acquire().await else { return };
            let mut wanted = stored;
            while since.elapsed() < limits::FETCH_TIMEOUT {
                match node.bring(&wanted).await {
                    Ok(value) => return node.keep_moved(wanted.object, value).await,
                    Err(Missing::Failed(error)) => {
                        return tracing::warn!(object = %wanted.object, %error, "an object cannot be moved");
                    }
                    Err(Missing::Lost(copies)) => node.handle(Event::CopiesMissing(copies)),
                }
                // It may be elsewhere, or dropped, by now.
                let found = node.lock().ownership.found(wanted.object);
                match found {
                    Some(Found::Stored(stored)) => wanted = *stored,
                    Some(Found::Inline(_)) | None => return,
                }
            }
        };
        let ending = self.ending.clone();
        let moving = async move { ending.run_until_cancelled(moving).await.unwrap_or_default() };
        self.tracker.spawn_on(moving, &self.control);
    }

    async fn keep_moved(self: &Arc<Self>, object: ObjectId, value: Arc<Value>) {
        let node = Arc::clone(self);
        let kept = tokio::task::spawn_blocking(move || node.store.put(object, value.as_ref().clone())).await;
        match kept {
            Ok(Ok(())) => {
                tracing::debug!(%object, "an object moved here");
                self.handle(Event::Moved(object));
            }
            Ok(Err(error)) => tracing::warn!(%object, %error, "an object cannot be moved"),
            Err(_) => {}
        }
    }

    /// Bytes that have to be read from a file to open an object; 0 when it is in memory, or not here.
    #[must_use]
    pub fn spilled_bytes(&self, object: ObjectId) -> u64 {
        self.store.spilled_bytes(object)
    }

    /// The value of an object, for another node; reads a file when it was spilled.
    pub async fn open(self: Arc<Self>, object: ObjectId) -> Option<Arc<Value>> {
        self.load(object).await
    }
}
