//! The container that is a SUT: its name, how it is made of an image, started and removed.

use std::fmt::Write as _;

use super::engine::{Engine, EngineError};
use crate::sut::{Trouble, TroubleKind};

/// The label that holds the place of the SUT for which a container was made. A container without it is not atex's.
const PLACE: &str = "atex.place";

/// The label that holds the state directory of the atex that made the container: who looks for used machines sees only its own.
const OF: &str = "atex.of";

/// The label that holds the target, without the number of the SUT.
const TARGET: &str = "atex.target";

/// The label that holds the number of the SUT.
const NUMBER: &str = "atex.number";

/// How many hexadecimal digits of the place's digest a container's name has.
const DIGITS: usize = 12;

/// The first process of a container that has no systemd: it sleeps, and reaps what others leave.
const INIT: &str = "trap 'exit 0' TERM; while :; do sleep 2147483647 & wait \"$!\"; done";

/// The command line of its only child.
pub(super) const ASLEEP: &str = "sleep 2147483647";

/// A container as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) engine: Engine,
    /// The id of the image.
    pub(super) image: String,
    /// Options of the engine's `run`.
    pub(super) options: Vec<String>,
    /// Whether its first process is the image's `/sbin/init`.
    pub(super) has_init: bool,
    /// Whether files that tests may change lie outside of the container, in a volume.
    pub(super) has_volumes: bool,
    /// The target, without the number.
    pub(super) target: String,
    pub(super) number: Option<u32>,
    /// The directory in which this host remembers machines.
    pub(super) of: Option<String>,
    /// The name that the user gives to it.
    pub(super) own_name: Option<String>,
}

/// A container that atex made on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) target: String,
    pub(super) number: Option<u32>,
    pub(super) image: String,
}

impl Container {
    /// Returns the text that tells the container from all others on this host.
    pub(super) fn place(&self) -> String {
        let mut place = format!("{}:{}", self.engine.program(), self.made_of());
        if let Some(name) = &self.own_name {
            let _infallible = write!(place, " as {name}");
        }
        if let Some(number) = self.number {
            let _infallible = write!(place, "#{number}");
        }
        place
    }

    /// Returns the text that is equal for containers that tests find equal.
    pub(super) fn made_of(&self) -> String {
        let mut text = self.image.clone();
        for option in self
            .options
            .iter()
            .map(String::as_str)
            .chain(self.has_init.then_some("init"))
        {
            // No two lists of options are one text.
            let _infallible = write!(text, " {}:{option}", option.len());
        }
        text
    }

    /// Returns its name.
    pub(super) fn name(&self) -> String {
        match (&self.own_name, self.number) {
            (Some(name), None) => name.clone(),
            (Some(name), Some(number)) => format!("{name}-{number}"),
            (None, _) => {
                let digest = blake3::hash(self.place().as_bytes()).to_hex();
                format!("atex-{}", &digest[..DIGITS])
            }
        }
    }

    /// Makes and starts the container, as far as it is not there and running.
    pub(super) fn bring_up(&self) -> Result<(), Trouble> {
        for _ in 0..2 {
            match self.state()?.as_deref() {
                Some("running") => return Ok(()),
                Some("paused") => drop(self.tell(&["unpause", &self.name()])?),
                // An atex that was killed may have left one that is half made, or half removed, and never starts. It is not forced
                // away, since another atex may have started it.
                Some(_) => {
                    if let Err(trouble) = self.tell(&["start", &self.name()])
                        && self.tell(&["rm", "--volumes", &self.name()]).is_err()
                        && self.state()?.as_deref() != Some("running")
                    {
                        return Err(trouble);
                    }
                }
                // Another atex may make it at the same time. Then this fails, and the container is there.
                None => {
                    if let Err(error) = self.make(&self.name(), &self.image)
                        && self.state()?.is_none()
                    {
                        return Err(self.trouble(&error));
                    }
                }
            }
        }
        match self.state()?.as_deref() {
            Some("running") => Ok(()),
            _ => Err(self
                .trouble(&"its first process ends at once")
                .with_hint("the image needs bash and coreutils; an image with systemd needs `systemd=true`")),
        }
    }

    /// Removes the container, as it is, and what was left of one that was to take its place.
    pub(super) fn remove(&self) -> Result<(), Trouble> {
        for name in [self.name(), self.next_name()] {
            if self.state_of(&name)?.is_some() {
                self.tell(&["rm", "--force", "--volumes", &name])?;
            }
        }
        Ok(())
    }

    /// Makes the container anew of an image, and starts it. The old one is there until the new one is, since whoever waits for
    /// the lease of the machine waits in it.
    pub(super) fn replace(&self, image: &str) -> Result<(), Trouble> {
        let (name, next) = (self.name(), self.next_name());
        if self.state_of(&next)?.is_some() {
            self.tell(&["rm", "--force", "--volumes", &next])?;
        }
        self.make(&next, image).map_err(|error| self.trouble(&error))?;
        self.tell(&["rm", "--force", "--volumes", &name])?;
        self.tell(&["rename", &next, &name]).map(drop)
    }

    /// Returns whether an image of the container holds all that jobs can change there. What a systemd keeps in memory it does
    /// not hold.
    pub(super) fn is_all_in_its_image(&self) -> bool {
        !self.has_init && !self.has_volumes
    }

    /// Returns the name of a container that is to take the place of this one.
    fn next_name(&self) -> String {
        format!("{}-next", self.name())
    }

    fn state(&self) -> Result<Option<String>, Trouble> {
        self.state_of(&self.name())
    }

    /// Returns the state of the container, if it is there. A container of that name that is not atex's is an error.
    fn state_of(&self, name: &str) -> Result<Option<String>, Trouble> {
        let format = format!("{{{{.State.Status}}}}\n{{{{index .Config.Labels \"{PLACE}\"}}}}");
        let told = self
            .engine
            .about(["container", "inspect", "--format", &format, name], ["ps", "--quiet"])
            .map_err(|error| self.trouble(&error))?;
        let Some(told) = told else { return Ok(None) };
        let (state, place) = told.split_once('\n').unwrap_or((&told, ""));
        if place != self.place() {
            let theirs = format!("the container `{name}` was made by somebody else");
            return Err(self.trouble(&theirs).with_hint("give it another name"));
        }
        Ok(Some(state.to_owned()))
    }

    fn make(&self, name: &str, image: &str) -> Result<(), EngineError> {
        let host = self.name();
        let words = [
            "run",
            "--detach",
            "--pull",
            "never",
            "--name",
            name,
            "--hostname",
            &host,
        ];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        let number = self.number.map(|number| number.to_string());
        let labels = [
            (PLACE, Some(self.place())),
            (OF, self.of.clone()),
            (TARGET, Some(self.target.clone())),
            (NUMBER, number),
        ];
        for (label, value) in labels {
            words.extend(
                value
                    .into_iter()
                    .flat_map(|value| ["--label".to_owned(), format!("{label}={value}")]),
            );
        }
        words.extend(self.options.iter().cloned());
        if self.has_init {
            words.extend(["--entrypoint", "/sbin/init", image].map(str::to_owned));
        } else {
            words.extend(["--stop-timeout", "1", "--entrypoint", "bash", image, "-c", INIT].map(str::to_owned));
        }
        self.engine.tell(&words).map(drop)
    }

    pub(super) fn tell(&self, words: &[&str]) -> Result<String, Trouble> {
        self.engine.tell(words).map_err(|error| self.trouble(&error))
    }

    pub(super) fn trouble(&self, what: &dyn std::fmt::Display) -> Trouble {
        Trouble::new(TroubleKind::Setup, format!("`{}`: {what}", self.target))
    }
}

/// Returns the containers that atex made on this host, and that it remembers in the directory `of`.
pub(super) fn made(engine: Engine, of: &str) -> Result<Vec<Made>, EngineError> {
    let ids = engine.list(&["ps", "--all", "--quiet", "--filter", &format!("label={OF}={of}")])?;
    let mut made = Vec::new();
    for id in ids.lines() {
        let format = format!(
            "{{{{index .Config.Labels \"{TARGET}\"}}}}\n{{{{index .Config.Labels \"{NUMBER}\"}}}}\n{{{{.Image}}}}"
        );
        let told = engine.about(["container", "inspect", "--format", &format, id], ["ps", "--quiet"])?;
        // It may have been removed meanwhile.
        let Some(told) = told else { continue };
        let mut lines = told.lines().map(str::to_owned);
        made.push(Made {
            target: lines.next().unwrap_or_default(),
            number: lines.next().and_then(|number| number.parse().ok()),
            image: lines
                .next()
                .unwrap_or_default()
                .trim_start_matches("sha256:")
                .to_owned(),
        });
    }
    Ok(made)
}
