//! The memory of one store: all its memories and tables together.

use wasmtime::{Error, ResourceLimiter, Result};

/// What an element of a table takes in the host.
const TABLE_ELEMENT_BYTES: u64 = 8;

/// The most that one wasm32 memory can address.
const WASM32_BYTES_MAX: u64 = 4 << 30;

/// A growth that was refused: how much the store would have had, and how much it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) wanted: u64,
    pub(crate) cap: u64,
}

/// Counts and caps.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    cap: u64,
    used: u64,
    /// Granted last, to be taken back when the growth fails for another reason.
    granted: u64,
    denied: Option<Denied>,
}

impl MemoryLimit {
    pub(crate) fn new(cap: u64) -> Self {
        Self { cap, used: 0, granted: 0, denied: None }
    }

    pub(crate) fn cap(&self) -> u64 {
        self.cap
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// The last refusal since [`forget`](Self::forget).
    pub(crate) fn denied(&self) -> Option<Denied> {
        self.denied
    }

    /// Refuses what could not fit before it is copied anywhere.
    pub(crate) fn admit(&mut self, wanted: u64) -> bool {
        let fits = wanted <= self.cap;
        if !fits {
            self.denied = Some(Denied { wanted, cap: self.cap });
        }
        fits
    }

    /// A new call begins: what an earlier one was refused does not explain its end.
    pub(crate) fn forget(&mut self) {
        self.denied = None;
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let more = desired.saturating_sub(current);
        let wanted = self.used.saturating_add(more);
        if wanted > self.cap {
            self.denied = Some(Denied { wanted, cap: self.cap });
            return false;
        }
        self.used = wanted;
        self.granted = more;
        true
    }

    fn take_back(&mut self) {
        let wanted = self.used;
        self.used -= self.granted;
        if self.granted > 0 {
            self.denied.get_or_insert(Denied { wanted, cap: self.cap.min(WASM32_BYTES_MAX) });
        }
        self.granted = 0;
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(current as u64, desired as u64))
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(current as u64 * TABLE_ELEMENT_BYTES, desired as u64 * TABLE_ELEMENT_BYTES))
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.take_back();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_added_up() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 60, None).unwrap());
        assert!(!limit.memory_growing(0, 50, None).unwrap());
        assert_eq!(limit.denied(), Some(Denied { wanted: 110, cap: 100 }));
        assert!(limit.table_growing(0, 5, None).unwrap());
        assert_eq!(limit.used(), 100);
    }

    #[test]
    fn a_growth_that_fails_elsewhere_is_not_counted() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 60, None).unwrap());
        assert!(limit.memory_growing(60, 90, None).unwrap());
        limit.memory_grow_failed(Error::msg("above its maximum")).unwrap();
        assert_eq!(limit.used(), 60);
    }
}
