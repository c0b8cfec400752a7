//! Finds out which signals this process was started to ignore.

use std::fs;

/// Returns the signals that are ignored, one bit each. Whoever started atex did not want them to reach it (`nohup`, or a
/// background job).
pub(crate) fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Returns whether a signal is in a mask.
pub(crate) fn is_in(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}
