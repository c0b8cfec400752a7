//! Tests that the examples in the help texts and in the README work as they are printed, in a copy of `examples/hello`.
//!
//! Only what differs between machines is replaced: keys of records (those of the test `/tests/subtests`), names of hosts, times
//! and sizes.

use std::fs;
use std::path::Path;

use crate::support::World;

/// Commands of the README that are not run: they build atex, or run all of its tests.
const NOT_RUN: [&str; 1] = ["tests/run"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the example tree. `local` keeps its files in the world, and not where it would on this host.
fn example() -> World {
    let world = World::new();
    let local = format!("[sut.local]\ntarget = \"local\"\ndir = \"{}\"\n", world.sut().display());
    world.write("home/.config/atex/config.toml", local);
    copy(&root().join("examples/hello"), &world.tree());
    world
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Puts the keys of `/tests/subtests` in the place of those in a line: its older record for the first, its newer one for the second.
fn with_keys(world: &World, line: &str, old: &str, new: &str) -> String {
    if !line.contains(old) {
        return line.to_owned();
    }
    let records = world.bash("atex cache ls --json").expect(0).json();
    let mut of_test: Vec<_> = records
        .iter()
        .filter(|record| record["name"] == "test /tests/subtests")
        .map(|record| (record["started"].as_u64().unwrap(), record["key"].as_str().unwrap()))
        .collect();
    of_test.sort_unstable();
    assert_eq!(of_test.len(), 2, "the test has two records: {records:?}");
    line.replace(old, of_test[0].1).replace(new, of_test[1].1)
}

/// The commands below `atex`, each as its words.
pub(crate) fn commands(world: &World, above: &[String]) -> Vec<Vec<String>> {
    let help = world.atex().args(above).args(["--help"]).run().expect(0).stdout;
    let mut all = vec![above.to_vec()];
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    for line in list.lines().take_while(|line| !line.is_empty()) {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().filter(|name| is_name && *name != "help");
        let below = name.map(|name| [above, &[name.to_owned()]].concat());
        all.extend(below.into_iter().flat_map(|below| commands(world, &below)));
    }
    all
}

/// The examples of a help text: what follows `Example:`, or the lines below `Examples:` up to their explanation.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    let lines = lines.take_while(|line| !line.is_empty());
    let command = |line: &str| {
        let line = line.split_once("Example: ").map_or(line, |(_, line)| line).trim();
        let line = line.split("  ").next().unwrap_or_default().trim().to_owned();
        (!line.is_empty() && !line.starts_with("Example")).then_some(line)
    };
    lines.filter_map(command).collect()
}

/// Waits until no agent of the last command is left that holds a machine: it ends when it hears that atex has ended.
fn await_release(world: &World) {
    world
        .bash("find ~ ../sut -name lease -exec flock {} true ';' 2>&1 || true")
        .expect(0);
}

/// Runs the examples of one command below `atex`, and of those below it, one after the other.
fn run_examples_of(command: &str) {
    let world = example();
    let help = |command: &Vec<String>| world.atex().args(command).args(["--help"]).run().expect(0).stdout;
    let commands = commands(&world, &[command.to_owned()]);
    let lines: Vec<String> = commands.iter().flat_map(|command| examples(&help(command))).collect();
    assert!(!lines.is_empty(), "`atex {command}` has an example");
    if ["cache", "report", "results"].contains(&command) {
        world.bash("atex build -o out").expect(0);
        world.bash("echo >> tests/subtests/test.sh; atex build").expect(0);
    }
    for line in lines {
        let ran = world.bash(&with_keys(&world, &line, "3a42", "4053")).expect(0);
        if line.contains("| jq") {
            let finds = ran.stdout.lines().any(|line| line != "null");
            assert!(finds, "`{line}` finds nothing: {ran:?}");
        }
        await_release(&world);
    }
}

macro_rules! commands_with_examples {
    ($($test:ident $command:literal)*) => {
        const COMMANDS: &[&str] = &[$($command),*];
        $(#[test] fn $test() { run_examples_of($command); })*
    };
}

commands_with_examples! {
    examples_of_build_work "build"
    examples_of_test_work "test"
    examples_of_finish_work "finish"
    examples_of_ls_work "ls"
    examples_of_fmf_work "fmf"
    examples_of_graph_work "graph"
    examples_of_why_work "why"
    examples_of_lint_work "lint"
    examples_of_cache_work "cache"
    examples_of_sut_work "sut"
    examples_of_results_work "results"
    examples_of_report_work "report"
    examples_of_completions_work "completions"
}

#[test]
fn examples_of_atex_itself_work_and_no_command_is_left_out() {
    let world = example();
    let help = world.atex().args(["--help"]).run().expect(0).stdout;
    for line in examples(&help) {
        world.bash(&line).expect(0);
    }
    let top: Vec<_> = commands(&world, &[])
        .into_iter()
        .filter(|command| command.len() == 1)
        .collect();
    assert_eq!(top.concat(), COMMANDS);
}

/// A command of the README, and the lines that it is said to print.
struct Shown<'a> {
    /// Whether a new section begins with it, which begins with a new tree.
    is_first: bool,
    command: &'a str,
    output: Vec<&'a str>,
}

/// The commands of a Markdown text's blocks of `sh` and `console`, in order.
fn shown(text: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    let (mut language, mut is_first) = (None, true);
    for line in text.lines() {
        let command = match (line.strip_prefix("```"), language) {
            (Some(word), None) => {
                language = Some(word);
                continue;
            }
            (Some(_), Some(_)) => {
                language = None;
                continue;
            }
            (None, Some("sh")) => Some(line),
            (None, Some("console")) => line.strip_prefix("$ "),
            (None, None) if line.starts_with("## ") => {
                is_first = true;
                continue;
            }
            _ => continue,
        };
        match command {
            Some(command) => {
                let output = Vec::new();
                all.push(Shown {
                    is_first,
                    command,
                    output,
                });
                is_first = false;
            }
            None => all
                .last_mut()
                .expect("output stands below its command")
                .output
                .push(line),
        }
    }
    all
}

/// A line without what differs from run to run: times, ages, sizes, keys, names of runs and of this machine.
fn steady(line: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let line = line.replace("[TMP]/home", "~").replace("just now", "0s ago");
    let word = |word: &str| {
        let number = word.trim_end_matches('s');
        let is_time = word.ends_with('s') && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_key = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        match word {
            _ if is_time && !number.is_empty() => "TIME".to_owned(),
            _ if is_key => "KEY".to_owned(),
            _ if is_number && !word.is_empty() => "N".to_owned(),
            _ if word == host => "vm".to_owned(),
            _ => match word.split_once("/runs/2") {
                Some((before, rest)) => {
                    let file = rest.split_once('/').map_or("", |(_, file)| file);
                    format!("{before}/runs/RUN/{file}")
                }
                None => word.to_owned(),
            },
        }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn commands_of_the_readme_print_what_it_says() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut world = example();
    let mut count = 0;
    for Shown {
        is_first,
        command,
        output,
    } in shown(&text)
    {
        if is_first {
            world = example();
        }
        if NOT_RUN.contains(&command) {
            continue;
        }
        let line = command.replace("cargo run --release -- -C examples/hello", "atex");
        let line = with_keys(&world, &line, "4053", "3a42");
        let code = output
            .iter()
            .find_map(|line| line.strip_prefix("exit ")?.split(':').next()?.parse().ok());
        await_release(&world);
        let ran = world.bash(&line).expect(code.unwrap_or(0));
        let printed: Vec<String> = ran.stdout.lines().map(steady).collect();
        let is_shown = |line: &&str| !line.trim_matches([' ', '…']).is_empty();
        for line in output.into_iter().filter(is_shown) {
            assert!(
                printed.contains(&steady(line)),
                "`{command}` does not print `{line}`: {ran:?}"
            );
        }
        count += 1;
    }
    assert!(count > 5, "the README has commands");
}
