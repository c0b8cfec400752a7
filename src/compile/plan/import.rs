//! Plans that import plans of another tree, or of their own: the key `plan: {import: …}`.
//!
//! What `import` says is read with the plan that has it. The plans that it means are known once their tree is loaded, and then take
//! its place: they look for tests in their own tree, and get the environment and the context of the plan that imports them. A chain
//! of imports has an end: [`DEEPEST`], and no plan imports itself.

use std::path::PathBuf;
use std::sync::Arc;

use atex_fmf::regex::Pattern;
use atex_fmf::{Node, Value};

use crate::compile::error::{CompileError, MetadataProblem, TreeError};
use crate::compile::fetch::Network;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::metadata::read::{NodeReader, Scope};
use crate::compile::metadata::trees::{Adjustment, TreeId, Trees, unmarked};
use crate::compile::metadata::unsupported::Ignored;
use crate::compile::plan::context::{self, Dimensions};
use crate::compile::plan::environment::Variables;
use crate::compile::plan::sections::Source;
use crate::compile::plan::{Plan, imports, is_plan, read};
use crate::compile::spec::{Request, Warning};

/// The key of a plan.
pub(crate) const KEY: &str = "plan";

/// The keys of `import`.
pub(crate) const KEYS: [&str; 9] = [
    "adjust-plans",
    "importing",
    "inherit-context",
    "inherit-environment",
    "name",
    "path",
    "ref",
    "scope",
    "url",
];

/// How many plans may import each other in a row.
const DEEPEST: usize = 8;

/// What a plan imports.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    source: Source,
    /// The pattern that the names of the plans must begin with.
    name: String,
    scope: ImportScope,
    /// Whether the imported plans are named below this one, instead of like it.
    pub(crate) becomes_parent: bool,
    inherits_context: bool,
    inherits_environment: bool,
    /// Rules for the imported plans, which come after their own.
    rules: Vec<Value>,
    /// What the plan itself says of its context, with what it inherits.
    context: Dimensions,
    subject: String,
    /// The places of `name` and of the tree.
    cause: ValueOrigin,
    place: (&'static str, ValueOrigin),
}

/// Which of the plans that fit are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ImportScope {
    FirstPlanOnly,
    SinglePlanOnly,
    AllPlans,
}

/// Why a plan cannot import others.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A value is none of the words that the key knows.
    #[error("`{key}` is one of {known}, not `{word}`")]
    Word {
        /// The key.
        key: &'static str,
        /// The words that are known.
        known: &'static str,
        /// The value.
        word: String,
    },
    /// No plan of the tree has the name.
    #[error("no plan there begins with `{0}`")]
    Nothing(String),
    /// Several plans have the name, and only one can take the place.
    #[error("{} plans there begin with `{name}`: {}", found.len(), found.join(", "))]
    Several {
        /// The name.
        name: String,
        /// The plans.
        found: Vec<String>,
    },
    /// A plan is imported that imports the plan that imports it.
    #[error("the plan `{0}` imports itself")]
    Loop(String),
    /// Too many plans import each other in a row.
    #[error("more than {DEEPEST} plans import each other in a row")]
    TooDeep,
    /// The plan has a command for this host.
    #[error("the plan `{0}` there has a probe, and what another tree wants to run on this host is not run")]
    Probe(String),
}

/// Where a plan comes from.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// Its tree.
    pub(crate) id: TreeId,
    /// How the tree was reached from the request's, which is the same in every checkout.
    pub(crate) sources: Vec<Source>,
    /// The plans that import it, as trees and names, the first one first.
    importing: Vec<(TreeId, String)>,
}

/// What a plan gets beside what it says itself.
#[derive(Clone, Debug)]
pub(crate) struct Inherited {
    pub(crate) home: Home,
    /// The name that the plan gets instead of its own.
    pub(crate) name: Option<String>,
    pub(crate) environment: Variables,
    pub(crate) context: Dimensions,
}

impl Home {
    /// Returns the home of the plans of the request's own tree.
    pub(crate) fn own() -> Self {
        Self {
            id: TreeId::OWN,
            sources: Vec::new(),
            importing: Vec::new(),
        }
    }

    /// Returns the name of the plan of the request's own tree that imports what has this home.
    pub(crate) fn importing(&self) -> Option<&String> {
        self.importing.first().map(|(_, name)| name)
    }
}

impl Inherited {
    /// Returns what a plan of the request's own tree gets.
    pub(crate) fn nothing() -> Self {
        Self {
            home: Home::own(),
            name: None,
            environment: Variables::new(),
            context: Dimensions::new(),
        }
    }
}

/// Reads what a plan imports; `context` is what the plan says of it, with what it inherits.
pub(crate) fn of_plan(
    plan: &Scope<'_>,
    context: Dimensions,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Import>, CompileError> {
    let Some(map) = plan.value(KEY).and_then(Value::as_map) else {
        return Ok(None);
    };
    let outer = plan.inner(KEY, map, plan.subject.clone());
    let Some(value) = outer.value("import") else {
        return Ok(None);
    };
    let map = value
        .as_map()
        .ok_or_else(|| outer.wrong("import", "a mapping", value))?;
    let scope = outer.inner("import", map, format!("{}, import", plan.subject));
    for key in map.keys().filter_map(Value::as_str).filter(|key| !KEYS.contains(key)) {
        warnings.push(scope.warning(key, &format!("`{key}` is not supported and ignored")));
    }
    if plan.map.contains_key("execute") {
        warnings.push(plan.warning(
            "execute",
            "a plan that imports others has only `plan`, and the rest is ignored",
        ));
    }
    let name = scope.text("name")?;
    let (url, path, reference) = (scope.text("url")?, scope.text("path")?, scope.text("ref")?);
    let key = match (&url, &path) {
        (Some(_), _) => "url",
        (None, Some(_)) => "path",
        (None, None) => "name",
    };
    if url.is_none() && reference.is_some() {
        warnings.push(scope.warning("ref", "`ref` without `url` is not supported and ignored"));
    }
    let source = match (url, path) {
        (Some(url), path) => Source::Url { url, reference, path },
        (None, Some(path)) => Source::Path(PathBuf::from(path)),
        (None, None) => Source::Own,
    };
    let rules = scope.value("adjust-plans");
    Ok(Some(Import {
        source,
        name: name.ok_or_else(|| scope.error("name", MetadataProblem::Empty("name")))?,
        scope: import_scope(&scope)?,
        becomes_parent: match word(&scope, "importing", "replace")?.as_str() {
            "replace" => false,
            "become-parent" => true,
            _ => return Err(unknown_word(&scope, "importing", "`replace` and `become-parent`")),
        },
        inherits_context: scope.boolean("inherit-context", true)?,
        inherits_environment: scope.boolean("inherit-environment", true)?,
        rules: rules.map_or_else(Vec::new, |rules| {
            let rules = rules.as_list().unwrap_or(std::slice::from_ref(rules));
            rules.iter().map(unmarked).collect()
        }),
        context,
        subject: scope.subject.clone(),
        cause: scope.cause("name"),
        place: (key, scope.cause(key)),
    }))
}

fn word(scope: &Scope<'_>, key: &'static str, default: &str) -> Result<String, CompileError> {
    Ok(scope.text(key)?.unwrap_or_else(|| default.to_owned()))
}

fn import_scope(scope: &Scope<'_>) -> Result<ImportScope, CompileError> {
    const KEY: &str = "scope";
    match word(scope, KEY, "first-plan-only")?.as_str() {
        "first-plan-only" => Ok(ImportScope::FirstPlanOnly),
        "single-plan-only" => Ok(ImportScope::SinglePlanOnly),
        "all-plans" => Ok(ImportScope::AllPlans),
        _ => Err(unknown_word(
            scope,
            KEY,
            "`first-plan-only`, `single-plan-only` and `all-plans`",
        )),
    }
}

fn unknown_word(scope: &Scope<'_>, key: &'static str, known: &'static str) -> CompileError {
    let word = scope.text(key).ok().flatten().unwrap_or_default();
    scope.error(key, MetadataProblem::Import(ImportError::Word { key, known, word }))
}

impl Import {
    fn error(&self, problem: ImportError) -> CompileError {
        CompileError::Metadata {
            cause: Box::new(self.cause.clone()),
            subject: self.subject.clone(),
            problem: MetadataProblem::Import(problem),
        }
    }

    /// Returns whether the tree must be fetched.
    pub(crate) fn is_remote(&self) -> bool {
        self.source.is_remote()
    }

    /// Returns an error of the tree with the place that names the tree.
    fn blamed(&self, error: CompileError) -> CompileError {
        let CompileError::Tree(error) = error else { return error };
        let is_of_place = matches!(
            error,
            TreeError::Fetch(_) | TreeError::Fmf(atex_fmf::Error::NoTree { .. } | atex_fmf::Error::Directory { .. })
        );
        if !is_of_place {
            return CompileError::Tree(error);
        }
        CompileError::Section {
            cause: Box::new(self.place.1.clone()),
            subject: self.subject.clone(),
            key: self.place.0,
            source: Box::new(error),
        }
    }
}

/// Returns the plans that take the place of a plan, which are its imported ones or it itself. Their tree is loaded for it.
pub(crate) fn resolved(
    plan: Plan,
    trees: &mut Trees,
    request: &Request,
    network: Network,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Plan>, Arc<CompileError>> {
    let Some(import) = &plan.import else {
        return Ok(vec![plan]);
    };
    let inherited = if import.inherits_context {
        import.context.clone()
    } else {
        Dimensions::new()
    };
    let adjustment = Adjustment::new(context::beneath(&inherited, request), import.rules.clone());
    let home = plan.home.id;
    trees
        .add(home, (&import.source, &[]), &adjustment, &request.fetch_cache)
        .map_err(|error| import.blamed(error))?;
    let within = trees.adjusted(home, &import.source, &adjustment);
    let mut importing = plan.home.importing.clone();
    importing.push((home, plan.written_name.clone()));
    if importing.len() > DEEPEST {
        return Err(import.error(ImportError::TooDeep).into());
    }
    let found = candidates(import, within.tree.climb(false), warnings)?;
    let mut plans = Vec::with_capacity(found.len());
    let mut ignored = Ignored::default();
    for node in found {
        if importing.contains(&(within.id, node.name().to_owned())) {
            return Err(import.error(ImportError::Loop(node.name().to_owned())).into());
        }
        if !NodeReader::new(within.tree, node).scope("plan").flag("enabled", true) {
            continue;
        }
        ignored.plan(within.tree, node);
        let mut sources = plan.home.sources.clone();
        sources.extend((import.source != Source::Own).then(|| import.source.clone()));
        let inherited = Inherited {
            home: Home {
                id: within.id,
                sources,
                importing: importing.clone(),
            },
            name: Some(if import.becomes_parent {
                format!("{}{}", plan.name, node.name())
            } else {
                plan.name.clone()
            }),
            environment: if import.inherits_environment {
                plan.environment.clone()
            } else {
                Variables::new()
            },
            context: inherited.clone(),
        };
        if let Some(error) = within.failure(node) {
            return Err(error);
        }
        let imported = read((within.tree, node), request, inherited, network, warnings)?;
        if imported.probe.is_some() {
            return Err(import.error(ImportError::Probe(node.name().to_owned())).into());
        }
        plans.push(imported);
    }
    warnings.extend(ignored.into_warnings());
    let mut all = Vec::with_capacity(plans.len());
    for plan in plans {
        all.extend(resolved(plan, trees, request, network, warnings)?);
    }
    Ok(all)
}

/// Returns the plans that are imported, by name.
fn candidates<'t>(
    import: &Import,
    nodes: impl Iterator<Item = Node<'t>>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Node<'t>>, CompileError> {
    let bad = |error| CompileError::Metadata {
        cause: Box::new(import.cause.clone()),
        subject: import.subject.clone(),
        problem: MetadataProblem::Expression {
            key: "name",
            problem: format!("{error}"),
        },
    };
    let pattern = Pattern::cached(&import.name).map_err(bad)?;
    let mut plans: Vec<Node<'t>> = nodes.filter(|node| is_plan(*node) || imports(*node)).collect();
    plans.sort_by_key(|node| node.name());
    let mut found = Vec::new();
    for node in &plans {
        if pattern.match_start(node.name()).map_err(bad)? {
            found.push(*node);
        }
    }
    let names = || found.iter().map(|node| format!("`{}`", node.name())).collect();
    let several = || {
        let name = import.name.clone();
        import.error(ImportError::Several { name, found: names() })
    };
    match (found.len(), import.scope) {
        (0, _) => Err(import.error(ImportError::Nothing(import.name.clone()))),
        (1, _) => Ok(found),
        (_, ImportScope::SinglePlanOnly) => Err(several()),
        (_, ImportScope::AllPlans) if !import.becomes_parent => Err(several()),
        (_, ImportScope::AllPlans) => Ok(found),
        (more, ImportScope::FirstPlanOnly) => {
            let location = import.cause.location.as_ref();
            warnings.push(Warning {
                text: format!(
                    "{}: only the first of {more} plans that begin with `{}` is imported, `{}`",
                    import.subject,
                    import.name,
                    found[0].name()
                ),
                file: location.map(|location| location.file.display().to_string()),
                line: location.map(|location| location.line),
            });
            found.truncate(1);
            Ok(found)
        }
    }
}
