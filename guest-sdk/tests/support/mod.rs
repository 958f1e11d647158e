//! A gate that tasks wait at until the test opens it: order without sleeping.
//!
//! Who waits is an actor, which holds no slot; so tests that run side by side
//! never keep each other from running.
#![allow(dead_code, reason = "not every test binary needs everything")]
#![expect(clippy::unwrap_used, reason = "tests panic when something is wrong")]

use std::collections::HashSet;
use std::sync::{Condvar, Mutex};

static OPEN: Mutex<Option<HashSet<String>>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// Lets pass who waits at the gate, now and later.
pub(crate) fn open(gate: &str) {
    OPEN.lock().unwrap().get_or_insert_default().insert(gate.to_owned());
    CHANGED.notify_all();
}

/// Waits until the gate is open. Only for threads that hold no slot.
pub(crate) fn pass(gate: &str) {
    let mut open = OPEN.lock().unwrap();
    while !open.get_or_insert_default().contains(gate) {
        open = CHANGED.wait(open).unwrap();
    }
}

#[derive(Default)]
pub(crate) struct Porter;

#[rayw::actor]
impl Porter {
    /// Answers with the number when the gate is open.
    pub(crate) fn number_after(&self, gate: String, number: u64) -> u64 {
        pass(&gate);
        number
    }
}

/// A number that is there when the gate is open.
pub(crate) fn number_after(gate: &str, number: u64) -> rayw::ObjectRef<u64> {
    Porter::remote().unwrap().number_after(gate, number)
}
