//! A SUT on a machine that is provided: it asks for the machine when it is opened, hands everything on to it, and gives the
//! machine back when it is closed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ProvidedAccess;
use super::lease::Lease;
use super::message::Capability;
use crate::sut::{
    Cancel, Channel, Daemon, EnvFile, Hello, Inventory, Job, OnHeld, Reads, Room, Sut, SutState, SyncMode, Synced,
    Trouble, TroubleKind, Upload, Urgency, Watch,
};

/// How long a machine may take to be reached again after it was started anew.
const BOOT: Duration = Duration::from_mins(10);

/// A SUT whose machine is provided.
pub(super) struct ProvidedSut {
    access: Arc<ProvidedAccess>,
    dir: Option<PathBuf>,
    cancel: Cancel,
    /// The machine, while it is provided.
    machine: Option<Box<dyn Sut>>,
    watch: SharedWatch,
}

/// The observer, which outlives the machines.
#[derive(Clone, Default)]
struct SharedWatch(Arc<Mutex<Option<Box<dyn Watch>>>>);

impl ProvidedSut {
    /// Makes a SUT. Nothing is asked for yet.
    pub(super) fn new(access: Arc<ProvidedAccess>, dir: Option<&Path>, cancel: &Cancel) -> Self {
        Self {
            access,
            dir: dir.map(Path::to_owned),
            cancel: cancel.clone(),
            machine: None,
            watch: SharedWatch::default(),
        }
    }

    /// Has the machine provided, if it is not there yet.
    fn provide(&mut self, notice: &mut dyn FnMut(String)) -> Result<(), Trouble> {
        let mut lease = self.access.lease();
        if lease.is_none() {
            *lease = Some(Lease::take(&self.access.recipe, &self.cancel, notice)?);
        }
        if let (None, Some(lease)) = (&self.machine, &*lease) {
            notice(format!("`{}` was provided", lease.machine()));
            let mut machine = lease.reach.sut(self.dir.as_deref(), &self.cancel)?;
            machine.watch(Box::new(self.watch.clone()));
            self.machine = Some(machine);
        }
        Ok(())
    }

    /// Lets the machine do something, and remembers if it was lost meanwhile, so that its provisioner hears of it.
    fn on_machine<T>(&mut self, act: impl FnOnce(&mut dyn Sut) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let Some(machine) = &mut self.machine else {
            return Err(self
                .access
                .recipe
                .trouble(TroubleKind::Aborted, "has not provided the machine"));
        };
        act(machine.as_mut()).inspect_err(|trouble| {
            if let (TroubleKind::Unreachable | TroubleKind::Aborted, Some(lease)) =
                (trouble.kind, &mut *self.access.lease())
            {
                lease.trouble = Some(trouble.message.clone());
            }
        })
    }

    /// Has a machine started anew that does not answer, and waits for it.
    fn power_cycle(&mut self, silent: Trouble, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble> {
        {
            let mut lease = self.access.lease();
            let Some(lease) = lease.as_mut().filter(|lease| lease.can(Capability::PowerCycle)) else {
                return Err(silent);
            };
            notice(format!("`{}` does not answer and is started anew", lease.machine()));
            lease.power_cycle(&self.access.recipe, &self.cancel, notice)?;
            lease.trouble = None;
        }
        self.on_machine(|machine| machine.reopen(Instant::now() + BOOT))
    }
}

impl Sut for ProvidedSut {
    fn name(&self) -> &str {
        &self.access.recipe.sut
    }

    fn watch(&mut self, watch: Box<dyn Watch>) {
        *self.watch.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
    }

    fn look(&mut self) -> Result<Hello, Trouble> {
        self.provide(&mut |_| {})?;
        match self.on_machine(|machine| machine.look()) {
            Err(trouble) if trouble.kind == TroubleKind::Unreachable => {
                let hello = self.power_cycle(trouble, &mut |_| {})?;
                self.on_machine(|machine| {
                    machine.close();
                    Ok(hello)
                })
            }
            looked => looked,
        }
    }

    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble> {
        self.provide(notice)?;
        match self.on_machine(|machine| machine.open(on_held, notice)) {
            Err(trouble) if trouble.kind == TroubleKind::Unreachable => self.power_cycle(trouble, notice),
            opened => opened,
        }
    }

    fn reopen(&mut self, until: Instant) -> Result<Hello, Trouble> {
        self.on_machine(|machine| machine.reopen(until))
    }

    fn expect(&mut self, upload: &Upload, mode: SyncMode) {
        if let Some(machine) = &mut self.machine {
            machine.expect(upload, mode);
        }
    }

    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble> {
        self.on_machine(|machine| machine.sync(upload, mode))
    }

    fn look_ahead(&mut self, upload: &Upload, mode: SyncMode) {
        if let Some(machine) = &mut self.machine {
            machine.look_ahead(upload, mode);
        }
    }

    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.adopt(slot, step))
    }

    fn reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble> {
        self.on_machine(|machine| machine.reads(slot))
    }

    fn blind(&mut self) -> Result<Option<String>, Trouble> {
        self.on_machine(|machine| machine.blind())
    }

    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        self.on_machine(|machine| machine.slots())
    }

    fn reserve(&mut self, room: Room) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.reserve(room))
    }

    fn unmount(&mut self) -> Result<String, Trouble> {
        self.on_machine(|machine| machine.unmount())
    }

    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.reset_env_file(project, which))
    }

    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble> {
        self.on_machine(|machine| machine.rewind_env_file(project, step))
    }

    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble> {
        self.on_machine(|machine| machine.start(job))
    }

    fn daemons(&mut self) -> Result<Vec<Daemon>, Trouble> {
        self.on_machine(|machine| machine.daemons())
    }

    fn end_daemons(&mut self, from: usize) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.end_daemons(from))
    }

    fn inventory(&self) -> Result<Inventory, Trouble> {
        match &self.machine {
            Some(machine) => machine.inventory(),
            None => Err(self
                .access
                .recipe
                .trouble(TroubleKind::Aborted, "has not provided the machine")),
        }
    }

    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.set_state(state))
    }

    fn states(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        // A machine that is not provided any more cannot be made anew.
        if self.machine.is_none() {
            return Ok(None);
        }
        self.on_machine(|machine| machine.states())
    }

    fn keep_state(&mut self, name: &str) -> Result<bool, Trouble> {
        self.on_machine(|machine| machine.keep_state(name))
    }

    fn restore_state(&mut self, name: Option<&str>) -> Result<Hello, Trouble> {
        self.on_machine(|machine| machine.restore_state(name))
    }

    fn tend(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.tend();
        }
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.on_machine(|machine| machine.remove())
    }

    /// Also gives the machine back. What is due there can be paid by nobody who does not get that very machine, so this host
    /// forgets it.
    fn close(&mut self) {
        if let Some(mut machine) = self.machine.take() {
            machine.close();
        }
        let Some(lease) = self.access.lease().take() else {
            return;
        };
        if self.cancel.urgency() == Urgency::Now {
            lease.abandon();
            return;
        }
        lease.give_back();
        self.watch.kept(&SutState::default());
    }
}

impl Watch for SharedWatch {
    fn opened(&mut self, hello: &Hello) {
        if let Some(watch) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            watch.opened(hello);
        }
    }

    fn keeps(&mut self, state: &SutState) -> Result<(), String> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(watch) => watch.keeps(state),
            None => Ok(()),
        }
    }

    fn kept(&mut self, state: &SutState) {
        if let Some(watch) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            watch.kept(state);
        }
    }
}
