//! Tests of secrets: their values appear in no content and no name of a file that atex or a machine wrote, on no console, and on
//! no command line.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::e2e_main::running::processes_of;
use crate::e2e_main::scene::{Scene, eventually};
use crate::support::{Atex, Ran};

/// From atex's own environment, with all that JSON and shells write in their own way.
const INHERITED: &str = "canary \"one\" \\ with ü and more";
/// From the configuration; a number.
const CONFIGURED: &str = "8675309421";
/// From the tree. It stands there in clear, but nowhere else.
const WRITTEN: &str = "canary-of-the-tree";
/// From the command line.
const GIVEN: &str = "canary-of-the-line";
/// The same, but no secret: records have it as what a test got, but nobody shows the command line.
const PLAIN: &str = "value-of-the-line";

const PLAN: &str = r#"
discover: {how: fmf}
execute: {how: tmt}
environment: {WRITTEN: canary-of-the-tree}
prepare:
    name: shows
    script: |
        echo "prepare has $INHERITED, $CONFIGURED"; printf '%s' "${GIVEN%line}"; sleep 0.2; echo "line $WRITTEN"
finish:
    name: shows
    script: echo "finish has $INHERITED, $CONFIGURED, $WRITTEN, $GIVEN"
"#;

const SHOWS: &str = r#"test: |
    for secret in "$INHERITED" "$CONFIGURED" "$WRITTEN" "$GIVEN"; do
        for ((at = 0; at < ${#secret}; at++)); do printf '%s' "${secret:at:1}"; sleep 0.01; done
        echo " was shown"
    done
    set -x
    : "$CONFIGURED" "$WRITTEN"
"#;

/// Tells them in all places that a result has, and uploads them: in one piece, in two, and as names.
const REPORTS: &str = r#"test: |
    report() {
        local LC_ALL=C json=$1
        printf 'result %d\n%s%s' "${#json}" "$json" "${2-}" >&$ATEX_TEST_CONTROL
    }
    escaped=${INHERITED//\\/\\\\}
    escaped=${escaped//\"/\\\"}
    for secret in "$escaped" "$CONFIGURED" "$WRITTEN" "$GIVEN"; do
        report "{\"status\": \"pass\", \"name\": \"/sub $secret\", \"note\": \"it is $secret.\", \"$secret\": [[\"$secret\"]]}"
        report "{\"status\": \"$secret\", \"name\": \"x\", \"testout\": \"out-${secret}.txt\"}"
        report "{\"status\": \"pass\", \"name\": \"y\", \"files\": [{\"name\": \"up-${secret}\", \"length\": 0}]}"
        report "{\"status\": \"pass\", \"name\": \"p\", \"partial\": true, \"note\": {\"a\": \"$secret\"}}"
    done
    report "{\"status\": \"info\", \"name\": \"n\", \"number\": $CONFIGURED}"
    LC_ALL=C
    for secret in "$INHERITED" "$CONFIGURED" "$WRITTEN" "$GIVEN"; do
        whole="begin $secret end"
        report "{\"status\":\"pass\",\"name\":\"f\",\"files\":[{\"name\":\"whole\",\"length\":${#whole}}]}" "$whole"
        for ((at = 0; at < ${#secret}; at += 3)); do
            part=${secret:at:3}
            report "{\"status\":\"pass\",\"name\":\"f\",\"files\":[{\"name\":\"parts\",\"length\":${#part}}]}" "$part"
        done
    done
    report '{"status":"pass","name":"f","files":[{"name":"begin","length":9}]}' "${WRITTEN:0:9}"
"#;

/// Ends with a violation whose note shows what was said.
const BREAKS: &str = "test: |\n    echo \"say $WRITTEN\" >&$ATEX_TEST_CONTROL; sleep 100\n";

const FAILS: &str = "test: |\n    echo \"failed with $INHERITED $GIVEN\"; exit 1\n";

const WAITS: &str = "test: |\n    echo \"begin of $CONFIGURED\"; echo here >> \"$COUNTER\"; exec sleep 1000\nduration: 1h\ntag: waits\n";

fn scene() -> Scene {
    let scene = Scene::new([
        ("plan.fmf", PLAN),
        ("shows.fmf", SHOWS),
        ("reports.fmf", REPORTS),
        ("breaks.fmf", BREAKS),
        ("fails.fmf", FAILS),
        ("waits.fmf", WAITS),
    ]);
    let config = scene.world.read("home/.config/atex/config.toml");
    let secrets =
        format!("[defaults]\nsecret-env = [\"CONFIGURED\", \"WRITTEN\"]\n{config}CONFIGURED = \"{CONFIGURED}\"\n");
    scene.world.write("home/.config/atex/config.toml", secrets);
    scene
}

/// A call that is given the secrets.
fn with_secrets(atex: Atex) -> Atex {
    let (given, plain) = (format!("GIVEN={GIVEN}"), format!("PLAIN={PLAIN}"));
    atex.env("INHERITED", INHERITED)
        .args(["--secret-env", "INHERITED", "--secret-env=GIVEN"])
        .args(["-e", &given, &format!("--environment={plain}")])
}

/// The ways in which a secret may stand somewhere.
fn forms() -> Vec<Vec<u8>> {
    let mut forms: Vec<_> = [INHERITED, CONFIGURED, WRITTEN, GIVEN]
        .map(|text| text.as_bytes().to_vec())
        .into();
    forms.push(serde_json::to_vec(INHERITED).expect("JSON")[1..].to_vec());
    forms.push(format!("PLAIN={PLAIN}").into_bytes());
    forms
}

fn holds(bytes: &[u8], forms: &[Vec<u8>]) -> bool {
    forms
        .iter()
        .any(|form| bytes.windows(form.len()).any(|part| part == form))
}

/// What of the world holds a secret, beside the tree and the configuration where the test itself wrote them.
fn leaks(scene: &Scene) -> Vec<PathBuf> {
    let forms = forms();
    let (mut found, mut left) = (Vec::new(), vec![scene.world.path("")]);
    let own = [scene.world.tree(), scene.world.path("home/.config")];
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if own.contains(&path) {
            continue;
        }
        let name_leaks = path.file_name().is_some_and(|name| holds(name.as_bytes(), &forms));
        let content = if metadata.is_symlink() {
            fs::read_link(&path).map(|to| to.as_os_str().as_bytes().to_vec())
        } else if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path()),
            );
            continue;
        } else if metadata.is_file() {
            fs::read(&path)
        } else {
            continue;
        };
        if name_leaks || content.is_ok_and(|content| holds(&content, &forms)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Those among them that are no copies of the tree's metadata, on the machine and in the cache.
fn leaks_beside_the_tree(scene: &Scene) -> Vec<PathBuf> {
    let mut leaks = leaks(scene);
    leaks.retain(|path| {
        let is_metadata = path.file_name().is_some_and(|name| name.as_bytes().ends_with(b".fmf"));
        !is_metadata && path.components().all(|part| part.as_os_str() != "packed-v1")
    });
    leaks
}

#[track_caller]
fn shows_none(ran: &Ran) {
    assert!(!holds(ran.stdout.as_bytes(), &forms()), "{ran:?}");
    assert!(!holds(ran.stderr.as_bytes(), &forms()), "{ran:?}");
}

#[test]
fn no_file_name_or_console_holds_a_secret_that_jobs_print_upload_and_report() {
    let scene = scene();
    for args in [["build", "--exclude=/waits", "-v"], ["test", "/shows", "--json"]] {
        let ran = with_secrets(scene.atex(args)).run();
        shows_none(&ran);
        assert_eq!(
            leaks_beside_the_tree(&scene),
            [] as [PathBuf; 0],
            "after {args:?}: {ran:?}"
        );
    }
    let shown = scene.output("/shows");
    assert_eq!(shown.matches("*** was shown\n").count(), 4, "{shown}");
    assert!(shown.ends_with("+ : *** ***\n"), "{shown}");
}

#[test]
fn what_is_masked_stands_where_the_secret_stood() {
    let scene = scene();
    let ran = with_secrets(scene.atex(["build", "--exclude=/waits", "-v"]))
        .run()
        .expect(3);
    let run = scene.latest();
    let read =
        |path: &str| fs::read_to_string(run.join(path)).unwrap_or_else(|error| panic!("{path}: {error}\n{ran:?}"));
    let prepared = read("prepare.log");
    assert!(prepared.contains("prepare has ***, ***\n*** ***\n"), "{prepared}");
    assert!(
        read("finish.log").contains("finish has ***, ***, ***, ***\n"),
        "{}",
        read("finish.log")
    );
    assert_eq!(read("tests/reports/files/f/whole"), "begin *** end".repeat(4));
    assert_eq!(read("tests/reports/files/f/parts"), "***".repeat(4));
    assert_eq!(read("tests/reports/files/f/begin"), &WRITTEN[..9]);
    assert_eq!(read("tests/fails/files/output.txt"), "failed with *** ***\n");
    let results = scene.results("/reports");
    assert_eq!(results[0]["name"], "/sub ***");
    assert_eq!(results[0]["note"], "it is ***.");
    assert_eq!(results[0]["***"][0][0], "***");
    assert_eq!(results.iter().filter(|result| result["number"] == "***").count(), 1);
    let note = scene.results("/breaks").pop().expect("a result")["note"].clone();
    assert!(note.as_str().is_some_and(|note| note.contains("say ***")), "{note}");
    let shown = |words: &[&str]| scene.world.atex().args(words).run().expect(0);
    for words in [
        &["results"][..],
        &["results", "--json"],
        &["report", "--format", "trace"],
    ] {
        shows_none(&shown(words));
    }
    let records = shown(&["cache", "ls", "--json"]);
    shows_none(&records);
    let records = records.json();
    let failed = records.iter().find(|record| record["name"] == "test /fails");
    let key = failed.expect("its record")["key"].as_str().expect("a text");
    shows_none(&shown(&["cache", "show", key]));
    let log = shown(&["cache", "log", key]);
    assert_eq!(log.stdout, "failed with *** ***\n");
    shows_none(&log);
}

#[test]
fn a_run_that_is_killed_leaves_no_secret_and_shows_none_to_others_while_it_runs() {
    let scene = scene();
    let mut run = crate::e2e_main::running::Running::start(with_secrets(scene.atex(["build", "--name=/waits"])), "out");
    let own = run.pid().as_raw_nonzero().get().unsigned_abs();
    eventually("the test to run", || {
        assert!(run.lives(), "it ended");
        scene.world.read("ran").contains("here").then_some(())
    });
    let open = leaks_beside_the_tree(&scene);
    assert!(!open.is_empty(), "the job that runs reads its variables from somewhere");
    for path in &open {
        assert!(
            path.starts_with(scene.world.sut()),
            "{path:?} is no file of the job that runs"
        );
        assert_eq!(mode(path), 0o600, "{path:?}");
    }
    let forms = forms();
    for pid in processes_of(&scene.world).into_iter().filter(|pid| *pid != own) {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!holds(&words, &forms), "{}", String::from_utf8_lossy(&words));
    }
    let other = scene.atex(["build", "--name=/shows", "--no-wait"]).run();
    shows_none(&other);
    assert!(
        other.stdout.contains("held") || other.stderr.contains("held"),
        "{other:?}"
    );
    run.signal(Signal::KILL);
    run.end();
    eventually("the end of all processes of the run", || {
        processes_of(&scene.world).is_empty().then_some(())
    });
    assert_eq!(leaks_beside_the_tree(&scene), [] as [PathBuf; 0]);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777)
}
