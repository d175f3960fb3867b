//! Answers of `/proc` for threads and descriptors that the state does not know, within bounds.
//!
//! A machine that loses events must not be slowed down further by asking: look-ups have a budget
//! that fills with time. The state keeps a stand-in for a thread that was not found; descriptors
//! that were not found are remembered here, so neither is asked for twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustc_hash::FxHashSet;

use event::snapshot::{Descriptor, Process};
use host::{Host, Threads};

/// Look-ups that may come at once.
const BURST: f64 = 2000.0;
/// Look-ups that are added in a second.
const RATE: f64 = 1000.0;

/// Descriptors that are remembered as not to be found.
const GONE: usize = 4096;

/// How often the machine was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounters {
    /// Threads that were found.
    pub threads_found: u64,
    /// Threads that were gone.
    pub threads_gone: u64,
    /// Descriptors that were found.
    pub descriptors_found: u64,
    /// Descriptors that were gone.
    pub descriptors_gone: u64,
    /// Questions that were not asked, for there had been too many.
    pub refused: u64,
}

/// Counts what all look-ups of a [`crate::Live`] asked, and can be read from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct LookupMeter(Arc<[AtomicU64; 5]>);

/// Places in a [`LookupMeter`].
const THREADS_FOUND: usize = 0;
const THREADS_GONE: usize = 1;
const DESCRIPTORS_FOUND: usize = 2;
const DESCRIPTORS_GONE: usize = 3;
const REFUSED: usize = 4;

impl LookupMeter {
    fn count(&self, what: usize) {
        self.0[what].fetch_add(1, Ordering::Relaxed);
    }

    /// As of now.
    #[must_use]
    pub fn counters(&self) -> LookupCounters {
        let [found, gone, descriptors_found, descriptors_gone, refused] =
            self.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        LookupCounters {
            threads_found: found,
            threads_gone: gone,
            descriptors_found,
            descriptors_gone,
            refused,
        }
    }
}

/// Asks `/proc`.
pub struct ProcLookup {
    threads: Threads,
    tokens: f64,
    filled: Instant,
    meter: LookupMeter,
    gone: FxHashSet<(i64, i64)>,
    /// The same, in order of time.
    gone_order: VecDeque<(i64, i64)>,
}

impl ProcLookup {
    pub(crate) fn new(host: &Host, meter: LookupMeter) -> Self {
        Self {
            threads: Threads::new(host),
            tokens: BURST,
            filled: Instant::now(),
            meter,
            gone: FxHashSet::default(),
            gone_order: VecDeque::new(),
        }
    }

    fn may_ask(&mut self) -> bool {
        let now = Instant::now();
        let filled = now.duration_since(self.filled).as_secs_f64() * RATE;
        self.tokens = (self.tokens + filled).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            self.meter.count(REFUSED);
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl state::Lookup for ProcLookup {
    fn thread(&mut self, tid: i64) -> Option<Process<'_>> {
        if !self.may_ask() {
            return None;
        }
        let found = self.threads.thread(tid);
        self.meter.count(match found {
            Some(_) => THREADS_FOUND,
            None => THREADS_GONE,
        });
        found
    }

    fn descriptors(&mut self, pid: i64, sink: &mut dyn FnMut(&Descriptor<'_>)) {
        self.threads.descriptors(pid, sink);
    }

    fn descriptor(&mut self, pid: i64, fd: i64) -> Option<Descriptor<'_>> {
        if self.gone.contains(&(pid, fd)) || !self.may_ask() {
            return None;
        }
        let found = self.threads.descriptor(pid, fd);
        if found.is_some() {
            self.meter.count(DESCRIPTORS_FOUND);
        } else {
            self.meter.count(DESCRIPTORS_GONE);
            if self.gone_order.len() >= GONE
                && let Some(oldest) = self.gone_order.pop_front()
            {
                self.gone.remove(&oldest);
            }
            self.gone.insert((pid, fd));
            self.gone_order.push_back((pid, fd));
        }
        found
    }

    fn is_alive(&mut self, tid: i64) -> bool {
        self.threads.is_alive(tid)
    }
}

#[cfg(test)]
mod tests {
    use state::Lookup;

    use super::*;

    /// A `/proc` in which nobody lives.
    fn nobody() -> ProcLookup {
        ProcLookup::new(&Host::new("/no/such/root"), LookupMeter::default())
    }

    #[test]
    fn questions_are_counted_and_bounded() {
        let mut lookup = nobody();
        let meter = lookup.meter.clone();
        for tid in 0..BURST as i64 + 5000 {
            assert!(lookup.thread(tid).is_none());
        }
        let counters = meter.counters();
        assert_eq!(
            counters.threads_gone + counters.refused,
            BURST as u64 + 5000
        );
        assert!(counters.threads_gone >= BURST as u64, "{counters:?}");
        assert!(counters.refused > 0, "{counters:?}");
        assert_eq!(counters.threads_found, 0);
    }

    #[test]
    fn a_descriptor_that_is_gone_is_asked_for_once() {
        let mut lookup = nobody();
        for _ in 0..3 {
            assert!(lookup.descriptor(7, 3).is_none());
        }
        assert_eq!(lookup.meter.counters().descriptors_gone, 1);
        // What is remembered is bounded.
        for fd in 0..2 * GONE as i64 {
            lookup.tokens = BURST;
            assert!(lookup.descriptor(8, fd).is_none());
        }
        assert!(lookup.gone.len() <= GONE && lookup.gone_order.len() <= GONE);
    }
}
