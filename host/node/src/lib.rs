//! A node: runs leased work and owns the work that its guests submit.
