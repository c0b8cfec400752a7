//! The libraries of a plan: what each of its tests needs, and all files that are brought for that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::FileSet;

use super::files::Library;
use super::repository::Repositories;
use super::requirement::{LibraryId, Requirement};
use super::{Needed, patterns};
use crate::compile::inputs::files::TreeFile;
use crate::compile::metadata::trees::TreeId;
use crate::compile::spec::UploadFile;

/// How many libraries the tests of a section may need. More of them are a repository that makes up new ones.
const MOST: usize = 500;

/// The files of libraries in a slot, by path.
pub(crate) type LibraryFiles = BTreeMap<PathBuf, UploadFile>;

/// The libraries of the tests of one plan.
#[derive(Debug, Default)]
pub(crate) struct PlanLibraries {
    /// By their place in the slot.
    taken: BTreeMap<PathBuf, Taken>,
}

/// A library that is brought.
#[derive(Debug)]
struct Taken {
    library: Arc<Library>,
    /// The directory of the section that has it.
    prefix: PathBuf,
}

/// A test that needs something.
#[derive(Clone, Copy)]
pub(crate) struct NeedingTest<'t> {
    pub(crate) tree: TreeId,
    /// The directory of its section in the slot: empty, or `name/`.
    pub(crate) prefix: &'t str,
    pub(crate) requires: &'t [Requirement],
    pub(crate) recommends: &'t [Requirement],
}

/// Returns whether a test needs more than packages.
pub(crate) fn is_needing(requires: &[Requirement], recommends: &[Requirement]) -> bool {
    let mut all = requires.iter().chain(recommends);
    all.any(|requirement| !matches!(requirement, Requirement::Package(_)))
}

impl PlanLibraries {
    /// Finds what a test needs. Its files are complete only in [`PlanLibraries::complete`].
    pub(crate) fn add(&mut self, repositories: &mut Repositories<'_>, test: NeedingTest<'_>) -> Needed {
        let mut needed = Needed::default();
        for requirement in test.requires.iter().chain(test.recommends) {
            if let Requirement::Files(patterns) = requirement {
                match patterns::matching(repositories.files_of(test.tree), patterns) {
                    Ok(found) => {
                        let found = found.into_iter().filter(|file: &&TreeFile| !file.is_metadata());
                        needed.files.push(found.map(|file| file.input(test.prefix)).collect());
                    }
                    Err(reason) => needed.lacks(reason),
                }
            }
        }
        self.follow(repositories, test, (test.requires, test.recommends), &mut needed);
        needed
    }

    /// Follows requirements: those of the test, and then those of its libraries. Each library is followed once, so circles end.
    fn follow(
        &mut self,
        repositories: &mut Repositories<'_>,
        test: NeedingTest<'_>,
        (requires, recommends): (&[Requirement], &[Requirement]),
        needed: &mut Needed,
    ) {
        let all = requires
            .iter()
            .map(|one| (one, true))
            .chain(recommends.iter().map(|one| (one, false)));
        for (requirement, is_required) in all {
            match requirement {
                Requirement::Files(_) => {}
                Requirement::Package(name) => needed.package(name, is_required),
                Requirement::Library(id) => {
                    let place = Path::new(test.prefix).join(id.place());
                    if needed.libraries.contains_key(&place) {
                        continue;
                    }
                    match self.take(repositories, test, id, &place) {
                        Ok(library) => {
                            needed.libraries.insert(place, library.revision.clone());
                            self.follow(repositories, test, (&library.requires, &library.recommends), needed);
                        }
                        Err(reason) => {
                            if let Some(package) = &id.package {
                                let text = format!(
                                    "`{package}` is taken for a package, because the library cannot be had: {reason}"
                                );
                                needed.replaced.push(text);
                                needed.libraries.insert(place, "the package of this name".to_owned());
                                needed.package(package, is_required);
                            } else {
                                needed.libraries.insert(place, "missing".to_owned());
                                needed.lacks(format!("library `{}`: {reason}", id.place().display()));
                            }
                        }
                    }
                }
            }
        }
    }

    fn take(
        &mut self,
        repositories: &mut Repositories<'_>,
        test: NeedingTest<'_>,
        id: &LibraryId,
        place: &Path,
    ) -> Result<Arc<Library>, String> {
        if let Some(taken) = self.taken.get(place) {
            return Ok(Arc::clone(&taken.library));
        }
        if self.taken.len() >= MOST {
            return Err(format!("the plan needs more than {MOST} libraries"));
        }
        let repository = repositories.get(&id.source, test.tree)?;
        let library = Arc::new(Library::find(id, &repository)?);
        let taken = Taken {
            library: Arc::clone(&library),
            prefix: test.prefix.into(),
        };
        self.taken.insert(place.to_owned(), taken);
        Ok(library)
    }

    /// Returns all files, and adds to what each test needs those of its libraries.
    pub(crate) fn complete<'n>(&self, needed: impl Iterator<Item = &'n mut Needed>) -> LibraryFiles {
        let mut files = LibraryFiles::new();
        // A directory comes before those in it.
        for (place, taken) in &self.taken {
            files.retain(|path, _| !path.starts_with(place));
            files.extend(taken.library.files.iter().map(|file| placed(file, &taken.prefix)));
        }
        for taken in self.taken.values() {
            for (path, file) in taken.library.others.iter().map(|file| placed(file, &taken.prefix)) {
                files.entry(path).or_insert(file);
            }
        }
        let mut sets: HashMap<&Path, FileSet> = HashMap::new();
        for (place, taken) in &self.taken {
            let others: BTreeSet<PathBuf> = taken
                .library
                .others
                .iter()
                .map(|file| placed(file, &taken.prefix).0)
                .collect();
            let own = files
                .iter()
                .filter(|(path, _)| path.starts_with(place) || others.contains(*path));
            sets.insert(place, own.filter_map(|(_, file)| file.input().1).collect());
        }
        for needed in needed {
            let own = needed.libraries.keys().filter_map(|place| sets.get(place.as_path()));
            needed.files.extend(own.cloned());
        }
        files
    }

    /// Returns the directories of all libraries in the slot.
    pub(crate) fn places(&self) -> Vec<&Path> {
        self.taken.keys().map(PathBuf::as_path).collect()
    }

    /// Returns the place of the library that has a path.
    pub(crate) fn place_of(&self, path: &Path) -> Option<&Path> {
        let is_beside = |taken: &Taken| {
            taken
                .library
                .others
                .iter()
                .any(|file| placed(file, &taken.prefix).0 == path)
        };
        // A library may lie in the directory of another.
        let mut all = self.taken.iter().rev();
        let found = all.find(|(place, taken)| path.starts_with(place) || is_beside(taken));
        found.map(|(place, _)| place.as_path())
    }
}

fn placed(file: &UploadFile, prefix: &Path) -> (PathBuf, UploadFile) {
    let path = prefix.join(&file.path);
    (path.clone(), UploadFile { path, ..file.clone() })
}

impl Needed {
    fn package(&mut self, name: &str, is_required: bool) {
        let list = if is_required {
            &mut self.requires
        } else {
            &mut self.recommends
        };
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    }

    /// Keeps the first reason why the test cannot run.
    fn lacks(&mut self, reason: String) {
        self.missing.get_or_insert(reason);
    }
}
