//! Makes a [`Login`] of a target and what the SSH configuration says of its host.
//!
//! The target wins over the configuration, as the command line of `ssh` does. Machines that are jumped through are resolved
//! in the same way, each by what the configuration says of it.

use std::path::PathBuf;
use std::time::Duration;

use super::tokens::{Tokens, tilde, variables};
use super::{ConfigFiles, ConfigWarning, OptionValue, SshConfigError, SshOptions, look_up};
use crate::sut::kind::ssh::auth::private_key;
use crate::sut::kind::ssh::login::{Algorithms, HostKeys, Identity, Login, Password, Via};

/// How many machines may be jumped through at most.
const JUMPS: usize = 8;

/// How long connecting may take where the configuration does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The names of the key files below `~/.ssh` that are offered where no key is named, in OpenSSH's order.
const DEFAULT_KEYS: [&str; 5] = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

/// What the target and the command line say about a machine.
#[derive(Clone, Debug)]
pub struct HostQuery {
    /// The name for people.
    pub name: String,
    /// The host as it is written.
    pub host: String,
    /// The login user.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// A key to offer first.
    pub key: Option<PathBuf>,
    /// The socket of a master connection to use.
    pub control_path: Option<PathBuf>,
    /// A password to try last.
    pub password: Option<Password>,
    /// Whether to work as root, by `sudo`.
    pub sudo: bool,
    /// Whether unknown host keys are accepted.
    pub accept_new: bool,
    /// How long the machine may be silent before it counts as dead.
    pub dead_after: Duration,
}

/// A login, and what of the configuration it does not honour.
#[derive(Clone, Debug)]
pub struct ResolvedHost {
    /// The login.
    pub login: Login,
    /// The warnings about this machine and about the machines on the way to it.
    pub warnings: Vec<ConfigWarning>,
}

/// Makes a login.
pub fn resolve(ask: &HostQuery, files: &ConfigFiles) -> Result<ResolvedHost, SshConfigError> {
    resolve_hop(ask, files, None, 0)
}

/// Makes a login. `before` are the machines to jump through, instead of those that the configuration names.
fn resolve_hop(
    ask: &HostQuery,
    files: &ConfigFiles,
    before: Option<&[String]>,
    depth: usize,
) -> Result<ResolvedHost, SshConfigError> {
    if depth > JUMPS {
        let message = format!(
            "`{}`: `ProxyJump` goes through more than {JUMPS} machines, or in a circle",
            ask.name
        );
        return Err(SshConfigError::Endless(message));
    }
    let options = look_up(files, &ask.host, ask.user.as_deref())?;
    let mut hop = Hop::new(ask, files, &options)?;
    let (via, warnings) = hop.via(before, depth)?;
    let login = Login {
        name: ask.name.clone(),
        host: hop.tokens.host.clone(),
        port: hop.port,
        user: hop.tokens.user.clone(),
        identities: hop.identities()?,
        identities_only: hop.flag("identitiesonly")?.unwrap_or(false),
        agent: hop.agent()?,
        password: ask.password.clone(),
        known_hosts: hop.known_hosts()?,
        host_key_alias: options.first("hostkeyalias").map(str::to_owned),
        host_keys: hop.host_keys()?,
        connect_timeout: hop.connect_timeout()?,
        via,
        sudo: ask.sudo,
        dead_after: ask.dead_after,
        algorithms: Algorithms {
            ciphers: hop.joined("ciphers"),
            macs: hop.joined("macs"),
            key_exchange: hop.joined("kexalgorithms"),
            host_keys: hop.joined("hostkeyalgorithms"),
            signatures: hop
                .joined("pubkeyacceptedalgorithms")
                .or_else(|| hop.joined("pubkeyacceptedkeytypes")),
        },
    };
    Ok(ResolvedHost { login, warnings })
}

/// One machine, while its login is made.
struct Hop<'a> {
    ask: &'a HostQuery,
    files: &'a ConfigFiles,
    options: &'a SshOptions,
    tokens: Tokens,
    port: u16,
}

impl<'a> Hop<'a> {
    fn new(ask: &'a HostQuery, files: &'a ConfigFiles, options: &'a SshOptions) -> Result<Self, SshConfigError> {
        let port = match (ask.port, options.value("port")) {
            (Some(port), _) => port,
            (None, Some(value)) => {
                let word = value.words.first().map(String::as_str).unwrap_or_default();
                let port = word.parse().ok().filter(|port| *port > 0);
                port.ok_or_else(|| bad(value, format!("`{word}` is no port")))?
            }
            (None, None) => 22,
        };
        let host = options.first("hostname").unwrap_or(&ask.host).to_owned();
        let tokens = Tokens {
            original: ask.host.clone(),
            port: port.to_string(),
            user: options.first("user").unwrap_or(&files.here.user).to_owned(),
            key_name: options.first("hostkeyalias").unwrap_or(&host).to_owned(),
            jump: options
                .first("proxyjump")
                .filter(|jump| *jump != "none")
                .unwrap_or_default()
                .to_owned(),
            host,
        };
        Ok(Self {
            ask,
            files,
            options,
            tokens,
            port,
        })
    }

    fn via(&mut self, before: Option<&[String]>, depth: usize) -> Result<(Via, Vec<ConfigWarning>), SshConfigError> {
        let mut warnings = self.options.warnings().to_vec();
        if let Some(socket) = &self.ask.control_path {
            return Ok((Via::ControlPath(socket.clone()), warnings));
        }
        let configured: Vec<String> = match self.options.first("proxyjump") {
            Some(list) if !list.eq_ignore_ascii_case("none") => list.split(',').map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if let Some((last, before)) = before.unwrap_or(&configured).split_last() {
            let ask = self.jump(last)?;
            let before = Some(before).filter(|before| !before.is_empty());
            let resolved = resolve_hop(&ask, self.files, before, depth + 1)?;
            warnings.extend(resolved.warnings);
            return Ok((Via::Jump(Box::new(resolved.login)), warnings));
        }
        match self.options.value("proxycommand") {
            Some(value) if !value.words.iter().any(|word| word.eq_ignore_ascii_case("none")) => {
                let command = self.expanded(value, &value.words.concat())?;
                Ok((Via::Command(command), warnings))
            }
            _ => Ok((Via::Direct, warnings)),
        }
    }

    /// Makes the query for a machine that is jumped through, written `[user@]host[:port]` or as `ssh://`. It is not the
    /// user's target, so it is shown no key and no password of the target.
    fn jump(&self, text: &str) -> Result<HostQuery, SshConfigError> {
        let unusable = || {
            let problem = format!("`{text}` names no machine to jump through");
            match self.options.value("proxyjump") {
                Some(value) => bad(value, problem),
                None => SshConfigError::Endless(problem),
            }
        };
        let place = text.trim().strip_prefix("ssh://").unwrap_or(text.trim());
        let (user, place) = place
            .rsplit_once('@')
            .map_or((None, place), |(user, place)| (Some(user), place));
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => place
                .split_once(':')
                .map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map(str::parse).transpose().map_err(|_| unusable())?;
        if host.is_empty() || user == Some("") {
            return Err(unusable());
        }
        Ok(HostQuery {
            name: host.to_owned(),
            host: host.to_owned(),
            user: user.map(str::to_owned),
            port,
            key: None,
            control_path: None,
            password: None,
            sudo: false,
            accept_new: self.ask.accept_new,
            dead_after: self.ask.dead_after,
        })
    }

    fn identities(&self) -> Result<Vec<Identity>, SshConfigError> {
        let mut identities: Vec<Identity> = Vec::new();
        let mut add = |file: PathBuf, named| {
            if !identities.iter().any(|known| known.file == file) {
                identities.push(Identity {
                    file,
                    certificate: None,
                    named,
                });
            }
        };
        if let Some(key) = &self.ask.key {
            add(key.clone(), true);
        }
        let configured = self.options.list("identityfile");
        for value in configured {
            if let Some(file) = self.path(value)? {
                add(file, true);
            }
        }
        if configured.is_empty() && self.ask.key.is_none() {
            let dir = self.files.here.home.join(".ssh");
            for name in DEFAULT_KEYS {
                add(dir.join(name), false);
            }
        }
        for value in self.options.list("certificatefile") {
            let Some(certificate) = self.path(value)? else { continue };
            let of = |identity: &&mut Identity| private_key::is_certified(&identity.file, &certificate);
            if let Some(identity) = identities.iter_mut().find(of) {
                identity.certificate = Some(certificate);
            }
        }
        Ok(identities)
    }

    fn agent(&self) -> Result<Option<PathBuf>, SshConfigError> {
        let of_environment = |name: &str| {
            std::env::var_os(name)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let Some(value) = self.options.value("identityagent") else {
            return Ok(of_environment("SSH_AUTH_SOCK"));
        };
        match value.words.first().map(String::as_str).unwrap_or_default() {
            "none" => Ok(None),
            "SSH_AUTH_SOCK" => Ok(of_environment("SSH_AUTH_SOCK")),
            word => match word.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                Some(name) => Ok(of_environment(name)),
                None => self.path(value),
            },
        }
    }

    fn known_hosts(&self) -> Result<Vec<PathBuf>, SshConfigError> {
        let dir = self.files.here.home.join(".ssh");
        let mut files = match self.options.value("userknownhostsfile") {
            Some(value) => self.paths(value)?,
            None => vec![dir.join("known_hosts"), dir.join("known_hosts2")],
        };
        if files.is_empty() {
            // New host keys are added to the first file, and that must not be the system's.
            files.push(PathBuf::from("/dev/null"));
        }
        files.extend(match self.options.value("globalknownhostsfile") {
            Some(value) => self.paths(value)?,
            None => ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
                .map(PathBuf::from)
                .to_vec(),
        });
        Ok(files)
    }

    fn host_keys(&self) -> Result<HostKeys, SshConfigError> {
        let configured = match self.options.value("stricthostkeychecking") {
            None => HostKeys::Refuse,
            Some(value) => match value.words.first().map(|word| word.to_lowercase()).as_deref() {
                // atex asks nobody: an unknown key, about which `ssh` would ask, is refused with advice on how to accept it.
                Some("yes" | "true" | "ask") => HostKeys::Refuse,
                Some("accept-new") => HostKeys::AcceptNew,
                Some("no" | "false" | "off") => HostKeys::Unchecked,
                _ => return Err(bad(value, "`StrictHostKeyChecking` has no such value".to_owned())),
            },
        };
        if self.ask.accept_new && configured == HostKeys::Refuse {
            return Ok(HostKeys::AcceptNew);
        }
        Ok(configured)
    }

    fn connect_timeout(&self) -> Result<Duration, SshConfigError> {
        let Some(value) = self.options.value("connecttimeout") else {
            return Ok(CONNECT_TIMEOUT);
        };
        let word = value.words.first().map(String::as_str).unwrap_or_default();
        let time = seconds(word).filter(|time| *time > 0).map(Duration::from_secs);
        time.ok_or_else(|| bad(value, format!("`{word}` is no time")))
    }

    fn flag(&self, keyword: &str) -> Result<Option<bool>, SshConfigError> {
        let Some(value) = self.options.value(keyword) else {
            return Ok(None);
        };
        match value.words.first().map(|word| word.to_lowercase()).as_deref() {
            Some("yes" | "true") => Ok(Some(true)),
            Some("no" | "false") => Ok(Some(false)),
            _ => Err(bad(value, format!("`{keyword}` must be `yes` or `no`"))),
        }
    }

    fn joined(&self, keyword: &str) -> Option<String> {
        self.options.value(keyword).map(|value| value.words.join(","))
    }

    /// Returns the path of the first word; `None` where it is `none`.
    fn path(&self, value: &OptionValue) -> Result<Option<PathBuf>, SshConfigError> {
        Ok(self.paths(value)?.into_iter().next())
    }

    fn paths(&self, value: &OptionValue) -> Result<Vec<PathBuf>, SshConfigError> {
        let named = value.words.iter().filter(|word| !word.eq_ignore_ascii_case("none"));
        let path = |word: &String| {
            let home = &self.files.here.home;
            let word = self.expanded(value, &tilde(word, home).to_string_lossy())?;
            let word = variables(&word).map_err(|name| bad(value, format!("`{name}` is not set")))?;
            // A relative path is below the directory in which atex was started, as with `ssh`.
            Ok(std::path::absolute(&word).unwrap_or_else(|_| word.into()))
        };
        named.map(path).collect()
    }

    fn expanded(&self, value: &OptionValue, text: &str) -> Result<String, SshConfigError> {
        let expanded = self.tokens.expand(text, &self.files.here);
        expanded.map_err(|token| bad(value, format!("`{token}` is no token")))
    }
}

fn bad(value: &OptionValue, problem: String) -> SshConfigError {
    SshConfigError::Line {
        at: value.at.clone(),
        problem,
    }
}

/// Parses a time in the format of `sshd_config(5)`: `90`, `1m30s`.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        let mut unit = rest[digits..].chars();
        let factor = match unit.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 3600,
            Some('d' | 'D') => 86_400,
            Some('w' | 'W') => 7 * 86_400,
            Some(_) => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = unit.as_str();
    }
    (!text.is_empty()).then_some(total)
}
