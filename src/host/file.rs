//! Reads small files whose paths come from somebody else. If the path is a FIFO, a socket or a device, that is an error, rather
//! than a read that never returns.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, major, minor};

/// The device `/dev/null`, which stands for an empty file in many configurations.
const NULL: (u32, u32) = (1, 3);

/// Opens a file, as [`File::open`] does.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // With this flag, opening a FIFO without a writer returns at once. It makes no difference for regular files.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    let kind = found.file_type();
    let device = (major(found.rdev()), minor(found.rdev()));
    if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() && device != NULL {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no file, but a FIFO, a socket or a device",
        ));
    }
    Ok(file)
}

/// Reads a file, as [`std::fs::read`] does.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text file, as [`std::fs::read_to_string`] does.
pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_in_the_place_of_a_file_is_an_error_and_no_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = read_to_string(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        assert_eq!(read_to_string(Path::new("/dev/null")).unwrap(), "");
        assert!(read_to_string(Path::new("/dev/zero")).is_err());
    }
}
