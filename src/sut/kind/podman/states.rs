//! The states of a container: images that are committed from it, each under the name that the runner gives.
//!
//! A state is an image `atex/state:DIGITS`. Its labels tell its name, and the digest of what its container was made of. The newest
//! states of each such container are kept; older ones go when another is kept, unless a container is made of them. A container in
//! which something was left running, such as a daemon, has no state, since a container that was made of it would lack that.

use super::container::{ASLEEP, Container};
use crate::sut::Trouble;
use crate::sut::agent::link::{BOOT, States};

/// The repository of all states.
const REPOSITORY: &str = "localhost/atex/state";

/// The label with the name of a state.
const NAME: &str = "atex.state";

/// The label with the digest of what the container of the state was made of.
const MADE_OF: &str = "atex.made-of";

/// How many states are kept of what was made of one image with the same options.
const MOST: usize = 32;

/// How many hexadecimal digits of a digest tell states apart.
const DIGITS: usize = 16;

/// A state that is kept.
struct State {
    name: String,
    image: String,
}

impl Container {
    fn digest(&self) -> String {
        blake3::hash(self.made_of().as_bytes()).to_hex().to_string()
    }

    /// Returns the states of which this container can be made, the newest first.
    fn kept(&self) -> Result<Vec<State>, Trouble> {
        let filter = format!("label={MADE_OF}={}", self.digest());
        let ids = self
            .engine
            .list(&["image", "ls", "--quiet", "--no-trunc", "--filter", &filter]);
        let ids = ids.map_err(|error| self.trouble(&error))?;
        let format = format!("{{{{index .Config.Labels \"{NAME}\"}}}}");
        let mut kept: Vec<State> = Vec::new();
        for id in ids.lines() {
            if kept.iter().any(|state| state.image == id) {
                continue;
            }
            let told = self.engine.about(
                ["image", "inspect", "--format", &format, id],
                ["image", "ls", "--quiet"],
            );
            // It may have been removed meanwhile.
            if let Some(name) = told
                .map_err(|error| self.trouble(&error))?
                .filter(|name| !name.is_empty())
            {
                kept.push(State {
                    name,
                    image: id.to_owned(),
                });
            }
        }
        Ok(kept)
    }

    /// Returns whether something runs there that jobs have left: it is a child of the first process, as orphans are. The programs of
    /// atex are children of the engine's.
    fn runs_something(&self) -> Result<bool, Trouble> {
        let name = self.name();
        let (first, processes) = if self.engine.program() == "podman" {
            ("1".to_owned(), self.tell(&["top", &name, "ppid", "args"])?)
        } else {
            // Docker tells the processes by their numbers on the host.
            let first = self.tell(&["container", "inspect", "--format", "{{.State.Pid}}", &name])?;
            (first, self.tell(&["top", &name, "-o", "ppid,args"])?)
        };
        let is_left = |line: &str| {
            let (parent, args) = line.trim().split_once(char::is_whitespace).unwrap_or((line, ""));
            parent == first && args.trim() != ASLEEP && !args.contains("<defunct>")
        };
        Ok(processes.lines().skip(1).any(is_left))
    }

    /// Removes the states that are older than those that are kept. One of which a container is made stays.
    fn remove_old(&self) -> Result<(), Trouble> {
        for old in self.kept()?.iter().skip(MOST) {
            let _in_use = self.engine.tell(&["image", "rm", &old.image]);
        }
        Ok(())
    }
}

impl States for Container {
    fn names(&mut self) -> Result<Vec<String>, Trouble> {
        Ok(self.kept()?.into_iter().map(|state| state.name).collect())
    }

    fn keep(&mut self, name: &str) -> Result<bool, Trouble> {
        if self.runs_something()? {
            return Ok(false);
        }
        let made_of = self.digest();
        let digest = blake3::hash(format!("{made_of} {name}").as_bytes()).to_hex();
        let tag = format!("{REPOSITORY}:{}", &digest[..DIGITS]);
        let labels = [format!("LABEL {NAME}={name}"), format!("LABEL {MADE_OF}={made_of}")];
        let [state, of] = &labels;
        let container = self.name();
        self.tell(&["commit", "--quiet", "--change", state, "--change", of, &container, &tag])?;
        self.remove_old()?;
        Ok(true)
    }

    fn is_used(&mut self) -> Result<bool, Trouble> {
        // The programs that run there are told by the host, so this needs nothing in the container. Each of atex's has its first
        // program on its command line.
        let processes = self.tell(&["top", &self.name()])?;
        Ok(processes.contains(BOOT))
    }

    fn restore(&mut self, name: Option<&str>) -> Result<(), Trouble> {
        let image = match name {
            None => self.image.clone(),
            Some(name) => {
                let found = self.kept()?.into_iter().find(|state| state.name == name);
                let missing = format!("the state `{name}` is not kept any more");
                found.ok_or_else(|| self.trouble(&missing))?.image
            }
        };
        self.replace(&image)
    }
}
