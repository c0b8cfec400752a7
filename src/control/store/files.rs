//! The directory `files/` of one test, with uploads and links to the test's output.
//!
//! Each component of a path is opened by itself, relative to the one before it, without following links. So neither a
//! name that a test sends nor a link that something on this host makes there can lead out of the directory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::path::FilePath;
use super::{FILES, OUTPUT, StoreError};
use crate::control::violation::{ControlError, Violation};

/// The path of the output, relative to `files/`, after the test has taken the name [`OUTPUT`] for a file of its own.
const DISPLACED: &str = "../output.txt";

/// The open directory, and where the output in it is.
#[derive(Debug)]
pub(crate) struct FilesDir {
    root: OwnedFd,
    path: PathBuf,
    /// The inode of the output.
    output: (u64, u64),
    /// The path from which the output can be linked: [`OUTPUT`] or [`DISPLACED`].
    output_at: &'static str,
    /// Whether a result names [`OUTPUT`] as the test's output, so that the test cannot take the name for another file
    /// any more.
    output_claimed: bool,
}

impl FilesDir {
    /// Makes the directory with an empty [`OUTPUT`] in it.
    pub(crate) fn create(path: PathBuf) -> Result<Self, StoreError> {
        let made = || -> io::Result<(OwnedFd, (u64, u64))> {
            std::fs::create_dir(&path)?;
            let root = rustix::fs::open(&path, DIRECTORY, Mode::empty())?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let output = rustix::fs::openat(&root, OUTPUT, flags, MODE)?;
            Ok((root, inode(&rustix::fs::fstat(output)?)))
        };
        let (root, output) = made().map_err(|source| StoreError::new("create", &path, source))?;
        Ok(Self {
            root,
            path,
            output,
            output_at: OUTPUT,
            output_claimed: false,
        })
    }

    /// Opens the output to append to it.
    pub(crate) fn open_output(&self) -> Result<File, StoreError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.root, self.output_at, flags, Mode::empty())
            .map(File::from)
            .map_err(|source| StoreError::new("open", &self.path.join(self.output_at), source))
    }

    /// Opens a file of the test to append to it. Creates the file, and the directories on the way, if they do not
    /// exist.
    pub(crate) fn open(&mut self, path: &FilePath) -> Result<File, ControlError> {
        let (parent, name) = self.parent(path)?;
        // The file is opened without blocking, because somebody may have put a pipe there.
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fault = |source| self.fault(path, source);
        let file = rustix::fs::openat(&parent, name, flags, MODE).map_err(fault)?;
        let stat = rustix::fs::fstat(&file).map_err(fault)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(fault(Errno::NXIO));
        }
        if inode(&stat) != self.output {
            return Ok(file.into());
        }
        if path.as_str() != OUTPUT || self.output_claimed {
            let note = format!("file `{path}` cannot be uploaded: a result named it as `testout`");
            return Err(Violation::new(note).into());
        }
        self.displace_output()?;
        self.open(path)
    }

    /// Gives the output one more name. To give the same name again changes nothing.
    pub(crate) fn link_output(&mut self, path: &FilePath) -> Result<(), ControlError> {
        let (parent, name) = self.parent(path)?;
        match rustix::fs::linkat(&self.root, self.output_at, &parent, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.is_output(parent.as_fd(), name, path) => {
                self.output_claimed |= path.as_str() == OUTPUT;
                Ok(())
            }
            Err(Errno::EXIST) => {
                Err(Violation::new(format!("`testout` names a file that already is there: `{path}`")).into())
            }
            // The file system allows no more names of a file (ext4 allows 65,000), or never more than one.
            Err(Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => {
                let link = rustix::fs::symlinkat(self.way_to_output(path), &parent, name);
                self.output_claimed |= self.output_at == OUTPUT;
                link.map_err(|source| self.fault(path, source))
            }
            Err(source) => Err(self.fault(path, source)),
        }
    }

    /// Returns whether [`OUTPUT`] is still the test's output, so that a result may name it.
    pub(crate) fn output_has_its_name(&self) -> bool {
        self.output_at == OUTPUT
    }

    /// Moves the output away to make room for a file or subtest that the test calls [`OUTPUT`].
    fn displace_output(&mut self) -> Result<(), StoreError> {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(&self.root, OUTPUT, &self.root, DISPLACED, flags)
            .or_else(|errno| match errno {
                // This file system does not support the flags of `renameat2`.
                Errno::INVAL => rustix::fs::renameat(&self.root, OUTPUT, &self.root, DISPLACED),
                errno => Err(errno),
            })
            .map_err(|source| StoreError::new("rename", &self.path.join(OUTPUT), source))?;
        self.output_at = DISPLACED;
        Ok(())
    }

    /// Opens the directory that holds a path's last component, and creates the directories that are missing.
    fn parent<'p>(&mut self, path: &'p FilePath) -> Result<(OwnedFd, &'p str), ControlError> {
        let (directories, name) = path.split();
        let mut at: Option<OwnedFd> = None;
        for (level, directory) in directories.enumerate() {
            if level == 0 && directory == OUTPUT && self.output_has_its_name() && !self.output_claimed {
                self.displace_output()?;
            }
            let from = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let opened = match rustix::fs::openat(from, directory, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => match rustix::fs::mkdirat(from, directory, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => rustix::fs::openat(from, directory, DIRECTORY, Mode::empty()),
                    Err(errno) => Err(errno),
                },
                opened => opened,
            };
            at = Some(opened.map_err(|source| self.fault(path, source))?);
        }
        let parent = at.map_or_else(|| self.root.try_clone(), Ok);
        let parent = parent.map_err(|source| StoreError::new("open", &self.path, source))?;
        Ok((parent, name))
    }

    fn is_output(&self, parent: impl AsFd, name: &str, path: &FilePath) -> bool {
        let Ok(stat) = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return false;
        };
        inode(&stat) == self.output
            || FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
                && rustix::fs::readlinkat(parent, name, Vec::new())
                    .is_ok_and(|to| to.as_bytes() == self.way_to_output(path).as_bytes())
    }

    /// Returns the target of a symbolic link at `path` that leads to the output.
    fn way_to_output(&self, path: &FilePath) -> String {
        "../".repeat(path.directories()) + self.output_at
    }

    /// Decides whose fault it is that a path cannot be used. Names that the test chose are the test's fault.
    fn fault(&self, path: &FilePath, errno: Errno) -> ControlError {
        let what = match errno {
            Errno::NOTDIR => "a file, or a link, has the name of one of its directories",
            Errno::ISDIR => "a directory has its name",
            Errno::LOOP => "a link has its name",
            Errno::NXIO => "something that is no regular file has its name",
            Errno::NAMETOOLONG => "its name is too long",
            _ => return StoreError::new("write", &self.path.join(path.as_str()), errno).into(),
        };
        Violation::new(format!("file `{path}` cannot be stored: {what}")).into()
    }
}

const MODE: Mode = Mode::from_raw_mode(0o666);
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn inode(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Returns the path of `files/` in the directory of a test.
pub(crate) fn files_dir(test: &Path) -> PathBuf {
    test.join(FILES)
}
