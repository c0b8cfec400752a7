//! What `-s/--sut` names: a kind of machine and parameters, in the form `KIND?key=value&key=value`.
//!
//! Only the text is understood here: a [`Target`] may name a machine that this version cannot open yet, which
//! [`crate::cli::pool`] says. Named SUTs of the configuration are looked up there, too.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::nearest::did_you_mean;
use super::parameters::Parameters;

/// What a SUT is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which machine.
    pub kind: TargetKind,
    /// The name for people and records, if it is not to be the target's own.
    pub name: Option<String>,
    /// The directory for everything that atex keeps there.
    pub dir: Option<PathBuf>,
    /// Free text that distinguishes how machines were installed.
    pub base: Option<String>,
}

/// The kinds of targets that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// The machine that atex runs on, as the current user.
    Local,
    /// A machine that is reached by SSH.
    Ssh(SshTarget),
}

/// A machine that is reached by SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshTarget {
    /// The login user.
    pub user: Option<String>,
    /// Host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The private key.
    pub key: Option<PathBuf>,
    /// The socket of a master connection of the `ssh` client, to be used instead of a connection of atex's own.
    pub control_path: Option<PathBuf>,
    /// The environment variable that holds a password.
    pub password_env: Option<String>,
    /// Whether everything there is done as root, by `sudo`.
    pub sudo: bool,
}

/// Why a text is no target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing before the parameters.
    #[error("target `{0}` names no machine")]
    Empty(String),
    /// A kind that does not exist.
    #[error("target `{target}` is of an unknown kind `{kind}`")]
    Kind {
        /// The target.
        target: String,
        /// What stands for the kind.
        kind: String,
    },
    /// Not a port number.
    #[error("target `{target}` has a bad port `{port}`")]
    Port {
        /// The target.
        target: String,
        /// What stands for the port.
        port: String,
    },
    /// A parameter that the kind does not have.
    #[error("target `{target}` has an unknown parameter `{parameter}`")]
    Parameter {
        /// The target.
        target: String,
        /// The parameter's name.
        parameter: String,
    },
    /// A parameter without a value, or given twice, or badly escaped.
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

impl TargetError {
    /// Returns advice.
    pub fn hint(&self) -> String {
        match self {
            Self::Parameter { parameter, .. } => did_you_mean(parameter, Parameters::NAMES)
                .unwrap_or_else(|| format!("parameters are `{}`", Parameters::NAMES.join("`, `"))),
            _ => "targets are `local`, `[user@]host[:port]`, `ssh://[user@]host[:port]`, \
                  each with parameters as in `local?dir=/srv/atex&name=one`"
                .to_owned(),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (machine, parameters) = parts(text)?;
        Self::new(text, machine, parameters)
    }
}

/// Takes a text apart into the machine and its parameters.
pub(crate) fn parts(text: &str) -> Result<(&str, Parameters), TargetError> {
    let (machine, query) = text.split_once('?').unwrap_or((text, ""));
    if machine.is_empty() {
        return Err(TargetError::Empty(text.to_owned()));
    }
    Ok((machine, Parameters::parse(text, query)?))
}

impl Target {
    /// Makes a target; `text` is what the user wrote, for messages.
    pub(crate) fn new(text: &str, machine: &str, parameters: Parameters) -> Result<Self, TargetError> {
        let kind = if machine == "local" {
            if let Some(parameter) = parameters.of_ssh() {
                let (target, parameter) = (text.to_owned(), parameter.to_owned());
                return Err(TargetError::Parameter { target, parameter });
            }
            TargetKind::Local
        } else {
            TargetKind::Ssh(ssh(text, machine, &parameters)?)
        };
        Ok(Self {
            kind,
            name: parameters.name,
            dir: parameters.dir.map(PathBuf::from),
            base: parameters.base,
        })
    }
}

/// Joins what stands before the parameters with what stands among them.
fn ssh(text: &str, machine: &str, parameters: &Parameters) -> Result<SshTarget, TargetError> {
    let bad = |parameter: String, problem| TargetError::Value {
        target: text.to_owned(),
        parameter,
        problem,
    };
    let mut ssh = ssh_target(text, machine)?;
    if let Some(user) = &parameters.user {
        if ssh.user.as_ref().is_some_and(|before| before != user) {
            return Err(bad(format!("user={user}"), "the target names another one"));
        }
        ssh.user = Some(user.clone());
    }
    if let Some(port) = &parameters.port {
        let number = port_number(text, None, port)?;
        if ssh.port.is_some_and(|before| before != number) {
            return Err(bad(format!("port={port}"), "the target names another one"));
        }
        ssh.port = Some(number);
    }
    ssh.key = parameters.key.as_ref().map(PathBuf::from);
    ssh.control_path = parameters.control_path.as_ref().map(PathBuf::from);
    ssh.password_env.clone_from(&parameters.password_env);
    ssh.sudo = match parameters.r#become.as_deref() {
        None => false,
        Some("sudo") => true,
        Some(other) => return Err(bad(format!("become={other}"), "`sudo` is the only way")),
    };
    Ok(ssh)
}

impl fmt::Display for TargetKind {
    /// Says the machine, without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ssh = match self {
            Self::Local => return f.write_str("local"),
            Self::Ssh(ssh) => ssh,
        };
        if let Some(user) = &ssh.user {
            write!(f, "{user}@")?;
        }
        match ssh.port {
            Some(port) if ssh.host.contains(':') => write!(f, "[{}]:{port}", ssh.host),
            Some(port) => write!(f, "{}:{port}", ssh.host),
            None => f.write_str(&ssh.host),
        }
    }
}

fn ssh_target(target: &str, machine: &str) -> Result<SshTarget, TargetError> {
    let place = match machine.split_once("://") {
        Some(("ssh", place)) => place.trim_end_matches('/'),
        Some((kind, _)) => return Err(unknown_kind(target, kind)),
        None => machine,
    };
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) if !user.is_empty() => (Some(user.to_owned()), place),
        Some(_) => return Err(TargetError::Empty(target.to_owned())),
        None => (None, place),
    };
    let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').unwrap_or((bracketed, ""));
        (host, rest.strip_prefix(':'))
    } else if place.parse::<std::net::Ipv6Addr>().is_ok() {
        (place, None)
    } else {
        place
            .split_once(':')
            .map_or((place, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err(TargetError::Empty(target.to_owned()));
    }
    let port = port
        .map(|port| port_number(target, user.is_none().then_some(host), port))
        .transpose()?;
    Ok(SshTarget {
        user,
        host: host.to_owned(),
        port,
        ..SshTarget::default()
    })
}

/// Parses a port. What is none is most likely a target of a kind that does not exist, as in `podman:fedora`, where no user is named.
fn port_number(target: &str, kind: Option<&str>, port: &str) -> Result<u16, TargetError> {
    match (port.parse::<u16>(), kind) {
        (Ok(number), _) if number > 0 => Ok(number),
        (Err(_), Some(kind)) if !port.starts_with(|c: char| c.is_ascii_digit()) => Err(unknown_kind(target, kind)),
        _ => Err(TargetError::Port {
            target: target.to_owned(),
            port: port.to_owned(),
        }),
    }
}

fn unknown_kind(target: &str, kind: &str) -> TargetError {
    TargetError::Kind {
        target: target.to_owned(),
        kind: kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let target: Target = text.parse().map_err(|error: TargetError| error.to_string())?;
        Ok(target.kind.to_string())
    }

    #[test]
    fn local_takes_parameters_as_a_url_does() {
        let target: Target = "local?dir=/srv/a%20b&name=one&base=lab=2".parse().unwrap();
        assert_eq!(target.kind, TargetKind::Local);
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
        let ssh = SshTarget {
            user: Some("me".into()),
            host: "host".into(),
            port: Some(2222),
            key: Some("~/.ssh/lab".into()),
            control_path: Some("/c".into()),
            password_env: Some("P".into()),
            sudo: true,
        };
        assert_eq!(target.kind, TargetKind::Ssh(ssh));
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, problem) in [
            ("", "target `` names no machine"),
            ("@host", "target `@host` names no machine"),
            ("not a target", "target `not a target` names no machine"),
            ("-oProxyCommand=x", "target `-oProxyCommand=x` names no machine"),
            (
                "podman:fedora:41",
                "target `podman:fedora:41` is of an unknown kind `podman`",
            ),
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
