//! Reads the sections of `discover`: in which tree each looks for tests, and which tests it takes.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::compile::error::{CompileError, MetadataProblem, TreeError};
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::metadata::read::{ORDER, Scope, scalar};
use crate::compile::metadata::schema::{SECTION, SHELL_SECTION};
use crate::compile::metadata::trees::{Adjustment, unmarked};
use crate::compile::plan::context::Dimensions;
use crate::compile::plan::inline_tests::{self, InlineTest};
use crate::compile::plan::links::LinkPattern;
use crate::compile::plan::modified::{self, ModifiedError, ModifiedOnly};
use crate::compile::plan::phase_names;
use crate::compile::plan::phases::{applies, unknown_keys};
use crate::compile::spec::Warning;

use atex_fmf::context::Context;
use atex_fmf::{Map, Value};

/// The key for tests that must be found.
pub(crate) const REQUIRED: &str = "require-test";

/// A section that is honoured.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// The name of the section, if the plan has several: the first part of its tests' names, and a directory in the slot.
    pub(crate) name: Option<String>,
    pub(crate) source: Source,
    /// The patterns of `test`; the tests come in the order of these.
    pub(crate) tests: Vec<TestPattern>,
    /// `adjust-tests`: rules that come after those of each test.
    rules: Vec<Value>,
    pub(crate) filters: Vec<String>,
    pub(crate) conditions: Vec<String>,
    pub(crate) exclude: Vec<String>,
    /// One of these patterns must be found in the name of a test, if there are any. Unlike `test`, they leave the order alone.
    pub(crate) include: Vec<String>,
    /// One of these must fit a test, if there are any.
    pub(crate) links: Vec<LinkPattern>,
    /// What the commits of the tree are compared with, where only tests in modified directories are wanted.
    pub(crate) modified: Option<ModifiedOnly>,
    /// A pattern of `modified-only`, once it is known.
    pub(crate) modified_pattern: Option<String>,
    /// The tests that are written in the plan, if the section has such.
    pub(crate) inline: Vec<InlineTest>,
    /// The names of tests that must be found, and that must not be skipped.
    pub(crate) required: Vec<String>,
    /// A warning for the case that `test` selects a test more than once; tmt would run it as often.
    pub(crate) repeats: Option<Warning>,
    /// The section's text for messages; `None` for a section that no file contains.
    written: Option<Written>,
}

/// An item of `test`.
#[derive(Clone, Debug)]
pub(crate) struct TestPattern {
    /// The regex that is searched for in the names of tests.
    pub(crate) pattern: String,
    /// A rule that adjusts the tests that this item selects, and no others.
    rule: Option<Value>,
}

/// The name of a section in messages, and the places of its keys.
#[derive(Clone, Debug)]
struct Written {
    subject: String,
    causes: Vec<(&'static str, ValueOrigin)>,
}

/// The tree in which a section looks for tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The plan's own tree.
    Own,
    /// Another tree on the host; the path is absolute or relative to the plan's root.
    Path(PathBuf),
    /// A tree in a git repository.
    Url {
        url: String,
        reference: Option<String>,
        path: Option<String>,
    },
    /// The plan itself. The tests run in the plan's own tree, or in a git repository.
    Inline {
        plan: String,
        /// The place among the sections of the plan.
        position: usize,
        repository: Option<Repository>,
    },
}

impl Source {
    /// Returns whether the section must be fetched.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(
            self,
            Self::Url { .. }
                | Self::Inline {
                    repository: Some(_),
                    ..
                }
        )
    }

    /// Gives a source that is the plan itself the name that the plan has after all, which differs if it is imported.
    pub(crate) fn name_plan(&mut self, name: &str) {
        if let Self::Inline { plan, .. } = self {
            name.clone_into(plan);
        }
    }

    /// Returns whether tests of the section run among the files of the plan's own tree.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own | Self::Inline { repository: None, .. })
    }
}

/// A git repository, at a branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Repository {
    pub(crate) url: String,
    pub(crate) reference: Option<String>,
}

impl Section {
    /// Returns the prefix of the paths of the section's files: empty, or `name/`.
    pub(crate) fn prefix(&self) -> String {
        self.name.as_ref().map_or_else(String::new, |name| format!("{name}/"))
    }

    /// Returns an error that came from using the section, with the section's place if the section is to blame.
    pub(crate) fn blamed(&self, error: CompileError) -> CompileError {
        let CompileError::Tree(error) = error else { return error };
        let Some((written, key)) = self.written.as_ref().zip(self.key_of(&error)) else {
            return CompileError::Tree(error);
        };
        let Some((_, cause)) = written.causes.iter().find(|(known, _)| *known == key) else {
            return CompileError::Tree(error);
        };
        CompileError::Section {
            cause: Box::new(cause.clone()),
            subject: written.subject.clone(),
            key,
            source: Box::new(error),
        }
    }

    /// Returns the section's key that causes an error; errors inside another tree are caused by none.
    fn key_of(&self, error: &TreeError) -> Option<&'static str> {
        match error {
            TreeError::Fetch(_)
            | TreeError::Fmf(atex_fmf::Error::NoTree { .. } | atex_fmf::Error::Directory { .. }) => match self.source {
                Source::Own | Source::Inline { repository: None, .. } => None,
                Source::Path(_) => Some("path"),
                Source::Url { .. } | Source::Inline { .. } => Some("url"),
            },
            error @ TreeError::Fmf(_) => {
                let text = error.expression()?;
                if self.tests.iter().any(|test| test.pattern == text) {
                    return Some("test");
                }
                let keys = [
                    ("filter", &self.filters),
                    ("condition", &self.conditions),
                    ("exclude", &self.exclude),
                    ("include", &self.include),
                ];
                let mut holds = keys
                    .into_iter()
                    .filter(|(_, texts)| texts.iter().any(|own| own == text));
                holds.next().map(|(key, _)| key)
            }
        }
    }

    /// Returns how the metadata of the section's tree are adjusted for each item of `test`, or for all tests if there is none.
    pub(crate) fn adjustments(&self, context: &Dimensions) -> Vec<Adjustment> {
        let with = |rule: Option<&Value>| {
            let rules = self.rules.iter().chain(rule).cloned();
            Adjustment::new(context.clone(), rules.collect())
        };
        if self.takes_all() {
            return vec![with(None)];
        }
        self.tests.iter().map(|test| with(test.rule.as_ref())).collect()
    }

    /// Returns whether the section takes tests of any name.
    pub(crate) fn takes_all(&self) -> bool {
        self.tests.is_empty() && self.modified.is_none()
    }

    /// Returns whether something of the section must be fetched.
    pub(crate) fn is_remote(&self) -> bool {
        self.source.is_remote() || self.modified.as_ref().is_some_and(ModifiedOnly::is_remote)
    }

    /// Finds out what was modified, if only that is wanted; `home` is the root of the plan's tree.
    pub(crate) fn keep_modified(&mut self, home: &Path, fetch_cache: &Path) -> Result<(), CompileError> {
        let Some(modified) = &self.modified else { return Ok(()) };
        let found = match &self.source {
            Source::Own => modified.pattern(home, fetch_cache),
            Source::Path(path) => modified.pattern(&home.join(path), fetch_cache),
            Source::Url { .. } | Source::Inline { .. } => Err(ModifiedError::Fetched),
        };
        self.modified_pattern =
            found.map_err(|problem| self.refused(modified::KEY, MetadataProblem::Modified(problem)))?;
        let pattern = self.modified_pattern.clone();
        self.tests
            .extend(pattern.map(|pattern| TestPattern { pattern, rule: None }));
        Ok(())
    }

    /// Returns the error for a test that must be found and is not.
    pub(crate) fn lacks(&self, required: &str) -> CompileError {
        self.refused(REQUIRED, MetadataProblem::RequiredTest(required.to_owned()))
    }

    fn refused(&self, key: &'static str, problem: MetadataProblem) -> CompileError {
        let written = self.written.as_ref();
        let cause = written.and_then(|written| written.causes.iter().find(|(known, _)| *known == key));
        CompileError::Metadata {
            cause: Box::new(cause.map(|(_, cause)| cause.clone()).unwrap_or_default()),
            subject: written.map(|written| written.subject.clone()).unwrap_or_default(),
            problem,
        }
    }

    /// Returns the full name of one of the section's tests.
    pub(crate) fn test_name<'n>(&self, node: &'n str) -> Cow<'n, str> {
        self.name
            .as_ref()
            .map_or(Cow::Borrowed(node), |name| Cow::Owned(format!("/{name}{node}")))
    }
}

/// Returns the section of the default plan, which selects all tests of the tree.
pub(crate) fn all_tests() -> Section {
    Section {
        name: None,
        source: Source::Own,
        tests: Vec::new(),
        rules: Vec::new(),
        filters: Vec::new(),
        conditions: Vec::new(),
        exclude: Vec::new(),
        include: Vec::new(),
        links: Vec::new(),
        modified: None,
        modified_pattern: None,
        inline: Vec::new(),
        required: Vec::new(),
        repeats: None,
        written: None,
    }
}

/// Reads the sections of a plan, in the order in which their tests run.
pub(crate) fn read(
    plan: &Scope<'_>,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Section>, CompileError> {
    let maps = plan.maps("discover")?;
    let scripts = inline_tests::of_execute(plan)?;
    if !scripts.is_empty() {
        let source = Source::Inline {
            plan: plan.node().to_owned(),
            position: 0,
            repository: None,
        };
        let inline = scripts;
        return Ok(vec![Section {
            source,
            inline,
            ..all_tests()
        }]);
    }
    if maps.is_empty() {
        warnings.push(plan.warning("execute", "has no `discover`, so it has no tests"));
    }
    let names = phase_names::of_step(plan, "discover", &maps)?;
    let many = maps.len() > 1;
    let mut sections: Vec<(i64, Section)> = Vec::new();
    for (position, (map, name)) in maps.into_iter().zip(names).enumerate() {
        let subject = format!("{}, discover section {}", plan.subject, position + 1);
        let mut scope = plan.inner("discover", map, subject);
        if scope.value("name").is_some() {
            scope.subject = format!("{} (`{name}`)", scope.subject);
        }
        let order = scope.integer("order", ORDER)?;
        if !applies(&scope, context)? {
            continue;
        }
        let how = match How::of(&scope)? {
            Ok(how) => how,
            Err(word) => {
                let text = format!("`how: {word}` is not supported, the section is ignored");
                warnings.push(scope.warning("how", &text));
                continue;
            }
        };
        let name = if many { Some(section_name(&scope, name)?) } else { None };
        let section = match how {
            How::Fmf => read_section(&scope, name, warnings)?,
            How::Shell => read_inline(&scope, (name, position), warnings)?,
        };
        sections.push((order, section));
    }
    sections.sort_by_key(|(order, _)| *order);
    Ok(sections.into_iter().map(|(_, section)| section).collect())
}

/// How a section finds tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// In the metadata tree.
    Fmf,
    /// In itself.
    Shell,
}

impl How {
    /// Returns how a section finds tests, or a word that is not supported. Without a word, it is `shell`.
    pub(crate) fn of(section: &Scope<'_>) -> Result<Result<Self, String>, CompileError> {
        Ok(match section.text("how")?.as_deref() {
            Some("fmf") => Ok(Self::Fmf),
            Some("shell") | None => Ok(Self::Shell),
            Some(other) => Err(other.to_owned()),
        })
    }
}

/// Returns the name of one of several sections, if it can be a directory's.
pub(crate) fn section_name(scope: &Scope<'_>, name: String) -> Result<String, CompileError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0', '\n']) {
        return Err(scope.error("name", MetadataProblem::SectionName(name)));
    }
    Ok(name)
}

fn read_section(scope: &Scope<'_>, name: Option<String>, warnings: &mut Vec<Warning>) -> Result<Section, CompileError> {
    unknown_keys(scope, SECTION.read, warnings);
    let ((url, reference), path) = (address(scope)?, scope.text("path")?);
    if url.is_none() && reference.is_some() {
        warnings.push(scope.warning("ref", "`ref` without `url` is not supported and ignored"));
    }
    let source = match (url, path) {
        (Some(url), path) => Source::Url { url, reference, path },
        (None, Some(path)) => Source::Path(path.into()),
        (None, None) => Source::Own,
    };
    let given = SECTION.read.iter().copied().filter(|key| scope.value(key).is_some());
    Ok(Section {
        name,
        source,
        tests: test_patterns(scope)?,
        rules: rules(scope)?,
        filters: scope.texts("filter")?,
        conditions: scope.texts("condition")?,
        exclude: scope.texts("exclude")?,
        include: scope.texts("include")?,
        links: scope
            .texts("link")?
            .iter()
            .map(|text| LinkPattern::parse(text))
            .collect(),
        modified: modified::of_section(scope)?,
        modified_pattern: None,
        inline: Vec::new(),
        required: scope.texts(REQUIRED)?,
        repeats: Some(scope.warning(
            "test",
            "`test` selects tests more than once; each of them runs once, as it is selected first",
        )),
        written: Some(Written {
            subject: scope.subject.clone(),
            causes: given.map(|key| (key, scope.cause(key))).collect(),
        }),
    })
}

/// Returns the repository of a section and what is wanted of it, which once had other names.
pub(crate) fn address(scope: &Scope<'_>) -> Result<(Option<String>, Option<String>), CompileError> {
    let first = |old, new| Ok::<_, CompileError>(scope.text(old)?.filter(|text| !text.is_empty()).or(scope.text(new)?));
    Ok((first("repository", "url")?, first("revision", "ref")?))
}

/// Reads a section whose tests are written in it.
fn read_inline(
    scope: &Scope<'_>,
    (name, position): (Option<String>, usize),
    warnings: &mut Vec<Warning>,
) -> Result<Section, CompileError> {
    unknown_keys(scope, SHELL_SECTION.read, warnings);
    if scope.flag("keep-git-metadata", false) {
        warnings.push(scope.warning("keep-git-metadata", "`.git` is not brought to the machine"));
    }
    let inline = inline_tests::of_section(scope)?;
    if inline.is_empty() {
        warnings.push(scope.warning("how", "has no `tests`, so it finds none"));
    }
    let (url, reference) = (scope.text("url")?, scope.text("ref")?);
    if url.is_none() && reference.is_some() {
        warnings.push(scope.warning("ref", "`ref` without `url` is not supported and ignored"));
    }
    let given = SHELL_SECTION
        .read
        .iter()
        .copied()
        .filter(|key| scope.value(key).is_some());
    Ok(Section {
        name,
        source: Source::Inline {
            plan: scope.node().to_owned(),
            position,
            repository: url.map(|url| Repository { url, reference }),
        },
        inline,
        required: scope.texts(REQUIRED)?,
        written: Some(Written {
            subject: scope.subject.clone(),
            causes: given.map(|key| (key, scope.cause(key))).collect(),
        }),
        ..all_tests()
    })
}

/// Reads the items of `test`: patterns, or mappings with a pattern as `name` and a rule for the tests that it selects.
pub(crate) fn test_patterns(scope: &Scope<'_>) -> Result<Vec<TestPattern>, CompileError> {
    const EXPECTED: &str = "a text, or a list of texts or mappings with a `name`";
    let Some(value) = scope.value("test") else {
        return Ok(Vec::new());
    };
    let item = |item: &Value| {
        let map = item.as_map();
        let name = map.map_or(Some(item), |map| map.get("name")).and_then(scalar);
        Ok(TestPattern {
            pattern: name.ok_or_else(|| scope.wrong("test", EXPECTED, item))?,
            rule: map.and_then(rule_of_item),
        })
    };
    let items = value.as_list().unwrap_or(std::slice::from_ref(value));
    items.iter().map(item).collect()
}

/// Returns the rule of an item of `test`, which is all but its `name`.
fn rule_of_item(item: &Map) -> Option<Value> {
    let rule = item.iter().filter(|(key, _)| key.as_str() != Some("name"));
    let rule: Map = rule.map(|(key, value)| (key.clone(), unmarked(value))).collect();
    let sets = rule
        .keys()
        .any(|key| !["because", "continue", "when"].map(Some).contains(&key.as_str()));
    sets.then(|| rule.into())
}

/// Reads the rules of `adjust-tests`.
pub(crate) fn rules(scope: &Scope<'_>) -> Result<Vec<Value>, CompileError> {
    let maps = scope.maps("adjust-tests")?;
    Ok(maps
        .into_iter()
        .map(|map| unmarked(&Value::from(map.clone())))
        .collect())
}
