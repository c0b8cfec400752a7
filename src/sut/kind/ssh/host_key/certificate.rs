//! Host certificates of OpenSSH: parsed, and checked against their authority.
//!
//! libssh2 proves that the server holds the certified key, and checks nothing else of the certificate; the rest is done here.
//! The format is that of OpenSSH's `PROTOCOL.certkeys`.

use std::time::{SystemTime, UNIX_EPOCH};

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

use super::super::pattern;
use super::super::wire::{Wire, put};
use super::known_hosts::key_type;

/// The number of the certificate type for hosts.
const HOST: u32 = 2;

/// A certificate as a server shows it.
pub(crate) struct Certificate<'a> {
    /// The certified key, in the form that it has without the certificate.
    pub(crate) key: Vec<u8>,
    /// The key that signed the certificate.
    pub(crate) authority: &'a [u8],
    kind: u32,
    principals: Vec<&'a str>,
    after: u64,
    before: u64,
    critical: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Parses a certificate; `None` where it is not one.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut rest = Wire(text);
        let kind = std::str::from_utf8(rest.string()?).ok()?;
        let plain = kind.split_once("-cert-v01@")?.0;
        // The types of certificates of RSA keys name the signature's hash, but the key itself is always an `ssh-rsa` one.
        let plain = if plain.starts_with("rsa-sha2-") {
            "ssh-rsa"
        } else {
            plain
        };
        let mut key = Vec::new();
        put(&mut key, plain.as_bytes());
        let _nonce = rest.string()?;
        let fields = if plain == "ssh-ed25519" { 1 } else { 2 };
        for _ in 0..fields {
            put(&mut key, rest.string()?);
        }
        let _serial = rest.number64()?;
        let kind = rest.number()?;
        let _key_id = rest.string()?;
        let principals = Wire(rest.string()?).strings()?;
        let (after, before) = (rest.number64()?, rest.number64()?);
        let (critical, _extensions, _reserved) = (rest.string()?, rest.string()?, rest.string()?);
        let authority = rest.string()?;
        let signed = &text[..text.len() - rest.0.len()];
        let signature = rest.string()?;
        let principals = principals.into_iter().map(std::str::from_utf8);
        rest.0.is_empty().then_some(())?;
        Some(Self {
            key,
            authority,
            kind,
            principals: principals.collect::<Result<_, _>>().ok()?,
            after,
            before,
            critical,
            signed,
            signature,
        })
    }

    /// Checks that the certificate is valid for the host `name` at `now`. The error says what is wrong with it.
    pub(crate) fn check(&self, name: &str, now: SystemTime) -> Result<(), String> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.kind != HOST {
            return Err("is none of a host".to_owned());
        }
        if !self
            .principals
            .iter()
            .any(|principal| pattern::matches(principal, name))
        {
            return Err(format!("is not for `{name}`"));
        }
        if now < self.after {
            return Err("is not valid yet".to_owned());
        }
        if now >= self.before {
            return Err("is not valid any more".to_owned());
        }
        if !self.critical.is_empty() {
            return Err("has critical options, which certificates of hosts cannot have".to_owned());
        }
        match verified(self.authority, self.signature, self.signed) {
            Some(Ok(true)) => Ok(()),
            Some(_) => Err("has a bad signature".to_owned()),
            None => Err(format!(
                "is signed in a way that is not supported, by {}",
                key_type(self.authority)
            )),
        }
    }
}

/// Returns whether `signature` is the signature of `data` by `key`; `None` where the algorithm is not supported.
fn verified(key: &[u8], signature: &[u8], data: &[u8]) -> Option<Result<bool, ErrorStack>> {
    let (mut key, mut signature) = (Wire(key), Wire(signature));
    let (kind, algorithm) = (key.string()?, signature.string()?);
    let signature = signature.string()?;
    Some(match (kind, algorithm) {
        (b"ssh-ed25519", b"ssh-ed25519") => ed25519(key.string()?, signature, data),
        (b"ssh-rsa", b"rsa-sha2-256") => rsa(key, MessageDigest::sha256(), signature, data),
        (b"ssh-rsa", b"rsa-sha2-512") => rsa(key, MessageDigest::sha512(), signature, data),
        (b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp256") => {
            ecdsa(key, Nid::X9_62_PRIME256V1, MessageDigest::sha256(), signature, data)
        }
        (b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp384") => {
            ecdsa(key, Nid::SECP384R1, MessageDigest::sha384(), signature, data)
        }
        (b"ecdsa-sha2-nistp521", b"ecdsa-sha2-nistp521") => {
            ecdsa(key, Nid::SECP521R1, MessageDigest::sha512(), signature, data)
        }
        _ => return None,
    })
}

fn ed25519(key: &[u8], signature: &[u8], data: &[u8]) -> Result<bool, ErrorStack> {
    let key = PKey::public_key_from_raw_bytes(key, Id::ED25519)?;
    Verifier::new_without_digest(&key)?.verify_oneshot(signature, data)
}

fn rsa(mut key: Wire<'_>, digest: MessageDigest, signature: &[u8], data: &[u8]) -> Result<bool, ErrorStack> {
    let (e, n) = (number(&mut key)?, number(&mut key)?);
    let key: PKey<Public> = PKey::from_rsa(Rsa::from_public_components(n, e)?)?;
    Verifier::new(digest, &key)?.verify_oneshot(signature, data)
}

fn ecdsa(
    mut key: Wire<'_>,
    curve: Nid,
    digest: MessageDigest,
    signature: &[u8],
    data: &[u8],
) -> Result<bool, ErrorStack> {
    let _curve_again = key.string();
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, key.string().unwrap_or_default(), &mut context)?;
    let key = PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)?;
    let mut parts = Wire(signature);
    let signature = EcdsaSig::from_private_components(number(&mut parts)?, number(&mut parts)?)?.to_der()?;
    Verifier::new(digest, &key)?.verify_oneshot(&signature, data)
}

/// Returns the next number. A missing one is 0, for which no signature is right.
fn number(wire: &mut Wire<'_>) -> Result<BigNum, ErrorStack> {
    BigNum::from_slice(wire.string().unwrap_or_default())
}
