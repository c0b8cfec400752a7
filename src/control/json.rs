//! Functions on the JSON text of results, which build no values.
//!
//! A value stays the text that the test wrote, so numbers keep their digits and objects keep their order.
//! `serde_json` checks that the text is JSON, and the functions here rely on that.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one object in the order of the text: decoded keys, and the text of each value.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Splits the text of one object into its members. If a key is given twice, the last value is kept in the place of
/// the first one.
pub(crate) fn members(text: &str) -> Result<Members<'_>, serde_json::Error> {
    let Object(mut members) = serde_json::from_str(text)?;
    keep_last(&mut members);
    Ok(members)
}

/// Returns the texts of the elements of an array, or `None` for a value of another type.
pub(crate) fn elements(value: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// Returns the decoded text of a string, or `None` for a value of another type.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value).ok().map(|Text(text)| text)
}

/// Returns how many arrays and objects are nested at the deepest place.
pub(crate) fn depth(value: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (byte, quoted) in structure(value) {
        match byte {
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Appends a value without the white space between its tokens, so that a stored line has no newline inside.
pub(crate) fn push_compact(out: &mut Vec<u8>, value: &str) {
    if value.starts_with(['[', '{']) {
        let tokens = structure(value).filter(|(byte, quoted)| *quoted || !byte.is_ascii_whitespace());
        out.extend(tokens.map(|(byte, _)| byte));
    } else {
        out.extend_from_slice(value.as_bytes());
    }
}

/// Appends a text as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Replaces escapes of lone surrogates by the escape of U+FFFD, in place. Python writes lone surrogates for file
/// names that are not UTF-8, and strict readers of the stored line would stop at them.
///
/// Returns `None` if there is nothing to replace, which is nearly always so.
pub(crate) fn without_lone_surrogates(json: &[u8]) -> Option<Vec<u8>> {
    let mut replaced: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        at += match surrogate(&json[at..]) {
            Some(Surrogate::High) if matches!(surrogate(&json[at + 6..]), Some(Surrogate::Low)) => 12,
            Some(_) => {
                replaced.get_or_insert_with(|| json.to_vec())[at + 2..at + 6].copy_from_slice(b"fffd");
                6
            }
            // The escaped character, which may be a backslash, does not begin another escape.
            None => 2.min(json.len() - at),
        };
    }
    replaced
}

#[derive(Clone, Copy)]
enum Surrogate {
    High,
    Low,
}

/// Returns the surrogate whose escape the bytes begin with.
fn surrogate(bytes: &[u8]) -> Option<Surrogate> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    match code {
        0xd800..0xdc00 => Some(Surrogate::High),
        0xdc00..0xe000 => Some(Surrogate::Low),
        _ => None,
    }
}

/// Iterates over the bytes of valid JSON, and says of each whether it belongs to a string.
fn structure(value: &str) -> impl Iterator<Item = (u8, bool)> {
    let (mut quoted, mut escaped) = (false, false);
    value.bytes().map(move |byte| {
        let before = quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        (byte, before || quoted)
    })
}

fn keep_last(members: &mut Members<'_>) {
    /// Up to this number of members, comparing each pair is faster than an index.
    const FEW: usize = 16;
    let has_twins = if members.len() <= FEW {
        members
            .iter()
            .enumerate()
            .any(|(at, (key, _))| members[..at].iter().any(|(other, _)| other == key))
    } else {
        true
    };
    if !has_twins {
        return;
    }
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(members.len());
    let mut kept: Members<'_> = Vec::with_capacity(members.len());
    for (key, value) in members.drain(..) {
        if let Some(place) = places.get(&key) {
            kept[*place].1 = value;
        } else {
            places.insert(key.clone(), kept.len());
            kept.push((key, value));
        }
    }
    *members = kept;
}

struct Object<'a>(Members<'a>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A string that is borrowed if it has no escapes. Serde's own `Cow` is always owned.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(value: &str) -> String {
        let mut out = Vec::new();
        push_compact(&mut out, value);
        String::from_utf8(out).expect("still UTF-8")
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_stays_in_the_first_place() {
        let members = members(r#"{"a":1,"b":2,"\u0061":3}"#).expect("an object");
        assert_eq!(members, [("a".into(), "3"), ("b".into(), "2")]);
        let many: Vec<_> = (0..40).map(|n| format!(r#""k{}":{n}"#, n % 20)).collect();
        let many = format!("{{{}}}", many.join(","));
        let members = super::members(&many).expect("an object");
        assert_eq!(members.len(), 20);
        assert_eq!(members[3], ("k3".into(), "23"));
    }

    #[test]
    fn only_one_whole_object_is_an_object() {
        for text in [
            "",
            "[]",
            "1",
            "null",
            "{} {}",
            "{}x",
            "{",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":NaN}"#,
            r"{1:2}",
            "{\"a\":\"\n\"}",
        ] {
            assert!(members(text).is_err(), "{text}");
        }
        assert!(members(" {} \n").expect("an object").is_empty());
    }

    #[test]
    fn compacting_takes_the_space_between_tokens_and_nothing_else() {
        assert_eq!(
            compact("{ \"a b\" :\n [1.50, \" \\\" ] \", {\t}] }"),
            r#"{"a b":[1.50," \" ] ",{}]}"#
        );
        assert_eq!(compact(r#""a  b""#), r#""a  b""#);
        assert_eq!(
            compact("123456789012345678901234567890"),
            "123456789012345678901234567890"
        );
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#""[[[[""#), 0);
        assert_eq!(depth(r#"[{"a":[1,"]\"]"]},{}]"#), 3);
    }

    #[test]
    fn strings_are_written_so_that_they_read_back() {
        let text = "quote \" backslash \\ newline \n tab \t bell \u{7} ü 🦀";
        let mut out = Vec::new();
        push_string(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).expect("a string"), text);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters_and_pairs_stay() {
        let replace =
            |text: &str| without_lone_surrogates(text.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        assert_eq!(replace(r#"{"a":"\ud83e\udd80 \\ud800 \n"}"#), None);
        assert_eq!(replace(r#""\udc80x""#).as_deref(), Some(r#""\ufffdx""#));
        assert_eq!(
            replace(r#""\ud800\ud83e\udd80""#).as_deref(),
            Some(r#""\ufffd\ud83e\udd80""#)
        );
        assert_eq!(replace(r#""\ud800"#).as_deref(), Some(r#""\ufffd"#));
        assert_eq!(replace(r#""\ud8"#), None);
        assert_eq!(replace("\\"), None);
    }
}
