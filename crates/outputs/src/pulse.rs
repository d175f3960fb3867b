//! What a channel's worker shows to others while it works: counters, and since when it is at it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since some fixed moment, never zero.
fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

/// Counters of one output. All of them only grow, except where they say so.
#[derive(Debug, Default)]
pub struct Pulse {
    delivered: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    truncated: AtomicU64,
    /// When the delivery that is going on began; zero: none is.
    since: AtomicU64,
    /// The watchdog has spoken about it.
    complained: AtomicBool,
    /// Since when every attempt fails; zero: the last one did not.
    failing: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Pulse {
    /// A delivery begins.
    pub(crate) fn begin(&self) {
        self.since.store(now(), Ordering::Relaxed);
        self.complained.store(false, Ordering::Relaxed);
    }

    /// No delivery is going on.
    pub(crate) fn rest(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Whether a delivery is going on.
    pub(crate) fn is_beating(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Relaxed);
        if messages > 0 {
            self.failing.store(0, Ordering::Relaxed);
        }
        self.begin();
    }

    pub(crate) fn truncated(&self) {
        self.truncated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self, messages: u64) {
        self.lost.fetch_add(messages, Ordering::Relaxed);
    }

    /// An attempt failed. True when this is the first in a row.
    pub(crate) fn failed(&self, error: Option<&std::io::Error>) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error.map(ToString::to_string);
        self.failing
            .compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// True once for each delivery that takes longer than `limit`.
    pub(crate) fn overdue(&self, limit: Duration) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since != 0
            && Duration::from_millis(now().saturating_sub(since)) > limit
            && !self.complained.swap(true, Ordering::Relaxed)
    }

    /// How long a delivery has been going on.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        age(&self.since)
    }

    /// How long every attempt has failed.
    #[must_use]
    pub fn failing(&self) -> Option<Duration> {
        age(&self.failing)
    }

    /// What the last failed attempt said.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The counters.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            delivered: self.delivered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            truncated: self.truncated.load(Ordering::Relaxed),
        }
    }
}

fn age(moment: &AtomicU64) -> Option<Duration> {
    match moment.load(Ordering::Relaxed) {
        0 => None,
        moment => Some(Duration::from_millis(now().saturating_sub(moment))),
    }
}

/// What happened to messages that left the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the receiver.
    pub delivered: u64,
    /// The receiver will not have them.
    pub refused: u64,
    /// Given up.
    pub lost: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Cut to what the transport takes.
    pub truncated: u64,
}
