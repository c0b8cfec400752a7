//! Tests of `how: ansible`: playbooks run on this host against the SUT, and their files are in the key.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;

use crate::e2e_main::running::{Running, processes_of};
use crate::e2e_main::scene::{Scene, eventually, git, witness};
use crate::support::{Atex, Ran};
use crate::sut_support::ansible::{path, playbook, with_ansible};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {how: ansible, playbook: Ansible/One.yml, playbooks: [/two.yml], extra-args: -e 'word=\"from extra args\"'}
finish: {how: ansible, playbook: 'file://ansible/end.yml'}
environment: {SAID: from the plan}
";

const ROLE: &str = "- shell: echo \"role {{ word }} {{ lookup('env', 'SAID') }}\" >> {{ lookup('env', 'COUNTER') }}\n";

/// A tree with two playbooks to prepare, one of them with a role, one to finish, and a test.
struct Play {
    scene: Scene,
    path: OsString,
}

impl Play {
    fn new() -> Option<Self> {
        let path = path()?;
        let scene = Scene::new([
            ("plan.fmf", PLAN.to_owned()),
            (
                "Ansible/One.yml",
                "- hosts: all\n  gather_facts: false\n  roles: [told]\n".to_owned(),
            ),
            ("Ansible/roles/told/tasks/main.yml", ROLE.to_owned()),
            ("two.yml", playbook("two")),
            ("ansible/end.yml", playbook("end")),
            ("t/main.fmf", witness("t")),
            ("t/data", "1".to_owned()),
        ]);
        Some(Self { scene, path })
    }

    fn atex<const N: usize>(&self, args: [&str; N]) -> Atex {
        with_ansible(self.scene.atex(args), &self.path)
    }

    #[track_caller]
    fn run<const N: usize>(&self, code: i32, args: [&str; N]) -> Ran {
        self.atex(args).run().expect(code)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.scene.latest().join("prepare.log")).expect("a prepare log")
    }

    /// Starts a run that is in the middle of a playbook, which does not end by itself.
    fn begun(&self) -> Running {
        let sleeps = "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo began >> {{ lookup('env', 'COUNTER') }}; sleep 1000\n";
        self.scene.write("Ansible/One.yml", sleeps);
        let run = Running::start(self.atex(["build", "--until", "prepare"]), "out");
        eventually("the task", || {
            self.scene.world.read("ran").contains("began").then_some(())
        });
        run
    }
}

#[test]
fn playbooks_run_in_order_with_their_arguments_and_the_variables_of_the_plan() {
    let Some(play) = Play::new() else { return };
    play.run(0, ["build"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["role from extra args from the plan", "two", "test t", "end"]
    );
    assert!(play.log().contains("PLAY RECAP"), "{}", play.log());
    play.run(0, ["build"]);
    assert_eq!(play.scene.ran(), [""; 0], "nothing has changed");
}

#[test]
fn a_changed_role_prepares_again_and_a_changed_test_does_not() {
    let Some(play) = Play::new() else { return };
    play.run(0, ["build", "--until", "test"]);
    play.scene.ran();
    play.scene
        .edit("Ansible/roles/told/tasks/main.yml", "role", "another role");
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["another role from extra args from the plan", "two", "test t"]
    );
    play.scene.write("t/data", "2");
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(play.scene.ran(), ["test t"]);
    play.scene.edit("plan.fmf", "from extra args", "another word");
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["another role another word from the plan", "two", "test t"]
    );
}

#[test]
fn a_file_of_a_test_that_a_playbook_names_is_in_its_key() {
    let Some(play) = Play::new() else { return };
    let text = "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {src: t/data, dest: \"{{ lookup('env', 'COUNTER') }}.data\"}\n";
    play.scene.write("two.yml", text);
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(play.scene.world.read("ran.data"), "1");
    play.scene.write("t/data", "2");
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(play.scene.world.read("ran.data"), "2");
}

#[test]
fn a_playbook_that_fails_ends_prepare_and_no_test_runs() {
    let Some(play) = Play::new() else { return };
    play.scene.write(
        "Ansible/One.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - fail: {msg: on purpose}\n",
    );
    let ran = play.run(3, ["build"]);
    assert!(ran.said("exited with 2"), "{ran:?}");
    assert!(play.log().contains("on purpose"), "{}", play.log());
    assert_eq!(play.scene.ran(), ["end"]);
}

#[test]
fn without_ansible_the_step_says_what_is_missing() {
    let Some(play) = Play::new() else { return };
    let bin = play.scene.world.path("bin");
    std::fs::create_dir(&bin).expect("a directory of the test");
    for program in std::fs::read_dir("/usr/bin").expect("programs").filter_map(Result::ok) {
        if !program.file_name().to_string_lossy().starts_with("ansible") {
            std::os::unix::fs::symlink(program.path(), bin.join(program.file_name())).expect("a link");
        }
    }
    let ran = play.scene.atex(["build", "--until", "prepare"]).env("PATH", &bin).run();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.said("`ansible-playbook` is not installed on this host"), "{ran:?}");
}

#[test]
fn a_machine_behind_a_command_is_refused_by_name() {
    let Some(play) = Play::new() else { return };
    let sut = play.scene.world.path("sut");
    let atex = play.scene.world.atex().args(["build", "--until", "prepare", "-s"]);
    let atex = atex.args([format!("exec:env?dir={}", sut.display())]);
    let ran = with_ansible(atex, &play.path).run().expect(3);
    assert!(ran.said("Ansible cannot reach a machine behind a command"), "{ran:?}");
}

#[test]
fn a_playbook_that_git_ignores_is_refused_with_its_place() {
    let Some(play) = Play::new() else { return };
    git(["init", "-q"], &play.scene.world.tree());
    play.scene.write(".gitignore", "two.yml\n");
    let ran = play.run(2, ["build"]);
    assert!(ran.said("plan.fmf:3"), "{ran:?}");
    assert!(ran.said("`two.yml` is not in the key: .gitignore:1"), "{ran:?}");
}

#[test]
fn ctrl_c_ends_a_playbook_and_all_that_it_started() {
    let Some(play) = Play::new() else { return };
    let run = play.begun();
    run.signal(Signal::INT);
    run.end().expect(130);
    assert_eq!(play.scene.ran(), ["began"]);
    eventually("the end of all processes", || {
        processes_of(&play.scene.world).is_empty().then_some(())
    });
    play.scene.write("Ansible/One.yml", playbook("one"));
    play.run(0, ["build", "--until", "prepare"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["one", "two"],
        "nothing that was cut off counts"
    );
}

#[test]
fn a_killed_atex_takes_its_playbook_with_it() {
    let Some(play) = Play::new() else { return };
    let run = play.begun();
    run.signal(Signal::KILL);
    run.end();
    eventually("the end of all processes", || {
        processes_of(&play.scene.world).is_empty().then_some(())
    });
}

#[test]
fn a_playbook_from_the_web_is_run_and_its_content_is_in_the_key() {
    let Some(play) = Play::new() else { return };
    let page = Arc::new(Mutex::new(playbook("page")));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!(
        "http://127.0.0.1:{}/Play.yml",
        listener.local_addr().expect("an address").port()
    );
    let served = Arc::clone(&page);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            let asked = lines.next().and_then(Result::ok).unwrap_or_default();
            let _headers: Vec<_> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let (status, text) = match asked.as_str() {
                "GET /Play.yml HTTP/1.1" => ("200 OK", served.lock().expect("no panic").clone()),
                _ => ("404 Not Found", String::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            let _closed = stream.write_all((head + &text).as_bytes());
        }
    });
    play.scene.edit("plan.fmf", "[/two.yml]", &format!("['{url}']"));
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["role from extra args from the plan", "page", "test t"]
    );
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(play.scene.ran(), [""; 0]);
    *page.lock().expect("no panic") = playbook("new page");
    play.run(0, ["build", "--until", "test"]);
    assert_eq!(
        play.scene.ran_in_order(),
        ["role from extra args from the plan", "new page", "test t"]
    );
    play.scene.edit("plan.fmf", "Play.yml", "gone.yml");
    let ran = play.run(2, ["build", "--until", "test"]);
    assert!(ran.said("plan.fmf:3") && ran.said("404"), "{ran:?}");
}
