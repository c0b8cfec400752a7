//! Reads which algorithms a server offers, from its first packet on a connection of its own, because libssh2 says only that
//! nothing fits.
//!
//! The format is that of RFC 4253, sections 4.2, 6 and 7.1: a line with the version, then an unencrypted packet with lists of
//! names.

use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use ssh2::{MethodType, Session};

use super::super::wire::Wire;
use super::transport::{Transport, poll_until};
use crate::sut::agent::timeouts::{WaitLimits, alarm};

/// The most bytes that are read: what a server sends before the key exchange is not longer.
const LONGEST: usize = 64 * 1024;

/// The message number of the packet that begins a key exchange.
const KEXINIT: u8 = 20;

/// How many characters of a list of names are shown.
const SHOWN: usize = 300;

/// The lists of the packet in its order: how people call them, and how libssh2 calls them.
const LISTS: [(&str, MethodType); 6] = [
    ("key exchanges", MethodType::Kex),
    ("host keys", MethodType::HostKey),
    ("ciphers", MethodType::CryptCs),
    ("ciphers back", MethodType::CryptSc),
    ("checksums", MethodType::MacCs),
    ("checksums back", MethodType::MacSc),
];

/// Returns in which lists the server and the session have nothing in common, or what the server offers where that is not the
/// cause; `None` where the server does not say. `transport` is a new connection to the server.
pub(super) fn difference(transport: &Transport, limits: &WaitLimits<'_>) -> Option<String> {
    let lists = read(transport, limits)?;
    let text = |names: &str| -> String { names.chars().filter(char::is_ascii_graphic).take(SHOWN).collect() };
    let mut differing = Vec::new();
    for ((what, method), offered) in LISTS.iter().zip(&lists) {
        let ours = usable(&transport.session, *method);
        if !offered.split(',').any(|name| ours.iter().any(|own| own == name)) {
            differing.push(format!(
                "of {what} it offers `{}`, and atex has `{}`",
                text(offered),
                text(&ours.join(","))
            ));
        }
    }
    if differing.is_empty() {
        let offers = lists.iter().map(|list| format!("`{}`", text(list)));
        return Some(format!("it offers {}", offers.take(3).collect::<Vec<_>>().join(", ")));
    }
    Some(differing.join("; "))
}

/// Returns the algorithms that the session could use.
fn usable(session: &Session, method: MethodType) -> Vec<String> {
    let names = session.supported_algs(method).unwrap_or_default();
    names.into_iter().map(str::to_owned).collect()
}

/// Reads the lists of the first packet.
fn read(transport: &Transport, limits: &WaitLimits<'_>) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    // Some servers wait for the client's version before they send anything.
    let _it_may_speak_first = rustix::io::write(&transport.socket, b"SSH-2.0-atex\r\n");
    loop {
        if let Some(lists) = parse(&bytes) {
            return Some(lists);
        }
        let is_over = limits.until.is_some_and(|until| Instant::now() >= until);
        if bytes.len() > LONGEST || is_over || limits.cancel.urgency() > limits.known {
            return None;
        }
        let (alarm, until) = alarm(limits.cancel, limits.until);
        poll_until(&mut [PollFd::new(&transport.socket, PollFlags::IN)], alarm, until);
        let mut buffer = [0; 8 * 1024];
        match rustix::io::read(&transport.socket, &mut buffer[..]) {
            Ok(0) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Parses the lists, once the whole packet is there.
fn parse(bytes: &[u8]) -> Option<Vec<String>> {
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.starts_with(b"SSH-") {
            break;
        }
    }
    let packet = Wire(rest).string()?;
    let (_padding, payload) = packet.split_first()?;
    let (kind, payload) = payload.split_first()?;
    let (_cookie, lists) = payload.split_at_checked(16)?;
    if *kind != KEXINIT {
        return None;
    }
    let mut wire = Wire(lists);
    let list = |_| Some(String::from_utf8_lossy(wire.string()?).into_owned());
    (0..LISTS.len()).map(list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::kind::ssh::wire::put;

    #[test]
    fn the_lists_of_a_first_packet_are_read_past_what_comes_before_it() {
        let mut payload = vec![4, KEXINIT];
        payload.extend([7; 16]);
        for list in ["kex-a,kex-b", "key", "c", "d", "m", "n", "none", "none", "", ""] {
            put(&mut payload, list.as_bytes());
        }
        payload.extend([0; 9]);
        let mut bytes = b"a word before\r\nSSH-2.0-x\r\n".to_vec();
        put(&mut bytes, &payload);
        assert_eq!(parse(&bytes[..bytes.len() - 1]), None, "not all is there");
        assert_eq!(parse(&bytes).unwrap(), ["kex-a,kex-b", "key", "c", "d", "m", "n"]);
        assert_eq!(parse(b"SSH-2.0-x\n\0\0\0\x02\x01\x14"), None);
    }
}
