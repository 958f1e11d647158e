//! The rows. Names and what they stand for are those of `ray microbenchmark`, where it has them.

mod actors;
mod groups;
mod objects;
mod sizes;
mod tasks;

use crate::arguments::Arguments;

/// One thing that is measured.
pub struct Row {
    /// As in Ray, where Ray has it.
    pub name: &'static str,
    /// Whether it wants a cluster of its own, because of what it leaves behind.
    pub alone: bool,
    /// Measures it and tells the result.
    pub run: fn(&'static str, &Arguments) -> rayw::Result<()>,
}

impl Row {
    const fn new(name: &'static str, run: fn(&'static str, &Arguments) -> rayw::Result<()>) -> Self {
        Self { name, alone: false, run }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

/// All of them, in Ray's order; those that Ray does not have stand behind.
pub const ALL: &[Row] = &[
    Row::new("single client get calls (Plasma Store)", objects::get_calls),
    Row::new("single client put calls (Plasma Store)", objects::put_calls),
    Row::new("multi client put calls (Plasma Store)", objects::put_calls_of_many),
    Row::new("single client put gigabytes", objects::put_gigabytes),
    Row::new("single client tasks and get batch", tasks::batch),
    Row::new("multi client put gigabytes", objects::put_gigabytes_of_many),
    Row::new("single client get object containing 10k refs", objects::get_of_refs),
    Row::new("single client wait 1k refs", objects::wait),
    Row::new("single client tasks sync", tasks::one_by_one),
    Row::new("single client tasks async", tasks::many),
    Row::new("multi client tasks async", tasks::many_of_many),
    Row::new("1:1 actor calls sync", actors::one_by_one),
    Row::new("1:1 actor calls async", actors::many),
    Row::new("1:n actor calls async", actors::one_to_many),
    Row::new("n:n actor calls async", actors::many_to_many),
    Row::new("n:n actor calls with arg async", actors::many_to_many_with_argument),
    Row::new("placement group create/removal", groups::create_and_remove),
    Row::new("single client tasks async with reuse", tasks::many_with_reuse),
    Row::new("single client put gigabytes of 100 MiB values", objects::put_hundred_mebibytes),
    Row::new("actors created and ready", actors::created),
    Row::new("10000 args to one task", sizes::arguments),
    Row::new("3000 returns of one task", sizes::returns),
    Row::new("get of 10000 objects", sizes::get),
    Row::new("1000000 tasks queued", sizes::queue).alone(),
    Row::new("100000 actors asleep", sizes::sleepers).alone(),
];
