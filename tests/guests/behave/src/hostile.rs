//! Guests that do what the SDK never would: the contract's functions by hand.

use std::io::Write as _;

use rayw::ObjectRef;
#[cfg(target_family = "wasm")]
use rayw::bindings::rayw::core::{
    objects, tasks,
    types::{Arg, Codec, Error, Handle, ObjectRef as Raw, Readings, TaskOptions, Value},
};

use crate::stage::{kind, told};
use crate::tasks::square;
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    unknown_functions,
    too_few_and_too_many_arguments,
    arguments_of_another_type,
    values_that_are_none,
    a_handle_dropped_twice,
    a_forged_handle,
    a_reference_that_a_value_does_not_have,
    more_than_a_guest_has_room_for,
    a_handle_of_a_neighbour,
    ids_are_no_capabilities,
    a_flood_of_lines,
    a_line_without_an_end,
    a_flood_of_the_driver,
    more_returns_than_allowed,
    a_task_that_submits_itself,
    many_handles,
];

fn no_options() -> TaskOptions {
    TaskOptions {
        name: None,
        num_cpus: None,
        memory: None,
        resources: Vec::new(),
        num_returns: None,
        max_retries: None,
        retry_exceptions: None,
        max_calls: None,
        timeout_ms: None,
        strategy: None,
        label_selector: Vec::new(),
    }
}

/// A small number in MessagePack.
fn number(number: u8) -> Value {
    Value { codec: Codec::Msgpack, data: vec![number], handles: Vec::new() }
}

fn text(text: &str) -> Value {
    let mut data = vec![0xa0 | text.len() as u8];
    data.extend_from_slice(text.as_bytes());
    Value { codec: Codec::Msgpack, data, handles: Vec::new() }
}

/// Submits and waits; the answer in words.
fn submit(function: &str, args: Vec<Value>) -> String {
    let args: Vec<Arg<'_>> = args.into_iter().map(Arg::Value).collect();
    let answer = tasks::submit(function, &args, &no_options(), None)
        .and_then(|refs| objects::get(&refs.iter().collect::<Vec<_>>(), None));
    match answer {
        Ok(values) => format!("{:?}", values.into_iter().map(|value| value.data).collect::<Vec<_>>()),
        Err(error) => shown(&error),
    }
}

fn shown(error: &Error) -> String {
    let kind = format!("{:?}", error.kind);
    let kind = kind.rsplit("::").next().unwrap_or_default();
    match error.causes.first() {
        Some(cause) => format!("{kind}: {} because of {cause}", error.message),
        None => format!("{kind}: {}", error.message),
    }
}

/// The same object as a reference to another type.
pub fn retyped<T, U>(object: &ObjectRef<T>) -> rayw::Result<ObjectRef<U>>
where
    ObjectRef<U>: for<'de> serde::Deserialize<'de>,
{
    let holder: ObjectRef<ObjectRef<T>> = rayw::put(object)?;
    // SAFETY: the type of a reference is a phantom; only what `get` decodes differs.
    let holder: ObjectRef<ObjectRef<U>> = unsafe { std::mem::transmute(holder) };
    holder.get()
}

fn unknown_functions() -> rayw::Result<()> {
    println!("{}", submit("square", vec![number(3)]));
    println!("{}", submit("sqare", vec![number(3)]));
    println!("{}", submit("", vec![]).split(';').next().unwrap_or_default());
    println!("{}", submit(&"x".repeat(100_000), vec![]).len() < 200_000);
    Ok(())
}

fn too_few_and_too_many_arguments() -> rayw::Result<()> {
    println!("{}", submit("square", vec![]));
    println!("{}", submit("square", vec![number(1), number(2)]));
    Ok(())
}

fn arguments_of_another_type() -> rayw::Result<()> {
    println!("{}", submit("square", vec![text("three")]));
    println!("{}", submit("square", vec![Value { codec: Codec::Raw, data: vec![3], handles: Vec::new() }]));
    Ok(())
}

fn values_that_are_none() -> rayw::Result<()> {
    for data in [vec![], vec![0xc1], vec![0xdf, 0xff, 0xff, 0xff, 0xff], vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'x']] {
        let value = Value { codec: Codec::Msgpack, data, handles: Vec::new() };
        println!("{}", submit("square", vec![value]).split(':').next().unwrap_or_default());
    }
    Ok(())
}

/// What the sandbox said to a crime, and that nobody else noticed.
fn harmless(crime: rayw::ObjectRef<()>) -> String {
    let answer = kind(crime.get());
    let others = square::remote(4).get();
    format!("{answer}, others: {}", told(others))
}

#[rayw::task(max_retries = 0)]
fn drop_twice() -> rayw::Result<()> {
    let object = objects::put(number(1)).map_err(rayw::Error::from)?;
    let handle = object.take_handle();
    // SAFETY: none; this is the crime.
    drop(unsafe { Raw::from_handle(handle) });
    drop(unsafe { Raw::from_handle(handle) });
    Ok(())
}

fn a_handle_dropped_twice() -> rayw::Result<()> {
    println!("{}", harmless(drop_twice::remote()));
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn forge(handle: u32) -> rayw::Result<()> {
    // SAFETY: none; this is the crime.
    let forged = unsafe { Raw::from_handle(handle) };
    let found = objects::get(&[&forged], Some(0));
    std::mem::forget(forged);
    found.map(drop).map_err(rayw::Error::from)
}

fn a_forged_handle() -> rayw::Result<()> {
    let _secret = rayw::put(&"a secret")?;
    for handle in [0, 1, 2, 1000, u32::MAX] {
        println!("{}", harmless(forge::remote(handle)));
    }
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn take_what_is_not_there(indices: Vec<u32>) -> rayw::Result<u32> {
    let refs = (0..100).map(|_| objects::put(number(1)).map(Handle::Object)).collect::<Result<_, _>>();
    let value = Value { codec: Codec::Msgpack, data: vec![1], handles: refs.map_err(rayw::Error::from)? };
    let object = objects::put(value).map_err(rayw::Error::from)?;
    let read = objects::read(&[&object], None).map_err(rayw::Error::from)?;
    let Readings::Each(read) = read else { return Err(rayw::Error::new("one value was packed")) };
    let contents = read[0].contents.as_ref().ok_or_else(|| rayw::Error::new("a long list was read at once"))?;
    Ok(contents.len() + contents.take(&indices).len() as u32)
}

fn a_reference_that_a_value_does_not_have() -> rayw::Result<()> {
    println!("{}", told(take_what_is_not_there::remote(vec![0, 99, 99]).get()));
    for indices in [vec![100], vec![u32::MAX], vec![0; 101]] {
        let taken = take_what_is_not_there::remote(indices).get();
        println!("{}, others: {}", kind(taken), told(square::remote(4).get()));
    }
    Ok(())
}

/// One object, so many times that the copies would be more than the node has.
#[rayw::task(max_retries = 0)]
fn read_again_and_again(bytes: u32, refs: u32, times: u32) -> rayw::Result<()> {
    let inner = objects::put(number(1)).map_err(rayw::Error::from)?;
    let handles = (0..refs).map(|_| Handle::Object(inner.clone())).collect();
    let value = Value { codec: Codec::Raw, data: vec![0; bytes as usize], handles };
    let object = objects::put(value).map_err(rayw::Error::from)?;
    objects::read(&vec![&object; times as usize], None).map(drop).map_err(rayw::Error::from)
}

fn more_than_a_guest_has_room_for() -> rayw::Result<()> {
    for (bytes, refs) in [(100_000, 0), (0, 63), (0, 10_000)] {
        let crime = read_again_and_again::options().memory("256MiB").remote(bytes, refs, 1_000_000);
        println!("{}", harmless(crime));
    }
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn forge_in_a_value(handle: u32) -> rayw::Result<()> {
    // SAFETY: none; this is the crime.
    let forged = unsafe { Raw::from_handle(handle) };
    let value = Value { codec: Codec::Msgpack, data: vec![1], handles: vec![Handle::Object(forged)] };
    objects::put(value).map(drop).map_err(rayw::Error::from)
}

fn a_handle_of_a_neighbour() -> rayw::Result<()> {
    println!("{}", harmless(forge_in_a_value::remote(1)));
    println!("{}", harmless(forge_in_a_value::remote(7)));
    Ok(())
}

/// A value that names the handle at this place, of which it has none.
#[rayw::task]
fn read_handles(refs: Vec<ObjectRef<u64>>) -> usize {
    refs.len()
}

fn ids_are_no_capabilities() -> rayw::Result<()> {
    let object = rayw::put(&vec![rayw::put(&1_u64)?])?;
    // The bytes of a value with a reference, without the reference.
    let bytes = rayw::bindings::rayw::core::objects::put(number(1)).map_err(rayw::Error::from)?;
    drop(bytes);
    let stolen = ids_only(&object)?;
    println!("{}", submit("read_handles", vec![stolen]).split(':').next().unwrap_or_default());
    Ok(())
}

fn ids_only(object: &ObjectRef<Vec<ObjectRef<u64>>>) -> rayw::Result<Value> {
    let holder = rayw::put(object)?;
    drop(holder);
    // One reference in a list, spelled as the SDK does it, but with no handle beside it.
    Ok(Value { codec: Codec::Msgpack, data: vec![0x91, 0x00], handles: Vec::new() })
}

#[rayw::task]
fn flood(lines: u64) {
    let line = [b'x'; 99];
    let mut out = std::io::stdout().lock();
    for _ in 0..lines {
        out.write_all(&line).and_then(|()| out.write_all(b"\n")).expect("stdout takes everything");
    }
}

fn a_flood_of_lines() -> rayw::Result<()> {
    // 25 MB each, and the limit of a task is 16 MiB.
    let floods: Vec<_> = (0..3).map(|_| flood::options().name("flood").remote(250_000)).collect();
    println!("others: {}", square::remote(4).get()?);
    rayw::get_all(&floods)?;
    println!("the driver's last line");
    Ok(())
}

#[rayw::task]
fn long_line(bytes: usize) {
    let mut out = std::io::stdout().lock();
    for _ in 0..bytes / 1000 {
        out.write_all(&[b'y'; 1000]).expect("stdout takes everything");
    }
    out.write_all(&[0xff, 0xfe, b'\n']).expect("stdout takes everything");
}

fn a_line_without_an_end() -> rayw::Result<()> {
    long_line::options().name("long").remote(1_000_000).get()?;
    println!("the driver's last line");
    Ok(())
}

fn a_flood_of_the_driver() -> rayw::Result<()> {
    flood(250_000);
    println!("{:?}", square::remote(4).get()?);
    rayw::exit(5)
}

#[rayw::task]
fn list(count: u32) -> Vec<u32> {
    (0..count).collect()
}

fn more_returns_than_allowed() -> rayw::Result<()> {
    let refs = list::options().num_returns(10_001).remote(10_001);
    println!("{}", told(refs[0].get()));
    let refs = list::options().num_returns(3000).remote(3000);
    println!("{}", rayw::get_all(&refs)?.iter().sum::<u32>());
    Ok(())
}

/// A bomb with a fuse: each one submits two more and waits for neither.
#[rayw::task]
fn bomb(fuse: u32) {
    if fuse > 0 {
        drop(bomb::remote(fuse - 1));
        drop(bomb::remote(fuse - 1));
    }
}

fn a_task_that_submits_itself() -> rayw::Result<()> {
    drop(bomb::remote(30));
    println!("{}", square::remote(4).get()?);
    Ok(())
}

/// As many references at once as the second argument says.
fn many_handles() -> rayw::Result<()> {
    let count = std::env::args().nth(2).and_then(|count| count.parse().ok()).unwrap_or(50_000);
    let start = std::time::Instant::now();
    let kept: Vec<_> = (0..count).map(|_| rayw::put(&1_u8)).collect::<Result<_, _>>()?;
    eprintln!("put after {:?}", start.elapsed());
    println!("{}", kept.len());
    drop(kept);
    eprintln!("dropped after {:?}", start.elapsed());
    println!("{}", square::remote(4).get()?);
    Ok(())
}
