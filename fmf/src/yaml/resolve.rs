//! Tags, and which tag a plain scalar has by the form of its text.
//!
//! The rules are ruamel's for YAML 1.2, and its rules for 1.1 if a document asks for that. They accept more than the constructors
//! do: `0x_` looks like an integer and is refused when its value is made.

/// A node's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Binary,
    Timestamp,
    Omap,
    Pairs,
    Set,
    Text,
    Sequence,
    Mapping,
    /// `<<`.
    Merge,
    /// `=`.
    Default,
    Unknown(Box<str>),
}

impl Tag {
    /// Returns the tag that YAML defines under a name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "binary" => Self::Binary,
            "timestamp" => Self::Timestamp,
            "omap" => Self::Omap,
            "pairs" => Self::Pairs,
            "set" => Self::Set,
            "str" => Self::Text,
            "seq" => Self::Sequence,
            "map" => Self::Mapping,
            "merge" => Self::Merge,
            "value" => Self::Default,
            _ => return None,
        })
    }
}

/// Returns the tag of a scalar without tag and quotes.
pub(super) fn resolve(text: &str, version_1_1: bool) -> Tag {
    // A final line end does not matter to the patterns, but a text that is nothing else is not `null`.
    let body = text.strip_suffix('\n').filter(|body| !body.is_empty()).unwrap_or(text);
    match text.bytes().next() {
        None => Tag::Null,
        Some(b'~' | b'n' | b'N') if matches!(body, "~" | "null" | "Null" | "NULL") => Tag::Null,
        Some(b'<') if body == "<<" => Tag::Merge,
        Some(b'=') if body == "=" => Tag::Default,
        Some(b't' | b'T' | b'f' | b'F') if is_bool(body) => Tag::Bool,
        Some(b'y' | b'Y' | b'n' | b'N' | b'o' | b'O') if version_1_1 && is_old_bool(body) => Tag::Bool,
        Some(b'-' | b'+' | b'.' | b'0'..=b'9') => number(body, version_1_1),
        Some(_) => Tag::Text,
    }
}

fn is_bool(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF"
    )
}

fn number(text: &str, version_1_1: bool) -> Tag {
    if is_float(text, version_1_1) {
        return Tag::Float;
    }
    let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if !text.starts_with('.') && is_int(text, version_1_1) {
        Tag::Int
    } else if starts_with_digit && is_timestamp(text) {
        Tag::Timestamp
    } else {
        Tag::Text
    }
}

fn is_float(text: &str, version_1_1: bool) -> bool {
    let (signed, body) = split_sign(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    if !signed && matches!(body, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(fraction) = body.strip_prefix('.') {
        let rest = fraction.trim_start_matches(is_digit_or_line);
        // Without digits before the point, an exponent must have its sign.
        return rest.len() < fraction.len() && !(signed && version_1_1) && (rest.is_empty() || is_exponent(rest, true));
    }
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let rest = body.trim_start_matches(is_digit_or_line);
    if let Some(fraction) = rest.strip_prefix('.') {
        let rest = fraction.trim_start_matches(is_digit_or_line);
        return rest.is_empty() || is_exponent(rest, false);
    }
    is_exponent(rest, false) || version_1_1 && is_sexagesimal_float(rest)
}

fn is_exponent(text: &str, needs_sign: bool) -> bool {
    let Some(exponent) = text.strip_prefix(['e', 'E']) else {
        return false;
    };
    let (signed, digits) = split_sign(exponent);
    (signed || !needs_sign) && !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Looks at `:MM:SS.fraction` behind the first digits.
fn is_sexagesimal_float(text: &str) -> bool {
    let Some((minutes, fraction)) = text.split_once('.') else {
        return false;
    };
    is_sexagesimal_tail(minutes) && fraction.chars().all(is_digit_or_line)
}

/// Looks at one or more `:MM`, each below 60.
fn is_sexagesimal_tail(text: &str) -> bool {
    let Some(parts) = text.strip_prefix(':') else {
        return false;
    };
    parts.split(':').all(|part| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    })
}

fn is_int(text: &str, version_1_1: bool) -> bool {
    let (_, body) = split_sign(text);
    let all = |text: &str, wanted: fn(char) -> bool| !text.is_empty() && text.chars().all(wanted);
    let octal = |c| matches!(c, '0'..='7' | '_');
    if body
        .strip_prefix("0b")
        .is_some_and(|digits| all(digits, |c| matches!(c, '0' | '1' | '_')))
    {
        return true;
    }
    if body
        .strip_prefix("0x")
        .is_some_and(|digits| all(digits, |c| c.is_ascii_hexdigit() || c == '_'))
    {
        return true;
    }
    if !version_1_1 {
        return all(body, is_digit_or_line) || body.strip_prefix("0o").is_some_and(|digits| all(digits, octal));
    }
    let rest = body.trim_start_matches(is_digit_or_line);
    let decimal = body.starts_with(|c: char| matches!(c, '1'..='9'));
    all(body, octal) || decimal && (rest.is_empty() || is_sexagesimal_tail(rest))
}

/// Looks for a date, or a date with a time and perhaps a zone.
fn is_timestamp(text: &str) -> bool {
    let mut rest = text;
    if !(digits(&mut rest, 4, 4) && eat(&mut rest, "-")) {
        return false;
    }
    let exact = rest.len() == "01-01".len()
        && rest.as_bytes()[2] == b'-'
        && rest.bytes().filter(u8::is_ascii_digit).count() == 4;
    if exact {
        return true;
    }
    if !(digits(&mut rest, 1, 2) && eat(&mut rest, "-") && digits(&mut rest, 1, 2)) {
        return false;
    }
    let unspaced = rest.trim_start_matches([' ', '\t']);
    if unspaced.len() < rest.len() {
        rest = unspaced;
    } else if !(eat(&mut rest, "T") || eat(&mut rest, "t")) {
        return false;
    }
    let time = digits(&mut rest, 1, 2)
        && eat(&mut rest, ":")
        && digits(&mut rest, 2, 2)
        && eat(&mut rest, ":")
        && digits(&mut rest, 2, 2);
    if !time {
        return false;
    }
    if eat(&mut rest, ".") {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    if rest.is_empty() {
        return true;
    }
    rest = rest.trim_start_matches([' ', '\t']);
    if eat(&mut rest, "Z") {
        return rest.is_empty();
    }
    (eat(&mut rest, "+") || eat(&mut rest, "-"))
        && digits(&mut rest, 1, 2)
        && (rest.is_empty() || eat(&mut rest, ":") && digits(&mut rest, 2, 2) && rest.is_empty())
}

/// Takes between `least` and `most` digits.
fn digits(rest: &mut &str, least: usize, most: usize) -> bool {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    *rest = &rest[count..];
    count >= least
}

fn eat(rest: &mut &str, wanted: &str) -> bool {
    match rest.strip_prefix(wanted) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn is_digit_or_line(c: char) -> bool {
    c.is_ascii_digit() || c == '_'
}

fn split_sign(text: &str) -> (bool, &str) {
    text.strip_prefix(['-', '+']).map_or((false, text), |body| (true, body))
}
