//! Finds records by the beginning of a key or by a node's name, and lists all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atex_graph::ActionKey;
use rayon::prelude::*;

use crate::bucket::Bucket;
use crate::error::{CacheError, Candidate};
use crate::records::document::Document;
use crate::records::record::{Record, RecordSummary};
use crate::report::judge;
use crate::store::Store;
use crate::store::walk;

/// How many records the error about an ambiguous prefix names.
const CANDIDATES: usize = 5;

impl Store {
    /// Returns all records, the newest first. It reads each record's file, but neither its long lists nor its outputs.
    pub fn records(&self) -> Result<impl Iterator<Item = RecordSummary> + use<>, CacheError> {
        Ok(self.summaries(|_| true)?.into_iter())
    }

    /// Returns the newest record of each node name, including aliases.
    pub fn newest(&self) -> Result<BTreeMap<String, RecordSummary>, CacheError> {
        let mut newest = BTreeMap::new();
        for summary in self.records()? {
            for name in std::iter::once(&summary.name).chain(&summary.aliases) {
                newest.entry(name.clone()).or_insert_with(|| summary.clone());
            }
        }
        Ok(newest)
    }

    /// Returns the newest record of the node `name`, to explain what has changed since. Its outputs may be gone; see
    /// [`Store::inspect`].
    pub fn latest(&self, name: &str) -> Result<Option<Record>, CacheError> {
        let quoted = serde_json::Value::from(name).to_string();
        for summary in self.summaries(|document| document.contains(&quoted))? {
            // A newer record whose lists are lost explains nothing, but an older one may.
            if summary.is_named(name)
                && let Some(record) = self.inspect(summary.key)?
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Returns the key of the only record whose key begins with `prefix`, in hex digits of any case.
    ///
    /// Fails with [`CacheError::NoRecord`] or [`CacheError::Ambiguous`].
    pub fn resolve(&self, prefix: &str) -> Result<ActionKey, CacheError> {
        let prefix = prefix.to_ascii_lowercase();
        let mut found = if prefix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            self.record_paths(&prefix)?
        } else {
            Vec::new()
        };
        found.sort();
        match found.as_slice() {
            [] => Err(CacheError::NoRecord {
                path: self.dir().to_owned(),
                prefix,
            }),
            [(key, _)] => Ok(*key),
            several => {
                let name = |(key, path): &(ActionKey, PathBuf)| self.summary(*key, path, |_| true);
                let candidates: Vec<Candidate> = several
                    .iter()
                    .take(CANDIDATES)
                    .map(|found| {
                        Ok(Candidate {
                            key: found.0,
                            name: name(found)?.map_or(String::new(), |it| it.name),
                        })
                    })
                    .collect::<Result<_, CacheError>>()?;
                let more = several.len() - candidates.len();
                Err(CacheError::Ambiguous {
                    prefix,
                    candidates,
                    more,
                })
            }
        }
    }

    /// Reads all records whose document's text is `wanted`, the newest first. Of several that started within the same second, the
    /// one that was written last is the newest.
    fn summaries(&self, wanted: impl Fn(&str) -> bool + Sync) -> Result<Vec<RecordSummary>, CacheError> {
        let paths = self.record_paths("")?;
        let read = paths.par_iter().map(|(key, path)| {
            let found = self.summary(*key, path, &wanted)?;
            Ok(found.map(|summary| (Reverse((summary.started, written(path))), summary)))
        });
        let mut summaries: Vec<_> = read.filter_map(Result::transpose).collect::<Result<_, CacheError>>()?;
        summaries.sort_by(|(age, a), (other, b)| age.cmp(other).then_with(|| a.key.cmp(&b.key)));
        Ok(summaries.into_iter().map(|(_, summary)| summary).collect())
    }

    fn summary(
        &self,
        key: ActionKey,
        path: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<RecordSummary>, CacheError> {
        let problem = match fs::read(path) {
            Ok(bytes) if std::str::from_utf8(&bytes).is_ok_and(|text| !wanted(text)) => return Ok(None),
            Ok(bytes) => match Document::decode_summary(&bytes, key) {
                Ok(summary) => return Ok(Some(summary)),
                Err(problem) => Some(problem),
            },
            Err(error) => judge(error).map_err(|error| CacheError::io("read", path, error))?,
        };
        if let Some(problem) = problem {
            self.report(path.to_owned(), problem);
        }
        Ok(None)
    }

    /// Returns the records whose keys begin with `prefix`, lower-case hex digits, in no particular order.
    fn record_paths(&self, prefix: &str) -> Result<Vec<(ActionKey, PathBuf)>, CacheError> {
        let mut paths = Vec::new();
        for dir in walk::entries(&self.layout().bucket(Bucket::Records))? {
            let name = dir.file_name();
            let may_hold = name
                .to_str()
                .is_some_and(|name| name.starts_with(prefix) || prefix.starts_with(name));
            if !may_hold || !dir.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let entries = walk::entries(&dir.path())?;
            paths.extend(
                entries
                    .iter()
                    .filter_map(|entry| Some((walk::record_key(&entry.file_name())?, entry.path()))),
            );
        }
        paths.retain(|(key, _)| key.to_string().starts_with(prefix));
        Ok(paths)
    }
}

/// Returns when a record was written. A use within the first day does not change this time.
fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
