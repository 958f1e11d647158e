//! The memo's third program: references inside a list reach a task as references, not as values.

use std::thread::sleep;
use std::time::Duration;

use rayw::ObjectRef;

/// Prints the references, sleeps, and only then asks for the values.
#[rayw::task]
fn print_values(objects: Vec<ObjectRef<i64>>, pause_ms: u64) -> rayw::Result<()> {
    println!("{objects:?}");
    sleep(Duration::from_millis(pause_ms));
    println!("{:?}", rayw::get_all(&objects)?);
    Ok(())
}

/// The first argument is how long the task sleeps, in milliseconds: time to look at the objects.
#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pause_ms: u64 = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let objects = put_numbers()?;
    print_values::remote(&objects, pause_ms).get()?;
    Ok(())
}

fn put_numbers() -> rayw::Result<Vec<ObjectRef<i64>>> {
    [1, 2, 3].iter().map(rayw::put).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_gets_what_the_references_refer_to() {
        let objects = put_numbers().unwrap();
        assert_eq!(rayw::get_all(&objects).unwrap(), [1, 2, 3]);
        print_values::remote(&objects, 0).get().unwrap();
    }
}
