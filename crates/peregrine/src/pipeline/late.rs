//! Alerts of events that waited for an answer about their container.

use std::sync::atomic::Ordering;

use event::Record;
use state::{Context, State};

use super::waiting::Waiting;
use super::{Alerting, Outcome};

impl Alerting {
    /// Lets an event wait. False when nobody reads the alerts any more.
    #[cold]
    pub(super) fn wait(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        let env = &self.env;
        let times = [env.first_event, env.last_event, env.previous_event];
        match self.waiting.push(record, state, context, times) {
            Some(mut oldest) => {
                oldest.state.take_containers(state);
                !matches!(self.late(&oldest, false), Outcome::Closed)
            }
            None => true,
        }
    }

    /// Sends the alerts of events that need not wait any more.
    #[cold]
    pub(super) fn answered(&mut self, state: &State, now: u64) {
        let mut again = Vec::new();
        while let Some(one) = self.waiting.next(state, now) {
            // With one thing known, another may be asked for: an output asks what no condition did.
            match self.late(&one, one.until > now) {
                Outcome::Done => {}
                Outcome::Waits => again.push(one),
                Outcome::Closed => return,
            }
        }
        again.into_iter().for_each(|one| self.waiting.put_back(one));
    }

    /// Looks at an event again as it was, with what is known now.
    fn late(&mut self, one: &Waiting, may_wait: bool) -> Outcome {
        let Some(record) = one.record() else {
            return Outcome::Done;
        };
        let mut times = one.times;
        self.swap_times(&mut times);
        self.flight.iter_mut().for_each(|flight| flight.late = true);
        let outcome = self.alerts(&record, &one.state, &one.context, may_wait);
        self.flight
            .iter_mut()
            .for_each(|flight| flight.late = false);
        self.env.awaits_container.store(false, Ordering::Relaxed);
        self.swap_times(&mut times);
        outcome
    }

    fn swap_times(&mut self, times: &mut [Option<u64>; 3]) {
        let [first, last, previous] = times;
        std::mem::swap(&mut self.env.first_event, first);
        std::mem::swap(&mut self.env.last_event, last);
        std::mem::swap(&mut self.env.previous_event, previous);
    }
}
