//! Between the event path and the press: bounded, and full for those only who must not wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::batch::Batch;
use crate::lock;
use crate::window::Window;

/// Bytes that may wait, at least and at most.
const LEAST: u64 = 1 << 20;
const MOST: u64 = 32 << 20;
/// Buffers that are kept to be used again.
const SPARE: usize = 8;

/// What the press is told, in this order.
#[derive(Debug)]
pub(crate) enum Message {
    /// A segment begins with this state, an uncompressed capture without events, and a note. `gap`: events
    /// are missing in front of it.
    Segment {
        start: u64,
        standing: Vec<u8>,
        note: Vec<u8>,
        gap: bool,
    },
    /// Events.
    Batch(Batch),
    /// Events around an alert are to be kept; the one that it is about came before.
    Save(Arc<Window>),
    /// It is so late.
    Time(u64),
    /// No more events come until another segment begins.
    Pause,
    /// Nothing comes any more.
    End,
}

impl Message {
    fn size(&self) -> usize {
        match self {
            Self::Segment { standing, note, .. } => standing.len() + note.len(),
            Self::Batch(batch) => batch.len(),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    spare: Vec<Vec<u8>>,
}

/// The queue.
pub(crate) struct Queue {
    most: usize,
    waiting: Mutex<Waiting>,
    bytes: AtomicUsize,
    /// Nobody works any more.
    closed: AtomicBool,
    filled: Condvar,
    emptied: Condvar,
}

impl Queue {
    /// For a ring of this size. In front of a small one little may wait: whoever fills the queue hears late
    /// that a segment is full.
    pub(crate) fn new(ring: u64) -> Self {
        Self {
            most: (ring / 2).clamp(LEAST, MOST) as usize,
            waiting: Mutex::default(),
            bytes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Whether a large message is taken again.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.most / 2
    }

    /// Hands a batch over and gives a buffer for the next one. Where it would be too much it is given
    /// back, or waits if the caller `may_wait`.
    pub(crate) fn batch(&self, batch: Batch, may_wait: bool) -> Result<Vec<u8>, Batch> {
        let mut waiting = lock(&self.waiting);
        while self.bytes.load(Ordering::Relaxed) > self.most {
            if !may_wait || self.closed.load(Ordering::Relaxed) {
                return Err(batch);
            }
            waiting = self
                .emptied
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let buffer = waiting.spare.pop().unwrap_or_default();
        self.add(&mut waiting, Message::Batch(batch));
        Ok(buffer)
    }

    /// Tells what is never refused: it is small, or there was room.
    pub(crate) fn tell(&self, message: Message) {
        self.add(&mut lock(&self.waiting), message);
    }

    fn add(&self, waiting: &mut Waiting, message: Message) {
        self.bytes.fetch_add(message.size(), Ordering::Relaxed);
        waiting.messages.push_back(message);
        self.filled.notify_one();
    }

    /// What comes next; waits for it.
    pub(crate) fn next(&self) -> Message {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(message) = waiting.messages.pop_front() {
                return message;
            }
            waiting = self
                .filled
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets nobody wait for what no one works off.
    pub(crate) fn close(&self) {
        let _waiting = lock(&self.waiting);
        self.closed.store(true, Ordering::Relaxed);
        self.emptied.notify_all();
    }

    /// A message of this size has been worked off.
    pub(crate) fn done(&self, size: usize, buffer: Option<Vec<u8>>) {
        let mut waiting = lock(&self.waiting);
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        if let Some(buffer) = buffer.filter(|_| waiting.spare.len() < SPARE) {
            waiting.spare.push(buffer);
        }
        self.emptied.notify_all();
    }
}
