//! Host key checking: whether a server is the one that it is taken for.
//!
//! Before the handshake, [`KnownHost::read`] looks up what is known, and [`KnownHost::prefer`] asks the server for a key of a
//! known type, since a server that has several keys, or a certificate beside its key, must not look like one whose key
//! changed. After the handshake, [`KnownHost::check`] compares.

use std::time::SystemTime;

use openssl::base64::encode_block;
use ssh2::{MethodType, Session};

use super::connect::algorithms;
use super::login::{HostKeys, Login};
use crate::sut::{Trouble, TroubleKind};

pub(super) mod certificate;
pub(super) mod known_hosts;

use certificate::Certificate;
use known_hosts::{KnownHostsEntry, Marker, key_type, lookup_name};

/// The algorithms of plain keys that are accepted, best first, each with the type of key that it is for.
const PLAIN: [(&str, &str); 6] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "ssh-rsa"),
    ("rsa-sha2-256", "ssh-rsa"),
];

/// Signatures with SHA-1, which are accepted only where `HostKeyAlgorithms` says so, as in OpenSSH.
const WEAK: &str = "ssh-rsa";

/// What follows a plain algorithm's name where a certificate is meant.
const CERTIFIED: &str = "-cert-v01@openssh.com";

/// What is known of the host of a login.
pub struct KnownHost<'a> {
    login: &'a Login,
    /// The name under which keys are looked up and added.
    name: String,
    /// What is known under that name.
    entries: Vec<KnownHostsEntry>,
    /// What is known of the host without its port, where nothing is known with it. It is enough to accept a key, and never a
    /// reason to refuse one.
    without_port: Vec<KnownHostsEntry>,
}

impl<'a> KnownHost<'a> {
    /// Looks up the host of `login`.
    pub fn read(login: &'a Login) -> Result<Self, Trouble> {
        let name = match &login.host_key_alias {
            Some(alias) => alias.to_lowercase(),
            None => lookup_name(&login.host, login.port),
        };
        let look_up = |name: &str| {
            let found = known_hosts::entries(&login.known_hosts, name);
            found.map_err(|error| refused(login, &format!("cannot read host keys: {error}")))
        };
        let entries = look_up(&name)?;
        let has_port = login.host_key_alias.is_none() && login.port != 22;
        let without_port = if has_port && !entries.iter().any(|entry| entry.marker == Marker::Key) {
            look_up(&login.host.to_lowercase())?
        } else {
            Vec::new()
        };
        Ok(Self {
            login,
            name,
            entries,
            without_port,
        })
    }

    /// Sets what the server is asked for, before the handshake: the types of keys, and the algorithms that the login names.
    pub fn prefer(&self, session: &Session) -> Result<(), Trouble> {
        algorithms::prefer(session, self.login)?;
        let list = self.preferences().join(",");
        session
            .method_pref(MethodType::HostKey, &list)
            .map_err(|error| refused(self.login, &format!("cannot choose a host key: {error}")))
    }

    fn preferences(&self) -> Vec<String> {
        let plain = PLAIN.map(|(algorithm, _)| algorithm.to_owned());
        let certified = PLAIN.map(|(algorithm, _)| format!("{algorithm}{CERTIFIED}"));
        let usual = [certified.to_vec(), plain.to_vec()].concat();
        let possible = [usual.clone(), vec![WEAK.to_owned()]].concat();
        let allowed = algorithms::changed(&usual, &possible, self.login.algorithms.host_keys.as_deref());
        let mut list = Vec::new();
        if self.entries.iter().any(|entry| entry.marker == Marker::Authority) {
            list.extend(certified);
        }
        let all = || self.entries.iter().chain(&self.without_port);
        let known = |kind: &str| all().any(|entry| entry.marker == Marker::Key && key_type(&entry.key) == kind);
        let (first, later): (Vec<_>, Vec<_>) = PLAIN.iter().partition(|(_, kind)| known(kind));
        list.extend(
            first
                .into_iter()
                .chain(later)
                .map(|(algorithm, _)| (*algorithm).to_owned()),
        );
        list.push(WEAK.to_owned());
        list.retain(|name| allowed.contains(name));
        list
    }

    /// Compares the key that the server showed in the handshake. An unknown key is accepted and added where the login says
    /// so.
    pub fn check(&self, session: &Session) -> Result<(), Trouble> {
        let Some((key, _)) = session.host_key() else {
            return Err(refused(self.login, "the server shows no host key"));
        };
        self.check_key(key)
    }

    fn check_key(&self, shown: &[u8]) -> Result<(), Trouble> {
        let certificate = if key_type(shown).ends_with(CERTIFIED) {
            Some(
                Certificate::parse(shown)
                    .ok_or_else(|| refused(self.login, "the server shows a host certificate that cannot be read"))?,
            )
        } else {
            None
        };
        let key = certificate.as_ref().map_or(shown, |certificate| &certificate.key);
        self.refuse_revoked(key)?;
        let mut doubt = None;
        if let Some(certificate) = &certificate {
            self.refuse_revoked(certificate.authority)?;
            match self.vouched_for(certificate) {
                Ok(()) => return Ok(()),
                Err(reason) => doubt = Some(reason),
            }
        }
        let keys: Vec<&KnownHostsEntry> = of_kind(&self.entries, Marker::Key);
        if keys.iter().any(|entry| entry.key == key) {
            return Ok(());
        }
        if !keys.is_empty() {
            return self.changed(key, &keys);
        }
        if of_kind(&self.without_port, Marker::Key)
            .iter()
            .any(|entry| entry.key == key)
        {
            return Ok(());
        }
        match self.login.host_keys {
            HostKeys::Unchecked => Ok(()),
            HostKeys::AcceptNew => self.accept(key),
            HostKeys::Refuse => Err(self.unknown(key, doubt)),
        }
    }

    fn refuse_revoked(&self, key: &[u8]) -> Result<(), Trouble> {
        let all = self.entries.iter().chain(&self.without_port);
        let mut revoked = all.filter(|entry| entry.marker == Marker::Revoked && entry.key == key);
        match revoked.next() {
            None => Ok(()),
            Some(entry) => Err(refused(
                self.login,
                &format!(
                    "the host key of `{}` is revoked: {} ({})",
                    self.name,
                    shown(key),
                    place(entry)
                ),
            )),
        }
    }

    /// Checks that a known authority vouches for the host. The error says why not.
    fn vouched_for(&self, certificate: &Certificate<'_>) -> Result<(), String> {
        let authorities = of_kind(&self.entries, Marker::Authority);
        if !authorities.iter().any(|entry| entry.key == certificate.authority) {
            return Err(format!(
                "its certificate is signed by {}, which is not known",
                shown(certificate.authority)
            ));
        }
        let name = self.login.host_key_alias.as_ref().unwrap_or(&self.login.host);
        certificate
            .check(name, SystemTime::now())
            .map_err(|problem| format!("its certificate {problem}"))
    }

    /// Refuses a key that is not the known one, unless nothing is to be checked. With a password it is refused even then,
    /// because a password is for the right machine only.
    fn changed(&self, key: &[u8], known: &[&KnownHostsEntry]) -> Result<(), Trouble> {
        if self.login.host_keys == HostKeys::Unchecked && self.login.password.is_none() {
            return Ok(());
        }
        let kind = key_type(key);
        let same_kind = known.iter().find(|entry| key_type(&entry.key) == kind);
        let Some(old) = same_kind.or(known.first()) else {
            return Ok(());
        };
        let (name, file) = (&self.name, old.file.display());
        let message = format!(
            "the host key of `{name}` is another one than before: {}, before {} ({})",
            shown(key),
            shown(&old.key),
            place(old)
        );
        let hint = format!(
            "if the machine was installed anew, `ssh-keygen -R '{name}' -f '{file}'` forgets the old key, and \
             `--accept-new-host-keys` takes the new one; if not, somebody may stand between you and it"
        );
        Err(refused(self.login, &message).with_hint(hint))
    }

    fn accept(&self, key: &[u8]) -> Result<(), Trouble> {
        let Some(file) = self.login.known_hosts.first() else {
            return Ok(());
        };
        let known = known_hosts::add(file, &self.name, key).map_err(|error| {
            let message = format!(
                "cannot add the host key of `{}` to `{}`: {error}",
                self.name,
                file.display()
            );
            refused(self.login, &message)
        })?;
        let keys = of_kind(&known, Marker::Key);
        if keys.iter().any(|entry| entry.key == key) {
            Ok(())
        } else {
            self.changed(key, &keys)
        }
    }

    fn unknown(&self, key: &[u8], doubt: Option<String>) -> Trouble {
        let doubt = doubt.map_or_else(String::new, |doubt| format!(", and {doubt}"));
        let message = format!("the host key of `{}` is not known: {}{doubt}", self.name, shown(key));
        let place = match self.login.known_hosts.first() {
            Some(file) => format!(" and adds it to `{}`", file.display()),
            None => String::new(),
        };
        refused(self.login, &message).with_hint(format!(
            "`--accept-new-host-keys` takes it{place}; compare the fingerprint with what the machine's own \
             `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` says"
        ))
    }
}

fn of_kind(entries: &[KnownHostsEntry], marker: Marker) -> Vec<&KnownHostsEntry> {
    entries.iter().filter(|entry| entry.marker == marker).collect()
}

fn refused(login: &Login, problem: &str) -> Trouble {
    Trouble::new(TroubleKind::Unreachable, format!("`{}`: {problem}", login.name))
}

fn place(entry: &KnownHostsEntry) -> String {
    format!("`{}:{}`", entry.file.display(), entry.line)
}

/// Returns the type and the fingerprint of a key, as `ssh-keygen -l` shows them.
fn shown(key: &[u8]) -> String {
    let hash = encode_block(&openssl::sha::sha256(key));
    format!("{} SHA256:{}", key_type(key), hash.trim_end_matches('='))
}
