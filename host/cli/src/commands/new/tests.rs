//! Names, folders and what is written.

use super::*;
use crate::env::Terminal;
use crate::printer::Printer;

fn make(folder: &Path, sdk: Sdk) -> Result<ExitStatus, Failure> {
    let printer =
        Printer::start_with(Terminal::default(), Box::new(std::io::sink()), Box::new(std::io::sink())).unwrap();
    new(&NewSettings { folder: folder.to_owned(), sdk }, &printer.handle())
}

#[test]
fn a_crate_has_all_its_files_and_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("my-app");
    make(&app, Sdk::Named("/with \"quotes\"/sdk".into())).unwrap();
    for (path, _) in FILES {
        let text = fs::read_to_string(app.join(path)).unwrap();
        assert!(!text.contains("{{"), "{path} has a gap that was not filled: {text}");
    }
    insta::assert_snapshot!(fs::read_to_string(app.join("Cargo.toml")).unwrap(), @r#"
    [package]
    name = "my-app"
    version = "0.1.0"
    edition = "2024"
    publish = false

    [dependencies]
    rayw = { path = "/with \"quotes\"/sdk" }

    # A workspace of its own, wherever this folder lies.
    [workspace]

    # Small and fast components: tasks start sooner, and run at full speed.
    [profile.release]
    opt-level = 3
    lto = true
    codegen-units = 1
    panic = "abort"
    strip = "debuginfo"
    "#);
}

#[test]
fn the_registry_is_a_version() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("app"), Sdk::Registry).unwrap();
    let manifest = fs::read_to_string(folder.path().join("app/Cargo.toml")).unwrap();
    assert!(manifest.contains("rayw = \"0.1\""), "{manifest}");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    fs::create_dir(&app).unwrap();
    make(&app, Sdk::Registry).expect("an empty folder will do");
    let again = make(&app, Sdk::Registry).unwrap_err();
    assert_eq!(again.status, ExitStatus::Usage);
    assert!(again.render().contains("exists and is not empty"), "{}", again.render());
}

#[test]
fn names_that_cargo_would_refuse_are_refused_at_once() {
    let why = |name: &str| match crate_name(Path::new(name)) {
        Ok(name) => format!("{name}: fine"),
        Err(failure) => failure.error.message.clone(),
    };
    let names = ["app", "my-app_2", "path/to/app", "2fast", "", "..", "a b", "ä", "fn", "Self", "rayw", "proc-macro"];
    insta::assert_snapshot!(names.map(why).join("\n"), @r"
    app: fine
    my-app_2: fine
    app: fine
    `2fast` cannot be the name of a crate: it does not start with a letter
    `` cannot be the name of a crate: it does not start with a letter
    `..` cannot be the name of a crate: it does not start with a letter
    `a b` cannot be the name of a crate: it contains ` `
    `ä` cannot be the name of a crate: it does not start with a letter
    `fn` cannot be the name of a crate: it is a word of Rust
    `Self` cannot be the name of a crate: it is a word of Rust
    `rayw` cannot be the name of a crate: another crate that is needed has that name
    `proc-macro` cannot be the name of a crate: another crate that is needed has that name
    ");
}
