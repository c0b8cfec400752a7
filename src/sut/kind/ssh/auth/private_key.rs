//! Private key files as they are offered: the text of the private key, and the public key where it is known without the
//! passphrase.
//!
//! The formats are OpenSSH's `PROTOCOL.key`, and PEM, of which only whether it is encrypted is read here; libssh2 reads the
//! rest.

use std::io;
use std::path::{Path, PathBuf};

use openssl::base64::{decode_block, encode_block};

use super::super::host_key::certificate::Certificate;
use super::super::host_key::known_hosts::key_type;
use super::super::login::Identity;
use super::super::wire::Wire;
use crate::host::file;

/// The bytes that an OpenSSH private key begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// A key that can be offered.
pub(super) struct PrivateKey {
    pub(super) file: PathBuf,
    pub(super) named: bool,
    /// The public key in its wire form, where it is known without a passphrase.
    pub(super) public: Option<Vec<u8>>,
    /// The line of a certificate to offer instead of the bare key.
    pub(super) certificate: Option<String>,
    /// The text of the private key. Without it, the SSH agent must have the key.
    pub(super) private: Option<String>,
    pub(super) encrypted: bool,
}

impl PrivateKey {
    /// Reads a key and the files beside it: `FILE.pub`, and `FILE-cert.pub` where no certificate is named. As with `ssh`,
    /// `FILE` may be the public key of a key that the agent has. `None` where there is no such file.
    pub(super) fn read(identity: &Identity) -> io::Result<Option<Self>> {
        let text = read(&identity.file)?;
        let beside = read(&with_suffix(&identity.file, ".pub"))?;
        if text.is_none() && beside.is_none() {
            return Ok(None);
        }
        let certificate = match &identity.certificate {
            Some(file) => Some(file::read_to_string(file).map_err(|error| named(file, &error))?),
            None => read(&with_suffix(&identity.file, "-cert.pub"))?,
        };
        let own = text.as_deref().and_then(public_of_line);
        let private = text.filter(|_| own.is_none());
        let head = private.as_deref().and_then(open_ssh_head);
        let encrypted = head.as_ref().map_or_else(
            || private.as_deref().is_some_and(|text| text.contains("ENCRYPTED")),
            |head| head.encrypted,
        );
        let public = own
            .or_else(|| head.map(|head| head.public))
            .or_else(|| beside.as_deref().and_then(public_of_line));
        Ok(Some(Self {
            file: identity.file.clone(),
            named: identity.named,
            public,
            certificate,
            private,
            encrypted,
        }))
    }

    /// Returns the line `TYPE BASE64` to offer: that of the certificate, or of the bare key.
    pub(super) fn line(&self) -> Option<String> {
        let bare = |key: &Vec<u8>| format!("{} {}", key_type(key), encode_block(key));
        self.certificate.clone().or_else(|| self.public.as_ref().map(bare))
    }

    /// Whether an agent's key is this one, bare or with its certificate.
    pub(super) fn is(&self, blob: &[u8]) -> bool {
        let certified = || self.certificate.as_deref().and_then(public_of_line);
        self.public.as_deref() == Some(blob) || certified().as_deref() == Some(blob)
    }
}

/// Whether a certificate file belongs to the key of another file.
pub(crate) fn is_certified(file: &Path, certificate: &Path) -> bool {
    let identity = Identity {
        file: file.to_owned(),
        certificate: None,
        named: false,
    };
    let certified = || {
        let text = file::read_to_string(certificate).ok()?;
        let blob = public_of_line(&text)?;
        Certificate::parse(&blob).map(|certificate| certificate.key)
    };
    let public = PrivateKey::read(&identity).ok().flatten().and_then(|key| key.public);
    public.is_some() && public == certified()
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match file::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(named(file, &error)),
    }
}

fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", file.display()))
}

/// Reads the public key from a line `TYPE BASE64 COMMENT`.
fn public_of_line(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_ascii_whitespace();
    let (kind, key) = (words.next()?, decode_block(words.next()?).ok()?);
    (key_type(&key) == kind).then_some(key)
}

struct Head {
    public: Vec<u8>,
    encrypted: bool,
}

/// Reads the unencrypted part of an OpenSSH private key.
fn open_ssh_head(text: &str) -> Option<Head> {
    let begin = text.trim_start().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let (body, _) = begin.split_once("-----END")?;
    let body: String = body.split_ascii_whitespace().collect();
    let body = decode_block(&body).ok()?;
    let mut wire = Wire(body.strip_prefix(MAGIC)?);
    let cipher = wire.string()?;
    let (_kdf, _options, _keys) = (wire.string()?, wire.string()?, wire.number()?);
    Some(Head {
        public: wire.string()?.to_vec(),
        encrypted: cipher != b"none",
    })
}
