//! `how: install` installs packages with the SUT's own package manager. The half that runs on a SUT is in
//! `src/exec/worker/packages.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::{Sourced, StepAction, StepOptions};

use super::{How, Keys, StepKind};
use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::{LeftOut, of_word};
use crate::compile::lint::LintCode;
use crate::compile::metadata::read::Scope;
use crate::compile::script::named_files::Mentions;
use crate::compile::script::read_files::inside;
use crate::compile::spec::{InstallSpec, PhaseAction};

/// The key for what to install: a text or a list of texts, each the name of a package, an address, or a file of the tree.
const PACKAGE: &str = "package";

/// The key for directories of the tree, all packages of which are installed.
const DIRECTORY: &str = "directory";

/// The key for repositories of Copr.
const COPR: &str = "copr";

/// The key for what is not to be installed.
const EXCLUDE: &str = "exclude";

/// The key for what to do about a package that cannot be installed: `fail` or `skip`.
const MISSING: &str = "missing";

pub(super) const HOW: How = How {
    word: "install",
    steps: &[StepKind::Prepare],
    content: PACKAGE,
    keys: Keys {
        // What is installed is always looked for first, which changes nothing of the outcome.
        read: &[PACKAGE, DIRECTORY, COPR, EXCLUDE, MISSING, "check-first"],
        known: &[],
    },
    empty: LintCode::EmptyPackage,
    read,
};

/// Reads a phase. It becomes one transaction, so neither the order of the packages nor repetition matters.
fn read(phase: &Scope<'_>) -> Result<Option<PhaseAction>, CompileError> {
    let words = |key| {
        let mut words: Vec<String> = phase.texts(key)?.iter().map(|text| text.trim().to_owned()).collect();
        words.retain(|word| !word.is_empty());
        words.sort_unstable();
        words.dedup();
        Ok::<_, CompileError>(words)
    };
    let directory = |text: String| {
        let path = inside(Path::new(""), text.trim_start_matches('/'));
        let path = path
            .and_then(|path| path.to_str().map(str::to_owned))
            .filter(|path| !path.is_empty());
        path.ok_or_else(|| phase.error(DIRECTORY, MetadataProblem::LeadsOut { key: DIRECTORY, text }))
    };
    let skips_missing = match phase.value(MISSING) {
        None => false,
        Some(value) => match value.as_str() {
            Some("fail") => false,
            Some("skip") => true,
            _ => return Err(phase.wrong(MISSING, "`fail` or `skip`", value)),
        },
    };
    let spec = InstallSpec {
        packages: words(PACKAGE)?,
        directories: words(DIRECTORY)?.into_iter().map(directory).collect::<Result<_, _>>()?,
        copr: words(COPR)?,
        exclude: words(EXCLUDE)?,
        skips_missing,
    };
    if let Some(file) = files(&spec).find(|file| inside(Path::new(""), file).is_none()) {
        let text = file.to_owned();
        return Err(phase.error(PACKAGE, MetadataProblem::LeadsOut { key: PACKAGE, text }));
    }
    let is_empty = spec.packages.is_empty() && spec.directories.is_empty();
    Ok((!is_empty).then_some(PhaseAction::Install(spec)))
}

pub(super) fn input(spec: &InstallSpec, origin: Option<Arc<str>>) -> StepAction {
    let mut options = StepOptions::new();
    for (key, words) in [
        (DIRECTORY, &spec.directories),
        (COPR, &spec.copr),
        (EXCLUDE, &spec.exclude),
    ] {
        if !words.is_empty() {
            options.insert(key, words.clone());
        }
    }
    if spec.skips_missing {
        options.insert(MISSING, vec!["skip".to_owned()]);
    }
    StepAction::Install {
        packages: Sourced {
            value: spec.packages.clone(),
            origin,
        },
        options,
    }
}

/// Returns the packages that are files of the tree.
fn files(spec: &InstallSpec) -> impl Iterator<Item = &str> {
    spec.packages
        .iter()
        .map(String::as_str)
        .filter(|package| is_file(package))
}

/// Returns whether a package is a file of the tree, and not the name of one or an address.
fn is_file(package: &str) -> bool {
    [".rpm", ".deb", ".apk"].iter().any(|end| package.ends_with(end)) && !package.contains("://")
}

/// Returns the packages that are files of the tree, wherever they are.
pub(super) fn brought(spec: &InstallSpec) -> Option<Mentions> {
    let directories = spec.directories.iter().map(|directory| format!("{directory}/"));
    let words: Vec<String> = files(spec)
        .map(|file| file.trim_start_matches('/').to_owned())
        .chain(directories)
        .collect();
    (!words.is_empty()).then(|| Mentions::of_words(words.iter().map(String::as_str)))
}

/// Returns the files and directories that are not in the tree.
pub(super) fn missing(spec: &InstallSpec, root: &Path) -> Vec<PathBuf> {
    let files = files(spec).map(|file| file.trim_start_matches('/'));
    let all = files
        .chain(spec.directories.iter().map(String::as_str))
        .map(PathBuf::from);
    all.filter(|path| !root.join(path).exists()).collect()
}

/// Returns the packages that git ignores. Only a package that is a file of the tree can be left out.
pub(super) fn left_out(spec: &InstallSpec, files: &TreeFiles, prefix: &str) -> Vec<LeftOut> {
    let is_path = |package: &&str| package.contains('/') || is_file(package);
    let words = spec
        .packages
        .iter()
        .filter_map(|package| package.strip_prefix(prefix))
        .filter(is_path);
    let words = words.map(|word| (PACKAGE, word));
    let directories = spec.directories.iter().filter_map(|path| path.strip_prefix(prefix));
    let all = words.chain(directories.map(|path| (DIRECTORY, path)));
    all.filter_map(|(key, word)| of_word(files, key, word, Path::new("")))
        .collect()
}
