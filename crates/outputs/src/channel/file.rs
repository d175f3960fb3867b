//! A file that lines are appended to.
//!
//! Without `keep_alive` the file is closed after each batch, so that a rotated file is let go of
//! soon. The original closes it after each line; in one batch nobody can tell. A disk that is full
//! leaves no half line: what was begun is taken back, or ended before the next line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::channel::rotation::Rotation;
use crate::channel::{Channel, Failure, Progress, about};
use crate::message::Batch;

/// Which file, and how it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTarget {
    /// Its path.
    pub path: PathBuf,
    /// It stays open.
    pub keep_alive: bool,
    /// When it is set aside.
    pub rotation: Rotation,
}

/// The channel.
#[derive(Debug)]
pub struct FileChannel {
    target: FileTarget,
    file: Option<File>,
    /// The file ends in the middle of a line that could not be taken back.
    torn: bool,
}

impl FileChannel {
    /// A channel that creates the file with the first message if it is missing.
    #[must_use]
    pub fn new(target: FileTarget) -> Self {
        Self {
            target,
            file: None,
            torn: false,
        }
    }

    fn about(&self, error: &io::Error) -> io::Error {
        about(&self.target.path.display().to_string(), error)
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&self.target.path)?,
            );
        }
        Ok(())
    }

    /// Appends; the number of bytes that are in the file afterwards, whatever happened.
    fn append(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let Some(file) = &mut self.file else {
            return (0, Ok(()));
        };
        let mut written = 0;
        while written < bytes.len() {
            match file.write(&bytes[written..]) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }

    /// Takes the last `bytes` back, if they are still the last and this is a plain file.
    fn take_back(&mut self, bytes: u64, length_then: Option<u64>) -> bool {
        let Some(file) = &self.file else { return false };
        let Ok(metadata) = file.metadata() else {
            return false;
        };
        metadata.is_file()
            && length_then == Some(metadata.len())
            && file.set_len(metadata.len() - bytes).is_ok()
    }
}

impl Channel for FileChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        if self.target.rotation.is_due(&self.target.path) {
            self.file = None;
            self.target
                .rotation
                .rotate(&self.target.path)
                .map_err(|e| Failure::Again(self.about(&e)))?;
        }
        self.open()
            .map_err(|error| Failure::Again(self.about(&error)))?;
        if self.torn {
            let (_, ended) = self.append(b"\n");
            ended.map_err(|error| Failure::Again(self.about(&error)))?;
            self.torn = false;
        }
        let first = progress.done();
        let bytes = batch.lines_from(first);
        let start = batch.size() - bytes.len();
        let before = self
            .file
            .as_ref()
            .and_then(|file| file.metadata().ok())
            .map(|m| m.len());
        let (written, result) = self.append(bytes);
        let whole = batch
            .ends()
            .skip(first)
            .take_while(|end| end - start <= written)
            .last();
        let messages = batch
            .ends()
            .skip(first)
            .take_while(|end| end - start <= written)
            .count();
        progress.delivered(messages);
        if let Err(error) = result {
            let rest = written - whole.map_or(0, |end| end - start);
            if rest > 0 {
                let length = before.map(|before| before + written as u64);
                self.torn = !self.take_back(rest as u64, length);
            }
            self.file = None;
            return Err(Failure::Again(self.about(&error)));
        }
        if !self.target.keep_alive {
            self.file = None;
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        if self.target.keep_alive {
            self.open().map_err(|error| self.about(&error))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rules::Priority;

    use super::*;
    use crate::pulse::Pulse;

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        lines
            .iter()
            .for_each(|line| batch.push(Priority::Notice, line.as_bytes()));
        batch
    }

    fn deliver(channel: &mut FileChannel, lines: &[&str]) -> (usize, Result<(), Failure>) {
        let pulse = Pulse::default();
        let mut progress = Progress::new(&pulse);
        let result = channel.deliver(&batch(lines), &mut progress);
        (progress.done(), result)
    }

    fn target(path: &Path) -> FileTarget {
        FileTarget {
            path: path.to_owned(),
            ..FileTarget::default()
        }
    }

    #[test]
    fn appends_and_follows_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.txt");
        let old = dir.path().join("events.old");
        std::fs::write(&path, "before\n").unwrap();
        for keep_alive in [true, false] {
            let mut channel = FileChannel::new(FileTarget {
                keep_alive,
                ..target(&path)
            });
            assert_eq!(deliver(&mut channel, &["a", "b"]).0, 2);
            std::fs::rename(&path, &old).unwrap();
            channel.reopen().unwrap();
            assert_eq!(deliver(&mut channel, &["c"]).0, 1);
            assert!(std::fs::read_to_string(&old).unwrap().ends_with("a\nb\n"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "c\n");
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let mut channel = FileChannel::new(target(Path::new("/nowhere/at/all")));
        let (done, result) = deliver(&mut channel, &["a"]);
        let failure = result.unwrap_err();
        assert_eq!(done, 0);
        assert!(
            failure
                .error()
                .unwrap()
                .to_string()
                .contains("/nowhere/at/all")
        );
    }

    #[test]
    fn a_full_disk_is_waited_for() {
        let mut channel = FileChannel::new(target(Path::new("/dev/full")));
        let (done, result) = deliver(&mut channel, &["a", "b"]);
        assert!(
            done == 0 && matches!(result, Err(Failure::Again(_))),
            "{done} {result:?}"
        );
    }

    #[test]
    fn a_file_of_its_size_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.txt");
        let rotation = Rotation {
            size: 10,
            keep: 2,
            ..Rotation::default()
        };
        let mut channel = FileChannel::new(FileTarget {
            rotation,
            keep_alive: true,
            ..target(&path)
        });
        for line in ["first line", "second line", "third line", "fourth line"] {
            assert_eq!(deliver(&mut channel, &[line]).0, 1);
        }
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(text("events.txt"), "fourth line\n");
        assert_eq!(text("events.txt.1"), "third line\n");
        assert_eq!(text("events.txt.2"), "second line\n");
        assert!(!dir.path().join("events.txt.3").exists());
    }
}
