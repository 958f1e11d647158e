//! The examples: each prints what its README says.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use rayw_tests::{Running, eventually, run};
use serde_json::Value;

/// Longer than any test looks, in milliseconds; the run is killed when the test is over.
const LONG_PAUSE: &str = "300000";

/// What stands behind `(TASK task=… node=…) ` in the line.
#[track_caller]
fn printed_by<'a>(task: &str, line: &'a str) -> &'a str {
    let is_id = |text: &str| text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let parts = line
        .strip_prefix(&format!("({task} task="))
        .and_then(|rest| rest.split_once(" node="))
        .and_then(|(task_id, rest)| Some((task_id, rest.split_once(") ")?)));
    match parts {
        Some((task_id, (node_id, text))) if is_id(task_id) && is_id(node_id) => text,
        _ => panic!("no prefix of `{task}`: {line}"),
    }
}

/// Waits until so many lines are there.
#[track_caller]
fn printed_lines(running: &Running, number: usize) -> Vec<String> {
    eventually(&format!("{number} lines"), || {
        let stdout = running.so_far().stdout;
        let lines = lines(&stdout);
        (stdout.ends_with('\n') && lines.len() >= number).then_some(lines)
    })
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn memo_tasks_prints_what_the_memo_prints() {
    let stdout = run("memo-tasks").output().succeeded();
    let lines: Vec<_> = stdout.lines().collect();
    let (last, calls) = lines.split_last().unwrap();
    let calls: Vec<_> = calls.iter().map(|line| printed_by("example_function", line)).collect();
    assert_eq!(calls, ["example_function was called."; 4]);
    assert_eq!(*last, "result:  [1, 1, 1, 1]");
}

#[test]
fn the_four_tasks_are_listed_as_finished() {
    // After the fourth call there is time to look for as long as one pause.
    let running = run("memo-tasks").args(["2000"]).start();
    printed_lines(&running, 4);
    running.rows_become("tasks", |rows| {
        let finished = |row: &Value| row["name"] == "example_function" && row["state"] == "FINISHED";
        rows.iter().filter(|row| finished(row)).count() == 4
    });
}

#[test]
fn memo_actors_prints_what_the_memo_prints() {
    insta::assert_snapshot!(run("memo-actors").output().succeeded(), @r"
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    [2, 3, 4, 5, 6]
    [6, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    ");
}

#[test]
fn the_ten_actors_are_listed() {
    let mut running = run("memo-actors").args([LONG_PAUSE]).start();
    running.prints("[6, 1, 1, 1, 1, 1, 1, 1, 1, 1]");
    let actors = running.rows("actors");
    assert_eq!(actors.len(), 10, "{actors:#?}");
    assert!(actors.iter().all(|actor| actor["class_name"] == "Counter" && actor["state"] == "ALIVE"), "{actors:#?}");
}

#[test]
fn memo_objects_prints_the_references_and_then_the_values() {
    let stdout = run("memo-objects").args(["50"]).output().succeeded();
    let lines: Vec<_> = stdout.lines().map(|line| printed_by("print_values", line)).collect();
    let [references, values] = lines[..] else { panic!("{stdout}") };
    assert_eq!(ids(references).len(), 3, "{stdout}");
    assert_eq!(values, "[1, 2, 3]");
}

/// The ids in `[ObjectRef(…), ObjectRef(…)]`.
fn ids(references: &str) -> HashSet<String> {
    let inner = references.trim_matches(['[', ']']).split(", ");
    inner.filter_map(|one| one.strip_prefix("ObjectRef(")?.strip_suffix(')')).map(str::to_owned).collect()
}

#[test]
fn the_three_objects_are_listed_while_the_task_sleeps() {
    let running = run("memo-objects").args([LONG_PAUSE]).start();
    let references = printed_lines(&running, 1).remove(0);
    let rows = running.rows("objects");
    // One row for each reason to keep an object: the driver's reference, and the task that runs.
    for reason in ["LOCAL_REFERENCE", "USED_BY_PENDING_TASK"] {
        let put = rows.iter().filter(|row| row["reference_type"] == reason && row["object_size"] == 1);
        let put: HashSet<_> = put.filter_map(|row| row["object_id"].as_str().map(str::to_owned)).collect();
        assert_eq!(put, ids(printed_by("print_values", &references)), "{reason}: {rows:#?}");
    }
}

#[test]
fn wordcount_counts_what_tr_sort_and_uniq_count() {
    let folder = tempfile::tempdir().unwrap();
    write_texts(folder.path());
    let stdout = run("wordcount")
        .flag("--dir", format!("{}::/text:ro", folder.path().display()))
        .args(["/text", "--top", "1000000", "--chunk-bytes", "300007"])
        .output()
        .succeeded();
    let (counted, expected) = (lines(&stdout), lines(&counted_by_shell(folder.path())));
    assert!(expected.len() > 10_000, "{} words are too few to show anything", expected.len());
    let difference = counted.iter().zip(&expected).find(|(one, other)| one != other);
    assert_eq!(difference, None);
    assert_eq!(counted.len(), expected.len());
}

/// More than 5 MB in files of several kinds and depths, the same in every run.
fn write_texts(folder: &Path) {
    const FILE_BYTES: usize = 1_100_000;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        // Marsaglia's xorshift.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let files = ["a.txt", "b.txt", "deep/c.md", "deep/er/d", "deep/er/e.txt"].map(|name| folder.join(name));
    fs::create_dir_all(folder.join("deep/er")).unwrap();
    for (index, file) in files.iter().enumerate() {
        // Some begin with a letter, some do not; the words end with the file.
        let mut text = if index % 2 == 0 { "1. ".to_owned() } else { String::new() };
        while text.len() < FILE_BYTES {
            // A few common words, many rare ones.
            let range = 1 << random(15);
            write!(text, "{}", word(random(range))).unwrap();
            text.push_str([" ", "\n", ", ", "'", "é", "42", "-", "\r\n", "\t"][random(9) as usize]);
        }
        text.push_str("End");
        fs::write(file, text).unwrap();
    }
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("one-long-word"), "Long".repeat(1000)).unwrap();
    fs::write(folder.join("not-a-text"), "binary \0 words words words\n").unwrap();
}

/// A word for each number, some with capitals.
fn word(number: u64) -> String {
    let mut letters = String::new();
    let mut rest = number.wrapping_mul(7919);
    loop {
        let first = if rest.is_multiple_of(5) { b'A' } else { b'a' };
        letters.push(char::from(first + (rest % 26) as u8));
        rest /= 26;
        if rest == 0 {
            return letters;
        }
    }
}

/// Each line of `grep` ends with a newline, so that no two files grow together.
fn counted_by_shell(folder: &Path) -> String {
    const PIPELINE: &str = "grep -rhI '' . | tr -cs A-Za-z '\\n' | tr A-Z a-z | grep . | sort | uniq -c \
                            | sort -k1,1nr -k2 | sed 's/^ *//'";
    let output = Command::new("sh").args(["-c", PIPELINE]).current_dir(folder).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn wordcount_prints_the_top_and_its_readme_says_which() {
    let text = rayw_tests::workspace().join("examples/wordcount/text");
    let stdout = run("wordcount")
        .flag("--dir", format!("{}::/text:ro", text.display()))
        .args(["/text", "--top", "3"])
        .output()
        .succeeded();
    assert_eq!(stdout, "34 the\n10 tide\n6 and\n");
}

#[test]
fn monte_carlo_pi_is_near_and_shows_its_progress() {
    let stdout = run("monte-carlo-pi").args(["--tasks", "6", "--darts", "1000000"]).output().succeeded();
    let lines: Vec<_> = stdout.lines().collect();
    let (estimate, progress) = lines.split_last().unwrap();
    let percents: Vec<u64> =
        progress.iter().map(|line| line.strip_suffix(" %").unwrap().trim().parse().unwrap()).collect();
    assert!(percents.is_sorted(), "{stdout}");
    assert_eq!(percents.last(), Some(&100), "{stdout}");
    let pi: f64 = estimate.strip_prefix("pi = ").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((pi - std::f64::consts::PI).abs() < 0.01, "{stdout}");
}

#[test]
fn mandelbrot_writes_a_picture_into_the_granted_folder() {
    let folder = tempfile::tempdir().unwrap();
    let stdout = run("mandelbrot")
        .flag("--dir", format!("{}::/out", folder.path().display()))
        .args(["--size", "333x200", "--tile", "64", "--iterations", "200", "--output", "/out/set.png"])
        .output()
        .succeeded();
    assert_eq!(stdout, "wrote 333 x 200 points to /out/set.png\n");

    let file = fs::File::open(folder.path().join("set.png")).unwrap();
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let picture = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((picture.width, picture.height), (333, 200));
    assert_eq!((picture.color_type, picture.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    let colours: HashSet<_> = bytes.chunks_exact(3).collect();
    assert!(colours.len() > 100, "{} colours", colours.len());
    assert!(colours.contains(&[0_u8; 3][..]), "the set itself is black");
}

#[test]
fn mandelbrot_cannot_write_where_it_may_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let stderr = run("mandelbrot")
        .flag("--dir", format!("{}::/out:ro", folder.path().display()))
        .args(["--size", "30x20"])
        .output()
        .failed(1);
    assert!(stderr.contains("cannot write `/out/mandelbrot.png`: Operation not permitted"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
