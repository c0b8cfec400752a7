//! Files of host keys (`known_hosts`) as OpenSSH writes them: what they say of one host.
//!
//! The format is that of sshd(8), "`SSH_KNOWN_HOSTS` file format". This module reads, and adds one line; [`super::KnownHost`]
//! judges.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use openssl::base64::{decode_block, encode_block};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::super::pattern;

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The host has this key.
    Key,
    /// `@cert-authority`: the host has a certificate that this key signed.
    Authority,
    /// `@revoked`: the host must not have this key.
    Revoked,
}

/// A line that is about the host in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownHostsEntry {
    pub(crate) marker: Marker,
    /// The key in its wire form, which begins with its type.
    pub(crate) key: Vec<u8>,
    pub(crate) file: PathBuf,
    /// The line's number, counted from 1.
    pub(crate) line: usize,
}

/// Reads what `files` say of the host `name`, in the order of the files. A file that does not exist says nothing.
pub(crate) fn entries(files: &[PathBuf], name: &str) -> io::Result<Vec<KnownHostsEntry>> {
    let mut found = Vec::new();
    for file in files {
        match crate::host::file::read(file) {
            Ok(text) => found.extend(entries_of(&text, file, name)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(io::Error::new(error.kind(), format!("`{}`: {error}", file.display()))),
        }
    }
    Ok(found)
}

/// Adds a line for `name` to `file`, unless another process has done so meanwhile. Makes the file and its directory where
/// they are missing. Returns what the file then says of the host.
///
/// The file is locked against other processes of atex; against `ssh` itself one appending write is enough.
pub(crate) fn add(file: &Path, name: &str, key: &[u8]) -> io::Result<Vec<KnownHostsEntry>> {
    if let Some(dir) = file.parent().filter(|dir| !dir.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut handle = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    rustix::fs::flock(&handle, rustix::fs::FlockOperation::LockExclusive)?;
    let text = whole(&mut handle)?;
    let known = entries_of(&text, file, name);
    if known.iter().any(|entry| entry.marker == Marker::Key) {
        return Ok(known);
    }
    let gap = if text.last().is_none_or(|last| *last == b'\n') {
        ""
    } else {
        "\n"
    };
    let line = format!("{gap}{name} {} {}\n", key_type(key), encode_block(key));
    handle.write_all(line.as_bytes())?;
    let line = text.split(|byte| *byte == b'\n').count() + gap.len();
    Ok(vec![KnownHostsEntry {
        marker: Marker::Key,
        key: key.to_vec(),
        file: file.to_owned(),
        line,
    }])
}

fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Returns the name under which a host is looked up: with the port where that is not the usual one.
pub(crate) fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// Returns the type of a key, which is the first string of its wire form.
pub(crate) fn key_type(key: &[u8]) -> String {
    let text = key
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

fn entries_of(text: &[u8], file: &Path, name: &str) -> Vec<KnownHostsEntry> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter_map(|(index, line)| {
            let (marker, key) = about(std::str::from_utf8(line).ok()?, name)?;
            Some(KnownHostsEntry {
                marker,
                key,
                file: file.to_owned(),
                line: index + 1,
            })
        })
        .collect()
}

/// Reads a line; `None` where it is about another host or cannot be parsed. OpenSSH passes over such lines too.
fn about(line: &str, name: &str) -> Option<(Marker, Vec<u8>)> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().filter(|word| !word.starts_with('#'))?;
    let (marker, names) = match first {
        "@cert-authority" => (Marker::Authority, words.next()?),
        "@revoked" => (Marker::Revoked, words.next()?),
        other if other.starts_with('@') => return None,
        names => (Marker::Key, names),
    };
    let (kind, key) = (words.next()?, words.next()?);
    if !names_match(names, name) {
        return None;
    }
    let key = decoded(key)?;
    (key_type(&key) == kind).then_some((marker, key))
}

fn names_match(names: &str, name: &str) -> bool {
    match names.strip_prefix("|1|") {
        Some(hashed) => hashed_matches(hashed, name),
        None => pattern::list_matches(names.split(','), name),
    }
}

/// Whether `SALT|HASH` was made from `name`: HMAC-SHA1 with the salt as its key, both in base64.
fn hashed_matches(hashed: &str, name: &str) -> bool {
    let made = || -> Option<(Vec<u8>, Vec<u8>)> {
        let (salt, hash) = hashed.split_once('|')?;
        let key = PKey::hmac(&decoded(salt)?).ok()?;
        let mut signer = Signer::new(MessageDigest::sha1(), &key).ok()?;
        Some((signer.sign_oneshot_to_vec(name.as_bytes()).ok()?, decoded(hash)?))
    };
    made().is_some_and(|(made, hash)| made == hash)
}

fn decoded(base64: &str) -> Option<Vec<u8>> {
    decode_block(base64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBERERERERERERERERERERERERERERERERERERERERER";

    fn found(text: &str, name: &str) -> Vec<(Marker, usize)> {
        let entries = entries_of(text.as_bytes(), Path::new("f"), name);
        entries.iter().map(|entry| (entry.marker, entry.line)).collect()
    }

    #[test]
    fn lines_are_found_by_plain_names_patterns_and_ports() {
        let text = format!(
            "# comment\n\nlab1,10.0.0.1 {ED25519} root@lab1\n[lab1]:2222 {ED25519}\n*.example.com,!bad.example.com {ED25519}\n"
        );
        assert_eq!(found(&text, "lab1"), [(Marker::Key, 3)]);
        assert_eq!(found(&text, "10.0.0.1"), [(Marker::Key, 3)]);
        assert_eq!(found(&text, &lookup_name("LAB1", 2222)), [(Marker::Key, 4)]);
        assert_eq!(found(&text, "a.example.com"), [(Marker::Key, 5)]);
        assert_eq!(found(&text, "bad.example.com"), []);
        assert_eq!(found(&text, "lab"), []);
    }

    #[test]
    fn markers_are_told_apart_and_unknown_ones_passed_over() {
        let text = format!("@revoked * {ED25519}\n@cert-authority *.lab {ED25519}\n@later * {ED25519}\n");
        assert_eq!(found(&text, "x.lab"), [(Marker::Revoked, 1), (Marker::Authority, 2)]);
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        let text = "lab1\nlab1 ssh-ed25519\nlab1 ssh-ed25519 !!!!\nlab1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIBERERERERERERERERERERERERERERERERERERERERER\n\u{fffd}\n";
        assert_eq!(found(text, "lab1"), []);
    }

    #[test]
    fn adding_keeps_what_is_there_and_adds_a_host_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new").join("known_hosts");
        let key = decoded(ED25519.split_once(' ').unwrap().1).unwrap();
        assert_eq!(add(&file, "one", &key).unwrap()[0].line, 1);
        std::fs::write(&file, "# without an end of line").unwrap();
        assert_eq!(add(&file, "[one]:2222", &key).unwrap()[0].line, 2);
        assert_eq!(add(&file, "[one]:2222", &[0, 0, 0, 1, b'x']).unwrap()[0].key, key);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("# without an end of line\n[one]:2222 {ED25519}\n"));
    }

    #[test]
    fn many_that_add_at_once_add_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let key = decoded(ED25519.split_once(' ').unwrap().1).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| add(&file, "one", &key).unwrap());
            }
        });
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("one {ED25519}\n"));
    }
}
