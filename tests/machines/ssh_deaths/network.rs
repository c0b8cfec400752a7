//! Tests of a network that vanishes: every packet is dropped, and neither side is told.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use atex::sut::kind::ssh::Login;
use atex::sut::{Cancel, OnHeld, Sut, SyncMode, TroubleKind};
use rustix::fs::{FlockOperation, flock};

use crate::ssh_deaths::{Lab, STAYS, broken, pid};
use crate::sut_support::sshd::{self, Sshd};
use crate::sut_support::{Host, Running, eventually, lives, test};

/// Two networks of the test's own, joined by a cable: this process in one, a machine in the other.
struct Cable(std::process::Child);

impl Cable {
    /// Puts the machine there. To be called in a process that has a network of its own.
    fn lay() -> Self {
        let far = std::process::Command::new("unshare")
            .args(["--net", "sleep", "1000"])
            .spawn()
            .unwrap();
        let cable = Self(far);
        let pid = cable.0.id().to_string();
        let own = |net: String| std::fs::read_link(format!("/proc/{net}/ns/net")).unwrap();
        eventually("the other network is there", || own(pid.clone()) != own("self".into()));
        ip(&["link", "set", "lo", "up"]);
        ip(&[
            "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &pid,
        ]);
        ip(&["addr", "add", "10.99.0.1/24", "dev", "near"]);
        ip(&["link", "set", "near", "up"]);
        cable.there(&["addr", "add", "10.99.0.2/24", "dev", "far"]);
        cable.there(&["link", "set", "lo", "up"]);
        cable.there(&["link", "set", "far", "up"]);
        cable
    }

    fn there(&self, arguments: &[&str]) {
        let there = std::process::Command::new("nsenter")
            .args(["--net", "--target", &self.0.id().to_string(), "ip"])
            .args(arguments)
            .status();
        assert!(there.unwrap().success(), "{arguments:?}");
    }

    fn cut(&self) {
        self.there(&["link", "set", "far", "down"]);
    }

    fn place(&self) -> sshd::Place {
        let words = ["nsenter", "--net", "--target", &self.0.id().to_string()];
        sshd::Place {
            prefix: words.map(str::to_owned).to_vec(),
            host: Ipv4Addr::new(10, 99, 0, 2),
        }
    }

    fn lab(&self) -> Lab {
        let home = tempfile::tempdir().unwrap();
        let sshd = Sshd::start_at(self.place(), &home.path().join("sshd"), "");
        Lab {
            sshd,
            home,
            cancel: Cancel::new().unwrap(),
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn ip(arguments: &[&str]) {
    let done = std::process::Command::new("ip").args(arguments).status();
    assert!(done.unwrap().success(), "{arguments:?}");
}

/// Runs a test again in a process that has a network of its own. Says whether this is that process.
fn has_own_network(test: &str) -> bool {
    if let Some(witness) = std::env::var_os("OWN_NETWORK") {
        std::fs::write(witness, "").unwrap();
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "only root can make a network");
        eprintln!("SKIPPED: only root can make a network");
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    let witness = dir.path().join("began");
    let status = std::process::Command::new("unshare")
        .args(["--net", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("OWN_NETWORK", &witness)
        .status();
    assert!(status.unwrap().success());
    assert!(witness.exists(), "there is no test `{test}`");
    false
}

/// The login of a machine at the other end of a cable.
fn cut_login(lab: &Lab) -> Login {
    Login {
        host: "10.99.0.2".into(),
        dead_after: Duration::from_secs(4),
        connect_timeout: Duration::from_secs(3),
        ..lab.login()
    }
}

/// The most that the programs there may take to notice, and to end what they do.
const VANISHED: Duration = Duration::from_mins(1);

#[test]
fn vanished_network_ends_the_test_there_and_frees_the_machine_within_a_minute() {
    if !has_own_network(
        "ssh_deaths::network::vanished_network_ends_the_test_there_and_frees_the_machine_within_a_minute",
    ) {
        return;
    }
    let cable = Cable::lay();
    let lab = cable.lab();
    let mut sut = lab.open_as(cut_login(&lab));
    let mut running = Running::start(&mut sut, &test(STAYS));
    let pid = pid(&mut running);
    cable.cut();
    let cut = Instant::now();
    let how = broken(running);
    assert!(how.contains("no sign of life"), "{how}");
    assert!(cut.elapsed() < Duration::from_secs(30));
    let trouble = lab.over(cut_login(&lab)).open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    let lease = std::fs::File::open(lab.dir().join("lease")).unwrap();
    let free = || {
        let free = flock(&lease, FlockOperation::NonBlockingLockExclusive).is_ok();
        let _free_again = flock(&lease, FlockOperation::Unlock);
        free
    };
    assert!(!free());
    let until = cut + VANISHED;
    while lives(&pid) || !free() {
        assert!(
            Instant::now() < until,
            "test lives: {}, lease free: {}",
            lives(&pid),
            free()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn vanished_network_during_an_upload_frees_the_machine_within_a_minute() {
    if !has_own_network("ssh_deaths::network::vanished_network_during_an_upload_frees_the_machine_within_a_minute") {
        return;
    }
    let cable = Cable::lay();
    let lab = cable.lab();
    let host = Host::new(&[]);
    std::fs::File::create(host.path("big"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    let digest = [7; 32];
    let upload = atex::sut::Upload {
        observed: false,
        slot: "tree".into(),
        files: std::sync::Arc::new(atex::sut::SlotFiles {
            files: vec![atex::sut::FileEntry {
                path: "big".into(),
                source: host.path("big"),
                content: None,
                kind: atex::sut::FileKind::File {
                    digest,
                    executable: false,
                    size: 2 << 30,
                },
            }],
        }),
    };
    let mut sut = lab.open_as(cut_login(&lab));
    let arriving = lab.dir().join("v1/tree/tree/big");
    let (trouble, cut) = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| sut.sync(&upload, SyncMode::Exact));
        eventually("a part arrives", || {
            std::fs::metadata(&arriving).is_ok_and(|meta| meta.len() > 1 << 20)
        });
        cable.cut();
        let cut = Instant::now();
        (syncing.join().unwrap().unwrap_err(), cut)
    });
    assert_eq!(trouble.kind, TroubleKind::Aborted);
    assert!(cut.elapsed() < Duration::from_secs(30));
    let lease = std::fs::File::open(lab.dir().join("lease")).unwrap();
    while flock(&lease, FlockOperation::NonBlockingLockExclusive).is_err() {
        assert!(cut.elapsed() < VANISHED, "the lease is held");
        std::thread::sleep(Duration::from_millis(200));
    }
}
