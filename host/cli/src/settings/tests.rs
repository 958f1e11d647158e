//! Precedence and early errors.

use clap::Parser as _;

use super::*;
use crate::session::{About, Part, Session};

fn resolve(words: &[&str], environment: &Environment) -> Result<Settings, Failure> {
    let args = Args::try_parse_from(["rayw"].iter().chain(words)).expect("the arguments are well formed");
    Settings::resolve(args, environment)
}

fn run_settings(words: &[&str], environment: &Environment) -> RunSettings {
    match resolve(&[&["run", "/"], words].concat(), environment) {
        Ok(Settings::Run(settings)) => *settings,
        other => panic!("not a run: {other:?}"),
    }
}

fn list_settings(words: &[&str], environment: &Environment) -> ListSettings {
    match resolve(&[&["list", "tasks"], words].concat(), environment) {
        Ok(Settings::List(settings)) => settings,
        other => panic!("not a list: {other:?}"),
    }
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_default() {
    let nothing = Environment::default();
    let said = Environment {
        num_cpus: Some("3".into()),
        memory: Some("1GiB".into()),
        object_store_memory: Some("2MiB".into()),
        local_fs_capacity_threshold: Some("0.995".into()),
        ..Environment::default()
    };
    assert_eq!(run_settings(&[], &nothing).num_cpus, None);
    assert_eq!(run_settings(&[], &said).num_cpus, Some(3.0));
    assert_eq!(run_settings(&["--num-cpus", "4"], &said).num_cpus, Some(4.0));
    assert_eq!(run_settings(&[], &said).memory, Some(1 << 30));
    assert_eq!(run_settings(&["--memory", "5"], &said).memory, Some(5));
    assert_eq!(run_settings(&[], &said).object_store_memory, Some(2 << 20));
    assert_eq!(run_settings(&[], &said).disk_percent_max, Some(99));

    let there = Environment { address: Some("/there".into()), ..Environment::default() };
    let named = |words: &[&str]| list_settings(words, &there).session.address;
    assert_eq!(named(&[]), Some(Named::Session("/there".into())));
    assert_eq!(named(&["--address", "/here"]), Some(Named::Session("/here".into())));
    assert_eq!(named(&["--address", "auto"]), None);
}

#[test]
fn a_wrong_variable_is_named() {
    let said = Environment { memory: Some("much".into()), ..Environment::default() };
    let failure = resolve(&["run", "/"], &said).unwrap_err();
    insta::assert_snapshot!(failure.render(), @"error: invalid value 'much' of the variable RAYW_MEMORY: `much` is not an amount of memory: write bytes, or a number with KiB, MiB, GiB, kB, MB or GB");
    assert_eq!(failure.status.code(), 64);
    let said = Environment { local_fs_capacity_threshold: Some("95".into()), ..Environment::default() };
    let failure = resolve(&["run", "/"], &said).unwrap_err();
    insta::assert_snapshot!(failure.render(), @"error: invalid value '95' of the variable RAYW_LOCAL_FS_CAPACITY_THRESHOLD: write a part from 0.01 to 1, such as `0.95`");
}

#[test]
fn what_is_missing_is_told_before_anything_starts() {
    let nothing = Environment::default();
    let app = resolve(&["run", "/nowhere/app.wasm"], &nothing).unwrap_err();
    insta::assert_snapshot!(app.render(), @r"
    error: no file or folder `/nowhere/app.wasm`
      hint: APP is a .wasm or .wat file, or the folder of a crate
    ");
    let folder = resolve(&["run", "/", "--dir", "/nowhere::/data"], &nothing).unwrap_err();
    insta::assert_snapshot!(folder.render(), @"error: `/nowhere` of `--dir` does not exist");
    let file = resolve(&["run", "/", "--dir", "/proc/self/status::/data"], &nothing).unwrap_err();
    insta::assert_snapshot!(file.render(), @"error: `/proc/self/status` of `--dir` is not a folder");
    let sdk = resolve(&["new", "x", "--sdk", "/nowhere"], &nothing).unwrap_err();
    insta::assert_snapshot!(sdk.render(), @r"
    error: `/nowhere` is not the folder of the crate `rayw`
      hint: it is `guest-sdk` in the rayw repository
    ");
}

#[test]
fn detail_is_yaml_unless_another_format_is_asked_for() {
    let nothing = Environment::default();
    assert_eq!(list_settings(&[], &nothing).format, Format::Table);
    assert_eq!(list_settings(&["--detail"], &nothing).format, Format::Yaml);
    assert_eq!(list_settings(&["--detail", "--format", "table"], &nothing).format, Format::Table);
    assert_eq!(list_settings(&["--format", "json"], &nothing).format, Format::Json);
}

#[test]
fn progress_needs_a_terminal_and_consent() {
    let mut environment = Environment::default();
    assert!(!run_settings(&[], &environment).progress);
    environment.terminal.progress = true;
    assert!(run_settings(&[], &environment).progress);
    assert!(!run_settings(&["--no-progress"], &environment).progress);
}

#[test]
fn a_call_replaces_the_driver() {
    let nothing = Environment::default();
    assert_eq!(run_settings(&["--", "a", "--b"], &nothing).work, Work::Driver(vec!["a".into(), "--b".into()]));
    assert_eq!(run_settings(&["--call", "f(1)"], &nothing).work, Work::Call("f(1)".into()));
}

#[test]
fn all_addresses_of_a_machine_are_nothing_to_dial() {
    let nothing = Environment::default();
    for host in ["0.0.0.0", "::"] {
        let failure = resolve(&["start", "--head", "--host", host], &nothing).unwrap_err();
        assert_eq!(failure.status.code(), 64);
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.render().replace(&format!("--host {host}`"), "--host …`"), @r"
            error: `--host …` listens on all addresses of this machine, and others cannot dial that
              hint: say what they dial with `--advertise HOST:PORT`, where port 0 means the one that is listened on, or give `--host` one address that they reach
            ");
        }
        match resolve(&["start", "--head", "--host", host, "--advertise", "head.local:0"], &nothing) {
            Ok(Settings::Start(settings)) => assert_eq!(settings.serve.advertise.as_deref(), Some("head.local:0")),
            other => panic!("not a start: {other:?}"),
        }
    }
}

#[test]
fn a_wrong_address_is_told_before_anybody_is_asked() {
    let nothing = Environment::default();
    let commands = [
        &["submit", "/proc/self/status"][..],
        &["job", "status", "x"],
        &["job", "list"],
        &["drain", "x"],
        &["list", "tasks"],
        &["get", "tasks", "x"],
        &["summary", "tasks"],
        &["status"],
    ];
    for command in commands {
        let failure = resolve(&[command, &["--address", "head.local"]].concat(), &nothing).unwrap_err();
        assert_eq!(failure.status.code(), 64);
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.render(), @"error: invalid value 'head.local' of `--address`: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`");
        }
        let said = Environment { address: Some("head.local".into()), ..Environment::default() };
        let failure = resolve(command, &said).unwrap_err();
        assert_eq!(failure.status.code(), 64);
        assert!(failure.render().contains("of the variable RAYW_ADDRESS: the port is missing"), "{}", failure.render());
    }
}

#[test]
fn a_head_that_is_not_named_is_the_one_that_runs_here() {
    let root = tempfile::tempdir().unwrap();
    let environment = Environment {
        address: Some("elsewhere:1".into()),
        session_roots: vec![root.path().to_owned()],
        ..Environment::default()
    };
    let asked = |words: &[&str]| match resolve(&[&["job", "status", "x"], words].concat(), &environment) {
        Ok(Settings::Job(settings)) => Ok(settings.head),
        Err(failure) => Err(failure),
        other => panic!("not a job: {other:?}"),
    };
    let head = |address: &str, others| HeadSettings { address: address.to_owned(), others };
    assert_eq!(asked(&[]), Ok(head("elsewhere:1", 0)));
    assert_eq!(asked(&["--address", "auto"]).unwrap_err().status.code(), 2, "nothing runs here");
    let about = |address: &str| About { part: Part::Head, address: Some(address.to_owned()), ..About::run("head") };
    let _sessions = ["here:1", "here:2"].map(|address| {
        // The newest is chosen by the millisecond.
        std::thread::sleep(Duration::from_millis(2));
        Session::create(&environment.session_roots, &about(address)).unwrap()
    });
    assert_eq!(asked(&["--address", "auto"]), Ok(head("here:2", 1)));
    assert_eq!(asked(&["--address", "[::1]:7"]), Ok(head("[::1]:7", 0)));
}

#[test]
fn a_folder_of_the_nodes_is_named_by_its_whole_path() {
    let nothing = Environment::default();
    let submit = ["submit", "/proc/self/status", "--address", "head.local:1", "--dir"];
    let failure = resolve(&[&submit[..], &["data::/data"]].concat(), &nothing).unwrap_err();
    assert_eq!(failure.status.code(), 64);
    insta::assert_snapshot!(failure.render(), @r"
    error: `data` of `--dir` is relative: it is a folder of the nodes, so give its whole path
      hint: `--working-dir` sends a folder from here
    ");
    match resolve(&[&submit[..], &["/srv/data::/data:ro"]].concat(), &nothing) {
        Ok(Settings::Submit(settings)) => assert_eq!(settings.dirs[0].host, PathBuf::from("/srv/data")),
        other => panic!("not a submission: {other:?}"),
    }
}

#[test]
fn a_folder_that_nobody_named_is_one_for_each_port_or_process() {
    let environment = Environment { cache_dir: Some("/cache".into()), ..Environment::default() };
    let folder = |words: &[&str]| match resolve(&[&["start"], words].concat(), &environment) {
        Ok(Settings::Start(settings)) => {
            assert_eq!(settings.serve.default_place, Some("/cache/cluster".into()));
            settings.serve.dir.display().to_string()
        }
        other => panic!("not a start: {other:?}"),
    };
    let pid = std::process::id();
    assert_eq!(folder(&["--head"]), "/cache/cluster/head-port-6379");
    assert_eq!(folder(&["--head", "--port", "0"]), format!("/cache/cluster/head-pid-{pid}"));
    assert_eq!(folder(&["--address", "h:1"]), format!("/cache/cluster/node-pid-{pid}"));
    assert_eq!(folder(&["--address", "h:1", "--port", "7000"]), "/cache/cluster/node-port-7000");
    assert_eq!(folder(&["--address", "h:1", "--dir", "/mine"]), "/mine");
}

#[test]
fn a_label_selector_is_parsed_before_anything_is_sent() {
    let nothing = Environment::default();
    let submit = ["submit", "/proc/self/status", "--address", "head.local:1", "--label-selector"];
    let failure = resolve(&[&submit[..], &["zone=in(a,b"]].concat(), &nothing).unwrap_err();
    assert_eq!(failure.status.code(), 64);
    insta::assert_snapshot!(failure.render(), @"error: the label selector `zone=in(a,b` has no closing bracket: write `v`, `!v`, `in(a,b)` or `!in(a,b)`");
    match resolve(&[&submit[..], &["zone=in(a,b)"]].concat(), &nothing) {
        Ok(Settings::Submit(settings)) => assert_eq!(settings.label_selector, [("zone".into(), "in(a,b)".into())]),
        other => panic!("not a submission: {other:?}"),
    }
}
