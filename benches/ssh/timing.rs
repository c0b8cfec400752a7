//! Measures repeated work, and prints a summary of the times.

use std::process::Command;
use std::time::{Duration, Instant};

/// The added latency, there and back.
pub(crate) const LATENCY: Duration = Duration::from_millis(50);

/// Milliseconds since then.
pub(crate) fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Runs a command that must succeed; gives the milliseconds that it took.
pub(crate) fn timed(call: &mut Command) -> f64 {
    let start = Instant::now();
    let output = call.output().expect("it can be started");
    let took = millis(start);
    assert!(
        output.status.success(),
        "{call:?} fails: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

/// The median.
pub(crate) fn middle(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How many round trips make the difference between two times.
pub(crate) fn round_trips(near: f64, far: f64) -> f64 {
    (far - near) / (LATENCY.as_secs_f64() * 1000.0)
}
