//! The help of the commands that make a cluster and talk to one.

use super::help;

#[test]
fn help_of_start() {
    insta::assert_snapshot!(help("start"), @r#"
    Start a head or a node of a cluster, in the background unless `--block`

    Usage: rayw start [OPTIONS] <--head|--address <HOST:PORT>>

    Options:
          --head
              Be the head, with a node beside it

          --address <HOST:PORT>
              Be a node of the cluster whose head is there

          --port <PORT>
              Port to listen on; 6379 for a head, any for a node

          --host <IP>
              Address to listen on; nobody on other machines reaches 127.0.0.1, and 0.0.0.0 or :: needs `--advertise`
              
              [default: 127.0.0.1]

          --advertise <HOST:PORT>
              What others dial, where that is not what this process listens on; port 0 means the one it listens on

          --num-cpus <N>
              Logical cpus to offer; all of the machine unless said [env: RAYW_NUM_CPUS]

          --memory <BYTES>
              Memory that tasks may reserve, such as 4GiB [env: RAYW_MEMORY]

          --object-store-memory <BYTES>
              Memory of the object store, such as 2GiB [env: RAYW_OBJECT_STORE_MEMORY]

          --resources <JSON>
              Custom resources to offer, such as '{"slot": 2}'

          --labels <KEY=VALUE>
              Labels of the node, such as zone=a,disk=ssd; repeatable

          --node-name <NAME>
              Name of the node, for people

          --dir <PATH>
              Folder for components, logs, spilled objects and, of a head, its journal: a head on the same folder goes on with the cluster it had, also after `rayw stop`; one for each port unless said

          --heartbeat-period <DURATION>
              Of a head: how often its nodes tell it that they are there
              
              [default: 500ms]

          --node-timeout <DURATION>
              Of a head: after how long without a word it takes a node for dead
              
              [default: 3s]

          --join-timeout <DURATION>
              Of a node: how long it tries to reach the head before it gives up
              
              [default: 10s]

          --block
              Stay in the foreground and log to stderr; ctrl-c ends it

      -h, --help
              Print help
    "#);
}

#[test]
fn help_of_stop() {
    insta::assert_snapshot!(help("stop"), @r"
    Stop the heads and nodes that were started here

    Usage: rayw stop [OPTIONS]

    Options:
      -f, --force
              Kill them at once instead of letting them end in order

      -g, --grace-period <DURATION>
              How long they may take to end in order before they are killed
              
              [default: 16s]

      -h, --help
              Print help
    ");
}

#[test]
fn help_of_status() {
    insta::assert_snapshot!(help("status"), @r"
    Show a cluster: its nodes, what is used, what waits and why

    Usage: rayw status [OPTIONS]

    Options:
      -v, --verbose
              Show each node with what it uses

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
fn help_of_submit() {
    insta::assert_snapshot!(help("submit"), @r#"
    Run a program on a cluster and show what it prints

    Usage: rayw submit [OPTIONS] <APP> [-- <ARGS>...]

    Arguments:
      <APP>
              A .wasm or .wat file

      [ARGS]...
              Arguments of the driver

    Options:
          --address <HOST:PORT>
              The head of the cluster; the last one started on this machine unless said [env: RAYW_ADDRESS]

          --no-wait
              Print the job's id and do not wait for its end

          --submission-id <ID>
              The name to know it by; drawn by the head unless said

          --name <NAME>
              A name for people

          --num-cpus <N>
              Logical cpus that the driver holds

          --memory <BYTES>
              Memory that the driver holds, such as 1GiB

          --resources <JSON>
              Custom resources that the driver holds, such as '{"slot": 1}'

          --label-selector <KEY=VALUE>
              A label that the driver's node must have, such as zone=a or zone='in(a,b)'; repeatable

          --dir <HOST::GUEST[:ro]>
              Let the program use a folder of the nodes, by its whole path, `:ro` for reading only; repeatable

          --working-dir <PATH>
              Send a folder with the job, which its guests see as `.`, for reading; at most 500 MiB, without symbolic links and folders named .git, target, node_modules, __pycache__

          --env <KEY=VALUE>
              Set an environment variable of the program; repeatable

          --namespace <NAME>
              The namespace of its named actors; one of its own unless said

          --weight <N>
              Its share of the cluster while others want it too
              
              [default: 1]

          --fail-if-infeasible
              Fail at once where no node will ever be able to run something

      -h, --help
              Print help
    "#);
}

#[test]
fn help_of_job() {
    insta::assert_snapshot!(help("job"), @r"
    List, look at, stop or delete jobs of a cluster

    Usage: rayw job <COMMAND>

    Commands:
      list    List all jobs, those that are over too
      status  Show the state of a job
      logs    Show what a job printed, all of it on stdout
      stop    Stop a job: its driver, tasks and actors
      delete  Forget a job that is over, and its logs
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help
    ");
}

#[test]
fn help_of_drain() {
    insta::assert_snapshot!(help("drain"), @r#"
    Have a node of a cluster leave when its work is done

    Usage: rayw drain [OPTIONS] <NODE>

    Arguments:
      <NODE>
              Its id, the beginning of it, or its name

    Options:
          --reason <REASON>
              Why: an idle node is drained only as long as it has nothing to do

              Possible values:
              - idle-termination: It has nothing to do; one that has is refused
              - preemption:       Its machine goes: its work moves, and actors that it had restart without that being counted
              
              [default: preemption]

          --reason-message <TEXT>
              Why, for people
              
              [alias: --message]

          --deadline <DURATION>
              When it leaves even if it has work

          --address <HOST:PORT>
              The head of the cluster; the last one started on this machine unless said [env: RAYW_ADDRESS]

      -h, --help
              Print help (see a summary with '-h')
    "#);
}
