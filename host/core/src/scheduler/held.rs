//! What a demand that was passed too often keeps from those behind it.
//!
//! It waits for one resource at a time, the scarcest first: custom ones, then memory, then cpus. It keeps
//! the first that no place has free for it together with those before, and those before; what comes after
//! in that order is left to others, who may need it to give back what is waited for. A blocked task that
//! holds memory and waits for its child must not be waited for by who keeps the child's cpu.
//!
//! So a large demand does not starve: what it keeps nobody behind it takes, as soon as that is free it
//! keeps the next resource too, and in the end all.

use std::sync::Arc;

use super::Scheduler;
use super::line::Want;
use super::places::Look;
use super::rooms::Room;
use super::spot::{Refusal, Spot, Wish};
use crate::{NodeId, Placement, Resources};

/// What is kept from those behind a demand, and where.
#[derive(Debug)]
pub(super) struct Held {
    what: Resources,
    /// A node that does not have so much in all is of no use to the demand.
    whole: Resources,
    /// The places that come into question, where not all do.
    spots: Option<Vec<Spot>>,
}

impl Held {
    /// Whether this keeps all that the other one keeps, from the same who stand behind both: then the
    /// other one need not be asked. Of many demands that lack the same, few are left by that.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.what.has_kinds_of(&other.what)
            && self.spots == other.spots
            && (self.spots.is_some() || other.whole.fits(&self.whole) > 0)
    }

    /// Whether somebody wants some of what is kept.
    pub(super) fn overlaps(&self, need: &Resources) -> bool {
        self.what.overlaps(need)
    }
}

fn wish<'a>(need: &'a Resources, footprint: &'a Resources, placement: &'a Placement) -> Wish<'a> {
    Wish { need, footprint, placement, near: None, by: NodeId([0; 16]) }
}

/// One resource after the other, the scarcest first.
fn by_scarcity(of: &Resources) -> impl Iterator<Item = Resources> + '_ {
    let custom = of.custom().map(|(name, amount)| Resources::default().with_custom(name, amount));
    let others = [Resources::default().with_memory(of.memory), Resources::cpus(of.cpu)];
    custom.chain(others).filter(|one| !one.is_empty())
}

impl Scheduler {
    /// What a demand that finds no room keeps; `need` is all that it lacks.
    pub(super) fn hold(&mut self, want: &Want, need: &Resources) -> Held {
        let mut held = Held { what: Resources::default(), whole: Resources::default(), spots: None };
        if let Want::Work { footprint, placement, .. } = want {
            match self.named_spots(&wish(need, footprint, placement)) {
                Ok(spots) => held.spots = spots,
                // There is no place yet that others could take.
                Err(Refusal::Busy | Refusal::Infeasible | Refusal::Never(_)) => return held,
            }
            held.whole = need.clone();
            held.whole.cover(footprint);
        }
        for one in by_scarcity(need) {
            held.what.cover(&one);
            if !self.is_free_for(want, &held) {
                break;
            }
        }
        held
    }

    /// Whether a place has all that is kept. Of a group it is enough that all nodes together have it: to
    /// say so too often has more kept than need be, never less.
    fn is_free_for(&mut self, want: &Want, held: &Held) -> bool {
        match (want, &held.spots) {
            (Want::Group(_), _) => self.nodes.free_sum().fits(&held.what) > 0,
            (Want::Work { .. }, Some(spots)) => spots.iter().any(|spot| self.room(*spot).fits(&held.what) > 0),
            (Want::Work { placement, .. }, None) => {
                let (room, selector) = (Room::Free, &placement.selector);
                self.nodes.first(&Look { room, need: &held.what, footprint: &held.whole, selector }, 0).is_some()
            }
        }
    }

    /// Whether somebody behind could take what is kept: it wants some of it, and could get it now from a
    /// place of which the one who keeps it has use.
    pub(super) fn is_kept_from(&mut self, held: &Held, want: &Want, pieces: &[Resources]) -> bool {
        let anywhere = Arc::<Placement>::default();
        let (footprint, placement) = match want {
            Want::Work { footprint, placement, .. } => (Some(footprint), placement),
            Want::Group(_) => (None, &anywhere),
        };
        pieces.iter().filter(|piece| held.overlaps(piece)).any(|piece| {
            let footprint = footprint.map_or(piece, AsRef::as_ref);
            let spots = match want {
                Want::Work { .. } => self.named_spots(&wish(piece, footprint, placement)),
                Want::Group(_) => Ok(None),
            };
            let selector = &placement.selector;
            match (spots, &held.spots) {
                (Err(_), _) => false,
                (Ok(Some(spots)), Some(kept)) => {
                    spots.iter().any(|spot| kept.contains(spot) && self.room(*spot).fits(piece) > 0)
                }
                (Ok(Some(spots)), None) => spots.iter().any(|spot| {
                    let node = &self.nodes[spot.node];
                    let is_large = spot.bundle.is_none() && node.total.fits(&held.whole) > 0;
                    is_large && node.available.fits(piece) > 0
                }),
                (Ok(None), Some(kept)) => kept.iter().any(|spot| {
                    let look = Look { room: Room::Free, need: piece, footprint, selector };
                    spot.bundle.is_none() && self.nodes[spot.node].holds(&look)
                }),
                (Ok(None), None) => {
                    let mut whole = footprint.clone();
                    whole.cover(&held.whole);
                    let look = Look { room: Room::Free, need: piece, footprint: &whole, selector };
                    self.nodes.first(&look, 0).is_some()
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Amount;

    fn held(cpus: u64, seats: u64) -> Held {
        let what = Resources::cpus(Amount::ONE).with_custom("seat", Amount::ONE);
        let whole = Resources::cpus(Amount(cpus)).with_custom("seat", Amount(seats));
        Held { what, whole, spots: None }
    }

    #[test]
    fn who_fits_on_more_nodes_keeps_what_others_keep_of_the_same_resources() {
        assert!(held(1, 1).includes(&held(1, 1)) && held(1, 1).includes(&held(1, 2)));
        assert!(!held(1, 2).includes(&held(1, 1)), "a smaller node is of use to that one alone");
        let cpus_only = Held { what: Resources::cpus(Amount::ONE), ..held(1, 1) };
        assert!(held(1, 1).includes(&cpus_only) && !cpus_only.includes(&held(1, 1)));
    }
}
