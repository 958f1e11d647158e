//! Jobs at the same time: what one leaves in its sandboxes, no other one finds.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::stage::{pause_over, until};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![sandboxes_that_remember];

thread_local! {
    static SIGNATURES: RefCell<BTreeMap<String, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// Leaves a name in this sandbox; answers with all that were left in it, and how often each.
#[rayw::task(max_calls = 0)]
fn sign(name: String) -> BTreeMap<String, u32> {
    SIGNATURES.with_borrow_mut(|signatures| {
        *signatures.entry(name).or_default() += 1;
        signatures.clone()
    })
}

/// The job that is called so signs until it has seen a sandbox again, and goes on for as long as it is told to stay.
fn sandboxes_that_remember() -> rayw::Result<()> {
    let mut arguments = std::env::args().skip(2);
    let (name, stays_until) = (arguments.next().unwrap_or_default(), arguments.next());
    let mut names = BTreeMap::new();
    let mut signs_again = || {
        let signatures = sign::remote(name.clone()).get().expect("the task runs");
        let is_again = signatures.get(&name).is_some_and(|times| *times > 1);
        names.extend(signatures);
        is_again
    };
    until("a sandbox that this job has signed before", &mut signs_again);
    if let Some(step) = stays_until {
        pause_over(&step, || _ = signs_again());
    }
    println!("in the sandboxes of {name}: {:?}", names.keys().collect::<Vec<_>>());
    Ok(())
}
