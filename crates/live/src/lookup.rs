//! Answers of `/proc` for threads and descriptors that the state does not know, within bounds.
//!
//! A machine that loses events must not be slowed down further by asking: look-ups have a budget
//! that fills with time. The state keeps a stand-in for a thread that was not found; descriptors
//! that were not found are remembered here, so neither is asked for twice.

use std::collections::VecDeque;
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

/// Asks `/proc`.
pub struct ProcLookup {
    threads: Threads,
    tokens: f64,
    filled: Instant,
    counters: LookupCounters,
    gone: FxHashSet<(i64, i64)>,
    /// The same, in order of time.
    gone_order: VecDeque<(i64, i64)>,
}

impl ProcLookup {
    pub(crate) fn new(host: &Host) -> Self {
        Self {
            threads: Threads::new(host),
            tokens: BURST,
            filled: Instant::now(),
            counters: LookupCounters::default(),
            gone: FxHashSet::default(),
            gone_order: VecDeque::new(),
        }
    }

    /// How often the machine was asked.
    #[must_use]
    pub fn counters(&self) -> LookupCounters {
        self.counters
    }

    fn may_ask(&mut self) -> bool {
        let now = Instant::now();
        let filled = now.duration_since(self.filled).as_secs_f64() * RATE;
        self.tokens = (self.tokens + filled).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            self.counters.refused += 1;
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
        match found {
            Some(_) => self.counters.threads_found += 1,
            None => self.counters.threads_gone += 1,
        }
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
            self.counters.descriptors_found += 1;
        } else {
            self.counters.descriptors_gone += 1;
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
