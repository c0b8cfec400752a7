//! The directory of one run: where each test's results lie, and how names become paths.
//!
//! ```text
//! <run>/run.json                          written last, by rename: present = complete (by `report`)
//! <run>/events.jsonl                      appended as things happen (by `report`)
//! <run>/prepare.log  <run>/finish.log     what the scripts printed
//! <run>/tests/<test name>/results.jsonl   <run>/tests/<test name>/files/…
//! <run>/tests/<test name>/attempt-2/…     a second attempt
//! <run>/tests/<test name>/@plans:b/…      the same test name in a further plan of the run, with another key
//! ```
//!
//! A test's name is its path. Only a component that could be taken for one of these files is escaped, by writing its first
//! byte as `%XX`; so is a `%` that two hex digits follow, which makes the escaping reversible.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use atex_cache::ownership::{self, Foreign};

/// The longest path component kept as it is, in bytes; file systems allow 255.
const LONGEST_COMPONENT: usize = 200;

/// A failure to make or use the run's directory.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The directory the user named holds something.
    #[error("the output directory `{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Others can write to it, or put another directory in its place.
    #[error("the run's directory `{}` is not used: {source}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Who can.
        source: Foreign,
    },
    /// The operating system refused.
    #[error("cannot use the run's directory `{}`: {source}", path.display())]
    Io {
        /// The path at fault.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The directory of one run. It exists, and was empty when it was made.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    id: String,
}

impl RunDir {
    /// Uses the directory that the user named; it must not exist or be empty.
    pub fn at(path: &Path) -> Result<Self, RunDirError> {
        let error = |source| RunDirError::Io {
            path: path.to_owned(),
            source,
        };
        make_own(path)?;
        if fs::read_dir(path).map_err(error)?.next().is_some() {
            return Err(RunDirError::NotEmpty(path.to_owned()));
        }
        let path = path.canonicalize().map_err(error)?;
        let id = path
            .file_name()
            .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { path, id })
    }

    /// Makes a new directory `<time>-<id>` below `runs` and points `runs/latest` to it.
    pub fn create(runs: &Path, now: jiff::Timestamp) -> Result<Self, RunDirError> {
        make_own(runs)?;
        loop {
            let id = format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), random_hex());
            let path = runs.join(&id);
            match DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => {
                    // The link is a convenience, and whatever is in its way no reason not to run.
                    let _names_an_older_one = point_latest(runs, &id);
                    return Ok(Self { path, id });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(RunDirError::Io { path, source }),
            }
        }
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the run's id: the directory's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes the directory of a test's attempt (from 1); returns it, relative to the run's, and whether it could be made. `plan` is
    /// given only where another plan of the run has taken the plain path for a test of this name.
    pub fn test(&self, name: &str, plan: Option<&str>, attempt: u32) -> (PathBuf, Result<(), RunDirError>) {
        let relative = test_path(name, plan, attempt);
        let path = self.path.join(&relative);
        let made = make(&path).map_err(|source| RunDirError::Io { path, source });
        (relative, made)
    }
}

/// Returns the path of a test's attempt, relative to the run's directory.
pub fn test_path(name: &str, plan: Option<&str>, attempt: u32) -> PathBuf {
    let mut path = PathBuf::with_capacity(name.len() + 16);
    path.push("tests");
    for part in name.split('/').filter(|part| !part.is_empty()) {
        path.push(&*component(part));
    }
    if let Some(plan) = plan {
        path.push(plan_component(plan));
    }
    if attempt > 1 {
        path.push(format!("attempt-{attempt}"));
    }
    path
}

/// Turns a plan's name into one file name; the slashes between its parts become colons, and its own colons are escaped.
fn plan_component(plan: &str) -> String {
    let escaped = plan.trim_matches('/').replace('%', "%25").replace(':', "%3a");
    let name = format!("@{}", escaped.replace('/', ":").replace('\0', "%00"));
    if name.len() <= LONGEST_COMPONENT {
        return name;
    }
    shortened(&name, plan)
}

/// Turns a component of a test's name into a file name that collides with nothing of ours.
fn component(name: &str) -> Cow<'_, str> {
    if !reserved(name) && !name.contains(['%', '\0']) && name.len() <= LONGEST_COMPONENT {
        return Cow::Borrowed(name);
    }
    Cow::Owned(escaped(name))
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, character) in name.char_indices() {
        let first_of_reserved = at == 0 && reserved(name);
        let looks_escaped =
            character == '%' && name[at + 1..].bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        if first_of_reserved || looks_escaped || character == '\0' {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _infallible = write!(escaped, "%{byte:02x}");
            }
        } else {
            escaped.push(character);
        }
    }
    if escaped.len() <= LONGEST_COMPONENT {
        return escaped;
    }
    shortened(&escaped, name)
}

/// The beginning of a name that is too long, and a digest of what it stands for.
fn shortened(name: &str, stands_for: &str) -> String {
    let end = name.floor_char_boundary(LONGEST_COMPONENT);
    format!(
        "{}~{}",
        &name[..end],
        &blake3::hash(stands_for.as_bytes()).to_hex()[..16]
    )
}

/// Returns whether a component could be taken for a file of ours, or for no name at all.
fn reserved(component: &str) -> bool {
    matches!(component, "files" | "results.jsonl" | "output.txt" | "." | "..")
        || component.starts_with('@')
        || component
            .strip_prefix("attempt-")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Makes a directory that only this user can write to.
fn make_own(path: &Path) -> Result<(), RunDirError> {
    ownership::make(path, 0o755).map_err(|source| match source {
        Foreign::Io { path, source, .. } => RunDirError::Io { path, source },
        source => RunDirError::Foreign {
            path: path.to_owned(),
            source,
        },
    })
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Points `latest` at a run by rename, so that concurrent runs never leave it missing.
fn point_latest(runs: &Path, id: &str) -> io::Result<()> {
    let temporary = runs.join(format!(".latest-{}", random_hex()));
    symlink(id, &temporary)?;
    fs::rename(&temporary, runs.join("latest")).inspect_err(|_| {
        let _stays = fs::remove_file(&temporary);
    })
}

fn random_hex() -> String {
    let mut bytes = [0_u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = std::process::id().to_ne_bytes();
    }
    format!("{:08x}", u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_name_is_its_path() {
        assert_eq!(test_path("/a/b c", None, 1), Path::new("tests/a/b c"));
        assert_eq!(test_path("/a", None, 2), Path::new("tests/a/attempt-2"));
        assert_eq!(test_path("/a", Some("/plans/b"), 1), Path::new("tests/a/@plans:b"));
    }

    #[test]
    fn names_that_would_collide_with_our_files_are_escaped_and_stay_distinct() {
        assert_eq!(test_path("/a/files/x", None, 1), Path::new("tests/a/%66iles/x"));
        assert_eq!(test_path("/a/%66iles/x", None, 1), Path::new("tests/a/%2566iles/x"));
        assert_eq!(test_path("/a/../b", None, 1), Path::new("tests/a/%2e./b"));
        assert_eq!(test_path("/a/attempt-2", None, 1), Path::new("tests/a/%61ttempt-2"));
        assert_eq!(test_path("/a/100%", None, 1), Path::new("tests/a/100%"));
    }

    #[test]
    fn a_name_too_long_for_a_file_system_is_shortened_and_stays_distinct() {
        let (one, two) = (format!("/{}1", "é".repeat(300)), format!("/{}2", "é".repeat(300)));
        let (one, two) = (test_path(&one, None, 1), test_path(&two, None, 1));
        assert_ne!(one, two);
        assert!(one.file_name().unwrap().len() < 255);
    }

    #[test]
    fn plans_never_share_a_path() {
        let long = |end| format!("/{}{end}", "p".repeat(300));
        let plans = ["/x/y", "/x:y", "/x%3ay", "/x%253ay", &long("1"), &long("2")];
        let paths: std::collections::BTreeSet<_> = plans.map(|plan| test_path("/a", Some(plan), 1)).into();
        assert_eq!(paths.len(), plans.len());
        assert!(paths.iter().all(|path| path.file_name().unwrap().len() < 255));
    }

    #[test]
    fn an_output_directory_with_content_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        RunDir::at(&dir.path().join("new/deep")).unwrap();
        fs::write(dir.path().join("kept"), "").unwrap();
        assert!(matches!(RunDir::at(dir.path()), Err(RunDirError::NotEmpty(_))));
    }

    #[test]
    fn latest_names_the_newest_run() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let run = RunDir::create(dir.path(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(fs::read_link(dir.path().join("latest")).unwrap(), Path::new(run.id()));
        }
    }
}
