//! Digests whose type says what they are the digest of, so that the digest of a blob cannot be passed as an action key.
//!
//! This file contains the 32 bytes, their text form (64 lower-case hex digits) and its parsing. What goes into a digest is
//! decided elsewhere: unchanged bytes for a [`BlobDigest`], the encoding of [`crate::encode`] for an [`ActionKey`].

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a digest can be the digest of.
pub mod kind {
    /// A marker type for what a digest is of.
    pub trait DigestKind {
        /// The name of the digest type, for debug output.
        const NAME: &'static str;
    }

    macro_rules! kinds {
        ($($(#[$doc:meta])* $marker:ident => $name:literal;)*) => {$(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $marker {}

            impl DigestKind for $marker {
                const NAME: &'static str = $name;
            }
        )*};
    }

    kinds! {
        /// A node's inputs together with the keys of the nodes it depends on.
        Action => "ActionKey";
        /// The bytes of a file.
        Blob => "BlobDigest";
        /// What a node produced.
        Output => "OutputDigest";
        /// A set of files: their paths, modes and contents.
        FileSet => "FileSetDigest";
    }
}

/// The action key: the identity of a node by content. It covers everything the node depends on, and nothing else.
pub type ActionKey = Digest<kind::Action>;
/// Digest of a file's bytes.
pub type BlobDigest = Digest<kind::Blob>;
/// Digest of what a node produced.
pub type OutputDigest = Digest<kind::Output>;
/// Digest of a [`crate::FileSet`].
pub type FileSetDigest = Digest<kind::FileSet>;

/// A BLAKE3 digest of a `K`.
///
/// ```
/// use atex_graph::BlobDigest;
///
/// let digest = BlobDigest::of(b"hello\n");
/// assert_eq!(digest.to_string().len(), 64);
/// assert!(digest.to_string().starts_with(&digest.short()));
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest<K> {
    bytes: [u8; 32],
    kind: PhantomData<K>,
}

impl<K> Digest<K> {
    /// Number of hex digits of the short form.
    pub const SHORT: usize = 12;

    /// Makes a digest of bytes that are known to be a digest of this kind.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            bytes,
            kind: PhantomData,
        }
    }

    /// Returns the digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Returns the first 12 hex digits, which are for people and not for lookups that must be exact.
    pub fn short(&self) -> String {
        short_hex(&self.bytes)
    }
}

impl BlobDigest {
    /// Digests a file's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(blake3::hash(bytes))
    }
}

impl OutputDigest {
    /// Digests a node's output.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(blake3::hash(bytes))
    }
}

/// Returns the first 12 hex digits of any 32 bytes.
pub(crate) fn short_hex(bytes: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*bytes).to_hex()[..Digest::<kind::Blob>::SHORT].to_owned()
}

impl<K> From<blake3::Hash> for Digest<K> {
    fn from(hash: blake3::Hash) -> Self {
        Self::from_bytes(hash.into())
    }
}

impl<K> fmt::Display for Digest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.bytes).to_hex())
    }
}

impl<K: kind::DigestKind> fmt::Debug for Digest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", K::NAME, self.short())
    }
}

/// The error for a text that is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest of 64 lower-case hex digits")]
pub struct ParseDigestError {
    /// The text.
    pub text: String,
}

impl<K> FromStr for Digest<K> {
    type Err = ParseDigestError;

    /// Parses the one text form of a digest. Upper-case digits are refused, so that equal digests have equal texts.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDigestError { text: text.to_owned() };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        blake3::Hash::from_hex(text).map(Self::from).map_err(|_| refused())
    }
}

impl<K> Serialize for Digest<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Digest<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{ActionKey, BlobDigest};

    #[test]
    fn text_form_is_64_hex_digits_and_reads_back() {
        let digest = BlobDigest::of(b"");
        assert_eq!(
            digest.to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
        assert_eq!(digest.short(), "af1349b9f5f9");
        assert_eq!(digest.to_string().parse::<BlobDigest>(), Ok(digest));
        assert_eq!(format!("{digest:?}"), "BlobDigest(af1349b9f5f9)");
    }

    #[test]
    fn only_the_one_text_form_is_read() {
        let good = BlobDigest::of(b"").to_string();
        for bad in [
            "",
            "af",
            &good.to_uppercase(),
            &good[1..],
            &format!("{good}0"),
            &good.replace('a', "ä"),
        ] {
            assert!(bad.parse::<ActionKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn serde_form_is_the_text() {
        let digest = BlobDigest::of(b"x");
        let json = serde_json::to_string(&digest).expect("a digest is JSON");
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<BlobDigest>(&json).expect("reads back"), digest);
        assert!(serde_json::from_str::<BlobDigest>("\"beef\"").is_err());
    }
}
