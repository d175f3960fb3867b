//! The segments of a ring as one capture, for whoever reads it from front to back.
//!
//! ```text
//! segment    state | note | events ...      the first, and each behind a gap: state and events
//! segment    state | note | events ...      one that goes on where the other ended: events alone
//! ```
//!
//! Where a segment only goes on, its state is passed over, so that what was known of each process stays
//! known. Only whole frames are handed on, each of whole blocks: one that is torn ends its segment, and
//! the next one begins with the state anew.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use capture::{Item, Reader};
use event::codes;

use crate::held::{Held, Segments};
use crate::segment::SegmentId;

/// Longest frame that is unpacked: the state of a machine with a million threads.
const LONGEST: u64 = 1 << 30;
/// Log of the largest window of a frame.
const WINDOW_LOG: u32 = 27;

/// What was met besides events.
#[derive(Debug, Default)]
pub struct Met {
    /// Segments that were begun.
    pub segments: u64,
    /// Their notes.
    pub notes: Vec<Vec<u8>>,
    /// Segments that cannot be read, or not to their end, and why.
    pub damaged: Vec<String>,
    /// Begins of segments behind gaps, nanoseconds since the epoch, each until it was asked for.
    pub restarts: VecDeque<u64>,
}

/// Reads the segments.
pub struct Strand {
    segments: Segments,
    input: Option<BufReader<Box<dyn Read>>>,
    /// The segment that is read, or was read last; frames of it so far.
    id: Option<SegmentId>,
    frames: u64,
    /// Nothing is missing behind what was handed on.
    whole: bool,
    buffer: Vec<u8>,
    given: usize,
    met: Rc<RefCell<Met>>,
}

impl Strand {
    /// Of these segments. What is met is told there.
    #[must_use]
    pub fn new(segments: Segments, met: &Rc<RefCell<Met>>) -> Self {
        Self {
            segments,
            input: None,
            id: None,
            frames: 0,
            whole: false,
            buffer: Vec::new(),
            given: 0,
            met: Rc::clone(met),
        }
    }

    /// Goes to the next segment. False: there is none.
    fn open(&mut self) -> io::Result<bool> {
        let Some(Held { id, input }) = self.segments.next()? else {
            return Ok(false);
        };
        self.whole &= self.id.is_some_and(|before| id.follows(&before));
        self.id = Some(id);
        self.frames = 0;
        self.input = Some(BufReader::new(input));
        Ok(true)
    }

    /// Unpacks the next frame. False: the segment is over.
    fn unpack(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        self.given = 0;
        let Some(input) = &mut self.input else {
            return Ok(false);
        };
        if input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
        decoder.window_log_max(WINDOW_LOG)?;
        decoder.take(LONGEST + 1).read_to_end(&mut self.buffer)?;
        if self.buffer.len() as u64 > LONGEST {
            return Err(io::Error::other("a frame is too long"));
        }
        self.frames += 1;
        Ok(true)
    }

    /// Fills the buffer with what is to be handed on next. False: nothing is left.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            if self.input.is_none() && !self.open()? {
                return Ok(false);
            }
            match self.unpack() {
                Ok(true) => {}
                Ok(false) => {
                    self.input = None;
                    // Without a state there was nothing that could go on.
                    self.whole &= self.frames > 0;
                    continue;
                }
                Err(error) => {
                    self.input = None;
                    self.whole = false;
                    if let Some(id) = self.id {
                        let text = format!("{id}: {error}");
                        self.met.borrow_mut().damaged.push(text);
                    }
                    continue;
                }
            }
            match self.frames {
                1 => {
                    let mut met = self.met.borrow_mut();
                    met.segments += 1;
                    if self.whole {
                        continue;
                    }
                    if met.segments > 1 {
                        met.restarts.push_back(self.id.map_or(0, |id| id.start));
                    }
                    self.whole = true;
                }
                2 => {
                    self.met.borrow_mut().notes.extend(note(&self.buffer));
                    continue;
                }
                _ => {}
            }
            return Ok(true);
        }
    }
}

impl Read for Strand {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.buffer.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let rest = &self.buffer[self.given..];
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

/// The text of a note.
fn note(blocks: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::continuing(blocks).ok()?;
    while let Ok(Some(item)) = reader.next() {
        if let Item::Event(record) = item
            && record.code.number() == codes::ASYNCEVENT_E
        {
            return Some(record.text(2).to_vec());
        }
    }
    None
}
