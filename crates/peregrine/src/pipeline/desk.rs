//! From one event of system calls to its alerts, whatever its fields are taken from.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::Engine;
use event::Record;
use fields::Environment;
use filter::FieldSource;
use outputs::{Formatter, Route, RuleOutput, Statistics};
use state::{Context, State};

use super::Outcome;
use super::costs::Costs;
use super::flight::Flight;
use super::keeper::Keeper;
use super::shared::SharedOutputs;
use super::throttle::Throttle;

/// All that an alert needs, borrowed from where it lives.
pub(super) struct Desk<'d> {
    pub(super) engine: &'d mut Engine,
    pub(super) rule_outputs: &'d Arc<Vec<RuleOutput>>,
    pub(super) env: &'d Environment,
    pub(super) formatter: &'d mut Formatter,
    pub(super) line: &'d mut Vec<u8>,
    pub(super) lines: &'d mut Vec<(usize, Vec<u8>)>,
    pub(super) statistics: &'d mut Statistics,
    pub(super) throttle: &'d mut Throttle,
    pub(super) outputs: &'d SharedOutputs,
    pub(super) routes: &'d [Route],
    pub(super) costs: &'d mut Costs,
    /// Keeps alerts, where that is wanted.
    pub(super) keeper: Option<&'d mut Keeper>,
    /// Saves what surrounds them.
    pub(super) flight: Option<&'d mut Flight>,
    pub(super) state: &'d State,
    pub(super) context: &'d Context,
}

impl Desk<'_> {
    /// Matches the rules against one event. Where it `may_wait` and something is asked that is not
    /// known yet, nothing is sent: whether a rule matches may depend on it.
    #[inline]
    pub(super) fn alerts<S: FieldSource>(
        &mut self,
        record: &Record<'_>,
        view: &S,
        may_wait: bool,
    ) -> Outcome {
        if self.costs.samples() {
            self.costs.measure(self.engine, record.code, view);
        } else {
            self.engine.on_event(record.code, view);
        }
        let advances = self.engine.may_advance();
        if may_wait && advances {
            // What it is compared with and kept under may have to be waited for, too.
            self.engine.consult(view);
        }
        if self.env.awaits_container.load(Ordering::Relaxed) {
            self.engine.forget_kept();
        }
        let fired = self.engine.fired();
        let waits = || may_wait && self.env.awaits_container.load(Ordering::Relaxed);
        self.lines.clear();
        for &rule in fired {
            if waits() {
                break;
            }
            let rule = rule as usize;
            let compiled = &self.rule_outputs[rule];
            self.line.clear();
            self.formatter.alert(compiled, record.ts, view, self.line);
            // Most events that fire fire one rule: its line is sent as it is.
            if fired.len() == 1 && !waits() {
                self.statistics.count(rule, compiled.priority());
                if let Some(keeper) = &mut self.keeper {
                    keeper.alert(rule, record, view, self.state, self.context);
                }
                if let Some(flight) = &mut self.flight {
                    flight.alert(rule, record, self.state, self.context, self.line);
                }
                if self.throttle.lets_pass(record.ts)
                    && !self.outputs.read().send_to(
                        self.routes[rule],
                        compiled.priority(),
                        self.line,
                    )
                {
                    return Outcome::Closed;
                }
                return self.remember(record, view, advances);
            }
            self.lines.push((rule, self.line.clone()));
        }
        if waits() {
            self.env.awaits_container.store(false, Ordering::Relaxed);
            self.engine.take_back();
            return Outcome::Waits;
        }
        for (rule, line) in self.lines.iter_mut() {
            let priority = self.rule_outputs[*rule].priority();
            self.statistics.count(*rule, priority);
            if let Some(keeper) = &mut self.keeper {
                keeper.alert(*rule, record, view, self.state, self.context);
            }
            if let Some(flight) = &mut self.flight {
                flight.alert(*rule, record, self.state, self.context, line);
            }
            if self.throttle.lets_pass(record.ts)
                && !self
                    .outputs
                    .read()
                    .send_to(self.routes[*rule], priority, line)
            {
                return Outcome::Closed;
            }
        }
        self.remember(record, view, advances)
    }

    /// Takes the event into the rules that remember, and sends the alerts of those that it completes.
    #[inline]
    fn remember<S: FieldSource>(
        &mut self,
        record: &Record<'_>,
        view: &S,
        advances: bool,
    ) -> Outcome {
        if advances {
            self.complete(record, view)
        } else {
            Outcome::Done
        }
    }

    #[cold]
    fn complete<S: FieldSource>(&mut self, record: &Record<'_>, view: &S) -> Outcome {
        for firing in self.engine.advance(record.ts, view) {
            let rule = firing.rule as usize;
            let compiled = &self.rule_outputs[rule];
            let view = firing.evidence.over(view);
            self.line.clear();
            self.formatter.alert(compiled, record.ts, &view, self.line);
            self.statistics.count(rule, compiled.priority());
            if let Some(keeper) = &mut self.keeper {
                keeper.alert(rule, record, &view, self.state, self.context);
            }
            if let Some(flight) = &mut self.flight {
                flight.alert(rule, record, self.state, self.context, self.line);
            }
            if self.throttle.lets_pass(record.ts)
                && !self
                    .outputs
                    .read()
                    .send_to(self.routes[rule], compiled.priority(), self.line)
            {
                return Outcome::Closed;
            }
        }
        Outcome::Done
    }
}
