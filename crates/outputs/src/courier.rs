//! Takes batches to a channel and tries again where that is worth it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::channel::{Channel, Failure, Progress};
use crate::message::{Batch, Message};
use crate::pulse::Pulse;
use crate::queue::{Listener, Notice};

/// How often a message is tried that the receiver stumbles over.
const STUMBLES: u32 = 10;
/// A failure that goes on is told again after so long.
const REMIND: Duration = Duration::from_secs(60);

/// When to try again, and when not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Pause before the second attempt; it doubles from attempt to attempt.
    pub initial: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// What waits is given up after this; `None`: never.
    pub give_up: Option<Duration>,
    /// Attempts at once after a time-out, before pauses begin.
    pub timeouts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            give_up: None,
            timeouts: 0,
        }
    }
}

/// How a worker is asked to change its course.
#[derive(Debug, Default)]
pub(crate) struct Course {
    state: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    /// Deliver what there is and end.
    closing: bool,
    /// End now.
    cancelled: bool,
}

impl Course {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    pub(crate) fn cancel(&self) {
        self.lock().cancelled = true;
        self.changed.notify_all();
    }

    pub(crate) fn closing(&self) -> bool {
        let asked = self.lock();
        asked.closing || asked.cancelled
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Waits, unless it is cancelled; closing ends the pause too.
    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut asked = self.lock();
        let was_closing = asked.closing;
        while !asked.cancelled && asked.closing == was_closing {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            asked = self
                .changed
                .wait_timeout(asked, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Every message was delivered, refused or given up.
    Done,
    /// The reader has gone for good.
    Gone,
    /// So many messages at the front are done; it was told to end.
    Stopped(usize),
}

/// Takes what a receiver refused.
pub(crate) type Refused = Box<dyn FnMut(Message<'_>) + Send>;

/// A channel with its manners.
pub(crate) struct Courier {
    pub(crate) name: Arc<str>,
    pub(crate) channel: Box<dyn Channel>,
    pub(crate) retry: Retry,
    /// Nothing is given up when it is asked to close: what is not delivered is kept elsewhere.
    pub(crate) kept: bool,
    pub(crate) course: Arc<Course>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) listener: Listener,
    /// Where messages go that the receiver refused.
    pub(crate) dead: Option<Refused>,
    /// It was given up once and has taken nothing since.
    pub(crate) given_up: bool,
    pub(crate) told: Option<Instant>,
}

impl Courier {
    fn tell(&mut self, error: &io::Error, always: bool) {
        let due = self.told.is_none_or(|told| told.elapsed() >= REMIND);
        if always || due {
            self.told = Some(Instant::now());
            (self.listener)(Notice::Failed(&self.name, error));
        }
    }

    /// Delivers a batch.
    pub(crate) fn carry(&mut self, batch: &Batch) -> Carried {
        let pulse = Arc::clone(&self.pulse);
        let mut progress = Progress::new(&pulse);
        let mut pause = self.retry.initial;
        let mut trouble: Option<Instant> = None;
        let (mut stumbles, mut timeouts) = (0, 0);
        while progress.done() < batch.len() {
            if self.course.cancelled() {
                pulse.rest();
                return Carried::Stopped(progress.done());
            }
            let before = progress.done();
            pulse.begin();
            let delivered = self.channel.deliver(batch, &mut progress);
            pulse.rest();
            if progress.done() > before {
                (stumbles, timeouts, trouble) = (0, 0, None);
                pause = self.retry.initial;
                self.given_up = false;
                self.told = None;
            }
            let failure = match delivered {
                Ok(()) => continue,
                Err(Failure::Gone) => return Carried::Gone,
                Err(failure) => failure,
            };
            let first = pulse.failed(failure.error());
            let refused = match &failure {
                Failure::Refused(_) => true,
                Failure::Stumbled(_) => {
                    stumbles += 1;
                    stumbles >= STUMBLES
                }
                _ => false,
            };
            if let Some(error) = failure.error() {
                self.tell(error, refused && self.told.is_none() || first);
            }
            if refused {
                pulse.refused();
                if let (Some(dead), Some(message)) =
                    (&mut self.dead, batch.messages().nth(progress.done()))
                {
                    dead(message);
                }
                progress.skip();
                stumbles = 0;
                continue;
            }
            if matches!(failure, Failure::Slow(_)) && timeouts < self.retry.timeouts {
                timeouts += 1;
                continue;
            }
            let since = *trouble.get_or_insert_with(Instant::now);
            let over = self
                .retry
                .give_up
                .is_some_and(|limit| since.elapsed() >= limit);
            if self.kept {
                if self.course.closing() {
                    return Carried::Stopped(progress.done());
                }
            } else if over || (self.given_up && self.retry.give_up.is_some()) {
                self.given_up = true;
                let rest = batch.len() - progress.done();
                pulse.lost(rest as u64);
                (self.listener)(Notice::GivenUp(&self.name, rest));
                return Carried::Done;
            }
            self.course.pause(pause);
            pause = (pause * 2).min(self.retry.longest);
        }
        pulse.rest();
        Carried::Done
    }
}
