//! From one event of system calls to its alerts, whatever its fields are taken from.

use std::sync::atomic::Ordering;

use engine::Engine;
use event::Record;
use fields::Environment;
use filter::FieldSource;

use super::Outcome;
use super::clerk::{Clerk, Draft};
use super::costs::Costs;

/// All that is needed for it, borrowed from where it lives.
pub(super) struct Desk<'d> {
    pub(super) engine: &'d mut Engine,
    pub(super) env: &'d Environment,
    pub(super) costs: &'d mut Costs,
    pub(super) line: &'d mut Vec<u8>,
    pub(super) drafts: &'d mut Vec<(Draft, Vec<u8>)>,
    pub(super) clerk: Clerk<'d>,
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
        self.drafts.clear();
        for &rule in fired {
            if waits() {
                break;
            }
            let draft = self.clerk.draft(rule as usize, record, view, self.line);
            // Most events that fire fire one rule: its line is sent as it is.
            if fired.len() == 1 && !waits() {
                if !self.clerk.send(draft, record, view, self.line) {
                    return Outcome::Closed;
                }
                return self.remember(record, view, advances);
            }
            self.drafts.push((draft, self.line.clone()));
        }
        if waits() {
            self.env.awaits_container.store(false, Ordering::Relaxed);
            self.engine.take_back();
            return Outcome::Waits;
        }
        for (draft, line) in self.drafts.drain(..) {
            if !self.clerk.send(draft, record, view, &line) {
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
            let view = firing.evidence.over(view);
            let rule = firing.rule as usize;
            let draft = self.clerk.draft(rule, record, &view, self.line);
            let kept = Some(&firing.evidence);
            if !self
                .clerk
                .send_with(draft, (record, kept), &view, self.line)
            {
                return Outcome::Closed;
            }
        }
        Outcome::Done
    }
}
