//! Discovery against Python's fmf: `cargo bench --bench discover [-- [--pairs N] [TESTS…]]`.
//!
//! Makes trees of 1,000 and 10,000 tests, or of the sizes that are given (such as 100000), and lists each with
//! `atex ls tests --json` and with Python's fmf doing load, adjust, prune and JSON. The two take turns, so that what else the machine
//! does meets both. Printed are medians of wall time, user CPU and peak memory, and the ratios; nothing is asserted but that
//! both list the same tests.
//!
//! The interpreter is `$ATEX_FMF_PYTHON`, else `python3`; where it has no fmf, only atex is measured. `ATEX_BINARY` measures
//! another build of atex.
//!
//! The kernel counts a child's memory from before its `exec`, and so that of its parent; each run is therefore started by a
//! small process of its own, which is this program again and only waits and says what the kernel counted.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// The first argument of the process that starts a run.
const STARTER: &str = "--start-and-measure";

const TESTS_A_FILE: usize = 20;

const FILES_A_DIRECTORY: usize = 10;

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
        "{:>8}  {:<6}  {:>10}  {:>10}  {:>9}  {:>12}",
        "tests", "", "wall ms", "user ms", "peak MiB", "wall µs/test"
    );
    for tests in sizes {
        measure(tests, pairs);
    }
}

/// Makes a tree, runs the contenders in turns and prints what they took.
fn measure(tests: usize, pairs: usize) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let tree = place.path().join("tree");
    make_tree(&tree, tests);
    let contenders = contenders(&tree);
    let names: Vec<_> = contenders
        .iter()
        .map(|contender| contender.names(place.path()))
        .collect();
    assert_eq!(names[0].len(), tests, "atex lists every test");
    assert!(names.iter().all(|other| *other == names[0]), "both list the same tests");
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
            "{tests:>8}  {:<6}  {:>10.1}  {:>10.1}  {:>9.1}  {:>12.2}",
            contender.name,
            cost.wall_ms,
            cost.user_ms,
            cost.peak_mib,
            cost.wall_ms * 1000.0 / count
        );
    }
    if let [atex, python] = medians.as_slice() {
        println!(
            "{tests:>8}  {:<6}  {:>9.1}x  {:>9.1}x  {:>8.2}x",
            "ratio",
            python.wall_ms / atex.wall_ms,
            python.user_ms / atex.user_ms,
            python.peak_mib / atex.peak_mib
        );
    }
}

fn contenders(tree: &Path) -> Vec<Contender> {
    let tree = tree.to_string_lossy().into_owned();
    let binary = env::var_os("ATEX_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_atex").into());
    let context = format!("distro={DISTRO}");
    let mut contenders = vec![Contender {
        name: "atex",
        program: binary.into(),
        args: ["ls", "tests", "--json", "-C", &tree, "-c", &context]
            .map(str::to_owned)
            .to_vec(),
    }];
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
        let mut starter = Command::new(env::current_exe().expect("this program has a path"));
        starter.arg(STARTER).arg(&self.program).args(&self.args);
        let output = starter
            .env("HOME", home)
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

/// Writes a tree: settings at the root, for each directory and each file; a file holds virtual tests, every fifth of which
/// has an adjust rule of its own.
fn make_tree(root: &Path, tests: usize) {
    let write = |path: PathBuf, text: &str| {
        let parent = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(parent).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    write(root.join(".fmf/version"), "1\n");
    write(root.join("plans.fmf"), "discover: {how: fmf}\nexecute: {how: tmt}\n");
    write(
        root.join("tests/main.fmf"),
        "contact: Quality <quality@example.org>\nduration: 5m\nframework: shell\ntag: [all]\n\
         require: [bash, coreutils]\nenvironment: {LANG: C.UTF-8}\n\
         adjust:\n  - when: distro == rhel-9\n    duration: 10m\n    because: it is slow there\n  \
         - when: distro < rhel-8\n    enabled: false\n    because: not there\n",
    );
    let mut made = 0;
    for file in 0..tests.div_ceil(TESTS_A_FILE) {
        let directory = root.join(format!("tests/area{:04}", file / FILES_A_DIRECTORY));
        if file % FILES_A_DIRECTORY == 0 {
            let component = format!("component: [component{}]\ntag+: [area]\n", file / FILES_A_DIRECTORY);
            write(directory.join("main.fmf"), &component);
        }
        let mut text = format!("test: ./run.sh\nrequire+: [package{file}]\nenvironment+: {{GROUP: \"{file}\"}}\n");
        for _ in 0..TESTS_A_FILE.min(tests - made) {
            // Writing to memory cannot fail.
            let _infallible = write!(
                text,
                "\n/case{made}:\n  summary: Checks that case {made} does what it says\n  tier: {}\n  tag+: [tag{}]\n  \
                 description: |\n    The first line of what case {made} is about.\n    And one more line.\n",
                made % 4,
                made % 7
            );
            if made % 5 == 0 {
                text.push_str("  adjust+:\n    - when: distro == rhel-9 and arch != s390x\n      tag+: [adjusted]\n");
            }
            made += 1;
        }
        write(directory.join(format!("group{file:05}.fmf")), &text);
    }
}
