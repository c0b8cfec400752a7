//! The kind `ssh`: machines reached by SSH, and how its targets are written: `[user@]host[:port]`, `ssh://…`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::access::SshAccess;
use super::config::{self, HostQuery};
use super::login::Password;
use crate::sut::kind::target::TargetText;
use crate::sut::kind::{self, Access, Means, NoAccess, Parameter, TargetError};

/// The kind `ssh`.
#[derive(Debug)]
pub struct SshKind;

/// The address of a machine that is reached by SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshAddress {
    /// The login user.
    pub user: Option<String>,
    /// The host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The private key.
    pub key: Option<PathBuf>,
    /// The socket of a master connection of the `ssh` client, to be used instead of atex's own connection.
    pub control_path: Option<PathBuf>,
    /// The environment variable that holds a password.
    pub password_env: Option<String>,
    /// Whether everything on the machine is done as root, by `sudo`.
    pub sudo: bool,
}

impl kind::SutKind for SshKind {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["[user@]host[:port]", "ssh://[user@]host[:port]"]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const ALL: &[Parameter] = &[
            Parameter::text("become"),
            Parameter::path("control_path"),
            Parameter::path("key"),
            Parameter::text("password_env"),
            Parameter::text("port"),
            Parameter::text("user"),
        ];
        ALL
    }

    /// This kind takes every text, since what is of no other kind may be a host.
    fn read(&self, target: &TargetText<'_>) -> Option<Result<Box<dyn kind::Address>, TargetError>> {
        Some(SshAddress::read(target).map(|address| Box::new(address) as Box<dyn kind::Address>))
    }
}

impl SshAddress {
    /// Reads a target: joins the part before the parameters with the parameters.
    pub fn read(target: &TargetText<'_>) -> Result<Self, TargetError> {
        let mut address = machine(target)?;
        let parameter = |name| target.parameters.get(name);
        if let Some(user) = parameter("user") {
            if address.user.as_ref().is_some_and(|before| before != user) {
                return Err(target.bad(format!("user={user}"), "the target names another one"));
            }
            address.user = Some(user.to_owned());
        }
        if let Some(port) = parameter("port") {
            let number = port_number(target, None, port)?;
            if address.port.is_some_and(|before| before != number) {
                return Err(target.bad(format!("port={port}"), "the target names another one"));
            }
            address.port = Some(number);
        }
        address.key = parameter("key").map(PathBuf::from);
        address.control_path = parameter("control_path").map(PathBuf::from);
        address.password_env = parameter("password_env").map(str::to_owned);
        address.sudo = match parameter("become") {
            None => false,
            Some("sudo") => true,
            Some(other) => return Err(target.bad(format!("become={other}"), "`sudo` is the only way")),
        };
        Ok(address)
    }
}

impl fmt::Display for SshAddress {
    /// Writes the target without its parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl kind::Address for SshAddress {
    /// A bare word is a guess, unless the SSH configuration knows it as a host.
    fn is_guess(&self, target: &str, means: &Means<'_>) -> bool {
        let bare = self.user.is_none() && !target.contains(['.', ':', '?', '/', '[']);
        bare && !config::look_up(means.ssh_files, target, None).is_ok_and(|options| options.is_configured())
    }

    fn access(&self, name: &str, beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess> {
        let password = match &self.password_env {
            None => None,
            Some(variable) => Some(std::env::var(variable).map(Password).map_err(|_| NoAccess {
                problem: format!("the variable `{variable}` is not set"),
                hint: Some("`password_env` names the environment variable that holds the password".to_owned()),
            })?),
        };
        let absolute = |path: &PathBuf| (means.absolute)(path, beside);
        let ask = HostQuery {
            name: name.to_owned(),
            host: self.host.clone(),
            user: self.user.clone(),
            port: self.port,
            key: self.key.as_ref().map(absolute),
            control_path: self.control_path.as_ref().map(absolute),
            password,
            sudo: self.sudo,
            accept_new: means.accept_new_host_keys,
            dead_after: means.dead_after,
        };
        let resolved = config::resolve(&ask, means.ssh_files).map_err(|error| NoAccess {
            problem: error.to_string(),
            hint: None,
        })?;
        for warning in resolved.warnings {
            (means.warn)(warning.to_string());
        }
        Ok(Arc::new(SshAccess {
            ask,
            login: resolved.login,
            config: means.ssh_files.only.clone(),
            is_config_trusted: means.trusts_ssh_config,
        }))
    }
}

/// Reads the part before the parameters.
fn machine(target: &TargetText<'_>) -> Result<SshAddress, TargetError> {
    let place = match target.machine.split_once("://") {
        Some(("ssh", place)) => place.trim_end_matches('/'),
        Some((kind, _)) => return Err(target.unknown_kind(kind)),
        None => target.machine,
    };
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) if !user.is_empty() => (Some(user.to_owned()), place),
        Some(_) => return Err(target.empty()),
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
        return Err(target.empty());
    }
    let port = port
        .map(|port| port_number(target, user.is_none().then_some(host), port))
        .transpose()?;
    Ok(SshAddress {
        user,
        host: host.to_owned(),
        port,
        ..SshAddress::default()
    })
}

/// Parses a port. A text that is not a port is most likely of a target whose kind does not exist, as in `lxc:fedora`,
/// where no user is named.
fn port_number(target: &TargetText<'_>, kind: Option<&str>, port: &str) -> Result<u16, TargetError> {
    match (port.parse::<u16>(), kind) {
        (Ok(number), _) if number > 0 => Ok(number),
        (Err(_), Some(kind)) if !port.starts_with(|c: char| c.is_ascii_digit()) => Err(target.unknown_kind(kind)),
        _ => Err(TargetError::Port {
            target: target.whole.to_owned(),
            port: port.to_owned(),
        }),
    }
}
