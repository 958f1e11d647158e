//! `rayw run`: exit codes, signals, time-outs, words of errors, what is left behind.

use rayw_tests::{Running, command, run};

/// Ids and places in files taken out, so that the rest can be compared.
fn masked(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    let mut masked = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        masked.push_str(if is_id(&word) { "<id>" } else { &word });
        word.clear();
        masked.push(c);
    }
    masked.pop();
    masked
}

fn going_on() -> Running {
    let mut running = run("behave").args(["a_driver_that_goes_on"]).num_cpus(2).start();
    running.prints("running");
    running
}

#[test]
fn an_interrupt_stops_the_job_and_leaves_nothing_behind() {
    let mut running = going_on();
    assert_eq!(running.left_behind().len(), 1, "a session has a directory");
    running.interrupt();
    let output = running.ended();
    assert_eq!(output.code, Some(130), "{output}");
    assert_eq!(output.stderr, "stopping the job; once more ends it at once\n");
    assert!(running.left_behind().is_empty(), "{:?}", running.left_behind());
}

#[test]
fn a_request_to_terminate_stops_the_job_too() {
    let mut running = going_on();
    running.terminate();
    let output = running.ended();
    assert_eq!(output.code, Some(143), "{output}");
    assert!(running.left_behind().is_empty(), "{:?}", running.left_behind());
}

#[test]
fn an_interrupt_stops_a_guest_that_never_gives_way() {
    let mut running = run("behave").args(["loops_on_all_cpus_for_ever"]).num_cpus(2).start();
    running.prints("looping");
    running.interrupt();
    let output = running.ended();
    assert_eq!(output.code, Some(130), "{output}");
    assert!(!output.stderr.contains("WARN"), "{output}");
    assert!(running.left_behind().is_empty(), "{:?}", running.left_behind());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut running = run("behave").args(["a_flood_of_lines"]).start();
    running.stops_reading();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn a_job_that_takes_too_long_is_stopped() {
    let mut running = run("behave").args(["a_driver_that_goes_on"]).flag("--timeout", "1s").start();
    let output = running.ended();
    insta::assert_snapshot!(output.clone().failed(1), @"
    error: the job ran longer than 1s and was stopped
      hint: give it more time with `--timeout`, or leave that out
    ");
    assert!(running.left_behind().is_empty(), "{:?}", running.left_behind());
}

#[test]
fn a_run_that_ends_leaves_nothing_behind() {
    let mut running = run("behave").args(["a_result"]).start();
    let _ = running.ended().succeeded();
    assert!(running.left_behind().is_empty(), "{:?}", running.left_behind());
}

#[test]
fn an_error_of_the_driver_is_told_with_its_origin() {
    let output = run("behave").args(["an_error_of_the_driver"]).output();
    insta::assert_snapshot!(masked(&output.failed(1)), @"
    Error: the task's own words
      in fail (<id>)
    ");
}

#[test]
fn a_panic_of_the_driver_is_told_with_its_frames() {
    let words = run("behave").args(["a_panic_of_the_driver"]).output().failed(1);
    assert!(words.contains("error: task panicked at src/tasks.rs:"), "{words}");
    assert!(words.contains(": the driver lost its way\n"), "{words}");
    assert!(words.contains("behave::tasks::a_panic_of_the_driver"), "{words}");
}

#[test]
fn a_command_line_that_is_wrong_ends_with_64() {
    for words in [vec!["run"], vec!["walk"], vec!["run", "app.wasm", "--num-cpus", "many"], vec!["list", "dogs"]] {
        let output = command(&words).output();
        assert_eq!(output.code, Some(64), "{words:?}: {output}");
        assert!(output.stdout.is_empty(), "{words:?}: {output}");
    }
}

#[test]
fn the_version_is_told_on_stdout() {
    let stdout = command(["version"]).output().succeeded();
    assert_eq!(stdout, concat!("rayw ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_second_run_finds_the_compiled_component() {
    let cache = tempfile::tempdir().unwrap();
    let compiled = || std::fs::read_dir(cache.path()).into_iter().flatten().flatten().count();
    let once = || run("behave").args(["a_result"]).environment("RAYW_CACHE_DIR", cache.path()).output().succeeded();
    assert_eq!(once(), "49\n");
    let files = compiled();
    assert!(files > 0, "nothing was kept");
    assert_eq!(once(), "49\n");
    assert_eq!(compiled(), files);
}
