//! Input files: decides on which files of a tree a test or a prepare step depends.
//!
//! A file belongs to the tests of the innermost directory above it that defines tests, unless that is the root. A test also
//! depends on what belongs to the directories above its own. Files that belong to no test are shared: every test and every shell
//! step depends on them. The sets are cut by content alone (the shared files, or those below one directory), so that equal nodes
//! have equal keys. Each set is made once, however many nodes depend on it.

pub(crate) mod files;
pub(crate) mod git_ignored;
pub(crate) mod links_outside;
pub(crate) mod walk;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::{FileSet, FileSetDigest, InputFile, InputFiles};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::compile::error::MetadataProblem;
use crate::compile::inputs::files::{TreeFile, TreeFiles, escaped};
use crate::compile::script::named_files::{Mentions, ancestors};

/// The input files of one tree at one place in a slot.
#[derive(Debug)]
pub(crate) struct TreeInputs {
    files: Arc<TreeFiles>,
    owners: BTreeSet<PathBuf>,
    /// The tree's directory in the slot: empty, or `name/`.
    prefix: String,
    shared: FileSet,
    below: HashMap<PathBuf, FileSet>,
    own: HashMap<PathBuf, FileSet>,
    /// Of sets of files whether one of them mentions the control stream.
    speaking: HashMap<FileSetDigest, bool>,
}

impl TreeInputs {
    /// Returns the input files of a tree; `owners` are the directories of tests.
    pub(crate) fn new(files: Arc<TreeFiles>, owners: &BTreeSet<PathBuf>, prefix: String) -> Self {
        let shared = files.files.iter().filter(|file| home(owners, &file.path).is_none());
        // A shared symlink makes the file that it leads to an input, too.
        let shared: Vec<&TreeFile> = shared.flat_map(|file| files.with_target(file)).collect();
        let shared = candidates(shared).map(|file| file.input(&prefix)).collect();
        Self {
            shared,
            owners: owners.clone(),
            prefix,
            below: HashMap::new(),
            own: HashMap::new(),
            speaking: HashMap::new(),
            files,
        }
    }

    /// Returns the inputs of a test: what its globs match or, without globs, what it finds in the directories in which it is
    /// defined or runs.
    pub(crate) fn of_test(&mut self, globs: Option<&Globs>, directories: &[PathBuf]) -> InputFiles {
        if let Some(globs) = globs {
            return self.matching(globs).0.into();
        }
        let mut sets = vec![self.shared.clone()];
        for directory in directories {
            sets.push(self.below(directory));
            let above = directory.ancestors().skip(1);
            let outer: Vec<PathBuf> = above
                .filter(|above| self.owners.contains(*above))
                .map(Path::to_owned)
                .collect();
            sets.extend(outer.iter().map(|outer| self.own(outer)));
        }
        InputFiles::union(sets)
    }

    /// Returns whether one of the inputs mentions the control stream.
    pub(crate) fn speak(&mut self, files: &InputFiles) -> bool {
        let contents = &self.files.speaking;
        let speaks = |set: &FileSet| set.files().iter().any(|file| contents.contains(&file.digest));
        let known = &mut self.speaking;
        let mut sets = files.sets().iter();
        !contents.is_empty() && sets.any(|set| *known.entry(set.digest()).or_insert_with(|| speaks(set)))
    }

    /// Returns the files that belong to the tests of a directory, and to no test in a directory further within.
    fn own(&mut self, directory: &Path) -> FileSet {
        if let Some(set) = self.own.get(directory) {
            return set.clone();
        }
        let below = self.files.below(directory).iter();
        let own = below.filter(|file| owner(&self.owners, &file.path) == Some(directory));
        let own = candidates(own.flat_map(|file| self.files.with_target(file)));
        let set: FileSet = own.map(|file| file.input(&self.prefix)).collect();
        self.own.insert(directory.to_owned(), set.clone());
        set
    }

    /// Returns all files of the tree.
    pub(crate) fn whole(&self) -> FileSet {
        candidates(&self.files.files)
            .map(|file| file.input(&self.prefix))
            .collect()
    }

    fn below(&mut self, directory: &Path) -> FileSet {
        if let Some(set) = self.below.get(directory) {
            return set.clone();
        }
        let files = candidates(self.files.reachable(directory));
        let set: FileSet = files.map(|file| file.input(&self.prefix)).collect();
        self.below.insert(directory.to_owned(), set.clone());
        set
    }

    /// Returns the files that belong to no test.
    pub(crate) fn shared(&self) -> FileSet {
        self.shared.clone()
    }

    /// Returns the files below a test's directory that a script names.
    pub(crate) fn named(&self, mentions: &Mentions) -> FileSet {
        if mentions.name_all() {
            return self.whole();
        }
        let named = candidates(&self.files.files).filter_map(|file| {
            let home = home(&self.owners, &file.path)?;
            let input = file.input(&self.prefix);
            mentions.name(&input.path, self.prefix.len() + home).then_some(input)
        });
        named.collect()
    }

    /// Returns all files that are named, whether they belong to a test or not.
    pub(crate) fn mentioned(&self, mentions: &Mentions) -> FileSet {
        let inputs = candidates(&self.files.files).map(|file| file.input(&self.prefix));
        inputs.filter(|input| mentions.name(&input.path, 0)).collect()
    }

    /// Returns the files that globs match, and the globs that match nothing. A glob that matches a directory stands for
    /// everything below it.
    pub(crate) fn matching(&self, globs: &Globs) -> (FileSet, Vec<String>) {
        let mut used = vec![false; globs.patterns.len()];
        let mut files: Vec<InputFile> = Vec::new();
        for file in candidates(&self.files.files) {
            let matches: Vec<usize> = ancestors(&file.text).flat_map(|part| globs.set.matches(part)).collect();
            if !matches.is_empty() {
                files.push(file.input(&self.prefix));
            }
            for index in matches {
                used[index] = true;
            }
        }
        let unused = globs
            .patterns
            .iter()
            .zip(used)
            .filter(|(_, used)| !used)
            .map(|(glob, _)| glob.clone())
            .collect();
        (FileSet::new(files), unused)
    }
}

/// The globs of `extra-atex-inputs`: relative to the tree's root or, with `./`, to the directory of the .fmf file.
#[derive(Clone, Debug)]
pub(crate) struct Globs {
    patterns: Vec<String>,
    set: GlobSet,
}

impl Globs {
    /// Reads globs that are written in a file in the directory `here`.
    pub(crate) fn parse(patterns: Vec<String>, here: &Path) -> Result<Self, MetadataProblem> {
        let problem = |pattern: &str, error: &globset::Error| MetadataProblem::Glob {
            pattern: pattern.to_owned(),
            problem: error.kind().to_string(),
        };
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            let absolute = match pattern.strip_prefix("./") {
                Some(rest) if here.as_os_str().is_empty() => rest.to_owned(),
                Some(rest) => format!("{}/{rest}", globset::escape(&escaped(here))),
                None => pattern.trim_start_matches('/').to_owned(),
            };
            let glob = GlobBuilder::new(absolute.trim_end_matches('/'))
                .literal_separator(true)
                .build();
            set.add(glob.map_err(|error| problem(pattern, &error))?);
        }
        let set = set.build().map_err(|error| problem(&patterns.join(" "), &error))?;
        Ok(Self { patterns, set })
    }
}

/// Returns the files that can be inputs at all.
fn candidates<'f>(files: impl IntoIterator<Item = &'f TreeFile>) -> impl Iterator<Item = &'f TreeFile> {
    files.into_iter().filter(|file| !file.is_metadata())
}

/// Returns the directory of the test that a path belongs to: the innermost one, if such directories are nested.
fn owner<'p>(owners: &BTreeSet<PathBuf>, path: &'p Path) -> Option<&'p Path> {
    path.ancestors().skip(1).find(|directory| owners.contains(*directory))
}

/// Returns the length of the part of a path that is the outermost directory of a test.
fn home(owners: &BTreeSet<PathBuf>, path: &Path) -> Option<usize> {
    let above = path
        .ancestors()
        .skip(1)
        .filter(|directory| owners.contains(*directory))
        .last()?;
    Some(escaped(above).len())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::{fs, io};

    use atex_graph::InputFiles;

    use super::{Globs, Mentions, TreeFiles, TreeInputs};

    fn inputs(root: &Path, owners: &[&str]) -> TreeInputs {
        let files = TreeFiles::read((root, &[]), None, &mut Vec::new());
        let owners = owners.iter().map(PathBuf::from).collect();
        TreeInputs::new(Arc::new(files), &owners, String::new())
    }

    fn tree() -> io::Result<tempfile::TempDir> {
        let dir = tempfile::tempdir()?;
        let files = [
            ".fmf/version",
            "main.fmf",
            "lib/x.sh",
            "README",
            "atex.toml",
            "t/a/main.fmf",
            "t/a/run",
            "t/a/d/f",
            "t/b/run",
        ];
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent"))?;
            fs::write(path, file)?;
        }
        Ok(dir)
    }

    fn paths(files: &InputFiles) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_test_depends_on_its_directory_and_on_what_belongs_to_no_test() -> io::Result<()> {
        let dir = tree()?;
        let mut inputs = inputs(dir.path(), &["t/a", "t/b"]);
        assert_eq!(
            paths(&inputs.of_test(None, &["t/a".into()])),
            ["README", "lib/x.sh", "t/a/d/f", "t/a/run"]
        );
        let everything = inputs.of_test(None, &["".into()]);
        assert_eq!(
            paths(&everything),
            ["README", "lib/x.sh", "t/a/d/f", "t/a/run", "t/b/run"]
        );
        Ok(())
    }

    #[test]
    fn an_empty_directory_is_an_input_like_a_file() -> io::Result<()> {
        let dir = tree()?;
        for empty in ["t/a/empty", "t/b/empty", "lib/empty"] {
            fs::create_dir(dir.path().join(empty))?;
        }
        let mut inputs = inputs(dir.path(), &["t/a", "t/b"]);
        assert_eq!(
            paths(&inputs.of_test(None, &["t/a".into()])),
            ["README", "lib/empty", "lib/x.sh", "t/a/d/f", "t/a/empty", "t/a/run"]
        );
        let named: InputFiles = inputs.named(&Mentions::of(std::iter::once("ls t/b/empty"))).into();
        assert_eq!(paths(&named), ["t/b/empty"]);
        Ok(())
    }

    #[test]
    fn a_script_depends_on_what_it_names() -> io::Result<()> {
        let dir = tree()?;
        let inputs = inputs(dir.path(), &["t/a", "t/b"]);
        let named = |script: &str| -> InputFiles { inputs.named(&Mentions::of(std::iter::once(script))).into() };
        assert_eq!(paths(&named("lib/x.sh; echo t")), [""; 0]);
        assert_eq!(paths(&named("bash t/a/run")), ["t/a/run"]);
        assert_eq!(paths(&named("cp -r t/a /opt")), ["t/a/d/f", "t/a/run"]);
        Ok(())
    }

    #[test]
    fn globs_name_files_and_directories_from_the_root_or_from_here() -> io::Result<()> {
        let dir = tree()?;
        let inputs = inputs(dir.path(), &["t/a", "t/b"]);
        let matching = |globs: &[&str]| -> (InputFiles, Vec<String>) {
            let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
            let (set, unused) = inputs.matching(&Globs::parse(globs, Path::new("t/a")).expect("they are globs"));
            (set.into(), unused)
        };
        assert_eq!(paths(&matching(&["lib/*.sh", "./run"]).0), ["lib/x.sh", "t/a/run"]);
        assert_eq!(paths(&matching(&["t/*"]).0), ["t/a/d/f", "t/a/run", "t/b/run"]);
        assert_eq!(paths(&matching(&["**/run"]).0), ["t/a/run", "t/b/run"]);
        assert_eq!(paths(&matching(&["./d/"]).0), ["t/a/d/f"]);
        assert_eq!(matching(&["*.sh", "README"]).1, ["*.sh"]);
        assert!(Globs::parse(vec!["a[".into()], Path::new("")).is_err());
        Ok(())
    }
}
