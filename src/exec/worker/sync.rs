//! Making a tree on a SUT hold what it has to: before a lane is entered, before each test, and before finish steps.

use std::time::Duration;

use crate::compile::spec::UploadId;
use crate::exec::event::SutStatus;
use crate::exec::schedule::{LaneId, Skip};
use crate::exec::worker::enter::LOST_PREPARED;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Room, SyncMode, Synced, Trouble, TroubleKind, Upload};

/// How often files are sent again that changed meanwhile, before that is given up.
const SENT_AGAIN: u32 = 20;

/// Who writes may come to an end; after each time a little later.
const BREATH: Duration = Duration::from_millis(20);

/// How strict a sync is where so many steps of a chain are done: what no step of the chain made, has no place in its tree.
pub(crate) fn mode_of(done: usize) -> SyncMode {
    if done == 0 {
        SyncMode::ExactIfUnprepared
    } else {
        SyncMode::KeepPrepared(done)
    }
}

impl Worker<'_> {
    /// Brings a tree to its slot. Where that takes away what prepare steps made there, the machine is not prepared any more.
    pub(crate) fn bring_tree(&mut self, id: UploadId, upload: &Upload, mode: SyncMode) -> Result<Synced, CommandError> {
        self.tell(SutStatus::Syncing, String::new());
        let synced = self.sync(id, upload, mode)?;
        if !synced.has_prepared {
            return Ok(synced);
        }
        if self.state.is_prepared_for(self.shared.project) {
            self.forget_prepared()?;
        }
        self.sync(id, upload, SyncMode::Exact)
    }

    /// Makes a slot hold the files. What changes while it is sent is sent again, as it is now.
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

    /// Makes the tree hold what a test of the lane is to find: its inputs and what prepare steps made, whatever the test before
    /// it did there. Returns why the test cannot start, if it cannot.
    pub(crate) fn undo(&mut self, lane: LaneId) -> Result<Option<Skip>, CommandError> {
        let Some(before) = self.ran_here.clone() else {
            return Ok(None);
        };
        let mode = mode_of(self.shared.chain(lane).len());
        let id = self.shared.lane(lane).upload;
        let upload = self.shared.upload(id);
        let synced = match self.sync(id, &upload, mode) {
            // What the test left is told and taken away by lists that are written on the same disk.
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
            self.tell(SutStatus::Restored, text);
        }
        let Some(lost) = synced.lost_prepared else {
            return Ok(None);
        };
        self.tell(SutStatus::Changed, format!("{LOST_PREPARED}, by `{before}`"));
        self.step_back(lost)?;
        let done = self.bring_standing(lane)?;
        self.prepare_rest(lane, done)
    }
}
