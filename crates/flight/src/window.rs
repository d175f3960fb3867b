//! What is kept of an alert: from when to when, in which file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a rule that fired wants kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The file, where it becomes one of its own.
    pub path: PathBuf,
    /// Time of the event, nanoseconds since the epoch.
    pub time: u64,
    /// Nanoseconds before it.
    pub before: u64,
    /// Nanoseconds after it.
    pub after: u64,
}

/// A file that is being written, or about to.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) path: PathBuf,
    pub(crate) from: u64,
    /// The same, or less where nothing was asked of before.
    pub(crate) asked: u64,
    until: AtomicU64,
    done: AtomicBool,
}

impl Window {
    pub(crate) fn new(wish: &Wish) -> Self {
        Self {
            path: wish.path.clone(),
            from: wish.time.saturating_sub(wish.before),
            asked: wish.before,
            until: AtomicU64::new(wish.time.saturating_add(wish.after)),
            done: AtomicBool::new(false),
        }
    }

    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Acquire)
    }

    pub(crate) fn extend(&self, until: u64) {
        self.until.fetch_max(until, Ordering::AcqRel);
    }

    /// Whether nothing more is written, though its time may not be over.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.done.store(true, Ordering::Release);
    }
}

/// What the threads have to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A file is complete.
    Saved {
        /// The file.
        path: PathBuf,
        /// Events in it that a reader sees.
        events: u64,
        /// Its length.
        bytes: u64,
        /// Nanoseconds that were asked for and that the ring did not have any more, or not yet.
        missing: u64,
        /// Times that events are missing in its middle.
        gaps: u64,
    },
    /// A file has reached the size that is allowed.
    Full {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// A file could not be written.
    NotSaved {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The ring's directory could not be written; told once for each time it begins.
    NotHeld {
        /// Why.
        error: String,
    },
    /// It can be written again.
    HeldAgain,
}
