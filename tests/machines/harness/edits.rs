//! The edits that happen to a tree between two builds. Each edit can be applied to any tree, so that a sequence of edits can be
//! shortened; an edit that has nothing to change does nothing.

use std::fs::{self, FileTimes};
use std::path::Path;

use crate::harness::files::{self, Entry, Files, clear, entry, git, put};
use crate::harness::project::{DIRS, Project};
use crate::harness::random::Random;

/// All of one length: a size tells nothing. Few tests fail, since what failed runs again whatever is edited.
const WORDS: [&str; 8] = ["good", "fine", "nice", "well", "even", "calm", "kind", "bad1"];

/// What git may be told to ignore. A name that is looked for and is not there is not seen, so nothing that is read of another test.
const PATTERNS: [&str; 8] = [
    "b.txt",
    "/t1/a.txt",
    "**/deep/c.txt",
    "!b.txt",
    "lib/two.*",
    "[ac].txt",
    "s.txt",
    "extra",
];

/// A change of a tree.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Writes a file in place.
    Write(String, &'static str),
    /// Renames a new file over an old one; at times it has the old one's times.
    Replace(String, &'static str, bool),
    Remove(String),
    Chmod(String, u32),
    Link(String, &'static str),
    /// A directory with a file in it takes the place of a file.
    Directory(String),
    Rename(String, String),
    /// Two renames, which keep all times.
    Swap(String, String),
    /// New times, and the same contents.
    Touch(String),
    Mood(&'static str, &'static str),
    /// Something that changes nothing.
    Summary(&'static str, usize),
    /// A comment in a script.
    Comment(&'static str, usize),
    /// A line of a `.gitignore` comes, or goes.
    Ignore(&'static str, &'static str),
    Track(String),
    Untrack(String),
    /// All files are again what they were so many builds ago.
    Before(usize),
}

impl Edit {
    pub(crate) fn random(random: &mut Random) -> Self {
        let dir = random.one_of(&DIRS);
        let word = random.one_of(&WORDS);
        match random.below(24) {
            0 => Self::Swap(any_file(random), any_file(random)),
            1 => Self::Touch(any_file(random)),
            2..=4 => Self::Before(1 + random.below(4)),
            5 => Self::Remove(any_file(random)),
            6 => Self::Chmod(any_file(random), random.one_of(&[0o644, 0o755, 0o600, 0o700, 0o664])),
            7 => Self::Link(
                format!("{dir}/link"),
                random.one_of(&["a.txt", "b.txt", "missing.txt", "../lib/two.txt"]),
            ),
            8 => Self::Directory(any_file(random)),
            9 => Self::Rename(any_file(random), any_file(random)),
            10 => Self::Mood(dir, word),
            11 => Self::Summary(dir, random.below(1000)),
            12 => Self::Comment(dir, random.below(3)),
            13 | 14 => Self::Ignore(
                random.one_of(&["", "", "t1/", "sub/", "t2/inner/"]),
                random.one_of(&PATTERNS),
            ),
            15 => Self::Track(any_file(random)),
            16 => Self::Untrack(any_file(random)),
            17 | 18 => Self::Replace(any_file(random), word, random.one_in(2)),
            19 => Self::Write("t0/maybe.txt".to_owned(), word),
            20 => Self::Write(format!("{dir}/n.txt"), word),
            _ => Self::Write(any_file(random), word),
        }
    }

    /// Does it, or nothing where it does not apply.
    pub(crate) fn apply(&self, project: &Project) {
        let place = |path: &String| project.tree.join(path);
        let is_file = |path: &String| matches!(entry(&place(path)), Some(Entry::File { .. }));
        match self {
            Self::Write(path, word) if is_file(path) => fs::write(place(path), word).expect("a file"),
            Self::Write(path, word) if !is_needed(path) || entry(&place(path)).is_none() => {
                put(&place(path), &file(word));
            }
            Self::Replace(path, word, keep) if is_file(path) => replace(&place(path), word, *keep),
            Self::Remove(path) if !is_needed(path) => clear(&place(path)),
            Self::Chmod(path, mode) if is_file(path) => {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(*mode);
                fs::set_permissions(place(path), mode).expect("a mode");
            }
            Self::Link(path, target) => put(&place(path), &Entry::Link(target.into())),
            Self::Directory(path) if !is_needed(path) => {
                clear(&place(path));
                put(&place(path).join("extra"), &file("good"));
            }
            Self::Rename(from, to) if is_file(from) && from != to && !is_needed(from) => {
                clear(&place(to));
                fs::create_dir_all(place(to).parent().expect("a file of a tree")).expect("a directory");
                fs::rename(place(from), place(to)).expect("a file is renamed");
            }
            Self::Swap(one, two) if is_file(one) && is_file(two) && one != two => {
                let aside = project.tree.with_extension("aside");
                for (from, to) in [(&place(one), &aside), (&place(two), &place(one)), (&aside, &place(two))] {
                    fs::rename(from, to).expect("a file is renamed");
                }
            }
            Self::Touch(path) if is_file(path) => {
                let bytes = fs::read(place(path)).expect("a file of the tree");
                fs::write(place(path), bytes).expect("a file of the tree");
            }
            Self::Mood(dir, word) => metadata(&place(&format!("{dir}/main.fmf")), "MOOD: ", word),
            Self::Summary(dir, number) => {
                metadata(&place(&format!("{dir}/main.fmf")), "Number ", &number.to_string());
            }
            Self::Comment(dir, number) => {
                let script = place(&format!("{dir}/test.sh"));
                let text = fs::read_to_string(&script).expect("a script");
                let text = text.split("# number").next().expect("a first part");
                fs::write(script, format!("{text}# number {number}\n")).expect("a script");
            }
            Self::Ignore(dir, pattern) if project.is_git() => toggle(&project.tree, dir, pattern),
            Self::Track(path) if project.is_git() && is_file(path) => track(project, path, true),
            Self::Untrack(path) if project.is_git() => track(project, path, false),
            Self::Before(back) => {
                let past = &project.past;
                if let Some(then) = past.len().checked_sub(*back).and_then(|at| past.get(at)) {
                    become_files(&project.tree, then);
                }
            }
            _ => {}
        }
    }
}

/// Makes the files below a directory these, and touches none that is right.
pub(crate) fn become_files(dir: &Path, wanted: &Files) {
    let now = files::read(dir);
    for path in now.keys().filter(|path| !wanted.contains_key(*path)) {
        clear(&dir.join(path));
        // A directory that is empty by now goes, too: git knows none.
        let above = Path::new(path).ancestors().skip(1);
        let is_below = |above: &&Path| !above.as_os_str().is_empty();
        let _some_hold_others: Result<(), _> = above
            .take_while(is_below)
            .try_for_each(|above| fs::remove_dir(dir.join(above)));
    }
    for (path, entry) in wanted.iter().filter(|(path, entry)| now.get(*path) != Some(entry)) {
        // A file may have become a directory, of which its own files are gone by now.
        let above = Path::new(path).ancestors().skip(1);
        for above in above.filter(|above| !above.as_os_str().is_empty()) {
            if files::entry(&dir.join(above)).is_some() {
                clear(&dir.join(above));
            }
        }
        put(&dir.join(path), entry);
    }
}

pub(crate) fn file(word: &str) -> Entry {
    let bytes = word.as_bytes().to_vec();
    Entry::File { bytes, mode: 0o644 }
}

/// Renames a new file over an old one, with its mode and perhaps its times.
fn replace(path: &Path, word: &str, keep: bool) {
    let old = fs::metadata(path).expect("a file of the tree");
    let new = path.with_extension("new");
    fs::write(&new, word).expect("a file");
    fs::set_permissions(&new, old.permissions()).expect("a mode");
    if keep {
        let times = FileTimes::new().set_modified(old.modified().expect("a time"));
        let file = fs::File::options().write(true).open(&new).expect("a file");
        file.set_times(times).expect("times");
    }
    fs::rename(new, path).expect("a file is renamed");
}

/// Replaces the word after a text in metadata.
fn metadata(path: &Path, after: &str, word: &str) {
    let text = fs::read_to_string(path).expect("metadata");
    let (before, rest) = text.split_once(after).expect("a key of the metadata");
    let end = rest.find([',', '}', '\n']).expect("an end");
    fs::write(path, format!("{before}{after}{word}{}", &rest[end..])).expect("metadata");
}

/// Takes a line of a `.gitignore` away, or adds it.
fn toggle(tree: &Path, dir: &str, pattern: &str) {
    let path = tree.join(dir).join(".gitignore");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().filter(|line| *line != pattern).collect();
    if lines.len() == text.lines().count() {
        lines.push(pattern);
    }
    lines.push("");
    fs::write(path, lines.join("\n")).expect("a file of the tree");
}

/// Puts a file into the index of its repository, or takes it out.
fn track(project: &Project, path: &str, add: bool) {
    let inner = ["sub/", "t2/inner/"];
    let repository = inner.into_iter().find(|dir| path.starts_with(dir)).unwrap_or_default();
    let dir = project.tree.join(repository);
    let path = &path[repository.len()..];
    let args: &[&str] = if add {
        &["add", "--force", "--"]
    } else {
        &["rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "-r", "--"]
    };
    git(&dir, &[args, &[path]].concat());
}

/// Whether jobs read it without it being an input by any rule: that it is not there would not be seen.
fn is_needed(path: &str) -> bool {
    path.ends_with("/n.txt") || path == "lib/one.txt"
}

/// Returns the path of a file that is there, or could be.
fn any_file(random: &mut Random) -> String {
    if random.one_in(8) {
        let shared = ["lib/one.txt", "lib/two.txt", "sub/s.txt", "sub/t.txt", "t2/inner/i.txt"];
        return random.one_of(&shared).to_owned();
    }
    let name = random.one_of(&["a.txt", "b.txt", "c.txt", "n.txt"]);
    format!("{}/{name}", random.one_of(&DIRS))
}
