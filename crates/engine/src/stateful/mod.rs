//! Rules that remember: sequences, thresholds, first sights.
//!
//! ```text
//!  event ─► plan ─► parts that it meets ─► key ─► table of the rule ─► complete? ─► Firing
//!           (as for every rule)            by     bounded, in order of last use
//! ```
//!
//! What an event means to a rule follows from the order in which events are delivered and from their
//! times, from nothing else: so a replay gives the same alerts. What the rules promise is written
//! down in `docs/stateful-rules.md`.
//!
//! *Invariants:* an event that meets no part costs no allocation; what is remembered stays within
//! [`Limits`]; what had to be forgotten for that is counted.
//!
//! Modules: [`key`] values as hashes, [`value`] values that are kept, [`table`] the bounded map,
//! `sequence`, `threshold` and `sights` the three kinds, `build` from definitions to these, [`learned`]
//! what outlives a restart.

mod build;
pub mod key;
pub mod learned;
mod sequence;
mod sights;
pub mod table;
mod threshold;
pub mod value;

use std::sync::Arc;

use bumpalo::Bump;
use filter::{FieldRef, FieldSource, Purpose};

pub use key::Keyer;
pub use learned::Learned;
pub use value::{Evidence, Remembered};

use crate::RuleIndex;
use sequence::{Hits, Sequence};
use sights::Sights;
use threshold::Threshold;
use value::{Owned, Values};

/// Number of a part among all parts of an engine.
pub type PartIndex = u32;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all rules of an engine together; each has an equal share.
    pub memory: usize,
    /// Partial matches that a sequence keeps for a key.
    pub partials: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            partials: 8,
        }
    }
}

/// Least share of a rule, in bytes.
pub const LEAST: usize = 4 << 10;

/// Bytes that are accounted for a key of a sequence, and for each of its partial matches besides what
/// its values take ([`value::weight`]).
pub const SEQUENCE: (usize, usize) = (
    table::Table::<sequence::Held>::ENTRY,
    sequence::Held::PARTIAL,
);

/// The same of a threshold: for a key, for each time that is kept, and for each value that is shown.
pub const THRESHOLD: (usize, usize, usize) = (
    table::Table::<threshold::Tally>::ENTRY,
    threshold::Tally::MARK,
    threshold::Tally::SHOWN,
);

/// The same of a first sight, whether group or combination.
pub const SIGHT: usize = table::Table::<u64>::ENTRY;

/// A rule that an event has completed.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The rule.
    pub rule: RuleIndex,
    /// What it has to show.
    pub evidence: Evidence,
}

/// What a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleMemory {
    /// The rule.
    pub rule: RuleIndex,
    /// Keys of which something is known.
    pub keys: usize,
    /// Bytes that are accounted for.
    pub bytes: usize,
    /// Keys that were forgotten for want of room.
    pub evicted: u64,
    /// Partial matches that were forgotten because their key had too many.
    pub crowded: u64,
}

/// A slot of the evidence: the step and field that it is taken from.
#[derive(Debug)]
struct Slot {
    step: usize,
    field: FieldRef,
    linked: bool,
}

/// What is kept of events.
#[derive(Debug)]
struct Capture {
    slots: Vec<Slot>,
    names: Arc<[Box<str>]>,
    /// Positions of values that conditions compare with.
    linked: Vec<usize>,
}

impl Capture {
    fn nothing(&self) -> Values {
        self.slots.iter().map(|_| None).collect()
    }

    /// Keeps what is wanted of a step.
    fn take<S: FieldSource>(&self, step: usize, source: &S, scratch: &Bump, values: &mut Values) {
        for (slot, value) in self.slots.iter().zip(values.iter_mut()) {
            if slot.step != step {
                continue;
            }
            let purpose = if slot.linked {
                Purpose::Compare
            } else {
                Purpose::Text
            };
            let found = source.extract(&slot.field, purpose, scratch);
            *value = found.and_then(|found| Owned::of(&found, slot.linked));
        }
    }

    /// Whether no later condition can tell them apart.
    fn alike(&self, a: &Values, b: &Values) -> bool {
        self.linked.iter().all(|&at| a[at] == b[at])
    }
}

#[derive(Debug)]
enum Work {
    Sequence(Box<Sequence>),
    Threshold(Threshold, Option<FieldRef>),
    FirstSeen(Sights, Vec<FieldRef>),
}

/// A rule at work.
#[derive(Debug)]
struct Memory {
    rule: RuleIndex,
    name: String,
    identity: String,
    by: Vec<FieldRef>,
    /// The same for steps that have fields of their own; empty where none has.
    own: Vec<Option<Vec<FieldRef>>>,
    capture: Capture,
    work: Work,
}

/// Begins a key with the values of these fields; `None` where one is missing.
fn key<S: FieldSource>(
    keyer: &Keyer,
    fields: &[FieldRef],
    source: &S,
    scratch: &Bump,
) -> Option<key::KeyMaker> {
    let mut maker = keyer.begin();
    for field in fields {
        maker.add(&source.extract(field, Purpose::Compare, scratch)?);
    }
    Some(maker)
}

/// What a part is to its rule.
#[derive(Clone, Copy, Debug)]
enum Role {
    Step(u8),
    Until,
    /// The whole rule.
    Event,
}

/// All rules of an engine that remember.
#[derive(Debug)]
pub(crate) struct Memories {
    all: Vec<Memory>,
    parts: Vec<(u32, Role)>,
    keyer: Keyer,
    limits: Limits,
}

impl Memories {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            parts: Vec::new(),
            keyer: Keyer::random(),
            limits: Limits::default(),
        }
    }

    /// Gives each rule its share of the memory.
    pub(crate) fn share(&mut self) {
        let share = (self.limits.memory / self.all.len().max(1)).max(LEAST);
        for memory in &mut self.all {
            match &mut memory.work {
                Work::Sequence(sequence) => sequence.memory.table.limit(share),
                Work::Threshold(threshold, _) => threshold.memory.limit(share),
                Work::FirstSeen(sights, _) => sights.memory.limit(share),
            }
        }
    }

    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.share();
    }

    /// Extracts what [`advance`](Self::advance) would.
    pub(crate) fn consult<S: FieldSource>(&self, met: &[PartIndex], source: &S, scratch: &Bump) {
        for &part in met {
            let (memory, _) = self.parts[part as usize];
            let memory = &self.all[memory as usize];
            let kept = memory.capture.slots.iter().map(|slot| &slot.field);
            let measured: &[FieldRef] = match &memory.work {
                Work::Sequence(_) => &[],
                Work::Threshold(_, field) => field.as_slice(),
                Work::FirstSeen(_, fields) => fields,
            };
            let own = memory.own.iter().flatten().flatten();
            for field in memory.by.iter().chain(own).chain(kept).chain(measured) {
                let _ = source.extract(field, Purpose::Compare, scratch);
            }
        }
    }

    /// Takes an event in that meets these parts.
    pub(crate) fn advance<S: FieldSource>(
        &mut self,
        met: &[PartIndex],
        now: u64,
        source: &S,
        scratch: &Bump,
        firings: &mut Vec<Firing>,
    ) {
        let Self {
            all,
            parts,
            keyer,
            limits,
        } = self;
        let mut at = 0;
        while let Some(&part) = met.get(at) {
            let (number, _) = parts[part as usize];
            // Parts of a rule are neighbours.
            let mut hits = Hits::default();
            while let Some(&part) = met.get(at) {
                let (of, role) = parts[part as usize];
                if of != number {
                    break;
                }
                match role {
                    Role::Step(step) => hits.steps |= 1 << step,
                    Role::Until => hits.until = true,
                    Role::Event => {}
                }
                at += 1;
            }
            let Memory {
                rule,
                by,
                own,
                capture,
                work,
                ..
            } = &mut all[number as usize];
            // Where nothing waits, only a first step is worth a key.
            if let Work::Sequence(sequence) = &*work
                && hits.steps & 1 == 0
                && sequence.memory.table.is_empty()
            {
                continue;
            }
            if let (Work::Sequence(sequence), false) = (&mut *work, own.is_empty()) {
                let mut first = None;
                for hits in hits.each() {
                    let step = hits.steps.trailing_zeros() as usize;
                    let by = own.get(step).and_then(Option::as_ref).unwrap_or(by);
                    if let Some(maker) = key(keyer, by, source, scratch) {
                        let event = (maker.finish(), now);
                        let bounds = (limits.partials, scratch);
                        let fired = sequence.advance(hits, event, source, capture, bounds);
                        first = first.or(fired);
                    }
                }
                let rule = *rule;
                firings.extend(first.map(|evidence| Firing { rule, evidence }));
                continue;
            }
            // An event without one of the values belongs to nobody.
            let Some(mut maker) = key(keyer, by, source, scratch) else {
                continue;
            };
            let key = maker.finish();
            let evidence = match work {
                Work::Sequence(sequence) => sequence.advance(
                    hits,
                    (key, now),
                    source,
                    capture,
                    (limits.partials, scratch),
                ),
                Work::Threshold(threshold, field) => {
                    let value = field
                        .as_ref()
                        .and_then(|field| source.extract(field, Purpose::Compare, scratch));
                    threshold.advance((key, now), value, keyer)
                }
                Work::FirstSeen(sights, fields) => {
                    let whole = fields.iter().all(|field| {
                        let value = source.extract(field, Purpose::Compare, scratch);
                        value.inspect(|value| maker.add(value)).is_some()
                    });
                    if whole {
                        sights.advance(key, maker.finish(), now)
                    } else {
                        None
                    }
                }
            };
            if let Some(evidence) = evidence {
                firings.push(Firing {
                    rule: *rule,
                    evidence,
                });
            }
        }
    }

    /// Takes over what is remembered of rules that are defined the same.
    pub(crate) fn inherit(&mut self, from: &mut Self) {
        self.keyer = from.keyer;
        for memory in &mut self.all {
            let same =
                |old: &&mut Memory| old.name == memory.name && old.identity == memory.identity;
            let Some(old) = from.all.iter_mut().find(same) else {
                continue;
            };
            match (&mut memory.work, &mut old.work) {
                (Work::Sequence(new), Work::Sequence(old)) => {
                    std::mem::swap(&mut new.memory, &mut old.memory);
                }
                (Work::Threshold(new, _), Work::Threshold(old, _)) => {
                    std::mem::swap(&mut new.memory, &mut old.memory);
                }
                (Work::FirstSeen(new, _), Work::FirstSeen(old, _)) => {
                    std::mem::swap(&mut new.memory, &mut old.memory);
                }
                _ => {}
            }
        }
        self.share();
    }

    pub(crate) fn forget(&mut self) {
        for memory in &mut self.all {
            match &mut memory.work {
                Work::Sequence(sequence) => sequence.memory = sequence::Memory::new(0),
                Work::Threshold(threshold, _) => threshold.memory = table::Table::new(0),
                Work::FirstSeen(sights, _) => sights.memory = sights::Memory::new(0),
            }
        }
        self.share();
    }

    pub(crate) fn remembered(&self) -> impl Iterator<Item = RuleMemory> {
        self.all.iter().map(|memory| {
            let (keys, bytes, evicted, crowded) = match &memory.work {
                Work::Sequence(sequence) => {
                    let table = &sequence.memory.table;
                    let crowded = sequence.memory.crowded;
                    (table.len(), table.weight(), table.evicted, crowded)
                }
                Work::Threshold(threshold, _) => {
                    let table = &threshold.memory;
                    (table.len(), table.weight(), table.evicted, 0)
                }
                Work::FirstSeen(sights, _) => {
                    let (known, groups) = (&sights.memory.known, &sights.memory.groups);
                    (
                        known.len(),
                        known.weight() + groups.weight(),
                        known.evicted + groups.evicted,
                        0,
                    )
                }
            };
            RuleMemory {
                rule: memory.rule,
                keys,
                bytes,
                evicted,
                crowded,
            }
        })
    }

    fn sights(&self) -> impl Iterator<Item = (&Memory, &Sights)> {
        self.all.iter().filter_map(|memory| match &memory.work {
            Work::FirstSeen(sights, _) => Some((memory, sights)),
            _ => None,
        })
    }

    pub(crate) fn learned(&self) -> (Keyer, Vec<Learned>) {
        let all = self.sights().map(|(memory, sights)| Learned {
            rule: memory.name.clone(),
            identity: memory.identity.clone(),
            groups: sights
                .memory
                .groups
                .iter()
                .map(|(key, last, began)| (key, last, *began))
                .collect(),
            known: sights
                .memory
                .known
                .iter()
                .map(|(key, last, _)| (key, last))
                .collect(),
        });
        (self.keyer, all.collect())
    }

    pub(crate) fn learns(&mut self) -> bool {
        let mut changed = false;
        for memory in &mut self.all {
            if let Work::FirstSeen(sights, _) = &mut memory.work {
                changed |= std::mem::take(&mut sights.memory.changed);
            }
        }
        changed
    }

    pub(crate) fn learn(&mut self, keyer: Keyer, learned: &[Learned]) {
        self.keyer = keyer;
        for memory in &mut self.all {
            let same = |old: &&Learned| old.rule == memory.name && old.identity == memory.identity;
            let (Work::FirstSeen(sights, _), Some(old)) =
                (&mut memory.work, learned.iter().find(same))
            else {
                continue;
            };
            for &(key, last, began) in &old.groups {
                sights.memory.groups.touch(key, last, || began);
                sights.memory.groups.settle(key);
            }
            for &(key, last) in &old.known {
                sights.memory.known.touch(key, last, || 0);
                sights.memory.known.settle(key);
            }
        }
    }
}
