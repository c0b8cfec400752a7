//! Tests of what `atex cache …` prints for a cache whose content is known.

use crate::support::World;
use atex_cache::{OutputFile, Record, RecordOutcome, Store};
use atex_graph::{ActionKey, Entry, Kind};

/// Keys that differ in their first digit.
const OLD: [u8; 32] = [0x3f; 32];
const NEW: [u8; 32] = [0x91; 32];

fn entry(path: &str, value: &str, origin: Option<&str>) -> Entry {
    Entry {
        path: path.to_owned(),
        value: value.to_owned(),
        origin: origin.map(str::to_owned),
    }
}

/// Records a prepare step twice: before and after its script changed.
fn world() -> World {
    let world = World::new();
    let store = Store::open(&world.path("home/.cache/atex")).unwrap();
    for (key, script, age) in [
        (OLD, "\"make\\nmake install\"", 7_300),
        (NEW, "\"make -j\\nmake install\"", 200),
    ] {
        let key = ActionKey::from_bytes(key);
        let ticket = store.claim_to_run(key).unwrap();
        let log = format!("\u{1b}[1mlog of {script}\u{1b}[0m\n");
        let digest = store.blobs().put_bytes(log.as_bytes()).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let record = Record {
            key,
            name: "prepare /plans/a#1 shell".into(),
            aliases: vec!["prepare /plans/b#1 shell".into()],
            kind: Kind::Prepare,
            sut: "local".into(),
            started: now - age,
            duration_ms: 61_500,
            prepared: None,
            outcome: RecordOutcome::Passed,
            inputs: vec![
                entry("script", script, Some("plans.fmf:4")),
                entry("environment.A\u{1b}[2J", "\"1\"", None),
            ],
            files: vec![OutputFile {
                path: "log".into(),
                digest,
                size: log.len() as u64,
            }],
            meta: serde_json::json!({"exit-code": 0}),
        };
        ticket.commit(record).unwrap();
    }
    world
}

fn cache<const N: usize>(world: &World, args: [&str; N]) -> crate::support::Ran {
    world.atex().args(["cache"]).args(args).run()
}

#[test]
fn ls_lists_the_newest_first() {
    let world = world();
    insta::assert_debug_snapshot!(cache(&world, ["ls"]).expect(0), @"
    exit 0
    --- stdout
    KEY           OUTCOME     AGE    TOOK  SIZE  SUT    NODE
    919191919191  passed   3m ago  1m 01s  39 B  local  prepare /plans/a#1 shell
    3f3f3f3f3f3f  passed   2h ago  1m 01s  36 B  local  prepare /plans/a#1 shell
    ");
    let json = cache(&world, ["ls", "--json"]).expect(0).json();
    assert_eq!(json.len(), 2);
    assert_eq!(json[0]["name"], "prepare /plans/a#1 shell");
}

#[test]
fn show_has_inputs_and_outputs() {
    insta::assert_debug_snapshot!(cache(&world(), ["show", "3f"]).expect(0), @r#"
    exit 0
    --- stdout
    prepare /plans/a#1 shell
      key      3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f
      also     prepare /plans/b#1 shell
      outcome  passed
      sut      local
      started  2h ago
      took     1m 01s
      notes    {"exit-code":0}
    inputs
      script:   plans.fmf:4
        make
        make install
      environment.A\x1b[2J: "1"
    outputs
      FILE  SIZE  PATH
      log   36 B  [TMP]/home/.cache/atex/blobs-v1/4b/4b31ab12ff2b23e692b7408ba96d586ddf1b4fd4400a98bdae3c46bc1484244c
    "#);
}

#[test]
fn log_is_what_was_printed() {
    let world = world();
    let ran = cache(&world, ["log", "91"]).expect(0);
    assert_eq!(ran.stdout, "\u{1b}[1mlog of \"make -j\\nmake install\"\u{1b}[0m\n");
    assert_eq!(
        cache(&world, ["log", "91", "--json"]).expect(0).json()[0]["log"],
        ran.stdout
    );
}

#[test]
fn path_names_the_file_in_the_store() {
    let world = world();
    insta::assert_debug_snapshot!(cache(&world, ["path", "91"]).expect(0), @"
    exit 0
    --- stdout
    FILE  PATH
    log   [TMP]/home/.cache/atex/blobs-v1/c9/c9a15f5870d38ce0095fafe33794c79a9741d54883a12e49959e3809f66d7efa
    ");
    let path = cache(&world, ["path", "91", "log"]).expect(0).stdout;
    let path = path.trim_end().strip_prefix("[TMP]/").unwrap();
    assert!(world.read(path).contains("log of"));
    insta::assert_debug_snapshot!(cache(&world, ["path", "91", "lgo"]).expect(2), @"
    exit 2
    --- stderr
    error: the record of `prepare /plans/a#1 shell` has no file `lgo`
    hint: did you mean `log`?
    ");
}

#[test]
fn diff_shows_what_differs_value_by_value() {
    let world = world();
    insta::assert_debug_snapshot!(cache(&world, ["diff", "3f", "91"]).expect(0), @"
    exit 0
    --- stdout
    script:   plans.fmf:4
      - make
      + make -j
    ");
    insta::assert_debug_snapshot!(cache(&world, ["diff", "3f", "3f"]).expect(0), @"
    exit 0
    --- stdout
    no input differs
    ");
    assert_eq!(
        cache(&world, ["diff", "3f", "91", "--json"]).expect(0).json()[0]["change"],
        "changed"
    );
}

#[test]
fn du_counts_and_gc_collects() {
    let world = world();
    let total = |ran: crate::support::Ran| ran.stdout.lines().last().unwrap().to_owned();
    let digest = "3f".repeat(32);
    for bucket in ["packed-v1", "digests-v4", "null-builds-v1"] {
        world.write(format!("home/.cache/atex/{bucket}/{digest}/{digest}"), "1234567890");
        world.write(format!("home/.cache/atex/{bucket}/notes"), "somebody's");
    }
    world.write("home/.cache/atex/fetched-v1/repository/f", "1234567890");
    assert!(total(cache(&world, ["du"]).expect(0)).starts_with("total"));
    let held = cache(&world, ["du", "--json"]).expect(0).json();
    let one = |name: &str| held.iter().find(|row| row["name"] == name).unwrap();
    for bucket in ["packed", "digests", "null-builds", "fetched"] {
        let found = one(bucket);
        assert_eq!((&found["files"], &found["bytes"]), (&1.into(), &10.into()), "{bucket}");
    }
    let ran = cache(&world, ["gc", "--max-size", "0"]).expect(0);
    assert!(ran.stdout.starts_with("removed 2 records and 2 blobs, "), "{ran:?}");
    for bucket in ["packed-v1", "digests-v4", "null-builds-v1"] {
        assert_eq!(world.read(format!("home/.cache/atex/{bucket}/notes")), "somebody's");
    }
    insta::assert_debug_snapshot!(cache(&world, ["ls"]).expect(0), @"
    exit 0
    --- stderr
    nothing is recorded in `[TMP]/home/.cache/atex`
    ");
}

#[test]
fn verify_tells_what_is_damaged_and_its_exit_code_says_so() {
    let world = world();
    let ran = cache(&world, ["verify"]).expect(0);
    assert!(ran.stdout.starts_with("read 2 records and 2 blobs, "), "{ran:?}");
    let path = cache(&world, ["path", "91", "log"]).expect(0).stdout;
    let path = world.path(path.trim_end().strip_prefix("[TMP]/").unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "something else").unwrap();
    let ran = cache(&world, ["verify"]).expect(3);
    assert!(ran.stderr.contains("its content does not match its digest"), "{ran:?}");
}

#[test]
fn rm_removes_one_record() {
    let world = world();
    insta::assert_debug_snapshot!(cache(&world, ["rm", "3f"]).expect(0), @"
    exit 0
    --- stdout
    removed 3f3f3f3f3f3f
    ");
    assert_eq!(cache(&world, ["ls", "--json"]).expect(0).json().len(), 1);
    insta::assert_debug_snapshot!(cache(&world, ["show", "3f"]).expect(2), @"
    exit 2
    --- stderr
    error: no record in `[TMP]/home/.cache/atex` has a key that begins with `3f`
    hint: `atex cache ls` shows the keys
    ");
}

#[test]
fn looking_makes_no_store() {
    let world = World::new();
    insta::assert_debug_snapshot!(cache(&world, ["ls"]).expect(0), @"
    exit 0
    --- stderr
    nothing is recorded in `[TMP]/home/.cache/atex`
    ");
    assert!(!world.path("home/.cache").exists());
}

#[test]
fn a_store_that_cannot_be_made_is_a_clear_error() {
    let world = World::new();
    world.write("file", "");
    let ran = world
        .atex()
        .env("ATEX_CACHE", world.path("file/cache"))
        .args(["cache", "verify"])
        .run();
    insta::assert_debug_snapshot!(ran.expect(2), @"
    exit 2
    --- stderr
    error: cannot create directory `[TMP]/file/cache`: Not a directory
    hint: set ATEX_CACHE to a directory
    ");
}
