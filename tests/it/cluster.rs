//! Clusters of several processes on one machine: a head and nodes over the loopback network.
//!
//! ```text
//! support `Processes::start(2)`, and what is asked of the cluster
//! work    tasks, actors and objects on nodes other than their driver's
//! job     submitted jobs: names, stops, logs
//! death   nodes that are killed
//! examples every example while nodes are killed
//! group   placement groups, strategies, labels
//! restart the head that is killed, and started again from its journal
//! lost    what becomes of tasks, actors and objects of killed nodes
//! objects objects on their way between nodes
//! network networks of the tests' own: slow ones, and one that is cut and heals
//! namespaces the networks themselves, which take root
//! life    heads and nodes in the background: started, found, looked at, stopped
//! submission  jobs as people submit them: many at once, with folders, interrupted, broken
//! ```

mod death;
mod examples;
mod group;
mod job;
mod life;
mod lost;
mod namespaces;
mod network;
mod objects;
mod restart;
mod submission;
mod support;
mod work;
