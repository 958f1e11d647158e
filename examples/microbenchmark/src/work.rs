//! The tasks and actors that the rows start; named as Ray's, and as idle.

use std::time::Duration;

use rayw::{Bytes, ObjectRef};
use serde::{Deserialize, Serialize};

/// What everything answers with that has nothing to say.
fn ok() -> Bytes {
    Bytes::from(b"ok".as_slice())
}

#[rayw::task]
pub fn small_value() -> Bytes {
    ok()
}

/// The same, in a sandbox that serves again.
#[rayw::task(max_calls = 0)]
pub fn small_value_again() -> Bytes {
    ok()
}

/// Holds its cpu until it is cancelled.
#[rayw::task]
pub fn hold() -> Bytes {
    std::thread::sleep(Duration::from_secs(3600));
    ok()
}

#[rayw::task]
pub fn put_small(count: usize) -> rayw::Result<()> {
    (0..count).try_for_each(|_| rayw::put(&0).map(drop))
}

#[rayw::task]
pub fn put_large(count: usize, size: usize) -> rayw::Result<()> {
    (0..count).try_for_each(|_| rayw::put_bytes(vec![0; size]).map(drop))
}

/// An object that holds so many references.
#[rayw::task]
pub fn object_containing_refs(count: usize) -> rayw::Result<Vec<ObjectRef<i32>>> {
    (0..count).map(|_| rayw::put(&1)).collect()
}

/// Reads everything that it is given references to.
#[rayw::task]
pub fn sum(numbers: Vec<ObjectRef<u32>>) -> rayw::Result<u32> {
    Ok(rayw::get_all(numbers)?.into_iter().sum())
}

#[rayw::task(num_returns = 3000)]
pub fn many_returns() -> Vec<u32> {
    vec![1; 3000]
}

#[derive(Default)]
pub struct Actor;

#[rayw::actor(num_cpus = 0)]
impl Actor {
    pub fn small_value(&self) -> Bytes {
        ok()
    }

    pub fn small_value_arg(&self, _value: i32) -> Bytes {
        ok()
    }

    /// A client that submits tasks.
    pub fn small_value_batch(&self, count: usize) -> rayw::Result<()> {
        rayw::get_all((0..count).map(|_| small_value::remote())).map(drop)
    }
}

/// Sleeps while nobody calls it.
#[derive(Serialize, Deserialize)]
pub struct Sleeper {
    number: u32,
}

#[rayw::actor(num_cpus = 0, durable)]
impl Sleeper {
    pub fn new(number: u32) -> Self {
        Self { number }
    }

    pub fn number(&self) -> u32 {
        self.number
    }
}

/// A client that calls other actors.
pub struct Client {
    servers: Vec<ActorHandle>,
}

#[rayw::actor(num_cpus = 0)]
impl Client {
    pub fn new(servers: Vec<ActorHandle>) -> Self {
        Self { servers }
    }

    pub fn small_value_batch(&self, count: usize) -> rayw::Result<()> {
        let calls = self.servers.iter().flat_map(|server| (0..count).map(|_| server.small_value()));
        rayw::get_all(calls).map(drop)
    }

    pub fn small_value_batch_arg(&self, count: usize) -> rayw::Result<()> {
        let value = rayw::put(&0)?;
        let calls = self.servers.iter().flat_map(|server| (0..count).map(|_| server.small_value_arg(&value)));
        rayw::get_all(calls).map(drop)
    }
}

/// Calls the actors in turn.
#[rayw::task]
pub fn call_in_turn(actors: Vec<ActorHandle>, count: usize) -> rayw::Result<()> {
    let calls = actors.iter().cycle().take(count).map(ActorHandle::small_value);
    rayw::get_all(calls).map(drop)
}
