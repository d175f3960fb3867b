//! Many events in a window that slides with them.
//!
//! For a count the times of the latest events are kept, as many as the rule waits for: the oldest of
//! them says whether all lie in the window. For different values the same with each value once. A sum
//! may have any number of terms, so it is kept for each of [`PIECES`] parts of the window.

use std::collections::VecDeque;

use filter::Value;

use super::key::Keyer;
use super::table::{Table, Weigh};
use super::value::{Evidence, Owned};

/// Parts of the window that a sum is kept for; it slides by one of them.
pub(super) const PIECES: u64 = 64;

/// Different values that an alert can show.
const SHOWN: usize = 8;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gauge {
    Count,
    Distinct,
    Sum,
}

/// What a key has come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Times, with nothing, the value's hash, or an amount.
    marks: VecDeque<(u64, u64)>,
    /// Events since the last alert.
    total: u64,
    /// When it last fired.
    fired: Option<u64>,
    shown: VecDeque<Owned>,
}

impl Weigh for Tally {
    fn weight(&self) -> usize {
        let shown: usize = self.shown.iter().map(Owned::weight).sum();
        self.marks.len() * Self::MARK + self.shown.len() * Self::SHOWN + shown
    }
}

impl Tally {
    /// Bytes of a time; the queue may be half empty.
    pub(super) const MARK: usize = 2 * size_of::<(u64, u64)>();
    /// Bytes of a value that is shown, besides its text.
    pub(super) const SHOWN: usize = 2 * size_of::<Owned>();
}

/// A threshold at work.
#[derive(Debug)]
pub(super) struct Threshold {
    pub(super) gauge: Gauge,
    pub(super) at_least: u64,
    pub(super) within: u64,
    pub(super) memory: Table<Tally>,
}

impl Threshold {
    /// Takes an event in; `value` is that of the field that is measured.
    pub(super) fn advance(
        &mut self,
        (key, now): (u128, u64),
        value: Option<Value<'_>>,
        keyer: &Keyer,
    ) -> Option<Evidence> {
        let amount = match (self.gauge, value) {
            (Gauge::Count, _) => 0,
            (_, None) => return None,
            (Gauge::Distinct, Some(value)) => {
                let mut maker = keyer.begin();
                maker.add(&value);
                maker.finish() as u64
            }
            (Gauge::Sum, Some(Value::Unsigned(amount))) => amount,
            // What is negative is an error, not an amount.
            (Gauge::Sum, Some(Value::Signed(amount))) => u64::try_from(amount).ok()?,
            (Gauge::Sum, Some(_)) => return None,
        };
        self.memory.expire(now, self.within);
        let (gauge, at_least, within) = (self.gauge, self.at_least, self.within);
        let tally = self.memory.touch(key, now, Tally::default);
        tally.total += 1;
        let (held, first) = match gauge {
            Gauge::Count => tally.latest(None, (now, 0), at_least, within),
            Gauge::Distinct => {
                if let Some(value) = value {
                    tally.show(&value);
                }
                tally.latest(Some(amount), (now, amount), at_least, within)
            }
            Gauge::Sum => tally.sum(now, amount, within),
        };
        let quiet = tally
            .fired
            .is_some_and(|fired| now.saturating_sub(fired) <= within);
        let mut evidence = None;
        if held >= at_least && !quiet {
            tally.fired = Some(now);
            let total = std::mem::take(&mut tally.total);
            let shown: Vec<Owned> = tally.shown.iter().cloned().collect();
            evidence = Some(Evidence {
                measured: vec![
                    ("threshold.value", Owned::Unsigned(held)),
                    ("threshold.total", Owned::Unsigned(total)),
                    (
                        "threshold.duration",
                        Owned::Unsigned(now.saturating_sub(first)),
                    ),
                    ("threshold.values", Owned::List(shown.into())),
                ],
                ..Evidence::default()
            });
        }
        if tally.marks.capacity() > 2 * tally.marks.len() {
            tally.marks.shrink_to_fit();
        }
        self.memory.settle(key);
        evidence
    }
}

impl Tally {
    /// Adds a mark, in place of that of the same value; how many of the latest lie in the window, and
    /// the time of the first of them.
    fn latest(
        &mut self,
        same: Option<u64>,
        mark: (u64, u64),
        most: u64,
        within: u64,
    ) -> (u64, u64) {
        if let Some(value) = same
            && let Some(at) = self.marks.iter().position(|(_, known)| *known == value)
        {
            self.marks.remove(at);
        }
        self.marks.push_back(mark);
        if self.marks.len() as u64 > most {
            self.marks.pop_front();
        }
        while let Some((time, _)) = self.marks.front()
            && mark.0.saturating_sub(*time) > within
        {
            self.marks.pop_front();
        }
        let first = self.marks.front().map_or(mark.0, |(time, _)| *time);
        (self.marks.len() as u64, first)
    }

    /// Adds an amount; what the window holds, and when it begins. An event that comes late counts as
    /// of the latest part.
    fn sum(&mut self, now: u64, amount: u64, within: u64) -> (u64, u64) {
        let piece = (within / PIECES).max(1);
        let now = now / piece;
        match self.marks.back_mut() {
            Some((part, sum)) if *part >= now => *sum = sum.saturating_add(amount),
            _ => self.marks.push_back((now, amount)),
        }
        let latest = self.marks.back().map_or(now, |(part, _)| *part);
        while let Some((part, _)) = self.marks.front()
            && latest - part >= PIECES
        {
            self.marks.pop_front();
        }
        let all = self.marks.iter();
        let sum = all.fold(0u64, |sum, (_, amount)| sum.saturating_add(*amount));
        let first = self.marks.front().map_or(now, |(part, _)| *part);
        (sum, first.saturating_mul(piece))
    }

    fn show(&mut self, value: &Value<'_>) {
        let Some(value) = Owned::of(value, false) else {
            return;
        };
        self.shown.retain(|known| *known != value);
        self.shown.push_back(value);
        if self.shown.len() > SHOWN {
            self.shown.pop_front();
        }
    }
}
