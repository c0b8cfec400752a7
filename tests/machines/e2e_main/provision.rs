//! Tests of machines that a program provides (`provision:PROGRAM`), with the real binary and real programs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::e2e_main::scene::{Scene, eventually};
use crate::sut_support::sshd::{Sshd, port_of};

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

const TEST: &str = r#"test: 'echo "test" >> "$COUNTER"; while [ -e "$COUNTER.hold" ]; do sleep 0.1; done'"#;

/// A provisioner that keeps a diary. `MACHINE` is what it calls the machine, `DIR` a directory for it; the functions can be
/// written over by what stands in `more.sh`.
const LAB: &str = r#"
cd "$(dirname "$0")"
note() { echo "$*" >> diary; }
provide() { printf '{"target":"exec:env A=b?dir=%s/there-%s","machine":"%s"}\n' "$PWD" "$MACHINE" "$MACHINE"; }
release() { echo '{"done":true}'; }
cycle() { echo '{"done":true}'; }
MACHINE=one held=
[ -e more.sh ] && . ./more.sh
while read -r line; do
    case $line in
    '{"request":"provision"'*)
        number=${line#*'"number":'}
        [ "$number" = "$line" ] || MACHINE=m${number%%,*}
        note "provision $MACHINE"
        held=$MACHINE
        provide ;;
    '{"request":"release"'*) note "release ${line#*\"machine\":}"; held=; release ;;
    '{"request":"power-cycle"'*) note power-cycle; cycle ;;
    esac
done
[ -z "$held" ] || note "end $held"
"#;

/// A scene with one test, and a provisioner beside the tree.
fn scene(more: &str) -> Scene {
    let scene = Scene::new([("plan.fmf", PLAN), ("t.fmf", TEST)]);
    scene.world.write("lab/lab.sh", LAB);
    scene.world.write("lab/more.sh", more);
    scene
}

fn target(scene: &Scene, more: &str) -> String {
    format!("provision:bash {}{more}", scene.world.path("lab/lab.sh").display())
}

/// Returns what the provisioner did since this was asked last.
fn diary(scene: &Scene) -> Vec<String> {
    let path = scene.world.path("lab/diary");
    let all = fs::read_to_string(&path).unwrap_or_default();
    let _not_there = fs::remove_file(path);
    all.lines().map(str::to_owned).collect()
}

fn build(scene: &Scene, target: &str) -> crate::support::Ran {
    scene.world.atex().args(["build", "-s", target]).run()
}

#[test]
fn a_machine_is_provided_for_what_has_to_run_and_given_back() {
    let scene = scene("");
    let target = target(&scene, "?name=lab");
    let ran = build(&scene, &target).expect(0);
    assert!(ran.said("`one` was provided"), "{ran:?}");
    assert_eq!(scene.ran(), ["test"]);
    assert_eq!(
        diary(&scene),
        ["provision one", "release \"one\"}"],
        "the machine that was asked what it is serves the run"
    );
    build(&scene, &target).expect(0);
    scene.world.atex().args(["ls", "-s", &target]).run().expect(0);
    assert_eq!(diary(&scene), [""; 0], "nothing had to run");
    let listed = scene.world.atex().args(["sut", "ls", "-s", &target]).run().expect(0);
    assert!(listed.said("provided for a run only"), "{listed:?}");
    for command in ["show", "reset", "rm", "shell"] {
        let ran = scene.world.atex().args(["sut", command, "-s", &target]).run().expect(2);
        assert!(ran.said("provided for a run only"), "{ran:?}");
    }
    assert_eq!(diary(&scene), [""; 0]);
}

#[test]
fn each_of_several_machines_has_a_provisioner() {
    let scene = scene("");
    let ran = build(&scene, &target(&scene, "*2?name=lab")).expect(0);
    let mut diary = diary(&scene);
    diary.sort();
    let all = ["provision m1", "provision m2", "release \"m1\"}", "release \"m2\"}"];
    assert_eq!(diary, all, "{ran:?}");
}

#[test]
fn a_look_at_a_tree_provides_nothing() {
    let scene = scene("");
    let target = target(&scene, "");
    let ran = scene.world.atex().args(["ls", "-s", &target]).run();
    assert!(ran.said("is provided for a run only"), "{ran:?}");
    assert_eq!(diary(&scene), [""; 0]);
}

#[test]
fn a_provisioner_at_fault_is_named_with_what_it_may_have_left() {
    let named = r#"echo '{"wait":"queued","machine":"job 7"}'; "#;
    for (provide, said) in [
        (
            "echo out of racks >&2; exit 5",
            "ended without an answer (exit code 5): out of racks",
        ),
        ("kill -9 $$", "ended without an answer (signal 9)"),
        ("read -r never", "said nothing for 1 s"),
        (
            "while :; do echo '{\"wait\":\"busy\"}'; sleep 0.2; done",
            "was not done within 3 s",
        ),
        ("echo hello", "what is no answer"),
        ("echo '{\"target\":\"x\",\"error\":\"y\"}'", "what is no answer"),
        ("head -c 200000 /dev/zero | tr '\\0' x; echo", "a line of more than"),
        ("echo '{\"done\":true}'", "answered without a machine"),
        (
            "echo '{\"error\":\"no rack is free\",\"hint\":\"come back at night\"}'",
            "no rack is free",
        ),
        ("echo '{\"target\":\"provision:x\"}'", "it must be one machine"),
        ("echo '{\"target\":\"local*3\"}'", "it must be one machine"),
        (
            "echo '{\"target\":\"exec:true?digest=sha256:1\"}'",
            "it has the digest `sha256:1`",
        ),
        (
            "echo '{\"target\":\"exec:true?base=other\"}'",
            "it has the base `other`",
        ),
        ("echo '{\"target\":\"exec:true?name=x\"}'", "must not have a `name`"),
    ] {
        let scene = scene(&format!(
            "provide() {{ {provide}; }}\nrelease() {{ echo '{{\"done\":true}}'; }}"
        ));
        let ran = build(&scene, &target(&scene, "?silence=1s&wait=3s&name=lab")).expect(3);
        assert!(ran.said(said) && ran.said("`lab`"), "{provide}: {ran:?}");
        assert!(!ran.said("may be left"), "{provide}: {ran:?}");
        // A provisioner that has named what it holds is asked to give that back, by another process of it.
        if !provide.contains("error") && !provide.contains("target") {
            scene
                .world
                .write("lab/more.sh", format!("provide() {{ {named}{provide}; }}"));
            diary(&scene);
            let ran = build(&scene, &target(&scene, "?silence=1s&wait=3s&name=lab")).expect(3);
            assert!(!ran.said("may be left"), "{provide}: {ran:?}");
            assert!(diary(&scene).contains(&"release \"job 7\"}".to_owned()), "{provide}");
        }
    }
}

#[test]
fn two_suts_never_get_one_machine() {
    let scene = scene(r#"provide() { echo "{\"target\":\"exec:env A=b?dir=$PWD/there\",\"machine\":\"$MACHINE\"}"; }"#);
    let ran = build(&scene, &target(&scene, "*2?name=lab"));
    assert!(ran.said("has already"), "{ran:?}");
    assert_eq!(
        scene.ran(),
        ["test"],
        "the SUT that has the machine runs the test: {ran:?}"
    );
}

#[test]
fn a_machine_that_is_not_given_back_is_named_until_it_is() {
    let scene = scene("release() { echo '{\"error\":\"the switch is stuck\"}'; }");
    let target = target(&scene, "?name=lab");
    let ran = build(&scene, &target).expect(3);
    assert_eq!(scene.ran(), ["test"]);
    let told = "the machine `one` of `bash` may be left: the switch is stuck";
    assert!(ran.said(told), "{ran:?}");
    let list = || scene.world.atex().args(["sut", "ls"]).run();
    assert!(list().said("left") && list().said("one"), "{:?}", list());
    let failed = scene.world.atex().args(["sut", "release"]).run().expect(3);
    assert!(failed.said("the switch is stuck"), "{failed:?}");
    scene.world.write("lab/more.sh", "");
    let given = scene.world.atex().args(["sut", "release", "one"]).run().expect(0);
    assert!(given.said("one: given back"), "{given:?}");
    assert!(!list().said("by a run that is gone"), "{:?}", list());
    scene.world.atex().args(["sut", "release", "one"]).run().expect(2);
}

#[test]
fn a_provisioner_that_hangs_at_the_end_or_is_gone_is_asked_anew() {
    for fault in [
        "[ -e hung ] || { touch hung; sleep 1000; }",
        "[ -e hung ] || { touch hung; exit 1; }",
    ] {
        let scene = scene(&format!("release() {{ {fault}; echo '{{\"done\":true}}'; }}"));
        let ran = build(&scene, &target(&scene, "?silence=1s&name=lab")).expect(0);
        assert!(!ran.said("may be left"), "{ran:?}");
        assert_eq!(
            diary(&scene),
            ["provision one", "release \"one\"}", "release \"one\"}"],
            "{fault}"
        );
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_a_machine() {
    let more = "provide() { while echo '{\"wait\":\"all racks are busy\"}'; do read -r -t 1 && continue; [ $? -gt 128 ] || break; done; }";
    let scene = scene(more);
    let target = target(&scene, "?name=lab");
    let run = scene.start("out", ["build", "-s", &target]);
    eventually("the provisioner was asked", || {
        scene.world.path("lab/diary").exists().then_some(())
    });
    run.signal(Signal::INT);
    let ran = run.end();
    assert_eq!(ran.code, 130, "{ran:?}");
    eventually("the provisioner has ended", || {
        diary(&scene).contains(&"end one".to_owned()).then_some(())
    });
}

#[test]
fn a_killed_run_gives_its_machine_back_or_leaves_it_in_the_list() {
    let scene = scene("");
    let target = target(&scene, "?name=lab");
    for is_killed_too in [false, true] {
        scene.world.write("ran.hold", "");
        scene.world.write("lab/more.sh", "echo $$ > pid");
        let run = scene.start("out", ["build", "--rerun", "-s", &target]);
        eventually("the test runs", || {
            scene.ran().contains(&"test".to_owned()).then_some(())
        });
        diary(&scene);
        if is_killed_too {
            let pid = scene.world.read("lab/pid").trim().parse().unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
        }
        run.signal(Signal::KILL);
        run.end();
        fs::remove_file(scene.world.path("ran.hold")).unwrap();
        fs::remove_dir_all(scene.world.path("out")).unwrap();
        if !is_killed_too {
            eventually("the provisioner gives the machine back", || {
                diary(&scene).contains(&"end one".to_owned()).then_some(())
            });
        }
        let listed = scene.world.atex().args(["sut", "ls"]).run();
        assert!(listed.said("by a run that is gone"), "{listed:?}");
        scene.world.atex().args(["sut", "release"]).run().expect(0);
        assert_eq!(diary(&scene), ["release \"one\"}"]);
    }
}

#[test]
fn a_machine_that_does_not_answer_is_started_anew_if_that_can_be_done() {
    let more = r#"
echo "[ -e $PWD/on ] && exec \"\$@\"" > way
provide() { echo "{\"target\":\"exec:sh $PWD/way?dir=$PWD/there\",\"machine\":\"one\",\"can\":[\"power-cycle\"]}"; }
cycle() { touch on; echo '{"wait":"booting"}'; echo '{"done":true}'; }
"#;
    let scene = scene(more);
    let ran = build(&scene, &target(&scene, "?name=lab")).expect(0);
    assert_eq!(
        diary(&scene),
        ["provision one", "power-cycle", "release \"one\"}"],
        "{ran:?}"
    );
    assert_eq!(scene.ran(), ["test"]);
}

/// A pool of sshds, each with a directory of its own, as the file of `ssh-pool` names them.
struct SshPool {
    scene: Scene,
    sshds: Vec<Sshd>,
}

impl SshPool {
    fn new(count: usize) -> Self {
        let scene = Scene::new([("plan.fmf", PLAN), ("t.fmf", TEST), ("u.fmf", TEST)]);
        let dir = |number: usize| scene.world.path(format!("sshd-{number}"));
        let sshds: Vec<_> = (0..count).map(|number| Sshd::start(&dir(number), "")).collect();
        let pool = Self { scene, sshds };
        let (mut config, mut hosts) = (String::new(), String::new());
        for number in 0..count {
            let (dir, known) = (pool.dir(number), pool.scene.world.path("known"));
            let (port, dir, known) = (port_of(&dir), dir.display(), known.display());
            let _infallible = write!(
                config,
                "Host lab{number}\nHostName 127.0.0.1\nPort {port}\nIdentityFile {dir}/key\nIdentitiesOnly yes\n\
                 UserKnownHostsFile {known}\nStrictHostKeyChecking accept-new\n"
            );
            let sut = pool.scene.world.path(format!("host-{number}"));
            let _infallible = writeln!(hosts, "lab{number}?dir={}  # a comment", sut.display());
        }
        pool.scene.world.write("ssh_config", config);
        pool.scene.world.write("hosts", hosts);
        pool
    }

    fn dir(&self, number: usize) -> PathBuf {
        self.scene.world.path(format!("sshd-{number}"))
    }

    fn build(&self, number: &str) -> crate::support::Atex {
        let config = self.scene.world.path("ssh_config");
        let hosts = self.scene.world.path("hosts");
        let target = format!("provision:ssh-pool {} -F {}{number}", hosts.display(), config.display());
        self.scene
            .world
            .atex()
            .args(["build", "--rerun", "--accept-new-host-keys", "-s", &target])
            .args(["--ssh-config".as_ref(), config.as_os_str()])
    }
}

#[test]
fn the_hosts_of_a_file_are_used_by_one_run_each() {
    let pool = SshPool::new(2);
    pool.build("*2?name=lab").run().expect(0);
    assert_eq!(pool.scene.ran(), ["test", "test"]);
    for number in 0..2 {
        assert!(pool.scene.world.path(format!("host-{number}/v1")).exists(), "{number}");
    }
    let fewer = pool.scene.world.read("hosts").lines().next().unwrap().to_owned();
    pool.scene.world.write("hosts", fewer);
    pool.scene.world.write("ran.hold", "");
    let first = crate::e2e_main::running::Running::start(pool.build("?name=first"), "first");
    eventually("the first run has the host", || {
        pool.scene.ran().contains(&"test".to_owned()).then_some(())
    });
    let second = pool.build("?name=second&wait=8s").run();
    assert!(second.said("all hosts are used (1)"), "{second:?}");
    assert_eq!(second.code, 3, "{second:?}");
    // A run that is killed has no claim any more.
    first.signal(Signal::KILL);
    first.end();
    fs::remove_file(pool.scene.world.path("ran.hold")).unwrap();
    pool.build("?name=third").run().expect(0);
}

#[test]
fn a_pool_without_a_host_that_answers_says_which() {
    let mut pool = SshPool::new(1);
    pool.sshds[0].stop();
    let ran = pool.build("?name=lab").run().expect(3);
    assert!(ran.said("no host of") && ran.said("lab0"), "{ran:?}");
}
