//! Patterns of host names as in `ssh_config` and `known_hosts`: `*`, `?`, and lists with `!`.

/// Whether a list of patterns matches: one of them does, and none with `!` before it does. Case does not matter.
pub(super) fn list_matches<'a>(patterns: impl IntoIterator<Item = &'a str>, name: &str) -> bool {
    any_matches(patterns, |pattern| matches(pattern, name))
}

/// The same, with `matches` as the rule by which one pattern matches.
pub(super) fn any_matches<'a>(patterns: impl IntoIterator<Item = &'a str>, matches: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern) => return false,
            Some(_) => {}
            None => found |= matches(pattern),
        }
    }
    found
}

/// Whether one pattern matches the whole name. Case does not matter.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    matches_exactly(&pattern.to_lowercase(), &name.to_lowercase())
}

/// Whether one pattern matches the whole name. Case matters.
pub(super) fn matches_exactly(pattern: &str, name: &str) -> bool {
    glob(pattern.as_bytes(), name.as_bytes())
}

/// Matches with only one place to return to, the last `*`. So the time is at most the product of both lengths.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut done) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while done < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, done));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[done] => {
                at += 1;
                done += 1;
            }
            _ => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    (at, done) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "x"),
            ("a?c", "abc"),
            ("*.b.*", "a.b.b.c"),
            ("LAB*", "lab1"),
            ("a*b*c", "aXbXbc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("?", ""), ("a?c", "ac"), ("*.b", "a.b.c"), ("", "x"), ("[a]", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn one_negated_pattern_outweighs_all_others() {
        assert!(list_matches(["a*", "!ab"], "ac"));
        assert!(!list_matches(["a*", "!ab"], "ab"));
        assert!(!list_matches(["!ab"], "x"));
        assert!(!list_matches([], "x"));
    }
}
