//! The version of what other programs read: what `--json` prints, `events.jsonl` and `run.json`. `docs/json.md` lists their fields.

use serde::{Deserialize, Serialize};

/// Is written as the number of the version, and can be read back from no other.
///
/// The number grows when a field goes, or changes its name, its unit or its meaning. A new field does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct JsonVersion;

const NUMBER: u32 = 1;

impl From<JsonVersion> for u32 {
    fn from(JsonVersion: JsonVersion) -> Self {
        NUMBER
    }
}

impl TryFrom<u32> for JsonVersion {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            NUMBER => Ok(Self),
            other => Err(format!("version {other}, where {NUMBER} is known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JsonVersion;

    #[test]
    fn another_version_is_refused() {
        let own = serde_json::to_string(&JsonVersion).unwrap();
        assert_eq!(serde_json::from_str::<JsonVersion>(&own).unwrap(), JsonVersion);
        let error = serde_json::from_str::<JsonVersion>("2").unwrap_err().to_string();
        assert!(error.contains("version 2, where 1 is known"), "{error}");
    }
}
