//! A link with latency: a TCP proxy on loopback that delays what passes through it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Starts one before a port of loopback; half of the latency lies on each way. Gives its port.
pub(crate) fn delaying(to: u16, latency: Duration) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.expect("a connection");
            // Several may connect at a time, and none waits for another.
            thread::spawn(move || pass(&near, to, latency));
        }
    });
    port
}

fn pass(near: &TcpStream, to: u16, latency: Duration) {
    // The handshake of TCP is a round trip too.
    thread::sleep(latency);
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else {
        return;
    };
    for (from, to) in [(near, &far), (&far, near)] {
        let _at_once = from.set_nodelay(true);
        let (from, to) = (from.try_clone(), to.try_clone());
        delay(from.expect("a handle"), to.expect("a handle"), latency / 2);
    }
}

fn delay(mut from: TcpStream, mut to: TcpStream, by: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + by, buffer[..count].to_vec())).is_err() {
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
        let _closed_already = to.shutdown(Shutdown::Both);
    });
}
