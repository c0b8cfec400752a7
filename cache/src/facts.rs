//! Facts: small documents by name, for what cannot be made again from a tree, such as the answers of probes and the durations of
//! tests.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::error::CacheError;
use crate::format::json;
use crate::report::{FileProblem, judge};
use crate::store::Store;

/// A fact as it is stored.
#[derive(Serialize, Deserialize)]
struct Remembered {
    #[serde(rename = "target")]
    name: String,
    facts: serde_json::Value,
}

impl Store {
    /// Returns the fact that was last stored under `name`.
    pub fn facts(&self, name: &str) -> Result<Option<serde_json::Value>, CacheError> {
        let path = self.layout().facts(name);
        let read = match fs::read(&path) {
            Ok(bytes) => decode(&bytes, name),
            Err(error) => match judge(error).map_err(|error| CacheError::io("read", &path, error))? {
                Some(problem) => Err(problem),
                None => return Ok(None),
            },
        };
        match read {
            Ok(facts) => Ok(Some(facts)),
            Err(problem) => {
                self.report(path, problem);
                Ok(None)
            }
        }
    }

    /// Stores `facts` durably under `name`, in place of earlier ones.
    pub fn remember_facts(&self, name: &str, facts: &serde_json::Value) -> Result<(), CacheError> {
        let disk = self.disk()?;
        let document = Remembered {
            name: name.to_owned(),
            facts: facts.clone(),
        };
        let bytes = serde_json::to_vec(&document).map_err(|source| CacheError::Encode {
            what: name.to_owned(),
            source,
        })?;
        disk.replace(&self.layout().facts(name), &json::seal(&bytes))
    }
}

fn decode(bytes: &[u8], name: &str) -> Result<serde_json::Value, FileProblem> {
    let document: Remembered = json::read(bytes)?;
    if document.name == name {
        Ok(document.facts)
    } else {
        Err(FileProblem::Misplaced)
    }
}
