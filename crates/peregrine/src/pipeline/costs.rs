//! What rules cost, reckoned from samples: the clock is read for one event in so many only.

use std::time::Instant;

use engine::{Engine, Meter, RuleIndex};
use event::EventCode;
use filter::FieldSource;
use metrics::{Metric, Value};

/// One event in so many is measured.
const EVERY: u32 = 512;

/// By rule: how often it was asked and how long that took.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    rules: Vec<(u64, u64)>,
    countdown: u32,
    meter: Clock,
}

#[derive(Debug, Default)]
struct Clock {
    began: Option<Instant>,
    seen: Vec<(RuleIndex, u64)>,
}

impl Meter for Clock {
    fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    fn end(&mut self, rule: RuleIndex) {
        let nanos = self.began.map_or(0, |began| began.elapsed().as_nanos());
        self.seen
            .push((rule, u64::try_from(nanos).unwrap_or(u64::MAX)));
    }
}

impl Costs {
    /// Of so many rules, none of which has cost anything.
    pub(super) fn new(rules: usize) -> Self {
        Self {
            rules: vec![(0, 0); rules],
            countdown: EVERY,
            meter: Clock::default(),
        }
    }

    /// Whether this event is one that is measured.
    #[inline]
    pub(super) fn samples(&mut self) -> bool {
        self.countdown = self.countdown.wrapping_sub(1);
        self.countdown == 0
    }

    /// What the engine says to the event, with a look at the clock around each condition.
    #[cold]
    #[inline(never)]
    pub(super) fn measure<'e, S: FieldSource>(
        &mut self,
        engine: &'e mut Engine,
        code: EventCode,
        view: &S,
    ) -> &'e [RuleIndex] {
        self.countdown = EVERY;
        let fired = engine.on_event_metered(code, view, &mut self.meter);
        for (rule, nanos) in self.meter.seen.drain(..) {
            if let Some((asked, all)) = self.rules.get_mut(rule as usize) {
                *asked += u64::from(EVERY);
                *all += nanos.saturating_mul(u64::from(EVERY));
            }
        }
        fired
    }

    /// By position of the rule: how often it was asked, and nanoseconds.
    pub(crate) fn by_rule(&self) -> &[(u64, u64)] {
        &self.rules
    }

    /// Nanoseconds of all rules.
    pub(crate) fn nanos(&self) -> u64 {
        self.rules.iter().map(|(_, nanos)| nanos).sum()
    }

    /// As metrics, under the rules' names.
    pub(crate) fn metrics<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut Vec<Metric>) {
        let help = "Time that a rule's condition took, reckoned from samples.";
        for (name, (asked, nanos)) in names.zip(&self.rules) {
            if *asked > 0 {
                let mut metric = Metric::own("rule_seconds", true, 0, help);
                metric.value = Value::Real(seconds(*nanos));
                out.push(metric.label("rule_name", name));
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds need no more digits")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
