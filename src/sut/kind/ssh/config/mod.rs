//! The user's SSH configuration: what it says of a host, and the [`crate::sut::kind::ssh::Login`] that a target makes of it.
//!
//! [`look_up`] reads the files for one host into [`SshOptions`], which hold what is written; [`resolve()`] interprets it.
//! What is written but not honoured, although it matters, is a [`ConfigWarning`].

mod error;
mod line;
mod options;
mod read;
mod resolve;
mod tokens;

use std::fmt;
use std::path::{Path, PathBuf};

pub use error::SshConfigError;
pub use options::{OptionValue, SshOptions};
pub use resolve::{HostQuery, ResolvedHost, resolve};
pub use tokens::Here;

use read::ConfigReader;

/// The system's configuration file. Values of the user's file win over it.
const SYSTEM: &str = "/etc/ssh/ssh_config";

/// Which configuration files are read.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    /// The person and the host that the files are read for.
    pub here: Here,
    /// What is read instead of the usual files.
    pub only: Option<Only>,
}

/// The value of `--ssh-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// Only this file is read.
    File(PathBuf),
    /// No file is read.
    Nothing,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigPlace {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

/// An option that is written but not honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The option.
    pub what: String,
    /// The file and line.
    pub at: ConfigPlace,
}

impl fmt::Display for ConfigPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` of the SSH configuration is not honoured (`{}`)",
            self.what, self.at
        )
    }
}

impl ConfigFiles {
    /// Returns the files in the order in which they are read, each with the directory that relative `Include`s are below.
    fn given(&self) -> Vec<(PathBuf, PathBuf)> {
        let user_dir = self.here.home.join(".ssh");
        match &self.only {
            Some(Only::Nothing) => Vec::new(),
            Some(Only::File(file)) => vec![(file.clone(), user_dir)],
            None => vec![
                (user_dir.join("config"), user_dir),
                (PathBuf::from(SYSTEM), PathBuf::from("/etc/ssh")),
            ],
        }
    }

    /// Whether the user named the file, so that it must be there.
    fn is_named(&self, file: &Path) -> bool {
        matches!(&self.only, Some(Only::File(named)) if named == file)
    }
}

/// Reads what the files say of a host. `user` is the login user if the target names one.
pub fn look_up(files: &ConfigFiles, host: &str, user: Option<&str>) -> Result<SshOptions, SshConfigError> {
    let mut options = SshOptions::default();
    if let Some(user) = user {
        let nowhere = ConfigPlace {
            file: PathBuf::new(),
            line: 0,
        };
        options.set("user", vec![user.to_owned()], &nowhere);
    }
    let mut reader = ConfigReader {
        files,
        original: host,
        host: host.to_owned(),
        options,
        final_pass: false,
        wants_final_pass: false,
    };
    reader.read()?;
    let found = lowered(&reader.found_host());
    if reader.wants_final_pass {
        reader.host.clone_from(&found);
        reader.final_pass = true;
        reader.options.settle("hostname", &found);
        reader.read()?;
    }
    reader.options.settle("hostname", &found);
    Ok(reader.options)
}

/// Returns a host name in the form in which it is compared: in lower case, unless it is an address.
fn lowered(host: &str) -> String {
    if host.parse::<std::net::IpAddr>().is_ok() {
        host.to_owned()
    } else {
        host.to_lowercase()
    }
}

#[cfg(test)]
mod tests;
