//! The ring on disk: a file for each segment, readable by its owner alone; one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::segment::SegmentId;

/// The directory, held until the process ends.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _held: File,
}

impl Directory {
    /// Opens it, and makes it where it is missing.
    ///
    /// # Errors
    /// When it cannot be made, others may write in it, or another process has it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        be_ours(path)?;
        let held = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(".lock"))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process records there"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self {
            path: path.to_owned(),
            _held: held,
        })
    }

    /// Makes the file of a segment.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(&self, id: &SegmentId) -> io::Result<(Arc<Path>, File)> {
        let path = self.path.join(id.to_string());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok((path.into(), file))
    }
}

fn be_ours(path: &Path) -> io::Result<()> {
    let found = std::fs::metadata(path)?;
    let ours = rustix::process::geteuid().as_raw();
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if found.uid() != ours || found.mode() & 0o022 != 0 {
        return Err(io::Error::other(
            "the directory must be ours, and nobody else may write in it",
        ));
    }
    Ok(())
}

/// What a folder offers to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// A process records there.
    pub is_in_use: bool,
    /// Bytes of the segments that are there.
    pub held: u64,
    /// Bytes that may still be written.
    pub free: u64,
}

/// Looks whether a ring could be kept in a folder, and changes nothing. The folder need not be there.
///
/// # Errors
/// Why it could not.
pub fn survey(path: &Path) -> io::Result<Site> {
    let mut site = Site {
        is_in_use: false,
        held: 0,
        free: room(path)?,
    };
    if !path.try_exists()? {
        return Ok(site);
    }
    be_ours(path)?;
    site.held = segments(path)?.iter().map(|(.., bytes)| bytes).sum();
    site.is_in_use = match OpenOptions::new().write(true).open(path.join(".lock")) {
        Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    Ok(site)
}

/// Bytes that may be written in a folder, or, where it is missing, where it would be made.
///
/// # Errors
/// Why nothing may be.
pub fn room(folder: &Path) -> io::Result<u64> {
    let mut near = std::path::absolute(folder)?;
    while !near.try_exists()? && near.pop() {}
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(&near, access)?;
    if !near.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let about = rustix::fs::statvfs(&near)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Writes all bytes there, or nothing.
///
/// # Errors
/// When not all could be written; the file ends where it did.
pub(crate) fn append(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let written = file.write_all_at(bytes, offset);
    if written.is_err() {
        // A torn frame is what readers are prepared for; this only spares them.
        let _ = file.set_len(offset);
    }
    written
}

/// The segments in a directory, the oldest first, with their lengths. Other files are none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn segments(path: &Path) -> io::Result<Vec<(SegmentId, PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(SegmentId::from_file_name) else {
            continue;
        };
        // A link, a pipe or a folder with such a name is no segment; one that just went is none any more.
        if let Ok(kind) = entry.file_type()
            && kind.is_file()
            && let Ok(data) = entry.metadata()
        {
            found.push((id, entry.path(), data.len()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn looking_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let ring = place.path().join("a/ring");
        let site = survey(&ring).unwrap();
        assert!(site.free > 0 && site.held == 0 && !site.is_in_use);
        assert!(!place.path().join("a").exists());
        let held = Directory::open(&ring).unwrap();
        let segment = SegmentId::from_file_name(
            "flight-00000000000000000001-0000000000000002-0000000003.scap",
        );
        let (path, file) = held.create(&segment.unwrap()).unwrap();
        append(&file, 0, b"12345").unwrap();
        let site = survey(&ring).unwrap();
        assert_eq!((site.is_in_use, site.held), (true, 5));
        assert!(path.exists());
        drop(held);
        assert!(!survey(&ring).unwrap().is_in_use);
    }

    #[test]
    fn what_stands_in_the_way_is_said() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        for path in ["file", "file/below"] {
            assert!(survey(&place.path().join(path)).is_err(), "{path}");
        }
        let open = place.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(survey(&open).is_err());
    }
}
