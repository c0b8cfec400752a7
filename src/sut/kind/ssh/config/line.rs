//! The syntax of one line of `ssh_config`: a keyword and its arguments.

/// Splits a line behind its keyword: `Keyword rest`, `Keyword=rest`, `Keyword = rest`. `None` where the line is empty or a
/// comment.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_matches([' ', '\t', '\r', '\n', '\x0c']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some(quoted) = line.strip_prefix('"') {
        let (keyword, rest) = quoted.split_once('"')?;
        return Some((keyword, after_sign(rest)));
    }
    let end = line.find([' ', '\t', '=', '"']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    Some((keyword, after_sign(rest)))
}

/// Skips blanks and one `=`.
pub(super) fn after_sign(rest: &str) -> &str {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.strip_prefix('=').unwrap_or(rest).trim_start_matches([' ', '\t'])
}

/// Splits arguments as OpenSSH does: both kinds of quotes count, `\` escapes a quote, a backslash or (outside of quotes) a
/// blank, and `#` at the start of a word begins a comment. `None` where a quote is not closed.
pub(super) fn arguments(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match rest.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(c) = rest.next() {
            let next = rest.peek().copied();
            match (c, quote) {
                ('\\', None) if next == Some(' ') => word.extend(rest.next()),
                ('\\', _) if matches!(next, Some('\'' | '"' | '\\')) => word.extend(rest.next()),
                (' ' | '\t', None) => break,
                ('\'' | '"', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                _ => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_ends_at_a_blank_or_one_equals_sign() {
        for line in ["Port 22", "Port=22", "\tPort = 22\r\n", "Port\t=22", "\"Port\" 22"] {
            assert_eq!(split(line), Some(("Port", "22")), "{line}");
        }
        assert_eq!(split("Port == 22"), Some(("Port", "= 22")));
        assert_eq!(split("  # Port 22"), None);
        assert_eq!(split(" \t"), None);
    }

    #[test]
    fn arguments_are_quoted_and_escaped_and_end_at_a_comment() {
        let split = |text| arguments(text).unwrap();
        assert_eq!(split(r#"a "b c" 'd "e' f\ g # h"#), ["a", "b c", "d \"e", "f g"]);
        assert_eq!(split(r#"a#b "x\"y" \q "#), ["a#b", "x\"y", "\\q"]);
        assert_eq!(split(r#""" x"y"z"#), ["", "xyz"]);
        assert_eq!(arguments("a 'b"), None);
    }
}
