//! What the benchmarks do on several nodes: work that is placed on certain nodes and times itself.
//!
//! Arguments: the name of a scenario, and its sizes. Node number N offers the resource `node-N`.

use std::time::{Duration, Instant};

use rayw::{Bytes, ObjectRef};

/// Longer than any benchmark: whoever sleeps so long is killed before.
const LONG: Duration = Duration::from_secs(3600);

/// Bytes that nobody has seen before.
#[rayw::task]
fn make(size: usize) -> Bytes {
    Bytes::from(vec![7; size])
}

/// Waits until this node has the object too, without taking it into this sandbox.
#[rayw::task]
fn fetch(object: Vec<ObjectRef<Bytes>>) -> rayw::Result<()> {
    rayw::wait(&object, object.len(), None).map(drop)
}

/// Tells that it runs and goes on for ever, the first time; ends at once when it runs again.
#[rayw::task(num_cpus = 0, max_retries = 3)]
fn survivor(count: CountHandle) {
    if rayw::context().attempt == 0 {
        count.one_more();
        std::thread::sleep(LONG);
    }
}

/// Counts who runs.
#[derive(Default)]
struct Count {
    count: usize,
}

#[rayw::actor(num_cpus = 0)]
impl Count {
    #[rayw(num_returns = 0)]
    fn one_more(&mut self) {
        self.count += 1;
    }

    fn count(&self) -> usize {
        self.count
    }
}

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let scenario = args.next().unwrap_or_default();
    let sizes = args.map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
    match (scenario.as_str(), sizes.as_slice()) {
        ("broadcast", &[size, receivers]) => println!("seconds {}", broadcast(size, receivers)?.as_secs_f64()),
        ("killed", &[tasks]) => killed(tasks)?,
        _ => return Err(format!("there is no scenario `{scenario}` with {} sizes", sizes.len()).into()),
    }
    Ok(())
}

/// From the first node to so many others.
fn broadcast(size: usize, receivers: usize) -> rayw::Result<Duration> {
    let on = |node: usize| (format!("node-{node}"), 1.0);
    let (name, amount) = on(0);
    let object = make::options().resource(name, amount).remote(size);
    rayw::wait(&[object.clone()], 1, None)?;
    let started = Instant::now();
    let fetched = (1..=receivers).map(|node| {
        let (name, amount) = on(node);
        fetch::options().resource(name, amount).remote(vec![object.clone()])
    });
    rayw::get_all(fetched)?;
    Ok(started.elapsed())
}

/// Each task takes room of which only one node has enough.
fn killed(tasks: usize) -> rayw::Result<()> {
    // With the node that is killed the actor would be lost: it stays where the driver is.
    let count = Count::options().resource("head", 1.0).remote()?;
    let running: Vec<_> = (0..tasks).map(|_| survivor::options().resource("room", 1.0).remote(&count)).collect();
    while count.count().get()? < tasks {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("all run");
    rayw::get_all(running)?;
    println!("all done");
    Ok(())
}
