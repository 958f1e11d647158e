//! The architecture as tests: who may use whom, what `core` must not touch, that nothing lies
//! about without a test.
//!
//! These are the arrows of the architecture, checked on the manifests and the lock file. When
//! one of them stands in the way, the table here and ARCHITECTURE.md change together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// What a crate of ours may use of the others.
enum May {
    /// Only these.
    Use(&'static [&'static str]),
    /// Anything: tests and build tools.
    UseAll,
}

/// One line per member of the workspace. Tests of a crate (`dev-dependencies`) are free.
const ARROWS: [(&str, May); 14] = [
    ("rayw-core", May::Use(&[])),
    ("rayw-proto", May::Use(&["rayw-core"])),
    ("rayw-memory", May::Use(&["rayw-core"])),
    ("rayw-store", May::Use(&["rayw-core", "rayw-memory"])),
    ("rayw-engine", May::Use(&["rayw-core"])),
    ("rayw-wire", May::Use(&["rayw-core", "rayw-proto", "rayw-memory"])),
    ("rayw-node", May::Use(&["rayw-core", "rayw-proto", "rayw-store", "rayw-engine", "rayw-wire"])),
    ("rayw-head", May::Use(&["rayw-core", "rayw-proto", "rayw-wire"])),
    ("rayw-cli", May::Use(&["rayw-core", "rayw-proto", "rayw-node", "rayw-head", "rayw-wire"])),
    ("rayw", May::Use(&["rayw-macros"])),
    ("rayw-macros", May::Use(&[])),
    ("rayw-tests", May::UseAll),
    ("rayw-sim", May::Use(&["rayw-core", "rayw-wire"])),
    ("xtask", May::UseAll),
];

/// Crates that decide: they never compile the Wasm engine, not even through others.
const WITHOUT_ENGINE: [&str; 2] = ["rayw-core", "rayw-head"];

/// What `core` never names: it has no IO, no clock, no randomness and no async runtime.
const FORBIDDEN_IN_CORE: [&str; 8] =
    ["tokio", "async fn", "std::fs", "std::env", "std::net", "::now(", "rand", "getrandom"];

/// The modules of `std` that `core` must not import from within braces either.
const FORBIDDEN_STD_MODULES: [&str; 3] = ["fs", "env", "net"];

/// Where every module says at its top what it is for.
const DOCUMENTED: [&str; 4] = ["host", "proto", "guest-sdk", "xtask"];

#[test]
fn crates_use_only_what_their_arrow_allows() {
    let members = members();
    let mut wrong = Vec::new();
    for (name, manifest) in &members {
        let Some((_, may)) = ARROWS.iter().find(|(crate_name, _)| crate_name == name) else {
            wrong.push(format!("`{name}` is a new crate: give it a line in ARROWS"));
            continue;
        };
        let May::Use(allowed) = may else { continue };
        for used in dependencies(manifest) {
            if members.contains_key(&used) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("`{name}` must not use `{used}` (it may use: {})", allowed.join(", ")));
            }
        }
    }
    for (name, _) in &ARROWS {
        if !members.contains_key(*name) {
            wrong.push(format!("`{name}` has a line in ARROWS, but is no member"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_decides_does_not_compile_the_engine() {
    let lock = parse(&root().join("Cargo.lock"));
    let uses = locked_dependencies(&lock);
    let mut wrong = Vec::new();
    for name in WITHOUT_ENGINE {
        if let Some(way) = way_to_engine(name, &uses) {
            wrong.push(format!("`{name}` compiles the Wasm engine: {}", way.join(" → ")));
        }
    }
    assert_none(&wrong);
}

#[test]
fn core_has_no_io_no_clock_no_randomness() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("host/core/src")) {
        for (number, line) in read(&file).lines().enumerate() {
            for word in forbidden_in(line) {
                wrong.push(format!(
                    "{}:{}: `{word}`: it comes in as an argument, or belongs to another crate",
                    shown(&file),
                    number + 1
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for folder in DOCUMENTED {
        for file in rust_files(&root().join(folder)) {
            // Inputs of the compile-fail tests show what users write, comments and all.
            let fixture = file.components().any(|part| part.as_os_str() == "ui");
            let text = read(&file);
            let first = text.lines().find(|line| !line.trim().is_empty());
            if !fixture && !first.is_some_and(|line| line.starts_with("//!")) {
                wrong.push(format!("{} does not start with a `//!` that says what the module is for", shown(&file)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_guest_has_a_test() {
    let own = Path::new(file!()).file_name();
    let tests: String = rust_files(&root().join("tests/it"))
        .iter()
        .filter(|file| file.file_name() != own)
        .map(|file| read(file))
        .collect();
    let mut wrong = Vec::new();
    for guest in guests() {
        if !contains_word(&tests, &name_of(&guest)) {
            wrong.push(format!("no test below tests/it names the guest `{}`", shown(&guest)));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_example_has_a_readme() {
    let wrong: Vec<_> = guests_below("examples")
        .iter()
        .filter(|example| !example.join("README.md").is_file())
        .map(|example| format!("{} has no README.md with its command and its true output", shown(example)))
        .collect();
    assert_none(&wrong);
}

#[test]
fn guests_use_nothing_of_ours_but_the_sdk() {
    let sdk = root().join("guest-sdk");
    let mut wrong = Vec::new();
    for guest in guests() {
        for (name, folder) in path_dependencies(&parse(&guest.join("Cargo.toml"))) {
            let folder = guest.join(folder);
            let is_sdk = folder.canonicalize().ok() == sdk.canonicalize().ok();
            if !is_sdk {
                wrong.push(format!(
                    "the guest `{}` uses `{name}` from {}: guests use the SDK only",
                    shown(&guest),
                    folder.display()
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn forbidden_words_are_found_as_words() {
    let cases: [(&str, &[&str]); 9] = [
        ("let x = Instant::now();", &["::now("]),
        ("use rand::Rng;", &["rand"]),
        ("use std::{fs, fmt};", &["std::fs"]),
        ("use std::{collections::BTreeMap, env};", &["std::env"]),
        ("use std::fs::File;", &["std::fs"]),
        ("let operand = brand(random_looking);", &[]),
        ("//! core never calls std::fs or tokio", &[]),
        ("use std::{fmt, error::Error};", &[]),
        ("pub fn now(self) -> Millis {", &[]),
    ];
    for (line, expected) in cases {
        assert_eq!(forbidden_in(line), expected, "{line}");
    }
}

/// What a line of `core` names that it must not; comments may name anything.
fn forbidden_in(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found: Vec<String> =
        FORBIDDEN_IN_CORE.iter().filter(|word| contains_word(code, word)).map(|word| (*word).to_owned()).collect();
    if let Some((_, list)) = code.split_once("std::{") {
        for module in FORBIDDEN_STD_MODULES {
            if contains_word(list, module) {
                found.push(format!("std::{module}"));
            }
        }
    }
    found
}

/// Whether `word` stands in `text` on its own, not as a part of a longer name.
fn contains_word(text: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let bounded_left = word.starts_with(in_name);
    let bounded_right = word.ends_with(in_name);
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let inside_left = bounded_left && before.is_some_and(in_name);
        let inside_right = bounded_right && after.is_some_and(in_name);
        !inside_left && !inside_right
    })
}

/// The shortest way from a crate to the engine, through the lock file.
fn way_to_engine(from: &str, uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut ways = std::collections::VecDeque::from([vec![from.to_owned()]]);
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        if last.starts_with("wasmtime") || last.starts_with("cranelift") {
            return Some(way);
        }
        for next in uses.get(last).into_iter().flatten() {
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push_back(longer);
            }
        }
    }
    None
}

/// Package name to the names it depends on, versions left out: one more reason to be strict.
fn locked_dependencies(lock: &Table) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let packages = lock.get("package").and_then(Value::as_array);
    for package in packages.expect("a lock file has packages") {
        let name = package["name"].as_str().expect("a package has a name");
        let entry = uses.entry(name.to_owned()).or_default();
        let listed = package.get("dependencies").and_then(Value::as_array);
        for dependency in listed.into_iter().flatten().filter_map(Value::as_str) {
            entry.extend(dependency.split(' ').next().map(str::to_owned));
        }
    }
    uses
}

/// The members of the workspace: package name to manifest.
fn members() -> BTreeMap<String, Table> {
    let workspace = parse(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array();
    members
        .expect("the workspace lists its members")
        .iter()
        .map(|member| {
            let folder = member.as_str().expect("a member is a folder");
            let manifest = parse(&root().join(folder).join("Cargo.toml"));
            let name = manifest["package"]["name"].as_str();
            (name.expect("a package has a name").to_owned(), manifest)
        })
        .collect()
}

/// What a package is built with, on every platform; what only its tests use is left out.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    dependency_entries(manifest, &["dependencies", "build-dependencies"])
        .into_iter()
        .map(|(name, entry)| match entry.get("package") {
            Some(renamed) => renamed.as_str().unwrap_or_default().to_owned(),
            None => name,
        })
        .collect()
}

/// The dependencies of a package that lie in the checkout, tests' ones included.
fn path_dependencies(manifest: &Table) -> Vec<(String, String)> {
    let sections = ["dependencies", "build-dependencies", "dev-dependencies"];
    dependency_entries(manifest, &sections)
        .into_iter()
        .filter_map(|(name, entry)| Some((name, entry.get("path")?.as_str()?.to_owned())))
        .collect()
}

fn dependency_entries(manifest: &Table, sections: &[&str]) -> Vec<(String, Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let tables =
        platforms.into_iter().flat_map(|platforms| platforms.values().filter_map(Value::as_table)).chain([manifest]);
    let mut entries = Vec::new();
    for table in tables {
        for section in sections {
            let listed = table.get(*section).and_then(Value::as_table);
            for (name, entry) in listed.into_iter().flatten() {
                entries.push((name.clone(), entry.clone()));
            }
        }
    }
    entries
}

fn guests() -> Vec<PathBuf> {
    let mut guests = guests_below("examples");
    guests.extend(guests_below("tests/guests"));
    guests
}

fn guests_below(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut guests = entries(&folder);
    guests.retain(|guest| guest.join("Cargo.toml").is_file());
    guests
}

/// Every Rust file below a folder, build folders left out.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in entries(folder) {
        if entry.is_dir() {
            if entry.file_name().is_some_and(|name| name != "target") {
                files.extend(rust_files(&entry));
            }
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("failed to list `{}`: {error}", folder.display()));
    let mut entries: Vec<_> = listed.map(|entry| entry.expect("a listed entry can be read").path()).collect();
    entries.sort();
    entries
}

fn parse(file: &Path) -> Table {
    read(file).parse().unwrap_or_else(|error| panic!("`{}` is no TOML: {error}", file.display()))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", file.display()))
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("the tests lie in a folder of the workspace")
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
