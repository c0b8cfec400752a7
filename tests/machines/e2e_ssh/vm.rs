//! Tests of a machine with its own kernel, which really reboots. `tests/vm` makes its disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Atex, Ran, World};
use crate::sut_support::sshd::free_port;

/// How long a boot may take: half a minute where nothing else runs.
const BOOT: Duration = Duration::from_mins(10);

/// A virtual machine of the test's own, which is switched off when this is dropped.
struct Vm {
    world: World,
    port: u16,
    qemu: Child,
}

impl Vm {
    /// Boots one from a disk that nothing of this is written to, if there is that disk.
    fn boot() -> Option<Self> {
        if !image().join("disk").exists() {
            assert!(std::env::var_os("CI").is_none(), "`tests/vm` has made no disk");
            eprintln!("not tested here: needs a virtual machine, whose disk `tests/vm` makes");
            return None;
        }
        let world = World::new();
        let (vm, disk) = (image(), world.path("disk"));
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .arg(vm.join("disk"))
            .arg(&disk)
            .status()
            .expect("qemu-img is installed");
        assert!(made.success());
        let port = free_port();
        let hostkey = fs::read_to_string(vm.join("hostkey.pub")).unwrap();
        world.write("known_hosts", format!("[127.0.0.1]:{port} {hostkey}"));
        let known = world.path("known_hosts");
        let config = format!(
            "Host *\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
            known.display()
        );
        world.write("home/.ssh/config", config);
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg,thread=multi,tb-size=64", "-smp", "1", "-m", "384"])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .arg("-kernel")
            .arg(vm.join("kernel"))
            .arg("-initrd")
            .arg(vm.join("initrd"))
            .args(["-append", "root=/dev/vda rw console=ttyS0 quiet panic=1"])
            .args([
                "-drive",
                &format!("file={},if=virtio,format=qcow2,cache=unsafe", disk.display()),
            ])
            .args(["-serial", &format!("file:{}", world.path("console").display())])
            .args([
                "-netdev",
                &format!("user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
            ])
            .args(["-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci"])
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 is installed");
        let mut vm = Self { world, port, qemu };
        vm.until_up();
        Some(vm)
    }

    /// Waits until the machine lets one in.
    fn until_up(&mut self) {
        let until = Instant::now() + BOOT;
        while self.ssh("true").is_none() {
            let ended = self.qemu.try_wait().unwrap();
            assert!(ended.is_none(), "qemu ended: {ended:?}");
            assert!(
                Instant::now() < until,
                "it does not boot: {}",
                self.world.read("console")
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Runs a command there by the `ssh` client, and returns what it prints.
    fn ssh(&self, command: &str) -> Option<String> {
        let known = self.world.path("known_hosts");
        let output = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "ConnectTimeout=15",
                "-o",
                "ServerAliveInterval=5",
            ])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .arg("-i")
            .arg(image().join("key"))
            .args(["-p", &self.port.to_string(), "root@127.0.0.1", command])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("ssh is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim().to_owned())
    }

    fn boot_id(&self) -> String {
        self.ssh("cat /proc/sys/kernel/random/boot_id")
            .expect("the machine is up")
    }

    fn atex<const N: usize>(&self, args: [&str; N]) -> Atex {
        let key = image().join("key");
        let target = format!("ssh://root@127.0.0.1:{}?key={}&name=vm", self.port, key.display());
        self.world.atex().args(args).args(["-s", &target])
    }

    fn run<const N: usize>(&self, code: i32, args: [&str; N]) -> Ran {
        let began = Instant::now();
        let ran = self.atex(args).run().expect(code);
        println!("{:?}\n{ran:?}\n", began.elapsed());
        ran
    }

    /// Writes the tree: a plan that is prepared by a script, and tests.
    fn tree<const N: usize>(&self, tests: [(&str, &str); N]) {
        let plan =
            "discover: {how: fmf}\nprepare: {how: shell, script: echo prepare >>/var/tmp/ran}\nexecute: {how: tmt}\n";
        self.world.write("tree/plan.fmf", plan);
        for (test, script) in tests {
            let script = script.replace('\n', "\n    ");
            let text = format!("duration: 1h\ntest: |\n    echo {test} >>/var/tmp/ran\n    {script}\n");
            self.world.write(Path::new("tree").join(test).join("main.fmf"), text);
        }
    }

    /// What ran there since it was installed.
    fn ran(&self) -> String {
        self.ssh("cat /var/tmp/ran").unwrap().replace('\n', " ")
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _gone = self.qemu.kill();
        let _reaped = self.qemu.wait();
    }
}

/// Where `tests/vm` puts what is needed.
fn image() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vm")
}

/// Says the boot's id, and compares it with that of the start before.
const COMPARES: &str = "read -r boot </proc/sys/kernel/random/boot_id\necho \"start $TMT_REBOOT_COUNT in $boot\"\n\
                        if [[ $TMT_REBOOT_COUNT != 0 ]]; then [[ $boot != $(<before) ]]; exit; fi\necho $boot >before\nsync\n";

#[test]
fn a_test_reboots_its_machine_and_goes_on_in_another_boot() {
    let Some(vm) = Vm::boot() else { return };
    let (newer, older) = (
        format!(
            "{COMPARES}echo disconnect >&$ATEX_TEST_CONTROL\n\
             while :; do echo noop >&$ATEX_TEST_CONTROL || break; sleep 0.1; done\nsystemctl reboot\nsleep 600"
        ),
        format!("{COMPARES}echo reconnect >&$ATEX_TEST_CONTROL\nsystemctl reboot\nsleep 600"),
    );
    vm.tree([("a", &newer), ("b", &older), ("c", "true")]);
    let first = vm.boot_id();
    vm.run(0, ["build", "-o", "../out"]);
    let last = vm.boot_id();
    let mut boots = vec![first];
    for test in ["a", "b"] {
        let output = vm.world.read(format!("out/tests/{test}/files/output.txt"));
        println!("{test}: {output}");
        let lines: Vec<_> = output.lines().map(|line| line.split_once(" in ").unwrap()).collect();
        let [("start 0", before), ("start 1", after)] = lines[..] else {
            panic!("it starts twice: {output}");
        };
        assert_eq!(before, boots.last().unwrap());
        boots.push(after.to_owned());
        let results = vm.world.read(format!("out/tests/{test}/results.jsonl"));
        assert_eq!(results.trim(), r#"{"status":"pass","files":["output.txt"]}"#);
    }
    assert_eq!(boots.last(), Some(&last));
    boots.sort();
    boots.dedup();
    assert_eq!(boots.len(), 3, "two reboots");
    assert_eq!(vm.ran(), "prepare a a b b c", "what is prepared stays prepared");
    // Also for the next run: the state lies on the machine.
    vm.run(0, ["test", "/c"]);
    assert_eq!(vm.ran(), "prepare a a b b c c");
}

#[test]
fn a_test_of_tmts_reboots_its_machine_and_its_checks_see_the_kernel() {
    let Some(mut vm) = Vm::boot() else { return };
    let starts = "echo \"$TMT_REBOOT_COUNT of $TMT_TEST_RESTART_COUNT\" >>$TMT_TEST_DATA/starts";
    let asks = format!("{starts}\n[ $TMT_REBOOT_COUNT = 1 ] || tmt-reboot");
    let exits = format!("{starts}\n[ $TMT_REBOOT_COUNT = 1 ]");
    vm.tree([
        ("a", &asks),
        ("b", &exits),
        ("c", "tmt-reboot -s"),
        ("d", "echo '<3>a Call Trace: of a test' >/dev/kmsg"),
        ("e", "logger -t atex fine || echo '<30>atex: fine' >/dev/kmsg"),
    ]);
    for (test, keys) in [
        ("b", "restart-on-exit-code: 1\nrestart-with-reboot: true\n"),
        ("d", "check: dmesg\n"),
        ("e", "check: [dmesg, journal, avc, coredump]\n"),
    ] {
        let file = format!("tree/{test}/main.fmf");
        let text = vm.world.read(&file);
        vm.world.write(&file, format!("{keys}{text}"));
    }
    vm.run(1, ["build", "-o", "../out"]);
    for test in ["a", "b"] {
        let starts = vm.world.read(format!("out/tests/{test}/files/data/starts"));
        assert_eq!(starts, "0 of 0\n1 of 1\n", "{test}");
        let results = vm.world.read(format!("out/tests/{test}/results.jsonl"));
        assert!(results.contains(r#""status":"pass""#), "{results}");
    }
    let results = |test: &str| vm.world.read(format!("out/tests/{test}/results.jsonl"));
    assert!(
        results("c").contains("the command for the reboot exited with 1"),
        "{}",
        results("c")
    );
    assert!(
        results("d").contains(r#"{"name":"check/dmesg","status":"fail""#),
        "{}",
        results("d")
    );
    let found = vm.world.read("out/tests/d/files/checks/dmesg-after-test.txt");
    assert!(found.contains("a Call Trace: of a test"), "{found}");
    for (check, status) in [
        ("dmesg", "pass"),
        ("journal", "pass"),
        ("avc", "skip"),
        ("coredump", "skip"),
    ] {
        let part = format!(r#"{{"name":"check/{check}","status":"{status}""#);
        assert!(results("e").contains(&part), "{check}: {}", results("e"));
    }
    vm.until_up();
    assert_eq!(vm.ran(), "prepare a a b b c d e");
}

#[test]
fn a_machine_that_crashes_under_a_test_aborts_it_and_is_not_trusted_when_it_is_back() {
    let Some(mut vm) = Vm::boot() else { return };
    let crash = "sync\nif [[ -e /var/tmp/crashed ]]; then exit; fi\ntouch /var/tmp/crashed\nsync\nsleep 5\n\
                 echo b >/proc/sysrq-trigger\nsleep 600";
    vm.tree([("a", crash), ("b", "true")]);
    let first = vm.boot_id();
    let ran = vm.run(
        3,
        ["build", "-o", "../out", "--dead-after", "15s", "--retry-infra", "0"],
    );
    assert!(
        ran.said("no sign of life for 15 s") || ran.said("the connection ended"),
        "{ran:?}"
    );
    let result = vm.world.read("out/tests/a/results.jsonl");
    assert!(result.contains(r#""error":"aborted""#), "{result}");
    vm.until_up();
    assert_ne!(vm.boot_id(), first);
    let looked = vm.run(0, ["sut", "ls", "--json"]).json();
    assert!(looked[0]["state"]["taint"].is_object(), "{looked:?}");
    vm.run(0, ["build"]);
    assert!(vm.ran().ends_with("prepare a b"), "{}", vm.ran());
}

#[test]
fn a_clock_that_is_set_to_another_year_between_runs_changes_nothing() {
    let Some(vm) = Vm::boot() else { return };
    vm.tree([
        ("a", "[[ $(<file) = content ]]\necho changed >file\ndate"),
        ("b", "true"),
    ]);
    vm.world.write("tree/a/file", "content\n");
    vm.ssh("date -s 2001-01-01").expect("it is set");
    vm.run(0, ["build", "--until", "test", "-o", "../out"]);
    assert!(vm.world.read("out/tests/a/files/output.txt").contains("2001"));
    assert_eq!(vm.ran(), "prepare a b");
    for (date, ran) in [("2037-06-01", "prepare a b a"), ("2001-01-01", "prepare a b a a")] {
        vm.ssh(&format!("date -s {date}")).expect("it is set");
        assert!(vm.run(0, ["build", "--until", "test"]).said("2 cached"));
        vm.run(0, ["test", "/a"]);
        assert_eq!(vm.ran(), ran, "{date}");
    }
    vm.world.write("tree/a/file", "CONTENT\n");
    vm.run(1, ["build", "--until", "test"]);
    assert_eq!(vm.ran(), "prepare a b a a a", "an edit is seen");
}
