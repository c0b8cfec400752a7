//! Signals of the user: Ctrl-C once ends the run in order, twice now. SIGTERM and SIGHUP count as Ctrl-C.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::error::CliError;
use crate::sut::{Cancel, Urgency};

/// Raises `cancel` from now on when a signal comes, instead of letting it end the process.
pub(crate) fn raise_on_signals(cancel: &Cancel) -> Result<(), CliError> {
    let failed = |error| CliError::infra(format!("cannot handle signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
    let cancel = cancel.clone();
    let listen = move || {
        for (count, _) in signals.forever().enumerate() {
            cancel.raise(if count == 0 { Urgency::Graceful } else { Urgency::Now });
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(64 * 1024)
        .spawn(listen)
        .map_err(failed)?;
    Ok(())
}
