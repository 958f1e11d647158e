//! What programs see.

mod task;
