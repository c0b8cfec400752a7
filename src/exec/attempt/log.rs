//! Writes `prepare.log` and `finish.log`, which contain what the scripts of a run printed and can be read while they run.
//!
//! Several SUTs write to one log. Each line is appended in one write, and begins with the SUT's name if a run has several SUTs.
//! What one node printed is also kept in a file of its own, for the node's record.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use crate::control::{Mask, MaskedStream};

/// How many bytes at the end of a node's output are searched for its last line.
const LAST: u64 = 4096;

/// The longest line, in bytes, that is written at once where lines get a prefix. A longer one is written in parts.
const LONGEST_LINE: usize = 64 * 1024;

/// A log of the run that several workers append to.
#[derive(Debug)]
pub(crate) struct RunLog {
    file: File,
    path: PathBuf,
    name: &'static str,
    prefixed: bool,
    /// How many bytes of one node's output are kept.
    most: u64,
    mask: Mask,
}

impl RunLog {
    /// Makes `name` in the run's directory. Lines get the SUT's name where `prefixed`. What a node prints beyond `most` bytes is dropped.
    pub(crate) fn create(dir: &Path, name: &'static str, prefixed: bool, most: u64) -> io::Result<Self> {
        let path = dir.join(name);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)?;
        Ok(Self {
            file,
            path,
            name,
            prefixed,
            most,
            mask: Mask::default(),
        })
    }

    /// Masks values in what nodes print.
    pub(crate) fn with_mask(self, mask: &Mask) -> Self {
        let mask = mask.clone();
        Self { mask, ..self }
    }

    /// Returns the log's path below the run's directory.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Starts the log of one node.
    pub(crate) fn part(&self, sut: &str, title: &str) -> io::Result<NodeLog<'_>> {
        let own = NamedTempFile::new_in(self.path.parent().unwrap_or(Path::new(".")))?;
        let prefix = if self.prefixed {
            format!("{sut} | ")
        } else {
            String::new()
        };
        let mut part = NodeLog {
            log: self,
            own,
            prefix,
            line: Vec::new(),
            room: self.most,
            full: false,
            masked: self.mask.stream(),
        };
        part.append(format!("==> {title}\n").as_bytes())?;
        Ok(part)
    }
}

/// What one node prints.
#[derive(Debug)]
pub(crate) struct NodeLog<'a> {
    log: &'a RunLog,
    own: NamedTempFile,
    prefix: String,
    line: Vec<u8>,
    /// How many more bytes are kept.
    room: u64,
    /// Whether something was dropped, which the log then says.
    full: bool,
    masked: MaskedStream,
}

impl NodeLog<'_> {
    /// Returns the last line that was printed so far and is not blank, or an empty text.
    pub(crate) fn last_line(&mut self) -> io::Result<String> {
        self.end_script()?;
        let file = self.own.as_file_mut();
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(LAST)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let text = String::from_utf8_lossy(&tail);
        Ok(text
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned())
    }

    /// Writes what the node printed, as far as there is room.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let certain = self.masked.pass(bytes);
        self.take(&certain)
    }

    /// Ends the output of one script. Bytes that were held back, because they could have been the beginning of a masked value, are
    /// written.
    pub(crate) fn end_script(&mut self) -> io::Result<()> {
        let held = self.masked.end();
        self.take(&held)
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let kept = &bytes[..usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len())];
        self.room -= kept.len() as u64;
        self.keep(kept)?;
        if kept.len() == bytes.len() || self.full {
            return Ok(());
        }
        self.full = true;
        self.keep(format!("\n[output beyond {} bytes was dropped]\n", self.log.most).as_bytes())
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.own.write_all(bytes)?;
        if self.prefix.is_empty() {
            return self.append(bytes);
        }
        self.line.extend_from_slice(bytes);
        let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') else {
            return if self.line.len() < LONGEST_LINE {
                Ok(())
            } else {
                self.end_line()
            };
        };
        let rest = self.line.split_off(end + 1);
        let whole = std::mem::replace(&mut self.line, rest);
        self.append_lines(&whole)
    }

    /// Ends the log of the node, and completes an unfinished line.
    pub(crate) fn finish(mut self) -> io::Result<NamedTempFile> {
        self.end_script()?;
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.own)
    }

    fn end_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.push(b'\n');
        self.append_lines(&line)
    }

    fn append_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut text = Vec::with_capacity(lines.len() + 64);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            text.extend_from_slice(self.prefix.as_bytes());
            text.extend_from_slice(line);
        }
        (&self.log.file).write_all(&text)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.prefix.is_empty() {
            (&self.log.file).write_all(bytes)
        } else {
            self.append_lines(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_suts_stay_whole_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let log = RunLog::create(dir.path(), "prepare.log", true, u64::MAX).unwrap();
        let (mut one, mut two) = (log.part("one", "step").unwrap(), log.part("two", "step").unwrap());
        one.write(b"first ha").unwrap();
        two.write(b"other\n").unwrap();
        one.write(b"lf\nrest").unwrap();
        let (own, _) = (one.finish().unwrap(), two.finish().unwrap());
        let text = std::fs::read_to_string(dir.path().join("prepare.log")).unwrap();
        assert_eq!(
            text,
            "one | ==> step\ntwo | ==> step\ntwo | other\none | first half\none | rest\n"
        );
        assert_eq!(own.as_file().metadata().unwrap().len(), "first half\nrest".len() as u64);
    }

    #[test]
    fn what_is_too_much_is_dropped_and_the_log_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let log = RunLog::create(dir.path(), "prepare.log", false, 10).unwrap();
        let mut part = log.part("one", "step").unwrap();
        for _ in 0..4 {
            part.write(b"1234567\n").unwrap();
        }
        let own = part.finish().unwrap();
        let expected = "1234567\n12\n[output beyond 10 bytes was dropped]\n";
        assert_eq!(std::fs::read_to_string(own.path()).unwrap(), expected);
        let text = std::fs::read_to_string(dir.path().join("prepare.log")).unwrap();
        assert_eq!(text, format!("==> step\n{expected}"));
    }

    #[test]
    fn a_line_without_an_end_is_not_held_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let log = RunLog::create(dir.path(), "prepare.log", true, u64::MAX).unwrap();
        let mut part = log.part("one", "step").unwrap();
        for _ in 0..100 {
            part.write(&[b'x'; 4096]).unwrap();
            assert!(part.line.len() <= LONGEST_LINE);
        }
        part.finish().unwrap();
        let text = std::fs::read_to_string(dir.path().join("prepare.log")).unwrap();
        assert_eq!(text.matches('x').count(), 409_600);
        assert!(text.lines().all(|line| line.starts_with("one | ")));
    }
}
