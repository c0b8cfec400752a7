//! A library: its files, as tmt puts them beside tests, and what it requires itself.
//!
//! Only its own directory is brought, and the `.fmf` directories of its repository, and the files that it requires by a pattern.
//! One `main.fmf` with all data that it inherits takes the place of the .fmf files in its directory, where `rlImport` reads it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::BlobDigest;

use super::repository::Repository;
use super::requirement::{self, LibraryId, LibrarySource, Requirement};
use super::{patterns, yaml};
use crate::compile::inputs::files::{Lost, TreeFile, TreeFiles};
use crate::compile::spec::{UploadFile, UploadKind};

/// A library of tests. All paths are relative to the directory of the section.
#[derive(Debug)]
pub(crate) struct Library {
    /// The files in its directory.
    pub(crate) files: Vec<UploadFile>,
    /// What is brought beside its directory.
    pub(crate) others: Vec<UploadFile>,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) recommends: Vec<Requirement>,
    /// The commit that it is of; see [`Repository::revision`].
    pub(crate) revision: String,
}

impl Library {
    /// Finds a library in its repository. The error says for people why that is not possible.
    pub(crate) fn find(id: &LibraryId, repository: &Repository) -> Result<Self, String> {
        let Repository { tree, files, root, .. } = repository;
        let name = Path::new(&id.name).strip_prefix("/").unwrap_or(Path::new(""));
        let missing = || format!("there is no library `{}`", id.name);
        let node = tree
            .find(&Path::new("/").join(name).to_string_lossy())
            .ok_or_else(missing)?;
        let (directory, _) = files.resolved(&root.join(name));
        let directory = directory.map_err(|lost| match lost {
            Lost::Circle => missing(),
            Lost::Outside | Lost::Absolute => format!("`{}` leads out of the repository", id.name),
        })?;
        let below = files.below(&directory);
        if below.is_empty() {
            return Err(missing());
        }
        let place = id.place();
        let is_replaced =
            |path: &Path| path.components().count() == 1 && path.extension().is_some_and(|fmf| fmf == "fmf");
        let mut own: Vec<UploadFile> = brought(files, below, &directory, &place)
            .filter(|file| !file.path.strip_prefix(&place).is_ok_and(is_replaced))
            .collect();
        let metadata = yaml::text(node.data());
        own.push(UploadFile {
            path: place.join("main.fmf"),
            source: PathBuf::from("main.fmf"),
            kind: UploadKind::File {
                digest: BlobDigest::of(metadata.as_bytes()),
                executable: false,
                size: metadata.len() as u64,
            },
            beyond: None,
            content: Some(Arc::from(metadata.as_bytes())),
        });
        let read = |key: &str| {
            requirement::parse(node.data().get(key)).map_err(|problem| format!("`{key}` of `{}`: {problem}", id.name))
        };
        let (requires, recommends) = (read("require")?, read("recommend")?);
        // The tree of the library, beside tests.
        let here = match &id.source {
            LibrarySource::Url { .. } => id.repository.join(root),
            LibrarySource::OfTest | LibrarySource::Path(_) => id.repository.clone(),
        };
        let settings = [(PathBuf::new(), &id.repository), (root.clone(), &here)].into_iter();
        let mut others: Vec<UploadFile> = settings
            .flat_map(|(from, to)| brought(files, files.below(&from.join(".fmf")), &from, to).collect::<Vec<_>>())
            .collect();
        for requirement in requires.iter().chain(&recommends) {
            if let Requirement::Files(patterns) = requirement {
                others.extend(brought(
                    files,
                    patterns::matching(files, patterns)?,
                    Path::new(""),
                    &here,
                ));
            }
        }
        Ok(Self {
            files: own,
            others,
            requires,
            recommends,
            revision: repository.revision.clone(),
        })
    }
}

/// Returns files of a tree as they lie below `to`, where those below `from` are brought.
fn brought<'f>(
    files: &'f TreeFiles,
    which: impl IntoIterator<Item = &'f TreeFile>,
    from: &'f Path,
    to: &'f Path,
) -> impl Iterator<Item = UploadFile> {
    which.into_iter().map(move |file| UploadFile {
        path: to.join(file.path.strip_prefix(from).unwrap_or(&file.path)),
        source: files.root.join(&file.path),
        kind: file.kind.clone(),
        beyond: file.beyond,
        content: None,
    })
}
