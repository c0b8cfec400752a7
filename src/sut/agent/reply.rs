//! Replies of the agent, and the ways in which a request can fail.

use crate::sut::agent::connection::ConnectionError;

/// The longest text for people that is taken from a reply, in characters.
pub(super) const MAX_TEXT: usize = 4000;

/// The most bytes that all blobs of a reply may have together, unless it is a list of files.
pub(crate) const MAX_REPLY: usize = 16 << 20;

/// The same for a list of files: some hundred bytes for each of a million files.
pub(crate) const MAX_LISTING: usize = 256 << 20;

/// A reply: its word and its blobs.
#[derive(Debug)]
pub(crate) struct Reply {
    pub word: String,
    pub blobs: Vec<Vec<u8>>,
}

impl Reply {
    /// Returns blob `index` as a text for people.
    pub(crate) fn text(&self, index: usize) -> String {
        self.blobs
            .get(index)
            .map(|blob| {
                String::from_utf8_lossy(&blob[..blob.len().min(4 * MAX_TEXT)])
                    .trim_end()
                    .to_owned()
            })
            .map(|text| text.chars().take(MAX_TEXT).collect())
            .unwrap_or_default()
    }

    /// Turns a reply that reports a failure of the request into an error.
    pub(crate) fn accept(self) -> Result<Self, RequestError> {
        match self.word.as_str() {
            "err" => Err(RequestError::Refused(self.text(0))),
            "full" => Err(RequestError::DiskFull(self.text(0))),
            "lacks" => Err(RequestError::ToolsMissing(self.text(0))),
            "foreign" => Err(RequestError::Foreign(self.text(0))),
            "mounted" => Err(RequestError::Mounted(self.text(0))),
            _ => Ok(self),
        }
    }

    /// Makes the error for a reply that does not have the form that the request asks for.
    pub(crate) fn unexpected(&self) -> ConnectionError {
        ConnectionError::Nonsense(format!("it said `{}` with {} blobs", self.word, self.blobs.len()))
    }
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The connection to the agent failed, or the wait for its reply did.
    Connection(ConnectionError),
    /// The agent refused the request, for this reason.
    Refused(String),
    /// The machine's disk is full; the text says for what there is no room.
    DiskFull(String),
    /// Programs that the agent needs are not installed on the machine; these are their names.
    ToolsMissing(String),
    /// Something is mounted below the trees and cannot be unmounted.
    Mounted(String),
    /// Others can write to the machine's directory.
    Foreign(String),
    /// A file on this host cannot be sent.
    Host(String),
}

impl From<ConnectionError> for RequestError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}
