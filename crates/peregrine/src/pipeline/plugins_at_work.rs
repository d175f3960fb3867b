//! What plugins have to do with the main source: they see its events before rules do, hear of its begin and end, and count.

use event::Record;
use metrics::{Metric, Value};
use state::{Context, State};

use super::beside::Company;
use super::{Alerting, foreign};
use crate::sources::running::{self, Meter};
use crate::sources::{Running, SYSCALL};

/// Plugins at work, as the main source knows of them.
#[derive(Default)]
pub(super) struct Guests {
    /// There are some, for system calls or for what the main source brings besides.
    pub(super) any: bool,
    /// They were told that a capture began.
    listening: bool,
    /// Counters of all plugins, those of other sources included.
    meters: Vec<Meter>,
}

impl Guests {
    /// Remembers who counts.
    pub(super) fn count(&mut self, company: &Company) {
        let mixed = company.mixed.iter().map(|(_, running)| running);
        let beside = company.beside.iter().map(|beside| &beside.running);
        let all = mixed.chain(beside).chain([&company.running]).flatten();
        self.meters.extend(all.filter_map(Running::meter));
    }

    /// What plugins count. A plugin that is at work for several sources is told as one.
    pub(super) fn metrics(&mut self) -> Vec<Metric> {
        let mut all: Vec<Metric> = Vec::new();
        for meter in &mut self.meters {
            for metric in meter.read() {
                let same = all.iter_mut().find(|m| m.field == metric.field);
                match (same.map(|m| &mut m.value), &metric.value) {
                    (Some(Value::Whole(sum)), Value::Whole(more)) => {
                        *sum = sum.saturating_add(*more);
                    }
                    (Some(_), _) => {}
                    (None, _) => all.push(metric.clone()),
                }
            }
        }
        all
    }
}

impl Alerting {
    /// Shows an event to the plugins that see those of its source.
    #[cold]
    pub(super) fn show_to_plugins(
        &self,
        record: &Record<'_>,
        state: &mut State,
        context: &mut Context,
    ) {
        match foreign(record) {
            None => running::show(&self.running, SYSCALL, record, state, context),
            Some(number) => {
                if let Some(judge) = self.others.iter().find(|judge| judge.is_for(number)) {
                    judge.show(record, state, context);
                }
            }
        }
    }

    /// Tells plugins that a capture begins or ends.
    fn listen(&self, begins: bool, state: &mut State) {
        self.running
            .iter()
            .for_each(|running| running.listen(begins, state));
        self.others
            .iter()
            .for_each(|judge| judge.listen(begins, state));
    }

    /// Tells plugins that a capture begins, once.
    pub(super) fn tell_begin(&mut self, state: &mut State) {
        if self.guests.any && !std::mem::replace(&mut self.guests.listening, true) {
            self.listen(true, state);
        }
    }

    /// Tells plugins that it ends, if they heard of its begin.
    pub(super) fn tell_end(&mut self, state: &mut State) {
        if std::mem::take(&mut self.guests.listening) {
            self.listen(false, state);
        }
    }
}
