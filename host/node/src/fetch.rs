//! Objects that are elsewhere: fetched once however many wait, kept as copies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayw_core::ownership::{Event, Found, Input, LostCopy, Stored};
use rayw_core::{Error, ErrorKind, IdMap, NodeId, ObjectId, Value, limits};

use crate::Node;
use crate::network::FetchError;

/// How long to wait before a node that cannot be reached is tried again: until the head has found out
/// whether it lives.
const RETRY: Duration = Duration::from_millis(50);

/// How long to wait before those who have an object are asked for again, when all were busy.
const BUSY: Duration = Duration::from_millis(2);

/// Objects that are being fetched: who comes second waits for the first.
#[derive(Debug, Default)]
pub(crate) struct Fetches(Mutex<IdMap<ObjectId, Arc<tokio::sync::Mutex<()>>>>);

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
                Input::Stored(stored) => match self.bring(stored).await {
                    Ok(value) => values.push(value),
                    Err(Missing::Lost(copies)) => lost.extend(copies),
                    Err(failed @ Missing::Failed(_)) => return Err(failed),
                },
            }
        }
        if lost.is_empty() { Ok(values) } else { Err(Missing::Lost(lost)) }
    }

    /// The values that a wait found.
    pub(crate) async fn found(self: &Arc<Self>, found: &[Found]) -> Result<Vec<Arc<Value>>, Missing> {
        let mut values = Vec::with_capacity(found.len());
        let mut lost = Vec::new();
        for found in found {
            match found {
                Found::Inline(value) => values.push(Arc::clone(value)),
                Found::Stored(stored) => match self.bring(stored).await {
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
        if self.store.contains(id) {
            return self.load(id).map_err(Missing::Failed);
        }
        let turn = {
            let mut fetches = self.fetches.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetches.entry(id).or_default())
        };
        let result = {
            let _turn = turn.lock().await;
            if self.store.contains(id) { self.load(id).map_err(Missing::Failed) } else { self.pull(stored).await }
        };
        let mut fetches = self.fetches.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The table has one, this call has one: nobody else waits.
        if Arc::strong_count(&turn) <= 2 {
            fetches.remove(&id);
        }
        result
    }

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
                    let value = self.keep_copy(stored, value)?;
                    return Ok(value);
                }
                Err(FetchError::NotHere) => {
                    let mut missing = alive;
                    missing.push(self.id);
                    return Err(lost(missing));
                }
                Err(FetchError::Busy) => {
                    self.sleep(BUSY).await;
                    return Err(lost(Vec::new()));
                }
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

    fn keep_copy(self: &Arc<Self>, stored: &Stored, value: Value) -> Result<Arc<Value>, Error> {
        let value_again = value.clone();
        if self.store.has_room(value.size()) {
            self.store.put_copy(stored.object, value)?;
        } else if let Err(error) = tokio::task::block_in_place(|| self.store.put_copy(stored.object, value)) {
            // Whoever asked gets it all the same; the next one fetches it again.
            tracing::warn!(object = %stored.object, %error, "no room for a copy");
            return Ok(Arc::new(value_again));
        }
        self.handle(Event::Copied { object: stored.object, owner: stored.owner });
        Ok(Arc::new(value_again))
    }

    /// The value of an object, for another node; reads a file when it was spilled.
    pub async fn open(self: Arc<Self>, object: ObjectId) -> Option<Arc<Value>> {
        if !self.store.contains(object) {
            return None;
        }
        let store = Arc::clone(&self);
        tokio::task::spawn_blocking(move || store.store.get(object).ok()).await.ok().flatten()
    }
}
