//! Reads the results of one attempt from its `results.jsonl`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ReadError;
use super::lines::{Line, LineReader};
use crate::control::{Status, Verdict};

/// A stored result: its well-known values, and the whole of it.
#[derive(Debug)]
pub struct StoredResult<'a> {
    /// The status.
    pub status: Status,
    /// The name of the subtest, which is empty for the test itself.
    pub name: Cow<'a, str>,
    /// What the test says about it. It may be empty.
    pub note: Cow<'a, str>,
    /// The kind of an `infra` result. It is empty for other results.
    pub error: Cow<'a, str>,
    /// The number of its files.
    pub files: u64,
    /// The whole result, as it is stored.
    pub json: &'a [u8],
}

impl StoredResult<'_> {
    /// Returns whether the result can be why its test failed. A warning is, where tmt's rules judge the test.
    pub fn may_be_a_failure(&self) -> bool {
        self.status == Status::Warn || self.status.verdict() != Verdict::Pass
    }
}

/// The keys that are read. Their types are the test's choice: text is shown, and anything else is ignored.
#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    note: Text<'a>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(default)]
    files: Count,
}

#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

#[derive(Default)]
struct Count(u64);

/// Reads a `results.jsonl`.
#[derive(Debug)]
pub struct ResultReader(LineReader);

impl ResultReader {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        LineReader::open(path).map(Self)
    }

    /// Returns the next whole result, or `None` at the end of what has been written.
    pub fn next_result(&mut self) -> Result<Option<StoredResult<'_>>, ReadError> {
        let Some(Line { text, path, number }) = self.0.next_line()? else {
            return Ok(None);
        };
        let known: Known<'_> = serde_json::from_slice(text).map_err(|_| ReadError::NotAResult {
            path: path.to_owned(),
            line: number,
        })?;
        Ok(Some(StoredResult {
            status: known.status.map_or(Status::Missing, |text| Status::in_results(&text.0)),
            name: known.name.0,
            note: known.note.0,
            error: known.error.0,
            files: known.files.0,
            json: text,
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any<'a> {
            Text(#[serde(borrow)] Cow<'a, str>),
            Other(IgnoredAny),
        }
        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Self(text),
            Any::Other(IgnoredAny) => Self::default(),
        })
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_that_is_still_being_written_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            "{\"status\":\"pass\",\"name\":7,\"files\":[\"a\",{}]}\n{\"status\":\"fa",
        )
        .unwrap();
        let mut results = ResultReader::open(file.path()).unwrap();
        let first = results.next_result().unwrap().unwrap();
        assert_eq!((first.status, &*first.name, first.files), (Status::Pass, "", 2));
        assert!(results.next_result().unwrap().is_none());
    }

    #[test]
    fn who_asks_what_failed_sees_warnings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{\"status\":\"warn\"}\n{\"status\":\"skip\"}\n{}\n").unwrap();
        let mut results = ResultReader::open(file.path()).unwrap();
        let mut shown = Vec::new();
        while let Some(result) = results.next_result().unwrap() {
            shown.push(result.may_be_a_failure());
        }
        assert_eq!(shown, [true, false, true]);
    }
}
