//! The JSON file format: a JSON document with a checksum of its exact bytes.
//!
//! ```text
//! {"blake3":"<64 hex>","document":<JSON>}\n
//! ```
//!
//! The whole file is also JSON, for other tools. It is read back byte by byte, so that a change of any byte is noticed.

use serde::de::DeserializeOwned;

use crate::report::FileProblem;

const HEAD: &[u8] = b"{\"blake3\":\"";
const MIDDLE: &[u8] = b"\",\"document\":";
const TAIL: &[u8] = b"}\n";

/// Returns the bytes of the file for the JSON text `document`.
pub(crate) fn seal(document: &[u8]) -> Vec<u8> {
    let checksum = blake3::hash(document).to_hex();
    [HEAD, checksum.as_bytes(), MIDDLE, document, TAIL].concat()
}

/// Returns the JSON text in the bytes of a file, or [`FileProblem::Checksum`].
fn open(bytes: &[u8]) -> Result<&[u8], FileProblem> {
    let split = || {
        let (checksum, rest) = bytes.strip_prefix(HEAD)?.split_at_checked(2 * blake3::OUT_LEN)?;
        let document = rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
        (blake3::hash(document).to_hex().as_bytes() == checksum).then_some(document)
    };
    split().ok_or(FileProblem::Checksum)
}

/// Returns the document in the bytes of a file, validated by its type.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FileProblem> {
    serde_json::from_slice(open(bytes)?).map_err(|why| FileProblem::Malformed(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{open, seal};
    use crate::report::FileProblem;

    #[test]
    fn any_changed_byte_is_noticed() {
        let sealed = seal(br#"{"a":[1,2,3]}"#);
        assert_eq!(open(&sealed), Ok(&br#"{"a":[1,2,3]}"#[..]));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed), Err(FileProblem::Checksum), "byte {at}");
        }
    }

    #[test]
    fn any_cut_is_noticed() {
        let sealed = seal(b"null");
        for length in 0..sealed.len() {
            assert_eq!(open(&sealed[..length]), Err(FileProblem::Checksum), "length {length}");
        }
    }

    #[test]
    fn the_frame_is_json() {
        let value: serde_json::Value = serde_json::from_slice(&seal(b"{}")).expect("JSON");
        assert!(value["document"].is_object());
    }
}
