//! The files of a tree as they are on the disk, and which of them git tracks or would track.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that is not a directory, or one with nothing in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link(PathBuf),
    Empty,
}

/// What lies below a directory, by its path there; not what belongs to git itself.
pub(crate) type Files = BTreeMap<String, Entry>;

/// Returns what stands at a path; nothing for a directory, and where nothing is.
pub(crate) fn entry(path: &Path) -> Option<Entry> {
    let met = fs::symlink_metadata(path).ok()?;
    if met.is_symlink() {
        return fs::read_link(path).ok().map(Entry::Link);
    }
    let bytes = met.is_file().then(|| fs::read(path).expect("a file of the tree"))?;
    let mode = met.permissions().mode() & 0o777;
    Some(Entry::File { bytes, mode })
}

/// Puts it there, whatever stood there before.
pub(crate) fn put(path: &Path, entry: &Entry) {
    clear(path);
    let dir = path.parent().expect("a file of a tree");
    fs::create_dir_all(dir).expect("the directories above a file");
    match entry {
        Entry::Link(target) => symlink(target, path).expect("a link"),
        Entry::Empty => fs::create_dir(path).expect("a directory"),
        Entry::File { bytes, mode } => {
            fs::write(path, bytes).expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("a mode");
        }
    }
}

/// Removes what stands at a path.
pub(crate) fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(met) if met.is_dir() => fs::remove_dir_all(path).expect("a directory goes"),
        Ok(_) => fs::remove_file(path).expect("a file goes"),
        Err(_) => {}
    }
}

/// Returns all that lies below a directory.
pub(crate) fn read(dir: &Path) -> Files {
    let mut files = Files::new();
    walk(dir, "", &mut files);
    files
}

fn walk(dir: &Path, prefix: &str, files: &mut Files) {
    let is_empty = fs::read_dir(dir).expect("a directory").next().is_none();
    if let (true, Some(path)) = (is_empty, prefix.strip_suffix('/')) {
        files.insert(path.to_owned(), Entry::Empty);
    }
    for found in fs::read_dir(dir).expect("a directory") {
        let found = found.expect("an entry of a directory");
        let name = found.file_name().into_string().expect("a plain name");
        let path = format!("{prefix}{name}");
        if let Some(entry) = entry(&found.path()) {
            files.insert(path, entry);
        } else if name != ".git" {
            walk(&found.path(), &format!("{path}/"), files);
        }
    }
}

/// Returns what git calls the files of the repository in a directory and of those below it, each by its own rules; without a
/// repository all files.
pub(crate) fn as_git_says(dir: &Path) -> Files {
    if !dir.join(".git").exists() {
        return read(dir);
    }
    let mut files = Files::new();
    let listed = git(dir, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for path in listed.split('\0').map(|path| path.trim_end_matches('/')) {
        let place = dir.join(path);
        if let Some(entry) = entry(&place) {
            files.insert(path.to_owned(), entry);
        } else if !path.is_empty() && place.join(".git").exists() {
            let inner = as_git_says(&place).into_iter();
            files.extend(inner.map(|(below, entry)| (format!("{path}/{below}"), entry)));
        }
    }
    files
}

/// Runs git in a directory, and returns what it said.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=h", "-c", "user.email=h@localhost"]);
    command.args(["-c", "init.defaultBranch=main", "-c", "advice.addEmbeddedRepo=false"]);
    let output = command.args(args).current_dir(dir).env("HOME", dir).output();
    let output = output.expect("git runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {told}");
    String::from_utf8(output.stdout).expect("plain names")
}
