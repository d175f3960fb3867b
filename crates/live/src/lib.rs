//! A running machine as a stream of events, over a state that knows what stood before them.
//!
//! The capture begins first, then `/proc` is read while events wait, then the events that waited
//! are handed out like all later ones: there is no gap between what the scan saw and what the
//! events tell. What the scan saw of a thread counts from the time at which it looked, and events
//! before that cannot spoil it; see [`state::State::begin_scan`].
//!
//! ```no_run
//! use live::{Live, Options};
//! use state::State;
//!
//! # fn main() -> Result<(), live::Error> {
//! let mut live = Live::open(&Options::default())?;
//! let mut state = State::new(state::Options::default());
//! live.start(&mut state);
//! let mut lookup = live.lookup();
//! while let Some(event) = live.next(std::time::Duration::from_secs(1))? {
//!     let context = state.process_live(&event.record, &mut lookup);
//!     println!("{} {}", context.number, event.record.info.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Modules: `filters` what the kernel side may leave out; `facts` users and addresses, which change without an event; `lookup` answers of `/proc` for what is unknown, within bounds; `spill` the events that
//! wait for the scan; `start` the scan itself.

#![forbid(unsafe_code)]

mod facts;
mod filters;
mod lookup;
mod spill;
mod start;

use std::path::PathBuf;
use std::time::Duration;

use event::Record;
use host::Host;
use probe::{Attached, Backend, Counters, LossMeter, Probe, SETTLE};

pub use facts::{Change, Facts};
pub use filters::Shortcuts;
pub use lookup::{LookupCounters, LookupMeter, ProcLookup};
pub use start::Start;

use spill::Spill;

/// Why a machine cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel side.
    #[error(transparent)]
    Probe(#[from] probe::Error),
    /// Two things that exclude each other happened.
    #[error("cannot start a thread to read /proc: {0}")]
    Thread(std::io::Error),
}

/// What to watch and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// System calls, buffers, way of attaching.
    pub probe: probe::Options,
    /// Where the machine's `/proc` and `/etc` hang; `/` for this one.
    pub root: PathBuf,
    /// Longest time for reading `/proc`; what was not seen by then is looked up when it is met.
    pub scan_limit: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            probe: probe::Options::default(),
            root: PathBuf::from("/"),
            scan_limit: None,
        }
    }
}

/// One event of the machine.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The record. [`event::RecordFlags::IO_URING`] marks what io_uring did on behalf of the thread.
    pub record: Record<'a>,
}

/// A machine that is being watched.
pub struct Live {
    probe: Probe,
    host: Host,
    /// Takes over when all older events were handed out.
    successor: Option<Probe>,
    /// Time of the boot clock from which the successor's events count.
    handover: u64,
    meter: LossMeter,
    spill: Spill,
    lookups: LookupMeter,
    opened: Duration,
    first_events: Duration,
    /// Time of events from which on everything is captured.
    began: u64,
}

impl Live {
    /// Begins to watch: from here on nothing is missed.
    ///
    /// # Errors
    /// [`Error::Probe`] names what the kernel or the user lacks.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let begun = std::time::Instant::now();
        let mut spill = Spill::default();
        let probe = Probe::open_while(&options.probe, |probe| {
            spill.take(probe);
        })?;
        let mut host = Host::new(&options.root);
        if let Some(limit) = options.scan_limit {
            host = host.with_time_limit(limit);
        }
        Ok(Self {
            first_events: probe.first_events(),
            began: probe.now(),
            meter: probe.loss_meter(),
            successor: None,
            handover: 0,
            probe,
            host,
            spill,
            lookups: LookupMeter::default(),
            opened: begun.elapsed(),
        })
    }

    /// Answers of this machine for what the state does not know.
    #[must_use]
    pub fn lookup(&self) -> ProcLookup {
        ProcLookup::new(&self.host, self.lookups.clone())
    }

    /// A way to read from elsewhere how often `/proc` was asked.
    #[must_use]
    pub fn lookup_meter(&self) -> LookupMeter {
        self.lookups.clone()
    }

    /// What may change of the machine without an event; `state` has it as of the start.
    #[must_use]
    pub fn facts(&self, state: &state::State) -> Facts {
        Facts::new(&self.host, state)
    }

    /// What is watched, and by which program.
    #[must_use]
    pub fn attached(&self) -> &[Attached] {
        self.probe.attached()
    }

    /// Yields only these system calls from now on, as far as they were asked for at the start, and
    /// leaves out of them what `filters` say.
    pub fn set_syscalls(&mut self, syscalls: &probe::Syscalls, filters: &probe::Filters) {
        self.probe.set_syscalls(syscalls, filters);
    }

    /// Tells bits of a thread's image as of its event at `time`; see [`Shortcuts::images`].
    pub fn tell_image(&self, tid: u32, bits: u64, time: u64) -> bool {
        self.probe.tell_image(tid, bits, time)
    }

    /// Calls that were left out: those that succeeded, those that failed.
    #[must_use]
    pub fn left_out(&self) -> [u64; 2] {
        self.probe.left_out()
    }

    /// How the programs sit on their system calls.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.probe.backend()
    }

    /// Why they sit there, and what was measured for it.
    #[must_use]
    pub fn choice(&self) -> &probe::Choice {
        self.probe.choice()
    }

    /// Whether the programs are still in place: see [`Probe::intact`].
    ///
    /// # Errors
    /// What is not in place.
    pub fn intact(&self) -> Result<(), probe::Damage> {
        self.probe.intact()
    }

    /// What was received and what was lost.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.probe.counters()
    }

    /// A way to read the losses from elsewhere.
    #[must_use]
    pub fn loss_meter(&self) -> LossMeter {
        self.meter.clone()
    }

    /// Watches what `options` say from now on, with programs that are loaded for it. No event is
    /// missed or comes twice in between.
    ///
    /// # Errors
    /// [`Error::Probe`]; then everything goes on as before.
    pub fn turn_to(&mut self, options: &probe::Options) -> Result<(), Error> {
        // What happens meanwhile must not have to wait in the kernel's buffers.
        let successor = std::thread::scope(|scope| {
            let opening = std::thread::Builder::new().spawn_scoped(scope, || Probe::open(options));
            let opening = opening.map_err(Error::Thread)?;
            while !opening.is_finished() {
                if self.successor.is_none() {
                    self.drain();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let opened = opening.join().expect("it does not panic");
            opened.map_err(Error::Probe)
        })?;
        self.meter.join(&successor.loss_meter());
        // From here on it has everything.
        self.handover = successor.now() - successor.boot_time();
        self.successor = Some(successor);
        Ok(())
    }

    /// Whether the probe has no event any more that happened before its successor took over. Then
    /// it has gone.
    #[cold]
    fn has_handed_over(&mut self) -> Result<bool, Error> {
        let until = self.handover + self.probe.boot_time();
        loop {
            match self.probe.next_time() {
                Some(time) if time < until => return Ok(false),
                Some(_) => break,
                // What happened before is in the buffers and old enough by then.
                None if self.probe.now() > until + 10 * SETTLE.as_nanos() as u64 => break,
                None => {
                    self.probe.wait(SETTLE)?;
                }
            }
        }
        if let Some(mut successor) = self.successor.take() {
            let from = self.handover + successor.boot_time();
            while successor.next_time().is_some_and(|time| time < from) {
                successor.next();
            }
            self.probe = successor;
        }
        Ok(true)
    }

    /// The clock that events' times are taken from.
    #[must_use]
    pub fn clock(&self) -> probe::EventClock {
        self.probe.clock()
    }

    /// The next event; `None` if none came within `timeout`.
    ///
    /// # Errors
    /// When waiting fails, which no healthy machine lets happen.
    #[inline]
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event<'_>>, Error> {
        if !self.wait(timeout)? {
            return Ok(None);
        }
        Ok(self.take())
    }

    /// Whether there is an event, after waiting for one for `timeout` if need be.
    ///
    /// # Errors
    /// When waiting fails, which no healthy machine lets happen.
    #[inline]
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        if !self.spill.is_empty() {
            return Ok(true);
        }
        if self.successor.is_some() && !self.has_handed_over()? {
            return Ok(true);
        }
        Ok(self.probe.ready() || self.probe.wait(timeout)?)
    }

    /// The next event, if that can be said without a wait: not while one set of programs takes over
    /// from another.
    #[inline]
    pub fn at_hand(&mut self) -> Option<Event<'_>> {
        if self.successor.is_some() {
            return None;
        }
        self.take()
    }

    /// The next event, if there is one now.
    #[inline]
    pub fn take(&mut self) -> Option<Event<'_>> {
        if !self.spill.is_empty() {
            return self.spill.next();
        }
        self.probe.next().map(|event| Event {
            record: event.record,
        })
    }
}
