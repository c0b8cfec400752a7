//! Git's glob matcher, with the rules of git's `wildmatch.c`: `*` and `?` stop at slashes, `**` crosses them where it is a whole
//! part, `[…]` supports ranges, classes and negation, and `\` takes the next byte literally. Braces are ordinary bytes.

/// Why the rest of a pattern does not match. It tells the levels further left when trying a later start cannot help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Match,
    NoMatch,
    /// The text ended: no later start matches either.
    AbortAll,
    /// A `*` met a slash: only a `**` further left may go on.
    AbortToStarStar,
}

/// Returns whether the whole text matches the pattern. With `fold`, upper and lower case of ASCII letters are the same.
pub(super) fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    step(pattern, 0, text, fold) == Outcome::Match
}

/// Matches `pattern[at..]`. The bytes before `at` tell whether a `**` begins a part of the path.
fn step(pattern: &[u8], mut at: usize, mut text: &[u8], fold: bool) -> Outcome {
    while let Some(&byte) = pattern.get(at) {
        let Some(&found) = text.first() else {
            if byte != b'*' {
                return Outcome::AbortAll;
            }
            return stars(pattern, at, text, fold);
        };
        match byte {
            b'*' => return stars(pattern, at, text, fold),
            b'?' if found == b'/' => return Outcome::NoMatch,
            b'?' => at += 1,
            b'[' => match class(pattern, at + 1, found, fold) {
                None => return Outcome::AbortAll,
                Some((true, next)) if found != b'/' => at = next,
                Some(_) => return Outcome::NoMatch,
            },
            _ => {
                let (byte, length) = match (byte, pattern.get(at + 1)) {
                    (b'\\', Some(&next)) => (next, 2),
                    (b'\\', None) => return Outcome::NoMatch,
                    _ => (byte, 1),
                };
                if folded(byte, fold) != folded(found, fold) {
                    return Outcome::NoMatch;
                }
                at += length;
            }
        }
        text = &text[1..];
    }
    if text.is_empty() {
        Outcome::Match
    } else {
        Outcome::NoMatch
    }
}

/// Matches one or more `*` at `at`.
fn stars(pattern: &[u8], at: usize, mut text: &[u8], fold: bool) -> Outcome {
    let end = at + pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
    let mut across = false;
    if end - at > 1 {
        let begins = at == 0 || pattern[at - 1] == b'/';
        let rest = &pattern[end..];
        let ends = rest.is_empty() || rest[0] == b'/' || rest.starts_with(b"\\/");
        across = begins && ends;
        // `**/` also matches no directory at all.
        if across && rest.first() == Some(&b'/') && step(pattern, end + 1, text, fold) == Outcome::Match {
            return Outcome::Match;
        }
    }
    if end == pattern.len() {
        let stops = !across && text.contains(&b'/');
        return if stops {
            Outcome::AbortToStarStar
        } else {
            Outcome::Match
        };
    }
    if !across && pattern[end] == b'/' {
        // A single star before a slash matches the rest of this part of the path.
        let Some(slash) = text.iter().position(|&byte| byte == b'/') else {
            return Outcome::AbortAll;
        };
        return step(pattern, end, &text[slash..], fold);
    }
    while let Some(&found) = text.first() {
        let tried = step(pattern, end, text, fold);
        if tried != Outcome::NoMatch {
            if !across || tried != Outcome::AbortToStarStar {
                return tried;
            }
        } else if !across && found == b'/' {
            return Outcome::AbortToStarStar;
        }
        text = &text[1..];
    }
    Outcome::AbortAll
}

/// Reads a bracket expression `[…]`; `at` is the position after the bracket. Returns whether the byte is in it and where the
/// pattern goes on, or `None` if the bracket is never closed.
fn class(pattern: &[u8], mut at: usize, found: u8, fold: bool) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at)?, b'!' | b'^');
    at += usize::from(negated);
    let (mut inside, mut previous, first) = (false, 0, at);
    let found = folded(found, fold);
    loop {
        let byte = *pattern.get(at)?;
        if byte == b']' && at > first {
            return Some((inside != negated, at + 1));
        }
        let next = pattern.get(at + 1).copied();
        if byte == b'\\' {
            previous = next?;
            inside |= previous == found;
            at += 2;
        } else if byte == b'-' && previous != 0 && next? != b']' {
            at += 1;
            let mut last = pattern[at];
            if last == b'\\' {
                at += 1;
                last = *pattern.get(at)?;
            }
            let is_in = |byte: u8| (previous..=last).contains(&byte);
            inside |= is_in(found) || (fold && is_in(found.to_ascii_uppercase()));
            previous = 0;
            at += 1;
        } else if byte == b'[' && next == Some(b':') {
            let start = at + 2;
            let close = start + pattern[start..].iter().position(|&byte| byte == b']')?;
            if close > start && pattern[close - 1] == b':' {
                inside |= named(&pattern[start..close - 1], found, fold)?;
                previous = 0;
                at = close + 1;
            } else {
                // This is not the name of a class, so the bracket is an ordinary byte.
                inside |= found == b'[';
                previous = b'[';
                at += 1;
            }
        } else {
            inside |= byte == found;
            previous = byte;
            at += 1;
        }
    }
}

/// Returns whether the byte is in the class with this name, or `None` if there is no such class.
fn named(name: &[u8], byte: u8, fold: bool) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase() || (fold && byte.is_ascii_lowercase()),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

fn folded(byte: u8, fold: bool) -> u8 {
    if fold { byte.to_ascii_lowercase() } else { byte }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_git_says() {
        for (pattern, text, expected) in [
            ("foo", "foo", true),
            ("*f", "foo", false),
            ("*foo*", "foo", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("foo/**/bar", "foo/bar", true),
            ("foo/**/bar", "foo/a/b/bar", true),
            ("**/foo", "a/b/foo", true),
            ("foo/*", "foo/a/b", false),
            ("foo**bar", "foo/bar", false),
            ("f[!o]o", "foo", false),
            ("f[^x]o", "foo", true),
            ("[[:digit:]-]x", "-x", true),
            ("[a-c]", "b", true),
            ("[]]", "]", true),
            ("[a", "a", false),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("foo?bar", "foo/bar", false),
            ("*/x", "a/x", true),
            ("a*b*c", "aXbYc", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), false),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches(b"FOO*", b"fooBar", true));
    }
}
