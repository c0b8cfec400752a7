//! The link into a container: it makes and starts the container when it connects, and starts bash there by the runtime, or by
//! the engine's `exec` where the runtime cannot be used.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::container::Container;
use super::runtime;
use crate::sut::agent::link::child::ChildLink;
use crate::sut::agent::link::{BOOT, CLEAN, Link, Process, States};
use crate::sut::{Inventory, Trouble};

/// How long the programs there may hear nothing before they take the runner for dead. The end of the runner closes their streams
/// as a rule, but an engine's `exec` is between them.
const HEARTBEAT: Duration = Duration::from_secs(21);

/// A way into a container.
#[derive(Clone, Debug)]
pub(super) struct ContainerLink {
    name: String,
    container: Container,
    /// How bash is started in the container that runs; nothing while it is not known to run.
    inside: Option<ChildLink>,
    heartbeat: Option<Duration>,
}

impl ContainerLink {
    /// Makes a link. Nothing is made or started yet.
    pub(super) fn new(name: &str, container: Container) -> Self {
        Self {
            name: name.to_owned(),
            container,
            inside: None,
            heartbeat: Some(HEARTBEAT),
        }
    }
}

impl Link for ContainerLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn connect(&mut self, _until: Option<Instant>) -> Result<(), Trouble> {
        self.container.bring_up()?;
        let container = self.container.name();
        let code = format!("{CLEAN}; {BOOT}");
        let direct = runtime::command(self.container.engine, &container, &code);
        let direct = direct.map_err(|error| self.container.trouble(&error))?;
        self.heartbeat = direct.is_none().then_some(HEARTBEAT);
        let command = direct.unwrap_or_else(|| {
            let exec = [self.container.engine.program(), "exec", "--interactive", &container];
            let bash = ["bash", "--noprofile", "--norc", "-c", &code];
            exec.into_iter().chain(bash).map(OsString::from).collect()
        });
        let inside = ChildLink::running(&self.name, command, self.heartbeat);
        self.inside = Some(inside.with_whole_environment());
        Ok(())
    }

    fn spawn(&mut self) -> Result<Box<dyn Process>, Trouble> {
        if self.inside.is_none() {
            self.connect(None)?;
        }
        match &mut self.inside {
            Some(inside) => inside.spawn(),
            None => unreachable!("connecting has set it"),
        }
    }

    fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat
    }

    fn inventory(&self) -> Result<Inventory, Trouble> {
        Err(Inventory::none(&self.name))
    }

    fn disconnect(&mut self) {
        self.inside = None;
    }

    fn states(&mut self) -> Option<&mut dyn States> {
        self.container
            .is_all_in_its_image()
            .then_some(&mut self.container as &mut dyn States)
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.inside = None;
        self.container.remove()
    }
}
