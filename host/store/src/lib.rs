//! The objects of one node: memory, limits, spill.
