//! Failures of the infrastructure: what can go wrong with a machine, apart from what a test reports.

/// A failure of the infrastructure. Its message names the machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// The kind of failure, which decides the kind of the results.
    pub kind: TroubleKind,
    /// What happened: a lower-case fragment that names the SUT, path or command.
    pub message: String,
    /// What to do about it, if there is something.
    pub hint: Option<String>,
    /// Whether the machine's disk is full.
    pub(in crate::sut) is_full: bool,
}

/// The hint for a failure for want of disk space.
const FULL: &str = "the disk there is full";

impl Trouble {
    /// Makes a failure without a hint.
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: without_os_numbers(&message.into()),
            hint: None,
            is_full: false,
        }
    }

    /// Adds a hint: what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks the failure as caused by a full disk: somebody may free space and try again.
    #[must_use]
    pub fn for_want_of_room(self) -> Self {
        Self {
            is_full: true,
            ..self.with_hint(FULL)
        }
    }

    /// Whether the machine's disk is full.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the message and the hint in one text, for places that have no place for a hint of its own.
    pub fn with_advice(&self) -> String {
        let advice = self.hint.iter().map(|hint| format!("; hint: {hint}"));
        std::iter::once(self.message.clone()).chain(advice).collect()
    }
}

/// The kinds of [`Trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// There is no connection.
    Unreachable,
    /// The connection or the wrapper ended without notice.
    Aborted,
    /// Files, the wrapper or the state could not be put in place.
    Setup,
    /// Somebody else holds the lease.
    Held,
    /// The user cancelled during a wait.
    Cancelled,
}

/// Removes ` (os error N)` from a text. The standard library adds it, and the words before it say the same.
pub(crate) fn without_os_numbers(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once(" (os error ") {
        clean.push_str(before);
        match after.split_once(')') {
            Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest = after,
            _ => {
                clean.push_str(" (os error ");
                rest = after;
            }
        }
    }
    clean.push_str(rest);
    clean
}
