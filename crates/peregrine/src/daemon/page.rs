//! What the local page is told once a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use outputs::Statistics;
use page::{Numbers, RuleCost, Second};

use crate::pipeline::Costs;

const PERIOD: Duration = Duration::from_secs(1);

/// Tells the page how much happens.
pub(crate) struct Teller {
    numbers: Arc<Numbers>,
    last: Instant,
    /// Events, losses, alerts and nanoseconds up to then.
    before: [u64; 4],
}

impl Teller {
    pub(super) fn new(numbers: Arc<Numbers>) -> Self {
        Self {
            numbers,
            last: Instant::now(),
            before: [0; 4],
        }
    }

    /// Whether a second is over.
    pub(crate) fn is_due(&self) -> bool {
        self.last.elapsed() >= PERIOD
    }

    /// Tells; all numbers are counted from the start.
    pub(crate) fn tell<'n>(
        &mut self,
        events: u64,
        lost: u64,
        alerts: u64,
        costs: &Costs,
        rules: impl Iterator<Item = &'n str>,
        statistics: &Statistics,
    ) {
        let span = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let now = [events, lost, alerts, costs.nanos()];
        let [events, lost, alerts, nanos] =
            std::array::from_fn(|at| a_second(now[at].saturating_sub(self.before[at]), span));
        self.before = now;
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let fired: HashMap<&str, u64> = statistics.rules().collect();
        let costs = rules
            .zip(costs.by_rule())
            .filter(|(_, (asked, _))| *asked > 0);
        let costs = costs.map(|(rule, (asked, nanos))| RuleCost {
            rule: rule.to_owned(),
            asked: *asked,
            nanos: *nanos,
            fired: fired.get(rule).copied().unwrap_or(0),
        });
        let second = Second {
            at,
            events,
            lost,
            alerts,
            nanos,
        };
        self.numbers.tell(second, costs.collect());
    }
}

/// What came in `span` seconds, as a rate.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates need no more digits and are never negative"
)]
fn a_second(count: u64, span: f64) -> u64 {
    (count as f64 / span.max(0.001)).round() as u64
}
