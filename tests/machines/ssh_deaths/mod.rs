//! Tests of how machines behind SSH die: each death is reported as what it is, within its time limit, and what ran there is gone.

mod approach;
mod network;
mod resets;
mod stuck;
mod ways;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::sut_support::sshd::{self, Sshd};
use crate::sut_support::{HANG, Host, Running, describe, eventually, lives, run, sync, test};
use atex::sut::agent::link::{Interest, Link, Process};
use atex::sut::agent::session::Machine;
use atex::sut::kind::ssh::{Login, Ssh, SshLink};
use atex::sut::{Cancel, End, OnHeld, Sut, SyncMode, TroubleKind, Urgency};
use rustix::process::Signal;

/// A machine behind an sshd of its own.
struct Lab {
    sshd: Sshd,
    home: tempfile::TempDir,
    cancel: Cancel,
}

impl Lab {
    fn new(more: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let sshd = Sshd::start(&home.path().join("sshd"), more);
        Self {
            home,
            sshd,
            cancel: Cancel::new().unwrap(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("sut")
    }

    fn login(&self) -> Login {
        sshd::login(&self.home.path().join("sshd"), "lab")
    }

    fn over(&self, login: Login) -> Ssh {
        let link = SshLink::new(login, self.cancel.clone());
        Machine::over(link, Some(self.dir()), self.cancel.clone())
    }

    fn open(&self) -> Ssh {
        self.open_as(self.login())
    }

    fn open_as(&self, login: Login) -> Ssh {
        let mut sut = self.over(login);
        sut.open(OnHeld::Wait, &mut |_| ()).expect("the machine opens");
        sut
    }
}

/// A test that says its pid and stays.
const STAYS: &str = "echo $$ >&7; trap '' TERM HUP; while :; do sleep 1 & wait; done";

fn pid(running: &mut Running) -> String {
    running.said("\n");
    running.seen.control().trim().to_owned()
}

/// How a job ended that nobody ended.
fn broken(running: Running) -> String {
    match running.finish().end {
        Some(End::Broken(how)) => how,
        other => panic!("it ended with {other:?}"),
    }
}

/// A server that is none: what it does with each connection.
fn server(act: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(|stream| act(stream.unwrap())));
    port
}

fn short(lab: &Lab, port: u16) -> Login {
    Login {
        port,
        connect_timeout: Duration::from_secs(2),
        ..lab.login()
    }
}

#[test]
fn refused_connection_is_unreachable_at_once() {
    let mut lab = Lab::new("");
    lab.sshd.stop();
    let before = Instant::now();
    let trouble = lab.over(lab.login()).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.starts_with("`lab`: "), "{trouble}");
    assert!(trouble.message.contains("refused"), "{trouble}");
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn name_without_address_is_unreachable() {
    let lab = Lab::new("");
    let login = Login {
        host: "no-such-host.invalid".into(),
        ..lab.login()
    };
    let trouble = lab.over(login).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("no-such-host.invalid"), "{trouble}");
}

#[test]
fn server_that_says_nothing_is_unreachable_after_the_connect_timeout() {
    let lab = Lab::new("");
    let kept = std::sync::Mutex::new(Vec::new());
    let port = server(move |stream| kept.lock().unwrap().push(stream));
    let trouble = lab.over(short(&lab, port)).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("no answer"), "{trouble}");
}

#[test]
fn login_that_never_comes_to_bash_is_unreachable_after_its_time() {
    let lab = Lab::new("ForceCommand sleep 1000");
    let mut sut = lab.over(short(&lab, lab.login().port));
    for trouble in [sut.open(OnHeld::Wait, &mut |_| ()), sut.look()].map(Result::unwrap_err) {
        assert_eq!(trouble.kind, TroubleKind::Unreachable);
        assert!(trouble.message.contains("did not start bash within 8 s"), "{trouble}");
        assert!(trouble.hint.is_some_and(|hint| hint.contains("`.bashrc`")));
    }
}

#[test]
fn server_that_drops_connections_is_tried_again_and_then_unreachable() {
    let lab = Lab::new("");
    let tries = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&tries);
    let port = server(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let trouble = lab.over(short(&lab, port)).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("closed the connection"), "{trouble}");
    assert!(tries.load(Ordering::SeqCst) > 1);
}

#[test]
fn connecting_ends_when_the_user_cancels() {
    let lab = Lab::new("");
    let cancel = lab.cancel.clone();
    let kept = std::sync::Mutex::new(Vec::new());
    let port = server(move |stream| {
        kept.lock().unwrap().push(stream);
        cancel.raise(Urgency::Graceful);
    });
    let login = Login { port, ..lab.login() };
    let trouble = lab.over(login).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Cancelled);
}

#[test]
fn silent_machine_is_dead_after_its_time_and_what_it_said_is_kept() {
    let lab = Lab::new("");
    let login = Login {
        dead_after: Duration::from_secs(3),
        ..lab.login()
    };
    let mut sut = lab.open_as(login);
    let mut running = Running::start(&mut sut, &test("echo early >&7; sleep 1000"));
    running.said("early\n");
    lab.sshd.signal(Signal::STOP);
    let before = Instant::now();
    let outcome = running.finish();
    let waited = before.elapsed();
    lab.sshd.signal(Signal::CONT);
    assert!(
        matches!(&outcome.end, Some(End::Broken(how)) if how.contains("no sign of life for 3 s")),
        "{:?}",
        outcome.end
    );
    assert!(
        waited >= Duration::from_secs(1) && waited < Duration::from_secs(30),
        "{waited:?}"
    );
    assert_eq!(outcome.control(), "early\n");
}

#[test]
fn busy_machine_that_answers_is_not_dead() {
    let lab = Lab::new("");
    let login = Login {
        dead_after: Duration::from_secs(2),
        ..lab.login()
    };
    let mut sut = lab.open_as(login);
    assert_eq!(run(&mut sut, &test("sleep 7; exit 3")).exit_code(), 3);
}

#[test]
fn killed_sshd_ends_the_test_at_once_and_its_processes() {
    let mut lab = Lab::new("");
    let mut sut = lab.open();
    let mut running = Running::start(&mut sut, &test(STAYS));
    let pid = pid(&mut running);
    lab.sshd.stop();
    let how = broken(running);
    assert!(how.contains("connection"), "{how}");
    eventually("the test is gone", || !lives(&pid));
    assert!(lab.sshd.resume());
    let hello = sut.reopen(Instant::now() + HANG).expect("it comes back");
    assert!(!hello.facts.boot_id.is_empty());
    assert_eq!(run(&mut sut, &test("exit 4")).exit_code(), 4);
}

#[test]
fn killed_sshd_during_an_upload_is_told_and_the_half_never_counts_as_whole() {
    let mut lab = Lab::new("");
    let host = Host::new(&[("a", "1")]);
    let big = std::fs::File::create(host.path("big")).unwrap();
    big.set_len(150 << 20).unwrap();
    let mut sut = lab.open();
    let arriving = lab.dir().join("v1/tree/tree/big");
    let upload = host.upload();
    let done = AtomicBool::new(false);
    let trouble = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| {
            let outcome = sut.sync(&upload, SyncMode::Exact);
            done.store(true, Ordering::SeqCst);
            outcome
        });
        eventually("a part arrives", || {
            done.load(Ordering::SeqCst) || std::fs::metadata(&arriving).is_ok_and(|meta| meta.len() > 1 << 20)
        });
        lab.sshd.stop();
        syncing.join().unwrap()
    });
    let trouble = trouble.expect_err("150 MiB take longer");
    assert_eq!(trouble.kind, TroubleKind::Aborted);
    assert!(trouble.message.starts_with("`lab`: "), "{trouble}");
    assert!(lab.sshd.resume());
    sut.reopen(Instant::now() + HANG).expect("it comes back");
    assert!(sync(&mut sut, &host, SyncMode::KeepPrepared(1)).sent >= 1);
    assert_eq!(describe(&lab.dir().join("v1/tree/tree")), describe(host.dir.path()));
}

#[test]
fn machine_that_goes_away_and_comes_back_goes_on() {
    let mut lab = Lab::new("");
    let mut sut = lab.open();
    let leave = "echo disconnect >&7; while :; do echo noop >&7 || break; sleep 0.1; done; echo went on >mark";
    let mut running = Running::start(&mut sut, &test(leave));
    running.said("noop\n");
    running.channel.detach();
    let mark = lab.dir().join("v1/tree/tree/mark");
    std::thread::scope(|scope| {
        let sshd = &mut lab.sshd;
        let mark = &mark;
        scope.spawn(move || {
            eventually("the runner has let go", || mark.exists());
            sshd.stop();
            std::thread::sleep(Duration::from_secs(2));
            assert!(sshd.resume());
        });
        eventually("the runner has let go", || mark.exists());
        sut.reopen(Instant::now() + HANG).expect("the machine comes back");
    });
    assert_eq!(run(&mut sut, &test("exit 6")).exit_code(), 6);
}

#[test]
fn machine_that_stays_away_is_unreachable_when_the_time_is_over() {
    let mut lab = Lab::new("");
    let mut sut = lab.open();
    lab.sshd.stop();
    let trouble = sut.reopen(Instant::now() + Duration::from_secs(2)).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
}

#[test]
fn server_with_default_limits_takes_forty_machines_at_once() {
    // Its limits are; what root's start-up files cost here is not a part of that.
    let lab = Lab::new("SetEnv SHLVL=5");
    std::thread::scope(|scope| {
        for index in 0..40 {
            let lab = &lab;
            scope.spawn(move || {
                let link = SshLink::new(lab.login(), lab.cancel.clone());
                let dir = lab.home.path().join(format!("sut-{index}"));
                let mut sut = Machine::over(link, Some(dir), lab.cancel.clone());
                sut.open(OnHeld::Fail, &mut |_| ()).expect("it opens");
                assert_eq!(run(&mut sut, &test("exit 7")).exit_code(), 7);
            });
        }
    });
}

#[test]
fn refusals_of_a_busy_server_are_waited_out() {
    // Every connection that is not logged in makes the server refuse the next one.
    let lab = Lab::new("MaxStartups 1:100:1\nLoginGraceTime 4");
    let blocker = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, lab.login().port)).unwrap();
    let mut sut = lab.open();
    drop(blocker);
    assert_eq!(run(&mut sut, &test("exit 7")).exit_code(), 7);
}

#[test]
fn two_sessions_on_a_connection_are_enough() {
    let lab = Lab::new("MaxSessions 2");
    let mut sut = lab.open();
    let host = Host::new(&[("a", "1")]);
    for code in 1..4 {
        sync(&mut sut, &host, SyncMode::Exact);
        assert_eq!(run(&mut sut, &test(&format!("exit {code}"))).exit_code(), code);
    }
}

#[test]
fn commands_that_start_together_all_start() {
    // With this bash reads no start-up file.
    let lab = Lab::new("MaxSessions 20\nSetEnv SHLVL=5");
    let mut link = SshLink::new(lab.login(), lab.cancel.clone());
    link.connect(None).unwrap();
    for round in 0..200 {
        // The answers of a connection come in one stream, whatever each of these waits for.
        let mut processes: Vec<_> = (0..8).map(|_| link.spawn().unwrap()).collect();
        for (number, process) in processes.iter_mut().enumerate() {
            let program = format!("echo {number}");
            write(&mut **process, format!("{}\n{program}", program.len()).as_bytes());
        }
        for (number, process) in processes.iter_mut().enumerate() {
            let said = stdout(&mut **process);
            assert_eq!(said, format!("{number}\n"), "round {round}: {:?}", process.exit());
        }
    }
}

/// Writes all of `bytes` to a process.
fn write(process: &mut dyn Process, mut bytes: &[u8]) {
    let interest = Interest {
        stdin: true,
        ..Interest::default()
    };
    while !bytes.is_empty() {
        match process.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        let until = (!bytes.is_empty()).then(|| Instant::now() + HANG);
        until.map(|until| process.wait(interest, Some(until), None).unwrap());
    }
}

/// All that a process writes to stdout.
fn stdout(process: &mut dyn Process) -> String {
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    let interest = Interest {
        stdout: true,
        ..Interest::default()
    };
    loop {
        let before = Instant::now();
        process.wait(interest, Some(before + HANG), None).unwrap();
        match process.read_stdout(&mut buffer) {
            Ok(0) => return String::from_utf8(said).unwrap(),
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        let took = before.elapsed();
        assert!(took < HANG / 4, "nobody looked for an answer that had come: {took:?}");
    }
}

#[test]
fn keys_are_exchanged_anew_without_loss() {
    let lab = Lab::new("RekeyLimit 1M");
    let mut sut = lab.open();
    let host = Host::new(&[]);
    let content: Vec<u8> = (0..24_u32 << 20).map(|n| (n / 977 % 251) as u8).collect();
    std::fs::write(host.path("big"), &content).unwrap();
    sync(&mut sut, &host, SyncMode::Exact);
    let outcome = run(&mut sut, &test("cat big >&7 & cat big; wait"));
    assert!(outcome.control.starts_with(&content));
    assert_eq!(outcome.output, content);
}

#[test]
fn control_output_and_the_agent_share_a_connection() {
    let lab = Lab::new("");
    let mut sut = lab.open();
    let flood = "flood() { head -c 30000000 /dev/zero | tr '\\0' y; }; flood >&7 & flood; wait; echo >&7; exit 5";
    let mut running = Running::start(&mut sut, &test(flood));
    running.said("y");
    // The agent answers while the streams are full.
    sut.set_state(&atex::sut::SutState::default()).unwrap();
    let outcome = running.finish();
    assert_eq!(outcome.exit_code(), 5);
    assert_eq!(outcome.output.len(), 30_000_000);
    assert_eq!(outcome.control.len(), 30_000_000 + "\nexitcode 5\n".len());
}
