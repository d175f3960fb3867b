//! Events whose alerts wait for what their container's runtime has not said yet.
//!
//! An event waits alone: the others go on, and their alerts with them. It is kept with as much of
//! the state as its fields can ask for, so that it is looked at later as if the answer had been
//! there. It waits until the answer comes, or for a time measured by the events; how many wait is
//! bounded, and the oldest goes first where there are too many.

use std::collections::VecDeque;

use event::{Record, RecordFlags};
use state::{Context, State};

/// Most events that wait, and most bytes of them.
const EVENTS_MAX: usize = 4096;
const BYTES_MAX: usize = 32 << 20;

/// An event that waits.
pub(super) struct Waiting {
    bytes: Vec<u8>,
    cpu: u16,
    flags: RecordFlags,
    pub(super) state: State,
    pub(super) context: Context,
    /// Times of the environment when it happened: first, latest, the one before.
    pub(super) times: [Option<u64>; 3],
    pub(super) until: u64,
    size: usize,
}

impl Waiting {
    /// The event.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        Record::parse(&self.bytes, self.cpu, self.flags).ok()
    }
}

/// All that wait, the oldest first.
#[derive(Default)]
pub(super) struct WaitingEvents {
    queue: VecDeque<Waiting>,
    bytes: usize,
    /// Events that had to go without an answer because too many waited.
    pub(super) crowded: u64,
    /// Events that had to go without an answer because none came in time.
    pub(super) late: u64,
}

impl WaitingEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Events that wait now, that went without an answer in time, and for want of room.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.queue.len() as u64, self.late, self.crowded)
    }

    /// When the first of them has waited long enough.
    pub(super) fn due(&self) -> u64 {
        self.queue.front().map_or(u64::MAX, |first| first.until)
    }

    /// Keeps an event. One that has to go for it is returned.
    pub(super) fn push(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        times: [Option<u64>; 3],
    ) -> Option<Waiting> {
        let (part, context) = state.excerpt(context, record.tid);
        let size = record.bytes().len() + part.excerpt_size();
        self.bytes += size;
        self.queue.push_back(Waiting {
            bytes: record.bytes().to_vec(),
            cpu: record.cpu,
            flags: record.flags,
            state: part,
            context,
            times,
            until: record.ts.saturating_add(state.container_wait()),
            size,
        });
        if self.queue.len() <= EVENTS_MAX && self.bytes <= BYTES_MAX {
            return None;
        }
        self.crowded += 1;
        self.first()
    }

    fn first(&mut self) -> Option<Waiting> {
        let first = self.queue.pop_front()?;
        self.bytes -= first.size;
        Some(first)
    }

    /// Keeps an event that needs something else now, until its time is over.
    pub(super) fn put_back(&mut self, one: Waiting) {
        let behind = self.queue.partition_point(|other| other.until <= one.until);
        self.bytes += one.size;
        self.queue.insert(behind, one);
    }

    /// The oldest event that need not wait any more; it knows what `state` knows now.
    pub(super) fn next(&mut self, state: &State, now: u64) -> Option<Waiting> {
        let at = self
            .queue
            .iter()
            .position(|one| one.until <= now || state.has_answers(&one.state))?;
        let mut one = self.queue.remove(at)?;
        self.bytes -= one.size;
        if !state.has_answers(&one.state) {
            self.late += 1;
        }
        one.state.take_containers(state);
        Some(one)
    }
}
