//! Rows about objects.

use rayw::Bytes;

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing;
use crate::work::{object_containing_refs, put_large, put_small, small_value};

/// Tasks that put at once, and what each puts.
const CLIENTS: usize = 10;
const PUTS_OF_CLIENT: usize = 100;
const LARGE_PUTS_OF_CLIENT: usize = 10;

/// 100 Mi numbers of 8 bytes, which Ray counts as 0.8 GB.
const LARGE: usize = 800 << 20;
/// A tenth of it.
const LARGE_OF_CLIENT: usize = 80 << 20;
const HUNDRED_MEBIBYTES: usize = 100 << 20;

const REFS_OF_OBJECT: usize = 10_000;
const REFS_OF_WAIT: usize = 1000;

pub fn get_calls(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let value = rayw::put(&0)?;
    let samples = timing::rate(arguments, 1.0, || value.get().map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn put_calls(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let samples = timing::rate(arguments, 1.0, || rayw::put(&0).map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn put_calls_of_many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(PUTS_OF_CLIENT);
    let samples = timing::rate(arguments, (CLIENTS * count) as f64, || {
        rayw::get_all((0..CLIENTS).map(|_| put_small::remote(count))).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// The same bytes again and again: they stay with the driver.
pub fn put_gigabytes(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let bytes = Bytes::from(vec![0; arguments.scaled(LARGE)]);
    let samples = timing::rate(arguments, 0.8 * arguments.scale, || rayw::put(&bytes).map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn put_gigabytes_of_many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let size = arguments.scaled(LARGE_OF_CLIENT);
    let samples = timing::rate(arguments, 8.0 * arguments.scale, || {
        rayw::get_all((0..CLIENTS).map(|_| put_large::remote(LARGE_PUTS_OF_CLIENT, size))).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// Bytes that are given away; making them does not count.
pub fn put_hundred_mebibytes(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let size = arguments.scaled(HUNDRED_MEBIBYTES);
    let samples = timing::rate_of(arguments, size as f64 / 1e9, || {
        let bytes = Bytes::from(vec![7; size]);
        timing::timed(|| rayw::put_bytes(bytes).map(drop))
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn get_of_refs(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let object = object_containing_refs::remote(arguments.scaled(REFS_OF_OBJECT));
    let samples = timing::rate(arguments, 1.0, || object.get().map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// Tasks, awaited one by one among all that are left.
pub fn wait(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(REFS_OF_WAIT);
    let samples = timing::rate(arguments, 1.0, || {
        let mut left: Vec<_> = (0..count).map(|_| small_value::remote()).collect();
        while !left.is_empty() {
            left = rayw::wait(&left, 1, None)?.1;
        }
        Ok(())
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}
