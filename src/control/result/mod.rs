//! One result as a test sent it: its known keys are parsed and checked, and everything else stays text.

pub(crate) mod merge;
pub(crate) mod summary;
mod tree;

use std::borrow::Cow;

use super::json::{self, Members};
use super::limits::Limits;
use super::store::path::FilePath;
use super::violation::{ShownBytes, Violation};
use summary::Status;

/// The value of a key that the runner keeps apart from the others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MemberValue<T> {
    /// The key is missing.
    Absent,
    /// The value is `null`: in a merge, the earlier value is taken back.
    Null,
    /// The key has a value.
    Given(T),
}

/// A file that an entry of `files` announces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) name: String,
    pub(crate) path: FilePath,
    pub(crate) length: u64,
}

/// A result, borrowed from its JSON.
#[derive(Debug)]
pub(crate) struct SentResult<'a> {
    /// All members except `partial`, `testout` and `files`.
    pub(crate) members: Members<'a>,
    /// The name of the subtest. `null` and the empty text stand for the test itself.
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) status: Status,
    pub(crate) partial: bool,
    pub(crate) testout: MemberValue<String>,
    pub(crate) files: MemberValue<Vec<Announced>>,
}

impl<'a> SentResult<'a> {
    /// Parses the JSON of a result.
    pub(crate) fn parse(json: &'a [u8], limits: &Limits) -> Result<Self, Violation> {
        let text = std::str::from_utf8(json)
            .map_err(|error| Violation::at("JSON of a result is not UTF-8", &json[error.valid_up_to()..]))?;
        let given = json::members(text).map_err(|error| broken_json(text, &error))?;
        let mut report = Self {
            members: Vec::with_capacity(given.len()),
            name: None,
            status: Status::Missing,
            partial: false,
            testout: MemberValue::Absent,
            files: MemberValue::Absent,
        };
        let mut files = None;
        for (key, value) in given {
            // A member lies one level below the object itself.
            if json::depth(value) >= limits.depth {
                let what = format!("a result has more than {} levels of arrays and objects", limits.depth);
                return Err(Violation::at(what, value.as_bytes()));
            }
            match key.as_ref() {
                "partial" => {
                    report.partial = flag(value)?;
                    continue;
                }
                "testout" => {
                    report.testout = text_of("testout", value)?
                        .map_or(MemberValue::Null, |name| MemberValue::Given(name.into_owned()));
                    continue;
                }
                "files" => {
                    files = Some(value);
                    continue;
                }
                "name" => report.name = text_of("name", value)?.filter(|name| !name.is_empty()),
                "status" => {
                    report.status = text_of("status", value)?.map_or(Status::Missing, |text| Status::said(&text));
                }
                _ => {}
            }
            report.members.push((key, value));
        }
        // The path of a file contains the result's name, which may come after the files in the JSON.
        if let Some(value) = files {
            report.files = announced(report.name.as_deref(), value)?;
        }
        report.check_testout()?;
        Ok(report)
    }

    /// Returns the files whose bytes follow.
    pub(crate) fn take_files(self) -> Vec<Announced> {
        match self.files {
            MemberValue::Given(files) => files,
            MemberValue::Absent | MemberValue::Null => Vec::new(),
        }
    }

    /// Returns the value of `note` if it is a text.
    pub(crate) fn note(&self) -> Option<Cow<'a, str>> {
        let (_, value) = self.members.iter().find(|(key, _)| key == "note")?;
        json::string(value)
    }

    fn check_testout(&self) -> Result<(), Violation> {
        let MemberValue::Given(testout) = &self.testout else {
            return Ok(());
        };
        if testout.is_empty() {
            return Err(Violation::new("`testout` is empty"));
        }
        let path = testout_path(self.name.as_deref(), testout)?;
        match &self.files {
            MemberValue::Given(files) if files.iter().any(|file| file.path == path) => Err(testout_is_a_file(testout)),
            _ => Ok(()),
        }
    }
}

/// Returns the path of a `testout`.
pub(crate) fn testout_path(subtest: Option<&str>, testout: &str) -> Result<FilePath, Violation> {
    FilePath::new(subtest, testout).map_err(|fault| Violation::new(format!("`testout`: {fault}")))
}

pub(crate) fn testout_is_a_file(testout: &str) -> Violation {
    Violation::new(format!(
        "`testout` is also a name in `files`: `{}`",
        testout.escape_debug()
    ))
}

/// Appends the line of a result without its newline. `members` appends `"key":value` pairs, with commas between them.
pub(crate) fn push_line<'n>(
    out: &mut Vec<u8>,
    members: impl FnOnce(&mut Vec<u8>),
    testout: Option<&'n str>,
    sorted_files: Option<impl Iterator<Item = &'n str>>,
) {
    out.push(b'{');
    let start = out.len();
    members(out);
    if testout.is_some() || sorted_files.is_some() {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(br#""files":["#);
        for (position, name) in testout
            .into_iter()
            .chain(sorted_files.into_iter().flatten())
            .enumerate()
        {
            if position > 0 {
                out.push(b',');
            }
            json::push_string(out, name);
        }
        out.push(b']');
    }
    out.push(b'}');
}

/// Appends members as they stand in an object, without the braces.
pub(crate) fn push_members(out: &mut Vec<u8>, members: &Members<'_>) {
    for (position, (key, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::push_string(out, key);
        out.push(b':');
        json::push_compact(out, value);
    }
}

fn broken_json(text: &str, error: &serde_json::Error) -> Violation {
    if text.is_empty() {
        return Violation::new("a result of 0 bytes is no JSON object");
    }
    // The position is that of the fault or just behind it. The text before it helps the author to find the fault.
    let line = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let fault = (line + error.column()).min(text.len());
    let shown = &text.as_bytes()[fault.saturating_sub(40)..];
    Violation::new(format!("result is no JSON object: {error}: {}", ShownBytes(shown)))
}

fn flag(value: &str) -> Result<bool, Violation> {
    match value {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(Violation::at(
            "`partial` is neither `true` nor `false`",
            value.as_bytes(),
        )),
    }
}

/// Returns a text, or `None` for `null`.
fn text_of<'a>(key: &str, value: &'a str) -> Result<Option<Cow<'a, str>>, Violation> {
    match json::string(value) {
        None if value != "null" => Err(Violation::at(format!("`{key}` is no string"), value.as_bytes())),
        text => Ok(text),
    }
}

fn announced(subtest: Option<&str>, value: &str) -> Result<MemberValue<Vec<Announced>>, Violation> {
    if value == "null" {
        return Ok(MemberValue::Null);
    }
    let entries = json::elements(value).ok_or_else(|| Violation::at("`files` is no array", value.as_bytes()))?;
    entries
        .into_iter()
        .map(|entry| announced_file(subtest, entry))
        .collect::<Result<_, _>>()
        .map(MemberValue::Given)
}

fn announced_file(subtest: Option<&str>, entry: &str) -> Result<Announced, Violation> {
    let fault = |what| Violation::at(what, entry.as_bytes());
    let members = json::members(entry).map_err(|_| fault("an entry of `files` is no object"))?;
    let value = |wanted: &str| members.iter().find(|(key, _)| key == wanted).map(|(_, value)| *value);
    let name = value("name")
        .and_then(json::string)
        .ok_or_else(|| fault("an entry of `files` has no `name`"))?;
    // The text is valid JSON, so a text that parses as an unsigned number has no sign, fraction or exponent.
    let length = value("length")
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| fault("an entry of `files` has no number of bytes as `length`"))?;
    let path = FilePath::new(subtest, &name).map_err(Violation::new)?;
    let name = name.into_owned();
    Ok(Announced { name, path, length })
}
