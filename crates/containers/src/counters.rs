//! What happened, in numbers. Each only grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::hub::Hub;

/// A reading of all counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Containers that somebody was asked about.
    pub lookups: u64,
    /// Containers that a runtime knew.
    pub found: u64,
    /// Containers that nobody knew.
    pub unknown: u64,
    /// Events of runtimes.
    pub events: u64,
    /// Connections of event streams, the first of each socket included.
    pub connections: u64,
    /// Questions without an answer in time.
    pub timeouts: u64,
    /// Sockets that could not be reached, connections that broke.
    pub broken: u64,
    /// Answers that were too long.
    pub too_large: u64,
    /// Answers that made no sense.
    pub malformed: u64,
    /// Questions and answers dropped because a queue was full.
    pub dropped: u64,
    /// Containers whose users and groups were read.
    pub accounts: u64,
}

/// Reads the counters wherever it is taken.
#[derive(Clone, Debug)]
pub struct Meter(pub(crate) Arc<Hub>);

impl Meter {
    /// What happened so far.
    #[must_use]
    pub fn read(&self) -> Counters {
        self.0.tally.read()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lookups: AtomicU64,
    pub(crate) found: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) connections: AtomicU64,
    timeouts: AtomicU64,
    broken: AtomicU64,
    too_large: AtomicU64,
    malformed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) accounts: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn fault(&self, error: &Error) {
        count(match error {
            Error::TimedOut => &self.timeouts,
            Error::TooLarge(_) => &self.too_large,
            Error::Malformed(_) => &self.malformed,
            Error::NotFound => return,
            _ => &self.broken,
        });
    }

    pub(crate) fn read(&self) -> Counters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            lookups: of(&self.lookups),
            found: of(&self.found),
            unknown: of(&self.unknown),
            events: of(&self.events),
            connections: of(&self.connections),
            timeouts: of(&self.timeouts),
            broken: of(&self.broken),
            too_large: of(&self.too_large),
            malformed: of(&self.malformed),
            dropped: of(&self.dropped),
            accounts: of(&self.accounts),
        }
    }
}
