//! How much a test may make the runner hold.

/// Bounds on what one test can say. The defaults are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a control line, with its newline.
    pub line: usize,
    /// Bytes of the JSON of one result.
    pub json: usize,
    /// Levels of arrays and objects in a result. Not of the protocol: readers of `results.jsonl` must not run out of stack.
    pub depth: usize,
    /// Bytes of all partial results that are open at one time, with their names and what it costs to hold them.
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
