//! Targets: what `-s/--sut` names, a machine of some kind and its parameters, in the form `MACHINE?key=value&key=value`.
//!
//! Only the text is interpreted here, with the help of the kinds. The named SUTs of the configuration are not known here.

use std::path::PathBuf;
use std::str::FromStr;

use super::parameters::percent_decoded;
use super::{Address, KINDS, Parameters, SutKind};

/// A target that was read: everything that a SUT is made from.
#[derive(Debug)]
pub struct Target {
    /// The kind of the machine.
    pub kind: &'static dyn SutKind,
    /// The machine.
    pub address: Box<dyn Address>,
    /// The name for people and records, if it differs from the target itself.
    pub name: Option<String>,
    /// The directory for everything that atex keeps on the machine.
    pub dir: Option<PathBuf>,
    /// Free text that distinguishes how machines were installed.
    pub base: Option<String>,
}

/// The text of a target while it is read.
#[derive(Clone, Copy, Debug)]
pub struct TargetText<'t> {
    /// The whole text, for messages.
    pub whole: &'t str,
    /// The part before the parameters.
    pub machine: &'t str,
    /// The parameters.
    pub parameters: &'t Parameters,
}

/// Why a text is not a target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is nothing before the parameters.
    #[error("target `{0}` names no machine")]
    Empty(String),
    /// The kind does not exist.
    #[error("target `{target}` is of an unknown kind `{kind}`")]
    Kind {
        /// The target.
        target: String,
        /// The text in the place of the kind.
        kind: String,
    },
    /// The port is not a port number.
    #[error("target `{target}` has a bad port `{port}`")]
    Port {
        /// The target.
        target: String,
        /// The text in the place of the port.
        port: String,
    },
    /// The command cannot be split into words.
    #[error("target `{0}` has a command with an open quote or a backslash at its end")]
    Words(String),
    /// The kind does not have this parameter.
    #[error("target `{target}` has an unknown parameter `{parameter}`")]
    Parameter {
        /// The target.
        target: String,
        /// The parameter's name.
        parameter: String,
    },
    /// A parameter has no value, is given twice, or is badly escaped.
    #[error("target `{target}` has a bad parameter `{parameter}`: {problem}")]
    Value {
        /// The target.
        target: String,
        /// The parameter as it was written.
        parameter: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl TargetText<'_> {
    /// Makes the error that no machine is named.
    pub fn empty(&self) -> TargetError {
        TargetError::Empty(self.whole.to_owned())
    }

    /// Makes the error that a parameter has a bad value.
    pub fn bad(&self, parameter: String, problem: &'static str) -> TargetError {
        TargetError::Value {
            target: self.whole.to_owned(),
            parameter,
            problem,
        }
    }

    /// Makes the error that the kind does not exist.
    pub fn unknown_kind(&self, kind: &str) -> TargetError {
        TargetError::Kind {
            target: self.whole.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// Returns the machine with `%20` and the like decoded, for kinds in which the machine may be any text.
    pub fn decoded(&self) -> Result<String, TargetError> {
        percent_decoded(self.machine).ok_or_else(|| {
            self.bad(
                self.machine.to_owned(),
                "`%` needs two hexadecimal digits of UTF-8 text",
            )
        })
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (machine, parameters) = parts(text)?;
        Self::new(text, machine, &parameters)
    }
}

/// Splits a text into the machine and its parameters.
pub fn parts(text: &str) -> Result<(&str, Parameters), TargetError> {
    let (machine, query) = text.split_once('?').unwrap_or((text, ""));
    if machine.is_empty() {
        return Err(TargetError::Empty(text.to_owned()));
    }
    Ok((machine, Parameters::parse(text, query)?))
}

impl Target {
    /// Makes a target; `text` is what the user wrote, for messages.
    pub fn new(text: &str, machine: &str, parameters: &Parameters) -> Result<Self, TargetError> {
        let text = TargetText {
            whole: text,
            machine,
            parameters,
        };
        let read = |kind: &&'static dyn SutKind| Some((*kind, kind.read(&text)?));
        let (kind, address) = KINDS.iter().find_map(read).ok_or_else(|| text.empty())?;
        let address = address?;
        if let Some(parameter) = parameters.beyond(kind) {
            let (target, parameter) = (text.whole.to_owned(), parameter.to_owned());
            return Err(TargetError::Parameter { target, parameter });
        }
        let parameter = |name| parameters.get(name).map(str::to_owned);
        Ok(Self {
            kind,
            address,
            name: parameter("name"),
            dir: parameter("dir").map(PathBuf::from),
            base: parameter("base"),
        })
    }
}

impl std::fmt::Debug for dyn SutKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::kind::ssh::address::SshAddress;

    fn shown(text: &str) -> Result<String, String> {
        let target: Target = text.parse().map_err(|error: TargetError| error.to_string())?;
        Ok(target.address.to_string())
    }

    #[test]
    fn local_takes_parameters_as_a_url_does() {
        let target: Target = "local?dir=/srv/a%20b&name=one&base=lab=2".parse().unwrap();
        assert_eq!(target.kind.name(), "local");
        assert_eq!(target.dir, Some(PathBuf::from("/srv/a b")));
        assert_eq!(target.name.as_deref(), Some("one"));
        assert_eq!(target.base.as_deref(), Some("lab=2"));
    }

    #[test]
    fn ssh_is_a_url_or_just_a_host() {
        for (text, machine) in [
            ("host", "host"),
            ("root@host:22", "root@host:22"),
            ("ssh://root@host:2222?dir=/x", "root@host:2222"),
            ("ssh://host/", "host"),
            ("[::1]:22", "[::1]:22"),
            ("fe80::1", "fe80::1"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(machine), "{text}");
        }
        let target: Target = "ssh://host?key=~/.ssh/lab&user=me&port=2222&become=sudo&control_path=/c&password_env=P"
            .parse()
            .unwrap();
        let ssh = SshAddress {
            user: Some("me".into()),
            host: "host".into(),
            port: Some(2222),
            key: Some("~/.ssh/lab".into()),
            control_path: Some("/c".into()),
            password_env: Some("P".into()),
            sudo: true,
        };
        assert_eq!(format!("{:?}", target.address), format!("{ssh:?}"));
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, problem) in [
            ("", "target `` names no machine"),
            ("@host", "target `@host` names no machine"),
            ("not a target", "target `not a target` names no machine"),
            ("-oProxyCommand=x", "target `-oProxyCommand=x` names no machine"),
            ("lxc:fedora:41", "target `lxc:fedora:41` is of an unknown kind `lxc`"),
            ("vm://x", "target `vm://x` is of an unknown kind `vm`"),
            ("host:99999", "target `host:99999` has a bad port `99999`"),
            ("host:0", "target `host:0` has a bad port `0`"),
            ("local?key=k", "target `local?key=k` has an unknown parameter `key`"),
            (
                "root@host?user=me",
                "target `root@host?user=me` has a bad parameter `user=me`: the target names another one",
            ),
            (
                "host?become=su",
                "target `host?become=su` has a bad parameter `become=su`: `sudo` is the only way",
            ),
            ("host?port=x", "target `host?port=x` has a bad port `x`"),
            ("local?dri=/x", "target `local?dri=/x` has an unknown parameter `dri`"),
            (
                "local?dir",
                "target `local?dir` has a bad parameter `dir`: it has no value",
            ),
            (
                "local?dir=",
                "target `local?dir=` has a bad parameter `dir=`: its value is empty",
            ),
            (
                "local?dir=/a&dir=/b",
                "target `local?dir=/a&dir=/b` has a bad parameter `dir=/b`: it is given twice",
            ),
            (
                "local?dir=%+1",
                "target `local?dir=%+1` has a bad parameter `dir=%+1`: `%` needs two hexadecimal digits of UTF-8 text",
            ),
        ] {
            assert_eq!(shown(text), Err(problem.to_owned()), "{text}");
        }
    }
}
