//! The one loop that all events pass, of captures and of the running machine.
//!
//! A [`Source`] says what comes next, or that nothing came for a while; the state takes it in; a
//! [`Work`] does something with it: matches rules, writes a file. What is to be done besides events
//! (signals, losses, limits of time) is looked at after a stride of events and whenever the source
//! is idle.

use anyhow::Result;
use config::Settings;
use event::Record;
use state::{Context, Lookup, State};

use crate::items::absorb;
use crate::pipeline::images::Told;
use crate::source::{Next, Source};
use crate::stop::Signals;
use crate::watch::Wanted;

/// Events between two looks at what else is to be done: about a millisecond's worth.
const STRIDE: u64 = 1 << 13;

/// The same in time, in nanoseconds: a machine may be never idle and yet slow to fill a stride.
const PERIOD: u64 = 100_000_000;

/// What is done with events.
pub(crate) trait Work {
    /// Before the first event, and before the first idle moment: what stood at the start is known.
    fn begin(&mut self, _state: &mut State) {}

    /// Changes the state by what it knows of an event besides, before anything is done with it.
    #[inline]
    fn enrich(&mut self, _record: &Record<'_>, _state: &mut State, _context: &mut Context) {}

    /// Does it to one event that the state has taken in. False: this was the last one.
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool;

    /// Time of events at which [`Work::timed`] is to be called.
    fn due(&self) -> u64 {
        u64::MAX
    }

    /// Does what is due. `events` have come so far.
    ///
    /// # Errors
    /// What must end the program.
    fn timed(&mut self, _time: u64, _events: u64, _state: &State) -> Result<()> {
        Ok(())
    }

    /// Between events, every millisecond or at least four times a second; `idle`: there are none.
    /// False ends.
    fn between(&mut self, _idle: bool, _state: &State) -> bool {
        true
    }

    /// What is to be seen from now on, once after it changed.
    fn wanted(&mut self) -> Option<Wanted> {
        None
    }

    /// Whether it is well with the source, as often as [`Work::between`].
    fn source_trouble(&mut self, _trouble: Option<String>) {}

    /// What was found out about images since the last time, for the source.
    fn images(&mut self) -> Vec<Told> {
        Vec::new()
    }

    /// SIGINT or SIGTERM came. False ends.
    fn asked_to_stop(&mut self, _signals: &Signals) -> bool {
        false
    }

    /// SIGUSR1 came.
    fn reopen(&mut self) {}
}

/// How the loop ended.
#[derive(Debug, Default)]
pub(crate) struct LoopEnd {
    /// Why, if that was a fault.
    pub(crate) fault: Option<anyhow::Error>,
    /// A signal ended it.
    pub(crate) stopped: bool,
    /// The source came to its own end, or failed: other sources may go on.
    pub(crate) exhausted: bool,
    /// Events that came.
    pub(crate) events: u64,
}

/// When the loop does what concerns neither events nor work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Seconds of event time after which all ends; zero: never.
    pub(crate) seconds: u64,
    /// Seconds between two searches for threads that are gone without a word. Only a running machine
    /// is searched.
    pub(crate) purge_every: u64,
    /// Seconds of silence after which a thread may be gone.
    pub(crate) silent_for: u64,
}

impl Pace {
    /// What the settings say.
    pub(crate) fn new(settings: &Settings, seconds: u64) -> Self {
        Self {
            seconds,
            purge_every: settings.libs.purging_interval,
            silent_for: settings.libs.thread_timeout,
        }
    }
}

/// The first search for threads that are gone comes so long after the start.
const FIRST_PURGE: u64 = 30;
const SECOND: u64 = 1_000_000_000;

/// Takes a source to its end.
pub(crate) fn drive<S: Source>(
    source: &mut S,
    state: &mut State,
    work: &mut impl Work,
    signals: &Signals,
    pace: Pace,
) -> LoopEnd {
    let live = S::LIVE;
    let mut lookup = source.lookup();
    let mut end = LoopEnd::default();
    let mut times = Times {
        pace,
        begun: false,
        end: u64::MAX,
        purge: u64::MAX,
        live: S::LIVE,
        stopping: false,
    };
    let mut due = 0;
    let mut stride = 0;
    let mut look = 0;
    loop {
        // Nearly all is ordinary events: they are looked at where they were made.
        let ready = source.event();
        let other;
        let record = if let Some(record) = &ready {
            record
        } else {
            let item = match source.next() {
                Ok(Next::Item(item)) => item,
                Ok(Next::Idle(now)) => {
                    work.begin(state);
                    if now >= due {
                        match timed(work, &mut times, state, &mut *lookup, now, end.events) {
                            Due::At(next) => due = next,
                            Due::End(fault) => {
                                (end.fault, end.stopped) = (fault, times.stopping);
                                return end;
                            }
                        }
                    }
                    if !times.stopping && between(source, state, work, signals, true, &mut times) {
                        due = due.min(times.end);
                        continue;
                    }
                    end.stopped = times.stopping;
                    return end;
                }
                Ok(Next::End) => {
                    (end.exhausted, end.stopped) = (!times.stopping, times.stopping);
                    return end;
                }
                Err(fault) => {
                    end.fault = Some(fault);
                    end.exhausted = true;
                    return end;
                }
            };
            other = absorb(state, item);
            let Some(record) = &other else {
                continue;
            };
            record
        };
        // What stood when the file began has no time, and is for the state alone.
        if !live && end.events == 0 && record.ts == u64::MAX {
            state.process_live(record, &mut *lookup);
            continue;
        }
        end.events += 1;
        let time = record.ts;
        // What stood when a capture began has no time.
        if record.ts >= due && record.ts != u64::MAX {
            match timed(work, &mut times, state, &mut *lookup, record.ts, end.events) {
                Due::At(next) => due = next,
                Due::End(fault) => {
                    (end.fault, end.stopped) = (fault, times.stopping);
                    return end;
                }
            }
        }
        if end.events == 1 {
            work.begin(state);
        }
        let mut context = state.process_live(record, &mut *lookup);
        work.enrich(record, state, &mut context);
        if !work.event(record, state, &context) {
            return end;
        }
        due = due.min(work.due());
        if state.has_sightings() {
            source.sighted(state.take_sightings());
        }
        if state.has_program_questions() {
            source.asked(state.take_program_questions());
        }
        stride += 1;
        if stride >= STRIDE || (live && time >= look) {
            stride = 0;
            look = time.saturating_add(PERIOD);
            if !times.stopping && !between(source, state, work, signals, false, &mut times) {
                end.stopped = times.stopping;
                return end;
            }
            due = due.min(times.end);
        }
    }
}

/// Times of events at which something is due.
struct Times {
    pace: Pace,
    begun: bool,
    /// The end of `-M`.
    end: u64,
    purge: u64,
    live: bool,
    /// A signal came; what happened before it is still looked at.
    stopping: bool,
}

enum Due {
    At(u64),
    End(Option<anyhow::Error>),
}

/// What the time of events makes due.
#[cold]
fn timed(
    work: &mut impl Work,
    times: &mut Times,
    state: &mut State,
    lookup: &mut dyn Lookup,
    time: u64,
    events: u64,
) -> Due {
    let after = |seconds: u64| time.saturating_add(seconds.saturating_mul(SECOND));
    let pace = times.pace;
    if !times.begun {
        times.begun = true;
        if pace.seconds != 0 {
            times.end = after(pace.seconds);
        }
        if times.live && pace.purge_every != 0 {
            times.purge = after(FIRST_PURGE.min(pace.purge_every));
        }
    }
    // A time of all ones is none: no time limit ends there.
    if times.end != u64::MAX && time >= times.end {
        return Due::End(None);
    }
    if time >= times.purge {
        state.purge(time, pace.silent_for.saturating_mul(SECOND), lookup);
        times.purge = after(pace.purge_every);
    }
    if time >= work.due()
        && let Err(fault) = work.timed(time, events, state)
    {
        return Due::End(Some(fault));
    }
    Due::At(times.end.min(times.purge).min(work.due()))
}

/// What is looked at now and then, whatever the events' time. False ends.
#[cold]
fn between(
    source: &mut impl Source,
    state: &mut State,
    work: &mut impl Work,
    signals: &Signals,
    idle: bool,
    times: &mut Times,
) -> bool {
    source.progress();
    if signals.take_reopen() {
        work.reopen();
    }
    if signals.stop() && !work.asked_to_stop(signals) {
        times.stopping = true;
        if source.stop() {
            return true;
        }
        // Also where the source was idle a moment ago: who asked may have done something just before.
        let Some(now) = source.now() else {
            return false;
        };
        times.end = times.end.min(now);
        return true;
    }
    work.source_trouble(source.trouble());
    let goes_on = work.between(idle, state);
    if let Some(wanted) = work.wanted() {
        state.name_addresses(wanted.names);
        source.want(&wanted);
    }
    let images = work.images();
    if !images.is_empty() {
        source.told(&images);
    }
    goes_on
}
