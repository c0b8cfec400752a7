//! A TCP proxy of a test's own, which can reset its connections or end them on one side only.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a connection checks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// A proxy. It runs for as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    resets: Arc<AtomicUsize>,
    halves: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy that leads to a port of loopback.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            resets: Arc::default(),
            halves: Arc::default(),
        };
        let (resets, halves) = (Arc::clone(&proxy.resets), Arc::clone(&proxy.halves));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                let (near, far) = (Arc::new(near), Arc::new(far));
                let born = [&resets, &halves].map(|count| count.load(Ordering::SeqCst));
                for (from, to) in [(Arc::clone(&near), Arc::clone(&far)), (Arc::clone(&far), near)] {
                    from.set_read_timeout(Some(LOOK)).unwrap();
                    let (resets, halves, far) = (Arc::clone(&resets), Arc::clone(&halves), Arc::clone(&far));
                    let state = move || State {
                        is_reset: resets.load(Ordering::SeqCst) != born[0],
                        is_half: halves.load(Ordering::SeqCst) != born[1],
                    };
                    std::thread::spawn(move || pump(&from, &to, &far, state));
                }
            }
        });
        proxy
    }

    /// Returns the port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Resets all present connections on both sides, without any farewell; what is under way is lost. New connections are
    /// accepted.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends all present connections on the far side, without telling the near side. New connections are accepted.
    pub(crate) fn leave_half_open(&self) {
        self.halves.fetch_add(1, Ordering::SeqCst);
    }
}

/// What was done to a connection.
struct State {
    is_reset: bool,
    is_half: bool,
}

/// Copies one direction until it ends, or until the connection is to be reset. What comes over a half-open connection is
/// lost.
fn pump(mut from: &TcpStream, mut to: &TcpStream, far: &TcpStream, state: impl Fn() -> State) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let State { is_reset, is_half } = state();
        if is_reset {
            break;
        }
        if is_half {
            let _gone = far.shutdown(std::net::Shutdown::Both);
        }
        match from.read(&mut buffer) {
            // The connection may have become half open just now.
            Ok(0) if state().is_half => return,
            Ok(0) => {
                let _gone = to.shutdown(std::net::Shutdown::Write);
                return;
            }
            Ok(count) if is_half || to.write_all(&buffer[..count]).is_ok() || state().is_half => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => return,
        }
    }
    // Without time to linger, the last one to close the socket sends a reset.
    let _closed_by_the_peer = rustix::net::sockopt::set_socket_linger(from, Some(Duration::ZERO));
}
