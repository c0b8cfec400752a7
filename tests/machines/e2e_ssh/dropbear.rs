//! Tests of dropbear, a server other than OpenSSH. It accepts five connections from one address that are not logged in, and drops
//! others.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::e2e_ssh::lab::{ssh_keygen, start};
use crate::e2e_ssh::users::User;
use crate::support::{Atex, World};
use crate::sut_support::sshd::free_port;

/// Connections of one address that are not logged in: `MAX_UNAUTH_PER_IP` of dropbear, compiled in.
const UNAUTHENTICATED: usize = 5;

/// What dropbear says where it ends a connection by a fault of its own: from 2022.83 to 2024.85 at least, a channel that is opened
/// just when a process of another one ends may be closed before its command comes (<https://github.com/mkj/dropbear/issues/321>).
const DEFECT: &str = "Failed assertion (common-channel.c";

/// A dropbear of the test's own, with a user `tester`.
struct Dropbear {
    world: World,
    port: u16,
    child: Child,
}

impl Dropbear {
    /// Starts one, where this machine lets us.
    fn start() -> Option<Self> {
        let user = User::new("/bin/sh");
        let world = user.world.clone();
        let key = world.path("key");
        ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
        user.write(".ssh/authorized_keys", &world.read("key.pub"));
        let prefix = user.prefix()?;
        let hostkey = world.path("hostkey");
        let made = Command::new("dropbearkey")
            .args(["-t", "ed25519", "-f"])
            .arg(&hostkey)
            .output()
            .expect("dropbear is installed");
        let told = String::from_utf8(made.stdout).unwrap();
        let public = told.lines().find(|line| line.starts_with("ssh-ed25519 ")).unwrap();
        // Somebody else may take the port in between.
        for _ in 0..20 {
            let port = free_port();
            world.write("known_hosts", format!("[127.0.0.1]:{port} {public}\n"));
            let log = fs::File::create(world.path("log")).unwrap();
            let child = Command::new(&prefix[0])
                .args(&prefix[1..])
                .args(["/usr/sbin/dropbear", "-F", "-E", "-r"])
                .arg(&hostkey)
                .args(["-p", &format!("127.0.0.1:{port}")])
                .args(["-P", "/dev/null"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("the command runs");
            let mut dropbear = Self {
                world: world.clone(),
                port,
                child,
            };
            if dropbear.listens() {
                return Some(dropbear);
            }
        }
        panic!("dropbear does not start: {}", world.read("log"));
    }

    fn listens(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        let mut probe = None;
        while Instant::now() < until && self.child.try_wait().unwrap().is_none() {
            probe = probe.or_else(|| TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok());
            // It may be somebody else who answers.
            let ours = |stream: &TcpStream| format!("connection from {}\n", stream.local_addr().unwrap());
            if probe
                .as_ref()
                .is_some_and(|stream| self.world.read("log").contains(&ours(stream)))
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// A connection that does not log in, unless it is dropped.
    fn knock(&self) -> Option<TcpStream> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.read_exact(&mut [0; 4]).ok().map(|()| stream)
    }

    /// One that is let in: the room of a connection before it is free a little after its end.
    fn knocks(&self) -> TcpStream {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(stream) = self.knock() {
                return stream;
            }
            assert!(Instant::now() < until, "dropbear lets {UNAUTHENTICATED} in");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A target on it, with a directory of its own.
    fn target(&self, name: &str) -> String {
        let (port, key) = (self.port, self.world.path("key"));
        let dir = self.world.path("tester").join(name);
        format!(
            "ssh://tester@127.0.0.1:{port}?key={}&dir={}&name={name}",
            key.display(),
            dir.display()
        )
    }

    /// A call of atex that knows the server's key.
    fn atex<const N: usize>(&self, args: [&str; N]) -> Atex {
        let known = self.world.path("known_hosts");
        let text = format!(
            "Host *\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
            known.display()
        );
        self.world.write("home/.ssh/config", text);
        let counter = format!("COUNTER={}", self.world.path("ran").display());
        self.world.atex().args(args).args(["-e", &counter])
    }

    /// Writes a tree in which tests leave a line with their name.
    fn tree<const N: usize>(&self, tests: [&str; N]) {
        let plan = "discover: {how: fmf}\nprepare: {how: shell, script: echo prepare >>$COUNTER}\nexecute: {how: tmt}\n\
                    finish: {how: shell, script: echo finish >>$COUNTER}\n";
        self.world.write("tree/plan.fmf", plan);
        for test in tests {
            let text = format!("test: echo {test} >>$COUNTER; echo from afar; test -e file\n");
            self.world.write(Path::new("tree").join(test).join("main.fmf"), text);
            self.world.write(Path::new("tree").join(test).join("file"), "");
        }
        self.world.write("ran", "");
        fs::set_permissions(self.world.path("ran"), fs::Permissions::from_mode(0o666)).unwrap();
    }

    /// What ran, sorted, since this was asked last.
    fn ran(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.world.read("ran").lines().map(str::to_owned).collect();
        lines.sort();
        fs::write(self.world.path("ran"), "").unwrap();
        lines
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Does something with one, and anew with another one where that ended a connection by its own fault.
fn with_dropbear(act: impl Fn(&Dropbear)) {
    for left in (0..5).rev() {
        let Some(dropbear) = Dropbear::start() else { return };
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(&dropbear))) else {
            return;
        };
        let log = dropbear.world.read("log");
        if left == 0 || !log.contains(DEFECT) {
            eprintln!("the log of dropbear:\n{log}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn a_machine_behind_dropbear_is_like_any_other() {
    with_dropbear(is_like_any_other);
}

fn is_like_any_other(dropbear: &Dropbear) {
    dropbear.tree(["a", "b"]);
    let target = dropbear.target("lab");
    let build = |out: &str| dropbear.atex(["build", "-s", &target, "-o", out]).run();
    build("../out").expect(0);
    assert_eq!(dropbear.ran(), ["a", "b", "finish", "prepare"]);
    assert_eq!(dropbear.world.read("out/tests/a/files/output.txt"), "from afar\n");
    assert!(build("../again").expect(0).stdout.contains("2 cached"));
    dropbear
        .world
        .write("tree/b/main.fmf", "test: echo b >>$COUNTER; exit 3\n");
    build("../failed").expect(1);
    assert_eq!(dropbear.ran(), ["b", "finish", "prepare"]);
    dropbear.world.write(
        "tree/b/main.fmf",
        "test: kill -9 $PPID; sleep 100\nextra-atex-interface: atex\n",
    );
    let ran = build("../aborted").expect(3);
    let result = dropbear.world.read("aborted/tests/b/results.jsonl");
    assert!(result.contains("aborted"), "{result} {ran:?}");
}

#[test]
fn more_machines_than_dropbear_lets_in_at_once_are_all_served() {
    with_dropbear(all_are_served);
}

fn all_are_served(dropbear: &Dropbear) {
    let tests = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    dropbear.tree(tests);
    for test in tests {
        // Each waits for all others to run: so each has a machine of its own.
        let all = format!(
            "test: echo {test} >>$COUNTER; until [[ $(grep -c '^.$' $COUNTER) = {} ]]; do sleep 0.1; done\n",
            tests.len()
        );
        dropbear.world.write(Path::new("tree").join(test).join("main.fmf"), all);
    }
    // Others knock at the same time, and do not log in: at first there is no room for anybody.
    let knocks: Vec<_> = (0..UNAUTHENTICATED).map(|_| dropbear.knocks()).collect();
    let dropped = dropbear.knock();
    assert!(dropped.is_none(), "the next one is dropped: {dropped:?}");
    let mut atex = dropbear.atex(["build", "-o", "../out"]);
    for test in tests {
        atex = atex.args(["-s", &dropbear.target(&format!("lab-{test}"))]);
    }
    let running = start(&atex);
    // All of them were dropped at least once by then.
    std::thread::sleep(Duration::from_secs(2));
    drop(knocks);
    let ran = atex.ran(&running.wait_with_output().unwrap()).expect(0);
    assert!(!ran.said("closed the connection"), "{ran:?}");
    for test in tests {
        let results = dropbear.world.read(format!("out/tests/{test}/results.jsonl"));
        assert!(results.contains(r#""status":"pass""#), "{test}: {results}");
    }
}
