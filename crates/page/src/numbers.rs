//! What the event loop tells once a second: how much happened, what was lost, what rules cost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Seconds that are kept.
const SECONDS: usize = 3600;

/// What happened in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Second {
    /// Its end: seconds since the epoch.
    pub at: u64,
    /// Events.
    pub events: u64,
    /// Events that were lost.
    pub lost: u64,
    /// Alerts.
    pub alerts: u64,
    /// Nanoseconds that rules took.
    pub nanos: u64,
}

/// What a rule has cost since it was loaded. Conditions that several rules share are counted with the
/// one that asks first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleCost {
    /// Its name.
    pub rule: String,
    /// How often it was asked, reckoned from samples.
    pub asked: u64,
    /// Nanoseconds that its condition took, reckoned from samples.
    pub nanos: u64,
    /// How often it fired.
    pub fired: u64,
}

/// The numbers of the last hour.
#[derive(Debug, Default)]
pub struct Numbers {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    seconds: VecDeque<Second>,
    costs: Vec<RuleCost>,
}

impl Numbers {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a second.
    pub fn tell(&self, second: Second, costs: Vec<RuleCost>) {
        let mut told = self.lock();
        if told.seconds.len() >= SECONDS {
            told.seconds.pop_front();
        }
        told.seconds.push_back(second);
        told.costs = costs;
    }

    /// The latest seconds, at most so many, oldest first.
    #[must_use]
    pub fn seconds(&self, most: usize) -> Vec<Second> {
        let told = self.lock();
        let left_out = told.seconds.len().saturating_sub(most);
        told.seconds.iter().skip(left_out).copied().collect()
    }

    /// The rules that cost most, the dearest first.
    #[must_use]
    pub fn costs(&self, most: usize) -> Vec<RuleCost> {
        let mut costs = self.lock().costs.clone();
        costs.sort_by(|a, b| b.nanos.cmp(&a.nanos).then_with(|| a.rule.cmp(&b.rule)));
        costs.truncate(most);
        costs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_and_the_dearest_come_first() {
        let numbers = Numbers::default();
        for at in 0..4000 {
            let cost = |rule: &str, nanos| RuleCost {
                rule: rule.into(),
                nanos,
                ..RuleCost::default()
            };
            let second = Second {
                at,
                ..Second::default()
            };
            numbers.tell(second, vec![cost("a", 1), cost("b", at)]);
        }
        let seconds = numbers.seconds(10_000);
        assert_eq!((seconds.len(), seconds[0].at), (3600, 400));
        assert_eq!(numbers.seconds(5)[0].at, 3995);
        assert_eq!(numbers.costs(1)[0].rule, "b");
    }
}
