//! What is due at a time of events: alerts that wait, recordings, what is remembered, the look at losses.
//!
//! The loop asks for the next such time after every event, and nearly no event changes it: it is kept.

use anyhow::{Result, anyhow};
use event::Record;
use state::{Context, State};

use super::Alerting;
use super::flight::Flight;
use super::tape::Tape;

impl Alerting {
    /// To be called after whatever may have brought something nearer.
    pub(super) fn settle_due(&mut self) {
        let tape = self.tape.as_ref().map_or(u64::MAX, Tape::due);
        let flight = self.flight.as_ref().map_or(u64::MAX, Flight::due);
        let others = tape.min(flight).min(self.recall.due());
        let others = others.min(self.tells_at());
        self.due = self.drops.next_look().min(self.waiting.due()).min(others);
    }

    /// Shows an event to what records; false when that cannot go on.
    pub(super) fn record(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if let Some(tape) = &mut self.tape
            && !tape.event(record, state, context)
        {
            return false;
        }
        if let Some(flight) = &mut self.flight {
            flight.see(record, state, context);
        }
        true
    }

    pub(super) fn do_due(&mut self, time: u64, events: u64, state: &State) -> Result<()> {
        self.answered(state, time);
        if let Some(tape) = &mut self.tape {
            tape.timed(time, events, state)?;
        }
        if let Some(flight) = &mut self.flight {
            flight.timed(time, state);
        }
        self.recall.timed(time, &mut self.compiled.engine);
        self.tell(Some(time));
        if time < self.drops.next_look() {
            return Ok(());
        }
        let recent = events - self.counted;
        self.counted = events;
        let losses = self.losses();
        let Self {
            drops,
            formatter,
            outputs,
            ..
        } = self;
        if drops.look(time, recent, &losses, formatter, &outputs.read()) {
            Ok(())
        } else {
            Err(anyhow!("events were lost; the action is exit"))
        }
    }
}
