//! The thread that compresses: batches become frames, frames fill segments, segments go.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use capture::{Compression, Writer};

use crate::batch::Batch;
use crate::directory::{Directory, append};
use crate::lock;
use crate::queue::{Message, Queue};
use crate::ring::{Frame, Place, Segment, Shared};
use crate::segment::SegmentId;
use crate::window::Notice;

/// What zstd is told: little work, half the size of what gzip makes of it in a third of the time.
const LEVEL: i32 = 1;
/// After a disk refused to take more, so long nothing is tried.
const RESPITE: Duration = Duration::from_secs(10);

/// The press.
pub(crate) struct Press {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    directory: Option<Directory>,
    redact_env: bool,
    packer: zstd::bulk::Compressor<'static>,
    run: u64,
    number: u64,
    open: Option<Open>,
    /// Since when nothing can be written.
    failing: Option<Instant>,
}

/// However the press ends, nobody waits for it.
struct Closing<'q>(&'q Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The segment that is being filled.
struct Open {
    start: u64,
    file: Option<(Arc<Path>, File)>,
    length: u64,
    full_at: u64,
}

impl Press {
    pub(crate) fn new(
        shared: Arc<Shared>,
        queue: Arc<Queue>,
        directory: Option<Directory>,
        redact_env: bool,
    ) -> io::Result<Self> {
        let run = lock(&shared.ring).run;
        let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
        // A disk that gives back something else is noticed frame by frame.
        packer.include_checksum(true)?;
        Ok(Self {
            shared,
            queue,
            directory,
            redact_env,
            packer,
            run,
            number: 0,
            open: None,
            failing: None,
        })
    }

    /// Works until it is told to end.
    pub(crate) fn run(self) {
        let queue = Arc::clone(&self.queue);
        let _closing = Closing(&queue);
        self.work();
    }

    fn work(mut self) {
        loop {
            match self.queue.next() {
                Message::Segment {
                    start,
                    standing,
                    note,
                    gap,
                } => {
                    self.begin(start, &standing, &note, gap);
                    self.shared.roll.store(false, Ordering::Relaxed);
                    self.shared.begun.fetch_add(1, Ordering::Release);
                    self.queue.done(standing.len() + note.len(), None);
                }
                Message::Batch(batch) => {
                    self.press(&batch);
                    let buffer = batch.into_buffer();
                    self.queue.done(buffer.len(), Some(buffer));
                }
                Message::Save(window) => lock(&self.shared.ring).wanted.push(window),
                Message::Time(time) => {
                    let mut ring = lock(&self.shared.ring);
                    ring.time = ring.time.max(time);
                    drop(ring);
                    self.evict(0);
                    self.try_again();
                }
                Message::Pause => {
                    self.open = None;
                    lock(&self.shared.ring).paused = true;
                }
                Message::End => {
                    lock(&self.shared.ring).ended = true;
                    self.shared.changed.notify_all();
                    return;
                }
            }
            self.shared.changed.notify_all();
        }
    }

    fn begin(&mut self, start: u64, standing: &[u8], note: &[u8], gap: bool) {
        // What could not be written is missing as well.
        let gap = gap || (self.open.is_none() && self.number > 0);
        self.open = None;
        self.number += if gap { 2 } else { 1 };
        let id = SegmentId {
            start,
            run: self.run,
            number: self.number,
        };
        let file = self.directory.as_ref().map(|place| place.create(&id));
        let file = match file.transpose() {
            Ok(file) => file,
            Err(error) => return self.fail(&error),
        };
        let mut ring = lock(&self.shared.ring);
        ring.paused = false;
        ring.begin(Segment {
            id,
            frames: Vec::new(),
            bytes: 0,
            path: file.as_ref().map(|(path, _)| Arc::clone(path)),
        });
        drop(ring);
        self.open = Some(Open {
            start,
            file,
            length: 0,
            full_at: 0,
        });
        let _whole = self.add(standing, start) && self.add(note, start);
        if let Some(open) = &mut self.open {
            open.full_at = lock(&self.shared.ring).full_at(open.length);
            if self.failing.take().is_some() {
                self.shared.notice(Notice::HeldAgain);
            }
        }
    }

    fn press(&mut self, batch: &Batch) {
        let counters = &self.shared.counters;
        if self.open.is_none() {
            counters.lost.fetch_add(batch.events, Ordering::Relaxed);
            return self.try_again();
        }
        match self.blocks(batch) {
            Ok(blocks) if self.add(&blocks, batch.last) => {
                let counters = &self.shared.counters;
                counters.events.fetch_add(batch.events, Ordering::Relaxed);
            }
            _ => {
                let counters = &self.shared.counters;
                counters.lost.fetch_add(batch.events, Ordering::Relaxed);
            }
        }
        self.evict(0);
        if let Some(open) = &self.open {
            let ring = lock(&self.shared.ring);
            let old = ring.time.saturating_sub(open.start) >= ring.old_at();
            if old || open.length >= open.full_at {
                self.shared.roll.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Events as blocks of a capture.
    fn blocks(&self, batch: &Batch) -> io::Result<Vec<u8>> {
        let buffer = Vec::with_capacity(batch.len() + batch.len() / 4);
        let mut writer =
            Writer::continuing(buffer, Compression::None)?.redact_environments(self.redact_env);
        for record in batch.records() {
            writer.event(&record)?;
        }
        writer.finish()
    }

    /// Adds a frame to the open segment. False: it is missing, and the segment over.
    fn add(&mut self, unpacked: &[u8], last: u64) -> bool {
        let packed = match self.packer.compress(unpacked) {
            Ok(packed) => packed,
            Err(error) => {
                self.fail(&error);
                return false;
            }
        };
        let length = packed.len();
        self.evict(length as u64);
        if !lock(&self.shared.ring).fits(length as u64) {
            if self.open.as_ref().is_some_and(|open| open.length == 0) {
                self.fail(&io::Error::other(
                    "the state alone takes more than `max_size_mb`",
                ));
                return false;
            }
            // One segment alone is too large: it ends, and goes when the next one begins.
            self.open = None;
            self.shared.roll.store(true, Ordering::Relaxed);
            return false;
        }
        let Some(mut open) = self.open.take() else {
            return false;
        };
        let place = match &open.file {
            None => Place::Memory(packed.into()),
            Some((path, file)) => {
                if let Err(error) = self.write(file, open.length, &packed) {
                    self.fail(&error);
                    return false;
                }
                Place::File {
                    path: Arc::clone(path),
                    offset: open.length,
                }
            }
        };
        open.length += length as u64;
        self.open = Some(open);
        let counters = &self.shared.counters;
        let (from, to) = (unpacked.len() as u64, length as u64);
        counters.unpacked.fetch_add(from, Ordering::Relaxed);
        counters.packed.fetch_add(to, Ordering::Relaxed);
        let frame = Frame {
            place,
            length,
            unpacked: unpacked.len(),
        };
        lock(&self.shared.ring).add(frame, last);
        true
    }

    /// Writes to disk; where that is full, older segments make room.
    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        loop {
            let error = match append(file, offset, bytes) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let full = matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
            let oldest = lock(&self.shared.ring).oldest();
            match oldest.filter(|_| full) {
                Some(segment) => {
                    let counters = &self.shared.counters;
                    counters.faults.fetch_add(1, Ordering::Relaxed);
                    self.remove(&segment);
                }
                None => return Err(error),
            }
        }
    }

    /// Lets go what is too much or too old.
    fn evict(&self, more: u64) {
        loop {
            let surplus = lock(&self.shared.ring).surplus(more);
            let Some(segment) = surplus else { return };
            self.remove(&segment);
        }
    }

    fn remove(&self, segment: &Segment) {
        let counters = &self.shared.counters;
        counters.evicted.fetch_add(1, Ordering::Relaxed);
        if let Some(path) = &segment.path
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            counters.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        let counters = &self.shared.counters;
        counters.faults.fetch_add(1, Ordering::Relaxed);
        self.open = None;
        if self.failing.replace(Instant::now()).is_none() {
            let error = error.to_string();
            self.shared.notice(Notice::NotHeld { error });
        }
    }

    /// Asks for a segment when the last fault is long enough ago.
    fn try_again(&self) {
        let waits = self.failing.is_some_and(|since| since.elapsed() < RESPITE);
        let paused = lock(&self.shared.ring).paused;
        if self.open.is_none() && !waits && !paused {
            self.shared.roll.store(true, Ordering::Relaxed);
        }
    }
}
