//! First sights over restarts: read when the engine starts, written from time to time and at the end.
//!
//! Only where a machine is watched: a replay begins with nothing, so that it gives the same alerts each
//! time. The file is replaced as a whole; a thread writes it, for the event loop waits for no disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use config::Settings;
use engine::Engine;
use engine::stateful::learned::{decode, encode};

use crate::log;

/// Nanoseconds of event time between two writes.
const PERIOD: u64 = 60_000_000_000;
/// Larger files are not what we wrote.
const LARGEST: u64 = 1 << 30;

/// Where first sights are stored.
#[derive(Default)]
pub(super) struct Recall {
    path: Option<PathBuf>,
    due: u64,
    writing: Option<JoinHandle<io::Result<()>>>,
    /// Whether it was said that the file cannot be written.
    said: bool,
}

impl Recall {
    /// Of a source on a machine: tells the engine what was learned before. The name of the file ends with
    /// that of the source, where it is not system calls.
    pub(super) fn open(settings: &Settings, source: Option<&str>, engine: &mut Engine) -> Self {
        let file = settings.stateful.first_seen_file.trim();
        if file.is_empty() {
            return Self::default();
        }
        let path = match source {
            Some(source) => PathBuf::from(format!("{file}.{source}")),
            None => PathBuf::from(file),
        };
        let (_, rules) = engine.learned();
        if !rules.is_empty() {
            match read(&path) {
                Ok(Some((keyer, learned))) => engine.learn(keyer, &learned),
                Ok(None) => {}
                Err(error) => log::warning(&format!(
                    "{}: {error}; rules with `first_seen` learn anew",
                    path.display()
                )),
            }
        }
        Self {
            path: Some(path),
            ..Self::default()
        }
    }

    /// The time of events at which something is to be done.
    pub(super) fn due(&self) -> u64 {
        self.path.as_ref().map_or(u64::MAX, |_| self.due)
    }

    /// Writes what is new, when it is time.
    pub(super) fn timed(&mut self, time: u64, engine: &mut Engine) {
        if time < self.due() {
            return;
        }
        let first = self.due == 0;
        self.due = time.saturating_add(PERIOD);
        if self.writing.as_ref().is_some_and(|one| !one.is_finished()) {
            return;
        }
        self.collect();
        if first || !engine.learns() {
            return;
        }
        let Some(path) = self.path.clone() else {
            return;
        };
        let (keyer, learned) = engine.learned();
        let bytes = encode(keyer, &learned);
        let writer = thread::Builder::new().name("first sights".to_owned());
        self.writing = writer.spawn(move || write(&path, &bytes)).ok();
    }

    /// Writes what is new, and waits for it.
    pub(super) fn finish(&mut self, engine: &mut Engine) {
        self.collect();
        let Some(path) = self.path.take() else {
            return;
        };
        if engine.learns() {
            let (keyer, learned) = engine.learned();
            let written = write(&path, &encode(keyer, &learned));
            self.tell(&path, written);
        }
    }

    fn collect(&mut self) {
        if let (Some(writing), Some(path)) = (self.writing.take(), self.path.clone())
            && let Ok(written) = writing.join()
        {
            self.tell(&path, written);
        }
    }

    fn tell(&mut self, path: &Path, written: io::Result<()>) {
        match written {
            Ok(()) => self.said = false,
            Err(error) if !std::mem::replace(&mut self.said, true) => log::error(&format!(
                "{}: {error}; what rules with `first_seen` learn is lost at the end; \
                 `stateful.first_seen_file` names another file",
                path.display()
            )),
            Err(_) => {}
        }
    }
}

type Stored = (engine::stateful::Keyer, Vec<engine::stateful::Learned>);

fn read(path: &Path) -> io::Result<Option<Stored>> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    let stored = decode(&fs::read(path)?).map_err(io::Error::other)?;
    Ok(Some(stored))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // Whoever could put a link here could lead the writing elsewhere.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_spoilt_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/first_seen");
        assert!(read(&path).unwrap().is_none());
        let keyer = engine::stateful::Keyer::with_secret([1, 2]);
        write(&path, &encode(keyer, &[])).unwrap();
        fs::write(folder.path().join("deep/first_seen.new"), "left over").unwrap();
        write(&path, &encode(keyer, &[])).unwrap();
        assert_eq!(read(&path).unwrap(), Some((keyer, Vec::new())));
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
        fs::write(&path, b"PGSEEN1\nnonsense").unwrap();
        assert!(read(&path).is_err());
    }
}
