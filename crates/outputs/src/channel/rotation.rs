//! Setting a file aside when it has become large or old: `events.txt` becomes `events.txt.1`, that
//! becomes `events.txt.2`, and so on; the oldest is deleted.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes from which a file is set aside; zero: never.
    pub size: u64,
    /// Every so often, counted from midnight UTC; zero: never.
    pub every: Duration,
    /// How many old files are kept.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            size: 0,
            every: Duration::ZERO,
            keep: 5,
        }
    }
}

impl Rotation {
    /// Whether the file is to be set aside before something is written to it.
    #[must_use]
    pub fn is_due(&self, path: &Path) -> bool {
        if self.size == 0 && self.every.is_zero() {
            return false;
        }
        let Ok(metadata) = std::fs::metadata(path) else {
            return false;
        };
        if !metadata.is_file() || metadata.len() == 0 {
            return false;
        }
        // The last write tells the period of a file, so that restarts do not matter.
        let period = |time: SystemTime| {
            let since = time
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis();
            since / self.every.as_millis().max(1)
        };
        let old = !self.every.is_zero()
            && metadata
                .modified()
                .is_ok_and(|time| period(time) < period(SystemTime::now()));
        old || (self.size != 0 && metadata.len() >= self.size)
    }

    /// Sets the file aside.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn rotate(&self, path: &Path) -> io::Result<()> {
        if self.keep == 0 {
            return std::fs::remove_file(path);
        }
        for number in (1..self.keep).rev() {
            let from = numbered(path, number);
            if from.exists() {
                std::fs::rename(from, numbered(path, number + 1))?;
            }
        }
        std::fs::rename(path, numbered(path, 1))
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_of_the_last_write_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let rotation = Rotation {
            every: Duration::from_secs(3600),
            ..Rotation::default()
        };
        assert!(!rotation.is_due(&path), "there is none");
        std::fs::write(&path, "x").unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3601))
            .unwrap();
        assert!(rotation.is_due(&path));
        file.set_modified(SystemTime::now() + Duration::from_secs(5))
            .unwrap();
        assert!(!rotation.is_due(&path));
        assert!(!Rotation::default().is_due(&path));
    }
}
