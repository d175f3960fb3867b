//! A file of Kubernetes audit events that grows, as `tail -F` sees it.
//!
//! What was there at the start is old and is passed over. A file that is moved away is read to its end, then the new one
//! of that name from its start; one that was cut short is read from its start again. A file that is not there yet is waited
//! for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use anyhow::Result;
use audit::Limits;
use capture::Item;
use event::{Record, RecordFlags};

use super::documents::Documents;
use crate::pipeline::beside::Stream;
use crate::source::Next;
use crate::{clock, log};

/// Bytes taken from the file at once.
const CHUNK: usize = 64 << 10;
/// Pause before a file without news is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// The file that is open now.
struct Open {
    file: File,
    device: u64,
    inode: u64,
    position: u64,
}

/// A file that is followed.
pub(crate) struct FollowedFile {
    path: String,
    open: Option<Open>,
    documents: Documents,
    current: Vec<u8>,
    /// The program ends: what is in the file now is the last.
    stopped: bool,
}

impl FollowedFile {
    /// Follows it from its end on.
    pub(crate) fn new(path: &str, limits: Limits) -> Self {
        let mut followed = Self {
            path: path.to_owned(),
            open: None,
            documents: Documents::new(limits),
            current: Vec::new(),
            stopped: false,
        };
        if followed.reopen()
            && let Some(open) = &mut followed.open
        {
            open.position = open.file.seek(SeekFrom::End(0)).unwrap_or(0);
        } else {
            log::warning(&format!(
                "the file of audit events {path} is not there yet; it is waited for"
            ));
        }
        followed
    }

    /// Opens what has the name now; false where nothing can be.
    fn reopen(&mut self) -> bool {
        let Ok(file) = File::open(&self.path) else {
            return false;
        };
        let Ok(metadata) = file.metadata() else {
            return false;
        };
        self.documents.begin(&self.path);
        self.open = Some(Open {
            file,
            device: metadata.dev(),
            inode: metadata.ino(),
            position: 0,
        });
        true
    }

    /// Reads what is new, as much as one chunk; false: nothing is.
    fn read(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            return self.reopen();
        };
        let mut chunk = vec![0; CHUNK];
        let read = match open.file.read(&mut chunk) {
            Ok(read) => read,
            Err(error) => {
                log::error(&format!("cannot read {}: {error}", self.path));
                self.open = None;
                return false;
            }
        };
        open.position += read as u64;
        if read > 0 {
            self.documents.push(&chunk[..read]);
            return true;
        }
        self.turn()
    }

    /// At the end of what is there: whether another file has the name, or this one was cut short.
    fn turn(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let length = open.file.metadata().map_or(0, |m| m.len());
        if length < open.position {
            open.position = open.file.seek(SeekFrom::Start(0)).unwrap_or(0);
            self.documents.finish();
            return true;
        }
        let Ok(now) = std::fs::metadata(&self.path) else {
            return false;
        };
        if (now.dev(), now.ino()) == (open.device, open.inode) {
            return false;
        }
        self.documents.finish();
        self.reopen()
    }
}

impl Stream for FollowedFile {
    fn next(&mut self) -> Result<Next<'_>> {
        // Blank lines and broken ones bring nothing: somebody must look at other things all the same.
        let until = Instant::now() + PAUSE;
        while self.documents.is_empty() && Instant::now() < until {
            if !self.read() {
                if self.stopped {
                    return Ok(Next::End);
                }
                std::thread::sleep(PAUSE);
                break;
            }
        }
        let Some(record) = self.documents.next() else {
            return Ok(Next::Idle(clock::now()));
        };
        self.current = record;
        let record = Record::parse(&self.current, 0, RecordFlags::default())?;
        Ok(Next::Item(Item::Event(record)))
    }

    fn stop(&mut self) -> bool {
        self.stopped = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn event(second: u32) -> String {
        format!("{{\"kind\":\"Event\",\"stageTimestamp\":\"1970-01-01T00:00:{second:02}Z\"}}\n")
    }

    /// Seconds of the events that come until nothing comes any more.
    fn seconds(file: &mut FollowedFile) -> Vec<u64> {
        let mut all = Vec::new();
        let mut idle = 0;
        while idle < 3 {
            match file.next().unwrap() {
                Next::Item(Item::Event(record)) => all.push(record.ts / 1_000_000_000),
                Next::End => break,
                _ => idle += 1,
            }
        }
        all
    }

    #[test]
    fn it_grows_is_moved_away_and_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let name = path.display().to_string();
        let append = |text: &str| {
            let file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path);
            file.unwrap().write_all(text.as_bytes()).unwrap();
        };
        append(&event(1));
        let mut file = FollowedFile::new(&name, Limits::default());
        assert_eq!(seconds(&mut file), [0; 0], "what was there is old");
        append(&event(2));
        let (half, rest) = (&event(3)[..20], &event(3)[20..]);
        append(half);
        assert_eq!(seconds(&mut file), [2]);
        append(rest);
        append("{broken\n");
        append(&event(4));
        assert_eq!(seconds(&mut file), [3, 4]);
        // Moved away with a last line in it, and another in its place.
        append(&event(5));
        std::fs::rename(&path, dir.path().join("audit.log.1")).unwrap();
        assert_eq!(seconds(&mut file), [5]);
        append(&event(6));
        append(&event(7));
        assert_eq!(seconds(&mut file), [6, 7]);
        // Cut short.
        std::fs::write(&path, event(8)).unwrap();
        assert_eq!(seconds(&mut file), [8]);
        // Gone, and there again.
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seconds(&mut file), [0; 0]);
        append(&event(9));
        assert_eq!(seconds(&mut file), [9]);
        append(&event(10));
        assert!(file.stop());
        assert_eq!(seconds(&mut file), [10]);
        assert!(matches!(file.next().unwrap(), Next::End));
        assert_eq!(file.documents.faults(), 1);
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let mut file = FollowedFile::new(&path.display().to_string(), Limits::default());
        assert_eq!(seconds(&mut file), [0; 0]);
        std::fs::write(&path, event(1)).unwrap();
        assert_eq!(seconds(&mut file), [1]);
    }
}
