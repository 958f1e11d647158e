//! Soon.
pub const SCENARIOS: &[crate::Scenario] = crate::scenarios![];
