//! `rayw new`, `build` and `run`: from nothing to a program that runs.

use rayw_tests::{command, run_app, workspace};

#[test]
fn a_new_crate_builds_and_runs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("first-app");
    let path = app.to_str().expect("the path is text");
    let output = command(["new", path]).flag("--sdk", workspace().join("guest-sdk")).output();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.is_empty() && output.stderr.contains("rayw run"), "{output}");
    // Where the guests were built, so that the SDK is not compiled once more.
    let target = workspace().join("target/guests");
    let built = command(["build", path]).environment("CARGO_TARGET_DIR", &target).output();
    let component = built.succeeded();
    assert!(component.trim().ends_with("first-app.wasm"), "{component}");
    insta::assert_snapshot!(run_app(component.trim()).output().succeeded(), @"
    squares: [1, 4, 9, 16]
    counter: 12
    ");
    let again = run_app(&app).environment("CARGO_TARGET_DIR", &target).output();
    assert!(again.stdout.starts_with("squares: [1, 4, 9, 16]"), "{again}");
}

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "data").unwrap();
    let app = folder.path().to_str().expect("the path is text");
    let output = command(["new", app]).output();
    assert_eq!(output.code, Some(64), "{output}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_name_that_cannot_be_a_crate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1st", "with space", "fn", "std"] {
        let path = folder.path().join(name);
        let output = command(["new", path.to_str().expect("the path is text")]).output();
        assert_eq!(output.code, Some(64), "{name}: {output}");
        assert!(!path.exists(), "{name}");
    }
}

#[test]
fn a_folder_without_a_crate_cannot_be_built() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(["build", folder.path().to_str().expect("the path is text")]).output();
    assert_ne!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("Cargo.toml"), "{output}");
}
