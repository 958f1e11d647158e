//! The rows of `ray microbenchmark`, and some more: this driver and the tasks and actors that it
//! starts make the load and time it, as a user's would.
//!
//! `rayw microbenchmark` runs it and shows what it prints; `rayw run` runs it as well. Each row is
//! measured as Ray measures it: it warms up, then goes some rounds of some seconds each, and its
//! result is the mean of the rounds with their standard deviation.

mod arguments;
mod report;
mod rows;
mod timing;
mod work;

use arguments::Arguments;

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse()?;
    if arguments.first_task {
        work::small_value::remote().get()?;
        println!("first task done");
        return Ok(());
    }
    let chosen: Vec<_> = rows::ALL.iter().filter(|row| arguments.wants(row)).collect();
    if chosen.is_empty() && !arguments.may_be_nothing {
        let known: Vec<_> = rows::ALL.iter().map(|row| row.name).collect();
        return Err(format!("no row has this in its name; the rows are: {}", known.join(", ")).into());
    }
    for row in chosen {
        if arguments.list {
            println!("{}", row.name);
        } else {
            (row.run)(row.name, &arguments)?;
        }
    }
    Ok(())
}
