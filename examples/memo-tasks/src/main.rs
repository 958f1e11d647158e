//! The memo's first program: a function becomes a task, four of them run, their results come back.

use std::thread::sleep;
use std::time::Duration;

#[rayw::task]
fn example_function() -> u32 {
    println!("example_function was called.");
    1
}

/// Calls the task four times. The first argument is the pause after each call, in milliseconds.
#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pause = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let mut results = Vec::new();
    for _ in 0..4 {
        results.push(example_function::remote());
        sleep(Duration::from_millis(pause));
    }
    println!("result:  {:?}", rayw::get_all(results)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_answers_with_one() {
        let results = [(); 4].map(|()| example_function::remote());
        assert_eq!(rayw::get_all(results).unwrap(), [1, 1, 1, 1]);
    }

    #[test]
    fn a_task_is_still_a_function() {
        assert_eq!(example_function(), 1);
    }
}
