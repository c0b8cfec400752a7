//! Tests of remembered facts of a machine, so that a build in which nothing has to run needs no connection: how long they are
//! used, and what is printed about them.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::e2e_ssh::lab::Lab;

/// The only file with what is remembered.
fn remembered(lab: &Lab) -> PathBuf {
    let dir = lab.world.path("home/.local/state/atex/facts-v1");
    let mut files = std::fs::read_dir(dir).expect("something is remembered");
    let file = files.next().expect("a file").expect("an entry").path();
    assert!(files.next().is_none(), "there is one machine");
    file
}

/// Changes what is remembered, and makes it so old.
fn change(lab: &Lab, hours: u64, change: impl FnOnce(&mut Value)) {
    let file = remembered(lab);
    let mut facts: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    facts["at"] = (now - hours * 3600).into();
    change(&mut facts["facts"]);
    std::fs::write(&file, facts.to_string()).expect("written");
}

/// A lab whose tests have passed.
fn passed() -> Lab {
    let lab = Lab::new();
    lab.run(0, ["build"]);
    lab.ran();
    lab
}

#[test]
fn what_is_cached_says_of_which_machine_as_of_when() {
    let lab = passed();
    change(&lab, 3, |_| ());
    let ran = lab.run(0, ["build"]);
    let lines = ran.stdout.lines().filter(|line| line.starts_with("cached"));
    assert!(
        lines.clone().all(|line| line.ends_with("  lab as of 3h ago")),
        "{ran:?}"
    );
    assert_eq!(lines.count(), 2, "{ran:?}");
    let told = lab.run(0, ["build", "--json"]).json();
    let seen = told
        .iter()
        .filter(|event| event["event"] == "node-cached")
        .map(|event| &event["seen"]);
    let age = |seen: &Value| {
        seen["age"]
            .as_u64()
            .is_some_and(|age| (10_800_000..10_900_000).contains(&age))
    };
    assert!(seen.clone().all(|seen| seen["sut"] == "lab" && age(seen)), "{told:?}");
    assert_eq!(seen.count(), 2);
}

#[test]
fn a_machine_is_looked_at_again_after_a_day_and_then_its_kind_decides() {
    let lab = passed();
    let other = |facts: &mut Value| facts["version"] = "another".into();
    let logins = || lab.sshd.log().matches("Accepted publickey").count();
    let before = logins();
    change(&lab, 25, other);
    let ran = lab.run(0, ["build"]);
    assert_eq!(logins() - before, 1, "one connection");
    assert_eq!(lab.ran(), [""; 0], "its tests passed on what it is: {ran:?}");
    assert!(ran.said("lab as of now"), "{ran:?}");
    lab.run(0, ["build"]);
    assert_eq!(logins() - before, 1, "that is remembered");

    change(&lab, 23, other);
    lab.run(0, ["build", "--max-facts-age", "22h"]);
    change(&lab, 23, other);
    lab.world
        .write("tree/atex.toml", "[defaults]\nmax-facts-age = \"22h\"\n");
    lab.run(0, ["build"]);
    assert_eq!(lab.ran(), [""; 0]);
    std::fs::remove_file(lab.world.path("tree/atex.toml")).expect("removed");

    change(&lab, 23, other);
    let ran = lab.run(3, ["build"]);
    assert!(
        ran.said("was compiled for as"),
        "before that it is believed, and found out when it is opened: {ran:?}"
    );
}

#[test]
fn what_is_too_old_is_no_ground_for_a_result_but_will_do_to_look_at_a_tree() {
    let mut lab = passed();
    change(&lab, 49, |_| ());
    lab.sshd.stop();
    lab.run(3, ["build"]);
    let ran = lab.run(0, ["ls"]);
    assert!(ran.stdout.contains("/a"), "{ran:?}");
    assert!(
        ran.stderr.contains("warning: `lab` is taken for what it was 2d ago"),
        "{ran:?}"
    );
    assert!(lab.sshd.resume());
    lab.run(0, ["build"]);
    assert_eq!(lab.ran(), [""; 0]);
}
