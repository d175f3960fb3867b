//! Alerts as lines, and the channels that carry them.
//!
//! [`alert`] makes a line of a match; [`Outputs`] hands lines to one [`queue`] for each
//! [`channel`]; [`statistics`] counts. A line is finished before it is queued: workers know nothing
//! of events, and an alert shows the state at its event and not at its delivery.

#![forbid(unsafe_code)]

pub mod alert;
pub mod channel;
pub mod message;
pub mod queue;
pub mod statistics;
pub mod time;

use std::io;
use std::time::Duration;

pub use alert::{Form, Formatter, Internal, RuleOutput};
pub use channel::Channel;
pub use message::{Batch, Message};
pub use queue::{Listener, Notice, Overflow, Policy, Queue};
pub use statistics::Statistics;
pub use time::Clock;

use rules::Priority;

/// All channels of a run.
#[derive(Default)]
pub struct Outputs {
    queues: Vec<Queue>,
}

impl Outputs {
    /// Starts a worker for each channel.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        channels: Vec<Box<dyn Channel>>,
        policy: Policy,
        listener: &Listener,
    ) -> io::Result<Self> {
        let start = |channel| Queue::start(channel, policy, listener.clone());
        let queues = channels.into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Self { queues })
    }

    /// Sends a line to every channel. False when the reader of standard output has gone.
    pub fn send(&self, priority: Priority, line: &[u8]) -> bool {
        let mut all = true;
        for queue in &self.queues {
            all &= queue.push(priority, line);
        }
        all
    }

    /// Has every channel open its target anew.
    pub fn reopen(&self) {
        self.queues.iter().for_each(Queue::reopen);
    }

    /// Messages that full queues dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queues.iter().map(Queue::dropped).sum()
    }

    /// Delivers what waits and ends the workers; false when a channel took longer than `timeout`.
    #[must_use]
    pub fn finish(self, timeout: Option<Duration>) -> bool {
        // Every queue is finished, whatever became of the others.
        let mut all = true;
        for queue in self.queues {
            all &= queue.finish(timeout);
        }
        all
    }
}
