//! What was not there before.
//!
//! A group (a host, an image, a user) learns for a while after its first event; then a combination
//! that it has not shown before fires the rule. What is known is hashes alone.

use super::table::Table;
use super::value::{Evidence, Owned};

/// First sights at work.
#[derive(Debug)]
pub(super) struct Sights {
    pub(super) learn: u64,
    pub(super) memory: Memory,
}

/// What was seen: the part that outlives a reload, and where it is stored a restart.
#[derive(Debug)]
pub(super) struct Memory {
    /// By group: when it began to learn.
    pub(super) groups: Table<u64>,
    /// By group and combination: nothing besides that it was seen.
    pub(super) known: Table<u64>,
    /// Whether there is something that is not stored.
    pub(super) changed: bool,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        let mut memory = Self {
            groups: Table::new(0),
            known: Table::new(0),
            changed: false,
        };
        memory.limit(limit);
        memory
    }

    /// A quarter is for the groups.
    pub(super) fn limit(&mut self, limit: usize) {
        self.groups.limit(limit / 4);
        self.known.limit(limit - limit / 4);
    }
}

impl Sights {
    pub(super) fn advance(&mut self, group: u128, key: u128, now: u64) -> Option<Evidence> {
        let memory = &mut self.memory;
        let began = *memory.groups.touch(group, now, || now);
        memory.groups.settle(group);
        let before = memory.known.find(key).is_some();
        memory.known.touch(key, now, || 0);
        memory.known.settle(key);
        memory.changed = true;
        if before || now.saturating_sub(began) < self.learn {
            return None;
        }
        let known = memory.known.len() as u64;
        Some(Evidence {
            measured: vec![("first_seen.known", Owned::Unsigned(known))],
            ..Evidence::default()
        })
    }
}
