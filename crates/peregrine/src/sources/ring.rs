//! What a flight recorder holds, as a source of events.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use capture::{Item, Reader};
use event::{Record, RecordFlags};
use flight::{Met, Segments, Strand};
use state::Sighting;

use crate::source::{Next, Source};

/// What was found in the ring besides alerts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Events that rules saw.
    pub(crate) events: u64,
    /// Times of the first and the last of them; 0: there was none.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Stretches of time of which events are missing: their begins and ends.
    pub(crate) gaps: Vec<(u64, u64)>,
}

/// Reads a ring.
pub(crate) struct Ring {
    reader: Reader<Strand>,
    met: Rc<RefCell<Met>>,
    tally: Rc<RefCell<Tally>>,
    /// Rules see events from this time on.
    since: u64,
    /// Time of the last event, seen or not.
    time: u64,
}

impl Ring {
    /// Of these segments; rules see what happened `since`.
    ///
    /// # Errors
    /// When none of them can be read.
    pub(crate) fn open(
        segments: Segments,
        since: u64,
        met: &Rc<RefCell<Met>>,
        tally: &Rc<RefCell<Tally>>,
    ) -> Result<Self> {
        let reader = Reader::new(Strand::new(segments, met));
        Ok(Self {
            reader: reader.context("nothing in the ring can be read")?,
            met: Rc::clone(met),
            tally: Rc::clone(tally),
            since,
            time: 0,
        })
    }
}

/// Marks an event that is too early, and counts the others.
#[inline]
fn count(record: &mut Record<'_>, since: u64, time: &mut u64, tally: &RefCell<Tally>) {
    if record.ts == u64::MAX {
        return;
    }
    *time = (*time).max(record.ts);
    if record.ts < since {
        record.flags |= RecordFlags::STATE_ONLY;
    }
    if !record.flags.contains(RecordFlags::STATE_ONLY) {
        let mut tally = tally.borrow_mut();
        tally.events += 1;
        tally.last = tally.last.max(record.ts);
        if tally.first == 0 {
            tally.first = record.ts;
        }
    }
}

impl Source for Ring {
    const LIVE: bool = false;

    fn next(&mut self) -> Result<Next<'_>> {
        let mut item = match self.reader.next() {
            Ok(Some(item)) => item,
            // The last segment may have begun this moment.
            Ok(None) | Err(capture::Error::NoEvents { .. }) => return Ok(Next::End),
            Err(error) => return Err(error).context("the ring cannot be read on"),
        };
        match &mut item {
            Item::Event(record) => count(record, self.since, &mut self.time, &self.tally),
            Item::Restart => {
                let start = self.met.borrow_mut().restarts.pop_front();
                let gap = (self.time, start.unwrap_or(self.time));
                self.tally.borrow_mut().gaps.push(gap);
            }
            _ => {}
        }
        Ok(Next::Item(item))
    }

    #[inline]
    fn event(&mut self) -> Option<Record<'_>> {
        let mut record = self.reader.next_event()?;
        count(&mut record, self.since, &mut self.time, &self.tally);
        Some(record)
    }

    /// What has happened has no time now.
    fn now(&self) -> Option<u64> {
        None
    }

    /// Nobody can be asked any more.
    fn sighted(&mut self, _containers: Vec<Sighting>) {}

    /// What was recorded is all that can be known.
    fn asked(&mut self, _programs: Vec<state::ProgramQuestion>) {}
}
