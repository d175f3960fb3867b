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
        let found = std::fs::metadata(path)?;
        let ours = rustix::process::geteuid().as_raw();
        if found.uid() != ours || found.mode() & 0o022 != 0 {
            return Err(io::Error::other(
                "the directory must be ours, and nobody else may write in it",
            ));
        }
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
