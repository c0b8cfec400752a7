//! Limits on what the runner holds in memory for one test.

/// Limits for one test. The defaults are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a control line, including its newline.
    pub line: usize,
    /// The most bytes of the JSON of one result.
    pub json: usize,
    /// The most nested arrays and objects in a result. The protocol has no such limit; it keeps readers of
    /// `results.jsonl` from running out of stack.
    pub depth: usize,
    /// The most bytes of all partial results that are open at one time, including their names and the overhead of
    /// holding them.
    pub open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 4096,
            json: 16 << 20,
            depth: 100,
            open: 64 << 20,
        }
    }
}
