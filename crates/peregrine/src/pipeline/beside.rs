//! Sources that run beside the main one, each on a thread of its own.
//!
//! They share the outputs and the signals and nothing else: each has an engine, counts and a state of its own. One that
//! fails says so and ends; the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use state::State;

use super::SharedOutputs;
use super::judge::Judge;
use crate::daemon::board::Board;
use crate::items::absorb;
use crate::log;
use crate::source::{Next, Source};
use crate::sources::{Running, SYSCALL, Sources};
use crate::stop::Signals;

/// Yields events. It must come back now and then with [`Next::Idle`], so that it can be stopped.
pub(crate) trait Stream: Send {
    /// The next item.
    ///
    /// # Errors
    /// When the source broke; what came before was good.
    fn next(&mut self) -> Result<Next<'_>>;

    /// The program was asked to end: nothing new is taken. True: what was taken already still comes, and then the end.
    fn stop(&mut self) -> bool {
        false
    }

    /// Nothing more will be asked of it.
    fn finish(&mut self) {}
}

/// A source that runs beside others, or alone.
pub(crate) struct Beside {
    /// Its name.
    pub(crate) name: String,
    /// Where its events come from.
    pub(crate) stream: Box<dyn Stream>,
    /// Plugins that have to do with its events.
    pub(crate) running: Vec<Running>,
}

/// What runs with the main source.
#[derive(Default)]
pub(crate) struct Company {
    /// Sources with threads of their own.
    pub(crate) beside: Vec<Beside>,
    /// Sources whose events the main one may bring as well, with the plugins that have to do with them.
    pub(crate) mixed: Vec<(String, Vec<Running>)>,
    /// Plugins that have to do with system calls.
    pub(crate) running: Vec<Running>,
    /// What the web server serves besides its own.
    pub(crate) router: web::Router,
}

impl Company {
    /// For captures, which may hold events of all sources.
    ///
    /// # Errors
    /// When a plugin does not start.
    pub(crate) fn of_capture(sources: &Sources) -> Result<Self> {
        let names = sources.names().filter(|name| *name != SYSCALL);
        let mixed = names.map(|name| Ok((name.to_owned(), sources.plugins().start(name, false)?)));
        Ok(Self {
            mixed: mixed.collect::<Result<_>>()?,
            running: sources.plugins().start(SYSCALL, false)?,
            ..Self::default()
        })
    }
}

/// A stream as the main source.
pub(crate) struct Main(pub(crate) Box<dyn Stream>);

impl Source for Main {
    const LIVE: bool = true;

    fn next(&mut self) -> Result<Next<'_>> {
        self.0.next()
    }

    fn now(&self) -> Option<u64> {
        None
    }

    /// No event of another source shows a container.
    fn sighted(&mut self, _containers: Vec<state::Sighting>) {}

    /// Nor a program.
    fn asked(&mut self, _programs: Vec<state::ProgramQuestion>) {}

    fn stop(&mut self) -> bool {
        self.0.stop()
    }

    fn finish(&mut self) {
        self.0.finish();
    }
}

/// What a thread works with.
pub(super) struct Worker<'o> {
    pub(super) beside: Beside,
    pub(super) judge: Judge,
    pub(super) outputs: SharedOutputs,
    pub(super) signals: Signals,
    pub(super) board: Option<Arc<Board>>,
    /// Set when everything shall end.
    pub(super) end: &'o AtomicBool,
}

/// What came of it.
pub(super) struct Done {
    pub(super) events: u64,
    pub(super) error: Option<anyhow::Error>,
}

impl Worker<'_> {
    /// Takes the stream to its end.
    pub(super) fn run(mut self) -> Done {
        let mut events = 0;
        let mut state = State::new(state::Options::default());
        self.judge.listen(true, &mut state);
        let error = self.events(&mut state, &mut events).err();
        self.judge.tell(None, &self.outputs);
        self.judge.land(&self.outputs);
        self.judge.listen(false, &mut state);
        self.beside.stream.finish();
        if let Some(error) = &error {
            log::error(&format!("{error:#}; the other sources go on"));
            if let Some(board) = &self.board {
                board.ended(format!("{error:#}"));
            }
        }
        Done { events, error }
    }

    fn events(&mut self, state: &mut State, events: &mut u64) -> Result<()> {
        let failed = format!("event source '{}' failed", self.beside.name);
        let mut stopping = false;
        loop {
            if !stopping && (self.signals.stop() || self.end.load(Ordering::Relaxed)) {
                stopping = true;
                if !self.beside.stream.stop() {
                    break;
                }
            }
            let item = match self.beside.stream.next().with_context(|| failed.clone())? {
                Next::Item(item) => item,
                Next::Idle(_) if stopping => break,
                Next::Idle(now) => {
                    self.judge.look_for_rules(&self.outputs);
                    self.judge.tell(Some(now), &self.outputs);
                    self.judge.keep_up(Some(now), state, &self.outputs);
                    continue;
                }
                Next::End => break,
            };
            let Some(record) = absorb(state, item) else {
                continue;
            };
            let mut context = state.process(&record);
            self.judge.show(&record, state, &mut context);
            *events += 1;
            if events.is_multiple_of(256) {
                self.judge.look_for_rules(&self.outputs);
                self.judge.keep_up(None, state, &self.outputs);
            }
            self.judge.see(&record, state, &context);
            if !self
                .judge
                .event(&record, state, &context, &self.outputs, None)
            {
                break;
            }
        }
        Ok(())
    }
}
