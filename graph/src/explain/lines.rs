//! Finds the lines in which two texts differ.
//!
//! Approach: equal lines at both ends are cut off. The rest is compared by Myers' algorithm (`similar`). If it is so long that
//! this could take seconds, it is shown as replaced instead. No more than [`SHOWN`] lines are shown.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::text::visible;

/// The most lines on each side that are compared.
const COMPARED: usize = 2_000;
/// The most lines that are shown.
const SHOWN: usize = 20;
/// The longest line that is shown whole, in characters.
const WIDTH: usize = 160;

/// Returns the lines that differ, each on a line of its own: `  - old`, `  + new`.
pub(super) fn changed_lines(old: &str, new: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (old.split('\n').collect(), new.split('\n').collect());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (rest_old, rest_new) = (old.split_off(start), new.split_off(start));
    let end = rest_old
        .iter()
        .rev()
        .zip(rest_new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let (old, new) = (&rest_old[..rest_old.len() - end], &rest_new[..rest_new.len() - end]);

    let changes: Vec<(char, &str)> = if old.len().max(new.len()) > COMPARED {
        old.iter()
            .map(|line| ('-', *line))
            .chain(new.iter().map(|line| ('+', *line)))
            .collect()
    } else {
        let diff = TextDiff::from_slices(old, new);
        diff.iter_all_changes()
            .filter_map(|change| sign(change.tag()).map(|sign| (sign, change.value())))
            .collect()
    };
    let mut text = String::new();
    for (sign, line) in changes.iter().take(SHOWN) {
        let shown: String = line.chars().take(WIDTH).collect();
        let more = if shown.len() < line.len() { "…" } else { "" };
        let _ = writeln!(text, "  {sign} {}{more}", visible(&shown.replace('\t', "    ")));
    }
    if changes.len() > SHOWN {
        let _ = writeln!(text, "  … and {} more lines", changes.len() - SHOWN);
    }
    text
}

fn sign(tag: ChangeTag) -> Option<char> {
    match tag {
        ChangeTag::Delete => Some('-'),
        ChangeTag::Insert => Some('+'),
        ChangeTag::Equal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPARED, SHOWN, changed_lines};

    #[test]
    fn equal_lines_are_left_out() {
        assert_eq!(
            changed_lines("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n"),
            "  - b\n  + x\n  + e\n"
        );
    }

    #[test]
    fn a_line_break_at_the_end_alone_is_seen() {
        assert_eq!(changed_lines("a\nb", "a\nb\n"), "  + \n");
    }

    #[test]
    fn huge_texts_are_cut_after_a_few_lines() {
        let old = "old\n".repeat(COMPARED + 1);
        let text = changed_lines(&old, "a\nb\n");
        assert_eq!(text.lines().count(), SHOWN + 1);
        assert!(
            text.ends_with(&format!("  … and {} more lines\n", COMPARED + 3 - SHOWN)),
            "{text}"
        );
    }
}
