//! One property: a channel that loses, doubles and swaps changes nothing about what comes out.

use proptest::prelude::*;

use super::{Batch, Inbound, Outbound};

/// What happens to a link.
#[derive(Debug, Clone)]
enum Step {
    Push,
    Send { bytes_max: usize },
    Deliver { which: usize, again: bool },
    LoseBatch { which: usize },
    Confirm { which: usize, again: bool },
    MakeSafe { taken: usize },
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Push),
        3 => (1_usize..5).prop_map(|bytes_max| Step::Send { bytes_max }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Step::Deliver { which, again }),
        1 => any::<usize>().prop_map(|which| Step::LoseBatch { which }),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Step::Confirm { which, again }),
        3 => any::<usize>().prop_map(|taken| Step::MakeSafe { taken }),
        1 => Just(Step::Reconnect),
    ]
}

/// The two ends, and what is under way between them in no order.
#[derive(Default)]
struct Wire {
    outbound: Outbound<u64>,
    inbound: Inbound,
    batches: Vec<Batch<u64>>,
    confirmations: Vec<u64>,
    pushed: u64,
    taken: Vec<u64>,
}

impl Wire {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Push => {
                self.pushed += 1;
                self.outbound.push(self.pushed, 1);
            }
            Step::Send { bytes_max } => self.batches.extend(self.outbound.batch(bytes_max)),
            Step::Deliver { which, again } => {
                if let Some(batch) = pick(&mut self.batches, which, again) {
                    self.deliver(&batch);
                }
            }
            Step::LoseBatch { which } => drop(pick(&mut self.batches, which, false)),
            Step::Confirm { which, again } => {
                if let Some(last) = pick(&mut self.confirmations, which, again) {
                    // It can be ahead of what was sent since the last reconnection, and that is no fault of anybody's.
                    self.outbound.confirmed(last).unwrap();
                }
            }
            Step::MakeSafe { taken } => {
                let last = (taken as u64).checked_rem(self.inbound.last() + 1).unwrap_or(0);
                self.inbound.confirm(last);
                self.confirmations.push(self.inbound.confirmed());
            }
            Step::Reconnect => self.outbound.reconnected(self.inbound.confirmed()).unwrap(),
        }
    }

    fn deliver(&mut self, batch: &Batch<u64>) {
        if let Ok(known) = self.inbound.take(batch.first, batch.payloads.len()) {
            self.taken.extend(&batch.payloads[known..]);
        }
    }
}

fn pick<T: Clone>(things: &mut Vec<T>, which: usize, again: bool) -> Option<T> {
    let index = which.checked_rem(things.len())?;
    Some(if again { things[index].clone() } else { things.swap_remove(index) })
}

proptest! {
    #[test]
    fn everything_comes_once_and_in_order(steps in prop::collection::vec(step(), 0..200)) {
        let mut wire = Wire::default();
        for step in &steps {
            wire.run(step);
        }
        wire.run(&Step::Reconnect);
        while let Some(batch) = wire.outbound.batch(3) {
            wire.deliver(&batch);
        }
        prop_assert_eq!(&wire.taken, &(1..=wire.pushed).collect::<Vec<_>>());
        wire.inbound.confirm(wire.pushed);
        wire.outbound.confirmed(wire.inbound.confirmed()).unwrap();
        prop_assert_eq!(wire.outbound.bytes(), 0);
    }
}

#[test]
fn what_was_taken_and_is_not_safe_is_kept_over_a_new_connection() {
    let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
    ['a', 'b'].into_iter().for_each(|payload| outbound.push(payload, 1));
    outbound.batch(9);
    assert_eq!(inbound.take(1, 2), Ok(0));
    inbound.confirm(1);
    outbound.reconnected(inbound.confirmed()).unwrap();
    assert_eq!(outbound.batch(9), Some(Batch { first: 2, payloads: vec!['b'] }));
    assert_eq!(inbound.take(2, 1), Ok(1), "it is not given on twice");
    assert_eq!(outbound.into_unconfirmed(), ['b']);
}

#[test]
fn what_was_taken_before_a_new_connection_may_be_confirmed_before_it_is_sent_again() {
    let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
    ['a', 'b', 'c'].into_iter().for_each(|payload| outbound.push(payload, 1));
    outbound.batch(9);
    assert_eq!(inbound.take(1, 3), Ok(0));
    outbound.reconnected(inbound.confirmed()).unwrap();
    assert_eq!(outbound.batch(1), Some(Batch { first: 1, payloads: vec!['a'] }));
    // All that was taken is safe by now.
    assert_eq!((inbound.take(1, 1), inbound.last()), (Ok(1), 3));
    outbound.confirmed(inbound.last()).unwrap();
    assert_eq!((outbound.bytes(), outbound.has_unsent()), (0, false));
    outbound.push('d', 1);
    assert_eq!(outbound.batch(9), Some(Batch { first: 4, payloads: vec!['d'] }));
    assert_eq!(inbound.take(4, 1), Ok(0));
}

#[test]
fn what_was_never_sent_cannot_be_confirmed() {
    let mut outbound = Outbound::default();
    ['a', 'b'].into_iter().for_each(|payload| outbound.push(payload, 1));
    outbound.batch(1);
    assert!(outbound.confirmed(2).is_err() && outbound.reconnected(2).is_err());
    outbound.confirmed(1).unwrap();
    assert_eq!(outbound.batch(9), Some(Batch { first: 2, payloads: vec!['b'] }));
}

#[test]
fn a_gap_is_refused() {
    let mut inbound = Inbound::default();
    assert_eq!(inbound.take(1, 2), Ok(0));
    assert!(inbound.take(4, 1).is_err());
    assert_eq!((inbound.take(2, 2), inbound.last()), (Ok(1), 3));
}

#[test]
fn a_receiver_that_forgot_is_noticed() {
    let mut outbound = Outbound::default();
    outbound.push('a', 1);
    outbound.batch(9);
    outbound.confirmed(1).unwrap();
    assert!(outbound.reconnected(0).is_err());
    assert!(outbound.confirmed(2).is_err());
}

#[test]
fn a_batch_has_one_message_at_least() {
    let mut outbound = Outbound::default();
    outbound.push('a', 100);
    outbound.push('b', 1);
    assert_eq!(outbound.batch(10), Some(Batch { first: 1, payloads: vec!['a'] }));
    assert_eq!(outbound.batch(10), Some(Batch { first: 2, payloads: vec!['b'] }));
    assert_eq!(outbound.batch(10), None);
}
