//! Writes differences as text for people: one line for each, or the changed lines of a script.

use std::borrow::Cow;

use super::diff::Change;
use super::lines::changed_lines;
use crate::digest::BlobDigest;
use crate::transcript::Entry;

/// The longest value that is shown whole, in characters.
const WHOLE: usize = 72;
/// How many characters are shown of a longer value.
const PART: usize = 40;

/// Describes all changes, each on one line or more. Every line ends with a newline.
pub fn render(changes: &[Change]) -> String {
    changes.iter().map(render_one).collect()
}

/// Describes a change: `environment.FOO: "1" -> "2"   plans/main.fmf:12`. Long values are shortened. Of texts with several lines,
/// only the lines that differ are shown. Characters that would move the cursor are escaped.
pub fn render_one(change: &Change) -> String {
    let path = visible(change.path());
    let origin = change
        .origin()
        .map(|origin| format!("   {}", visible(origin)))
        .unwrap_or_default();
    match change {
        Change::Changed { old, new } if old.is_secret() && new.is_secret() => {
            format!("{path}: (secret) changed{origin}\n")
        }
        Change::Changed { old, new } => match (old.text(), new.text()) {
            (Some(old), Some(new)) if is_long(&old) || is_long(&new) => {
                format!("{path}:{origin}\n{}", changed_lines(&old, &new))
            }
            _ => format!("{path}: {} -> {}{origin}\n", value(old), value(new)),
        },
        Change::Added { new } => format!("{path}: added {}{origin}\n", value(new)),
        Change::Removed { old } => format!("{path}: removed, was {}{origin}\n", value(old)),
    }
}

/// Returns whether a text has several lines.
fn is_long(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
}

/// Returns a value. A long one is shortened, with a digest that tells it from other long values.
fn value(entry: &Entry) -> Cow<'_, str> {
    if entry.is_secret() {
        return "(secret)".into();
    }
    let text = visible(&entry.value);
    if text.chars().count() <= WHOLE {
        return text;
    }
    let part: String = text.chars().take(PART).collect();
    let digest = BlobDigest::of(entry.value.as_bytes()).short();
    format!("{part}… ({} bytes, {digest})", entry.value.len()).into()
}

/// Returns the text with control characters escaped, including those that change the direction of writing.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(hidden) {
        return text.into();
    }
    text.chars()
        .map(|c| {
            if hidden(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{render, render_one};
    use crate::explain::Change;
    use crate::transcript::Entry;

    fn entry(path: &str, value: &str) -> Entry {
        Entry {
            path: path.to_owned(),
            value: value.to_owned(),
            origin: Some("plans/main.fmf:12".to_owned()),
        }
    }

    fn changed(path: &str, old: &str, new: &str) -> Change {
        Change::Changed {
            old: entry(path, old),
            new: entry(path, new),
        }
    }

    #[test]
    fn a_short_change_is_one_line_with_its_origin() {
        let text = render(&[
            changed("environment.FOO", r#""1""#, r#""2""#),
            Change::Added {
                new: entry("environment.BAR", r#""x""#),
            },
            Change::Removed {
                old: entry("files/lib/a.sh", "0123456789ab regular"),
            },
        ]);
        let expected = "environment.FOO: \"1\" -> \"2\"   plans/main.fmf:12\n\
                        environment.BAR: added \"x\"   plans/main.fmf:12\n\
                        files/lib/a.sh: removed, was 0123456789ab regular   plans/main.fmf:12\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn of_a_secret_only_the_change_is_told() {
        let text = render_one(&changed(
            "environment.TOKEN",
            "(secret aaaaaaaaaaaa)",
            "(secret bbbbbbbbbbbb)",
        ));
        assert_eq!(text, "environment.TOKEN: (secret) changed   plans/main.fmf:12\n");
        let text = render_one(&changed("environment.TOKEN", "\"open\"", "(secret bbbbbbbbbbbb)"));
        assert_eq!(text, "environment.TOKEN: \"open\" -> (secret)   plans/main.fmf:12\n");
    }

    #[test]
    fn of_a_script_the_changed_lines_are_shown() {
        let text = render_one(&changed(
            "script",
            r#""dnf -y update\nmake\n""#,
            r#""dnf -y update\nmake -j2\n""#,
        ));
        assert_eq!(text, "script:   plans/main.fmf:12\n  - make\n  + make -j2\n");
    }

    #[test]
    fn long_values_are_shortened_and_still_differ() {
        let long = |end: &str| format!("\"{}{end}\"", "x".repeat(500));
        let text = render_one(&changed("probe", &long("a"), &long("b")));
        assert!(text.len() < 250, "{text}");
        let (old, new) = text.split_once(" -> ").expect("both values");
        assert!(old.contains("(503 bytes, ") && new.contains("(503 bytes, "), "{text}");
        assert_ne!(
            old.rsplit(' ').next(),
            new.split(')').next().and_then(|new| new.rsplit(' ').next())
        );
    }

    #[test]
    fn what_would_move_the_cursor_is_escaped() {
        let text = render_one(&changed("files/a\u{1b}[2J", "\"\u{9b}\"", "\"\u{202e}\""));
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
            "{text:?}"
        );
    }
}
