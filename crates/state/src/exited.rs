//! Threads that exited a moment ago: their parent's half of a fork may still come.

use crate::ids::IdMap;

/// Entries of the ring.
const RING: usize = 8192;
/// How long an exit is remembered.
const WINDOW_NS: u64 = 2_000_000_000;

/// The latest exits.
#[derive(Debug, Default)]
pub(crate) struct Exited {
    /// Thread, parent, time.
    ring: Vec<(i64, i64, u64)>,
    next: usize,
    newest: IdMap,
}

impl Exited {
    pub(crate) fn push(&mut self, tid: i64, ptid: i64, ts: u64) {
        if self.ring.len() < RING {
            self.ring.push((tid, ptid, ts));
            self.newest.insert(tid, self.ring.len() as u32 - 1);
            return;
        }
        let slot = self.next;
        self.next = (self.next + 1) % RING;
        let old = self.ring[slot].0;
        if self.newest.find(old) == Some(slot as u32) {
            self.newest.remove(old);
        }
        self.ring[slot] = (tid, ptid, ts);
        self.newest.insert(tid, slot as u32);
    }

    /// Whether that child of that parent exited shortly before `now`.
    pub(crate) fn contains(&self, tid: i64, ptid: i64, now: u64) -> bool {
        self.newest.find(tid).is_some_and(|slot| {
            let (_, parent, ts) = self.ring[slot as usize];
            parent == ptid && now.saturating_sub(ts) < WINDOW_NS
        })
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets() {
        let mut e = Exited::default();
        e.push(5, 1, 100);
        assert!(e.contains(5, 1, 200));
        assert!(!e.contains(5, 2, 200));
        assert!(!e.contains(5, 1, 100 + WINDOW_NS));
        e.push(5, 2, 300);
        assert!(e.contains(5, 2, 400) && !e.contains(5, 1, 400));
        for i in 0..RING as i64 {
            e.push(1_000_000 + i, 1, 500);
        }
        assert!(!e.contains(5, 2, 500));
        assert!(e.contains(1_000_000, 1, 500));
        e.push(7, 1, 500);
        assert!(!e.contains(1_000_000, 1, 500));
    }
}
