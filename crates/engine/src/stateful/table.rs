//! A map that is bounded in bytes and forgets the least recently used first.
//!
//! Entries lie in a vector and are linked in the order of their last use. *Invariant:* what is
//! accounted for stays at or below the limit, but for a single entry.

use hashbrown::HashTable;

const NOWHERE: u32 = u32::MAX;

/// Something that takes memory beyond its own size.
pub trait Weigh {
    /// Bytes beyond its own size.
    fn weight(&self) -> usize;
}

impl Weigh for u64 {
    fn weight(&self) -> usize {
        0
    }
}

#[derive(Debug)]
struct Slot<T> {
    key: u128,
    /// Greatest time of use.
    last: u64,
    before: u32,
    after: u32,
    weight: usize,
    value: T,
}

/// The map.
#[derive(Debug)]
pub struct Table<T> {
    index: HashTable<u32>,
    slots: Vec<Option<Slot<T>>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    weight: usize,
    limit: usize,
    /// Entries that went because there was no room.
    pub evicted: u64,
}

impl<T: Weigh> Table<T> {
    /// Bytes of an entry besides what it holds: its place in the vector, which may be half empty, and
    /// in the index.
    pub const ENTRY: usize = 2 * size_of::<Option<Slot<T>>>() + 3 * size_of::<u32>();

    /// An empty one that takes so many bytes at most.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NOWHERE,
            newest: NOWHERE,
            weight: 0,
            limit,
            evicted: 0,
        }
    }

    /// Sets another limit; what is too much goes.
    pub fn limit(&mut self, limit: usize) {
        self.limit = limit;
        self.shrink();
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes that are accounted for.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Forgets what was last used more than `within` before `now`, from the least recently used on.
    pub fn expire(&mut self, now: u64, within: u64) {
        while let Some(slot) = self.slot(self.oldest) {
            if now.saturating_sub(slot.last) <= within {
                return;
            }
            self.take(self.oldest);
        }
    }

    /// The entry of a key.
    pub fn find(&mut self, key: u128) -> Option<&mut T> {
        let at = self.position(key)?;
        self.slots[at as usize].as_mut().map(|slot| &mut slot.value)
    }

    /// Makes the entry of a key the most recently used, and a new one where there is none.
    pub fn touch(&mut self, key: u128, now: u64, make: impl FnOnce() -> T) -> &mut T {
        let at = match self.position(key) {
            Some(at) => {
                self.unlink(at);
                at
            }
            None => self.insert(key, make()),
        };
        self.link(at);
        let slot = self.slots[at as usize]
            .as_mut()
            .expect("found or inserted above");
        slot.last = slot.last.max(now);
        &mut slot.value
    }

    /// Accounts for what an entry has become, and makes room. An entry that is not there is none.
    pub fn settle(&mut self, key: u128) {
        let Some(at) = self.position(key) else {
            return;
        };
        if let Some(slot) = self.slots[at as usize].as_mut() {
            let weight = Self::ENTRY + slot.value.weight();
            self.weight = self.weight - slot.weight + weight;
            slot.weight = weight;
        }
        self.shrink();
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: u128) {
        if let Some(at) = self.position(key) {
            self.take(at);
        }
    }

    /// Keys and values, the least recently used first, with the time of last use.
    pub fn iter(&self) -> impl Iterator<Item = (u128, u64, &T)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slot(at)?;
            at = slot.after;
            Some((slot.key, slot.last, &slot.value))
        })
    }

    fn shrink(&mut self) {
        while self.weight > self.limit && self.oldest != self.newest {
            self.take(self.oldest);
            self.evicted += 1;
        }
    }

    fn slot(&self, at: u32) -> Option<&Slot<T>> {
        self.slots.get(at as usize)?.as_ref()
    }

    fn position(&self, key: u128) -> Option<u32> {
        let same = |at: &u32| self.slot(*at).is_some_and(|slot| slot.key == key);
        self.index.find(key as u64, same).copied()
    }

    fn insert(&mut self, key: u128, value: T) -> u32 {
        let weight = Self::ENTRY + value.weight();
        let slot = Some(Slot {
            key,
            last: 0,
            before: NOWHERE,
            after: NOWHERE,
            weight,
            value,
        });
        self.weight += weight;
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                let at = u32::try_from(self.slots.len()).expect("entries are bigger than 1 byte");
                self.slots.push(slot);
                at
            }
        };
        let Self { index, slots, .. } = self;
        index.insert_unique(key as u64, at, |&at| {
            let slot = slots[at as usize].as_ref();
            slot.map_or(0, |slot| slot.key as u64)
        });
        at
    }

    fn take(&mut self, at: u32) {
        self.unlink(at);
        let Some(slot) = self.slots.get_mut(at as usize).and_then(Option::take) else {
            return;
        };
        self.weight -= slot.weight;
        let entry = self.index.find_entry(slot.key as u64, |&other| other == at);
        if let Ok(entry) = entry {
            entry.remove();
        }
        self.free.push(at);
        if self.index.is_empty() {
            // What a flood made large is given back.
            self.slots = Vec::new();
            self.free = Vec::new();
            self.index = HashTable::new();
        }
    }

    fn link(&mut self, at: u32) {
        let newest = self.newest;
        if let Some(slot) = self.slots[at as usize].as_mut() {
            slot.before = newest;
            slot.after = NOWHERE;
        }
        match self.slots.get_mut(newest as usize) {
            Some(Some(slot)) => slot.after = at,
            _ => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some((before, after)) = self.slot(at).map(|slot| (slot.before, slot.after)) else {
            return;
        };
        match self.slots.get_mut(before as usize) {
            Some(Some(slot)) => slot.after = after,
            _ => self.oldest = after,
        }
        match self.slots.get_mut(after as usize) {
            Some(Some(slot)) => slot.before = before,
            _ => self.newest = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(table: &Table<u64>) -> Vec<u128> {
        table.iter().map(|(key, ..)| key).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut table = Table::new(3 * Table::<u64>::ENTRY);
        for key in [1, 2, 3] {
            *table.touch(key, 10, || 0) = 7;
            table.settle(key);
        }
        table.touch(1, 11, || 0);
        assert_eq!(keys(&table), [2, 3, 1]);
        table.touch(4, 12, || 0);
        table.settle(4);
        assert_eq!((keys(&table), table.evicted), (vec![3, 1, 4], 1));
        table.expire(21, 10);
        assert_eq!(keys(&table), [1, 4]);
        table.remove(1);
        assert!(table.find(1).is_none());
        table.limit(0);
        assert_eq!(keys(&table), [4]);
        table.expire(100, 10);
        assert_eq!((table.len(), table.weight()), (0, 0));
        table.touch(5, 1, || 0);
        assert_eq!(keys(&table), [5]);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older() {
        let mut table = Table::<u64>::new(1 << 20);
        table.touch(1, 100, || 0);
        table.touch(1, 50, || 0);
        table.expire(105, 10);
        assert_eq!(keys(&table), [1]);
    }
}
