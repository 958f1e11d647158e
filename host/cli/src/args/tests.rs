//! The help of each command, and the words for bad usage.

use clap::CommandFactory as _;

use super::*;

fn help(command: &str) -> String {
    let mut root = Args::command().term_width(100);
    root.build();
    let found = match command {
        "" => &mut root,
        name => root.find_subcommand_mut(name).expect("the command exists"),
    };
    found.render_long_help().to_string()
}

fn refused(words: &[&str]) -> String {
    Args::try_parse_from(["rayw"].iter().chain(words)).expect_err("the usage is bad").to_string()
}

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn help_of_rayw() {
    insta::assert_snapshot!(help(""));
}

#[test]
fn help_of_new() {
    insta::assert_snapshot!(help("new"));
}

#[test]
fn help_of_build() {
    insta::assert_snapshot!(help("build"));
}

#[test]
fn help_of_run() {
    insta::assert_snapshot!(help("run"));
}

#[test]
fn help_of_list() {
    insta::assert_snapshot!(help("list"));
}

#[test]
fn help_of_get() {
    insta::assert_snapshot!(help("get"));
}

#[test]
fn help_of_summary() {
    insta::assert_snapshot!(help("summary"));
}

#[test]
fn bad_values_are_named_with_a_remedy() {
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--dir", "data"]));
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--env", "KEY"]));
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--memory", "lots"]));
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--timeout", "soon"]));
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--resources", "slot=2"]));
    insta::assert_snapshot!(refused(&["list", "tasks", "--limit", "20000"]));
    insta::assert_snapshot!(refused(&["list", "tasks", "--filter", "state"]));
    insta::assert_snapshot!(refused(&["list", "task"]));
}

#[test]
fn a_call_takes_no_arguments_of_a_driver() {
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--call", "f()", "--", "x"]));
}
