//! Lint: finds what is wrong or not obeyed in the metadata of a tree, without running anything.
//!
//! Approach: the tree is read as it is written, without a context, and everything that adjust rules may set counts as possible.
//! So a finding holds in every context, or it names the rule that causes it. Values are read by the readers that `compile` itself
//! uses; therefore "lint finds nothing" means "compile refuses nothing of this kind".
//!
//! 1. `nodes` sorts the leaves into tests, plans and stories, and collects what the checks need to know of the whole tree;
//! 2. each node is checked: `keys` and `values`, then `adjust`, and by its kind `phases`, `sections` (with `coverage`) and
//!    `scripts`;
//! 3. `brought` reports named files that are not uploaded; `ids` compares all nodes; `differences` reports what tmt would do
//!    otherwise and could change a verdict, and with `--tmt` all other differences.
//!
//! Findings are data; nothing here prints. Files are only read, and nothing is fetched.

mod adjust;
mod brought;
mod code;
mod coverage;
mod differences;
mod expressions;
mod finding;
mod ids;
mod keys;
mod nodes;
mod phases;
mod score;
mod scripts;
mod sections;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use code::{LintCode, Severity};
pub use finding::Finding;
pub use score::{Blocker, Score, Share};

use atex_fmf::{self, Node, Tree};

use crate::compile::inputs::files::TreeFiles;
use crate::compile::metadata::names::nearest;
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::NodeKind;
use crate::compile::plan::guests;
use finding::Findings;
use nodes::NodesByKind;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct LintRequest {
    /// Where to look for the tree: its root, or any directory below it.
    pub start: PathBuf,
    /// The names of the nodes to check: an exact name, or else a Python-style regex to search for. All nodes are checked if it is
    /// empty.
    pub names: Vec<String>,
    /// Whether all differences from tmt are reported.
    pub tmt: bool,
    /// Codes that are switched off.
    pub allow: BTreeSet<LintCode>,
    /// Context dimensions that are known to be set.
    pub dimensions: BTreeSet<String>,
}

/// The result of a check.
#[derive(Clone, Debug)]
pub struct LintReport {
    /// The findings, ordered by file and line.
    pub findings: Vec<Finding>,
    /// How many tests, plans and stories were checked.
    pub nodes: usize,
    /// How far they behave as under tmt. Differences on which a script or a value of a plan depends count only if they were asked
    /// for.
    pub score: Score,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// The tree cannot be read.
    #[error(transparent)]
    Fmf(#[from] atex_fmf::Error),
    /// No node has the name that was given.
    #[error("no test, plan or story matches `{name}`")]
    UnknownName {
        /// The name as the user gave it.
        name: String,
        /// Similar names, the nearest first.
        nearest: Vec<String>,
    },
}

impl LintError {
    /// Returns advice, if there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fmf(error) => error.hint().map(str::to_owned),
            Self::UnknownName { nearest, .. } => {
                let nearest = nearest.first()?;
                Some(format!("did you mean `{nearest}`?"))
            }
        }
    }
}

/// The state that the checks of all nodes share.
struct Linter<'t> {
    tree: &'t Tree,
    /// The file names of the tree; the contents are not read.
    files: TreeFiles,
    nodes: NodesByKind<'t>,
    findings: Findings,
}

/// Checks a tree.
pub fn lint(request: &LintRequest) -> Result<LintReport, LintError> {
    let tree = Tree::load(&request.start)?;
    let inline = nodes::inline_tests(&tree);
    let nodes = NodesByKind::of(&tree, &inline, request.dimensions.clone());
    let chosen = choose(&nodes, &request.names)?;
    let mut linter = Linter {
        tree: &tree,
        files: TreeFiles::names(tree.root()),
        nodes,
        findings: Findings::new(tree.root().to_owned(), request.allow.clone()),
    };
    for (place, (kind, node)) in chosen.iter().enumerate() {
        if let Some(blockers) = &mut linter.findings.blockers {
            blockers.begin(place);
        }
        linter.node(*kind, *node);
        differences::check_verdict(&mut linter, *kind, *node);
        if request.tmt {
            differences::check(&mut linter, *kind, *node);
        }
    }
    let score = linter.findings.blockers.take().unwrap_or_default().into_score(&chosen);
    let names: BTreeSet<&str> = chosen.iter().map(|(_, node)| node.name()).collect();
    ids::check(&mut linter, &names);
    adjust::check_merging(&mut linter, &names);
    brought::check_links(&mut linter, &chosen, request.names.is_empty());
    Ok(LintReport {
        findings: linter.findings.into_sorted(),
        nodes: chosen.iter().filter(|(kind, _)| *kind != NodeKind::Other).count(),
        score,
    })
}

/// Returns the nodes that were asked for.
fn choose<'t>(nodes: &NodesByKind<'t>, names: &[String]) -> Result<Vec<(NodeKind, Node<'t>)>, LintError> {
    if names.is_empty() {
        return Ok(nodes.all.clone());
    }
    let mut chosen = vec![false; nodes.all.len()];
    for name in names {
        let mut found = false;
        let exact = nodes.all.iter().any(|(_, node)| node.name() == name);
        for ((_, node), chosen) in nodes.all.iter().zip(&mut chosen) {
            let matches = if exact {
                node.name() == name
            } else {
                atex_fmf::regex::search(name, node.name()).map_err(atex_fmf::Error::from)?
            };
            *chosen |= matches;
            found |= matches;
        }
        if !found {
            let nearest = nearest(name, nodes.all.iter().map(|(_, node)| node.name()));
            let name = name.clone();
            return Err(LintError::UnknownName { name, nearest });
        }
    }
    let all = nodes.all.iter().zip(chosen);
    Ok(all.filter(|(_, chosen)| *chosen).map(|(node, _)| *node).collect())
}

impl<'t> Linter<'t> {
    /// Checks a single node.
    fn node(&mut self, kind: NodeKind, node: Node<'t>) {
        let scope = self.scope(kind, node);
        keys::check(self, &scope, kind);
        values::check(self, &scope, kind, node.dir());
        adjust::check(self, &scope, kind, node);
        match kind {
            NodeKind::Test => scripts::check_test(self, &scope, node),
            NodeKind::Plan => {
                values::refused(self, &scope, guests::check(&scope, &mut |_| Ok(true)));
                phases::check(self, &scope);
                sections::check(self, &scope, node);
            }
            NodeKind::Story | NodeKind::Other => {}
        }
    }

    fn scope(&self, kind: NodeKind, node: Node<'t>) -> Scope<'t> {
        nodes::scope(self.tree, kind, node)
    }

    fn add(
        &mut self,
        code: LintCode,
        at: (&Scope<'_>, &str),
        word: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.findings.add(code, at, word, message.into(), hint);
    }

    /// Notes what would have to be fetched to be checked.
    fn note_remote(&mut self, urls: &[String]) {
        if let Some(blockers) = &mut self.findings.blockers {
            for url in urls {
                blockers.note_remote(url);
            }
        }
    }

    fn root(&self) -> &'t Path {
        self.tree.root()
    }
}
