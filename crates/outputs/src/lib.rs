//! Alerts as lines, and the outputs that carry them.
//!
//! [`alert`] makes a line of a match; [`grouping`] and [`limit`] keep back what repeats itself, and count it;
//! [`Outputs`] hands lines to one [`queue`] for each output whose
//! [`route`] takes them; a courier takes them to the output's [`channel`] and tries again where
//! that is worth it; a [`spool`] keeps on disk what is not delivered yet; [`statistics`] counts. A
//! line is finished before it is queued: workers know nothing of events, and an alert shows the
//! state at its event and not at its delivery.

#![forbid(unsafe_code)]

pub mod alert;
pub mod bucket;
pub mod captures;
pub mod channel;
mod courier;
pub mod grouping;
pub mod limit;
pub mod message;
pub mod output;
mod pulse;
pub mod queue;
pub mod route;
pub mod spool;
pub mod statistics;
pub mod time;
pub mod tls;
mod watchdog;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use alert::{Form, Formatter, Internal, RuleOutput};
pub use bucket::Bucket;
pub use captures::Captures;
pub use channel::Channel;
pub use courier::Retry;
pub use grouping::{Group, Groups, Repeat, RuleGrouping};
pub use limit::{Held, Limits, RuleLimit};
pub use message::{Batch, Message};
pub use output::{Output, Report, Target};
pub use pulse::Counts;
pub use queue::{Listener, Notice, Overflow, Policy, Queue};
pub use route::{Filter, Route, Subject};
pub use spool::SpoolOptions;
pub use statistics::{Repeats, Statistics};
pub use time::Clock;

use output::Running;
use rules::Priority;
use watchdog::Watchdog;

/// Most outputs a run may have: one bit each in a [`Route`].
pub const MAX_OUTPUTS: usize = 64;

/// All outputs of a run.
#[derive(Default)]
pub struct Outputs {
    running: Vec<Running>,
    watchdog: Option<Watchdog>,
}

impl Outputs {
    /// Starts a worker for each output. A message that takes longer than `timeout` is complained
    /// about.
    ///
    /// # Errors
    /// When a certificate or a spool is of no use, or a thread cannot be started; nothing runs then.
    pub fn start(
        outputs: &[Output],
        policy: Policy,
        timeout: Duration,
        listener: &Listener,
    ) -> io::Result<Self> {
        let mut started = Self::default();
        started.replace(outputs, policy, timeout, listener)?;
        Ok(started)
    }

    /// Goes over to other outputs. Those that are among the new ones unchanged go on, with all that
    /// waits in them; the others deliver what waits, for at most `timeout`, beside the new ones.
    ///
    /// # Errors
    /// As [`start`](Self::start); then the outputs before are at work again, in the same order.
    pub fn replace(
        &mut self,
        outputs: &[Output],
        policy: Policy,
        timeout: Duration,
        listener: &Listener,
    ) -> io::Result<()> {
        let before: Vec<Output> = self.running.iter().map(|r| r.output.clone()).collect();
        let replaced = self.change(outputs, policy, timeout, listener);
        if replaced.is_err() && !before.is_empty() {
            let _ = self.change(&before, policy, timeout, listener);
        }
        replaced
    }

    fn change(
        &mut self,
        outputs: &[Output],
        policy: Policy,
        timeout: Duration,
        listener: &Listener,
    ) -> io::Result<()> {
        if outputs.len() > MAX_OUTPUTS {
            let text = format!("{} outputs are more than {MAX_OUTPUTS}", outputs.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        // A spool belongs to one output at a time: what holds one ends before its successor starts.
        let mut opened = Vec::new();
        for output in outputs {
            let same = self
                .running
                .iter()
                .any(|running| running.is(output, policy));
            opened.push(if same {
                None
            } else {
                Some(output.target.open(&output.name)?)
            });
        }
        let mut old = std::mem::take(&mut self.running);
        let (kept, gone): (Vec<Running>, Vec<Running>) = old
            .drain(..)
            .partition(|running| outputs.iter().any(|output| running.is(output, policy)));
        let mut kept = kept;
        let end = Instant::now() + timeout;
        gone.iter().for_each(|running| running.queue.close());
        let (spooled, gone): (Vec<_>, Vec<_>) = gone.into_iter().partition(Running::has_spool);
        for running in spooled {
            let _ = running.queue.finish(Some(end));
        }
        if !gone.is_empty() {
            let _ = std::thread::Builder::new()
                .name("old outputs".to_owned())
                .spawn(move || {
                    for running in gone {
                        let _ = running.queue.finish(Some(end));
                    }
                });
        }
        let mut failed = None;
        for (output, channel) in outputs.iter().zip(opened) {
            let at = kept.iter().position(|running| running.is(output, policy));
            match (at, channel) {
                (Some(at), _) => self.running.push(kept.swap_remove(at)),
                (None, Some(channel)) => match Running::start(output, channel, policy, listener) {
                    Ok(running) => self.running.push(running),
                    Err(error) => failed = Some(error),
                },
                (None, None) => {}
            }
        }
        let pulses = self
            .running
            .iter()
            .map(|r| (Arc::clone(&r.name), Arc::clone(&r.pulse)));
        self.watchdog = Watchdog::start(pulses.collect(), timeout, listener.clone()).ok();
        match failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The outputs that take alerts of this kind.
    #[must_use]
    pub fn route(&self, subject: &Subject<'_>) -> Route {
        let mut route = Route::default();
        for (at, running) in self.running.iter().enumerate() {
            if running.output.filter.takes(subject) {
                route.add(at);
            }
        }
        route
    }

    /// Sends a line along a route. False when the reader of standard output has gone.
    pub fn send_to(&self, route: Route, priority: Priority, line: &[u8]) -> bool {
        let mut all = true;
        for (at, running) in self.running.iter().enumerate() {
            if route.has(at) {
                all &= running.queue.push(priority, line);
            }
        }
        all
    }

    /// Sends an alert that no rule raised to all outputs that take its priority and source.
    pub fn send_internal(&self, rule: &str, priority: Priority, line: &[u8]) -> bool {
        let subject = Subject {
            priority,
            source: "internal",
            rule,
            tags: &[],
        };
        self.send_to(self.route(&subject), priority, line)
    }

    /// Has every channel open its target anew.
    pub fn reopen(&self) {
        self.running
            .iter()
            .for_each(|running| running.queue.reopen());
    }

    /// Messages that full queues dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.running
            .iter()
            .map(|running| running.queue.dropped())
            .sum()
    }

    /// How each output is doing.
    #[must_use]
    pub fn report(&self) -> Vec<Report> {
        self.running.iter().map(Running::report).collect()
    }

    /// Delivers what waits and ends the workers; false when an output took longer than `timeout`.
    /// All have the same time, not one after the other.
    #[must_use]
    pub fn finish(self, timeout: Option<Duration>) -> bool {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        self.running
            .iter()
            .for_each(|running| running.queue.close());
        // Every queue is finished, whatever became of the others.
        let mut all = true;
        for running in self.running {
            all &= running.queue.finish(end);
        }
        all
    }
}
