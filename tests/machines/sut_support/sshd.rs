//! An sshd of a test's own: it has a free port on loopback and its own keys, configuration and log, and ends when this value is
//! dropped.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use atex::sut::kind::ssh::login::Algorithms;
use atex::sut::kind::ssh::{HostKeys, Identity, Login, Via};

/// Where an sshd runs: the command that starts programs there, and its address.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) prefix: Vec<String>,
    pub(crate) host: Ipv4Addr,
}

pub(crate) struct Sshd {
    dir: PathBuf,
    place: Place,
    listener: Option<Child>,
}

impl Sshd {
    /// Starts an sshd with its files in `dir`. The lines `more` of configuration win over the others.
    pub(crate) fn start(dir: &Path, more: &str) -> Self {
        let here = Place {
            prefix: Vec::new(),
            host: Ipv4Addr::LOCALHOST,
        };
        Self::start_at(here, dir, more)
    }

    /// Starts an sshd in another place.
    pub(crate) fn start_at(place: Place, dir: &Path, more: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        for key in ["hostkey", "key"] {
            if !dir.join(key).exists() {
                let made = Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                    .arg(dir.join(key))
                    .status()
                    .expect("ssh-keygen is installed");
                assert!(made.success());
            }
        }
        fs::copy(dir.join("key.pub"), dir.join("authorized_keys")).unwrap();
        fs::write(dir.join("more"), more).unwrap();
        let mut sshd = Self {
            dir: dir.to_owned(),
            place,
            listener: None,
        };
        // Another process may take the port in between.
        for _ in 0..20 {
            fs::write(dir.join("port"), free_port().to_string()).unwrap();
            if sshd.resume() {
                return sshd;
            }
        }
        panic!("sshd does not start: {}", sshd.log());
    }

    /// Starts it again on the port that it had. Returns whether it listens.
    pub(crate) fn resume(&mut self) -> bool {
        let (dir, port, host) = (self.dir.display(), port_of(&self.dir), self.place.host);
        let more = fs::read_to_string(self.dir.join("more")).unwrap();
        let config = format!(
            "{more}\nListenAddress {host}\nPort {port}\nHostKey {dir}/hostkey\nPidFile none\n\
             AuthorizedKeysFile {dir}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUseDNS no\nPrintMotd no\nPrintLastLog no\n\
             X11Forwarding no\n"
        );
        fs::write(self.dir.join("config"), config).unwrap();
        let known = fs::read_to_string(self.dir.join("hostkey.pub")).unwrap();
        fs::write(self.dir.join("known_hosts"), format!("[{host}]:{port} {known}")).unwrap();
        let said = self.log().len();
        let mut words = self.place.prefix.clone();
        words.push("/usr/sbin/sshd".into());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["-D", "-f"])
            .arg(self.dir.join("config"))
            .arg("-E")
            .arg(self.dir.join("log"))
            .stdin(Stdio::null())
            .spawn()
            .expect("sshd is installed");
        self.listener = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && self.lives() {
            // An answer on the port would not prove that it comes from this sshd.
            if self.log()[said..].contains("Server listening on") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(mut child) = self.listener.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
        false
    }

    fn lives(&mut self) -> bool {
        let ended = self.listener.as_mut().map(|child| child.try_wait().unwrap());
        ended == Some(None)
    }

    /// Returns its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Returns the process that listens.
    pub(crate) fn pid(&self) -> u32 {
        self.listener.as_ref().expect("it runs").id()
    }

    /// Returns the processes of its sessions that talk with clients.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let mut todo = vec![self.pid()];
        while let Some(parent) = todo.pop() {
            for child in children(parent) {
                let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
                if name.trim() == "sshd" || name.trim() == "sshd-session" {
                    found.push(child);
                    todo.push(child);
                }
            }
        }
        found
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        for pid in self.sessions().into_iter().chain([self.pid()]) {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            let _gone = rustix::process::kill_process(pid.unwrap(), signal);
        }
    }

    /// Ends it and all its sessions, as a machine that goes down does.
    pub(crate) fn stop(&mut self) {
        let pid = |pid: u32| i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let mut ends = Vec::new();
        if self.listener.is_some() {
            // An sshd that was started through another command is not a child of this process. A pidfd tells when it is gone
            // and its port is free.
            let handle = |pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
            ends.extend(
                self.sessions()
                    .into_iter()
                    .filter_map(pid)
                    .filter_map(|pid| handle(pid).ok()),
            );
            self.signal(rustix::process::Signal::KILL);
        }
        for end in ends {
            let mut fds = [rustix::event::PollFd::new(&end, rustix::event::PollFlags::IN)];
            let patience = rustix::time::Timespec { tv_sec: 20, tv_nsec: 0 };
            let _gone_or_stuck = rustix::event::poll(&mut fds, Some(&patience));
        }
        if let Some(mut child) = self.listener.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of sshd:\n{}", self.log());
        }
        self.stop();
    }
}

/// A port of loopback that nobody has. It is none of those that the kernel gives to whoever asks for any, so nobody gets it by chance
/// before it is used.
pub(crate) fn free_port() -> u16 {
    loop {
        let random = RandomState::new().build_hasher().finish() % 12_000;
        let port = 20_000 + u16::try_from(random).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Returns the port of the sshd whose files are in `dir`.
pub(crate) fn port_of(dir: &Path) -> u16 {
    fs::read_to_string(dir.join("port")).unwrap().parse().unwrap()
}

/// Returns how to log in to the sshd whose files are in `dir`, as the user that runs the test.
pub(crate) fn login(dir: &Path, name: &str) -> Login {
    Login {
        name: name.to_owned(),
        host: "127.0.0.1".into(),
        port: port_of(dir),
        user: atex::sut::local_facts().user,
        identities: vec![Identity {
            file: dir.join("key"),
            certificate: None,
            named: true,
        }],
        identities_only: true,
        agent: None,
        password: None,
        known_hosts: vec![dir.join("known_hosts")],
        host_key_alias: None,
        host_keys: HostKeys::Refuse,
        connect_timeout: Duration::from_secs(30),
        via: Via::Direct,
        sudo: false,
        dead_after: Duration::from_secs(30),
        algorithms: Algorithms::default(),
    }
}
