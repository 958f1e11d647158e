//! Rows about placement groups.

use std::time::Duration;

use rayw::{Bundle, PlacementGroup, Strategy};

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing;

/// Groups of one batch.
const GROUPS: usize = 100;
/// How long one may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// A batch of groups of one small bundle, all awaited, all removed.
pub fn create_and_remove(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(GROUPS);
    let samples = timing::rate(arguments, count as f64, || {
        let create = |_| PlacementGroup::new([Bundle::new().num_cpus(0.001)], Strategy::Pack).create();
        let groups = (0..count).map(create).collect::<rayw::Result<Vec<_>>>()?;
        for group in &groups {
            assert!(group.wait(PATIENCE)?, "there is room for all of them");
        }
        groups.iter().try_for_each(PlacementGroup::remove)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}
