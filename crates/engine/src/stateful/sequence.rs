//! Events in order.
//!
//! For each key there are partial matches: how many steps are done, when the first was, and the
//! values that were kept. Two partial matches that have come equally far and that no later condition
//! can tell apart are one: the later one stays, for it lives longer.

use bumpalo::Bump;
use filter::{FieldSource, Graph, Memo, NodeId};

use super::Capture;
use super::table::{Table, Weigh};
use super::value::{Evidence, Owned, Remembered, Values, weight};

/// What compares with earlier steps.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) graph: Graph,
    pub(super) root: NodeId,
    pub(super) memo: Memo,
}

impl Links {
    fn hold<S: FieldSource>(&mut self, capture: &Capture, source: &S, values: &Values) -> bool {
        let both = Remembered {
            event: source,
            names: &capture.names,
            values,
            measured: &[],
        };
        self.memo.next_event();
        self.graph.evaluate(self.root, &both, &mut self.memo)
    }
}

/// A sequence of some steps, not all.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    /// Steps that are done.
    done: u8,
    /// Time of the first.
    start: u64,
    /// Tells partial matches that began with different events apart.
    chain: u64,
    values: Values,
}

/// Partial matches of a key, the latest last.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<Partial>);

impl Weigh for Held {
    fn weight(&self) -> usize {
        let values: usize = self.0.iter().map(|one| weight(&one.values)).sum();
        self.0.len() * Self::PARTIAL + values
    }
}

impl Held {
    /// Bytes of a partial match; the vector may be half empty.
    pub(super) const PARTIAL: usize = 2 * size_of::<Partial>();
}

/// A sequence at work.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) steps: u8,
    pub(super) within: u64,
    /// For each step, and for `until`.
    pub(super) links: Vec<Option<Links>>,
    pub(super) until: Option<Links>,
    pub(super) memory: Memory,
}

/// What it remembers: the part that outlives a reload.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) table: Table<Held>,
    /// Partial matches that went because their key had too many.
    pub(super) crowded: u64,
    next_chain: u64,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            table: Table::new(limit),
            crowded: 0,
            next_chain: 0,
        }
    }
}

/// What of an event concerns a sequence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hits {
    /// A bit for each step whose condition holds, as far as the event alone decides.
    pub(super) steps: u32,
    /// The same for `until`.
    pub(super) until: bool,
}

impl Hits {
    /// One by one: `until` first, then the steps from the last to the first, so that an event is one
    /// step of a match only.
    pub(super) fn each(self) -> impl Iterator<Item = Self> {
        let until = self.until.then_some(Self {
            steps: 0,
            until: true,
        });
        let steps = (0..u32::BITS).rev().map(move |step| self.steps & 1 << step);
        let steps = steps.filter(|&steps| steps != 0);
        let until_of = |steps| Self {
            steps,
            until: false,
        };
        until.into_iter().chain(steps.map(until_of))
    }
}

impl Sequence {
    pub(super) fn advance<S: FieldSource>(
        &mut self,
        hits: Hits,
        (key, now): (u128, u64),
        source: &S,
        capture: &Capture,
        (most, scratch): (usize, &Bump),
    ) -> Option<Evidence> {
        let Self {
            steps,
            within,
            links,
            until,
            memory,
        } = self;
        memory.table.expire(now, *within);
        let starts = hits.steps & 1 == 1;
        let held = match memory.table.find(key) {
            Some(held) => std::mem::take(&mut held.0),
            None if starts => Vec::new(),
            None => return None,
        };
        let mut held = held;
        held.retain(|one| now.saturating_sub(one.start) <= *within);
        if hits.until {
            match until {
                Some(links) => held.retain(|one| !links.hold(capture, source, &one.values)),
                None => held.clear(),
            }
        }
        let mut fired = None;
        let mut complete: Vec<u64> = Vec::new();
        let mut made: Vec<Partial> = Vec::new();
        // From the last step to the second, so that an event is one step of a match only.
        for step in (1..*steps).rev().filter(|step| hits.steps >> step & 1 == 1) {
            for one in held.iter().rev().filter(|one| one.done == step) {
                let links = &mut links[usize::from(step)];
                if links
                    .as_mut()
                    .is_some_and(|links| !links.hold(capture, source, &one.values))
                {
                    continue;
                }
                if step + 1 < *steps {
                    let mut next = one.clone();
                    next.done += 1;
                    capture.take(usize::from(step), source, scratch, &mut next.values);
                    made.push(next);
                    continue;
                }
                complete.push(one.chain);
                if fired.is_none() {
                    let mut values = one.values.clone();
                    capture.take(usize::from(step), source, scratch, &mut values);
                    let duration = now.saturating_sub(one.start);
                    fired = Some(Evidence {
                        names: capture.names.clone(),
                        values,
                        measured: vec![("sequence.duration", Owned::Unsigned(duration))],
                    });
                }
            }
        }
        if !complete.is_empty() {
            held.retain(|one| !complete.contains(&one.chain));
            made.retain(|one| !complete.contains(&one.chain));
        }
        // They were found the latest first.
        made.reverse();
        if starts {
            let mut values = capture.nothing();
            capture.take(0, source, scratch, &mut values);
            made.push(Partial {
                done: 1,
                start: now,
                chain: memory.next_chain,
                values,
            });
            memory.next_chain += 1;
        }
        for new in made {
            held.retain(|old| old.done != new.done || !capture.alike(&old.values, &new.values));
            held.push(new);
        }
        let over = held.len().saturating_sub(most);
        held.drain(..over);
        memory.crowded += over as u64;
        if held.capacity() > 2 * held.len() {
            held.shrink_to_fit();
        }
        if held.is_empty() {
            memory.table.remove(key);
        } else {
            memory.table.touch(key, now, Held::default).0 = held;
            memory.table.settle(key);
        }
        fired
    }
}
