//! Tests of a machine whose clock is years wrong: nothing that atex decides depends on it.
//!
//! A library that is loaded into every program there shifts the clock. The times of inodes, and the time that `touch` is given,
//! come from the kernel. So programs there see both times, as on a machine whose clock was set while it was running.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::e2e_ssh::lab::Lab;
use crate::support::World;

/// A lab whose machine's clock is off by this.
fn off_by(offset: &str) -> Option<Lab> {
    let ci = std::env::var_os("CI").is_some();
    if !rustix::process::geteuid().is_root() {
        assert!(!ci, "only root can change the clock of a machine");
        eprintln!("SKIPPED: only root can change the clock of a machine");
        return None;
    }
    let Some(library) = library() else {
        assert!(!ci, "libfaketime is not installed");
        eprintln!("SKIPPED: libfaketime is not installed");
        return None;
    };
    let world = World::new();
    world.write("etc/ld.so.preload", library + "\n");
    world.write("etc/faketimerc", format!("{offset}\n"));
    let etc = world.path("etc");
    // The library leaves a file for each process that was killed, and ends a later one of the same number: so they go with the machine.
    let script = format!(
        "mount -t tmpfs none /dev/shm && mount -t overlay -o lowerdir={}:/etc none /etc && exec \"$@\"",
        etc.display()
    );
    Some(Lab::within(world, &["unshare", "-m", "sh", "-c", &script, "sshd"], ""))
}

/// Where libfaketime lies: below a directory of the architecture on Debian.
fn library() -> Option<String> {
    let libs = ["/usr/lib", "/usr/lib64"].map(Path::new);
    let below = libs.iter().filter_map(|lib| fs::read_dir(lib).ok()).flatten().flatten();
    let dirs = below.map(|entry| entry.path()).chain(libs.map(Path::to_owned));
    let files = dirs.flat_map(|dir| [dir.join("faketime/libfaketime.so.1"), dir.join("libfaketime.so.1")]);
    let found = files.into_iter().find(|file| file.exists())?;
    found.into_os_string().into_string().ok()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// All events happened in the run, and took no longer than it.
fn times_are_sane(events: &str, begun: u64) {
    let end = now();
    let mut ended = 0;
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let time = event["time"].as_u64().unwrap() / 1000;
        assert!((begun..=end).contains(&time), "{begun} {end}: {line}");
        if let Some(took) = event["duration"].as_u64() {
            assert!(took / 1000 <= end - begun, "{line}");
            ended += 1;
        }
    }
    assert_eq!(ended, 4, "a step, two tests and the run: {events}");
}

/// Builds, builds again, edits and builds: with each clock it is as with a right one.
fn builds_with_clock(offset: &str) {
    let Some(lab) = off_by(offset) else { return };
    let seen = "test: 'echo a >>$COUNTER; date +%s >>$COUNTER'\n";
    lab.world.write("tree/a/main.fmf", seen);
    let begun = now();
    lab.run(0, ["build", "--until", "test", "-o", "../one"]);
    let mut ran = lab.ran();
    let there: u64 = ran.remove(2).parse().unwrap();
    let year = 365 * 86_400;
    assert!(there.abs_diff(begun) > 3 * year, "the clock there is wrong: {there}");
    assert_eq!(ran, ["prepare", "a", "b"]);
    times_are_sane(&lab.world.read("one/events.jsonl"), begun);

    let again = lab.run(0, ["build", "--until", "test"]);
    assert!(again.stdout.contains("2 cached"), "{again:?}");
    assert!(lab.ran().is_empty());
    // The size stays, and for the machine the file is older or younger than its copy there.
    for (content, age) in [("1", 0), ("2", 20 * year), ("3", 0)] {
        let file = lab.world.path("tree/b/file");
        fs::write(&file, content).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(time)
            .unwrap();
        let text = format!("test: 'echo b >>$COUNTER; [[ $(<file) = {content} ]]; echo changed >file'\n");
        lab.world.write("tree/b/main.fmf", text);
        lab.run(0, ["build", "--until", "test"]);
        assert_eq!(lab.ran(), ["b"], "{content}");
        // What the test did to the file there is undone.
        lab.run(0, ["test", "/b"]);
        assert_eq!(lab.ran(), ["b"], "{content}");
    }
    let ran = lab.run(0, ["test", "/b", "--max-age", "1h"]);
    assert_eq!(lab.ran(), ["b"], "what was prepared is young: {ran:?}");
    assert!(ran.said("prepared"), "{ran:?}");
    let looked = lab.run(0, ["sut", "ls", "--json"]).json();
    let prepared = looked[0]["state"]["prepared-at"].as_u64().unwrap() / 1000;
    assert!((begun..=now()).contains(&prepared), "{looked:?}");
    lab.run(0, ["finish"]);
}

#[test]
fn a_machine_whose_clock_is_years_behind_is_like_any_other() {
    builds_with_clock("-6y");
}

#[test]
fn a_machine_whose_clock_is_years_ahead_is_like_any_other() {
    builds_with_clock("+9y");
}
