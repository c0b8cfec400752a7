//! The patterns of required files, by tmt's rule: each is a regex that is searched for in the paths of all directories and, where
//! no directory matches, of all files. A directory stands for everything in it, and `/` for the whole tree.

use std::collections::BTreeSet;
use std::path::Path;

use crate::compile::inputs::files::{TreeFile, TreeFiles, escaped};

/// Returns the files that patterns match, sorted by path. The error says that one cannot be used, or that nothing matches.
pub(crate) fn matching<'f>(files: &'f TreeFiles, patterns: &[String]) -> Result<Vec<&'f TreeFile>, String> {
    if patterns.iter().any(|pattern| pattern == "/") {
        return Ok(files.files.iter().collect());
    }
    let directories: BTreeSet<&Path> = files
        .files
        .iter()
        .flat_map(|file| file.path.ancestors().skip(1))
        .collect();
    let mut found: BTreeSet<&Path> = BTreeSet::new();
    for pattern in patterns {
        let finds = |path: &Path| {
            let found = atex_fmf::regex::search(pattern, &format!("/{}", escaped(path)));
            found.map_err(|error| format!("`{pattern}` cannot be used as a pattern: {error}"))
        };
        let mut within = Vec::new();
        for directory in directories.iter().filter(|directory| !directory.as_os_str().is_empty()) {
            if finds(directory)? {
                within.extend(files.below(directory).iter().map(|file| file.path.as_path()));
            }
        }
        if within.is_empty() {
            for file in &files.files {
                if finds(&file.path)? {
                    within.push(&file.path);
                }
            }
        }
        found.extend(within);
    }
    if found.is_empty() {
        return Err(format!("no file matches `{}`", patterns.join("`, `")));
    }
    Ok(files
        .files
        .iter()
        .filter(|file| found.contains(file.path.as_path()))
        .collect())
}
