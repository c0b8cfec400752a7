//! What machines over SSH cost: `cargo bench --bench ssh [memory [COUNT…] | start | upload | results]`.
//!
//! Everything runs over a real sshd on loopback that is started here. Nothing is asserted: the table is for people.

#[path = "../tests/sut_support/sshd.rs"]
mod sshd;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use atex::control::{Finish, Limits, Protocol, ResultStore};
use atex::sut::shell::Machine;
use atex::sut::ssh::{Login, Ssh, SshLink};
use atex::sut::{Cancel, Channel, EnvFile, FileSet, Job, JobKind, OnHeld, Sut, SyncMode, Upload, Urgency};
use sshd::Sshd;

/// The stack of a thread that drives a machine, as the executor gives it.
const STACK: usize = 512 * 1024;

/// How long the idle processor time is measured.
const IDLE: Duration = Duration::from_secs(60);

/// The added latency, there and back.
const LATENCY: Duration = Duration::from_millis(50);

/// How much is brought from the machine.
const AMOUNT: u64 = 1 << 30;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["child", dir, count] => child(Path::new(dir), count.parse().expect("a number")),
        ["memory", counts @ ..] if !counts.is_empty() => memory(counts),
        ["memory"] => memory(&["1", "100", "1000"]),
        ["start"] => start(),
        ["upload"] => upload(),
        ["results"] => results(),
        _ => {
            start();
            upload();
            results();
            memory(&["1", "100", "1000"]);
        }
    }
}

/// A machine behind an sshd of its own.
struct Lab {
    _sshd: Sshd,
    home: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        // With this level bash reads no start-up file: what those cost is not ours.
        let more = "MaxStartups 4096\nMaxSessions 1000\nSetEnv SHLVL=5";
        let sshd = Sshd::start(&home.path().join("sshd"), more);
        Self { _sshd: sshd, home }
    }

    fn sut(&self, login: Login) -> Ssh {
        machine(login, self.home.path().join("sut"))
    }

    fn login(&self) -> Login {
        login(self.home.path())
    }
}

fn login(home: &Path) -> Login {
    Login {
        connect_timeout: Duration::from_secs(600),
        ..sshd::login(&home.join("sshd"), "lab")
    }
}

fn machine(login: Login, dir: PathBuf) -> Ssh {
    let cancel = Cancel::new().expect("a flag");
    Machine::over(SshLink::new(login, cancel.clone()), Some(dir), cancel)
}

fn job(script: &str) -> Job {
    Job {
        kind: JobKind::Test {
            name: "/bench".to_owned(),
            metadata: "summary: none\n".to_owned(),
            restarts: 0,
            tty: false,
        },
        script: script.to_owned(),
        slot: "tree".to_owned(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Base,
    }
}

fn nothing() -> Upload {
    Upload {
        slot: "tree".to_owned(),
        files: Arc::new(FileSet { files: Vec::new() }),
    }
}

/// Reads both streams to their end, and gives the control stream away.
fn drain(mut channel: Box<dyn Channel>, mut control: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    let mut open = [true, true];
    while open[0] || open[1] {
        let ready = channel.wait(None, Urgency::Now).expect("it can be waited for");
        if ready.control && open[0] {
            open[0] = each(&mut buffer, |buffer| channel.read_control(buffer), &mut control);
        }
        if ready.output && open[1] {
            open[1] = each(&mut buffer, |buffer| channel.read_output(buffer), &mut |_| ());
        }
    }
}

/// Reads what is there; says whether the stream is open still.
fn each(buffer: &mut [u8], mut read: impl FnMut(&mut [u8]) -> io::Result<usize>, with: &mut impl FnMut(&[u8])) -> bool {
    loop {
        match read(buffer) {
            Ok(0) => return false,
            Ok(count) => with(&buffer[..count]),
            Err(_would_block) => return true,
        }
    }
}

/// Many sessions, each with a test that sleeps, in a process of their own.
fn memory(counts: &[&str]) {
    println!("\nsessions with a sleeping test  PSS MB  above base, each  idle, % of a core");
    for count in counts {
        let lab = Lab::new();
        let status = Command::new(std::env::current_exe().expect("this program"))
            .arg("child")
            .arg(lab.home.path())
            .arg(count)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the child works");
    }
}

fn child(home: &Path, count: usize) {
    let base = pss();
    let ready = Arc::new(Barrier::new(count + 1));
    let (stop, _running) = mpsc::channel::<()>();
    let login = login(home);
    for index in 0..count {
        let (ready, login) = (Arc::clone(&ready), login.clone());
        let dir = home.join(format!("sut-{index}"));
        let drive = move || {
            let mut sut = machine(login, dir);
            sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
            sut.sync(&nothing(), SyncMode::Exact).expect("it syncs");
            let channel = sut.start(&job("sleep 100000")).expect("it starts");
            ready.wait();
            drain(channel, |_| ());
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(drive);
        thread.expect("a thread");
    }
    ready.wait();
    thread::sleep(Duration::from_secs(5));
    let all = pss();
    let (before, since) = (cpu(), Instant::now());
    thread::sleep(IDLE);
    let idle = (cpu() - before) / since.elapsed().as_secs_f64() * 100.0;
    println!(
        "{count:>8} {all:>29.1} {:>13.3} MB {idle:>16.2}",
        (all - base) / index(count)
    );
    drop(stop);
    std::process::exit(0);
}

fn index(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Proportional memory of this process in MB.
fn pss() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1.024 / 1000.0
}

/// Processor time of this process in seconds.
fn cpu() -> f64 {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").expect("the kernel tells") {
        let path = task.expect("a task").path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        nanoseconds += text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<f64>().ok())
            .unwrap_or(0.0);
    }
    nanoseconds / 1e9
}

/// A fresh connection until a trivial test has ended, beside the `ssh` client.
fn start() {
    let lab = Lab::new();
    let mut first = lab.sut(lab.login());
    first.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
    first.sync(&nothing(), SyncMode::Exact).expect("it syncs");
    first.close();
    println!(
        "\nfresh connection                      loopback     {} ms round trips",
        LATENCY.as_millis()
    );
    let far = delaying(lab.login().port);
    let ports = [lab.login().port, far];
    let client = ports.map(|port| median(|| client(&lab, port)));
    println!(
        "ssh host true                    {:>10.1} ms {:>14.1} ms",
        client[0], client[1]
    );
    let parts = ports.map(|port| {
        let mut rows = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (row, value) in rows.iter_mut().zip(rerun(&lab, port)) {
                row.push(value);
            }
        }
        rows.map(middle)
    });
    for (name, row) in ["open", "… and sync", "… and job started", "… and job ended"]
        .iter()
        .zip(0..)
    {
        let row: usize = row;
        println!("{name:<32} {:>10.1} ms {:>14.1} ms", parts[0][row], parts[1][row]);
    }
    println!(
        "against `ssh host true`          {:>10.2} times {:>11.2} times",
        parts[0][3] / client[0],
        parts[1][3] / client[1]
    );
}

/// Repetitions of a start.
const ROUNDS: usize = 15;

fn median(mut measured: impl FnMut() -> f64) -> f64 {
    middle((0..ROUNDS).map(|_| measured()).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn client(lab: &Lab, port: u16) -> f64 {
    let files = lab.home.path().join("sshd");
    let start = Instant::now();
    let status = Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-i",
        ])
        .arg(files.join("key"))
        .args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-p",
            &port.to_string(),
        ])
        .args(["-l", &lab.login().user, "127.0.0.1", "true"])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "ssh works");
    millis(start)
}

fn rerun(lab: &Lab, port: u16) -> [f64; 4] {
    let login = Login {
        port,
        host_keys: atex::sut::ssh::HostKeys::Unchecked,
        ..lab.login()
    };
    let start = Instant::now();
    let mut sut = lab.sut(login);
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
    let open = millis(start);
    sut.sync(&nothing(), SyncMode::KeepPrepared).expect("it syncs");
    let synced = millis(start);
    let channel = sut.start(&job("true")).expect("it starts");
    let started = millis(start);
    drain(channel, |_| ());
    [open, synced, started, millis(start)]
}

/// A proxy that holds back what passes for half of the latency each way. Gives its port.
fn delaying(to: u16) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.expect("a connection");
            // The handshake of TCP is a round trip too.
            thread::sleep(LATENCY);
            let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).expect("the sshd");
            for (from, to) in [(&near, &far), (&far, &near)] {
                let _at_once = from.set_nodelay(true);
                delay(from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
            }
        }
    });
    port
}

fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let due = Instant::now() + LATENCY / 2;
            if sender.send((due, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _closed_already = to.shutdown(std::net::Shutdown::Both);
    });
}

/// A file of 1 GiB through the control stream, beside a bare loop.
fn upload() {
    let lab = Lab::new();
    let command = format!("head -c {AMOUNT} /dev/zero");
    println!("\n1 GiB from the machine             MB/s");
    let ciphers = [
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
    ];
    for cipher in ciphers {
        println!("bare ssh2, {cipher:<30} {:>6.0}", bare(&lab, Some(cipher), &command));
    }
    for _ in 0..3 {
        println!(
            "bare ssh2, as negotiated                  {:>6.0}",
            bare(&lab, None, &command)
        );
        let mut sut = lab.sut(lab.login());
        sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
        let channel = sut.start(&job(&format!("{command} >&7"))).expect("it starts");
        let start = Instant::now();
        let mut count = 0;
        drain(channel, |bytes| count += bytes.len());
        println!("control stream                            {:>6.0}", rate(count, start));
    }
}

fn rate(count: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / 1e6 / since.elapsed().as_secs_f64()
}

fn bare(lab: &Lab, cipher: Option<&str>, command: &str) -> f64 {
    let login = lab.login();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, login.port)).expect("the sshd");
    let mut session = ssh2::Session::new().expect("a session");
    if let Some(cipher) = cipher {
        for way in [ssh2::MethodType::CryptSc, ssh2::MethodType::CryptCs] {
            session.method_pref(way, cipher).expect("a cipher");
        }
    }
    session.set_tcp_stream(stream);
    session.handshake().expect("keys");
    session
        .userauth_pubkey_file(&login.user, None, &login.identities[0].file, None)
        .expect("a login");
    let mut channel = session.channel_session().expect("a channel");
    channel.exec(command).expect("a command");
    let start = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0;
    while let Ok(more @ 1..) = channel.read(&mut buffer) {
        count += more;
    }
    rate(count, start)
}

/// Results through the control stream into the store.
fn results() {
    let lab = Lab::new();
    let count = 1_000_000_u32;
    let line = r#"{"status":"pass","name":"sub/1234567"}"#;
    // `yes` ends each text with a newline, which the JSON's length includes.
    let length = line.len() + 1;
    let whole = format!("result {length}\n{line}\n").len();
    let script = format!("set +o pipefail; yes $'result {length}\\n{line}' | head -c $(({count} * {whole})) >&7");
    let mut sut = lab.sut(lab.login());
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
    let channel = sut.start(&job(&script)).expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let store = ResultStore::create(&dir.path().join("test")).expect("a store");
    let mut protocol = Protocol::new(store, Limits::default());
    let start = Instant::now();
    drain(channel, |bytes| {
        protocol.feed(bytes).expect("the protocol is kept");
        while let Some(said) = protocol.take() {
            std::hint::black_box(said);
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let summary = protocol.finish(Finish::Exited(0)).expect("a disk");
    assert!(summary.results >= u64::from(count), "all results are stored");
    println!(
        "\nresults through the control stream: {:.0} a second",
        f64::from(count) / seconds
    );
}
