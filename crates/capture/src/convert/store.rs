//! Enter events that wait for their exit: the newest one of each thread.
//!
//! Bounded in threads and in bytes, whatever a file holds. Slots keep their room when their event
//! is used up, so that pairs of enter and exit allocate nothing. When full, threads are forgotten in
//! turn and counted; their next exit gets defaults, as if the recorder had lost the enter event.

use hashbrown::HashMap;

/// Most threads.
const MAX_SLOTS: usize = 1 << 18;
/// Most bytes of events.
const MAX_BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
struct Slot {
    tid: i64,
    /// Empty: nothing waits.
    event: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct EnterStore {
    slots: Vec<Slot>,
    by_tid: HashMap<i64, u32>,
    bytes: usize,
    hand: usize,
    max_slots: usize,
    max_bytes: usize,
    /// Waiting events that were forgotten for lack of room.
    pub(crate) forgotten: u64,
}

impl Default for EnterStore {
    fn default() -> Self {
        Self::with_limits(MAX_SLOTS, MAX_BYTES)
    }
}

impl EnterStore {
    fn with_limits(max_slots: usize, max_bytes: usize) -> Self {
        Self {
            slots: Vec::new(),
            by_tid: HashMap::new(),
            bytes: 0,
            hand: 0,
            max_slots,
            max_bytes,
            forgotten: 0,
        }
    }

    /// Keeps `event` for `tid` in place of an earlier one.
    pub(crate) fn put(&mut self, tid: i64, event: &[u8]) {
        let index = match self.by_tid.get(&tid) {
            Some(&index) => index as usize,
            None => self.slot_for(tid),
        };
        let slot = &mut self.slots[index];
        let before = slot.event.capacity();
        slot.event.clear();
        slot.event.extend_from_slice(event);
        self.bytes += slot.event.capacity() - before;
        while self.bytes > self.max_bytes && self.free_one(index) {}
    }

    /// The event that waits for `tid`, and the slot it is in.
    pub(crate) fn waiting(&self, tid: i64) -> Option<(usize, &[u8])> {
        let index = *self.by_tid.get(&tid)? as usize;
        let slot = &self.slots[index];
        (!slot.event.is_empty()).then_some((index, slot.event.as_slice()))
    }

    /// Forgets the event in this slot: it has been used.
    pub(crate) fn forget(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.event.clear();
        }
    }

    /// A slot for a thread that has none.
    fn slot_for(&mut self, tid: i64) -> usize {
        let index = if self.slots.len() < self.max_slots {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        } else {
            let index = self.step();
            let slot = &mut self.slots[index];
            self.forgotten += u64::from(!slot.event.is_empty());
            self.by_tid.remove(&slot.tid);
            index
        };
        self.slots[index].tid = tid;
        self.by_tid.insert(tid, index as u32);
        index
    }

    /// Gives back the room of one slot other than `keep`; false when no other has any.
    fn free_one(&mut self, keep: usize) -> bool {
        for _ in 0..self.slots.len() {
            let index = self.step();
            let slot = &mut self.slots[index];
            if index != keep && slot.event.capacity() > 0 {
                self.forgotten += u64::from(!slot.event.is_empty());
                self.bytes -= slot.event.capacity();
                slot.event = Vec::new();
                return true;
            }
        }
        false
    }

    fn step(&mut self) -> usize {
        self.hand = (self.hand + 1) % self.slots.len();
        self.hand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_event_waits_until_used() {
        let mut store = EnterStore::default();
        store.put(7, b"first");
        store.put(7, b"second");
        let (slot, event) = store.waiting(7).unwrap();
        assert_eq!(event, b"second");
        store.forget(slot);
        assert_eq!(store.waiting(7), None);
        assert_eq!(store.waiting(8), None);
    }

    #[test]
    fn threads_and_bytes_are_bounded() {
        let mut store = EnterStore::with_limits(4, 1000);
        for tid in 0..100 {
            store.put(tid, &[1; 300]);
            assert_eq!(store.waiting(tid).unwrap().1, [1; 300]);
            assert!(store.slots.len() <= 4 && store.by_tid.len() <= 4);
            assert!(store.bytes <= 1000, "{}", store.bytes);
            let held: usize = store.slots.iter().map(|s| s.event.capacity()).sum();
            assert_eq!(held, store.bytes);
        }
        assert!(store.forgotten > 90, "{}", store.forgotten);
    }
}
