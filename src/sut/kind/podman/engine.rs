//! The container engine of this host: podman, or docker where that is what the host has, through its command line.
//!
//! Invariant: commands that change what the engine keeps run one after the other in this process, since neither engine is meant
//! to be driven by many commands at once.

use std::ffi::OsStr;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::host::program::{self, Bounds};

/// The engines, in the order in which they are looked for.
const ENGINES: [&str; 2] = ["podman", "docker"];

/// How long a command may take, except for one that fetches an image.
const COMMAND: Duration = Duration::from_mins(5);

/// How long it may take to fetch an image.
const PULL: Duration = Duration::from_hours(1);

/// How often a list is asked for at most.
const LISTINGS: u32 = 10;

/// How long to wait before a list is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// The most bytes that a command's output may have.
const OUTPUT: usize = 4 * 1024 * 1024;

/// Held while a command changes what an engine keeps.
static CHANGES: Mutex<()> = Mutex::new(());

/// An engine's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Engine(&'static str);

/// Why a command of an engine did not do what it was told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{command}` {reason}")]
pub(super) struct EngineError {
    /// The engine and its command.
    command: String,
    /// What it said, or why it could not run.
    reason: String,
}

impl Engine {
    /// Finds the engine of this host.
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let is_there = |name: &str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        ENGINES.into_iter().find(|name| is_there(name)).map(Self)
    }

    /// Returns the name of its program.
    pub(super) fn program(self) -> &'static str {
        self.0
    }

    /// Makes a command of it that changes nothing, and returns what that prints, without the last newline.
    pub(super) fn ask<S: AsRef<OsStr>>(self, args: &[S]) -> Result<String, EngineError> {
        self.run(args, COMMAND)
    }

    /// Makes a command of it that lists things. It fails where another process removes one of them at the same time, and is then
    /// made again.
    pub(super) fn list<S: AsRef<OsStr>>(self, args: &[S]) -> Result<String, EngineError> {
        for _ in 1..LISTINGS {
            if let Ok(told) = self.ask(args) {
                return Ok(told);
            }
            std::thread::sleep(PAUSE);
        }
        self.ask(args)
    }

    /// Makes a command of it that changes what it keeps.
    pub(super) fn tell<S: AsRef<OsStr>>(self, args: &[S]) -> Result<String, EngineError> {
        let _alone = CHANGES.lock().unwrap_or_else(PoisonError::into_inner);
        self.run(args, COMMAND)
    }

    /// Returns the id of an image, without the name of its algorithm, or nothing where the image is not on this host.
    pub(super) fn image(self, name: &str) -> Result<Option<String>, EngineError> {
        let id = self.about(
            ["image", "inspect", "--format", "{{.Id}}", name],
            ["image", "ls", "--quiet"],
        )?;
        Ok(id.map(|id| id.trim_start_matches("sha256:").to_owned()))
    }

    /// Returns what an engine tells of a thing, or nothing where it has no such thing. Engines exit in the same way where they
    /// do not work, so the engine is asked for a list, too, which it can give in any case.
    pub(super) fn about<const A: usize, const L: usize>(
        self,
        question: [&str; A],
        list: [&str; L],
    ) -> Result<Option<String>, EngineError> {
        if let Ok(told) = self.ask(&question) {
            return Ok(Some(told));
        }
        self.list(&list).map(|_| None)
    }

    /// Returns whether an image says that some of its directories are volumes, which are no part of a container.
    pub(super) fn has_volumes(self, image: &str) -> Result<bool, EngineError> {
        let volumes = self.ask(&["image", "inspect", "--format", "{{len .Config.Volumes}}", image])?;
        Ok(volumes != "0")
    }

    /// Fetches an image.
    pub(super) fn pull(self, name: &str) -> Result<(), EngineError> {
        let _alone = CHANGES.lock().unwrap_or_else(PoisonError::into_inner);
        self.run(&["pull", "--quiet", "--", name], PULL).map(drop)
    }

    fn run<S: AsRef<OsStr>>(self, args: &[S], time: Duration) -> Result<String, EngineError> {
        let first: Vec<_> = args
            .iter()
            .take(2)
            .map(|word| word.as_ref().to_string_lossy())
            .collect();
        let command = format!("{} {}", self.0, first.join(" "));
        let failed = |reason: String| EngineError {
            command: command.clone(),
            reason,
        };
        let bounds = Bounds {
            time: Some(time),
            output: Some(OUTPUT),
        };
        let ended = program::run(Command::new(self.0).args(args), &command, bounds)
            .map_err(|error| failed(format!("cannot run: {error}")))?;
        let status = ended
            .status
            .ok_or_else(|| failed(format!("did not end within {} s", time.as_secs())))?;
        if !status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = said
                .lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("nothing");
            return Err(failed(format!("failed: {}", last.trim().trim_start_matches("Error: "))));
        }
        Ok(String::from_utf8_lossy(&ended.stdout).trim_end().to_owned())
    }
}
