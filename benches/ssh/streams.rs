//! Benchmark of what comes from a machine: a large file, and results.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use atex::control::{Finish, Limits, Protocol, ResultStore, Status};
use atex::sut::kind::ssh::Login;
use atex::sut::{OnHeld, Sut};

use crate::lab::Lab;
use crate::library::{drain, job, login, machine};
use crate::proxy::delaying;
use crate::timing::LATENCY;

/// How much is brought from the machine, and how much of that where there is latency.
const AMOUNT: u64 = 1 << 30;
const FAR_AMOUNT: u64 = 1 << 28;

/// A file of 1 GiB through the control stream, beside a bare loop.
pub(crate) fn upload() {
    let lab = Lab::new(&crate::server());
    let near = login(&lab);
    println!("\n1 GiB from the machine             MB/s");
    let ciphers = [
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
    ];
    for cipher in ciphers {
        let rate = bare(&near, Some(cipher), AMOUNT);
        println!("bare ssh2, {cipher:<30} {rate:>6.0}");
    }
    side_by_side(&lab, &near, AMOUNT);
    let far = Login {
        port: delaying(lab.port(), LATENCY),
        ..near
    };
    lab.host("far", far.port);
    println!("\nthe same with {} ms of latency, 256 MiB", LATENCY.as_millis());
    side_by_side(&lab, &far, FAR_AMOUNT);
}

/// Both, one after the other, so that what else the machine does befalls both.
fn side_by_side(lab: &Lab, login: &Login, amount: u64) {
    for _ in 0..3 {
        println!(
            "bare ssh2, as negotiated                  {:>6.0}",
            bare(login, None, amount)
        );
        let mut sut = machine(login.clone(), lab.path("sut"));
        sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
        let channel = sut.start(&job(&format!("{} >&7", zeros(amount)))).expect("it starts");
        let start = Instant::now();
        let mut count = 0;
        drain(channel, |bytes| count += bytes.len());
        println!("control stream                            {:>6.0}", rate(count, start));
    }
}

fn zeros(amount: u64) -> String {
    format!("head -c {amount} /dev/zero")
}

fn rate(count: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / 1e6 / since.elapsed().as_secs_f64()
}

fn bare(login: &Login, cipher: Option<&str>, amount: u64) -> f64 {
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
    channel.exec(&zeros(amount)).expect("a command");
    let start = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0;
    while let Ok(more @ 1..) = channel.read(&mut buffer) {
        count += more;
    }
    rate(count, start)
}

/// Results through the control stream into the store.
pub(crate) fn results() {
    let lab = Lab::new(&crate::server());
    let count = 1_000_000_u32;
    let line = r#"{"status":"pass","name":"sub/1234567"}"#;
    // `yes` ends each text with a newline, which the JSON's length includes.
    let length = line.len() + 1;
    let whole = format!("result {length}\n{line}\n").len();
    let script = format!("set +o pipefail; yes $'result {length}\\n{line}' | head -c $(({count} * {whole})) >&7");
    let mut sut = machine(login(&lab), lab.path("sut"));
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
    let summary = protocol.finish(Finish::Exited(Status::Pass)).expect("a disk");
    assert!(summary.results >= u64::from(count), "all results are stored");
    println!(
        "\nresults through the control stream: {:.0} a second",
        f64::from(count) / seconds
    );
}
