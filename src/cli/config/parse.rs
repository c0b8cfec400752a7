//! Parses the TOML text of a configuration file into [`AtexConfig`], and gives the place of everything that is wrong.
//!
//! Each table is a [`Section`], from which keys are taken by name; a key that nobody took is unknown. The known keys that an
//! error lists are therefore exactly those that are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use atex_fmf::MarkedLine;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{AtexConfig, AtexConfigError, Defaults, GroupConfig, SutConfig};
use crate::cli::args::values::{self, ValueError};
use crate::cli::error::suggest::did_you_mean;
use crate::compile::lint::LintCode;
use crate::sut::kind::Parameters;

/// The file that is being read.
#[derive(Clone, Copy)]
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

/// A table whose keys are taken out one by one.
struct Section<'a, 'd> {
    source: Source<'a>,
    table: &'d DeTable<'d>,
    known: Vec<&'static str>,
}

type Item<'d> = &'d Spanned<DeValue<'d>>;

/// Parses the text of the file `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<AtexConfig, AtexConfigError> {
    let source = Source { path, text };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim_end().replace('\n', ", ");
        source.error(span, format!("bad TOML: {message}"), None)
    })?;
    let mut top = Section::new(source, document.get_ref());
    let defaults = top
        .take("defaults")
        .map(|item| defaults(source, item))
        .transpose()?
        .unwrap_or_default();
    let mut suts = BTreeMap::new();
    if let Some(item) = top.take("sut") {
        for (name, item) in source.table(item, "sut")? {
            suts.insert(name.get_ref().to_string(), sut(source, name, item)?);
        }
    }
    let mut groups = BTreeMap::new();
    if let Some(item) = top.take("group") {
        for (name, item) in source.table(item, "group")? {
            groups.insert(name.get_ref().to_string(), group(source, name, item)?);
        }
    }
    let lint_allow = top.take("lint").map(|item| lint_allow(source, item)).transpose()?;
    top.end()?;
    Ok(AtexConfig {
        defaults,
        suts,
        groups,
        lint_allow: lint_allow.flatten(),
    })
}

fn lint_allow(source: Source<'_>, item: Item<'_>) -> Result<Option<BTreeSet<LintCode>>, AtexConfigError> {
    let mut section = Section::new(source, source.table(item, "lint")?);
    let allow = section.read("allow", |source, item, key| {
        let names = source.texts(item, key)?;
        let codes = names.iter().map(|name| values::lint_code(name));
        codes
            .collect::<Result<_, _>>()
            .map_err(|error| source.bad_value(item, &error))
    })?;
    section.end()?;
    Ok(allow)
}

fn defaults(source: Source<'_>, item: Item<'_>) -> Result<Defaults, AtexConfigError> {
    let mut section = Section::new(source, source.table(item, "defaults")?);
    let defaults = Defaults {
        sut: section.read("sut", Source::texts)?,
        plan: section.read("plan", Source::texts)?,
        environment: section.read("environment", |source, item, key| {
            source.map(item, key, Source::variable)
        })?,
        context: section.read("context", |source, item, key| source.map(item, key, Source::scalars))?,
        secret_env: section.read("secret-env", Source::variable_names)?,
        max_age: section.read("max-age", |source, item, key| source.checked(item, key, values::age))?,
        max_facts_age: section.read("max-facts-age", |source, item, key| {
            source.checked(item, key, values::age)
        })?,
        max_output: section.read("max-output", |source, item, key| {
            source.checked(item, key, values::size)
        })?,
        on_taint: section.read("on-taint", |source, item, key| {
            source.checked(item, key, values::choice)
        })?,
        on_reboot: section.read("on-reboot", |source, item, key| {
            source.checked(item, key, values::choice)
        })?,
        color: section.read("color", |source, item, key| source.checked(item, key, values::choice))?,
        strict: section.read("strict", Source::truth)?,
        interface: section.read("interface", |source, item, key| {
            source.checked(item, key, values::interface)
        })?,
        dead_after: section.read("dead-after", |source, item, key| {
            source.checked(item, key, values::silence)
        })?,
        ssh_config: section.read("ssh-config", |source, item, key| {
            source.checked(item, key, |text| Ok(text.to_owned()))
        })?,
    };
    section.end()?;
    Ok(defaults)
}

fn sut(
    source: Source<'_>,
    name: &Spanned<toml::de::DeString<'_>>,
    item: Item<'_>,
) -> Result<SutConfig, AtexConfigError> {
    let mut section = Section::new(source, source.table(item, name.get_ref())?);
    let target = section.read("target", Source::text)?;
    let mut parameters = Parameters::default();
    for name in Parameters::names() {
        // People write a port as a number.
        if let Some(value) = section.read(name, Source::scalar_named)? {
            parameters.set(name, value);
        }
    }
    section.end()?;
    let Some(target) = target else {
        let problem = format!("SUT `{}` has no `target`", name.get_ref());
        return Err(source.error(name.span(), problem, Some("as in `target = \"local\"`".to_owned())));
    };
    let file = source.path.to_owned();
    Ok(SutConfig {
        target,
        parameters,
        file,
    })
}

fn group(
    source: Source<'_>,
    name: &Spanned<toml::de::DeString<'_>>,
    item: Item<'_>,
) -> Result<GroupConfig, AtexConfigError> {
    let mut section = Section::new(source, source.table(item, name.get_ref())?);
    let suts = section.read("suts", Source::texts)?;
    section.end()?;
    match suts {
        Some(suts) if !suts.is_empty() => Ok(GroupConfig { suts }),
        _ => {
            let problem = format!("group `{}` has no `suts`", name.get_ref());
            Err(source.error(
                name.span(),
                problem,
                Some("as in `suts = [\"lab1\", \"lab2\"]`".to_owned()),
            ))
        }
    }
}

impl<'a, 'd> Section<'a, 'd> {
    fn new(source: Source<'a>, table: &'d DeTable<'d>) -> Self {
        let known = Vec::new();
        Self { source, table, known }
    }

    fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.known.push(key);
        self.table.get(key)
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Source<'a>, Item<'d>, &str) -> Result<T, AtexConfigError>,
    ) -> Result<Option<T>, AtexConfigError> {
        let source = self.source;
        self.take(key).map(|item| read(source, item, key)).transpose()
    }

    /// Refuses the first key that was not taken, in the order of the file.
    fn end(self) -> Result<(), AtexConfigError> {
        let unknown = self
            .table
            .keys()
            .filter(|key| !self.known.contains(&key.get_ref().as_ref()));
        let Some(first) = unknown.min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let name = first.get_ref();
        let hint = did_you_mean(name, self.known.iter().copied())
            .unwrap_or_else(|| format!("known keys here are `{}`", self.known.join("`, `")));
        Err(self
            .source
            .error(first.span(), format!("unknown key `{name}`"), Some(hint)))
    }
}

impl Source<'_> {
    fn error(self, span: Range<usize>, problem: String, hint: Option<String>) -> AtexConfigError {
        AtexConfigError::Content {
            at: MarkedLine::of_range(self.path.to_owned(), self.text, span),
            problem,
            hint,
        }
    }

    fn wrong_type(self, item: Item<'_>, key: &str, wanted: &str) -> AtexConfigError {
        let found = item.get_ref().type_str();
        self.error(item.span(), format!("`{key}` must be {wanted}, not {found}"), None)
    }

    fn table<'d>(self, item: Item<'d>, key: &str) -> Result<&'d DeTable<'d>, AtexConfigError> {
        item.get_ref()
            .as_table()
            .ok_or_else(|| self.wrong_type(item, key, "a table"))
    }

    fn text(self, item: Item<'_>, key: &str) -> Result<String, AtexConfigError> {
        let text = item.get_ref().as_str();
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong_type(item, key, "a string"))
    }

    /// Parses a string with the parser of an option's value.
    fn checked<T>(
        self,
        item: Item<'_>,
        key: &str,
        check: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Result<T, AtexConfigError> {
        let text = self.text(item, key)?;
        check(&text).map_err(|error| self.bad_value(item, &error))
    }

    fn bad_value(self, item: Item<'_>, error: &ValueError) -> AtexConfigError {
        self.error(item.span(), error.to_string(), Some(error.hint.clone()))
    }

    fn truth(self, item: Item<'_>, key: &str) -> Result<bool, AtexConfigError> {
        item.get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong_type(item, key, "true or false"))
    }

    /// Reads a string or a list of strings.
    fn texts(self, item: Item<'_>, key: &str) -> Result<Vec<String>, AtexConfigError> {
        match item.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.text(item, key)).collect(),
            DeValue::String(text) => Ok(vec![text.to_string()]),
            _ => Err(self.wrong_type(item, key, "a string or a list of strings")),
        }
    }

    /// Reads the value of an environment variable or of a context dimension: a string, or a number or boolean as it is written.
    fn scalar(self, item: Item<'_>, key: &str) -> Result<String, AtexConfigError> {
        match item.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => Ok(self.text[item.span()].to_owned()),
            _ => Err(self.wrong_type(item, key, "a string, a number, true or false")),
        }
    }

    /// Reads the value of a target's parameter: a string that is not empty, or a number.
    fn scalar_named(self, item: Item<'_>, key: &str) -> Result<String, AtexConfigError> {
        match item.get_ref() {
            DeValue::Integer(_) => self.scalar(item, key),
            _ => self.checked(item, key, |text| values::not_empty(key, text)),
        }
    }

    /// Reads the value of the variable `name`.
    fn variable(self, item: Item<'_>, name: &str) -> Result<String, AtexConfigError> {
        let value = self.scalar(item, name)?;
        let checked = values::variable_name(name).and_then(|()| values::variable_value(&value));
        checked.map_err(|error| self.bad_value(item, &error))?;
        Ok(value)
    }

    fn variable_names(self, item: Item<'_>, key: &str) -> Result<Vec<String>, AtexConfigError> {
        let names = self.texts(item, key)?;
        let checked = names.iter().try_for_each(|name| values::variable_name(name));
        checked.map_err(|error| self.bad_value(item, &error))?;
        Ok(names)
    }

    fn scalars(self, item: Item<'_>, key: &str) -> Result<Vec<String>, AtexConfigError> {
        match item.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.scalar(item, key)).collect(),
            _ => Ok(vec![self.scalar(item, key)?]),
        }
    }

    fn map<T>(
        self,
        item: Item<'_>,
        key: &str,
        read: impl Fn(Self, Item<'_>, &str) -> Result<T, AtexConfigError>,
    ) -> Result<BTreeMap<String, T>, AtexConfigError> {
        let mut map = BTreeMap::new();
        for (name, item) in self.table(item, key)? {
            map.insert(name.get_ref().to_string(), read(self, item, name.get_ref())?);
        }
        Ok(map)
    }
}
