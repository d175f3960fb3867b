//! A rate limit for each rule. What is beyond it is counted, and told by one line: when the limit lifts,
//! and while it does not, at most a while after it began.
//!
//! *Invariant:* every alert that was held back is in exactly one [`Held`].

use crate::bucket::Bucket;
use crate::captures::Captures;

/// The limit of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleLimit {
    /// Alerts a second.
    pub rate: f64,
    /// Alerts at once.
    pub burst: f64,
    /// The rate as a person wrote it.
    pub text: String,
    /// Nanoseconds after which what is held back is told, at the latest.
    pub tell: u64,
}

/// Alerts of a rule that were held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The rule's number.
    pub rule: usize,
    /// How many.
    pub count: u64,
    /// Time of the first event, nanoseconds since the epoch.
    pub first: u64,
    /// Time of the last.
    pub last: u64,
    /// Files that have the events around them.
    pub captures: Captures,
}

/// The limits of all rules of a source.
#[derive(Debug)]
pub struct Limits {
    rules: Vec<Option<(RuleLimit, Bucket)>>,
    /// What waits to be told.
    held: Vec<Held>,
    /// Nothing of it is due before.
    due: u64,
}

impl Limits {
    /// By the number of the rule.
    #[must_use]
    pub fn new(rules: &[Option<RuleLimit>]) -> Self {
        let bucket = |limit: &RuleLimit| (limit.clone(), Bucket::new(limit.rate, limit.burst));
        let rules = rules.iter().map(|rule| rule.as_ref().map(bucket));
        Self {
            rules: rules.collect(),
            held: Vec::new(),
            due: u64::MAX,
        }
    }

    /// Whether an alert of a rule may go out; otherwise it is counted. `capture`: the file that has the events around it.
    pub fn lets_pass(&mut self, rule: usize, time: u64, capture: Option<&[u8]>) -> bool {
        let Some(Some((_, bucket))) = self.rules.get_mut(rule) else {
            return true;
        };
        if bucket.take(time) {
            return true;
        }
        let at = self.held.iter().position(|held| held.rule == rule);
        let at = at.unwrap_or_else(|| {
            self.held.push(Held {
                rule,
                count: 0,
                first: time,
                last: time,
                captures: Captures::default(),
            });
            self.held.len() - 1
        });
        let held = &mut self.held[at];
        held.count += 1;
        held.first = held.first.min(time);
        held.last = held.last.max(time);
        held.captures.note(capture);
        self.due = self.due.min(self.due_of(&self.held[at]));
        false
    }

    /// The limit of a rule.
    #[must_use]
    pub fn of(&self, rule: usize) -> Option<&RuleLimit> {
        self.rules.get(rule)?.as_ref().map(|(limit, _)| limit)
    }

    /// Time of events at which something is to be told, at the earliest: a bucket that goes on being taken from is full
    /// later than it seemed.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.due
    }

    fn due_of(&self, held: &Held) -> u64 {
        let Some(Some((limit, bucket))) = self.rules.get(held.rule) else {
            return 0;
        };
        bucket.full_at().min(held.first.saturating_add(limit.tell))
    }

    /// What is to be told at this time, in the order in which it began.
    pub fn ended(&mut self, time: u64) -> Vec<Held> {
        let (told, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| self.due_of(held) <= time);
        self.held = held;
        let all = self.held.iter().map(|held| self.due_of(held));
        self.due = all.min().unwrap_or(u64::MAX);
        told
    }

    /// All that was not told yet.
    pub fn end_all(&mut self) -> Vec<Held> {
        self.due = u64::MAX;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limits() -> Limits {
        Limits::new(&[
            None,
            Some(RuleLimit {
                rate: 1.0,
                burst: 2.0,
                text: "1/s".into(),
                tell: 5 * SECOND,
            }),
        ])
    }

    #[test]
    fn what_is_held_back_is_told_when_the_limit_lifts() {
        let mut limits = limits();
        assert!(
            (0..100).all(|_| limits.lets_pass(0, SECOND, None)),
            "it has no limit"
        );
        let passed = (0..10)
            .filter(|_| limits.lets_pass(1, SECOND, None))
            .count();
        assert_eq!((passed, limits.due()), (2, 3 * SECOND));
        assert_eq!(limits.ended(3 * SECOND - 1), []);
        let told = limits.ended(3 * SECOND);
        assert_eq!((told[0].rule, told[0].count, told[0].first), (1, 8, SECOND));
        assert_eq!((limits.due(), limits.end_all()), (u64::MAX, vec![]));
    }

    #[test]
    fn a_flood_that_does_not_end_is_told_all_the_same() {
        let mut limits = limits();
        let (mut passed, mut told) = (0, Vec::new());
        for n in 0..200 {
            let time = SECOND + n * SECOND / 10;
            told.extend(limits.ended(time));
            passed += u64::from(limits.lets_pass(1, time, None));
        }
        assert_eq!(told.len(), 3, "every five seconds: {told:?}");
        told.extend(limits.end_all());
        let held: u64 = told.iter().map(|held| held.count).sum();
        assert_eq!(passed + held, 200);
    }
}
