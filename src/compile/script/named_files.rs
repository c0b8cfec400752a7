//! Finds the files that a script names, by searching its text for paths, since nobody declares what a prepare script reads.
//!
//! The rule errs towards naming too much: a file is named by its path, by a directory above it, or by a glob that matches either.
//! A path that the script computes (`$dir/file`) names every file of the tree, and so does a word that stands for all files (`.`,
//! `*`, `$TMT_TREE`, `make`). Users who know better can set `extra-atex-inputs`.

use globset::{GlobBuilder, GlobMatcher};

use crate::compile::script::whole_tree;

/// The paths that a script mentions.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    paths: Vec<Mention>,
    globs: Vec<(GlobMatcher, bool)>,
    text: String,
    all: bool,
}

#[derive(Debug)]
struct Mention {
    path: String,
    /// Whether it was written with a slash. A bare word names a file or a test's directory, but no directory above those:
    /// `echo running tests` does not name everything below `tests`.
    slash: bool,
}

/// Returns whether a character can be part of a path in a script; other characters separate words.
fn belongs(character: char) -> bool {
    character.is_alphanumeric() || "._/-+@%~,$*?[]{}^!".contains(character)
}

impl Mentions {
    /// Reads the scripts of a step.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let all = texts.clone().any(whole_tree::names_all);
        Self {
            all,
            ..Self::of_words(texts)
        }
    }

    /// Reads the packages of a step. Some of them are files of the tree, and none is a command.
    pub(crate) fn of_words<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut mentions = Self::default();
        for text in texts {
            let unquoted = text.replace(['"', '\''], "");
            for word in unquoted.split(|character| !belongs(character)) {
                mentions.add(word);
            }
            mentions.text.push_str(text);
            mentions.text.push('\n');
        }
        mentions
    }

    /// Returns what names every file of the tree.
    pub(crate) fn everything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    fn add(&mut self, word: &str) {
        let relative = relative(word);
        if relative.is_empty() || relative.starts_with('/') || relative.contains('$') {
            return;
        }
        let slash = word.contains('/');
        if !relative.contains(['*', '?', '[']) {
            self.paths.push(Mention { path: relative, slash });
        } else if slash || relative.contains(char::is_alphanumeric) {
            // A bare `*` is more often arithmetic or a pattern than the files of the root.
            let glob = GlobBuilder::new(&relative).literal_separator(true).build();
            self.globs.extend(glob.ok().map(|glob| (glob.compile_matcher(), slash)));
        }
    }

    /// Returns whether every file of the tree is named, by a word that stands for all files or by one whose value cannot be
    /// known.
    pub(crate) fn name_all(&self) -> bool {
        self.all
    }

    /// Returns whether the file at `path` is named. `home` is the length of the part of the path that is the directory of the
    /// file's test.
    pub(crate) fn name(&self, path: &str, home: usize) -> bool {
        if !path.chars().all(belongs) && self.text.contains(path) {
            return true;
        }
        self.paths.iter().any(|mention| {
            let length = mention.path.len();
            let above = path.starts_with(&mention.path) && path.as_bytes().get(length) == Some(&b'/');
            mention.path == path || (above && (mention.slash || length >= home))
        }) || self
            .globs
            .iter()
            .any(|(glob, slash)| ancestors(path).any(|part| (*slash || part.len() >= home) && glob.is_match(part)))
    }
}

/// Returns the path itself and every directory above it.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above))
}

/// Converts a word to a path relative to the root: without `$TMT_TREE/`, `./`, doubled and trailing slashes, and with `..`
/// resolved as far as possible.
fn relative(word: &str) -> String {
    let tail = ["$TMT_TREE/", "${TMT_TREE}/"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix))
        .unwrap_or(word);
    if tail.starts_with('/') && tail.len() == word.len() {
        return word.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in tail.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::Mentions;

    fn named(script: &str, path: &str, home: &str) -> bool {
        Mentions::of(std::iter::once(script)).name(path, home.len())
    }

    #[test]
    fn a_path_a_directory_or_a_glob_names_the_files() {
        for script in [
            "tests/a/setup.sh",
            "bash ./tests/a/setup.sh -x",
            ". \"$TMT_TREE/tests/a/setup.sh\"",
            ". \"$TMT_TREE\"/tests/a/setup.sh",
            "source ${TMT_TREE}/tests/a/setup.sh",
            "cd tests/a && ./setup.sh",
            "X=tests/a/setup.sh",
            "cp -r tests/ /opt",
            "chmod +x tests/*/setup.sh",
            "for f in tests/a/*.sh; do $f; done",
            "(cd lib; ../tests/a/setup.sh)",
            "cp tests//a/ x",
        ] {
            assert!(named(script, "tests/a/setup.sh", "tests/a"), "{script}");
        }
    }

    #[test]
    fn other_words_name_nothing() {
        for script in [
            "echo running tests",
            "echo $((2 * 3))",
            "[ -f x ] && case $1 in te*) ;; esac",
            "/usr/tests/a/setup.sh",
            "tests/a/setup.sh.orig",
            "tests/ab",
            "othertests/a/setup.sh",
            "tests/*.sh",
            "$dir/setup.sh",
            "setup.sh",
            "",
        ] {
            assert!(!named(script, "tests/a/setup.sh", "tests/a"), "{script}");
        }
    }

    #[test]
    fn a_bare_word_names_a_directory_of_a_test() {
        assert!(named("cd one; make", "one/Makefile", "one"));
        assert!(!named("echo one1", "one/Makefile", "one"));
    }

    #[test]
    fn a_path_with_spaces_is_found_as_it_stands() {
        assert!(named("bash 'tests/a/my setup.sh'", "tests/a/my setup.sh", "tests/a"));
        assert!(!named("bash my", "tests/a/my setup.sh", "tests/a"));
    }
}
