//! Tests of where a machine is and how it is reached: named SUTs, the user's configuration, jumps, proxies, masters, shells.

use std::process::{Child, Command, Stdio};

use crate::e2e_ssh::lab::{Lab, eventually};
use crate::sut_support::sshd::{Sshd, port_of};

#[test]
fn a_named_machine_has_its_parameters_as_keys() {
    let lab = Lab::new();
    let user = atex::sut::local_facts().user;
    let config = format!(
        "[sut.lab7]\ntarget = \"ssh://127.0.0.1\"\nport = {}\nuser = {user:?}\nkey = \"../sshd/key\"\ndir = {:?}\nbase = \"x\"\n",
        lab.port(),
        lab.world.sut(),
    );
    lab.world.write("tree/atex.toml", config);
    lab.on("lab7", ["build"]).run().expect(0);
    let ran = lab.on("lab7", ["sut", "show", "--json"]).run().expect(0);
    assert_eq!(ran.json()[0]["name"], "lab7");
    assert_eq!(ran.json()[0]["base"], "x");
    let ran = lab.on("lab", ["build"]).run().expect(2);
    assert!(ran.stderr.contains("did you mean `lab7`?"), "{ran:?}");
}

#[test]
fn an_unknown_key_of_a_named_machine_says_where() {
    let lab = Lab::new();
    lab.world
        .write("tree/atex.toml", "[sut.lab7]\ntarget = \"host\"\nprot = 22\n");
    let ran = lab.on("lab7", ["build"]).run().expect(2);
    assert!(
        ran.stderr.contains("unknown key `prot` in `[TMP]/tree/atex.toml:3:1`"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("did you mean `port`?"), "{ran:?}");
}

#[test]
fn the_users_configuration_says_where_a_host_is() {
    let lab = Lab::new();
    let (port, key) = (lab.port(), lab.file("key"));
    lab.configure(&format!(
        "Host box\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n",
        key.display()
    ));
    let dir = format!("--sut-dir={}", lab.world.sut().display());
    lab.on("box", ["build"]).args([&dir]).run().expect(0);
    let other = lab.world.path("other");
    lab.world.write("other", "Host box\n HostName 127.0.0.1\n Port 1\n");
    let other = format!("--ssh-config={}", other.display());
    let ran = lab.on("box", ["test", "/a"]).args([&dir, &other]).run().expect(3);
    assert!(ran.stderr.contains("port 1"), "{ran:?}");
}

#[test]
fn what_is_not_honoured_is_named_once() {
    let lab = Lab::new();
    lab.configure("AddressFamily inet6\nServerAliveInterval 5\n");
    let ran = lab.run(0, ["test", "/a"]);
    let warning = "warning: `addressfamily` of the SSH configuration is not honoured (`[TMP]/home/.ssh/config:1`)";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{ran:?}");
    assert_eq!(ran.stderr.matches("warning:").count(), 1, "{ran:?}");
}

#[test]
fn a_machine_is_reached_through_others() {
    let lab = Lab::new();
    let jump_dir = lab.world.path("jump");
    let jump = Sshd::start(&jump_dir, "");
    let known = lab.known() + &std::fs::read_to_string(jump_dir.join("known_hosts")).unwrap();
    lab.world.write("known", known);
    let (key, known) = (jump_dir.join("key"), lab.world.path("known"));
    lab.configure(&format!(
        "Host gate\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\nHost 127.0.0.1\n ProxyJump gate\nHost *\n UserKnownHostsFile {}\n",
        port_of(&jump_dir),
        key.display(),
        known.display(),
    ));
    lab.run(0, ["build"]);
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
    assert!(jump.log().contains("Accepted publickey"), "{}", jump.log());
    drop(jump);
    let ran = lab.run(3, ["test", "/a"]);
    assert!(
        ran.stdout.contains("gate") || ran.stderr.contains("gate"),
        "the machine on the way is named: {ran:?}"
    );
}

#[test]
fn a_machine_is_reached_by_a_command() {
    let lab = Lab::new();
    let seen = lab.world.path("seen");
    lab.configure(&format!(
        "ProxyCommand bash -c 'echo %h %p %r %% >>{}; exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'\n",
        seen.display()
    ));
    lab.run(0, ["build"]);
    let user = atex::sut::local_facts().user;
    let line = format!("127.0.0.1 {} {user} %", lab.port());
    assert!(
        lab.world.read("seen").lines().all(|seen| seen == line),
        "{}",
        lab.world.read("seen")
    );
}

/// A master connection of the `ssh` client.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_master_connection_is_used_where_the_target_names_it() {
    let lab = Lab::new();
    let socket = lab.world.path("master");
    let master = Command::new("ssh")
        .args(["-F", "none", "-M", "-N", "-S"])
        .arg(&socket)
        .arg("-i")
        .arg(lab.file("key"))
        .args([
            "-o",
            &format!("UserKnownHostsFile={}", lab.file("known_hosts").display()),
        ])
        .args(["-p", &lab.port().to_string(), "127.0.0.1"])
        .stdin(Stdio::null())
        .spawn()
        .expect("ssh is installed");
    let _master = Master(master);
    eventually("the master listens", || socket.exists().then_some(()));
    // Neither key nor host key are of use to atex itself.
    lab.world.write("sshd/known_hosts", "");
    let target = format!(
        "ssh://127.0.0.1:{}?control_path={}&dir={}&name=lab",
        lab.port(),
        socket.display(),
        lab.world.sut().display()
    );
    lab.on(&target, ["build"]).run().expect(0);
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
    assert_eq!(
        lab.sshd.log().matches("Accepted publickey").count(),
        1,
        "{}",
        lab.sshd.log()
    );
}

#[test]
fn a_shell_is_the_ssh_client_with_what_the_target_says() {
    let lab = Lab::new();
    let ran = lab.atex(["sut", "shell"]).args(["--", "echo", "it's", "$HOME"]).run();
    // The client looks for its configuration where the password file says, not in HOME.
    let config = format!("--ssh-config={}", lab.world.path("home/.ssh/config").display());
    drop(ran);
    let ran = lab
        .atex(["sut", "shell"])
        .args([&config, "--", "echo", "it's", "$HOME"])
        .run()
        .expect(0);
    assert_eq!(ran.stdout, "it's $HOME\n");
    let ran = lab.atex(["sut", "shell"]).args([&config, "--", "exit", "7"]).run();
    assert_ne!(ran.code, 0, "{ran:?}");
    let two = lab.target("2").replace("/sut&", "/sut-2&");
    let ran = lab.atex(["sut", "shell"]).args(["-s", &two]).run().expect(2);
    assert!(ran.stderr.contains("one machine"), "{ran:?}");
}

#[test]
fn rm_leaves_nothing_there() {
    let lab = Lab::new();
    lab.run(0, ["test", "/a"]);
    assert!(lab.world.sut().is_dir());
    let ran = lab.run(0, ["sut", "rm"]);
    assert!(ran.stdout.contains("lab: was prepared"), "{ran:?}");
    assert!(ran.stderr.contains("`atex finish` is still due on `lab`"), "{ran:?}");
    assert!(!lab.world.sut().exists());
    lab.run(0, ["test", "/a"]);
    assert_eq!(lab.ran(), ["prepare", "a", "prepare", "a"]);
}

#[test]
fn the_plan_may_ask_for_a_machine_behind_ssh() {
    let lab = Lab::new();
    let (key, dir) = (lab.file("key"), lab.world.sut());
    let user = atex::sut::local_facts().user;
    let provision = format!(
        "provision: {{how: connect, guest: 127.0.0.1, port: {}, user: {user}, key: {}}}\n",
        lab.port(),
        key.display()
    );
    let plan = lab.world.read("tree/plan.fmf") + &provision;
    lab.world.write("tree/plan.fmf", plan);
    let atex = lab.on("plan", ["build"]).args(["--sut-dir".as_ref(), dir.as_os_str()]);
    let ran = atex.run().expect(0);
    assert!(ran.said("@127.0.0.1:"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
}
