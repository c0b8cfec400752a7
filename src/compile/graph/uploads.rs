//! Uploads: which trees a SUT gets. There is one slot for each set of sections, with their whole trees.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use atex_graph::InputFile;

use crate::compile::inputs::files::{TreeFile, TreeFiles, escaped};
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::plan::Plan;
use crate::compile::plan::sections::{Repository, Source};
use crate::compile::spec::{UploadFile, UploadId, UploadSpec};

/// The slot of the request's own tree.
pub(crate) const MAIN: &str = "main";

/// The uploads of a workload.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) specs: Vec<UploadSpec>,
    by_slot: HashMap<String, UploadId>,
}

impl Uploads {
    /// Returns the upload of a plan and makes it at first use.
    pub(crate) fn of_plan(&mut self, plan: &Plan, trees: &Trees, files: &HashMap<TreeId, Arc<TreeFiles>>) -> UploadId {
        let slot = slot(plan);
        if let Some(id) = self.by_slot.get(&slot) {
            return *id;
        }
        let mut content = Vec::new();
        for (tree, prefix) in plan.places(trees) {
            if let Some(files) = files.get(&tree) {
                extend(&mut content, &prefix, files);
            }
        }
        content.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        let id = UploadId(u32::try_from(self.specs.len()).unwrap_or(u32::MAX));
        self.specs.push(UploadSpec {
            slot: slot.clone(),
            files: Arc::new(content),
        });
        self.by_slot.insert(slot, id);
        id
    }
}

/// Returns the name of an upload's file as an input of a node, and the input itself, which is `None` for a directory.
pub(crate) fn input(file: &UploadFile) -> (String, Option<InputFile>) {
    let file = TreeFile {
        path: file.path.clone(),
        text: escaped(&file.path),
        kind: file.kind.clone(),
        beyond: file.beyond,
    };
    let input = file.input("");
    (file.text, input)
}

fn extend(content: &mut Vec<UploadFile>, prefix: &str, files: &TreeFiles) {
    content.extend(files.files.iter().map(|file| UploadFile {
        path: Path::new(prefix).join(&file.path),
        source: files.root.join(&file.path),
        kind: file.kind.clone(),
        beyond: file.beyond,
    }));
}

/// Returns `main` for the tree itself, or else a name made from what the sections say, which is the same in every checkout.
fn slot(plan: &Plan) -> String {
    if plan
        .sections
        .iter()
        .all(|section| section.name.is_none() && section.source.is_own())
    {
        return MAIN.to_owned();
    }
    let mut hasher = blake3::Hasher::new_derive_key("atex slot of sections 1");
    let mut text = |part: Option<&str>| {
        let part = part.map_or(&[][..], str::as_bytes);
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    };
    for section in &plan.sections {
        text(section.name.as_deref());
        match &section.source {
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
