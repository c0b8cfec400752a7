//! The files of this atex process that may be in the tree: logs, caches and runs. They are never inputs of what runs there.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use crate::cli::config::directories;
use crate::cli::config::settings::Settings;
use crate::cli::sut::pool::{Pool, SutSpec};

/// Returns the files to which the output is written, and the directories of the cache and the state.
pub(crate) fn of_process(settings: &Settings) -> Vec<PathBuf> {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let outputs = [stdout.as_fd(), stderr.as_fd()].into_iter().filter_map(file_behind);
    let places = [settings.cache_dir(), directories::state()];
    outputs.chain(places.into_iter().flatten()).collect()
}

/// Returns the files of this host in which the machines of a pool keep what they need.
pub(crate) fn of_pool(pool: &Pool) -> Vec<PathBuf> {
    let of = |sut: &SutSpec| sut.access.own_files(sut.dir.as_deref());
    pool.suts.iter().flat_map(of).collect()
}

/// Returns the path of the regular file behind a descriptor, as the kernel reports it.
fn file_behind(descriptor: BorrowedFd<'_>) -> Option<PathBuf> {
    let file = File::from(descriptor.try_clone_to_owned().ok()?);
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    is_file.then(|| fs::read_link(name).ok()).flatten()
}
