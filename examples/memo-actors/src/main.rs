//! The memo's second program: ten actors, each keeping a number of its own between calls.

use std::thread::sleep;
use std::time::Duration;

#[derive(Default)]
struct Counter {
    value: i64,
}

#[rayw::actor]
impl Counter {
    fn increment(&mut self) -> i64 {
        self.value += 1;
        self.value
    }

    fn value(&self) -> i64 {
        self.value
    }
}

/// The first argument is the pause before the end, in milliseconds: time to look at the actors.
#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pause = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let counters = create_counters()?;

    // Each counter once: ten actors, at the same time.
    println!("{:?}", rayw::get_all(counters.iter().map(|counter| counter.increment()))?);

    // The first one five times: one actor answers its calls one after the other, in order.
    println!("{:?}", rayw::get_all((0..5).map(|_| counters[0].increment()))?);

    println!("{:?}", rayw::get_all(counters.iter().map(|counter| counter.value()))?);

    sleep(Duration::from_millis(pause));
    Ok(())
}

/// Ten of them; an actor ends when its last handle goes.
fn create_counters() -> rayw::Result<Vec<CounterHandle>> {
    (0..10).map(|_| Counter::remote()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_value_of_its_own() {
        let counters = create_counters().unwrap();
        let five_times = (0..5).map(|_| counters[0].increment());
        assert_eq!(rayw::get_all(five_times).unwrap(), [1, 2, 3, 4, 5]);
        let values = rayw::get_all(counters.iter().map(|counter| counter.value())).unwrap();
        assert_eq!(values, [5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
