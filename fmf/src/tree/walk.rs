//! Finds the metadata files of a tree, in the order in which fmf finds them.
//!
//! This file searches the root, reads `.fmf/version` and `.fmf/config`, and knows which directories are hidden, ignored or
//! entered only once. It reads no metadata file.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::MetadataFile;
use crate::value::Value;
use crate::{Error, MarkedLine, yaml};

/// The suffix of metadata files, which is also the name of the directory that makes a root.
const SUFFIX: &str = ".fmf";

/// The file whose data belongs to its directory's node.
pub(super) const MAIN: &str = "main.fmf";

/// Directories that fmf does not enter.
const IGNORED: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The result of the walk.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) root: PathBuf,
    /// The files that were read already: `.fmf/version` and `.fmf/config`.
    pub(super) settings: Vec<MetadataFile>,
    /// The metadata files, relative to the root, in fmf's order.
    pub(super) files: Vec<PathBuf>,
    pub(super) top: Directory,
}

impl Walk {
    /// Returns the number of one of [`Walk::files`] among all files that make the tree.
    pub(super) fn number(&self, file: usize) -> u32 {
        u32::try_from(self.settings.len() + file).unwrap_or(u32::MAX)
    }

    /// Returns the file's name without its directory.
    pub(super) fn name(&self, file: usize) -> Cow<'_, str> {
        self.files[file].file_name().unwrap_or_default().to_string_lossy()
    }
}

/// One directory with its files and directories, in fmf's order.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Indices into [`Walk::files`], with `main.fmf` first.
    pub(super) files: Vec<usize>,
    pub(super) directories: Vec<(String, Directory)>,
}

struct Walker {
    root: PathBuf,
    /// The hidden names that the configuration includes.
    include: Vec<String>,
    /// The targets of symbolic links to directories that were entered. No target is entered twice.
    linked: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

/// Finds the root at or above `start`, and all metadata files below it.
pub(super) fn walk(start: &Path) -> Result<Walk, Error> {
    let root = find_root(start)?;
    let mut settings = Vec::new();
    check_version(&root, &mut settings)?;
    let include = read_config(&root, &mut settings)?;
    let mut walker = Walker {
        root: root.clone(),
        include,
        linked: Vec::new(),
        files: Vec::new(),
    };
    let top = walker.directory(Path::new(""));
    Ok(Walk {
        root,
        settings,
        files: walker.files,
        top,
    })
}

fn find_root(start: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(start).map_err(|source| Error::Read {
        path: start.to_owned(),
        source,
    })?;
    let absolute = normalize(&absolute);
    let mut root = absolute.clone();
    loop {
        let listed = fs::read_dir(&root).map_err(|_| Error::Directory { path: root.clone() })?;
        drop(listed);
        if root.join(SUFFIX).is_dir() {
            return Ok(root);
        }
        if !root.pop() {
            return Err(Error::NoTree { start: absolute });
        }
    }
}

/// Resolves `.` and `..` in an absolute path by its text alone, as Python's `abspath` does.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn check_version(root: &Path, settings: &mut Vec<MetadataFile>) -> Result<(), Error> {
    let relative = Path::new(SUFFIX).join("version");
    let path = root.join(&relative);
    let bytes = fs::read(&path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    settings.push(MetadataFile {
        path: relative,
        digest: blake3::hash(&bytes),
    });
    if std::str::from_utf8(&bytes).is_ok_and(is_python_int) {
        Ok(())
    } else {
        Err(Error::Version { path })
    }
}

/// Returns whether Python's `int()` accepts the text: white space, a sign, and digits with single `_` between them.
fn is_python_int(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Reads the hidden names that `.fmf/config` includes.
fn read_config(root: &Path, settings: &mut Vec<MetadataFile>) -> Result<Vec<String>, Error> {
    let relative = Path::new(SUFFIX).join("config");
    let path = root.join(&relative);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Read { path, source }),
    };
    settings.push(MetadataFile {
        path: relative.clone(),
        digest: blake3::hash(&bytes),
    });
    let text = decode(&relative, &bytes)?;
    let document = yaml::load(text, 0).map_err(|problem| yaml_error(&relative, text, problem))?;
    included(&document).map_err(|problem| Error::Config {
        path,
        problem: problem.to_owned(),
    })
}

fn included(config: &Value) -> Result<Vec<String>, &'static str> {
    let config = config.as_map().ok_or("the configuration must be a mapping")?;
    let Some(explore) = config.get("explore") else {
        return Ok(Vec::new());
    };
    let explore = explore.as_map().ok_or("`explore` must be a mapping")?;
    let Some(include) = explore.get("include") else {
        return Ok(Vec::new());
    };
    let include = include.as_list().ok_or("`include` must be a list")?;
    let names: Vec<_> = include.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if names.iter().any(|name| name == SUFFIX) {
        return Err("`.fmf` itself cannot be included");
    }
    Ok(names)
}

/// Returns a file's text, or the error for a file that is not UTF-8.
pub(super) fn decode<'b>(relative: &Path, bytes: &'b [u8]) -> Result<&'b str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = valid.matches('\n').count();
        let column = valid.rsplit('\n').next().map_or(0, |last| last.chars().count());
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        let marked = MarkedLine::new(relative.to_owned(), &valid, count(line), count(column));
        Error::Yaml {
            marked: Box::new(marked),
            problem: "the text is not UTF-8 from here on".to_owned(),
        }
    })
}

/// Returns the error for a problem in a file's text.
pub(super) fn yaml_error(relative: &Path, text: &str, problem: yaml::Problem) -> Error {
    let text = yaml::universal_newlines(text);
    let marked = MarkedLine::new(relative.to_owned(), &text, problem.line, problem.column);
    Error::Yaml {
        marked: Box::new(marked),
        problem: problem.text,
    }
}

impl Walker {
    /// Lists a directory, given relative to the root. A directory that cannot be listed counts as empty.
    fn directory(&mut self, relative: &Path) -> Directory {
        let path = self.root.join(relative);
        let mut found = Directory::default();
        if IGNORED.iter().any(|ignored| path == Path::new(ignored)) {
            return found;
        }
        let Ok(listing) = fs::read_dir(&path) else { return found };
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for entry in listing.flatten() {
            let name = entry.file_name();
            let is_directory = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).is_ok_and(|target| target.is_dir()),
                Ok(kind) => kind.is_dir(),
                Err(_) => false,
            };
            if is_directory {
                directories.push(name);
            } else if name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
                files.push(name);
            }
        }
        files.retain(|name| !self.is_hidden(name));
        directories.retain(|name| !self.is_hidden(name));
        files.sort();
        if let Some(main) = files.iter().position(|name| name == MAIN) {
            files[..=main].rotate_right(1);
        }
        for name in &files {
            found.files.push(self.files.len());
            self.files.push(relative.join(name));
        }
        directories.sort();
        for name in &directories {
            if self.is_repeated_link(&path.join(name)) || path.join(name).join(SUFFIX).is_dir() {
                continue;
            }
            let inside = self.directory(&relative.join(name));
            found.directories.push((name.to_string_lossy().into_owned(), inside));
        }
        found
    }

    fn is_hidden(&self, name: &OsStr) -> bool {
        name.as_encoded_bytes().starts_with(b".") && !self.include.iter().any(|included| name == included.as_str())
    }

    /// Returns whether a path is a symbolic link to a directory to which an earlier link led. If it is not, the directory is
    /// remembered.
    fn is_repeated_link(&mut self, path: &Path) -> bool {
        if !path.is_symlink() {
            return false;
        }
        let Ok(target) = path.canonicalize() else { return true };
        let repeated = self.linked.contains(&target);
        if !repeated {
            self.linked.push(target);
        }
        repeated
    }
}
