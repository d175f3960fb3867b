//! One command and what it starts: only their events count, and the end of the command ends all.

mod child;
mod deeds;
mod family;

use event::{Record, Source as EventSource};
use rustix::process::Signal;
use state::{Context, State};

use crate::event_loop::Work;
use crate::stop::Signals;

pub(crate) use child::Child;
pub(crate) use deeds::Deeds;
use family::Family;

/// Looks without an event after the command's end that are waited for the event of it. It can be
/// missing only if it was lost.
const LAST_LOOKS: u32 = 3;

/// Does another work for a command's events alone.
pub(crate) struct Supervised<W> {
    /// The work.
    pub(crate) inner: W,
    /// What the command did.
    pub(crate) deeds: Deeds,
    child: Child,
    family: Family,
    last_looks: u32,
    told: bool,
}

impl<W: Work> Supervised<W> {
    /// Does `inner` for a command that has just been started.
    pub(crate) fn new(inner: W, child: Child, deeds: Deeds) -> Self {
        Self {
            family: Family::of(child.id()),
            inner,
            deeds,
            child,
            last_looks: 0,
            told: false,
        }
    }

    /// The command's exit code, as a shell has it: 128 and the signal's number where one ended it.
    /// Waits for it if need be.
    pub(crate) fn exit_code(&mut self) -> u8 {
        self.child.wait()
    }
}

impl<W: Work> Work for Supervised<W> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if record.info.source == EventSource::Meta {
            // What is said of containers may be of the command's.
            return self.inner.event(record, state, context);
        }
        if !self.family.has(record, state, context) {
            return true;
        }
        self.deeds.see(record, state, context);
        self.inner.event(record, state, context) && !self.family.head_has_ended()
    }

    fn due(&self) -> u64 {
        self.inner.due()
    }

    fn timed(&mut self, time: u64, events: u64, state: &State) -> anyhow::Result<()> {
        self.inner.timed(time, events, state)
    }

    fn between(&mut self, idle: bool, state: &State) -> bool {
        if idle && self.child.has_ended() {
            self.last_looks += 1;
            if self.last_looks >= LAST_LOOKS {
                return false;
            }
        }
        self.inner.between(idle, state)
    }

    fn asked_to_stop(&mut self, signals: &Signals) -> bool {
        // The terminal has told the command too, and what it does then shall be seen.
        if !self.told && signals.name() != "SIGINT" {
            self.child.signal(Signal::TERM);
        }
        self.told = true;
        !self.child.has_ended() || self.last_looks < LAST_LOOKS
    }

    fn wanted(&mut self) -> Option<crate::watch::Wanted> {
        self.inner.wanted()
    }

    fn reopen(&mut self) {
        self.inner.reopen();
    }
}
