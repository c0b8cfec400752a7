//! Benchmark of the null build, in which nothing has to run: `cargo bench --bench null_build [-- [--runs N] [TESTS]]`.
//!
//! It makes a tree of 10,000 tests, or of the given number, and a cache with a passed record of each test, as if all had been run
//! on this machine. Then it measures `atex build` of the unchanged tree: finding that nothing changed, and writing the run's
//! directory, in which every test has its own directory with its results. The output is the medians. It asserts that the program
//! itself says that all tests are cached, and that the results of all tests are there.
//!
//! `ATEX_BINARY` names another build of atex to measure, which must compute the same keys.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::time::{Duration, Instant};

use atex::compile::compile;
use atex::compile::spec::{Narrowing, Request, Secrets, Workload};
use atex::sut::facts::{Installation, local_facts};
use atex_cache::{OutputFile, Record, RecordOutcome, Store};
use atex_graph::{Base, NodeId, transcript};
use nix::sys::resource::{UsageWho, getrusage};
use rayon::prelude::*;

#[path = "support/tree.rs"]
mod tree;

fn main() {
    let (mut runs, mut tests) = (7, 10_000);
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        let is_runs = arg == "--runs";
        let text = if is_runs { args.next() } else { Some(arg) };
        let number = text.and_then(|text| text.parse().ok()).filter(|&number| number > 0);
        let Some(number) = number else {
            eprintln!("usage: cargo bench --bench null_build [-- [--runs N] [TESTS]]");
            exit(2);
        };
        *(if is_runs { &mut runs } else { &mut tests }) = number;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let root = place.path().join("tree");
    tree::make(&root, tests);
    // Files that were just written are not believed to be unchanged.
    std::thread::sleep(Duration::from_millis(2100));
    let work = compile(&request(&root, place.path())).unwrap_or_else(|error| panic!("{error}"));
    let seeding = Instant::now();
    seed(&work, &Store::open(&place.path().join("cache")).expect("a store"));
    println!("{tests} records are seeded in {:.1} s", seeding.elapsed().as_secs_f64());
    // Each record had a claim, whose file is gone. For a minute ext4 passes over inodes that were just freed, one by one, whenever a
    // file is made: no user builds right after ten thousand tests that took no time.
    rustix::fs::sync();
    std::thread::sleep(Duration::from_secs(70));
    let mut costs: Vec<Cost> = (0..=runs).map(|run| build(place.path(), run, tests)).collect();
    println!(
        "the first build, which remembers the tree: {:.1} ms",
        costs.remove(0).wall
    );
    let told = |what: &str, cost: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(cost).collect();
        all.sort_unstable_by(f64::total_cmp);
        let [fastest, median, slowest] = [0, all.len() / 2, all.len() - 1].map(|at| all[at]);
        println!("{what:>7} ms: median {median:.1}, fastest {fastest:.1}, slowest {slowest:.1}");
    };
    println!("{tests} cached tests, {runs} builds:");
    told("wall", |cost| cost.wall);
    told("user", |cost| cost.user);
    told("system", |cost| cost.system);
}

/// What a build took, in milliseconds.
struct Cost {
    wall: f64,
    user: f64,
    system: f64,
}

/// User and system time of all processes that have ended, in milliseconds.
fn used() -> (f64, f64) {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let [user, system] = [usage.user_time(), usage.system_time()].map(|time| {
        let microseconds = time.tv_sec() * 1_000_000 + time.tv_usec();
        i32::try_from(microseconds).map_or(f64::MAX, f64::from) / 1e3
    });
    (user, system)
}

/// What the program asks to be compiled on this machine.
fn request(root: &Path, place: &Path) -> Request {
    let facts = local_facts().base_identity(Installation::default());
    let distro = match facts.version.as_str() {
        "" => facts.os.clone(),
        version => format!("{}-{version}", facts.os),
    };
    Request {
        start: root.to_owned(),
        plans: Vec::new(),
        tests: Vec::new(),
        narrowing: Narrowing::default(),
        environment: Vec::new(),
        default_context: BTreeMap::from([
            ("distro".to_owned(), vec![distro]),
            ("arch".to_owned(), vec![facts.arch.clone()]),
        ]),
        context: BTreeMap::new(),
        base: Base {
            os: facts.os,
            version: facts.version,
            arch: facts.arch,
            base: facts.base,
            digest: facts.digest,
            user: facts.user,
            environment: facts.environment,
        },
        strict: false,
        interface: None,
        secrets: Secrets::default(),
        fetch_cache: place.join("trees"),
        digest_cache: None,
        own: Vec::new(),
    }
}

/// Records each test as passed, with what a test that prints one line leaves.
fn seed(work: &Workload, store: &Store) {
    let nodes: Vec<NodeId> = work.tests.iter().map(|test| test.node).collect();
    nodes.par_iter().for_each(|&id| {
        let node = work.graph.node(id);
        let ticket = store.claim_to_run(node.key()).expect("a ticket");
        let mut batch = store.blobs().batch();
        let mut file = |path: &str, text: &str| OutputFile {
            path: path.to_owned(),
            digest: batch.put_bytes(text.as_bytes()).expect("a blob"),
            size: text.len() as u64,
        };
        let files = vec![
            file("files/output.txt", &format!("{} did what it should\n", node.label())),
            // Each its own, or there would be more links to one file than a file system allows.
            file(
                "results.jsonl",
                &format!("{{\"status\":\"pass\",\"note\":\"{}\"}}\n", node.label()),
            ),
        ];
        batch.finish().expect("durable");
        let record = Record {
            key: node.key(),
            name: node.label().to_string(),
            aliases: Vec::new(),
            kind: node.kind(),
            sut: "local".to_owned(),
            started: 1_700_000_000,
            duration_ms: 1000,
            prepared: None,
            outcome: RecordOutcome::Passed,
            inputs: transcript(node),
            files,
            meta: serde_json::Value::Null,
        };
        ticket.commit(record).expect("recorded");
    });
}

/// Builds once into a directory that stays (ext4 is slow to make files where many were just removed), checks that all was cached, and
/// returns what it took.
fn build(place: &Path, run: usize, tests: usize) -> Cost {
    let binary = env::var_os("ATEX_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_atex").into());
    let output = place.join(format!("run-{run}"));
    let mut command = Command::new(binary);
    command
        .arg("build")
        .arg("-C")
        .arg(place.join("tree"))
        .arg("-o")
        .arg(&output)
        .env("HOME", place)
        .env("ATEX_CACHE", place.join("cache"))
        .env("XDG_STATE_HOME", place.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let (user, system) = used();
    let start = Instant::now();
    let status = command.status().expect("the program starts");
    let wall = start.elapsed().as_secs_f64() * 1e3;
    let after = used();
    assert!(status.success(), "the build passes");
    let text = fs::read_to_string(output.join("run.json")).expect("the run is complete");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["cached"], tests, "all tests are cached");
    assert_eq!(results(&output.join("tests")), tests, "all tests have their results");
    Cost {
        wall,
        user: after.0 - user,
        system: after.1 - system,
    }
}

/// Counts the files of results.
fn results(directory: &Path) -> usize {
    let mut count = 0;
    let mut directories: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a kind").is_dir() {
                directories.push(entry.path());
            } else if entry.file_name() == "results.jsonl" {
                count += usize::from(entry.metadata().expect("there").len() > 0);
            }
        }
    }
    count
}
