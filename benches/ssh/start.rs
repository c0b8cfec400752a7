//! Benchmark of a trivial test on a prepared machine, from a new process and over a new connection, compared with `ssh host
//! true`.

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use atex::sut::kind::ssh::Login;
use atex::sut::{OnHeld, Sut, SyncMode};

use crate::lab::Lab;
use crate::library::{self, drain, job, login, nothing};
use crate::proxy::delaying;
use crate::timing::{LATENCY, middle, millis, round_trips, timed};

/// How often each is done.
const ROUNDS: usize = 25;

/// The hosts, on loopback and behind the proxy.
const HOSTS: [&str; 2] = ["near", "far"];

/// What is measured, in the order of the table.
const ROWS: [&str; 7] = [
    "handshake and login, bare ssh2",
    "ssh host true",
    "atex test",
    "  the library alone: open",
    "  … and sync",
    "  … and job started",
    "  … and job ended",
];
const SSH: usize = 1;
const ATEX: usize = 2;

/// Prints the table.
pub(crate) fn start() {
    let lab = Lab::new(&crate::server());
    let ports = [lab.port(), delaying(lab.port(), LATENCY)];
    for (host, port) in HOSTS.iter().zip(ports) {
        lab.host(host, port);
    }
    lab.tree(&[
        (
            "plan.fmf",
            "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'echo A=1 >>$TMT_PLAN_ENVIRONMENT_FILE'}\n",
        ),
        ("tests.fmf", "/trivial:\n  test: 'true'\n"),
    ]);
    prepare(&lab);
    // One after the other, so that what else the machine does befalls all of them.
    let mut times = vec![[const { Vec::new() }; 2]; ROWS.len()];
    for _ in 0..ROUNDS {
        for (side, host) in HOSTS.iter().enumerate() {
            let far = Login {
                port: ports[side],
                ..login(&lab)
            };
            let mut took = vec![bare(&far), timed(&mut client(&lab, host)), timed(&mut test(&lab, host))];
            took.extend(rerun(&lab, far));
            for (row, took) in times.iter_mut().zip(took) {
                row[side].push(took);
            }
        }
    }
    tell(
        &times
            .iter()
            .map(|row| [middle(&row[0]), middle(&row[1])])
            .collect::<Vec<_>>(),
    );
}

/// Brings the machine into the state that the plan wants, and lets both names of it be known.
fn prepare(lab: &Lab) {
    for host in HOSTS {
        let target = target(lab, host);
        timed(&mut lab.atex(&["build", "--until", "prepare", "-s", &target]));
        timed(&mut test(lab, host));
        timed(&mut client(lab, host));
    }
    let mut sut = library::machine(login(lab), lab.path("library"));
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
    sut.sync(&nothing(), SyncMode::Exact).expect("it syncs");
    sut.close();
}

fn tell(rows: &[[f64; 2]]) {
    println!(
        "\nfresh connection, {ROUNDS} times                loopback   {} ms added   round trips",
        LATENCY.as_millis()
    );
    for (name, &[near, far]) in ROWS.iter().zip(rows) {
        println!(
            "{name:<36} {near:>10.1} ms {far:>9.1} ms {:>13.1}",
            round_trips(near, far)
        );
    }
    let [near, far] = [0, 1].map(|side| rows[ATEX][side] / rows[SSH][side]);
    println!("`atex test` against `ssh host true`  {near:>7.2} times {far:>6.2} times");
    let [near, far] = [0, 1].map(|side| rows[ATEX][side] - rows[0][side]);
    println!("`atex test` less the handshake       {near:>10.1} ms {far:>9.1} ms");
}

fn target(lab: &Lab, host: &str) -> String {
    format!("{host}?dir={}", lab.path("sut").display())
}

fn test(lab: &Lab, host: &str) -> Command {
    lab.atex(&["test", "/tests/trivial", "-s", &target(lab, host)])
}

fn client(lab: &Lab, host: &str) -> Command {
    let mut call = Command::new("ssh");
    call.arg("-F")
        .arg(lab.path("ssh-config"))
        .args([host, "true"])
        .stdin(Stdio::null());
    call
}

/// What nobody who uses libssh2 can do without.
fn bare(login: &Login) -> f64 {
    let start = Instant::now();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, login.port)).expect("the sshd");
    stream.set_nodelay(true).expect("a socket");
    let mut session = ssh2::Session::new().expect("a session");
    session.set_tcp_stream(stream);
    session.handshake().expect("keys");
    session
        .userauth_pubkey_file(&login.user, None, &login.identities[0].file, None)
        .expect("a login");
    millis(start)
}

fn rerun(lab: &Lab, login: Login) -> [f64; 4] {
    let start = Instant::now();
    let mut sut = library::machine(login, lab.path("library"));
    sut.expect(&nothing(), SyncMode::KeepPrepared(1));
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
    let open = millis(start);
    sut.sync(&nothing(), SyncMode::KeepPrepared(1)).expect("it syncs");
    let synced = millis(start);
    let channel = sut.start(&job("true")).expect("it starts");
    let started = millis(start);
    drain(channel, |_| ());
    [open, synced, started, millis(start)]
}
