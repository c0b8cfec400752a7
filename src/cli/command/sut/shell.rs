//! `atex sut shell`: this process becomes a shell on the machine, so that its terminal and its exit code are the shell's.

use std::os::unix::process::CommandExt as _;

use crate::cli::error::CliError;
use crate::cli::sut::pool::Pool;
use crate::report::Exit;

/// Replaces this process with a shell or the command, and returns only if that fails.
pub(super) fn run(pool: &Pool, command: &[String]) -> Result<Exit, CliError> {
    let [sut] = pool.suts.as_slice() else {
        return Err(CliError::usage("a shell is opened on one machine").hint("name one with `-s`"));
    };
    let mut program = sut.access.shell(command);
    let name = program.get_program().to_string_lossy().into_owned();
    let error = program.exec();
    Err(CliError::infra(format!("cannot run `{name}`: {error}")))
}
