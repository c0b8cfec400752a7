//! Makes text from tests safe for a terminal, and measures it.
//!
//! A test is not trusted with the terminal: all names and output of a test reach the console only through this file, so no escape
//! sequence, carriage return or bidirectional override in them takes effect.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Makes a name or a note one harmless line: characters that act on a terminal are shown as escapes (`\x1b`, `\n`).
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            char if acts(char) && u32::from(char) < 0x100 => {
                let _infallible = write!(shown, "\\x{:02x}", u32::from(char));
            }
            char if acts(char) => {
                let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(char));
            }
            char => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

/// Makes a line of a test's output harmless. Colours and other control sequences are removed, and tabs become blanks. Of text
/// that was overwritten by carriage returns (progress bars), only the last state is kept. Anything else that would act is shown
/// as by [`harmless`].
pub fn output_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = without_sequences(text.trim_end_matches(['\n', '\r']));
    let last = plain.rsplit('\r').next().unwrap_or(&plain);
    harmless(&last.replace('\t', "    ")).into_owned()
}

/// Returns how many columns a harmless text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a harmless text to at most `columns`, with `…` in place of what is cut.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut room = columns.saturating_sub(1);
    let mut cut = String::new();
    for char in text.chars() {
        let needed = char.width().unwrap_or(0);
        if needed > room {
            break;
        }
        room -= needed;
        cut.push(char);
    }
    if columns > 0 {
        cut.push('…');
    }
    Cow::Owned(cut)
}

/// Pads a harmless text with blanks to `columns`. A longer text is not changed.
pub fn pad(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{text}{:blanks$}", "")
}

/// Returns whether a character acts on a terminal instead of being shown: C0 and C1 controls, line and paragraph separators, and
/// characters that change the direction of writing.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Removes ECMA-48 control sequences (`ESC [ … final`) and operating system commands (`ESC ] … BEL`).
fn without_sequences(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\x1b') {
        plain.push_str(&rest[..start]);
        let sequence = &rest[start + 1..];
        rest = if let Some(parameters) = sequence.strip_prefix('[') {
            parameters
                .find(|c: char| ('@'..='~').contains(&c))
                .map_or("", |end| &parameters[end + 1..])
        } else if let Some(command) = sequence.strip_prefix(']') {
            match command.find(['\x07', '\x1b']) {
                Some(end) if command[end..].starts_with('\x07') => &command[end + 1..],
                Some(end) => command[end + 1..].strip_prefix('\\').unwrap_or(&command[end + 1..]),
                None => "",
            }
        } else {
            let mut chars = sequence.chars();
            chars.next();
            chars.as_str()
        };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(harmless("a\x1b[2Jb\nc\u{202e}d\u{9b}"), "a\\x1b[2Jb\\nc\\u{202e}d\\x9b");
        assert!(matches!(harmless("/tests/größe 中"), Cow::Borrowed(_)));
    }

    #[test]
    fn output_keeps_its_text_and_loses_its_colours() {
        assert_eq!(output_line(b"\x1b[1;31mred\x1b[0m\tend\n"), "red    end");
        assert_eq!(output_line(b"\x1b]0;title\x07 10%\r 99%\rdone\r\n"), "done");
        assert_eq!(output_line(b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
        assert_eq!(output_line(b"bell\x07 \xff"), "bell\\x07 \u{fffd}");
        assert_eq!(output_line(b"cut \x1b["), "cut ");
    }

    #[test]
    fn wide_characters_are_cut_by_columns() {
        assert_eq!(fit("中文字", 6), "中文字");
        assert_eq!(fit("中文字", 5), "中文…");
        assert_eq!(fit("中文字", 4), "中…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(pad("中", 4), "中  ");
    }
}
