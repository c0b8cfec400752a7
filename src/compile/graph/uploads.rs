//! Uploads: which trees a SUT gets. There is one slot for each set of sections, with their whole trees.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::InputFile;

use crate::compile::FilesOfTrees;
use crate::compile::inputs::files::{TreeFile, TreeFiles, escaped};
use crate::compile::library::of_plan::LibraryFiles;
use crate::compile::metadata::trees::Trees;
use crate::compile::plan::Plan;
use crate::compile::plan::sections::{Repository, Section, Source};
use crate::compile::spec::{UploadFile, UploadId, UploadKind, UploadSpec};

/// The slot of the request's own tree.
pub(crate) const MAIN: &str = "main";

/// The uploads of a workload.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) specs: Vec<UploadSpec>,
    /// The files of libraries in each upload.
    libraries: Vec<LibraryFiles>,
    by_slot: HashMap<String, UploadId>,
}

/// A file of a library, and the file of the tree that is in its way.
#[derive(Debug)]
pub(crate) struct Collision {
    pub(crate) place: PathBuf,
    pub(crate) file: PathBuf,
}

impl Uploads {
    /// Returns the upload of a plan, with the files of its libraries, and makes it at first use. Plans with one tree share it where
    /// their libraries do not contradict each other.
    pub(crate) fn of_plan(&mut self, plan: &Plan, trees: (&Trees, &FilesOfTrees), libraries: LibraryFiles) -> UploadId {
        let mut slot = slot(plan);
        if let Some(id) = self.by_slot.get(&slot)
            && !agree(&self.libraries[id.0 as usize], &libraries)
        {
            slot = slot_of_libraries(&slot, &libraries);
        }
        if let Some(&id) = self.by_slot.get(&slot) {
            self.libraries[id.0 as usize].extend(libraries);
            return id;
        }
        let content = content(plan, trees);
        let id = UploadId(u32::try_from(self.specs.len()).unwrap_or(u32::MAX));
        self.specs.push(UploadSpec {
            slot: slot.clone(),
            files: Arc::new(content),
        });
        self.libraries.push(libraries);
        self.by_slot.insert(slot, id);
        id
    }

    /// Returns the uploads with all their files.
    pub(crate) fn complete(self) -> Vec<UploadSpec> {
        let all = self.specs.into_iter().zip(self.libraries);
        let complete = all.map(|(mut spec, libraries)| {
            if !libraries.is_empty() {
                let is_filled = |file: &UploadFile| {
                    let below = libraries.range(file.path.clone()..).next();
                    file.kind == UploadKind::Directory && below.is_some_and(|(path, _)| path.starts_with(&file.path))
                };
                let mut files: Vec<UploadFile> = spec.files.iter().filter(|file| !is_filled(file)).cloned().collect();
                files.extend(libraries.into_values());
                files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
                spec.files = Arc::new(files);
            }
            spec
        });
        complete.collect()
    }
}

/// Returns whether libraries can lie in one slot: where they have a path in common, it is the same file, and none has files in a
/// directory of the other's.
fn agree(left: &LibraryFiles, right: &LibraryFiles) -> bool {
    let directories = |files: &LibraryFiles| -> BTreeSet<PathBuf> {
        let directories = files.keys().filter(|path| path.ends_with("main.fmf"));
        directories
            .filter_map(|path| path.parent())
            .map(Path::to_owned)
            .collect()
    };
    let same = |(path, file): (&PathBuf, &UploadFile)| right.get(path).is_none_or(|other| other.kind == file.kind);
    let whole = |one: &LibraryFiles, other: &LibraryFiles| {
        directories(one)
            .iter()
            .filter(|place| other.contains_key(&place.join("main.fmf")))
            .all(|place| {
                let mut within = other.keys().filter(|path| path.starts_with(place));
                within.all(|path| one.contains_key(path))
            })
    };
    left.iter().all(same) && whole(left, right) && whole(right, left)
}

/// Returns the files of the trees of a plan, sorted by path.
fn content(plan: &Plan, (trees, files): (&Trees, &FilesOfTrees)) -> Vec<UploadFile> {
    let mut content = Vec::new();
    for (tree, prefix) in plan.places(trees) {
        if let Some(files) = files.get(&tree) {
            extend(&mut content, &prefix, files);
        }
    }
    content.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    content
}

/// Finds a library that would lie where the trees of a plan have a file, or below one, or whose directory holds files of them.
pub(crate) fn collision(
    plan: &Plan,
    trees: (&Trees, &FilesOfTrees),
    libraries: &LibraryFiles,
    places: &[&Path],
) -> Option<Collision> {
    let files = content(plan, trees);
    let is_file = |file: &&UploadFile| file.kind != UploadKind::Directory;
    let at = |path: &Path| {
        files
            .binary_search_by(|file| file.path.as_path().cmp(path))
            .ok()
            .map(|at| &files[at])
    };
    let mut all = libraries.keys().map(PathBuf::as_path).chain(places.iter().copied());
    all.find_map(|place| {
        let in_the_way = place.ancestors().find_map(|above| at(above).filter(is_file));
        let after = files.partition_point(|file| file.path.as_path() < place);
        let mut below = files[after..].iter().take_while(|file| file.path.starts_with(place));
        let file = in_the_way.or_else(|| below.find(is_file))?;
        Some(Collision {
            place: place.to_owned(),
            file: file.path.clone(),
        })
    })
}

/// Returns the name of a slot for a plan whose libraries contradict those in the slot that it would share.
fn slot_of_libraries(slot: &str, libraries: &LibraryFiles) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("atex slot of libraries 1");
    hasher.update(slot.as_bytes());
    for input in libraries.values().filter_map(|file| file.input().1) {
        hasher.update(&(input.path.len() as u64).to_le_bytes());
        hasher.update(input.path.as_bytes());
        hasher.update(input.digest.as_bytes());
    }
    format!("s-{}", &hasher.finalize().to_hex()[..16])
}

/// Returns the name of an upload's file as an input of a node, and the input itself, which is `None` for a directory.
pub(crate) fn input(file: &UploadFile) -> (String, Option<InputFile>) {
    let is_directory = file.kind == UploadKind::Directory;
    let file = TreeFile {
        path: file.path.clone(),
        text: escaped(&file.path),
        kind: file.kind.clone(),
        beyond: file.beyond,
    };
    let input = (!is_directory).then(|| file.input(""));
    (file.text, input)
}

fn extend(content: &mut Vec<UploadFile>, prefix: &str, files: &TreeFiles) {
    content.extend(files.files.iter().map(|file| UploadFile {
        path: Path::new(prefix).join(&file.path),
        source: files.root.join(&file.path),
        kind: file.kind.clone(),
        beyond: file.beyond,
        content: None,
    }));
}

/// Returns `main` for the tree itself, or else a name made from what the sections say, which is the same in every checkout.
fn slot(plan: &Plan) -> String {
    let is_own = |section: &Section| section.name.is_none() && section.source.is_own();
    if plan.home.sources.is_empty() && plan.sections.iter().all(is_own) {
        return MAIN.to_owned();
    }
    let mut hasher = blake3::Hasher::new_derive_key("atex slot of sections 1");
    if !plan.home.sources.is_empty() {
        hasher = blake3::Hasher::new_derive_key("atex slot of an imported plan 1");
        hasher.update(&(plan.home.sources.len() as u64).to_le_bytes());
    }
    let mut text = |part: Option<&str>| {
        let part = part.map_or(&[][..], str::as_bytes);
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    };
    let homes = plan.home.sources.iter().map(|source| (None, source));
    let sections = plan
        .sections
        .iter()
        .map(|section| (section.name.as_deref(), &section.source));
    for (name, source) in homes.chain(sections) {
        text(name);
        match source {
            Source::Own | Source::Inline { repository: None, .. } => text(Some("own")),
            Source::Inline {
                repository: Some(Repository { url, reference }),
                ..
            } => {
                for part in [Some("url"), Some(url), reference.as_deref(), None] {
                    text(part);
                }
            }
            Source::Path(path) => {
                text(Some("path"));
                text(Some(&path.to_string_lossy()));
            }
            Source::Url { url, reference, path } => {
                for part in [Some("url"), Some(url), reference.as_deref(), path.as_deref()] {
                    text(part);
                }
            }
        }
    }
    format!("s-{}", &hasher.finalize().to_hex()[..16])
}
