//! Drivers: how a program ends. Each program runs in a process of its own:
//! this binary again, asked for the ignored test that is the program.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests panic, and their programs print")]

use std::process::{Command, Output};

mod succeeds {
    #[rayw::main]
    pub(super) fn main() {
        println!("all is well");
    }
}

mod fails {
    #[rayw::task]
    fn divide(number: i32, divisor: i32) -> Result<i32, String> {
        number.checked_div(divisor).ok_or_else(|| "there is no division by zero".to_owned())
    }

    #[rayw::main]
    pub(super) fn main() -> rayw::Result<()> {
        divide::remote(1, 0).get().map_err(|error| error.context("the sum is not known"))?;
        Ok(())
    }
}

mod has_a_code {
    #[rayw::main]
    pub(super) fn main() -> Result<std::process::ExitCode, std::num::ParseIntError> {
        "7".parse::<u8>().map(std::process::ExitCode::from)
    }
}

mod has_our_code {
    #[rayw::main]
    pub(super) fn main() -> rayw::ExitCode {
        rayw::ExitCode(9)
    }
}

mod exits {
    #[rayw::main]
    pub(super) fn main() {
        rayw::exit(11);
    }
}

/// Not a test: what `run` runs.
#[test]
#[ignore = "it is a program that another test runs"]
fn program() {
    match std::env::var("RAYW_TEST_PROGRAM").as_deref() {
        Ok("succeeds") => succeeds::main(),
        Ok("fails") => fails::main(),
        Ok("has_a_code") => has_a_code::main(),
        Ok("has_our_code") => has_our_code::main(),
        Ok("exits") => exits::main(),
        other => panic!("there is no program {other:?}"),
    }
}

fn run(program: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["program", "--exact", "--ignored", "--nocapture"])
        .env("RAYW_TEST_PROGRAM", program)
        .output()
        .unwrap()
}

#[test]
fn a_driver_that_returns_succeeds() {
    let output = run("succeeds");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("all is well"));
}

#[test]
fn an_error_is_printed_with_its_causes_and_the_code_is_1() {
    let output = run("fails");
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("Error: the sum is not known: there is no division by zero\n"), "{printed}");
    assert!(printed.contains("  in divide ("), "{printed}");
}

#[test]
fn a_code_is_kept_however_it_is_said() {
    assert_eq!(run("has_a_code").status.code(), Some(7));
    assert_eq!(run("has_our_code").status.code(), Some(9));
    assert_eq!(run("exits").status.code(), Some(11));
}
