//! `atex sut shell`: this process becomes a shell on the machine, so that its terminal and its exit code are the shell's.
//!
//! On a machine behind SSH it becomes the `ssh` client: it reads the same configuration of the host as atex, and is given
//! what the target says beyond that.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::cli::error::CliError;
use crate::cli::pool::{Pool, SutKind};
use crate::report::Exit;
use crate::sut::ssh::config::{Ask, Files, Only};

/// Becomes a shell, or the command; comes back only where that fails.
pub(super) fn run(pool: &Pool, command: &[String]) -> Result<Exit, CliError> {
    let [sut] = pool.suts.as_slice() else {
        return Err(CliError::usage("a shell is opened on one machine").hint("name one with `-s`"));
    };
    let mut program = match &sut.kind {
        SutKind::Local => local(command),
        SutKind::Ssh(ssh) => client(&ssh.0, &pool.files, command),
    };
    let name = program.get_program().to_string_lossy().into_owned();
    let error = program.exec();
    Err(CliError::infra(format!("cannot run `{name}`: {error}")))
}

fn local(command: &[String]) -> Command {
    if let Some((program, arguments)) = command.split_first() {
        let mut program = Command::new(program);
        program.args(arguments);
        return program;
    }
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    Command::new(shell.unwrap_or_else(|| "bash".into()))
}

/// The `ssh` client with what the target says.
fn client(ask: &Ask, files: &Files, command: &[String]) -> Command {
    let mut ssh = Command::new("ssh");
    match &files.only {
        None => &mut ssh,
        Some(Only::Nothing) => ssh.args(["-F", "none"]),
        Some(Only::File(file)) => ssh.arg("-F").arg(file),
    };
    if let Some(user) = &ask.user {
        ssh.args(["-l", user]);
    }
    if let Some(port) = ask.port {
        ssh.args(["-p", &port.to_string()]);
    }
    if let Some(key) = &ask.key {
        ssh.arg("-i").arg(key);
    }
    if let Some(socket) = &ask.control_path {
        ssh.arg("-S").arg(socket);
    }
    if ask.accept_new {
        ssh.args(["-o", "StrictHostKeyChecking=accept-new"]);
    }
    // What runs under sudo may ask, and a shell needs a terminal.
    if ask.sudo && command.is_empty() {
        ssh.arg("-t");
    }
    ssh.args(["--", &ask.host]);
    if ask.sudo {
        ssh.arg(if command.is_empty() { "sudo -i" } else { "sudo --" });
    }
    ssh.args(command.iter().map(|word| quoted(word)));
    ssh
}

/// A word as the shell there reads it back. A backslash stands outside the quotes: fish sees one within them for what it is not.
fn quoted(word: &str) -> OsString {
    let mut quoted = "'".to_owned();
    for character in word.chars() {
        match character {
            '\'' => quoted.push_str(r"'\''"),
            '\\' => quoted.push_str(r"'\\'"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_programs_as_they_are_through_all_login_shells() {
        let words = ["", "a b", "'", r"\", r"a\\b", r"\'", r"'\''", r"\n$HOME`id`*~;&|\"];
        for shell in ["sh", "bash", "dash", "fish", "tcsh"] {
            for word in words {
                let mut command = OsString::from("printf %s ");
                command.push(quoted(word));
                let output = match Command::new(shell).arg("-c").arg(command).output() {
                    Ok(output) => output,
                    Err(error) => {
                        assert!(std::env::var_os("CI").is_none(), "`{shell}`: {error}");
                        eprintln!("SKIPPED: `{shell}`: {error}");
                        break;
                    }
                };
                assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{shell}");
            }
        }
    }
}
