//! Reads the end of a log for the console. The work is limited in lines and bytes, however large the log is.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::report::text::output_line;

/// How much of a log is shown at most.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The most lines that are shown.
    pub lines: usize,
    /// The most bytes of the file that are read.
    pub bytes: u64,
}

/// The last lines of a log, made harmless for a terminal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The lines, in order.
    pub lines: Vec<String>,
    /// Whether the log has more lines before them.
    pub cut: bool,
}

/// Reads the end of the log at `path`. It fails as reading a file does.
pub fn tail(path: &Path, limit: Limit) -> io::Result<Excerpt> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(limit.bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(limit.bytes).read_to_end(&mut bytes)?;
    let mut from = 0;
    if start > 0 {
        // The first line is most likely incomplete, so it is dropped, unless the file is a single long line.
        from = bytes.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    }
    let text = bytes[from..].trim_ascii_end();
    if text.is_empty() {
        return Ok(Excerpt::default());
    }
    let mut last: Vec<&[u8]> = text.rsplit(|&byte| byte == b'\n').take(limit.lines + 1).collect();
    let cut = start > 0 || last.len() > limit.lines;
    last.truncate(limit.lines);
    let lines = last.into_iter().rev().map(output_line).collect();
    Ok(Excerpt { lines, cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(content: &[u8], lines: usize, bytes: u64) -> Excerpt {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        tail(file.path(), Limit { lines, bytes }).unwrap()
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let excerpt = tail_of(b"one\ntwo\nthree\n", 2, 100);
        assert_eq!(excerpt.lines, ["two", "three"]);
        assert!(excerpt.cut);
        assert!(!tail_of(b"one\ntwo\n", 2, 100).cut);
    }

    #[test]
    fn a_line_that_the_byte_limit_cuts_is_left_out() {
        assert_eq!(tail_of(b"long line\nend\n", 5, 8).lines, ["end"]);
        assert_eq!(tail_of(b"0123456789", 5, 4).lines, ["6789"]);
    }

    #[test]
    fn an_empty_log_has_no_lines() {
        assert_eq!(tail_of(b"\n\n", 5, 8), Excerpt::default());
    }
}
