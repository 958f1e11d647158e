//! The control plane: membership, leases, actors, jobs.
