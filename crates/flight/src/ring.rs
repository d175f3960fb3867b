//! The ring: segments, each of frames that can be unpacked alone; how much it may hold; who reads it.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Condvar, Mutex};

use crate::segment::SegmentId;
use crate::window::{Notice, Window};

/// Where a frame's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Memory(Arc<[u8]>),
    File { path: Arc<Path>, offset: u64 },
}

/// Compressed bytes that can be unpacked alone.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) place: Place,
    /// Compressed, and unpacked.
    pub(crate) length: usize,
    pub(crate) unpacked: usize,
}

impl Frame {
    /// The compressed bytes.
    pub(crate) fn bytes(&self) -> io::Result<Arc<[u8]>> {
        use std::os::unix::fs::FileExt;
        match &self.place {
            Place::Memory(bytes) => Ok(Arc::clone(bytes)),
            Place::File { path, offset } => {
                let mut bytes = vec![0; self.length];
                std::fs::File::open(path)?.read_exact_at(&mut bytes, *offset)?;
                Ok(bytes.into())
            }
        }
    }

    /// What is in it.
    pub(crate) fn unpack(&self) -> io::Result<Vec<u8>> {
        zstd::bulk::decompress(&self.bytes()?, self.unpacked)
    }
}

/// One segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    /// The state first. Empty where an earlier run wrote it.
    pub(crate) frames: Vec<Frame>,
    pub(crate) bytes: u64,
    /// Its file, on disk.
    pub(crate) path: Option<Arc<Path>>,
}

/// The first frame with events, behind state and note.
const EVENTS: usize = 2;

/// Where a reader is that follows the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) number: u64,
    pub(crate) frame: usize,
}

/// What such a reader comes to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The state at the begin of a segment, at this time.
    Standing(Frame, u64),
    /// Events.
    Events(Frame),
    /// What comes next is not there yet.
    NotYet,
}

/// The segments.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) bytes: u64,
    /// The latest time that is known, of events or of the clock.
    pub(crate) time: u64,
    pub(crate) run: u64,
    /// Nothing more comes: until another segment begins, or at all.
    pub(crate) paused: bool,
    pub(crate) ended: bool,
    /// Files that are to be written.
    pub(crate) wanted: Vec<Arc<Window>>,
    most_bytes: u64,
    most_age: u64,
}

impl Ring {
    /// An empty one with these limits, in bytes and nanoseconds.
    pub(crate) fn new(run: u64, most_bytes: u64, most_age: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            bytes: 0,
            time: 0,
            run,
            paused: true,
            ended: false,
            wanted: Vec::new(),
            most_bytes,
            most_age,
        }
    }

    /// Adds a segment that has no frames yet, or that an earlier run left.
    pub(crate) fn begin(&mut self, segment: Segment) {
        self.time = self.time.max(segment.id.start);
        self.bytes += segment.bytes;
        self.segments.push_back(segment);
    }

    /// Adds a frame to the newest segment.
    pub(crate) fn add(&mut self, frame: Frame, last: u64) {
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += frame.length as u64;
            self.bytes += frame.length as u64;
            segment.frames.push(frame);
        }
        self.time = self.time.max(last);
    }

    /// Takes the oldest segment out if the limits want it, with `more` bytes to come. The newest stays.
    pub(crate) fn surplus(&mut self, more: u64) -> Option<Segment> {
        let too_much = self.bytes.saturating_add(more) > self.most_bytes;
        let too_old = self
            .segments
            .get(1)
            .is_some_and(|next| next.id.start.saturating_add(self.most_age) < self.time);
        if too_much || too_old {
            return self.oldest();
        }
        None
    }

    /// Takes the oldest segment out; the newest stays.
    pub(crate) fn oldest(&mut self) -> Option<Segment> {
        if self.segments.len() < 2 {
            return None;
        }
        let segment = self.segments.pop_front()?;
        self.bytes -= segment.bytes;
        Some(segment)
    }

    /// Whether `more` bytes find room.
    pub(crate) fn fits(&self, more: u64) -> bool {
        self.bytes.saturating_add(more) <= self.most_bytes
    }

    /// Bytes of a segment at which the next is to begin, where its state took so many.
    pub(crate) fn full_at(&self, standing: u64) -> u64 {
        (self.most_bytes / 8)
            .max(standing.saturating_mul(4))
            .min(self.most_bytes / 3)
    }

    /// Age of a segment at which the next is to begin.
    pub(crate) fn old_at(&self) -> u64 {
        (self.most_age / 8).max(1_000_000_000)
    }

    /// The segment to begin with in order to have everything from a time on: the last one of this run
    /// that begins before. And how much is missing.
    pub(crate) fn seek(&self, from: u64) -> Option<(Cursor, u64)> {
        let ours = || self.segments.iter().filter(|one| one.id.run == self.run);
        let before = ours().rev().find(|one| one.id.start <= from);
        let segment = before.or_else(|| ours().next())?;
        let cursor = Cursor {
            number: segment.id.number,
            frame: 0,
        };
        Some((cursor, segment.id.start.saturating_sub(from)))
    }

    /// What a reader comes to next. It moves on; where segments are missing, to the next that is there.
    pub(crate) fn step(&self, cursor: &mut Cursor) -> Step {
        for segment in &self.segments {
            if segment.id.run != self.run || segment.id.number < cursor.number {
                continue;
            }
            if segment.id.number > cursor.number {
                *cursor = Cursor {
                    number: segment.id.number,
                    frame: 0,
                };
            }
            if let Some(frame) = segment.frames.get(cursor.frame) {
                cursor.frame += 1;
                return match cursor.frame {
                    1 => {
                        // Behind the state comes the note.
                        cursor.frame = EVENTS;
                        Step::Standing(frame.clone(), segment.id.start)
                    }
                    _ => Step::Events(frame.clone()),
                };
            }
        }
        Step::NotYet
    }
}

/// What is counted; all since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) unpacked: AtomicU64,
    pub(crate) packed: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) faults: AtomicU64,
    pub(crate) saved: AtomicU64,
    pub(crate) not_saved: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) short: AtomicU64,
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ring: Mutex<Ring>,
    /// The ring, or what is wanted of it, is other than before.
    pub(crate) changed: Condvar,
    pub(crate) counters: Counters,
    /// The press wants another segment to begin.
    pub(crate) roll: AtomicBool,
    /// Segments that the press was told to begin: while one is under way, what it wants is of the past.
    pub(crate) begun: AtomicU64,
    pub(crate) notices: Mutex<Vec<Notice>>,
}

/// Notices that nobody asked for are not kept for ever.
const NOTICES: usize = 256;

impl Shared {
    pub(crate) fn notice(&self, notice: Notice) {
        let mut notices = crate::lock(&self.notices);
        if notices.len() < NOTICES {
            notices.push(notice);
        }
    }
}
