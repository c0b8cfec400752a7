//! Tests of the discovery cache: after any history of edits, a tree is compiled with the cache to the same result as without one.
//!
//! `ATEX_DISCOVER_STEPS` is the number of random edits, and `ATEX_DISCOVER_SEED` is the seed of the generator.
//! `ATEX_DISCOVER_SETTLE` is after how many seconds an unchanged file is believed by what `stat` says; a kernel that writes back
//! later than usual needs more.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use atex::compile::spec::{Narrowing, NullBuild, Request, Secrets, Workload};
use atex::compile::{compile, resolve};
use atex::control::Mask;
use atex::exec::options::{Mode, OnReboot, OnTaint, Options, Until};
use atex::exec::pending::PendingWork;
use atex::exec::schedule::ScheduleRules;
use atex::sut::OnHeld;
use atex_cache::binary::BinaryReader;
use atex_cache::{RecordOutcome, RecordOutput};

#[path = "../../fmf/tests/fmf/random.rs"]
#[expect(dead_code, reason = "a part of it is used here")]
mod random;

use random::Random;

/// A tree, and a cache for it.
struct Trial {
    dir: tempfile::TempDir,
}

impl Trial {
    fn new() -> Self {
        let trial = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        for (path, text) in [
            (".fmf/version", "1\n"),
            (
                "plans.fmf",
                "discover: {how: fmf}\nexecute: {how: tmt}\n/all: {}\n/odd:\n    discover+: {what: no}\n\
                 /other:\n    context: {distro: centos}\n",
            ),
            (
                "main.fmf",
                "adjust:\n  - when: distro == rhel\n    tag+: [adjusted]\ntag: [top]\n",
            ),
            ("tests/main.fmf", "test: ./run\nrequire: [a]\n"),
            ("tests/one.fmf", "/a:\n    duration: 5m\n/b:\n    tag+: [b]\n"),
            ("tests/run", "true\n"),
            ("tests/sub/main.fmf", "require+: [b]\n"),
            ("tests/sub/two.fmf", "summary: two\n"),
            ("tests/sub/speaks", "echo noop >&$ATEX_TEST_CONTROL\n"),
        ] {
            trial.write(path, text);
        }
        trial
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        // What stands in the way of a random edit makes it another edit.
        drop(fs::create_dir_all(path.parent().expect("a file in a directory")));
        drop(fs::write(path, text));
    }

    fn request(&self, cached: bool) -> Request {
        Request {
            start: self.root(),
            plans: Vec::new(),
            tests: Vec::new(),
            narrowing: Narrowing::default(),
            environment: Vec::new(),
            default_context: BTreeMap::from([("distro".to_owned(), vec!["rhel-9".to_owned()])]),
            context: BTreeMap::new(),
            base: atex_graph::Base::default(),
            strict: false,
            secrets: Secrets::default(),
            fetch_cache: PathBuf::from("/nonexistent"),
            digest_cache: cached.then(|| self.cache()),
            interface: None,
            own: Vec::new(),
        }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// How many files a bucket of the cache has, such as the packed trees.
    fn remembered(&self, bucket: &str) -> usize {
        let Ok(roots) = fs::read_dir(self.cache().join(bucket)) else {
            return 0;
        };
        let files = roots
            .flatten()
            .flat_map(|root| fs::read_dir(root.path()).expect("a directory"));
        let named = files
            .flatten()
            .filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        named.count()
    }
}

/// All that is listed and compiled, or the error, as text.
fn outcome(request: &Request) -> String {
    let mut text = match resolve(request) {
        Err(error) => format!("{error}\n{error:?}\n"),
        Ok(resolved) => match resolved.list(request) {
            Err(error) => format!("{error}\n{error:?}\n"),
            Ok(listing) => {
                let mut out = format!("{:?}\n{:?}\n", listing.warnings, listing.plans().collect::<Vec<_>>());
                let _infallible = writeln!(out, "{:?} {:?}", listing.unusable, listing.interfaces(request));
                for test in listing.tests() {
                    let dir = test.dir().expect("was looked at");
                    let _infallible = write!(out, "{} {} {dir} ", test.name, test.plan);
                    test.write_data(&mut out);
                }
                out
            }
        },
    };
    // Writing to memory cannot fail.
    let _infallible = match compile(request) {
        Err(error) => write!(text, "{error}\n{error:?}"),
        Ok(work) => {
            let keys: Vec<_> = work
                .graph
                .ids()
                .map(|id| work.graph.node(id).key().to_string())
                .collect();
            write!(
                text,
                "{:#?} {:#?} {:#?} {:#?} {keys:#?}",
                work.plans, work.tests, work.warnings, work.unusable
            )
        }
    };
    text
}

/// Compares, twice: what the first look remembers, the second one finds.
fn check(trial: &Trial, what: &str) {
    let fresh = outcome(&trial.request(false));
    for look in ["first", "second"] {
        let cached = outcome(&trial.request(true));
        assert!(
            cached == fresh,
            "{what}, {look} look:\n{cached}\n\nwithout a cache:\n{fresh}"
        );
    }
    check_null_build(trial, what);
}

/// A null build that is found says what compiling without a cache does; and one that was kept is found.
fn check_null_build(trial: &Trial, what: &str) {
    let request = trial.request(true);
    let found = || resolve(&request).ok()?.null_build_file(&request)?.find();
    let usable = compile(&trial.request(false))
        .ok()
        .filter(|work| work.unusable.is_empty());
    let fresh = usable.and_then(|work| null_build(&work));
    let before = found();
    assert!(
        before.is_none() || before == fresh,
        "{what}:\n{before:#?}\n\nwithout a cache:\n{fresh:#?}"
    );
    let Some(fresh) = fresh else { return };
    if let Some(file) = resolve(&request).expect("as before").null_build_file(&request) {
        file.keep(&fresh).expect("kept");
        assert_eq!(found().as_ref(), Some(&fresh), "{what}");
    }
}

/// The null build of a workload in which all records stand.
fn null_build(work: &Workload) -> Option<NullBuild> {
    let options = Options {
        mode: Mode::Build,
        until: Until::Finish,
        fresh: false,
        rerun: false,
        audit: None,
        max_age: None,
        on_taint: OnTaint::Prepare,
        on_reboot: OnReboot::Prepare,
        on_held: OnHeld::Wait,
        dead_after: Duration::from_secs(30),
        rules: ScheduleRules::default(),
        max_output: 0,
        mask: Mask::default(),
    };
    let recorded = |_| {
        Some(RecordOutput {
            started: 0,
            duration_ms: 0,
            prepared: None,
            outcome: RecordOutcome::Passed,
            files: Vec::new(),
        })
    };
    PendingWork::new(work, &options, 1, recorded).null_build(work)
}

const FILES: [&str; 15] = [
    "main.fmf",
    "plans.fmf",
    "tests/main.fmf",
    "tests/one.fmf",
    "tests/sub/main.fmf",
    "tests/sub/two.fmf",
    "tests/new.fmf",
    "tests/other/main.fmf",
    "tests/run",
    ".hidden/x.fmf",
    "tests/.gitignore",
    "linked/deep.fmf",
    "tests/data",
    "tests/sub/speaks",
    "shared.sh",
];

/// Texts of equal sizes among them.
const TEXTS: [&str; 16] = [
    "test: ./run\ntag: [x]\n",
    "test: ./run\ntag: [y]\n",
    "test: ./run\ntag: [z]\n",
    "summary: only\n",
    "/v:\n    test: true\n",
    "/w:\n    test: true\n",
    "tag+: [more]\n/: {inherit: false}\n",
    "adjust:\n  when: distro == rhel\n  enabled: false\n",
    "execute: {how: tmt}\nprepare: {how: magic}\n",
    "a: [\n",
    "*.fmf\n",
    "",
    "x: &a {k: 1}\ny: *a\n",
    "test: ./run\norder: first\n",
    "# $ATEX_TEST_CONTROL\n",
    "execute: {how: tmt}\ndiscover: {how: fmf}\ncontext: {distro: [rhel, x]}\n",
];

/// Makes one edit and tells what it was.
fn edit(trial: &Trial, random: &mut Random) -> String {
    let root = trial.root();
    let file = random.pick(&FILES);
    let path = root.join(file);
    match random.below(11) {
        0..=3 => {
            let text = random.pick(&TEXTS);
            trial.write(file, text);
            format!("`{file}` holds {text:?}")
        }
        4 => {
            // The same size and the old times, as far as they can be set: an edit that wants not to be seen.
            let (Ok(text), Ok(stat)) = (fs::read_to_string(&path), fs::metadata(&path)) else {
                return "nothing".to_owned();
            };
            let text: String = text.chars().map(|c| if c == 'x' { 'y' } else { c }).collect();
            fs::write(&path, text).expect("written");
            let opened = File::options().write(true).open(&path).expect("opened");
            opened.set_modified(stat.modified().expect("a time")).expect("set");
            format!("`{file}` is changed with its size and time kept")
        }
        5 => {
            if let Ok(opened) = File::options().write(true).open(&path) {
                let hour = Duration::from_hours(1);
                opened.set_modified(SystemTime::now() - hour).expect("set");
            }
            format!("`{file}` is touched")
        }
        6 => {
            drop(fs::remove_file(&path));
            format!("`{file}` is removed")
        }
        7 => {
            let other = random.pick(&FILES);
            drop(fs::rename(&path, root.join(other)));
            format!("`{file}` is renamed to `{other}`")
        }
        8 => {
            drop(fs::remove_file(root.join("linked")));
            let target = random.pick(&["tests/sub", "tests", "nowhere", "../cache"]);
            drop(symlink(target, root.join("linked")));
            format!("`linked` leads to `{target}`")
        }
        9 => {
            let config = random.pick(&["explore:\n  include: [.hidden]\n", "{}\n", "explore: 1\n"]);
            trial.write(".fmf/config", config);
            format!("the configuration is {config:?}")
        }
        _ => {
            drop(fs::remove_file(root.join(".fmf/config")));
            drop(fs::remove_file(&path));
            let target = random.pick(&["tests/one.fmf", "../plans.fmf", "sub/two.fmf"]);
            drop(symlink(target, &path));
            format!("`{file}` leads to `{target}`")
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let value = env::var(name).ok().and_then(|value| value.parse().ok());
    value.unwrap_or(default)
}

#[test]
fn discovery_from_the_cache_is_discovery_after_any_edits() {
    let trial = Trial::new();
    // Only files that are older are believed by what `stat` says.
    thread::sleep(Duration::from_secs(setting("ATEX_DISCOVER_SETTLE", 61)));
    check(&trial, "at first");
    assert_eq!(
        trial.remembered("digests-v4"),
        2,
        "the digests of metadata files and of all files are remembered, else nothing is believed below"
    );
    let remembered = trial.remembered("packed-v1");
    assert!(remembered > 0, "the tree is remembered");
    let seed = setting("ATEX_DISCOVER_SEED", 1);
    let mut random = Random::new(seed);
    let mut history = format!("seed {seed}");
    for _ in 0..setting("ATEX_DISCOVER_STEPS", 150) {
        let _infallible = write!(history, "\n{}", edit(&trial, &mut random));
        if random.percent(40) {
            let _infallible = write!(history, "\n{}", edit(&trial, &mut random));
        }
        check(&trial, &history);
    }
    let kept = trial.remembered("packed-v1");
    assert!(
        (2..=16).contains(&kept),
        "states of the tree are remembered, and not all: {kept}"
    );
}

#[test]
fn another_context_is_another_tree() {
    let trial = Trial::new();
    check(&trial, "rhel");
    let fedora = |cached| Request {
        context: BTreeMap::from([("distro".to_owned(), vec!["fedora".to_owned()])]),
        ..trial.request(cached)
    };
    let fresh = outcome(&fedora(false));
    assert_ne!(fresh, outcome(&trial.request(false)));
    assert_eq!(outcome(&fedora(true)), fresh);
    assert_eq!(outcome(&fedora(true)), fresh);
    check(&trial, "rhel again");
    assert_eq!(trial.remembered("packed-v1"), 3, "that of a plan's context is another");
}

#[test]
fn a_damaged_cache_is_none_and_is_mended() {
    let trial = Trial::new();
    check(&trial, "at first");
    let files = |bucket: &str| {
        let mut files: Vec<PathBuf> = Vec::new();
        let mut directories = vec![trial.cache().join(bucket)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory").flatten() {
                let is_directory = entry.file_type().expect("a kind").is_dir();
                if is_directory { &mut directories } else { &mut files }.push(entry.path());
            }
        }
        files
    };
    let damage: [&dyn Fn(&Path); 4] = [
        &|path| fs::write(path, "").expect("written"),
        &|path| {
            let mut bytes = fs::read(path).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).expect("written");
        },
        &|path| {
            let bytes = fs::read(path).expect("read");
            fs::write(path, &bytes[..bytes.len() - 1]).expect("written");
        },
        &|path| {
            fs::remove_file(path).expect("removed");
            fs::create_dir(path).expect("made");
        },
    ];
    for damage in damage {
        let kept = files("packed-v1");
        assert!(!kept.is_empty());
        for path in &kept {
            let bytes = fs::read(path).expect("read");
            assert!(
                BinaryReader::open(&bytes).is_some(),
                "`cache verify` knows a packed tree that is whole"
            );
            damage(path);
        }
        check(&trial, "damaged");
    }
}

#[test]
fn processes_at_once_do_not_disturb_each_other() {
    let trial = Trial::new();
    let fresh = outcome(&trial.request(false));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(outcome(&trial.request(true)), fresh);
                }
            });
        }
    });
    assert_eq!(trial.remembered("packed-v1"), 2, "one for each context of a plan");
}
