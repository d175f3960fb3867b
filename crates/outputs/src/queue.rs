//! A queue and a worker between the engine and each channel, so that a slow channel holds up
//! neither the engine nor the other channels.
//!
//! The engine appends finished lines to a batch under a short lock; the worker swaps the batch for
//! an empty one and delivers it. After a batch the worker lingers a moment, so that a burst of
//! alerts costs a few writes and not one each, and yet no line waits longer than that.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rules::Priority;

use crate::courier::{Carried, Courier, Course};
use crate::message::Batch;
use crate::pulse::Pulse;

/// Bytes that may wait while a replay is faster than its reader.
const WAITING_BYTES: usize = 4 << 20;
/// Bytes that may wait where nothing else limits them.
const MAX_BYTES: usize = 64 << 20;
/// Messages dropped by a full queue are told again after so many more.
const TELL_EVERY: u64 = 10_000;

/// What happens when a channel is slower than the alerts come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The source waits: a capture file has time.
    Wait,
    /// New messages are dropped and counted once so many wait, or 64 MB of them; zero: only the
    /// latter.
    Drop(usize),
}

/// How queues behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When full.
    pub overflow: Overflow,
    /// How long the worker collects further messages before it delivers.
    pub linger: Duration,
}

/// What happened to an output; the first value is its name.
#[derive(Debug)]
pub enum Notice<'e> {
    /// An attempt failed.
    Failed(&'e str, &'e io::Error),
    /// So many messages were given up after all attempts had failed.
    GivenUp(&'e str, usize),
    /// The queue is full; so many messages have been dropped so far.
    Full(&'e str, u64),
    /// A delivery takes longer than the time-out.
    Slow(&'e str),
    /// Something about its spool.
    Spool(&'e str, &'e str),
}

/// Told of notices, from several threads.
pub type Listener = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

/// The engine's end.
pub struct Queue {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    name: Arc<str>,
    policy: Policy,
    listener: Listener,
    course: Arc<Course>,
    pulse: Arc<Pulse>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    worker_waits: bool,
    reopen: bool,
    closed: bool,
    dropped: u64,
    /// Messages that the worker has taken and not finished.
    taken: usize,
    /// The reader of the other end has gone; nothing is delivered any more.
    gone: bool,
}

impl Queue {
    /// Starts the worker of a channel.
    pub(crate) fn start(courier: Courier, policy: Policy) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: Arc::clone(&courier.name),
            policy,
            listener: Arc::clone(&courier.listener),
            course: Arc::clone(&courier.course),
            pulse: Arc::clone(&courier.pulse),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = thread::Builder::new()
            .name(format!("output {}", shared.name))
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work(courier)
            })?;
        Ok(Self {
            shared,
            worker: Some(worker),
        })
    }

    /// Queues a message. False when the channel's reader has gone for good.
    pub fn push(&self, priority: Priority, line: &[u8]) -> bool {
        let shared = &*self.shared;
        let mut state = shared.lock();
        match shared.policy.overflow {
            Overflow::Wait => {
                while state.waiting.size() > WAITING_BYTES && !state.gone {
                    state = shared.wait(state);
                }
            }
            Overflow::Drop(capacity) => {
                let full = capacity != 0 && state.waiting.len() >= capacity;
                if full || state.waiting.size() + line.len() > MAX_BYTES {
                    state.dropped += 1;
                    let dropped = state.dropped;
                    drop(state);
                    if dropped % TELL_EVERY == 1 {
                        (shared.listener)(Notice::Full(&shared.name, dropped));
                    }
                    return true;
                }
            }
        }
        if state.gone {
            return false;
        }
        state.waiting.push(priority, line);
        if state.worker_waits {
            state.worker_waits = false;
            drop(state);
            shared.changed.notify_all();
        }
        true
    }

    /// Has the channel open its target anew before the next message.
    pub fn reopen(&self) {
        self.shared.lock().reopen = true;
        self.shared.changed.notify_all();
    }

    /// Messages dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.lock().dropped
    }

    /// Messages that wait, those included that are being delivered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let state = self.shared.lock();
        state.waiting.len() + state.taken
    }

    /// Its counters.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.shared.pulse
    }

    /// Has the worker deliver what waits and end, and does not wait for that.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.course.close();
        self.shared.changed.notify_all();
    }

    /// Delivers what waits, ends the worker. False when that was not done by `end`; what still
    /// waited then is lost, unless a spool has it.
    #[must_use]
    pub fn finish(mut self, end: Option<Instant>) -> bool {
        self.close();
        let Some(worker) = self.worker.take() else {
            return true;
        };
        let Some(end) = end else {
            return worker.join().is_ok();
        };
        while !worker.is_finished() {
            if Instant::now() >= end {
                self.shared.course.cancel();
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        worker.join().is_ok()
    }
}

impl Shared {
    /// A worker that panicked leaves nothing half done in the state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut courier: Courier) {
        let mut batch = Batch::default();
        loop {
            let mut state = self.lock();
            state.taken = 0;
            while state.waiting.is_empty() && !state.closed && !state.reopen {
                state.worker_waits = true;
                state = self.wait(state);
            }
            state.worker_waits = false;
            if !state.closed && !self.policy.linger.is_zero() && !state.reopen {
                drop(state);
                thread::sleep(self.policy.linger);
                state = self.lock();
            }
            std::mem::swap(&mut state.waiting, &mut batch);
            state.taken = batch.len();
            let reopen = std::mem::take(&mut state.reopen);
            let ends = state.closed && batch.is_empty();
            drop(state);
            if self.policy.overflow == Overflow::Wait {
                self.changed.notify_all();
            }
            if reopen && let Err(error) = courier.channel.reopen() {
                (self.listener)(Notice::Failed(&self.name, &error));
            }
            match courier.carry(&batch) {
                Carried::Done => {}
                Carried::Gone => {
                    self.lock().gone = true;
                    self.changed.notify_all();
                    return;
                }
                Carried::Stopped(_) => return,
            }
            batch.clear();
            if ends {
                if let Err(error) = courier.channel.close() {
                    (self.listener)(Notice::Failed(&self.name, &error));
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Channel, Failure, Progress, fault};
    use crate::courier::Retry;

    type Seen = Arc<Mutex<Vec<u8>>>;

    /// Takes one message a call, after what its script says.
    struct Scripted {
        seen: Seen,
        delay: Duration,
        script: Vec<fn() -> Failure>,
    }

    impl Channel for Scripted {
        fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
            thread::sleep(self.delay);
            for message in batch.messages().skip(progress.done()) {
                if let Some(failure) = self.script.pop() {
                    return Err(failure());
                }
                let mut seen = self.seen.lock().unwrap();
                seen.extend_from_slice(message.line);
                seen.push(b'\n');
                progress.delivered(1);
            }
            Ok(())
        }
    }

    fn queue(overflow: Overflow, delay: u64, script: Vec<fn() -> Failure>) -> (Queue, Seen) {
        let seen = Seen::default();
        let delay = Duration::from_millis(delay);
        let channel = Box::new(Scripted {
            seen: Arc::clone(&seen),
            delay,
            script,
        });
        let courier = Courier {
            name: "scripted".into(),
            channel,
            retry: Retry {
                initial: Duration::from_millis(1),
                longest: Duration::from_millis(2),
                ..Retry::default()
            },
            kept: false,
            course: Arc::default(),
            pulse: Arc::default(),
            listener: Arc::new(|_| {}),
            dead: None,
            given_up: false,
            told: None,
        };
        let policy = Policy {
            overflow,
            linger: Duration::from_millis(1),
        };
        (Queue::start(courier, policy).unwrap(), seen)
    }

    #[test]
    fn nothing_is_lost_and_order_stays() {
        let (queue, seen) = queue(Overflow::Wait, 0, Vec::new());
        let mut expected = String::new();
        for n in 0..50_000 {
            let line = format!("line {n}");
            assert!(queue.push(Priority::Notice, line.as_bytes()));
            expected.push_str(&line);
            expected.push('\n');
        }
        assert!(queue.finish(None));
        assert!(*seen.lock().unwrap() == expected.as_bytes());
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (queue, seen) = queue(Overflow::Drop(10), 50, Vec::new());
        for _ in 0..1000 {
            queue.push(Priority::Notice, b"x");
        }
        let dropped = queue.dropped();
        assert!(queue.finish(None));
        let delivered = seen.lock().unwrap().len() as u64 / 2;
        assert!(dropped > 0);
        assert_eq!(delivered + dropped, 1000);
    }

    #[test]
    fn failures_are_tried_again_and_only_the_refused_are_missing() {
        let again: fn() -> Failure = || Failure::Again(fault("away"));
        let refused: fn() -> Failure = || Failure::Refused(fault("no"));
        let mut script = vec![again, refused, again, again];
        script.extend([(|| Failure::Stumbled(fault("500"))) as fn() -> Failure; 10]);
        let (queue, seen) = queue(Overflow::Wait, 0, script);
        for line in ["one", "two", "three", "four"] {
            queue.push(Priority::Notice, line.as_bytes());
        }
        while queue.waiting() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let counts = queue.pulse().counts();
        assert_eq!((counts.delivered, counts.refused, counts.lost), (2, 2, 0));
        assert!(queue.pulse().failing().is_none());
        assert!(queue.finish(None));
        assert_eq!(*seen.lock().unwrap(), b"three\nfour\n");
    }

    #[test]
    fn a_stuck_channel_does_not_hold_up_the_end() {
        let away: fn() -> Failure = || Failure::Again(fault("away"));
        let (queue, _) = queue(Overflow::Wait, 0, vec![away; 1_000_000]);
        queue.push(Priority::Notice, b"x");
        assert!(!queue.finish(Some(Instant::now() + Duration::from_millis(20))));
    }
}
