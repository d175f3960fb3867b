//! The same promises, kept the plainest way: lists that are searched from end to end, no hashes, no
//! links between entries. Written after docs/stateful-rules.md, not after the engine.

use engine::stateful::value::{Owned, Values, weight};
use engine::stateful::{SEQUENCE, SIGHT, THRESHOLD};

use crate::fields::Happening;

/// What an event must be for a step, and what of the steps before it must agree.
pub(crate) struct Step {
    pub(crate) kind: &'static str,
    /// Whether the values of earlier steps fit this event's.
    pub(crate) fits: fn(&[Option<Owned>], &Happening) -> bool,
}

/// A partial match.
#[derive(Clone)]
struct Partial {
    done: usize,
    start: u64,
    began: u64,
    values: Values,
}

/// A sequence whose slots are filled by `take`; the first `linked` of them are compared.
pub(crate) struct Sequence {
    pub(crate) steps: Vec<Step>,
    pub(crate) until: Option<Step>,
    pub(crate) within: u64,
    pub(crate) slots: usize,
    pub(crate) linked: usize,
    pub(crate) take: fn(usize, &Happening, &mut Values),
    pub(crate) most: usize,
    pub(crate) share: usize,
    /// Least recently used first.
    keys: Vec<(u64, u64, Vec<Partial>)>,
    events: u64,
    pub(crate) evicted: u64,
    pub(crate) crowded: u64,
}

fn owned(number: u64) -> String {
    format!("{:?}", Owned::Unsigned(number))
}

impl Sequence {
    pub(crate) fn new(steps: Vec<Step>, until: Option<Step>, within: u64, share: usize) -> Self {
        Self {
            steps,
            until,
            within,
            slots: 0,
            linked: 0,
            take: |_, _, _| {},
            most: 8,
            share,
            keys: Vec::new(),
            events: 0,
            evicted: 0,
            crowded: 0,
        }
    }

    pub(crate) fn happens(&mut self, event: &Happening) -> Option<Vec<String>> {
        let key = event.key?;
        self.events += 1;
        let now = event.time;
        let met: Vec<usize> = (0..self.steps.len())
            .filter(|&at| self.steps[at].kind == event.kind)
            .collect();
        let until = self.until.as_ref().filter(|until| until.kind == event.kind);
        if met.is_empty() && until.is_none() {
            return None;
        }
        while self
            .keys
            .first()
            .is_some_and(|(_, last, _)| now.saturating_sub(*last) > self.within)
        {
            self.keys.remove(0);
        }
        let place = self.keys.iter().position(|(known, ..)| *known == key);
        if place.is_none() && !met.contains(&0) {
            return None;
        }
        let (last, mut all) = match place {
            Some(at) => {
                let (_, last, all) = self.keys[at].clone();
                (last, all)
            }
            None => (0, Vec::new()),
        };
        all.retain(|one| now.saturating_sub(one.start) <= self.within);
        if let Some(until) = until {
            all.retain(|one| !(until.fits)(&one.values, event));
        }
        let mut result = None;
        let mut gone = Vec::new();
        let mut fresh = Vec::new();
        for &step in met.iter().rev().filter(|&&step| step > 0) {
            // The latest is looked at first, and comes last among the new ones.
            let mut new = Vec::new();
            for one in all.iter().filter(|one| one.done == step).rev() {
                if !(self.steps[step].fits)(&one.values, event) {
                    continue;
                }
                let mut next = one.clone();
                next.done += 1;
                (self.take)(step, event, &mut next.values);
                if next.done < self.steps.len() {
                    new.insert(0, next);
                    continue;
                }
                gone.push(one.began);
                if result.is_none() {
                    let mut shown: Vec<String> = next
                        .values
                        .iter()
                        .map(|value| format!("{value:?}"))
                        .collect();
                    let took = owned(now.saturating_sub(one.start));
                    shown.push(format!("sequence.duration {took}"));
                    result = Some(shown);
                }
            }
            // What is nearer to the end was found first and comes last.
            new.append(&mut fresh);
            fresh = new;
        }
        all.retain(|one| !gone.contains(&one.began));
        fresh.retain(|one| !gone.contains(&one.began));
        if met.contains(&0) {
            let mut values: Values = (0..self.slots).map(|_| None).collect();
            (self.take)(0, event, &mut values);
            fresh.push(Partial {
                done: 1,
                start: now,
                began: self.events,
                values,
            });
        }
        for one in fresh {
            let linked = self.linked;
            all.retain(|old| old.done != one.done || old.values[..linked] != one.values[..linked]);
            all.push(one);
        }
        while all.len() > self.most {
            all.remove(0);
            self.crowded += 1;
        }
        if let Some(at) = place {
            self.keys.remove(at);
        }
        if !all.is_empty() {
            self.keys.push((key, last.max(now), all));
        }
        let cost = |(_, _, all): &(u64, u64, Vec<Partial>)| {
            let each = all.iter().map(|one| SEQUENCE.1 + weight(&one.values));
            SEQUENCE.0 + each.sum::<usize>()
        };
        while self.keys.len() > 1 && self.keys.iter().map(cost).sum::<usize>() > self.share {
            self.keys.remove(0);
            self.evicted += 1;
        }
        result
    }
}

/// What a threshold measures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gauge {
    Count,
    Distinct,
    Sum,
}

struct Tally {
    key: u64,
    last: u64,
    /// Time, and value or amount.
    marks: Vec<(u64, u64)>,
    total: u64,
    fired: Option<u64>,
    shown: Vec<u64>,
}

pub(crate) struct Threshold {
    pub(crate) gauge: Gauge,
    pub(crate) at_least: u64,
    pub(crate) within: u64,
    pub(crate) share: usize,
    keys: Vec<Tally>,
    pub(crate) evicted: u64,
}

impl Threshold {
    pub(crate) fn new(gauge: Gauge, at_least: u64, within: u64, share: usize) -> Self {
        Self {
            gauge,
            at_least,
            within,
            share,
            keys: Vec::new(),
            evicted: 0,
        }
    }

    pub(crate) fn happens(&mut self, event: &Happening) -> Option<Vec<String>> {
        let key = event.key?;
        let value = match self.gauge {
            Gauge::Count => 0,
            Gauge::Distinct => event.value?,
            Gauge::Sum => u64::try_from(event.amount).ok()?,
        };
        if event.kind != "a" {
            return None;
        }
        let (now, within) = (event.time, self.within);
        while self
            .keys
            .first()
            .is_some_and(|tally| now.saturating_sub(tally.last) > within)
        {
            self.keys.remove(0);
        }
        let mut tally = match self.keys.iter().position(|tally| tally.key == key) {
            Some(at) => self.keys.remove(at),
            None => Tally {
                key,
                last: 0,
                marks: Vec::new(),
                total: 0,
                fired: None,
                shown: Vec::new(),
            },
        };
        tally.last = tally.last.max(now);
        tally.total += 1;
        let (held, first) = match self.gauge {
            Gauge::Sum => {
                let piece = (within / 64).max(1);
                let mut at = now / piece;
                if let Some((latest, _)) = tally.marks.last() {
                    at = at.max(*latest);
                }
                match tally.marks.last_mut() {
                    Some((latest, sum)) if *latest == at => *sum += value,
                    _ => tally.marks.push((at, value)),
                }
                while at - tally.marks[0].0 >= 64 {
                    tally.marks.remove(0);
                }
                let sum: u64 = tally.marks.iter().map(|(_, amount)| amount).sum();
                (sum, tally.marks[0].0 * piece)
            }
            gauge => {
                if gauge == Gauge::Distinct {
                    tally.marks.retain(|(_, known)| *known != value);
                    tally.shown.retain(|known| *known != value);
                    tally.shown.push(value);
                    if tally.shown.len() > 8 {
                        tally.shown.remove(0);
                    }
                }
                tally.marks.push((now, value));
                if tally.marks.len() as u64 > self.at_least {
                    tally.marks.remove(0);
                }
                while now.saturating_sub(tally.marks[0].0) > within {
                    tally.marks.remove(0);
                }
                (tally.marks.len() as u64, tally.marks[0].0)
            }
        };
        let quiet = tally
            .fired
            .is_some_and(|fired| now.saturating_sub(fired) <= within);
        let mut result = None;
        if held >= self.at_least && !quiet {
            let shown = tally
                .shown
                .iter()
                .map(|one| Owned::Unsigned(*one))
                .collect();
            result = Some(vec![
                format!("threshold.value {}", owned(held)),
                format!("threshold.total {}", owned(tally.total)),
                format!("threshold.duration {}", owned(now.saturating_sub(first))),
                format!("threshold.values {:?}", Owned::List(shown)),
            ]);
            tally.fired = Some(now);
            tally.total = 0;
        }
        self.keys.push(tally);
        let cost = |tally: &Tally| {
            THRESHOLD.0 + tally.marks.len() * THRESHOLD.1 + tally.shown.len() * THRESHOLD.2
        };
        while self.keys.len() > 1 && self.keys.iter().map(cost).sum::<usize>() > self.share {
            self.keys.remove(0);
            self.evicted += 1;
        }
        result
    }
}

/// First sights of `value` for each key.
pub(crate) struct Sights {
    pub(crate) learn: u64,
    pub(crate) share: usize,
    groups: Vec<(u64, u64)>,
    known: Vec<(u64, u64)>,
    pub(crate) evicted: u64,
}

impl Sights {
    pub(crate) fn new(learn: u64, share: usize) -> Self {
        Self {
            learn,
            share,
            groups: Vec::new(),
            known: Vec::new(),
            evicted: 0,
        }
    }

    pub(crate) fn happens(&mut self, event: &Happening) -> Option<Vec<String>> {
        let (Some(key), Some(value)) = (event.key, event.value) else {
            return None;
        };
        if event.kind != "a" {
            return None;
        }
        let began = match self.groups.iter().position(|(known, _)| *known == key) {
            Some(at) => self.groups.remove(at).1,
            None => event.time,
        };
        self.groups.push((key, began));
        while self.groups.len() > 1 && self.groups.len() * SIGHT > self.share / 4 {
            self.groups.remove(0);
            self.evicted += 1;
        }
        let old = self.known.contains(&(key, value));
        self.known.retain(|known| *known != (key, value));
        self.known.push((key, value));
        while self.known.len() > 1 && self.known.len() * SIGHT > self.share - self.share / 4 {
            self.known.remove(0);
            self.evicted += 1;
        }
        if old || event.time.saturating_sub(began) < self.learn {
            return None;
        }
        let known = owned(self.known.len() as u64);
        Some(vec![format!("first_seen.known {known}")])
    }
}
