//! What `-s/--sut` names: a kind of machine and parameters, in the form `KIND?key=value&key=value`.
//!
//! Only the text is understood here: a [`Target`] may name a machine that this version cannot open yet, which
//! [`crate::cli::pool`] says. Named SUTs of the configuration are looked up there, too.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::nearest::did_you_mean;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    /// The login user.
    pub user: Option<String>,
    /// Host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The private key.
    pub key: Option<PathBuf>,
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
            Self::Parameter { parameter, .. } => did_you_mean(parameter, PARAMETERS)
                .unwrap_or_else(|| format!("parameters are `{}`", PARAMETERS.join("`, `"))),
            _ => "targets are `local`, `[user@]host[:port]`, `ssh://[user@]host[:port]`, \
                  each with parameters as in `local?dir=/srv/atex&name=one`"
                .to_owned(),
        }
    }
}

const PARAMETERS: [&str; 4] = ["base", "dir", "key", "name"];

/// Parameters as they are written, decoded.
#[derive(Default)]
struct Parameters {
    base: Option<String>,
    dir: Option<String>,
    key: Option<String>,
    name: Option<String>,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (machine, query) = text
            .split_once('?')
            .map_or((text, ""), |(machine, query)| (machine, query));
        if machine.is_empty() {
            return Err(TargetError::Empty(text.to_owned()));
        }
        let parameters = Parameters::parse(text, query)?;
        let kind = if machine == "local" {
            if parameters.key.is_some() {
                let (target, parameter) = (text.to_owned(), "key".to_owned());
                return Err(TargetError::Parameter { target, parameter });
            }
            TargetKind::Local
        } else {
            let mut ssh = ssh_target(text, machine)?;
            ssh.key = parameters.key.map(PathBuf::from);
            TargetKind::Ssh(ssh)
        };
        Ok(Self {
            kind,
            name: parameters.name,
            dir: parameters.dir.map(PathBuf::from),
            base: parameters.base,
        })
    }
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

impl Parameters {
    fn parse(target: &str, query: &str) -> Result<Self, TargetError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let bad = |problem| TargetError::Value {
                target: target.to_owned(),
                parameter: pair.to_owned(),
                problem,
            };
            let (key, value) = pair.split_once('=').ok_or_else(|| bad("it has no value"))?;
            let slot = match key {
                "base" => &mut parameters.base,
                "dir" => &mut parameters.dir,
                "key" => &mut parameters.key,
                "name" => &mut parameters.name,
                _ => {
                    let (target, parameter) = (target.to_owned(), key.to_owned());
                    return Err(TargetError::Parameter { target, parameter });
                }
            };
            let value = percent_decoded(value).ok_or_else(|| bad("`%` needs two hexadecimal digits of UTF-8 text"))?;
            if value.is_empty() {
                return Err(bad("its value is empty"));
            }
            if slot.replace(value).is_some() {
                return Err(bad("it is given twice"));
            }
        }
        Ok(parameters)
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
    if host.is_empty() || host.starts_with('-') {
        return Err(TargetError::Empty(target.to_owned()));
    }
    let port = port
        .map(|port| port_number(target, user.is_none().then_some(host), port))
        .transpose()?;
    Ok(SshTarget {
        user,
        host: host.to_owned(),
        port,
        key: None,
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

/// Decodes `%20`; `None` where the escape or the resulting UTF-8 is bad. `+` stays as it is.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
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
        let target: Target = "ssh://root@host?key=~/.ssh/lab".parse().unwrap();
        let TargetKind::Ssh(ssh) = target.kind else {
            panic!("an SSH target")
        };
        assert_eq!(ssh.key, Some(PathBuf::from("~/.ssh/lab")));
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, problem) in [
            ("", "target `` names no machine"),
            ("@host", "target `@host` names no machine"),
            ("-oProxyCommand=x", "target `-oProxyCommand=x` names no machine"),
            (
                "podman:fedora:41",
                "target `podman:fedora:41` is of an unknown kind `podman`",
            ),
            ("vm://x", "target `vm://x` is of an unknown kind `vm`"),
            ("host:99999", "target `host:99999` has a bad port `99999`"),
            ("host:0", "target `host:0` has a bad port `0`"),
            ("local?key=k", "target `local?key=k` has an unknown parameter `key`"),
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
