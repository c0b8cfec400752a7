//! Writes tar headers for the streams that are sent to a machine.
//!
//! The format is ustar headers with GNU's extensions (`L` and `K` members for long names, base-256 sizes), as the manual of
//! GNU tar describes them under "Basic Tar Format". It was chosen over pax because its names are raw bytes: no charset is
//! ever applied. Owner, group and times are zero, since the receiving side extracts with its own.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Headers and contents are sent in units of this size.
const BLOCK: usize = 512;

/// The longest name that fits into a header.
const NAME: usize = 100;

/// Sizes from here on (8 GiB) cannot be written in octal.
const OCTAL_LIMIT: u64 = 1 << 33;

/// The kind of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member<'a> {
    /// A file of `size` bytes; its content and [`padding`] follow the header.
    File { size: u64, executable: bool },
    /// A symlink to a target.
    Symlink(&'a Path),
    /// A directory.
    Directory,
}

/// Appends the header of a member to `out`, preceded by what its long names need.
pub(crate) fn header(out: &mut Vec<u8>, path: &Path, member: Member<'_>) {
    let name = path.as_os_str().as_bytes();
    let (kind, mode, size, target) = match member {
        Member::File { size, executable } => (b'0', if executable { 0o755 } else { 0o644 }, size, &b""[..]),
        Member::Symlink(target) => (b'2', 0o777, 0, target.as_os_str().as_bytes()),
        Member::Directory => (b'5', 0o755, 0, &b""[..]),
    };
    if target.len() > NAME {
        long_name(out, b'K', target);
    }
    if name.len() > NAME {
        long_name(out, b'L', name);
    }
    block(out, name, kind, mode, size, target);
}

/// Returns the number of zero bytes that follow a content of `size` bytes.
pub(crate) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// Returns the size of a member in the stream: headers, content, and padding.
pub(crate) fn member_size(path: &Path, member: Member<'_>) -> u64 {
    let mut headers = Vec::with_capacity(BLOCK);
    header(&mut headers, path, member);
    let content = match member {
        Member::File { size, .. } => size + padding(size),
        Member::Symlink(_) | Member::Directory => 0,
    };
    headers.len() as u64 + content
}

/// The end of a stream.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Returns a whole archive of small files, in memory.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        let size = content.len() as u64;
        header(
            &mut out,
            Path::new(name),
            Member::File {
                size,
                executable: false,
            },
        );
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend_from_slice(&END);
    out
}

/// Appends a member that carries a name which is too long for a header. The length of `out` does not say where the stream's
/// blocks begin, because a part of the stream may have been sent already.
fn long_name(out: &mut Vec<u8>, kind: u8, name: &[u8]) {
    block(out, b"././@LongLink", kind, 0o644, name.len() as u64 + 1, b"");
    let end = out.len() + (name.len() + 1).next_multiple_of(BLOCK);
    out.extend_from_slice(name);
    out.resize(end, 0);
}

/// Appends one header block.
fn block(out: &mut Vec<u8>, name: &[u8], kind: u8, mode: u64, size: u64, target: &[u8]) {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(NAME)]);
    put(100, octal(mode, 7).as_bytes());
    put(108, octal(0, 7).as_bytes());
    put(116, octal(0, 7).as_bytes());
    if size < OCTAL_LIMIT {
        put(124, octal(size, 11).as_bytes());
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, octal(0, 11).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &target[..target.len().min(NAME)]);
    put(257, b"ustar  \0");
    let sum = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..154].copy_from_slice(octal(sum, 6).as_bytes());
    block[154] = 0;
    out.extend_from_slice(&block);
}

fn octal(value: u64, digits: usize) -> String {
    format!("{value:0digits$o}")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn extract(archive: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar")
            .args(["-xf", "-", "-C"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(archive).unwrap();
        assert!(tar.wait().unwrap().success());
        dir
    }

    #[test]
    fn names_of_any_length_and_any_bytes_arrive_as_they_are() {
        let long = format!("{}/{}", "d".repeat(99), "f".repeat(200));
        let odd = OsStr::from_bytes(b"a\nb \xff\xc3\xa9 -x");
        for name in [
            OsStr::new(&long),
            odd,
            OsStr::new(&"n".repeat(100)),
            OsStr::new(&"n".repeat(101)),
        ] {
            let mut bytes = Vec::new();
            header(&mut bytes, Path::new(name), Member::Symlink(Path::new(name)));
            assert_eq!(
                bytes.len() as u64,
                member_size(Path::new(name), Member::Symlink(Path::new(name)))
            );
            bytes.extend_from_slice(&END);
            let dir = extract(&bytes);
            assert_eq!(std::fs::read_link(dir.path().join(name)).unwrap(), Path::new(name));
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]

        /// What was sent is removed from the buffer. The stream must be the same wherever it is cut.
        #[test]
        fn a_stream_is_whole_wherever_a_part_of_it_was_sent(
            members in proptest::collection::vec((0..6_usize, -2..3_i64, 0..6_usize, 0..5_usize), 1..6),
            cut in proptest::sample::select(vec![1_usize, 511, 512, 4096, 128 * 1024]),
        ) {
            let mut sent = Vec::new();
            let mut out = Vec::new();
            let mut files = Vec::new();
            for (number, (base, more, name, target)) in members.into_iter().enumerate() {
                let base = [0, 512, 1024, 128 * 1024 - 512, 128 * 1024, 131_000][base];
                let size = u64::try_from(base + more).unwrap_or_default();
                let path = format!("{number}{}", path_of([1, 99, 100, 101, 255, 4000][name] - 1));
                header(&mut out, Path::new(&path), Member::File { size, executable: false });
                out.resize(out.len() + usize::try_from(size).unwrap(), 7);
                if out.len() >= cut {
                    // An upload does this too, between the content and its padding.
                    sent.append(&mut out);
                }
                out.resize(out.len() + usize::try_from(padding(size)).unwrap(), 0);
                let link = format!("{number}-link");
                let to = path_of([1, 100, 101, 255, 4000][target]);
                header(&mut out, Path::new(&link), Member::Symlink(Path::new(&to)));
                files.push((path, size, link, to));
            }
            sent.append(&mut out);
            sent.extend_from_slice(&END);
            let dir = extract(&sent);
            for (path, size, link, to) in files {
                proptest::prop_assert_eq!(length_of(dir.path(), &path), size);
                proptest::prop_assert_eq!(std::fs::read_link(dir.path().join(link)).unwrap(), Path::new(&to));
            }
        }
    }

    /// Returns a path of `length` bytes, in components that file systems allow.
    fn path_of(length: usize) -> String {
        (0..length)
            .map(|at| if at % 200 == 199 && at + 1 < length { '/' } else { 'n' })
            .collect()
    }

    /// Returns the length of a file. Together with the directory's path, its path may be too long for one call.
    fn length_of(dir: &Path, path: &str) -> u64 {
        let (directories, name) = path.rsplit_once('/').unwrap_or((".", path));
        let mut at = rustix::fs::open(dir, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        for part in directories.split('/') {
            at = rustix::fs::openat(&at, part, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        }
        let stat = rustix::fs::statat(&at, name, rustix::fs::AtFlags::empty()).unwrap();
        u64::try_from(stat.st_size).unwrap()
    }

    #[test]
    fn contents_arrive_whole_at_every_block_boundary() {
        let contents: Vec<Vec<u8>> = [0, 1, 511, 512, 513, 1024].iter().map(|n| vec![7; *n]).collect();
        let names: Vec<String> = (0..contents.len()).map(|n| format!("f{n}")).collect();
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .map(String::as_str)
            .zip(contents.iter().map(Vec::as_slice))
            .collect();
        let dir = extract(&archive(&files));
        for (name, content) in files {
            assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), content);
        }
    }

    #[test]
    fn sizes_beyond_octal_are_written_in_base_256() {
        let mut bytes = Vec::new();
        let size = OCTAL_LIMIT + 5;
        header(&mut bytes, Path::new("big"), Member::File { size, executable: true });
        bytes.extend_from_slice(&END);
        let mut tar = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listing = String::from_utf8(tar.wait_with_output().unwrap().stdout).unwrap();
        assert!(listing.contains(&size.to_string()), "{listing}");
        assert!(listing.starts_with("-rwxr-xr-x"), "{listing}");
    }
}
