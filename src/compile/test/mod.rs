//! Reads the metadata of a test, once for all plans that have it.

pub(crate) mod check;
pub(crate) mod duration;
pub(crate) mod interface;
pub(crate) mod metadata_file;
mod restart;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atex_fmf::{Node, Tree, Value};
use atex_graph::Sourced;

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::inputs::Globs;
use crate::compile::inputs::files::escaped;
use crate::compile::library::requirement::{self, Requirement};
use crate::compile::metadata::read::{NodeReader, Scope, scalar};
use crate::compile::metadata::trees::AdjustedTree;
use crate::compile::plan::environment::{self, Variables};
use crate::compile::plan::json;
use crate::compile::spec::check::Checks;
use crate::compile::spec::{Framework, Interface, Interpretation, Restart};

/// Keys that inform people, the selection or the scheduler, but do not change what a test does. All other keys are part of the
/// test's key, whatever they mean. `environment`, `extra-atex-inputs` and `extra-atex-interface` are part of it in another form.
const INERT: [&str; 24] = [
    "adjust",
    "author",
    "because",
    "component",
    "contact",
    "description",
    "enabled",
    "environment",
    "extra-atex-inputs",
    "extra-atex-interface",
    "extra-atex-probe",
    "extra-destructive",
    "extra-nitrate",
    "extra-polarion",
    "extra-priority",
    "extra-summary",
    "extra-task",
    "id",
    "link",
    "order",
    "relevancy",
    "summary",
    "tag",
    "tier",
];

/// The metadata of a test.
#[derive(Debug)]
pub(crate) struct TestMetadata {
    /// The directory in which the test runs, relative to its tree.
    pub(crate) dir: String,
    /// The directory in which the test is defined, and the one in which it runs if that differs; both relative to the tree.
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) script: String,
    pub(crate) framework: Framework,
    /// What it says of its interface; nothing where its files decide.
    pub(crate) interface: Option<Interface>,
    /// Whether its metadata mention the control stream.
    pub(crate) speaks: bool,
    pub(crate) interpretation: Interpretation,
    pub(crate) restart: Restart,
    pub(crate) checks: Checks,
    pub(crate) environment: Variables,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) recommends: Vec<Requirement>,
    pub(crate) duration: Duration,
    pub(crate) tty: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) destructive: bool,
    pub(crate) priority: i64,
    pub(crate) globs: Option<Globs>,
    pub(crate) origin: Option<String>,
    pub(crate) data: Arc<str>,
    /// The metadata that are part of the test's key.
    pub(crate) key: Arc<BTreeMap<String, Sourced<serde_json::Value>>>,
}

impl TestMetadata {
    pub(crate) fn read(within: AdjustedTree<'_>, node: Node<'_>) -> Result<Self, CompileError> {
        let tree = within.tree;
        let scope = NodeReader::new(tree, node).scope("test");
        let script = match scope.value("test") {
            Some(Value::Str(text)) => text.to_string(),
            Some(other) => return Err(scope.wrong("test", "a text", other)),
            None => return Err(scope.error("test", MetadataProblem::Empty("test"))),
        };
        let framework = scope
            .value("framework")
            .and_then(Value::as_str)
            .and_then(Framework::named);
        let run = run_directory(tree, node)?;
        if node.has_key("path") && !within.root.join(&run).is_dir() {
            return Err(scope.error("path", MetadataProblem::NoDirectory(escaped(&run))));
        }
        let tags = tags(&scope)?;
        let data = json(node.data());
        Ok(Self {
            dir: escaped(&run),
            directories: directories(tree, node)?,
            script,
            framework: framework.unwrap_or_default(),
            interface: interface::read(&scope)?,
            speaks: interface::is_mentioned(&data),
            interpretation: interface::interpretation(&scope),
            restart: restart::read(&scope)?,
            checks: check::read(&scope),
            environment: environment::read(&scope, false)?,
            requires: requirement::read(&scope, "require")?,
            recommends: requirement::read(&scope, "recommend")?,
            duration: read_duration(&scope)?,
            tty: scope.flag("tty", false),
            destructive: scope.flag("extra-destructive", false) || tags.iter().any(|tag| tag == "destructive"),
            tags,
            priority: scope.integer("extra-priority", 0)?,
            globs: scope.globs(node.dir())?,
            origin: scope.origin("test"),
            data: data.into(),
            key: Arc::new(key_part(&scope)),
        })
    }
}

/// The keys of a test whose values can be wrong.
const CHECKED: [&str; 14] = [
    "check",
    "duration",
    "environment",
    "extra-atex-inputs",
    "extra-atex-interface",
    "extra-priority",
    "path",
    "recommend",
    "require",
    "restart-max-count",
    "restart-on-exit-code",
    "restart-with-reboot",
    "tag",
    "test",
];

/// Returns what is wrong with a test. Most tests are not read for that.
pub(crate) fn check(within: AdjustedTree<'_>, node: Node<'_>) -> Result<(), CompileError> {
    let is_plain = |key: &str, value: &Value| match key {
        "duration" => scalar(value).is_some_and(|text| duration::parse(&text).is_some()),
        "test" => value.as_str().is_some(),
        "tag" | "require" | "recommend" => {
            let items = value.as_list().unwrap_or(std::slice::from_ref(value));
            items.iter().all(|item| item.as_str().is_some())
        }
        "environment" => value.as_map().is_some_and(|map| {
            let is_plain = |(name, value): (&Value, &Value)| {
                Some(environment::unusable(name.as_str()?, value.as_str()?).is_none())
            };
            map.iter().all(|entry| is_plain(entry) == Some(true))
        }),
        _ => false,
    };
    let is_odd = |key: &&str| node.value(key).is_some_and(|value| !is_plain(key, &value));
    if CHECKED.iter().any(is_odd) {
        TestMetadata::read(within, node)?;
    }
    Ok(())
}

/// Returns the directory in which a test is defined, and the one in which it runs if that differs.
pub(crate) fn directories(tree: &Tree, node: Node<'_>) -> Result<Vec<PathBuf>, CompileError> {
    let run = run_directory(tree, node)?;
    let mut directories = vec![node.dir().to_owned()];
    directories.extend((run != node.dir()).then_some(run));
    Ok(directories)
}

/// Returns the directory in which a test runs: `path` (from the tree's root), or else the directory of the .fmf file that defines
/// the test.
pub(crate) fn run_directory(tree: &Tree, node: Node<'_>) -> Result<PathBuf, CompileError> {
    if !node.has_key("path") {
        return Ok(node.dir().to_owned());
    }
    let scope = NodeReader::new(tree, node).scope("test");
    let Some(path) = scope.text("path")? else {
        return Ok(node.dir().to_owned());
    };
    let mut directory = PathBuf::new();
    for part in Path::new(&path).components() {
        match part {
            Component::Normal(part) => directory.push(part),
            Component::ParentDir if !directory.pop() => {
                return Err(scope.error("path", MetadataProblem::Outside(path)));
            }
            _ => {}
        }
    }
    Ok(directory)
}

/// Returns the tags of a test. As in tmt, a number is none.
pub(crate) fn tags(scope: &Scope<'_>) -> Result<Vec<String>, CompileError> {
    const KEY: &str = "tag";
    let items = scope
        .value(KEY)
        .map(|value| value.as_list().unwrap_or(std::slice::from_ref(value)));
    let wrong = items.unwrap_or_default().iter().find(|item| item.as_str().is_none());
    wrong.map_or_else(
        || scope.texts(KEY),
        |item| Err(scope.wrong(KEY, "a text or a list of texts", item)),
    )
}

fn read_duration(scope: &Scope<'_>) -> Result<Duration, CompileError> {
    let Some(text) = scope.text("duration")? else {
        return Ok(duration::DEFAULT);
    };
    duration::parse(&text).ok_or_else(|| scope.error("duration", MetadataProblem::Duration(text)))
}

fn key_part(scope: &Scope<'_>) -> BTreeMap<String, Sourced<serde_json::Value>> {
    let mut part = BTreeMap::new();
    for (key, value) in scope.map.iter() {
        let Some(key) = key.as_str().filter(|key| !INERT.contains(key)) else {
            continue;
        };
        let origin = scope.origin(key).map(Into::into);
        part.insert(
            key.to_owned(),
            Sourced {
                value: value.to_json(),
                origin,
            },
        );
    }
    part
}
