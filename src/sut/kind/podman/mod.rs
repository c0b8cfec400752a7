//! The kind `podman`: containers of an image, made by podman, or by docker where that is what the host has.
//!
//! A target names an image; each SUT of it is a container that atex makes when it is first used, and that stays until it is
//! removed, as a machine does. The base identity is the image's id, not its name: where the name stands for another image, there
//! are other containers, and nothing that was recorded on the old ones is taken for them.

mod container;
mod engine;
mod link;
mod runtime;
mod states;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use self::container::Container;
use self::engine::{Engine, EngineError};
use self::link::ContainerLink;
use super::target::TargetText;
use super::{Access, Means, NoAccess, Parameter, TargetError, UsedMachine};
use crate::sut::agent::session::Machine;
use crate::sut::{Cancel, Sut, Trouble};

/// The prefix of a target of this kind.
const PREFIX: &str = "podman:";

/// When an image is fetched: where it is not here (the default), always, or never.
const PULL: [&str; 3] = ["missing", "always", "never"];

/// The kind `podman`.
#[derive(Debug)]
pub struct PodmanKind;

/// An image, and what its containers may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ImageAddress {
    image: String,
    pull: String,
    container: Option<String>,
    network: Option<String>,
    volumes: Vec<String>,
    is_privileged: bool,
    has_init: bool,
    /// More options of the engine's `run`.
    run: Vec<String>,
    /// The whole target, for the container's label.
    target: String,
}

/// The way to a container.
#[derive(Clone, Debug)]
struct ContainerAccess {
    name: String,
    container: Container,
    /// What its containers are made of.
    digest: String,
}

impl super::SutKind for PodmanKind {
    fn name(&self) -> &'static str {
        "podman"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["podman:IMAGE", "podman:IMAGE*4"]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const ALL: &[Parameter] = &[
            Parameter::text("container"),
            Parameter::text("network"),
            Parameter::text("privileged"),
            Parameter::text("pull"),
            Parameter::text("run"),
            Parameter::text("systemd"),
            Parameter::text("volume"),
        ];
        ALL
    }

    fn read(&self, target: &TargetText<'_>) -> Option<Result<Box<dyn super::Address>, TargetError>> {
        target.machine.strip_prefix(PREFIX)?;
        Some(ImageAddress::read(target).map(|address| Box::new(address) as Box<dyn super::Address>))
    }

    fn number<'t>(&self, machine: &'t str) -> Option<&'t str> {
        let (_, number) = machine.strip_prefix(PREFIX)?.rsplit_once('*')?;
        Some(number)
    }

    fn used(&self, _below: Option<&Path>, state_dir: Option<&Path>) -> Vec<UsedMachine> {
        let (Some(engine), Some(of)) = (Engine::find(), state_dir.map(Path::to_string_lossy)) else {
            return Vec::new();
        };
        let made = container::made(engine, &of).unwrap_or_default();
        let used = |made: container::Made| {
            let parsed = made.target.parse::<super::Target>().ok()?;
            let now = engine.image(parsed.address.to_string().strip_prefix(PREFIX)?).ok()?;
            let text = match now {
                Some(id) if id == made.image => made.target,
                // The name stands for another image by now, but the container is still there.
                _ => {
                    let (_, parameters) = made.target.split_once('?').unwrap_or_default();
                    format!("{PREFIX}{}?{parameters}", made.image)
                }
            };
            Some(UsedMachine {
                target: text,
                number: made.number,
            })
        };
        made.into_iter().filter_map(used).collect()
    }
}

impl ImageAddress {
    fn read(target: &TargetText<'_>) -> Result<Self, TargetError> {
        let machine = target.decoded()?;
        let image = machine.strip_prefix(PREFIX).unwrap_or_default().trim();
        // The engine would take it for an option.
        if image.is_empty() || image.starts_with('-') || image.contains(char::is_whitespace) {
            return Err(target.empty());
        }
        let text = |name: &str| target.parameters.get(name);
        let flag = |name: &str| match text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(target.bad(format!("{name}={value}"), "`true` or `false` is meant")),
        };
        let pull = text("pull").unwrap_or(PULL[0]);
        if !PULL.contains(&pull) {
            return Err(target.bad(format!("pull={pull}"), "`missing`, `always` or `never` is meant"));
        }
        let container = text("container");
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(plain)
        };
        if let Some(name) = container.filter(|name| !is_name(name)) {
            return Err(target.bad(
                format!("container={name}"),
                "a name has letters, digits, `_`, `.` and `-`",
            ));
        }
        let run = text("run").unwrap_or_default();
        let run = shlex::split(run).ok_or_else(|| TargetError::Words(target.whole.to_owned()))?;
        Ok(Self {
            image: image.to_owned(),
            pull: pull.to_owned(),
            container: container.map(str::to_owned),
            network: text("network").map(str::to_owned),
            volumes: text("volume")
                .into_iter()
                .flat_map(|all| all.split(','))
                .map(str::to_owned)
                .collect(),
            is_privileged: flag("privileged")?,
            has_init: flag("systemd")?,
            run,
            target: target.whole.to_owned(),
        })
    }

    /// Returns the options of the engine's `run`.
    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        let mut add = |name: &str, value: &str| options.extend([name.to_owned(), value.to_owned()]);
        self.network.iter().for_each(|network| add("--network", network));
        self.volumes.iter().for_each(|volume| add("--volume", volume));
        options.extend(self.is_privileged.then(|| "--privileged".to_owned()));
        options.extend(self.run.iter().cloned());
        options
    }

    /// Returns the id of the image, which is fetched first where that is asked for.
    fn id(&self, engine: Engine, means: &mut Means<'_>) -> Result<String, NoAccess> {
        let failed = |error: EngineError| no_access(error.to_string(), None);
        let here = engine.image(&self.image).map_err(failed)?;
        let fetches = match self.pull.as_str() {
            "always" => true,
            "never" => false,
            _ => here.is_none(),
        };
        if fetches {
            (means.warn)(format!("fetching the image `{}`", self.image));
            engine.pull(&self.image).map_err(failed)?;
        }
        let here = if fetches {
            engine.image(&self.image).map_err(failed)?
        } else {
            here
        };
        here.ok_or_else(|| {
            let hint = format!("`{} pull {}` fetches it", engine.program(), self.image);
            no_access(format!("the image `{}` is not on this host", self.image), Some(hint))
        })
    }
}

fn no_access(problem: String, hint: Option<String>) -> NoAccess {
    NoAccess { problem, hint }
}

impl fmt::Display for ImageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.image)
    }
}

impl super::Address for ImageAddress {
    fn access(&self, name: &str, _beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess> {
        let engine = Engine::find().ok_or_else(|| {
            let hint = "install podman, or name another machine".to_owned();
            no_access("there is neither podman nor docker on this host".to_owned(), Some(hint))
        })?;
        let options = self.options();
        // With such options a container reaches the host.
        if !options.is_empty() && !means.trusts_target {
            let hint = "give the target with `-s`, or put it into your own configuration".to_owned();
            let problem = "parameters of a container that the tree's `atex.toml` asks for are not obeyed".to_owned();
            return Err(no_access(problem, Some(hint)));
        }
        let image = self.id(engine, means)?;
        let volumes = engine
            .has_volumes(&image)
            .map_err(|error| no_access(error.to_string(), None))?;
        let container = Container {
            engine,
            image,
            options,
            has_init: self.has_init,
            has_volumes: !self.volumes.is_empty() || !self.run.is_empty() || volumes,
            target: self.target.clone(),
            number: means.number,
            of: means.state_dir.map(|dir| dir.to_string_lossy().into_owned()),
            own_name: self.container.clone(),
        };
        Ok(Arc::new(ContainerAccess {
            name: name.to_owned(),
            digest: container.made_of(),
            container,
        }))
    }
}

impl Access for ContainerAccess {
    fn place(&self) -> String {
        self.container.place()
    }

    fn digest(&self) -> Option<&str> {
        Some(&self.digest)
    }

    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        let link = ContainerLink::new(&self.name, self.container.clone());
        let dir = dir.map_or_else(|| PathBuf::from("/var/lib/atex"), Path::to_owned);
        Ok(Box::new(Machine::over(link, Some(dir), cancel.clone())))
    }

    fn shell(&self, command: &[String]) -> Command {
        // Where it cannot be brought up, the engine says so once more.
        let _said_again = self.container.bring_up();
        let mut program = Command::new(self.container.engine.program());
        program.args(["exec", "--interactive"]);
        if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            program.arg("--tty");
        }
        program.arg(self.container.name());
        match command {
            [] => program.args(["bash", "-i"]),
            command => program.args(command),
        };
        program
    }
}

#[cfg(test)]
mod tests {
    use crate::sut::kind::{KINDS, Target, TargetError};

    fn shown(text: &str) -> Result<String, String> {
        let target: Target = text.parse().map_err(|error: TargetError| error.to_string())?;
        Ok(format!("{} {}", target.kind.name(), target.address))
    }

    #[test]
    fn an_image_is_named_as_the_engine_does_it() {
        for image in [
            "fedora:43",
            "localhost/lab",
            "quay.io/x/y@sha256:00",
            "localhost:5000/x:1",
        ] {
            let machine = format!("podman:{image}");
            assert_eq!(shown(&machine), Ok(format!("podman {machine}")));
            let several = format!("{machine}*12");
            assert_eq!(KINDS.iter().find_map(|kind| kind.number(&several)), Some("12"));
        }
        for (text, problem) in [
            ("podman:", "target `podman:` names no machine"),
            ("podman:--privileged", "target `podman:--privileged` names no machine"),
            ("podman:a b", "target `podman:a b` names no machine"),
            (
                "podman:a?pull=newer",
                "target `podman:a?pull=newer` has a bad parameter `pull=newer`: `missing`, `always` or `never` is meant",
            ),
            (
                "podman:a?privileged=yes",
                "target `podman:a?privileged=yes` has a bad parameter `privileged=yes`: `true` or `false` is meant",
            ),
            (
                "podman:a?container=--x",
                "target `podman:a?container=--x` has a bad parameter `container=--x`: a name has letters, digits, `_`, `.` and `-`",
            ),
        ] {
            assert_eq!(shown(text), Err(problem.to_owned()), "{text}");
        }
    }
}
