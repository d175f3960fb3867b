//! The one loop that all events pass, of captures and of the running machine.
//!
//! A [`Source`] says what comes next, or that nothing came for a while; the state takes it in; a
//! [`Work`] does something with it: matches rules, writes a file. What is to be done besides events
//! (signals, losses, limits of time) is looked at after a stride of events and whenever the source
//! is idle.

use anyhow::Result;
use event::Record;
use state::{Context, State};

use crate::items::absorb;
use crate::source::{Next, Source};
use crate::stop::Signals;

/// Events between two looks at what else is to be done: about a millisecond's worth.
const STRIDE: u64 = 1 << 13;

/// What is done with events.
pub(crate) trait Work {
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
    fn timed(&mut self, _time: u64, _events: u64) -> Result<()> {
        Ok(())
    }

    /// Between events, every millisecond or at least ten times a second; `idle`: there are none.
    /// False ends.
    fn between(&mut self, _idle: bool, _state: &State) -> bool {
        true
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
    /// Events that came.
    pub(crate) events: u64,
}

/// Takes a source to its end, or for `seconds` of its events' time if that is not zero.
pub(crate) fn drive(
    source: &mut impl Source,
    state: &mut State,
    work: &mut impl Work,
    signals: &Signals,
    seconds: u64,
) -> LoopEnd {
    let mut lookup = source.lookup();
    let mut end = LoopEnd::default();
    let mut limit = Limit {
        seconds,
        at: u64::MAX,
    };
    let mut due = 0;
    let mut stride = 0;
    loop {
        let item = match source.next() {
            Ok(Next::Item(item)) => item,
            Ok(Next::Idle(now)) => {
                if now >= due {
                    match timed(work, &mut limit, now, end.events) {
                        Due::At(next) => due = next,
                        Due::End(fault) => {
                            end.fault = fault;
                            return end;
                        }
                    }
                }
                if between(source, state, work, signals, true, &mut end) {
                    continue;
                }
                return end;
            }
            Ok(Next::End) => return end,
            Err(fault) => {
                end.fault = Some(fault);
                return end;
            }
        };
        let Some(record) = absorb(state, item) else {
            continue;
        };
        end.events += 1;
        if record.ts >= due {
            match timed(work, &mut limit, record.ts, end.events) {
                Due::At(next) => due = next,
                Due::End(fault) => {
                    end.fault = fault;
                    return end;
                }
            }
        }
        let context = state.process_live(&record, &mut *lookup);
        if !work.event(&record, state, &context) {
            return end;
        }
        stride += 1;
        if stride >= STRIDE {
            stride = 0;
            if !between(source, state, work, signals, false, &mut end) {
                return end;
            }
        }
    }
}

/// The end of `-M`.
struct Limit {
    seconds: u64,
    at: u64,
}

enum Due {
    At(u64),
    End(Option<anyhow::Error>),
}

/// What the time of events makes due.
#[cold]
fn timed(work: &mut impl Work, limit: &mut Limit, time: u64, events: u64) -> Due {
    if limit.seconds != 0 && limit.at == u64::MAX {
        limit.at = time.saturating_add(limit.seconds.saturating_mul(1_000_000_000));
    }
    if time >= limit.at {
        return Due::End(None);
    }
    if time >= work.due()
        && let Err(fault) = work.timed(time, events)
    {
        return Due::End(Some(fault));
    }
    Due::At(limit.at.min(work.due()))
}

/// What is looked at now and then, whatever the events' time. False ends.
#[cold]
fn between(
    source: &mut impl Source,
    state: &State,
    work: &mut impl Work,
    signals: &Signals,
    idle: bool,
    end: &mut LoopEnd,
) -> bool {
    source.progress();
    if signals.take_reopen() {
        work.reopen();
    }
    if signals.stop() && !work.asked_to_stop(signals) {
        end.stopped = true;
        return false;
    }
    work.between(idle, state)
}
