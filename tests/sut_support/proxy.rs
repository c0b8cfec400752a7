//! A TCP proxy of a test's own, which can end its connections the hard way.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a connection looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// A proxy, for as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    resets: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one that leads to a port of loopback.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            resets: Arc::default(),
        };
        let resets = Arc::clone(&proxy.resets);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                let (near, far) = (Arc::new(near), Arc::new(far));
                let born = resets.load(Ordering::SeqCst);
                for (from, to) in [(Arc::clone(&near), Arc::clone(&far)), (far, near)] {
                    from.set_read_timeout(Some(LOOK)).unwrap();
                    let resets = Arc::clone(&resets);
                    std::thread::spawn(move || pump(&from, &to, || resets.load(Ordering::SeqCst) != born));
                }
            }
        });
        proxy
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Resets all connections that it has, on both sides: no farewell, and what is under way is lost. New ones are taken.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
    }
}

/// Copies one direction until it ends, or until the connection is to be reset.
fn pump(mut from: &TcpStream, mut to: &TcpStream, is_reset: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while !is_reset() {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _gone = to.shutdown(std::net::Shutdown::Write);
                return;
            }
            Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => return,
        }
    }
    // Without time to linger, the last one to close it sends a reset.
    let _closed_by_the_peer = rustix::net::sockopt::set_socket_linger(from, Some(Duration::ZERO));
}
