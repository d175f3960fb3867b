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

use crate::channel::Channel;
use crate::message::Batch;

/// Bytes that may wait while a replay is faster than its reader.
const WAITING_BYTES: usize = 4 << 20;

/// What happens when a channel is slower than the alerts come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The source waits: a capture file has time.
    Wait,
    /// New messages are dropped and counted once so many wait; zero: never.
    Drop(usize),
}

/// How queues behave.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// When full.
    pub overflow: Overflow,
    /// How long the worker collects further messages before it delivers.
    pub linger: Duration,
}

/// What happened to a channel.
#[derive(Debug)]
pub enum Notice<'e> {
    /// A delivery failed; its messages may be lost.
    Failed(&'static str, &'e io::Error),
    /// The queue is full; the first message was dropped.
    Full(&'static str),
}

/// Told of notices, from several threads.
pub type Listener = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

/// The engine's end.
pub struct Queue {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    name: &'static str,
    policy: Policy,
    listener: Listener,
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
    /// The reader of the other end has gone; nothing is delivered any more.
    gone: bool,
}

impl Queue {
    /// Starts the worker of a channel.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        channel: Box<dyn Channel>,
        policy: Policy,
        listener: Listener,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: channel.name(),
            policy,
            listener,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = thread::Builder::new()
            .name(format!("output {}", shared.name))
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work(channel)
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
                while state.waiting.lines().len() > WAITING_BYTES && !state.gone {
                    state = shared.wait(state);
                }
            }
            Overflow::Drop(capacity) => {
                if capacity != 0 && state.waiting.len() >= capacity {
                    state.dropped += 1;
                    if state.dropped == 1 {
                        drop(state);
                        (shared.listener)(Notice::Full(shared.name));
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

    /// Delivers what waits, ends the worker. False when that took longer than `timeout`; what
    /// still waited then is lost.
    #[must_use]
    pub fn finish(mut self, timeout: Option<Duration>) -> bool {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let Some(worker) = self.worker.take() else {
            return true;
        };
        let Some(timeout) = timeout else {
            return worker.join().is_ok();
        };
        let end = Instant::now() + timeout;
        while !worker.is_finished() {
            if Instant::now() >= end {
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

    fn work(&self, mut channel: Box<dyn Channel>) {
        let mut batch = Batch::default();
        loop {
            let mut state = self.lock();
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
            let reopen = std::mem::take(&mut state.reopen);
            let ends = state.closed && batch.is_empty();
            drop(state);
            if self.policy.overflow == Overflow::Wait {
                self.changed.notify_all();
            }
            let done = (if reopen { channel.reopen() } else { Ok(()) }).and_then(|()| {
                if batch.is_empty() {
                    Ok(())
                } else {
                    channel.deliver(&batch)
                }
            });
            batch.clear();
            if let Err(error) = done {
                if error.kind() == io::ErrorKind::BrokenPipe && self.name == "stdout" {
                    self.lock().gone = true;
                    self.changed.notify_all();
                    return;
                }
                (self.listener)(Notice::Failed(self.name, &error));
            }
            if ends {
                if let Err(error) = channel.close() {
                    (self.listener)(Notice::Failed(self.name, &error));
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow(Arc<Mutex<Vec<u8>>>, Duration);

    impl Channel for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }

        fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
            thread::sleep(self.1);
            self.0.lock().unwrap().extend_from_slice(batch.lines());
            Ok(())
        }
    }

    fn queue(overflow: Overflow, delay: u64) -> (Queue, Arc<Mutex<Vec<u8>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let channel = Box::new(Slow(Arc::clone(&seen), Duration::from_millis(delay)));
        let policy = Policy {
            overflow,
            linger: Duration::from_millis(1),
        };
        (
            Queue::start(channel, policy, Arc::new(|_| {})).unwrap(),
            seen,
        )
    }

    #[test]
    fn nothing_is_lost_and_order_stays() {
        let (queue, seen) = queue(Overflow::Wait, 0);
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
        let (queue, seen) = queue(Overflow::Drop(10), 50);
        for _ in 0..1000 {
            queue.push(Priority::Notice, b"x");
        }
        let dropped = queue.dropped();
        assert!(dropped > 0);
        assert!(queue.finish(None));
        assert_eq!(seen.lock().unwrap().len() as u64 / 2 + dropped, 1000);
    }

    #[test]
    fn finishing_gives_up_after_its_time() {
        let (queue, _) = queue(Overflow::Drop(0), 500);
        queue.push(Priority::Notice, b"x");
        assert!(!queue.finish(Some(Duration::from_millis(20))));
    }
}
