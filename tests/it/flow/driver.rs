//! Drivers: arguments, environment, folders, output, exit codes.

use rayw_tests::run;

#[test]
fn a_driver_gets_its_arguments_and_only_the_environment_it_was_given() {
    let output = run("behave")
        .args(["arguments_and_environment", "one", "two words"])
        .flag("--env", "GREETING=hello")
        .environment("HOME", "/somewhere")
        .output();
    // Which error it is to read a file without any folder depends on the guest's wasi-libc.
    let output = output.succeeded().replace("Err(Uncategorized)", "Err(NotFound)");
    insta::assert_snapshot!(output, @r#"
    ["one", "two words"]
    Some("hello") None
    Err(NotFound)
    "#);
}

#[test]
fn the_exit_code_is_the_drivers() {
    let output = run("behave").args(["an_exit_code"]).output();
    assert_eq!((output.code, output.stdout.as_str()), (Some(7), "before the exit\n"), "{output}");
}

#[test]
fn the_lines_of_tasks_say_whose_they_are_and_those_of_the_driver_stand_alone() {
    let output = run("behave").args(["printing"]).output();
    let stdout: Vec<_> = output.stdout.lines().collect();
    let stderr: Vec<_> = output.stderr.lines().collect();
    assert_eq!(stdout.first(), Some(&"the driver's line"), "{output}");
    assert_eq!(stderr.first(), Some(&"the driver's other line"), "{output}");
    let of_task = |lines: &[&str]| -> Vec<String> {
        let lines = lines.iter().filter_map(|line| line.strip_prefix("(printer task=")?.split_once(") "));
        lines.map(|(_, text)| text.to_owned()).collect()
    };
    assert_eq!(of_task(&stdout), ["on stdout", "without an end"], "{output}");
    assert_eq!(of_task(&stderr), ["on stderr"], "{output}");
    assert_eq!(stdout.last(), Some(&"the driver's last words"), "{output}");
}

#[test]
fn a_folder_is_there_only_when_it_is_given_and_read_only_when_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), "from outside").unwrap();
    let grant = |suffix: &str| format!("{}::/data{suffix}", folder.path().display());
    let writable = run("behave").args(["files"]).flag("--dir", grant("")).output().succeeded();
    insta::assert_snapshot!(writable, @r#"
    driver reads Some("from outside"), writes true
    task reads Some("from outside"), writes true
    above: None
    "#);
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "from inside");
    std::fs::remove_file(folder.path().join("out")).unwrap();
    let read_only = run("behave").args(["files"]).flag("--dir", grant(":ro")).output().succeeded();
    insta::assert_snapshot!(read_only, @r#"
    driver reads Some("from outside"), writes false
    task reads Some("from outside"), writes false
    above: None
    "#);
    assert!(!folder.path().join("out").exists());
    let without = run("behave").args(["files"]).output().succeeded();
    insta::assert_snapshot!(without, @"
    driver reads None, writes false
    task reads None, writes false
    above: None
    ");
}
