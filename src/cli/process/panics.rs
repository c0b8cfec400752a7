//! Turns a panic of any thread into one clear message and exit code 5.

use std::backtrace::Backtrace;
use std::panic::{self, PanicHookInfo, UnwindSafe};

use crate::cli::error::CliError;
use crate::cli::output::messages::say;
use crate::report::{Exit, Palette};

/// If this variable is set, the message of a defect includes a backtrace.
const BACKTRACE: &str = "ATEX_BACKTRACE";

/// Makes panics of all threads report a defect of atex.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| {
        let mut text = describe(info).render(&Palette::new(false));
        if std::env::var_os(BACKTRACE).is_some() {
            text.push_str(&Backtrace::force_capture().to_string());
        }
        say(&text);
    }));
}

/// Runs `body`. A panic in it, which the hook has already reported, is a defect.
pub(crate) fn caught(body: impl FnOnce() -> Exit + UnwindSafe) -> Exit {
    panic::catch_unwind(body).unwrap_or(Exit::Defect)
}

fn describe(info: &PanicHookInfo<'_>) -> CliError {
    let message = info.payload();
    let message = message
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| message.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    let place = info
        .location()
        .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
    CliError::defect(format!("atex failed: {message}{place}"))
        .hint(format!("{BACKTRACE}=1 in the environment shows where it came from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_defect_and_not_the_end_of_the_process() {
        assert_eq!(caught(|| panic!("on purpose")), Exit::Defect);
        assert_eq!(caught(|| Exit::Passed), Exit::Passed);
    }
}
