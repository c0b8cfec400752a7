//! Fetches a page of the web, for playbooks and environment files. The host's `curl` does the work, as git's own transport does for repositories.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{FetchError, FetchProblem, without_secrets};
use crate::host::program::{self, Bounds};

/// How many bytes a page may have.
const LARGEST: usize = 4 << 20;

/// How long it may take.
const TIME: Duration = Duration::from_mins(2);

/// Fetches a page, each time anew.
pub(crate) fn fetch(url: &str) -> Result<Vec<u8>, FetchError> {
    let error = |problem| FetchError {
        url: without_secrets(url, url),
        problem,
    };
    if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(error(FetchProblem::Unusable {
            key: "url",
            text: url.to_owned(),
        }));
    }
    let mut curl = Command::new("curl");
    // The URL is read from a file, because a password in it must not be seen in the list of processes.
    let config = tempfile::NamedTempFile::new().and_then(|file| {
        std::fs::write(
            file.path(),
            format!("url = \"{}\"\n", url.replace('\\', "\\\\").replace('"', "\\\"")),
        )?;
        Ok(file)
    });
    let config = config.map_err(|source| {
        error(FetchProblem::Io {
            action: "write to",
            directory: std::env::temp_dir(),
            source,
        })
    })?;
    curl.args([
        "--disable",
        "--silent",
        "--show-error",
        "--fail",
        "--location",
        "--globoff",
    ])
    .args(["--proto", "=http,https", "--config"])
    .arg(config.path())
    .stdin(Stdio::null());
    let bounds = Bounds {
        time: Some(TIME),
        output: Some(LARGEST),
    };
    let what = format!("curl for `{}`", without_secrets(url, url));
    let ended = program::run(&mut curl, &what, bounds).map_err(|source| error(FetchProblem::NoCurl(source)))?;
    match ended.status {
        Some(status) if status.success() => Ok(ended.stdout),
        Some(status) => {
            let said = without_secrets(url, String::from_utf8_lossy(&ended.stderr).trim());
            Err(error(if said.is_empty() {
                FetchProblem::CurlFailed(status)
            } else {
                FetchProblem::Said(said)
            }))
        }
        None => Err(error(FetchProblem::TooMuch)),
    }
}
