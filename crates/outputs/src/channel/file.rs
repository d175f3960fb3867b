//! A file that lines are appended to.
//!
//! Without `keep_alive` the file is closed after each batch, so that a rotated file is let go of
//! soon. The original closes it after each line; in one batch nobody can tell.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use crate::channel::{Channel, about};
use crate::message::Batch;

/// The channel.
#[derive(Debug)]
pub struct FileChannel {
    path: String,
    keep_alive: bool,
    file: Option<File>,
}

impl FileChannel {
    /// A channel that creates the file with the first message if it is missing.
    #[must_use]
    pub fn new(path: impl Into<String>, keep_alive: bool) -> Self {
        Self {
            path: path.into(),
            keep_alive,
            file: None,
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&self.path);
            self.file = Some(file.map_err(|error| about(&self.path, &error))?);
        }
        Ok(self.file.as_mut().expect("it was just opened"))
    }
}

impl Channel for FileChannel {
    fn name(&self) -> &'static str {
        "file"
    }

    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        let written = self.file()?.write_all(batch.lines());
        if !self.keep_alive || written.is_err() {
            self.file = None;
        }
        written.map_err(|error| about(&self.path, &error))
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        if self.keep_alive {
            self.file().map(|_| ())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use rules::Priority;

    use super::*;

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        lines
            .iter()
            .for_each(|line| batch.push(Priority::Notice, line.as_bytes()));
        batch
    }

    #[test]
    fn appends_and_follows_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.txt");
        let old = dir.path().join("events.old");
        std::fs::write(&path, "before\n").unwrap();
        for keep_alive in [true, false] {
            let mut channel = FileChannel::new(path.to_str().unwrap(), keep_alive);
            channel.deliver(&batch(&["a", "b"])).unwrap();
            std::fs::rename(&path, &old).unwrap();
            channel.reopen().unwrap();
            channel.deliver(&batch(&["c"])).unwrap();
            assert!(std::fs::read_to_string(&old).unwrap().ends_with("a\nb\n"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "c\n");
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let mut channel = FileChannel::new("/nowhere/at/all", false);
        let error = channel.deliver(&batch(&["a"])).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
    }
}
