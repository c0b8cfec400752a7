//! The canonical encoding, and the visitor that hashes it into a key.
//!
//! # Format, version 1
//!
//! A key is the BLAKE3 digest of the items that a [`Manifest`] shows, in the order in which it shows them.
//! All integers are 64-bit little-endian; `text` is its length in bytes followed by its bytes, in UTF-8.
//!
//! ```text
//! item   = tag: one byte, field: text, payload
//! begin  = 1   version: integer                  the field is the domain; comes first
//! choice = 2   ordinal: integer                  fixed numbers, never the position in an enum
//! text   = 3   text
//! texts  = 4   count: integer, then texts
//! secret = 5   32 bytes                          keyed hash
//! json   = 6   value
//! files  = 7   count: integer, then 32 bytes each  digests of file sets, sorted, each once
//! dep    = 8   position: integer, 32 bytes       key of the node it depends on; the field is empty
//! enter  = 9   count: integer                    that many items follow and belong to the group
//!
//! value  = 0 null | 1 false | 2 true
//!        | 3 integer (negative, two's complement) | 4 integer (not negative) | 5 bits of an IEEE 754 double
//!        | 6 text | 7 count, then values | 8 count, then (text, value) sorted by the bytes of the text
//! set    = begin item, count: integer, then (path: text, mode: integer, 32 bytes) sorted by path
//! ```
//!
//! Every item says what it is and how long it is, so a stream has one reading only: different manifests cannot give the
//! same bytes. The golden tests (`tests/laws/golden.rs`) fail if any of this changes; a change on purpose needs a new version.

use serde_json::Value;

use crate::digest::{ActionKey, Digest};
use crate::inputs::InputFiles;
use crate::manifest::{Manifest, Visitor};

/// The tag of each kind of item. The numbers never change.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Tag {
    Begin = 1,
    Choice = 2,
    Text = 3,
    Texts = 4,
    Secret = 5,
    Json = 6,
    Files = 7,
    Dep = 8,
    Enter = 9,
}

/// Writes the primitives of the encoding into a hash.
pub(crate) struct Encoder(blake3::Hasher);

impl Encoder {
    /// Starts a stream with its domain and version.
    pub(crate) fn new(domain: &str, version: u64) -> Self {
        let mut encoder = Self(blake3::Hasher::new());
        encoder.begin(domain, version);
        encoder
    }

    fn begin(&mut self, domain: &str, version: u64) {
        self.item(Tag::Begin, domain);
        self.integer(version);
    }

    fn item(&mut self, tag: Tag, field: &str) {
        self.byte(tag as u8);
        self.text(field);
    }

    fn byte(&mut self, byte: u8) {
        self.0.update(&[byte]);
    }

    pub(crate) fn integer(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// Writes a length, which has at most 64 bits on every machine.
    pub(crate) fn length(&mut self, length: usize) {
        self.integer(length as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn digest(&mut self, bytes: &[u8; 32]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish<K>(&self) -> Digest<K> {
        self.0.finalize().into()
    }

    /// Writes a JSON value. The recursion is as deep as the value is nested, which the parsers of metadata limit.
    fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bool(false) => self.byte(1),
            Value::Bool(true) => self.byte(2),
            Value::Number(number) => self.number(number),
            Value::String(text) => {
                self.byte(6);
                self.text(text);
            }
            Value::Array(values) => {
                self.byte(7);
                self.length(values.len());
                for value in values {
                    self.json(value);
                }
            }
            Value::Object(map) => {
                self.byte(8);
                self.length(map.len());
                // The fields are sorted here, because the map's own order depends on a feature of serde_json that any crate can
                // enable.
                let mut fields: Vec<_> = map.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| *name);
                for (name, value) in fields {
                    self.text(name);
                    self.json(value);
                }
            }
        }
    }

    fn number(&mut self, number: &serde_json::Number) {
        if let Some(natural) = number.as_u64() {
            self.byte(4);
            self.integer(natural);
        } else if let Some(negative) = number.as_i64() {
            self.byte(3);
            self.integer(negative.cast_unsigned());
        } else {
            // A number that is not an integer is always a double here, because `arbitrary_precision` is not enabled.
            self.byte(5);
            self.integer(number.as_f64().unwrap_or(f64::NAN).to_bits());
        }
    }
}

/// The visitor that makes a key.
pub struct KeyHasher {
    encoder: Encoder,
}

impl KeyHasher {
    /// Returns the key of everything that the manifest shows.
    pub fn key_of(manifest: &dyn Manifest) -> ActionKey {
        let mut hasher = Self {
            encoder: Encoder(blake3::Hasher::new()),
        };
        manifest.visit(&mut hasher);
        hasher.encoder.finish()
    }
}

impl Visitor for KeyHasher {
    fn begin(&mut self, domain: &str, version: u64) {
        self.encoder.begin(domain, version);
    }

    fn choice(&mut self, field: &str, ordinal: u64, _word: &str) {
        self.encoder.item(Tag::Choice, field);
        self.encoder.integer(ordinal);
    }

    fn text(&mut self, field: &str, text: &str, _origin: Option<&str>) {
        self.encoder.item(Tag::Text, field);
        self.encoder.text(text);
    }

    fn texts(&mut self, field: &str, texts: &[String], _origin: Option<&str>) {
        self.encoder.item(Tag::Texts, field);
        self.encoder.length(texts.len());
        for text in texts {
            self.encoder.text(text);
        }
    }

    fn secret(&mut self, field: &str, keyed: &[u8; 32], _origin: Option<&str>) {
        self.encoder.item(Tag::Secret, field);
        self.encoder.digest(keyed);
    }

    fn json(&mut self, field: &str, value: &Value, _origin: Option<&str>) {
        self.encoder.item(Tag::Json, field);
        self.encoder.json(value);
    }

    fn files(&mut self, field: &str, files: &InputFiles) {
        self.encoder.item(Tag::Files, field);
        self.encoder.length(files.sets().len());
        for set in files.sets() {
            self.encoder.digest(set.digest().as_bytes());
        }
    }

    fn dep(&mut self, position: u64, key: ActionKey, _name: &str) {
        self.encoder.item(Tag::Dep, "");
        self.encoder.integer(position);
        self.encoder.digest(key.as_bytes());
    }

    fn enter(&mut self, field: &str, count: u64) {
        self.encoder.item(Tag::Enter, field);
        self.encoder.integer(count);
    }

    fn leave(&mut self) {}
}
