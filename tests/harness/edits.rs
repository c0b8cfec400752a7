//! What happens to a tree, and to the cache, between two builds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::random::Random;
use crate::suite::{Entry, State, Suite, TESTS};

/// All of one length: a size tells nothing.
const WORDS: [&str; 6] = ["good", "fine", "nice", "well", "bad1", "bad2"];

impl Suite {
    /// Does one edit, and says which.
    pub(crate) fn edit(&mut self, random: &mut Random) -> String {
        let mut next = self.state.clone();
        let said = match random.below(10) {
            0 => return self.swap(random),
            1 => return self.touch(random),
            2 => {
                next = random.one_of(&self.past[1.min(self.past.len() - 1)..]).clone();
                if next.entries.is_empty() {
                    return "nothing".to_owned();
                }
                "what was before".to_owned()
            }
            kind => change(&mut next, kind, random),
        };
        self.become_state(next);
        said
    }

    /// Swaps two files by renames, which keep their times.
    fn swap(&mut self, random: &mut Random) -> String {
        let (one, two) = (any_file(&self.state, random), any_file(&self.state, random));
        if one == two {
            return "nothing".to_owned();
        }
        let mut next = self.state.clone();
        let (first, second) = (next.entries[&one].clone(), next.entries[&two].clone());
        next.entries.insert(one.clone(), second);
        next.entries.insert(two.clone(), first);
        let aside = self.world.path("aside");
        for (from, to) in [
            (self.file(&one), aside.clone()),
            (self.file(&two), self.file(&one)),
            (aside, self.file(&two)),
        ] {
            fs::rename(from, to).expect("a file is renamed");
        }
        self.past.push(std::mem::replace(&mut self.state, next));
        format!("swap {one} and {two}")
    }

    /// Gives a file new times and the same contents.
    fn touch(&self, random: &mut Random) -> String {
        let path = any_file(&self.state, random);
        let text = fs::read(self.file(&path)).expect("a file of the tree");
        fs::write(self.file(&path), text).expect("a file of the tree");
        format!("touch {path}")
    }

    /// Damages a record or a blob of the cache.
    pub(crate) fn damage(&self, random: &mut Random) -> String {
        let mut files = Vec::new();
        below(&self.world.path("home/.cache/atex"), &mut files);
        files.retain(|path| fs::metadata(path).is_ok_and(|met| met.len() > 0) && !path.ends_with("format"));
        files.sort();
        let path = random.one_of(&files);
        let mut bytes = fs::read(path).expect("a file of the cache");
        let kind = random.below(3);
        let at = random.below(bytes.len());
        match kind {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            _ => return fs::remove_file(path).map_or_else(|_| "nothing".into(), |()| said("remove", path)),
        }
        // Records and blobs are read-only, and were put there by rename.
        fs::remove_file(path).expect("a file of the cache");
        fs::write(path, bytes).expect("a file of the cache");
        said(if kind == 0 { "flip" } else { "truncate" }, path)
    }
}

/// Changes the state alone; what differs is written afterwards.
fn change(next: &mut State, kind: usize, random: &mut Random) -> String {
    let dir = random.one_of(&TESTS).0;
    match kind {
        3 => {
            let path = any_file(next, random);
            // That it is not there is not seen.
            if path.ends_with("/n.txt") {
                return "nothing".to_owned();
            }
            next.entries.remove(&path);
            format!("remove {path}")
        }
        4 => {
            let path = any_file(next, random);
            if let Some(Entry::File { executable, .. }) = next.entries.get_mut(&path) {
                *executable = !*executable;
            }
            format!("chmod {path}")
        }
        5 => {
            let target = random.one_of(&["a.txt", "b.txt", "missing.txt"]);
            next.entries
                .insert(format!("{dir}/link"), Entry::Link((*target).to_owned()));
            format!("link {dir}/link to {target}")
        }
        6 => {
            let word = random.one_of(&WORDS);
            next.moods.insert(dir.to_owned(), (*word).to_owned());
            format!("mood of {dir}: {word}")
        }
        7 => {
            *next.summaries.get_mut(dir).expect("a test's summary") += 1;
            format!("summary of {dir}")
        }
        _ => {
            let name = random.one_of(&["a.txt", "b.txt", "c.txt", "n.txt"]);
            let shared = random
                .one_in(6)
                .then(|| *random.one_of(&["lib/one.txt", "lib/two.txt"]));
            let path = shared.map_or_else(|| format!("{dir}/{name}"), str::to_owned);
            let word = (*random.one_of(&WORDS)).to_owned();
            let said = format!("write {word} to {path}");
            next.entries.insert(
                path,
                Entry::File {
                    word,
                    executable: false,
                },
            );
            said
        }
    }
}

/// Returns a file, but not what prepare copies: that one must be there.
fn any_file(state: &State, random: &mut Random) -> String {
    let is_file = |(path, entry): &(&String, &Entry)| matches!(entry, Entry::File { .. }) && *path != "lib/one.txt";
    let files: Vec<_> = state.entries.iter().filter(is_file).map(|(path, _)| path).collect();
    (*random.one_of(&files)).clone()
}

fn said(act: &str, path: &Path) -> String {
    format!("{act} {}", path.display())
}

fn below(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of the cache") {
        let path = entry.expect("an entry of the cache").path();
        if path.is_dir() {
            below(&path, files);
        } else {
            files.push(path);
        }
    }
}
