//! Syncs a tree to the SUT, so that it holds what it has to hold: before a lane is entered, before each test, and before finish
//! steps.

use std::time::Duration;

use crate::compile::spec::UploadId;
use crate::event::SutEvent;
use crate::exec::schedule::{LaneId, Skip};
use crate::exec::worker::enter::LOST_PREPARED;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Room, SyncMode, Synced, Trouble, TroubleKind, Upload};

/// How often files that changed while they were sent are sent again, before the sync gives up.
const SENT_AGAIN: u32 = 20;

/// How much longer each new try waits, so that whoever writes the files can finish.
const BREATH: Duration = Duration::from_millis(20);

/// Returns how strict a sync is after `done` steps of a chain: files that no step of the chain made are removed from its tree.
pub(crate) fn mode_of(done: usize) -> SyncMode {
    if done == 0 {
        SyncMode::ExactIfUnprepared
    } else {
        SyncMode::KeepPrepared(done)
    }
}

impl Worker<'_> {
    /// Sends a tree to its slot. If that removes what prepare steps made there, the machine does not count as prepared any more.
    pub(crate) fn bring_tree(&mut self, id: UploadId, upload: &Upload, mode: SyncMode) -> Result<Synced, CommandError> {
        self.tell(SutEvent::Syncing, String::new());
        let synced = self.sync(id, upload, mode)?;
        if !synced.has_prepared {
            return Ok(synced);
        }
        if self.state.is_prepared_for(self.shared.project) {
            self.forget_prepared()?;
        }
        self.sync(id, upload, SyncMode::Exact)
    }

    /// Makes a slot hold the files. A file that changes while it is sent is sent again in its new form.
    fn sync(&mut self, id: UploadId, upload: &Upload, mode: SyncMode) -> Result<Synced, CommandError> {
        let mut upload = upload.clone();
        for times in 0..SENT_AGAIN {
            std::thread::sleep(BREATH * times);
            let synced = self.sut.sync(&upload, mode)?;
            let Some(index) = synced.changed else {
                return Ok(synced);
            };
            self.shared.look_again(id, &upload.files, index);
            upload.files = self.shared.upload(id).files;
        }
        let what = "the files of the tree change faster than they can be sent";
        let trouble = Trouble::new(TroubleKind::Setup, format!("`{}`: {what}", self.sut.name()));
        Err(trouble.with_hint("is something still writing there?").into())
    }

    /// Undoes what the test before did to the tree, so that it holds the inputs and what the prepare steps made, and nothing else. Returns
    /// the reason if the next test cannot start.
    pub(crate) fn undo(&mut self, lane: LaneId) -> Result<Option<Skip>, CommandError> {
        let Some(before) = self.ran_here.clone() else {
            return Ok(None);
        };
        let mode = mode_of(self.shared.chain(lane).len());
        let id = self.shared.lane(lane).upload;
        let upload = self.shared.upload(id);
        let synced = match self.sync(id, &upload, mode) {
            // Finding and removing what the test left needs lists on that same full disk, so the reserved room is freed.
            Err(CommandError::Sut(trouble)) if trouble.is_full() => {
                self.sut.reserve(Room::Free)?;
                let synced = self.sync(id, &upload, mode);
                self.sut.reserve(Room::Kept)?;
                synced?
            }
            Err(CommandError::Sut(trouble)) if trouble.kind == TroubleKind::Setup => self.sync(id, &upload, mode)?,
            synced => synced?,
        };
        self.ran_here = None;
        if synced.sent + synced.removed > 0 {
            let text = format!(
                "what `{before}` did to the tree was undone: {} brought again, {} removed",
                synced.sent, synced.removed
            );
            self.tell(SutEvent::Restored, text);
        }
        let Some(lost) = synced.lost_prepared else {
            return Ok(None);
        };
        self.tell(SutEvent::Changed, format!("{LOST_PREPARED}, by `{before}`"));
        self.step_back(lost)?;
        let done = self.bring_standing(lane)?;
        self.prepare_rest(lane, done)
    }
}
