//! Environment variables: the accepted forms of `environment`, and the order in which later values override earlier ones.
//!
//! A job gets variables in two layers, with the plan environment file between them: the plan's variables come before the file,
//! those of the test and the command line after it. The layer therefore matters as much as the value, and both are in the key.

use std::collections::BTreeMap;

use atex_fmf::{Map, Value};
use atex_graph::{EnvValue, Environment, Sourced};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::metadata::read::{Scope, scalar};
use crate::compile::spec::Secrets;

/// The pseudo variable that names, in keys, the variables that are set after the plan environment file. No real variable can have
/// its name.
const SET_LAST: &str = "(set last)";
/// The origin of variables that the command line sets.
const COMMAND_LINE: &str = "-e";

/// Variables by name, with their origins.
pub(crate) type Variables = BTreeMap<String, Variable>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) value: String,
    pub(crate) origin: Option<String>,
    /// Whether the value has that of a secret variable in it.
    pub(crate) secret: bool,
}

impl Variable {
    /// Makes a variable as it is written, of which nothing is known to be secret.
    pub(crate) fn new(value: String, origin: Option<String>) -> Self {
        Self {
            value,
            origin,
            secret: false,
        }
    }
}

/// Reads the `environment` of a plan or a test: a mapping, a list of mappings, or `KEY=VALUE` texts. tmt strips spaces from the
/// values of plans, and only from those.
pub(crate) fn read(scope: &Scope<'_>, strip: bool) -> Result<Variables, CompileError> {
    const KEY: &str = "environment";
    let mut variables = Variables::new();
    let Some(value) = scope.value(KEY) else {
        return Ok(variables);
    };
    let single = std::slice::from_ref(value);
    for item in value.as_list().unwrap_or(single) {
        match item {
            Value::Map(map) => read_map(scope, map, strip, &mut variables)?,
            Value::Str(text) => {
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| scope.error(KEY, MetadataProblem::Assignment(text.to_string())))?;
                let variable = Variable::new(value.trim().to_owned(), scope.origin(KEY));
                insert(scope, name.trim(), variable, &mut variables)?;
            }
            other => return Err(scope.wrong(KEY, "a mapping, or a list of mappings or `KEY=VALUE` texts", other)),
        }
    }
    Ok(variables)
}

fn read_map(scope: &Scope<'_>, map: &Map, strip: bool, variables: &mut Variables) -> Result<(), CompileError> {
    for entry in map.entries() {
        let name = scalar(&entry.key).unwrap_or_default();
        let Some(value) = scalar(&entry.value) else {
            return Err(scope.error(
                "environment",
                MetadataProblem::Variable {
                    name,
                    problem: "must be a text",
                },
            ));
        };
        let value = if strip { value.trim().to_owned() } else { value };
        let variable = Variable::new(value, scope.entry_origin("environment", entry));
        insert(scope, name.trim(), variable, variables)?;
    }
    Ok(())
}

fn insert(scope: &Scope<'_>, name: &str, variable: Variable, all: &mut Variables) -> Result<(), CompileError> {
    let problem = |problem| MetadataProblem::Variable {
        name: name.to_owned(),
        problem,
    };
    if let Some(unusable) = unusable(name, &variable.value) {
        return Err(scope.error("environment", problem(unusable)));
    }
    all.insert(name.to_owned(), variable);
    Ok(())
}

/// Returns why bash cannot give a variable of this name this value, if it cannot.
pub(crate) fn unusable(name: &str, value: &str) -> Option<&'static str> {
    if !is_name(name) {
        return Some("has no name that bash can export");
    }
    if is_kept_by_bash(name) {
        return Some("has a name that bash keeps for itself");
    }
    value.contains('\0').then_some("holds a NUL byte")
}

/// Returns whether bash can export a variable of this name.
pub(crate) fn is_name(name: &str) -> bool {
    let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Variables that bash (4.2 to 5.2) sets by itself or reads as numbers, so that a job would never see the value that was asked
/// for.
const KEPT_BY_BASH: [&str; 29] = [
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_CMDS",
    "BASH_COMMAND",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "BASH_XTRACEFD",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "OPTIND",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
    "_",
];

/// Returns whether bash reserves a variable for itself, so that nobody else can give it a value.
pub(crate) fn is_kept_by_bash(name: &str) -> bool {
    KEPT_BY_BASH.contains(&name)
}

/// Returns the variables of the command line; the last one of a name wins.
pub(crate) fn of_command_line(given: &[(String, String)]) -> Variables {
    let variable = |value: &String| Variable::new(value.clone(), Some(COMMAND_LINE.to_owned()));
    given
        .iter()
        .map(|(name, value)| (name.clone(), variable(value)))
        .collect()
}

/// Returns the variables of both layers; those in `over` win.
pub(crate) fn merged(under: &Variables, over: &Variables) -> Variables {
    let mut all = under.clone();
    all.extend(over.iter().map(|(name, variable)| (name.clone(), variable.clone())));
    all
}

/// Returns names and values in the form that a job takes.
pub(crate) fn pairs(variables: &Variables) -> Vec<(String, String)> {
    variables
        .iter()
        .map(|(name, variable)| (name.clone(), variable.value.clone()))
        .collect()
}

/// Returns the part of two layers that enters a key.
pub(crate) fn inputs(before: &Variables, after: &Variables, secrets: &Secrets) -> Environment {
    let value = |name: &String, variable: &Variable| {
        if variable.secret || secrets.names.contains(name) {
            EnvValue::secret(&secrets.key, &variable.value)
        } else {
            EnvValue::Plain(variable.value.clone())
        }
    };
    let mut environment: Environment = merged(before, after)
        .into_iter()
        .map(|(name, variable)| {
            let value = value(&name, &variable);
            (
                name,
                Sourced {
                    value,
                    origin: variable.origin.map(Into::into),
                },
            )
        })
        .collect();
    if !after.is_empty() {
        let names: Vec<&str> = after.keys().map(String::as_str).collect();
        environment.insert(SET_LAST.to_owned(), EnvValue::Plain(names.join(" ")).into());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::{inputs, is_name, merged, of_command_line};
    use crate::compile::spec::Secrets;

    fn variables(pairs: &[(&str, &str)]) -> super::Variables {
        of_command_line(
            &pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn later_layers_win() {
        let all = merged(&variables(&[("A", "1"), ("B", "1")]), &variables(&[("B", "2")]));
        assert_eq!(all["A"].value, "1");
        assert_eq!(all["B"].value, "2");
    }

    #[test]
    fn the_layer_of_a_variable_is_part_of_the_key() {
        let (none, one) = (variables(&[]), variables(&[("A", "1")]));
        let secrets = Secrets::default();
        assert_ne!(inputs(&one, &none, &secrets), inputs(&none, &one, &secrets));
    }

    #[test]
    fn the_value_of_a_secret_does_not_enter_a_key_as_it_is() {
        let secrets = Secrets {
            names: ["A".to_owned()].into(),
            key: [1; 32],
        };
        let with = |value: &str, secrets: &Secrets| inputs(&variables(&[("A", value)]), &variables(&[]), secrets);
        assert!(!format!("{:?}", with("hunter2", &secrets)).contains("hunter2"));
        assert_eq!(with("hunter2", &secrets), with("hunter2", &secrets));
        assert_ne!(with("hunter2", &secrets), with("hunter3", &secrets));
        assert_ne!(
            with("hunter2", &secrets),
            with(
                "hunter2",
                &Secrets {
                    key: [2; 32],
                    ..secrets.clone()
                }
            )
        );
    }

    #[test]
    fn only_names_that_bash_exports_are_names() {
        for name in ["A", "_a1", "TMT_TREE"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1A", "a-b", "a b", "ä", "A="] {
            assert!(!is_name(name), "{name}");
        }
    }
}
