//! Sources that run beside the main one, each on a thread of its own.
//!
//! They share the outputs and the signals and nothing else: each has an engine, counts and a state of its own. One that
//! fails says so and ends; the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use outputs::{Outputs, Statistics};
use state::State;

use super::judge::{Alerts, Judge};
use crate::items::absorb;
use crate::log;
use crate::source::{Next, Source};
use crate::stop::Signals;

/// Yields events. It must come back now and then with [`Next::Idle`], so that it can be stopped.
pub(crate) trait Stream: Send {
    /// The next item.
    ///
    /// # Errors
    /// When the source broke; what came before was good.
    fn next(&mut self) -> Result<Next<'_>>;

    /// Nothing more will be asked of it.
    fn finish(&mut self) {}
}

/// A source that runs beside others, or alone.
pub(crate) struct Beside {
    /// Its name.
    pub(crate) name: String,
    /// Where its events come from.
    pub(crate) stream: Box<dyn Stream>,
}

/// A stream as the main source.
pub(crate) struct Main(pub(crate) Box<dyn Stream>);

impl Source for Main {
    const LIVE: bool = true;

    fn next(&mut self) -> Result<Next<'_>> {
        self.0.next()
    }

    fn finish(&mut self) {
        self.0.finish();
    }
}

/// What a thread works with.
pub(super) struct Worker<'o> {
    pub(super) beside: Beside,
    pub(super) judge: Judge,
    pub(super) alerts: Alerts,
    pub(super) outputs: Arc<Outputs>,
    pub(super) signals: Signals,
    /// Set when everything shall end.
    pub(super) end: &'o AtomicBool,
}

/// What came of it.
pub(super) struct Done {
    pub(super) statistics: Statistics,
    pub(super) events: u64,
    pub(super) error: Option<anyhow::Error>,
}

impl Worker<'_> {
    /// Takes the stream to its end.
    pub(super) fn run(mut self) -> Done {
        let mut events = 0;
        let mut state = State::new(state::Options::default());
        let error = self.events(&mut state, &mut events).err();
        self.beside.stream.finish();
        if let Some(error) = &error {
            log::error(&format!("{error:#}; the other sources go on"));
        }
        Done {
            statistics: self.alerts.statistics,
            events,
            error,
        }
    }

    fn events(&mut self, state: &mut State, events: &mut u64) -> Result<()> {
        let failed = format!("event source '{}' failed", self.beside.name);
        while !self.signals.stop() && !self.end.load(Ordering::Relaxed) {
            let item = match self.beside.stream.next().with_context(|| failed.clone())? {
                Next::Item(item) => item,
                Next::Idle(_) => continue,
                Next::End => break,
            };
            let Some(record) = absorb(state, item) else {
                continue;
            };
            let context = state.process(&record);
            *events += 1;
            if !self
                .judge
                .event(&record, state, &context, &mut self.alerts, &self.outputs)
            {
                break;
            }
        }
        Ok(())
    }
}
