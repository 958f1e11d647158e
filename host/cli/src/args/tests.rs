//! The help of each command, and the words for bad usage.

use clap::CommandFactory as _;

use super::*;

mod cluster;

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
    insta::assert_snapshot!(help(""), @r"
    Run tasks and actors as WebAssembly components

    Usage: rayw <COMMAND>

    Commands:
      new                     Make a crate with a task, an actor and a driver, ready to run
      build                   Compile a crate to a component and print where it is
      run                     Run a program: its driver, or one function of it
      start                   Start a head or a node of a cluster, in the background unless `--block`
      stop                    Stop the heads and nodes that were started here
      status                  Show a cluster: its nodes, what is used, what waits and why
      submit                  Run a program on a cluster and show what it prints
      job                     List, look at, stop or delete jobs of a cluster
      drain                   Have a node of a cluster leave when its work is done
      kill-actor              End an actor, such as a detached one that outlived its job
      remove-placement-group  Remove a placement group, with all that runs in it
      list                    List tasks, actors, objects, nodes, jobs, leases or placement groups
      get                     Show everything about one task, actor, object, node, job, lease or placement group
      summary                 Count tasks, actors or objects of a running session by state
      microbenchmark          Measure what Ray's microbenchmark measures
      version                 Print the version
      help                    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_new() {
    insta::assert_snapshot!(help("new"), @r"
    Make a crate with a task, an actor and a driver, ready to run

    Usage: rayw new [OPTIONS] <NAME>

    Arguments:
      <NAME>
              Name of the crate, or the path of its folder

    Options:
          --sdk <PATH>
              Folder of the crate `rayw` to depend on [env: RAYW_SDK]

      -h, --help
              Print help
    ");
}

#[test]
fn help_of_build() {
    insta::assert_snapshot!(help("build"), @r"
    Compile a crate to a component and print where it is

    Usage: rayw build [OPTIONS] [PATH]

    Arguments:
      [PATH]
              Folder of the crate
              
              [default: .]

    Options:
          --bin <NAME>
              The binary to build, when the crate has several

      -h, --help
              Print help
    ");
}

#[test]
fn help_of_run() {
    insta::assert_snapshot!(help("run"), @r#"
    Run a program: its driver, or one function of it

    Usage: rayw run [OPTIONS] <APP> [-- <ARGS>...]

    Arguments:
      <APP>
              A .wasm or .wat file, or the folder of a crate, which is built first

      [ARGS]...
              Arguments of the driver

    Options:
          --call <CALL>
              Call one function instead of the driver and print its result, such as 'fib(30)'

          --num-cpus <N>
              Logical cpus to offer; all of the machine unless said [env: RAYW_NUM_CPUS]

          --memory <BYTES>
              Memory that tasks may reserve, such as 4GiB [env: RAYW_MEMORY]

          --object-store-memory <BYTES>
              Memory of the object store, such as 2GiB [env: RAYW_OBJECT_STORE_MEMORY]

          --resources <JSON>
              Custom resources to offer, such as '{"slot": 2}'

          --timeout <DURATION>
              Stop the job after this long, such as 90s or 1m30s

          --dir <HOST::GUEST[:ro]>
              Let the program use a folder, `:ro` for reading only; repeatable

          --env <KEY=VALUE>
              Set an environment variable of the program; repeatable

          --no-progress
              Draw no progress, even on a terminal

      -h, --help
              Print help
    "#);
}

#[test]
fn help_of_list() {
    insta::assert_snapshot!(help("list"), @r"
    List tasks, actors, objects, nodes, jobs, leases or placement groups

    Usage: rayw list [OPTIONS] <RESOURCE>

    Arguments:
      <RESOURCE>
              What to list

              Possible values:
              - tasks:            Tasks, one row an attempt
              - actors:           Actors
              - objects:          Objects, one row a reason to keep it
              - nodes:            Nodes
              - jobs:             Jobs
              - leases:           Leases: what owners may use on which node
              - placement-groups: Placement groups

    Options:
      -f, --filter <FILTER>
              Only rows with this value in this column, 'KEY=VALUE' or 'KEY!=VALUE'; repeatable, all must hold

          --limit <N>
              Rows at most
              
              [default: 100]

          --detail
              Show more columns, as yaml unless another format is asked for

          --format <FORMAT>
              How to print

              Possible values:
              - default: A table; yaml with --detail
              - json:    A JSON array
              - yaml:    A YAML document
              - table:   A table
              
              [default: default]

          --address <ADDRESS>
              Directory or socket of the session, or HOST:PORT of a cluster; the cluster here unless said, or else the newest `rayw run` [env: RAYW_ADDRESS]

          --timeout <DURATION>
              How long to wait for an answer
              
              [default: 30s]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_get() {
    insta::assert_snapshot!(help("get"), @r"
    Show everything about one task, actor, object, node, job, lease or placement group

    Usage: rayw get [OPTIONS] <RESOURCE> <ID>

    Arguments:
      <RESOURCE>
              What it is

              Possible values:
              - tasks:            Tasks, one row an attempt
              - actors:           Actors
              - objects:          Objects, one row a reason to keep it
              - nodes:            Nodes
              - jobs:             Jobs
              - leases:           Leases: what owners may use on which node
              - placement-groups: Placement groups

      <ID>
              Its id, the beginning of it, or a name: of an actor, a node, a group, or a job

    Options:
          --format <FORMAT>
              How to print

              Possible values:
              - default: A table
              - json:    A JSON document
              - yaml:    A YAML document
              - table:   A table
              
              [default: yaml]

          --address <ADDRESS>
              Directory or socket of the session, or HOST:PORT of a cluster; the cluster here unless said, or else the newest `rayw run` [env: RAYW_ADDRESS]

          --timeout <DURATION>
              How long to wait for an answer
              
              [default: 30s]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_microbenchmark() {
    insta::assert_snapshot!(help("microbenchmark"), @r"
    Measure what Ray's microbenchmark measures

    Usage: rayw microbenchmark [OPTIONS]

    Options:
          --filter <TEXT>
              Only rows with this in their name; repeatable

          --list
              Only print the names of the rows

          --address <HOST:PORT>
              The head of a cluster, whose memory and start are not measured; one inside a process of its own unless said

          --num-cpus <N>
              Logical cpus to offer, or those of the cluster; all of the machine unless said

          --warmup <DURATION>
              How long a row runs before it is measured
              
              [default: 1s]

          --seconds <DURATION>
              How long each round is
              
              [default: 2s]

          --rounds <N>
              Rounds of each row, whose mean is shown
              
              [default: 4]

          --scale <FACTOR>
              Multiply the sizes of all rounds, for trying: such numbers cannot be compared with others
              
              [default: 1]

          --component <PATH>
              The benchmark's component or crate; beside this program, or in its checkout unless said

          --format <FORMAT>
              How to print

              Possible values:
              - table: A line for each row, as soon as it is there
              - json:  One JSON document at the end
              
              [default: table]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_summary() {
    insta::assert_snapshot!(help("summary"), @r"
    Count tasks, actors or objects of a running session by state

    Usage: rayw summary [OPTIONS] <RESOURCE>

    Arguments:
      <RESOURCE>
              What to count

              Possible values:
              - tasks:   Tasks by function
              - actors:  Actors by class
              - objects: Objects by the task that made them

    Options:
          --format <FORMAT>
              How to print

              Possible values:
              - default: A table
              - json:    A JSON document
              - yaml:    A YAML document
              - table:   A table
              
              [default: default]

          --address <ADDRESS>
              Directory or socket of the session, or HOST:PORT of a cluster; the cluster here unless said, or else the newest `rayw run` [env: RAYW_ADDRESS]

          --timeout <DURATION>
              How long to wait for an answer
              
              [default: 30s]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn bad_values_are_named_with_a_remedy() {
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--dir", "data"]), @r"
    error: invalid value 'data' for '--dir <HOST::GUEST[:ro]>': `::` is missing: write `HOST::GUEST` or `HOST::GUEST:ro`, such as `/srv/data::/data:ro`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--env", "KEY"]), @r"
    error: invalid value 'KEY' for '--env <KEY=VALUE>': write `KEY=VALUE`, such as `LANG=C`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["start", "--head", "--labels", "zone"]), @r"
    error: invalid value 'zone' for '--labels <KEY=VALUE>': write `KEY=VALUE`, such as `zone=a`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["submit", "a.wasm", "--label-selector", "zone"]), @r"
    error: invalid value 'zone' for '--label-selector <KEY=VALUE>': write `KEY=VALUE`, such as `zone=a`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["start", "--address", "auto"]), @r"
    error: invalid value 'auto' for '--address <HOST:PORT>': the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--memory", "lots"]), @r"
    error: invalid value 'lots' for '--memory <BYTES>': `lots` is not an amount of memory: write bytes, or a number with KiB, MiB, GiB, kB, MB or GB

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--timeout", "soon"]), @r"
    error: invalid value 'soon' for '--timeout <DURATION>': write seconds, or a number with a unit such as `500ms`, `10s` or `1m30s`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--resources", "slot=2"]), @r#"
    error: invalid value 'slot=2' for '--resources <JSON>': write a JSON object of numbers, such as `{"slot": 2}`: expected value at line 1 column 1

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refused(&["list", "tasks", "--limit", "20000"]), @r"
    error: invalid value '20000' for '--limit <N>': one answer has between 1 and 10000 rows; use a filter to see others

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["list", "tasks", "--filter", "state"]), @r"
    error: invalid value 'state' for '--filter <FILTER>': `state` is not a filter: write `key=value` or `key!=value`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["list", "task"]), @r"
    error: invalid value 'task' for '<RESOURCE>'
      [possible values: tasks, actors, objects, nodes, jobs, leases, placement-groups]

      tip: a similar value exists: 'tasks'

    For more information, try '--help'.
    ");
}

#[test]
fn a_call_takes_no_arguments_of_a_driver() {
    insta::assert_snapshot!(refused(&["run", "a.wasm", "--call", "f()", "--", "x"]), @r"
    error: the argument '--call <CALL>' cannot be used with '[ARGS]...'

    Usage: rayw run --call <CALL> <APP> [-- <ARGS>...]

    For more information, try '--help'.
    ");
}
