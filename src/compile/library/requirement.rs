//! What an item of `require` or `recommend` asks for: a package, a library of tests, or files. Nothing is looked for here.
//!
//! Invariant: a library that was read has a place that stays in the directory of its section, whatever the metadata say.

use std::path::{Component, Path, PathBuf};

use atex_fmf::{Map, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::metadata::read::{Scope, scalar};

/// Where libraries lie that name no `destination`.
const LIBS: &str = "libs";

/// The repositories of `library(REPOSITORY/NAME)`.
const DEFAULT_REPOSITORIES: &str = "https://github.com/beakerlib/";

/// An item of `require` or `recommend`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// A package of the machine.
    Package(String),
    /// A library of tests.
    Library(LibraryId),
    /// Files whose paths match one of these regexes; `/` stands for all.
    Files(Vec<String>),
}

/// How the metadata name a library of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LibraryId {
    pub(crate) source: LibrarySource,
    /// Its name in the tree that it comes from, with the leading slash.
    pub(crate) name: String,
    /// The directory of its repository, in the directory of the section.
    pub(crate) repository: PathBuf,
    /// The text `library(…)` that named it. It names a package where there is no such library.
    pub(crate) package: Option<String>,
}

/// The tree that a library comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LibrarySource {
    /// The tree of the test that requires it.
    OfTest,
    /// A tree on the host; the path is absolute or relative to the root of the request's tree.
    Path(PathBuf),
    /// A git repository.
    Url {
        url: String,
        reference: Option<String>,
        path: Option<String>,
    },
}

impl LibraryId {
    /// Returns the directory of the library, in the directory of the section.
    pub(crate) fn place(&self) -> PathBuf {
        let mut place = self.repository.clone();
        if let LibrarySource::Url { path: Some(path), .. } = &self.source {
            place.extend(parts(path));
        }
        place.extend(parts(&self.name));
        place
    }

    /// Returns the `ref` of its repository, if it has one.
    pub(crate) fn reference(&self) -> Option<&str> {
        match &self.source {
            LibrarySource::Url { reference, .. } => reference.as_deref(),
            LibrarySource::OfTest | LibrarySource::Path(_) => None,
        }
    }

    fn of_package(text: &str) -> Option<Self> {
        let (repository, name) = text.strip_prefix("library(")?.strip_suffix(')')?.split_once('/')?;
        let name = format!("/{name}");
        let is_library = is_name(repository) && is_path(&name) && !name.contains(')');
        is_library.then(|| Self {
            source: LibrarySource::Url {
                url: format!("{DEFAULT_REPOSITORIES}{repository}"),
                reference: None,
                path: None,
            },
            name,
            repository: Path::new(LIBS).join(repository),
            package: Some(text.to_owned()),
        })
    }

    fn of_map(map: &Map) -> Result<Self, MetadataProblem> {
        let text = |key: &str| {
            let value = map.get(key).filter(|value| !value.is_null());
            let text =
                value.map(|value| scalar(value).ok_or_else(|| problem(format!("`{key}` of a library must be a text"))));
            text.transpose()
        };
        let (url, path, nick) = (text("url")?, text("path")?, text("nick")?);
        let name = text("name")?.unwrap_or_else(|| "/".to_owned());
        if !is_path(&name) {
            return Err(problem(format!(
                "`{name}` cannot be the `name` of a library: it begins with `/` and has no `..`"
            )));
        }
        let destination = text("destination")?.unwrap_or_else(|| LIBS.to_owned());
        if !is_path(&format!("/{destination}")) {
            return Err(problem(format!("`destination` `{destination}` leads out of the tree")));
        }
        let called = match (&nick, &url, &path) {
            (Some(nick), ..) => nick.clone(),
            (None, Some(url), _) => {
                let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                last.strip_suffix(".git").unwrap_or(last).to_owned()
            }
            (None, None, Some(path)) => path
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            (None, None, None) => return Err(problem("a library needs a `url`, a `path` or a `nick`".to_owned())),
        };
        if !is_name(&called) {
            return Err(problem(format!(
                "a library cannot lie in a directory called `{called}`: give it a `nick`"
            )));
        }
        if url.is_some() && path.as_ref().is_some_and(|path| !is_path(&format!("/{path}"))) {
            return Err(problem(format!(
                "`path` `{}` leads out of the repository",
                path.unwrap_or_default()
            )));
        }
        let source = match (url, path) {
            (Some(url), path) => LibrarySource::Url {
                url,
                reference: text("ref")?,
                path,
            },
            (None, Some(path)) => LibrarySource::Path(path.into()),
            (None, None) => LibrarySource::OfTest,
        };
        let repository = parts(&destination).chain([Path::new(&called)]).collect();
        Ok(Self {
            source,
            name,
            repository,
            package: None,
        })
    }
}

/// Reads the items of `require` or `recommend` of a test.
pub(crate) fn read(scope: &Scope<'_>, key: &str) -> Result<Vec<Requirement>, CompileError> {
    let value = scope.value(key);
    parse(value).map_err(|problem| scope.error(key, problem))
}

/// Reads the value of `require` or `recommend`. What is neither a text nor a mapping asks for nothing.
pub(crate) fn parse(value: Option<&Value>) -> Result<Vec<Requirement>, MetadataProblem> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let items = value.as_list().unwrap_or(std::slice::from_ref(value));
    let found: Result<Vec<_>, _> = items.iter().map(item).collect();
    Ok(found?.into_iter().flatten().collect())
}

fn item(item: &Value) -> Result<Option<Requirement>, MetadataProblem> {
    let Some(map) = item.as_map() else {
        let text = scalar(item).map(|text| text.trim().to_owned());
        return Ok(text.filter(|text| !text.is_empty()).map(|text| {
            LibraryId::of_package(&text).map_or_else(|| Requirement::Package(text), Requirement::Library)
        }));
    };
    match map.get("type").and_then(scalar).as_deref() {
        None | Some("library") => LibraryId::of_map(map).map(Requirement::Library).map(Some),
        Some("file") => {
            let patterns = match map.get("pattern") {
                Some(Value::List(patterns)) => patterns.iter().map(scalar).collect(),
                Some(pattern) => scalar(pattern).map(|pattern| vec![pattern]),
                None => None,
            };
            let patterns = patterns.ok_or_else(|| problem("`pattern` must be a text or a list of texts".to_owned()))?;
            Ok(Some(Requirement::Files(patterns)))
        }
        Some(other) => Err(problem(format!("`type` `{other}` is neither `library` nor `file`"))),
    }
}

/// Returns the names of the packages among requirements.
pub(crate) fn packages(requirements: &[Requirement]) -> impl Iterator<Item = &String> {
    requirements.iter().filter_map(|requirement| match requirement {
        Requirement::Package(name) => Some(name),
        Requirement::Library(_) | Requirement::Files(_) => None,
    })
}

fn problem(text: String) -> MetadataProblem {
    MetadataProblem::Requirement(text)
}

/// Returns whether a text can be the name of one directory.
fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(|c: char| c == '/' || c.is_control())
}

/// Returns whether a text is an absolute path that stays below `/`.
fn is_path(text: &str) -> bool {
    let stays = |part| matches!(part, Component::RootDir | Component::Normal(_) | Component::CurDir);
    text.starts_with('/') && Path::new(text).components().all(stays) && !text.contains(|c: char| c.is_control())
}

/// Returns the directories of a path that was checked before.
fn parts(path: &str) -> impl Iterator<Item = &Path> {
    Path::new(path).components().filter_map(|part| match part {
        Component::Normal(name) => Some(Path::new(name)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use atex_fmf::{Map, Value};

    use super::{Requirement, parse};

    fn map(pairs: &[(&str, &str)]) -> Value {
        let pairs = pairs
            .iter()
            .map(|(key, value)| (Value::from(*key), Value::from(*value)));
        Value::from(pairs.collect::<Map>())
    }

    fn place(value: &Value) -> String {
        match parse(Some(value)).expect("it can be read").as_slice() {
            [Requirement::Library(library)] => library.place().display().to_string(),
            [Requirement::Package(package)] => format!("package {package}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_a_library_only_in_exactly_tmts_form() {
        assert_eq!(place(&Value::from("library(a/b)")), "libs/a/b");
        assert_eq!(place(&Value::from("  library(a/b/c) ")), "libs/a/b/c");
        for package in [
            "Library(a/b)",
            "library(a)",
            "library(a/b) >= 2",
            "library( a/b",
            "library(../b)",
            "library(a/../b)",
            "make",
        ] {
            assert_eq!(place(&Value::from(package)), format!("package {package}"));
        }
    }

    #[test]
    fn the_place_of_a_library_has_its_nick_or_the_last_part_of_its_url_or_path() {
        assert_eq!(
            place(&map(&[("url", "https://host/x/lib.git"), ("name", "/a/b")])),
            "libs/lib/a/b"
        );
        assert_eq!(
            place(&map(&[
                ("url", "https://host/x/lib/"),
                ("path", "/sub"),
                ("name", "/a")
            ])),
            "libs/lib/sub/a"
        );
        assert_eq!(
            place(&map(&[("path", "/srv/libs/one"), ("name", "/a"), ("nick", "n")])),
            "libs/n/a"
        );
        assert_eq!(
            place(&map(&[("nick", "n"), ("destination", "other/place")])),
            "other/place/n"
        );
        assert_eq!(
            place(&map(&[("type", "library"), ("path", "one"), ("name", "/a")])),
            "libs/one/a"
        );
    }

    #[test]
    fn what_would_leave_the_tree_is_refused() {
        for bad in [
            map(&[("name", "/a")]),
            map(&[("nick", ".."), ("name", "/a")]),
            map(&[("nick", "a/b"), ("name", "/a")]),
            map(&[("nick", "n"), ("name", "a")]),
            map(&[("nick", "n"), ("name", "/a/../../b")]),
            map(&[("nick", "n"), ("destination", "../x")]),
            map(&[("nick", "n"), ("destination", "/etc/../../x")]),
            map(&[("url", "https://host/x"), ("path", "../..")]),
            map(&[("url", "https://host/..")]),
            map(&[("type", "book")]),
            map(&[("type", "file")]),
        ] {
            let read = parse(Some(&bad));
            assert!(read.is_err(), "{read:?}");
        }
        let place = place(&map(&[("nick", "n"), ("destination", "./x"), ("name", "/./a")]));
        assert!(Path::new(&place).is_relative() && place == "x/n/a", "{place}");
    }
}
