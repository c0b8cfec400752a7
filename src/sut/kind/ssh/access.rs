//! How a machine behind SSH is reached: by atex's own login, and by the `ssh` client for a shell there. The client reads the
//! same SSH configuration of this host as atex does, and is given what the target says beyond that.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::config::{HostQuery, Only};
use super::login::{Login, Via};
use super::{Ssh, SshLink};
use crate::sut::kind::Access;
use crate::sut::{Cancel, Sut, Trouble};

/// A machine behind SSH: what was asked for, and the login that came of it.
#[derive(Clone, Debug)]
pub(super) struct SshAccess {
    pub(super) ask: HostQuery,
    pub(super) login: Login,
    /// The configuration to use instead of the usual files.
    pub(super) config: Option<Only>,
    /// Whether the SSH configuration was named by the user.
    pub(super) is_config_trusted: bool,
}

impl Access for SshAccess {
    fn place(&self) -> String {
        let place = place(&self.login);
        if self.ask.sudo {
            format!("{place} by sudo")
        } else {
            place
        }
    }

    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        let link = SshLink::new(self.login.clone(), cancel.clone());
        Ok(Box::new(Ssh::over(link, dir.map(Path::to_owned), cancel.clone())))
    }

    fn shell(&self, command: &[String]) -> Command {
        client(&self.ask, self.config.as_ref(), command)
    }

    fn runs_of_tree(&self) -> Option<&str> {
        let mut login = &self.login;
        while let Via::Jump(jump) = &login.via {
            login = jump;
        }
        match &login.via {
            Via::Command(command) if !self.is_config_trusted => Some(command),
            _ => None,
        }
    }
}

fn place(login: &Login) -> String {
    let Login { user, host, port, .. } = login;
    let way = match &login.via {
        Via::Direct => String::new(),
        Via::Jump(jump) => format!(" through {}", place(jump)),
        Via::Command(command) => format!(" by {command}"),
        Via::ControlPath(socket) => format!(" by {}", socket.display()),
    };
    format!("{user}@[{host}]:{port}{way}")
}

/// Returns the `ssh` client's command line, with what the target says.
fn client(ask: &HostQuery, config: Option<&Only>, command: &[String]) -> Command {
    let mut ssh = Command::new("ssh");
    match config {
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
    // `sudo` may ask for a password, and a shell needs a terminal.
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

/// Quotes a word so that any login shell there reads it back. A backslash must stand outside of the quotes, because fish
/// interprets one within them.
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
mod tests;
