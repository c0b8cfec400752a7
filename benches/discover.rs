//! Benchmark of discovery, compared with Python's fmf: `cargo bench --bench discover [-- [--pairs N] [TESTS…]]`.
//!
//! It makes trees of 1,000 and 10,000 tests, or of the given sizes (such as 100000). It lists each tree with `atex ls tests
//! --json`, first without a cache and then from the cache, and with Python's fmf, which does load, adjust, prune and JSON. `show`
//! and `origins` are `atex fmf show --json` without and with `--origin`; their difference is the cost of telling where each value
//! came from. The programs take turns, so that other load on the machine affects all of them. The output is medians of wall time,
//! user CPU and peak memory, and their ratios. Nothing is asserted except that all programs list the same tests.
//!
//! `ATEX_PLAIN` names a build of atex that keeps no origins at all, to measure the cost of keeping them. This makes one:
//! `ATEX_PLAIN_BUILD=1 cargo build --release --target-dir target/plain`.
//!
//! The interpreter is `$ATEX_FMF_PYTHON`, or else `python3`. If it has no fmf, only atex is measured. `ATEX_BINARY` names another
//! build of atex to measure.
//!
//! The kernel counts a child's memory from before its `exec`, so it includes the memory of its parent. Therefore a small process
//! starts each run: it is this program again, and it only waits and prints what the kernel counted.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::time::Instant;

#[path = "support/tree.rs"]
mod tree;

use nix::sys::resource::{UsageWho, getrusage};

/// The first argument of the process that starts a run.
const STARTER: &str = "--start-and-measure";

/// The context of both sides; `arch` decides nothing in these trees.
const DISTRO: &str = "rhel-9.4";

/// What Python does: the same as `atex ls tests --json`.
const PYTHON: &str = r#"
import json, sys
import fmf
tree = fmf.Tree(sys.argv[1])
tree.adjust(fmf.Context(distro=sys.argv[2]), undecided="skip")
for node in tree.prune(keys=["test"]):
    print(json.dumps({"name": node.name, "data": node.data}))
"#;

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    wall_ms: f64,
    user_ms: f64,
    peak_mib: f64,
}

/// A way to list the tests of a tree.
struct Contender {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    /// Whether nothing is to be remembered from earlier runs.
    cold: bool,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some((STARTER, command)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        start_and_measure(command);
    }
    let (mut pairs, mut sizes) = (5, Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let text = if arg == "--pairs" {
            args.next()
        } else {
            Some(arg.clone())
        };
        let Some(number) = text
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|&number| number > 0)
        else {
            eprintln!("usage: cargo bench --bench discover [-- [--pairs N] [TESTS…]]");
            exit(2);
        };
        if arg == "--pairs" {
            pairs = number;
        } else {
            sizes.push(number);
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000];
    }
    println!(
        "{:>8}  {:<8}  {:>10}  {:>10}  {:>9}  {:>12}",
        "tests", "", "wall ms", "user ms", "peak MiB", "wall µs/test"
    );
    let mut first = None;
    for tests in sizes {
        let share = measure(tests, pairs);
        let first = *first.get_or_insert(share);
        println!(
            "{tests:>8}  a test takes {:.2} of what it takes in the first tree",
            share / first
        );
    }
}

/// Makes a tree, runs the contenders in turns and prints what they took; returns the time of one test without a cache.
fn measure(tests: usize, pairs: usize) -> f64 {
    let place = tempfile::tempdir().expect("a temporary directory");
    let tree = place.path().join("tree");
    tree::make(&tree, tests);
    // Files that were written within the last minute are not believed to be unchanged.
    std::thread::sleep(std::time::Duration::from_secs(61));
    let contenders = contenders(&tree);
    let names: Vec<_> = contenders
        .iter()
        .map(|contender| contender.names(place.path()))
        .collect();
    assert_eq!(names[0].len(), tests, "atex lists every test");
    assert!(names.iter().all(|other| *other == names[0]), "all list the same tests");
    let mut costs = vec![Vec::new(); contenders.len()];
    for _ in 0..pairs {
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            costs.push(contender.run(place.path()));
        }
    }
    let medians: Vec<Cost> = costs.iter().map(|costs| median(costs)).collect();
    let count = u32::try_from(tests).map_or(f64::MAX, f64::from);
    for (contender, cost) in contenders.iter().zip(&medians) {
        println!(
            "{tests:>8}  {:<8}  {:>10.1}  {:>10.1}  {:>9.1}  {:>12.2}",
            contender.name,
            cost.wall_ms,
            cost.user_ms,
            cost.peak_mib,
            cost.wall_ms * 1000.0 / count
        );
    }
    let ratio = |what: &str, more: &Cost, less: &Cost| {
        println!(
            "{tests:>8}  {what:<14}  wall {:.3}  user {:.3}  memory {:.3}",
            more.wall_ms / less.wall_ms,
            more.user_ms / less.user_ms,
            more.peak_mib / less.peak_mib
        );
    };
    let of = |name: &str| {
        contenders
            .iter()
            .zip(&medians)
            .find(|(contender, _)| contender.name == name)
    };
    for (one, other) in [
        ("cached", "atex"),
        ("origins", "show"),
        ("atex", "plain"),
        ("python", "atex"),
        ("atex", "python"),
    ] {
        if let (Some((_, more)), Some((_, less))) = (of(one), of(other)) {
            ratio(&format!("{one}/{other}"), more, less);
        }
    }
    medians[0].wall_ms / count
}

fn contenders(tree: &Path) -> Vec<Contender> {
    let tree = tree.to_string_lossy().into_owned();
    let binary = env::var_os("ATEX_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_atex").into());
    let context = format!("distro={DISTRO}");
    let atex = |name, cold, args: &[&str]| Contender {
        name,
        program: PathBuf::from(&binary),
        args: [args, &["-C", &tree, "-c", &context]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        cold,
    };
    let plain = |program: OsString| Contender {
        name: "plain",
        program: program.into(),
        ..atex("atex", true, &["ls", "tests", "--json"])
    };
    let mut contenders = vec![
        atex("atex", true, &["ls", "tests", "--json"]),
        atex("cached", false, &["ls", "tests", "--json"]),
        atex("show", false, &["fmf", "show", "--json", "--key", "test"]),
        atex(
            "origins",
            false,
            &["fmf", "show", "--json", "--key", "test", "--origin"],
        ),
    ];
    contenders.extend(env::var_os("ATEX_PLAIN").map(plain));
    let python = env::var_os("ATEX_FMF_PYTHON").unwrap_or_else(|| "python3".into());
    let has_fmf = Command::new(&python)
        .args(["-c", "import fmf"])
        .stderr(Stdio::null())
        .status();
    if has_fmf.is_ok_and(|status| status.success()) {
        contenders.push(Contender {
            name: "python",
            program: python.into(),
            args: ["-c", PYTHON, &tree, DISTRO].map(str::to_owned).to_vec(),
            cold: false,
        });
    } else {
        eprintln!("`{}` has no fmf: only atex is measured", python.display());
    }
    contenders
}

impl Contender {
    /// Runs once, and returns the names of the tests that are listed.
    fn names(&self, home: &Path) -> Vec<String> {
        let mut command = Command::new(&self.program);
        let output = command
            .args(&self.args)
            .env("HOME", home)
            .env("ATEX_CACHE", home.join("cache"))
            .stderr(Stdio::inherit())
            .output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{} fails", self.name);
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let name = |line: &str| {
            let test: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
            test["name"].as_str().expect("a test has a name").to_owned()
        };
        let mut names: Vec<_> = text.lines().map(name).collect();
        names.sort_unstable();
        names
    }

    /// Runs once with the output thrown away, and returns what it took.
    fn run(&self, home: &Path) -> Cost {
        if self.cold {
            // There is none before the first run.
            drop(fs::remove_dir_all(home.join("cache")));
        }
        let mut starter = Command::new(env::current_exe().expect("this program has a path"));
        starter.arg(STARTER).arg(&self.program).args(&self.args);
        let output = starter
            .env("HOME", home)
            .env("ATEX_CACHE", home.join("cache"))
            .stderr(Stdio::inherit())
            .output()
            .expect("this program starts");
        assert!(output.status.success(), "{} fails", self.name);
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let [wall_ms, user_ms, peak_mib] = numbers[..] else {
            panic!("the starter says `{text}`");
        };
        Cost {
            wall_ms,
            user_ms,
            peak_mib,
        }
    }
}

/// Runs a command, prints what it took as three numbers, and ends.
fn start_and_measure(command: &[String]) -> ! {
    let (program, args) = command.split_first().expect("a command");
    let start = Instant::now();
    let status = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .status()
        .expect("the program starts");
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let user = usage.user_time();
    let microseconds = user.tv_sec() * 1_000_000 + user.tv_usec();
    let number = |count: i64| i32::try_from(count).map_or(f64::MAX, f64::from);
    println!(
        "{wall_ms} {} {}",
        number(microseconds) / 1e3,
        number(usage.max_rss()) / 1024.0
    );
    exit(i32::from(!status.success()))
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |what: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(what).collect();
        all.sort_unstable_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Cost {
        wall_ms: middle(|cost| cost.wall_ms),
        user_ms: middle(|cost| cost.user_ms),
        peak_mib: middle(|cost| cost.peak_mib),
    }
}
