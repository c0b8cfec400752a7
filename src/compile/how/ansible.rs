//! `how: ansible` runs playbooks with the `ansible-playbook` of this host. The half that runs is in `src/exec/worker/playbook.rs`.
//!
//! Ansible reads its files on this host, in the plan's own tree. Which files these are cannot be known from outside, so the rule
//! for what is in the key errs towards too much: the files that belong to no test, the directory of each playbook, and what its
//! text names. Users who know better can set `extra-atex-inputs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::{BlobDigest, Sourced, StepAction, StepOptions};

use super::{How, Keys, StepKind};
use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::fetch;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::{LeftOut, of_word};
use crate::compile::lint::LintCode;
use crate::compile::metadata::read::Scope;
use crate::compile::script::named_files::Mentions;
use crate::compile::script::read_files::inside;
use crate::compile::spec::{PhaseAction, Playbook};
use crate::host;

/// The key for playbooks: a text or a list of texts.
const PLAYBOOK: &str = "playbook";

/// The same under another name, as in tmt. Those of `playbook` run first.
const PLAYBOOKS: &str = "playbooks";

/// The key for further arguments: a text that is split into words as a shell does it.
const EXTRA_ARGS: &str = "extra-args";

pub(super) const HOW: How = How {
    word: "ansible",
    steps: &StepKind::ALL,
    content: PLAYBOOK,
    keys: Keys {
        read: &[PLAYBOOK, PLAYBOOKS, EXTRA_ARGS],
        known: &[],
    },
    empty: LintCode::EmptyScript,
    read,
};

fn read(phase: &Scope<'_>) -> Result<Option<PhaseAction>, CompileError> {
    let mut playbooks = Vec::new();
    for key in [PLAYBOOK, PLAYBOOKS] {
        for text in phase.texts(key)? {
            let text = text.trim();
            if !text.is_empty() {
                playbooks.push(playbook(text).ok_or_else(|| phase.error(key, outside(key, text)))?);
            }
        }
    }
    let extra_args = match phase.text(EXTRA_ARGS)? {
        None => Vec::new(),
        Some(text) => shlex::split(&text).ok_or_else(|| phase.error(EXTRA_ARGS, MetadataProblem::OpenQuote(text)))?,
    };
    Ok((!playbooks.is_empty()).then_some(PhaseAction::Ansible { playbooks, extra_args }))
}

fn outside(key: &'static str, text: &str) -> MetadataProblem {
    MetadataProblem::LeadsOut {
        key,
        text: text.to_owned(),
    }
}

/// Reads the name of a playbook. Returns `None` for a path that leads out of the tree.
fn playbook(text: &str) -> Option<Playbook> {
    if is_url(text) {
        let (url, content) = (text.to_owned(), None);
        return Some(Playbook::Url { url, content });
    }
    if is_of_collection(text) {
        return Some(Playbook::Collection(text.to_owned()));
    }
    // A slash at the beginning means the root of the tree, also after `file://`.
    let path = text.strip_prefix("file://").unwrap_or(text);
    let path = inside(Path::new(""), path.trim_start_matches('/'))?;
    let path = path.to_str().filter(|path| !path.is_empty())?;
    Some(Playbook::File(path.to_owned()))
}

fn is_url(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Returns whether a text names a playbook of a collection, `namespace.collection.name`, and not a file.
fn is_of_collection(text: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let parts: Vec<&str> = text.split('.').collect();
    let is_file = matches!(parts.last(), Some(&("yml" | "yaml")));
    parts.len() == 3 && parts.into_iter().all(is_word) && !is_file
}

/// Fetches the playbooks that are pages of the web.
pub(super) fn fetch(playbooks: &mut [Playbook]) -> Result<(), fetch::FetchError> {
    for playbook in playbooks {
        if let Playbook::Url { url, content } = playbook {
            *content = Some(fetch::page::fetch(url)?.into());
        }
    }
    Ok(())
}

pub(super) fn input(playbooks: &[Playbook], extra_args: &[String], origin: Option<Arc<str>>) -> StepAction {
    let mut options = StepOptions::new();
    if !extra_args.is_empty() {
        options.insert(EXTRA_ARGS, extra_args.to_vec());
    }
    let digests = fetched(playbooks);
    if !digests.is_empty() {
        options.insert("fetched", digests);
    }
    StepAction::Ansible {
        playbooks: Sourced {
            value: playbooks.iter().map(|playbook| playbook.name().to_owned()).collect(),
            origin,
        },
        options,
    }
}

/// Returns the digests of the pages that were fetched.
pub(super) fn fetched(playbooks: &[Playbook]) -> Vec<String> {
    playbooks
        .iter()
        .filter_map(|playbook| match playbook {
            Playbook::Url { content, .. } => content.as_ref().map(|content| BlobDigest::of(content).to_string()),
            Playbook::File(_) | Playbook::Collection(_) => None,
        })
        .collect()
}

/// Returns the files of the tree that the playbooks are in.
pub(super) fn files(playbooks: &[Playbook]) -> impl Iterator<Item = &str> {
    playbooks.iter().filter_map(|playbook| match playbook {
        Playbook::File(path) => Some(path.as_str()),
        Playbook::Collection(_) | Playbook::Url { .. } => None,
    })
}

/// Returns the files that playbooks mention: their directories, and what their texts name.
pub(super) fn mentions(playbooks: &[Playbook], tree: &TreeFiles) -> Mentions {
    let mut texts = Vec::new();
    for path in files(playbooks) {
        if let Some((directory, _)) = path.rsplit_once('/') {
            texts.push(format!("{directory}/"));
        }
        let text = host::file::read(&tree.root.join(path)).unwrap_or_default();
        texts.push(String::from_utf8_lossy(&text).into_owned());
        texts.push(path.to_owned());
    }
    for playbook in playbooks {
        if let Playbook::Url {
            content: Some(content), ..
        } = playbook
        {
            texts.push(String::from_utf8_lossy(content).into_owned());
        }
    }
    if texts.iter().any(|text| computes_a_path(text)) {
        return Mentions::everything();
    }
    // Brackets are lists and mappings here, and no patterns.
    let words: Vec<String> = texts
        .iter()
        .map(|text| text.replace(['[', ']', '{', '}', ','], " "))
        .collect();
    Mentions::of_words(words.iter().map(String::as_str))
}

/// Returns whether a text has a path of which a part is only known when the playbook runs. Only the directory of the playbook
/// itself is known.
fn computes_a_path(text: &str) -> bool {
    let ends = text.match_indices("}}/").map(|(at, _)| &text[..at]);
    let mut known = ends.map(|before| before.trim_end().ends_with("playbook_dir"));
    known.any(|known| !known) || text.contains("/{{")
}

/// Returns the playbooks that git ignores. Nothing of them would be in the key.
pub(super) fn left_out(playbooks: &[Playbook], tree: &TreeFiles) -> Vec<LeftOut> {
    files(playbooks)
        .filter_map(|path| of_word(tree, PLAYBOOK, path, Path::new("")))
        .collect()
}

/// Returns the playbooks that are not in the tree.
pub(super) fn missing(playbooks: &[Playbook], root: &Path) -> Vec<PathBuf> {
    files(playbooks)
        .map(PathBuf::from)
        .filter(|path| !root.join(path).is_file())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_is_a_file_a_page_or_of_a_collection() {
        let file = |path: &str| Some(Playbook::File(path.to_owned()));
        for (text, expected) in [
            ("ansible/Web.yml", file("ansible/Web.yml")),
            ("/ansible/./x.yml", file("ansible/x.yml")),
            ("file://x.yml", file("x.yml")),
            ("file:///a/x.yml", file("a/x.yml")),
            ("a/../x.yml", file("x.yml")),
            ("my.play.yml", file("my.play.yml")),
            ("ns.coll.play", Some(Playbook::Collection("ns.coll.play".to_owned()))),
            ("../x.yml", None),
            ("a/../../x.yml", None),
            ("/", None),
        ] {
            assert_eq!(playbook(text), expected, "{text}");
        }
        assert!(matches!(playbook("HTTPS://a/B.yml"), Some(Playbook::Url { url, .. }) if url == "HTTPS://a/B.yml"));
    }

    #[test]
    fn only_a_path_with_an_unknown_part_is_computed() {
        for text in [
            "src: '{{ dir }}/x'",
            "src: files/{{ name }}",
            "a: '{{ playbook_dir }}/x' \nb: '{{ b }}/x'",
        ] {
            assert!(computes_a_path(text), "{text}");
        }
        for text in [
            "name: '{{ item }}'",
            "src: '{{ playbook_dir }}/../x'",
            "src: files/x",
            "",
        ] {
            assert!(!computes_a_path(text), "{text}");
        }
    }
}
