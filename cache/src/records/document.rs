//! The format of a record on disk.
//!
//! The document itself contains the summary and short lists. A long list (the inputs of a test with thousands of files, or the
//! outputs of one with as many subtests) is a blob of its own, so that listing all records stays cheap. Everything that is read
//! is checked against the guarantees of its types, so a document that passes is the one that was committed.

use atex_graph::{ActionKey, BlobDigest, Entry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::blobs::batch::Batch;
use crate::error::CacheError;
use crate::format::json;
use crate::records::record::{OutputFile, Record, RecordOutput, RecordSummary};
use crate::report::FileProblem;
use crate::store::Store;

/// A list with more bytes of JSON than this becomes a blob.
const INLINE: usize = 8 << 10;

/// A record's file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) summary: RecordSummary,
    pub(crate) inputs: StoredList<Entry>,
    pub(crate) outputs: StoredList<OutputFile>,
}

/// The part of a [`Document`] that listings need.
#[derive(Deserialize)]
struct Head {
    summary: RecordSummary,
}

/// The part of a [`Document`] that taking the record needs. It leaves out the inputs, which are the longest part.
#[derive(Deserialize)]
struct Taken {
    summary: RecordSummary,
    outputs: StoredList<OutputFile>,
}

/// A list, in the document or in a blob.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredList<T> {
    Inline(Vec<T>),
    Blob { digest: BlobDigest, size: u64 },
}

impl<T: Serialize + DeserializeOwned> StoredList<T> {
    fn store(items: Vec<T>, name: &str, batch: &mut Batch<'_>) -> Result<Self, CacheError> {
        let bytes = encode(name, &items)?;
        if bytes.len() <= INLINE {
            return Ok(Self::Inline(items));
        }
        let digest = batch.put_bytes(&bytes)?;
        Ok(Self::Blob {
            digest,
            size: bytes.len() as u64,
        })
    }

    /// Returns the list. A missing or bad blob is a [`FileProblem`].
    pub(crate) fn load(self, store: &Store) -> Result<Result<Vec<T>, FileProblem>, CacheError> {
        match self {
            Self::Inline(items) => Ok(Ok(items)),
            Self::Blob { digest, .. } => Ok(match store.blobs().read(digest)? {
                Some(bytes) => serde_json::from_slice(&bytes).map_err(|why| FileProblem::Malformed(why.to_string())),
                None => Err(FileProblem::MissingBlob(digest)),
            }),
        }
    }

    /// Returns the blob that holds the list, and its size.
    pub(crate) fn blob(&self) -> Option<(BlobDigest, u64)> {
        match self {
            Self::Inline(_) => None,
            Self::Blob { digest, size } => Some((*digest, *size)),
        }
    }
}

impl Document {
    /// Puts the long lists of `record` into `batch` and returns the bytes of its file.
    pub(crate) fn encode(record: Record, batch: &mut Batch<'_>) -> Result<Vec<u8>, CacheError> {
        let summary = record.summary();
        let inputs = StoredList::store(record.inputs, &summary.name, batch)?;
        let outputs = StoredList::store(record.files, &summary.name, batch)?;
        let document = Self {
            summary,
            inputs,
            outputs,
        };
        Ok(json::seal(&encode(&document.summary.name, &document)?))
    }

    /// Reads the bytes of the file of `key`.
    pub(crate) fn decode(bytes: &[u8], key: ActionKey) -> Result<Self, FileProblem> {
        let document: Self = json::read(bytes)?;
        of_key(&document.summary, key)?;
        Ok(document)
    }

    /// Reads the summary alone from the bytes of the file of `key`.
    pub(crate) fn decode_summary(bytes: &[u8], key: ActionKey) -> Result<RecordSummary, FileProblem> {
        let Head { summary } = json::read(bytes)?;
        of_key(&summary, key)?;
        Ok(summary)
    }

    /// Reads from the bytes of the file of `key` what taking the record needs, and the list of outputs.
    pub(crate) fn decode_output(
        bytes: &[u8],
        key: ActionKey,
        store: &Store,
    ) -> Result<Result<RecordOutput, FileProblem>, CacheError> {
        let Taken { summary, outputs } = match json::read(bytes) {
            Ok(taken) => taken,
            Err(problem) => return Ok(Err(problem)),
        };
        if let Err(problem) = of_key(&summary, key) {
            return Ok(Err(problem));
        }
        let files = match outputs.load(store)? {
            Ok(files) => files,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(plain(&files).map(|()| RecordOutput {
            started: summary.started,
            duration_ms: summary.duration_ms,
            prepared: summary.prepared,
            outcome: summary.outcome,
            files,
        }))
    }

    /// Reads the lists and assembles the record.
    pub(crate) fn into_record(self, store: &Store) -> Result<Result<Record, FileProblem>, CacheError> {
        let inputs = match self.inputs.load(store)? {
            Ok(inputs) => inputs,
            Err(problem) => return Ok(Err(problem)),
        };
        let files = match self.outputs.load(store)? {
            Ok(files) => files,
            Err(problem) => return Ok(Err(problem)),
        };
        let RecordSummary {
            key,
            name,
            aliases,
            kind,
            sut,
            started,
            duration_ms,
            prepared,
            outcome,
            meta,
            ..
        } = self.summary;
        let record = Record {
            key,
            name,
            aliases,
            kind,
            sut,
            started,
            duration_ms,
            prepared,
            outcome,
            inputs,
            files,
            meta,
        };
        Ok(plain(&record.files).map(|()| record))
    }
}

fn plain(files: &[OutputFile]) -> Result<(), FileProblem> {
    if files.iter().all(OutputFile::has_plain_path) {
        Ok(())
    } else {
        Err(FileProblem::Malformed(
            "an output path is not a plain relative path".to_owned(),
        ))
    }
}

fn of_key(summary: &RecordSummary, key: ActionKey) -> Result<(), FileProblem> {
    if summary.key == key {
        Ok(())
    } else {
        Err(FileProblem::Misplaced)
    }
}

fn encode<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>, CacheError> {
    serde_json::to_vec(value).map_err(|source| CacheError::Encode {
        what: name.to_owned(),
        source,
    })
}
