//! Tests of logins: who may log in, and with which credentials.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::e2e_ssh::lab::{Lab, eventually, ssh_keygen};
use crate::e2e_ssh::users::{User, tester};

/// Adds a key's public half to those that the sshd takes, or replaces them.
fn authorize(lab: &Lab, public: &str) {
    let text = std::fs::read_to_string(lab.file(public)).unwrap();
    lab.world.write("sshd/authorized_keys", text);
}

#[test]
fn keys_of_all_kinds_are_taken() {
    let lab = Lab::new();
    for kind in ["ecdsa", "rsa"] {
        let file = lab.file(kind);
        ssh_keygen(["-q", "-t", kind, "-N", "", "-f", file.to_str().unwrap()]);
        authorize(&lab, &format!("{kind}.pub"));
        let target = lab.target("").replace("/key&", &format!("/{kind}&"));
        lab.on(&target, ["test", "/a"]).run().expect(0);
    }
    // A key in the older format, without its public half beside it.
    let old = lab.file("old");
    ssh_keygen(["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", old.to_str().unwrap()]);
    authorize(&lab, "old.pub");
    std::fs::remove_file(lab.file("old.pub")).unwrap();
    let target = lab.target("").replace("/key&", "/old&");
    lab.on(&target, ["test", "/a"]).run().expect(0);
}

#[test]
fn a_key_with_a_certificate_is_offered_with_it() {
    let lab = Lab::new();
    let (authority, key) = (lab.file("authority"), lab.file("user"));
    let user = atex::sut::local_facts().user;
    for file in [&authority, &key] {
        ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]);
    }
    let public = lab.file("user.pub");
    ssh_keygen([
        "-q",
        "-s",
        authority.to_str().unwrap(),
        "-I",
        "me",
        "-n",
        &user,
        public.to_str().unwrap(),
    ]);
    let line = std::fs::read_to_string(lab.file("authority.pub")).unwrap();
    lab.world
        .write("sshd/authorized_keys", format!("cert-authority {line}"));
    let target = lab.target("").replace("/key&", "/user&");
    lab.on(&target, ["test", "/a"]).run().expect(0);
    assert!(lab.sshd.log().contains("ED25519-CERT"), "{}", lab.sshd.log());
    // The same under another name, which the configuration says.
    let (from, to) = (lab.file("user-cert.pub"), lab.file("elsewhere"));
    std::fs::rename(from, &to).unwrap();
    lab.on(&target, ["test", "/a"]).run().expect(3);
    lab.configure(&format!("CertificateFile {}\n", to.display()));
    lab.on(&target, ["test", "/a"]).run().expect(0);
}

/// An agent of one's own.
struct Agent {
    socket: PathBuf,
    process: Child,
}

impl Agent {
    fn start(lab: &Lab) -> Self {
        let socket = lab.world.path("agent");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent is installed");
        eventually("the agent listens", || socket.exists().then_some(()));
        Self { socket, process }
    }

    fn add(&self, file: &Path) {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(file)
            .env("SSH_AUTH_SOCK", &self.socket)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn the_agents_keys_are_offered_as_the_configuration_says() {
    let lab = Lab::new();
    let agent = Agent::start(&lab);
    let rsa = lab.file("rsa");
    ssh_keygen(["-q", "-t", "rsa", "-N", "", "-f", rsa.to_str().unwrap()]);
    agent.add(&rsa);
    agent.add(&lab.file("key"));
    let keyless = lab
        .target("")
        .replace(&format!("key={}&", lab.file("key").display()), "");
    let run = || {
        lab.on(&keyless, ["test", "/a"])
            .env("SSH_AUTH_SOCK", &agent.socket)
            .run()
    };
    run().expect(0);
    lab.configure("IdentityAgent none\n");
    run().expect(3);
    lab.configure(&format!("IdentityAgent {}\n", agent.socket.display()));
    lab.on(&keyless, ["test", "/a"]).run().expect(0);
    // Only the agent has the private key; the file names which one is meant.
    lab.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}\n",
        lab.file("key.pub").display()
    ));
    run().expect(0);
    lab.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}\n",
        lab.file("rsa.pub").display()
    ));
    let ran = run().expect(3);
    assert!(ran.said("the agent's key"), "{ran:?}");
    authorize(&lab, "rsa.pub");
    run().expect(0);
}

#[test]
fn without_a_key_it_is_said_what_was_tried_and_what_the_server_takes() {
    let lab = Lab::new();
    let other = lab.file("other");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", other.to_str().unwrap()]);
    let target = lab.target("").replace("/key&", "/other&");
    let ran = lab.on(&target, ["test", "/a"]).run().expect(3);
    assert!(
        ran.stderr
            .contains("it takes none of these: `[TMP]/sshd/other`; the server takes publickey"),
        "{ran:?}"
    );
    let target = lab.target("").replace("/key&", "/missing&");
    let ran = lab.on(&target, ["test", "/a"]).run().expect(3);
    assert!(
        ran.stderr.contains("`[TMP]/sshd/missing` (there is no such file)"),
        "{ran:?}"
    );
    let keyless = lab
        .target("")
        .replace(&format!("key={}&", lab.file("key").display()), "");
    let ran = lab.on(&keyless, ["test", "/a"]).run().expect(3);
    assert!(ran.stderr.contains("there is no key to offer"), "{ran:?}");
}

#[test]
fn a_locked_key_is_not_asked_for_where_there_is_no_terminal() {
    let lab = Lab::new();
    let (locked, file) = (lab.target("").replace("/key&", "/locked&"), lab.file("locked"));
    ssh_keygen(["-q", "-t", "ed25519", "-N", "secret", "-f", file.to_str().unwrap()]);
    authorize(&lab, "locked.pub");
    let mut command = lab.on(&locked, ["test", "/a"]).command();
    // A session of its own has no terminal, whoever runs the tests.
    let output = Command::new("setsid")
        .args(["-w"])
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(lab.world.tree())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("(its passphrase is not known)"), "{text}");
    command.stdin(Stdio::null());
}

#[test]
fn a_passphrase_is_asked_for_once_on_the_terminal() {
    let lab = Lab::new();
    let file = lab.file("locked");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "open sesame", "-f", file.to_str().unwrap()]);
    authorize(&lab, "locked.pub");
    let first = lab.target("").replace("/key&", "/locked&");
    let second = first.replace("/sut&", "/sut-2&").replace("name=lab", "name=lab2");
    let atex = lab.on(&first, ["build", "--until", "test"]).args(["-s", &second]);
    let command = atex.command();
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // `script` gives it a terminal, and types what comes over stdin there.
    let mut script = Command::new("script")
        .args(["-q", "-e", "-c", &words.join(" "), "/dev/null"])
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(lab.world.tree())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is installed");
    let mut keyboard = script.stdin.take().unwrap();
    let mut screen = script.stdout.take().unwrap();
    let mut seen = String::new();
    let mut read_until = |questions: usize| {
        let mut buffer = [0; 4096];
        while asked(&seen) < questions {
            match screen.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        seen.clone()
    };
    read_until(1);
    keyboard.write_all(b"wrong\n").unwrap();
    read_until(2);
    keyboard.write_all(b"open sesame\n").unwrap();
    let text = read_until(usize::MAX);
    assert!(script.wait().unwrap().success(), "{text}");
    assert_eq!(asked(&text), 2, "once, and once more after the wrong answer: {text}");
    assert!(!text.contains("sesame"), "it is not shown: {text}");
}

/// How often a passphrase was asked for.
fn asked(text: &str) -> usize {
    text.matches("passphrase of").count()
}

#[test]
fn a_user_without_rights_works_below_its_home_or_by_sudo_as_root() {
    let Some(lab) = User::new("/bin/sh").lab("") else {
        return;
    };
    let key = format!("&key={}", lab.file("key").display());
    let whoami = lab.world.path("tester/who");
    lab.world
        .write("tree/a/main.fmf", format!("test: id -un >>{}\n", whoami.display()));
    lab.on(&tester(&lab, &key), ["test", "/a"]).run().expect(3);
    let counter = lab.world.path("ran");
    std::fs::set_permissions(&counter, std::fs::Permissions::from_mode(0o666)).unwrap();
    lab.on(&tester(&lab, &key), ["test", "/a"]).run().expect(0);
    assert!(lab.world.path("tester/.local/state/atex/v1").is_dir());
    let dir = format!("&become=sudo&dir={}", lab.world.sut().display());
    lab.on(&tester(&lab, &(key + &dir)), ["test", "/a"]).run().expect(0);
    assert_eq!(lab.world.read("tester/who"), "tester\nroot\n");
}

#[test]
fn a_password_is_used_where_the_target_says_where_it_is() {
    for method in [
        "PasswordAuthentication yes\n",
        "UsePAM yes\nKbdInteractiveAuthentication yes\n",
    ] {
        let Some(lab) = User::new("/bin/sh").lab(method) else {
            return;
        };
        let target = tester(&lab, "&password_env=LAB_PASSWORD");
        let call = || lab.on(&target, ["sut", "ls"]).args(["--json"]);
        let ran = call().env("LAB_PASSWORD", "let me in").run().expect(0);
        assert_eq!(ran.json()[0]["facts"]["user"], "tester", "{method}");
        let ran = call().env("LAB_PASSWORD", "let me out").run().expect(3);
        assert!(ran.stdout.contains("the password"), "{ran:?}");
        assert!(!format!("{ran:?}").contains("let me out"), "{ran:?}");
        let ran = call().run().expect(2);
        assert!(ran.stderr.contains("the variable `LAB_PASSWORD` is not set"), "{ran:?}");
    }
}
