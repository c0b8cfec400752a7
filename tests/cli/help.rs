//! Tests of help, completions and version, which a newcomer reads first.

use crate::support::{Atex, World};

fn stdout<const N: usize>(args: [&str; N]) -> String {
    World::new().atex().cwd("home").args(args).run().expect(0).stdout
}

#[test]
fn help_fits_a_screen_and_shows_examples() {
    insta::assert_snapshot!(stdout(["--help"]), @"
    Runs fmf/tmt tests on real machines, as a content-addressed build graph

    Usage: atex [OPTIONS] <COMMAND>

    Commands:
      build        Build the whole graph of plans: discover, prepare, test, finish
      test         Run tests by name, now; prepare what is missing, and leave the machine prepared
      finish       Run the finish scripts of plans and let the machines go
      ls           List tests or plans
      fmf          Look at fmf metadata
      graph        Show the graph that plans compile to
      why          Say why a node would run now, or would not
      lint         Say what of the metadata is wrong, or not obeyed
      cache        Look at recorded results, or remove them
      sut          Look at machines
      results      Show the results of a run
      report       Write a run in a form that other programs read
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -V, --version  Print version

    Common options:
      -C, --directory <DIR>  Work on the tree of this directory [default: the current one]
          --json             Print JSON, one object a line, on standard output
      -q, --quiet            Print failures and the summary only
      -v, --verbose          Print also what tests and scripts print
          --color <WHEN>     When to use colours [default: auto] [possible values: auto, always, never]
      -h, --help             Print help

    Examples:
      atex build                 prepare and run everything; what is done already is not done again
      atex test /tests/greeting  run one test now, on the SUT that is prepared
      atex why /tests/greeting   say why a test would run again
      atex results --failed      show what failed in the latest run

    The examples of all commands work in the tree `examples/hello` of the sources.

    Exit codes:
      0 all passed, 1 a test failed, 2 wrong usage or metadata, 3 the infrastructure failed,
      4 nothing to run, 5 a defect in atex, 130 interrupted
    ");
}

#[test]
fn help_of_build_tells_all_options() {
    insta::assert_snapshot!(stdout(["build", "--help"]), @"
    Build the whole graph of plans: discover, prepare, test, finish

    Usage: atex build [OPTIONS] [PLAN]...

    Arguments:
      [PLAN]...  Plans by name, or regular expressions [default: all that are enabled]

    Running:
          --until <KIND>       Stop after this kind of node [possible values: discover, prepare, test]
          --rerun              Run all tests, also those that passed before with the same inputs
          --audit <SHARE>      Run so much of what is recorded again and show whether it agrees: `5%`,
                               or `all`
          --dry-run            Show what would run, run nothing
          --fresh              Prepare from the first step, whatever the machine says of itself
          --max-age <AGE>      Distrust what was prepared longer ago, and tests that ran on it, as in
                               `12h` or `7d`
          --on-taint <WHAT>    What to do with a machine that a timeout or a broken step left in doubt
                               [default: prepare] [possible values: prepare, drop, ignore]
          --on-reboot <WHAT>   What to do with a machine that was booted, unasked by a test, since it
                               was prepared [default: prepare] [possible values: prepare, trust]
          --no-wait            Fail at once if somebody else uses the machine, instead of waiting
          --max-output <SIZE>  Keep so much of what a test or a step prints, as in `100M` [default: 1G]
      -o, --output <DIR>       Write the run's results to this directory; it must be empty or not exist

    Failures and parts:
          --retries <N>               Run a test that failed again, up to so many times; one that passes
                                      then is `flaky`, which is no failure [default: 0]
          --retry-infra <N>           Run a test again that its machine broke off, up to so many times
                                      [default: 1]
          --max-failures <N>          Start no further test once so many have failed
      -x, --exit-first                Start no further test once one has failed
          --max-prepare-failures <N>  Give a prepare chain up once it failed in the same way on so many
                                      machines [default: 2]
          --shard <M/N>               Run part M of N: each test is in one, and they take about the same
                                      time by `duration`

    Selection:
          --plan <PLAN>       Only this plan: its name, or a regular expression (repeatable)
          --filter <FILTER>   Only tests that this fmf filter selects, as in `tag:smoke & tier:1`
                              (repeatable)
          --condition <EXPR>  Only tests for which this Python expression holds, as in `'smoke' in tag`
                              (repeatable)
          --name <REGEX>      Only tests whose name this regular expression finds (repeatable)
          --exclude <REGEX>   Not the tests whose name this regular expression finds (repeatable)

    Environment and context:
      -e, --environment <KEY=VALUE|@FILE>  Set a variable for scripts and tests, or those of a file;
                                           wins over plans and tests (repeatable)
          --environment-file <FILE>        Set the variables of a file, whose path is relative to the
                                           root of the tree; `-e` wins over it (repeatable)
      -c, --context <DIM=VALUE[,VALUE]>    Set a dimension of the context for adjust rules, as in
                                           `distro=fedora-41` (repeatable)
          --secret-env <NAME>              Treat this variable as a secret: it is stored and printed
                                           nowhere (repeatable)
          --strict                         Refuse what a plan asks for and atex does not honour, instead
                                           of warning

    Machines:
      -s, --sut <TARGET>          Run on this machine: `local`, `local*4`, `[user@]host[:port]`,
                                  `podman:IMAGE`, `exec:COMMAND`, `provision:PROGRAM`, a name or group
                                  from the configuration, or `plan` for what the plan's `provision` says
                                  (repeatable: a pool) [default: local]
          --sut-file <FILE>       Run also on the machines of this file, one a line; those that are
                                  added while the run goes on join it
          --sut-dir <DIR>         Where atex keeps its files on the machine
          --ssh-config <FILE>     Read this instead of `~/.ssh/config` and the system's file; `none`
                                  reads nothing
          --accept-new-host-keys  Take and remember host keys that are not known; a changed one is
                                  refused all the same
          --max-facts-age <AGE>   Look again at a machine whose kind was found out longer ago, as in
                                  `12h` [default: 1d]
          --dead-after <TIME>     Count a machine as dead that says nothing for so long, as in `30s`
                                  [default: 30s]

    Common options:
      -C, --directory <DIR>  Work on the tree of this directory [default: the current one]
          --json             Print JSON, one object a line, on standard output
      -q, --quiet            Print failures and the summary only
      -v, --verbose          Print also what tests and scripts print
          --color <WHEN>     When to use colours [default: auto] [possible values: auto, always, never]
      -h, --help             Print help

    Examples:
      atex build                            all plans
      atex build /plans/hello               one plan, or all whose name has that in it
      atex build --until prepare            make the machine ready, run no tests
      atex build --dry-run                  show what would run and why
      atex build -s lab1 -s lab2            on two machines, whichever is free
      atex build -s 'local*4' --retries 1   four at once on this machine; what fails runs twice
      atex build --shard 2/3                the second of three parts, for three invocations
      atex build --max-age 12h              prepare again what is older
      atex build --audit 5%                 run some of what is recorded again: does it agree?
    ");
}

#[test]
fn help_needs_no_tree_and_no_home() {
    Atex::new()
        .cwd("home")
        .without_env("HOME")
        .args(["test", "-h"])
        .run()
        .expect(0);
}

#[test]
fn version_says_its_name() {
    assert!(stdout(["--version"]).starts_with("atex "));
}

#[test]
fn completions_name_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(["completions", shell]);
        for command in ["build", "test", "finish", "lint", "results", "completions"] {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
    }
}

#[test]
fn completions_work_beside_a_broken_configuration() {
    Atex::new()
        .tree([("atex.toml", "nonsense")])
        .args(["completions", "bash"])
        .run()
        .expect(0);
}

#[test]
fn colours_come_only_when_they_are_asked_for() {
    let world = World::new();
    let list = |color: &str| {
        world
            .atex()
            .args(["--color", color, "fmf", "show", "--whole"])
            .run()
            .expect(0)
            .stdout
    };
    assert!(!list("auto").contains('\x1b'));
    assert!(!list("never").contains('\x1b'));
    assert!(list("always").contains('\x1b'));
}
