//! Messages on standard error: warnings, hints and errors. If standard error is closed, write errors are ignored, because nobody
//! could read them.

use std::io::Write as _;

use crate::cli::config::settings::Settings;
use crate::report::palette::paint;
use crate::report::text::harmless;

/// Writes a text unchanged.
pub(crate) fn say(text: &str) {
    let _nobody_is_left_to_tell = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes `hint: …`.
pub(crate) fn hint(text: &str, settings: &Settings) {
    let palette = settings.error_palette();
    say(&format!("{} {}\n", paint(palette.reused, "hint:"), harmless(text)));
}

/// Writes `warning: …`.
pub(crate) fn warning(text: &str, settings: &Settings) {
    let palette = settings.error_palette();
    let lines: Vec<_> = text.lines().map(harmless).collect();
    say(&format!("{} {}\n", paint(palette.warn, "warning:"), lines.join("\n  ")));
}
