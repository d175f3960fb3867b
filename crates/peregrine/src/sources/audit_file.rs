//! A file of Kubernetes audit events as a source: JSON lines, documents over several lines, lists.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};
use audit::Limits;
use capture::Item;
use event::{Record, RecordFlags};

use super::documents::Documents;

use crate::log;
use crate::pipeline::beside::Stream;
use crate::progress::Progress;
use crate::source::{Next, Source};

/// Bytes taken from the file at once.
const CHUNK: usize = 64 << 10;

/// Whether a file holds JSON rather than a capture: its first byte that is no blank decides. A capture begins with 0x0A
/// 0x0D 0x0D 0x0A or with the mark of a compressed file.
pub(crate) fn looks_like_json(path: &str) -> bool {
    let path = Path::new(path);
    if path.is_dir() {
        return path.read_dir().is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| looks_like_json(&entry.path().to_string_lossy()))
        });
    }
    // A pipe's bytes cannot be put back.
    if !path.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let Ok(file) = File::open(path) else {
        return false;
    };
    if file.take(512).read_to_end(&mut start).is_err() || start.starts_with(b"\x0a\x0d\x0d\x0a") {
        return false;
    }
    let start = start.trim_ascii_start();
    match start {
        [b'{' | b'[' | b'"' | b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => {
            std::str::from_utf8(&start[..start.len().min(4)]).is_ok()
        }
        _ => [&b"true"[..], b"false", b"null"].iter().any(|word| {
            start
                .strip_prefix(*word)
                .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
        }),
    }
}

/// An open file, or the files of a directory one after the other.
pub(crate) struct AuditFile {
    files: VecDeque<(String, File)>,
    documents: Documents,
    /// The first of the files has begun.
    begun: bool,
    current: Vec<u8>,
    position: Arc<AtomicU64>,
    progress: Progress,
}

impl AuditFile {
    /// Opens it. A directory stands for its files in the order of their change.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &str, limits: Limits) -> Result<Self> {
        let mut paths = vec![path.to_owned()];
        if Path::new(path).is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {path}"))?;
            let mut found: Vec<_> = entries
                .flatten()
                .filter(|entry| entry.path().is_file())
                .map(|entry| {
                    (
                        entry.metadata().and_then(|m| m.modified()).ok(),
                        entry.path(),
                    )
                })
                .collect();
            found.sort();
            paths = found
                .into_iter()
                .map(|(_, path)| path.display().to_string())
                .collect();
            if paths.is_empty() {
                bail!("the directory {path} holds no files");
            }
        }
        let mut files = VecDeque::new();
        let mut size = 0;
        for path in paths {
            let file = File::open(&path)
                .with_context(|| format!("cannot open the file of audit events {path}"))?;
            size += file.metadata().map_or(0, |m| m.len());
            files.push_back((path, file));
        }
        let position = Arc::new(AtomicU64::new(0));
        Ok(Self {
            files,
            documents: Documents::new(limits),
            begun: false,
            progress: Progress::new(Some(size), &position),
            current: Vec::new(),
            position,
        })
    }

    /// Reads until an event is ready; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let mut chunk = vec![0; CHUNK];
        while self.documents.is_empty() {
            let Some((name, file)) = self.files.front_mut() else {
                return Ok(false);
            };
            if !std::mem::replace(&mut self.begun, true) {
                self.documents.begin(name);
            }
            let read = match file.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.with_context(|| format!("cannot read {name}"))?,
            };
            self.position.fetch_add(read as u64, Ordering::Relaxed);
            self.documents.push(&chunk[..read]);
            if read == 0 {
                self.documents.finish();
                self.files.pop_front();
                self.begun = false;
            }
        }
        Ok(true)
    }
}

impl Source for AuditFile {
    const LIVE: bool = false;

    fn next(&mut self) -> Result<Next<'_>> {
        if self.documents.is_empty() && !self.fill()? {
            return Ok(Next::End);
        }
        let Some(record) = self.documents.next() else {
            return Ok(Next::End);
        };
        self.current = record;
        let record = Record::parse(&self.current, 0, RecordFlags::default())?;
        Ok(Next::Item(Item::Event(record)))
    }

    fn now(&self) -> Option<u64> {
        None
    }

    /// No event of this source shows a container.
    fn sighted(&mut self, _containers: Vec<state::Sighting>) {}

    /// Nor a program.
    fn asked(&mut self, _programs: Vec<state::ProgramQuestion>) {}

    fn progress(&mut self) {
        self.progress.update();
    }

    fn finish(&mut self) {
        self.progress.finish();
        let faults = self.documents.faults();
        if faults > 1 {
            log::error(&format!(
                "{faults} lines of audit events were left out in all"
            ));
        }
    }
}

impl Stream for AuditFile {
    fn next(&mut self) -> Result<Next<'_>> {
        Source::next(self)
    }

    fn finish(&mut self) {
        Source::finish(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_captures() {
        let dir = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            let path = dir.path().join("x").display().to_string();
            std::fs::write(&path, bytes).unwrap();
            looks_like_json(&path)
        };
        assert!(of(b"{\"kind\":0}") && of(b"\n [1]") && of(b"5E5555"));
        assert!(
            !of(b"\x0a\x0d\x0d\x0a\x1c\0\0\0") && !of(b"\x1f\x8b\x08") && !of(b"") && !of(b"rules")
        );
        assert!(!looks_like_json("-") && !looks_like_json("/nonexistent"));
    }

    #[test]
    fn good_lines_among_bad_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let event = |second| {
            format!("{{\"kind\":\"Event\",\"stageTimestamp\":\"1970-01-01T00:00:0{second}Z\"}}")
        };
        let text = format!(
            "{}\n{{\"kind\":0}}\n{{\"broken\":\n{}\n\n\"x\n{{\"kind\":\"EventList\",\"items\":[\n{},\n{}]}}\n{}",
            event(1),
            event(2),
            event(3),
            event(4),
            event(5)
        );
        std::fs::write(&path, text).unwrap();
        let mut file = AuditFile::open(&path.display().to_string(), Limits::default()).unwrap();
        let mut times = Vec::new();
        while let Next::Item(Item::Event(record)) = Source::next(&mut file).unwrap() {
            times.push(record.ts / 1_000_000_000);
        }
        assert_eq!(times, [1, 2, 3, 4, 5]);
        assert_eq!(file.documents.faults(), 3);
    }
}
