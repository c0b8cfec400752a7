//! What is remembered of targets: small documents by target name, for what can be known only by asking the machine.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::error::CacheError;
use crate::format::json;
use crate::report::{Problem, judge};
use crate::store::Store;

#[derive(Serialize, Deserialize)]
struct Facts {
    target: String,
    facts: serde_json::Value,
}

impl Store {
    /// Returns what was last remembered of `target`.
    pub fn facts(&self, target: &str) -> Result<Option<serde_json::Value>, CacheError> {
        let path = self.layout().facts(target);
        let read = match fs::read(&path) {
            Ok(bytes) => decode(&bytes, target),
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

    /// Remembers `facts` of `target`, in place of earlier ones, durably.
    pub fn remember_facts(&self, target: &str, facts: &serde_json::Value) -> Result<(), CacheError> {
        let disk = self.disk()?;
        let document = Facts {
            target: target.to_owned(),
            facts: facts.clone(),
        };
        let bytes = serde_json::to_vec(&document).map_err(|source| CacheError::Encode {
            what: target.to_owned(),
            source,
        })?;
        disk.replace(&self.layout().facts(target), &json::seal(&bytes))
    }
}

fn decode(bytes: &[u8], target: &str) -> Result<serde_json::Value, Problem> {
    let document: Facts = json::read(bytes)?;
    if document.target == target {
        Ok(document.facts)
    } else {
        Err(Problem::Misplaced)
    }
}
