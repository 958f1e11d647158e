//! A number that may be absent, in no more room than one that is there: of what carries it there may be millions.

use std::num::NonZeroU64;

/// A number below `u64::MAX`, of which an `Option` takes no room beside it: kept as one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compact(NonZeroU64);

impl Compact {
    /// That number; the largest of all counts as the one below it.
    pub(super) fn new(number: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(number))
    }

    /// The number.
    pub(super) fn get(self) -> u64 {
        self.0.get() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_number_takes_no_room_and_each_one_survives() {
        assert_eq!(size_of::<Option<Compact>>(), 8);
        for number in [0, 1, u64::MAX - 1] {
            assert_eq!(Compact::new(number).get(), number);
        }
        assert_eq!(Compact::new(u64::MAX).get(), u64::MAX - 1);
    }
}
