//! Masks secret values: each one is shown as `***` in everything that a job prints, uploads and reports.
//!
//! Invariant: the result does not depend on the chunks in which the input came. Of several values that begin at one
//! place, the longest is masked, and the search goes on behind it. A stream holds back only bytes that may be the
//! beginning of a value, so it holds back at most one byte less than the longest value has.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::json;

/// The text that is shown in place of a value.
const SHOWN: &str = "***";

/// The length in bytes below which a value is not masked, because short texts occur in much that is not secret.
const SHORTEST: usize = 6;

/// The values to mask. The default has no values and changes nothing.
#[derive(Clone, Default)]
pub struct Mask(Option<Arc<Values>>);

struct Values {
    texts: Vec<Vec<u8>>,
    finder: AhoCorasick,
}

impl fmt::Debug for Mask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |values| values.texts.len());
        formatter.debug_tuple("Mask").field(&count).finish()
    }
}

impl Mask {
    /// Masks these values without the white space around them. A terminal writes newlines in its own way, so a value
    /// of several lines is searched for in both forms.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = values
            .into_iter()
            .map(str::trim)
            .filter(|value| value.len() >= SHORTEST);
        let mut texts: Vec<Vec<u8>> = values
            .flat_map(|value| [value.to_owned(), value.replace("\r\n", "\n").replace('\n', "\r\n")])
            .map(String::into_bytes)
            .collect();
        texts.sort();
        texts.dedup();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&texts);
        match finder {
            Ok(finder) if !texts.is_empty() => Self(Some(Arc::new(Values { texts, finder }))),
            // Building fails only with more than 4 GiB of values, which fit on no command line.
            _ => Self(None),
        }
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns a text with its values masked.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.0 {
            Some(values) if values.finder.is_match(text) => {
                let shown = vec![SHOWN; values.texts.len()];
                values.finder.replace_all(text, &shown).into()
            }
            _ => text.into(),
        }
    }

    /// Starts to mask a stream.
    pub fn stream(&self) -> MaskedStream {
        MaskedStream {
            mask: self.clone(),
            held: Vec::new(),
        }
    }

    /// Masks the JSON of a result: the values in keys and texts, also where they are escaped, and as numbers. The
    /// lengths in `files` are not changed. Returns `None` if nothing has to change.
    pub(crate) fn result(&self, json: &str) -> Option<String> {
        let values = self.0.as_ref()?;
        if !json.contains('\\') && !values.finder.is_match(json) {
            return None;
        }
        let mut out = Vec::with_capacity(json.len());
        let (mut depth, mut files, mut rest) = (0_usize, false, json);
        while let Some(first) = rest.bytes().next() {
            let length = token(rest);
            let (token, behind) = rest.split_at(length);
            rest = behind;
            match first {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    if let Some(text) = json::string(token) {
                        if depth == 1 && rest.trim_start().starts_with(':') {
                            files = text == "files";
                        }
                        if let Cow::Owned(masked) = self.text(&text) {
                            json::push_string(&mut out, &masked);
                            continue;
                        }
                    }
                }
                _ if !files && values.finder.is_match(token) => {
                    json::push_string(&mut out, &self.text(token));
                    continue;
                }
                _ => {}
            }
            out.extend_from_slice(token.as_bytes());
        }
        String::from_utf8(out).ok()
    }
}

/// Returns the length of the token, or of the white space, that the JSON begins with. Text that is not JSON is split
/// somehow.
fn token(json: &str) -> usize {
    let bytes = json.as_bytes();
    let is_plain =
        |byte: &u8| !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"') && !byte.is_ascii_whitespace();
    match bytes {
        [b'"', ..] => {
            let mut escaped = false;
            let end = bytes[1..].iter().position(|byte| match byte {
                _ if escaped => {
                    escaped = false;
                    false
                }
                b'\\' => {
                    escaped = true;
                    false
                }
                byte => *byte == b'"',
            });
            end.map_or(json.len(), |end| end + 2)
        }
        _ => bytes.iter().take_while(|byte| is_plain(byte)).count().max(1),
    }
}

/// A stream of bytes that is being masked.
#[derive(Clone, Debug)]
pub struct MaskedStream {
    mask: Mask,
    /// Bytes that may be the beginning of a value.
    held: Vec<u8>,
}

impl MaskedStream {
    /// Takes the next bytes, and returns the bytes that are certain by now.
    pub fn pass<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(values) = self.mask.0.clone() else {
            return bytes.into();
        };
        if !self.held.is_empty() {
            let mut all = std::mem::take(&mut self.held);
            all.extend_from_slice(bytes);
            let (out, certain) = values.masked(&all, false);
            let out = out.unwrap_or_else(|| all[..certain].to_vec());
            self.held = all.split_off(certain);
            return out.into();
        }
        let (out, certain) = values.masked(bytes, false);
        self.held = bytes[certain..].to_vec();
        out.map_or_else(|| bytes[..certain].into(), Cow::from)
    }

    /// Ends the stream, or a part of it across which no value can extend. Returns the bytes that were held back,
    /// which turned out not to be the beginning of a value.
    pub fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        match &self.mask.0 {
            Some(values) => values.masked(&held, true).0.unwrap_or(held),
            None => held,
        }
    }

    /// Returns whether bytes are held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

impl Values {
    /// Masks the bytes that are certain, which are all of them if they are the last ones. Returns the masked text, or
    /// `None` if nothing was masked, and the number of certain bytes.
    fn masked(&self, bytes: &[u8], last: bool) -> (Option<Vec<u8>>, usize) {
        let (mut out, mut done) = (None::<Vec<u8>>, 0);
        let mut open = self.open(bytes, 0, last);
        for found in self.finder.find_iter(bytes) {
            if found.start() >= open {
                break;
            }
            let out = out.get_or_insert_default();
            out.extend_from_slice(&bytes[done..found.start()]);
            out.extend_from_slice(SHOWN.as_bytes());
            done = found.end();
            if open < done {
                open = self.open(bytes, done, last);
            }
        }
        if let Some(out) = &mut out {
            out.extend_from_slice(&bytes[done..open]);
        }
        (out, open)
    }

    /// Returns the first place, from `from` on, at which a value may begin that extends beyond the bytes.
    fn open(&self, bytes: &[u8], from: usize, last: bool) -> usize {
        if last {
            return bytes.len();
        }
        let longest = self.texts.iter().map(Vec::len).max().unwrap_or_default();
        let first = from.max((bytes.len() + 1).saturating_sub(longest));
        let goes_on = |at: &usize| {
            let rest = &bytes[*at..];
            let begins = |value: &Vec<u8>| value.len() > rest.len() && value.starts_with(rest);
            self.texts.iter().any(begins)
        };
        (first..bytes.len()).find(goes_on).unwrap_or(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Masks in the simplest way, as a reference: from the left, it takes the longest value at each place.
    fn by_hand(values: &[String], text: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let here = values.iter().filter(|value| text[at..].starts_with(value.as_bytes()));
            let longest = here.map(String::len).max();
            out.extend_from_slice(if longest.is_some() { b"***" } else { &text[at..=at] });
            at += longest.unwrap_or(1);
        }
        out
    }

    proptest! {
        #[test]
        fn a_stream_is_masked_as_the_whole_is_however_it_is_cut(
            values in prop::collection::vec("[ab]{6,9}", 1..4),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), "[ab]{0,3}"), 0..12),
            cuts in prop::collection::vec(0_usize..6, 1..40),
        ) {
            let text: String = pieces.iter().flat_map(|(which, noise)| [which.get(&values).as_str(), noise]).collect();
            let mask = Mask::new(values.iter().map(String::as_str));
            let expected = by_hand(&values, text.as_bytes());
            prop_assert_eq!(mask.text(&text).into_owned().into_bytes(), expected.clone());
            let (mut stream, mut out, mut rest) = (mask.stream(), Vec::new(), text.as_bytes());
            for cut in cuts.iter().cycle().take(text.len() + cuts.len()) {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                out.extend_from_slice(&stream.pass(now));
                prop_assert!(stream.held.len() < values.iter().map(String::len).max().unwrap_or_default());
                rest = later;
            }
            out.extend_from_slice(&stream.pass(rest));
            out.extend_from_slice(&stream.end());
            prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn what_can_be_no_value_is_not_held_back() {
        let mut stream = Mask::new(["hunter2"]).stream();
        assert_eq!(&*stream.pass(b"a line\n"), b"a line\n");
        assert_eq!(&*stream.pass(b"of hunt"), b"of ");
        assert_eq!(&*stream.pass(b"ing\n"), b"hunting\n");
        assert!(!stream.holds());
        assert_eq!(&*stream.pass(b"hunter"), b"");
        assert_eq!(stream.end(), b"hunter");
    }

    #[test]
    fn short_values_stay_and_lines_are_known_as_a_terminal_writes_them() {
        let mask = Mask::new(["short", " 123456\n", "two\nlines"]);
        assert_eq!(
            mask.text("short 12345 123456 two\nlines two\r\nlines"),
            "short 12345 *** *** ***"
        );
        assert_eq!(format!("{mask:?}"), "Mask(3)");
        assert_eq!(Mask::new(["short", ""]).text("short"), "short");
    }

    #[test]
    fn a_result_is_masked_where_people_read_it_and_stays_json() {
        let mask = Mask::new(["123456", "a\"b\\cd\n", "geheimß"]);
        let masked = |json: &str| mask.result(json);
        assert_eq!(masked(r#"{"name": "x", "n": 12345}"#), None);
        assert_eq!(
            masked(
                r#"{"name" : "/x\u00313456", "geheimß": [{"k123456": "a\"b\\cd\n!"}], "n": -123456.5e1, "t": true}"#
            )
            .as_deref(),
            Some(r#"{"name" : "/x\u00313456", "***": [{"k***": "***\u000a!"}], "n": "-***.5e1", "t": true}"#)
        );
        assert_eq!(
            masked(r#"{"n":"\u0031\u003234\u0035\u0036"}"#).as_deref(),
            Some(r#"{"n":"***"}"#)
        );
        assert_eq!(
            masked(r#"{"files":[{"name":"a123456","length":123456}],"length":123456}"#).as_deref(),
            Some(r#"{"files":[{"name":"a***","length":123456}],"length":"***"}"#)
        );
        // A token that is cut off is not masked inside, and stays cut off.
        assert_eq!(masked(r#"{"n":"123456"#).as_deref(), Some(r#"{"n":"123456"#));
    }
}
