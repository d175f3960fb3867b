//! The descriptors of one process, by number.
//!
//! Chunks of 32 numbers, each shared until changed: a fork copies one pointer, the child's first
//! change copies one chunk and the list of chunks, whatever the parent had open. Sparse numbers
//! cost a chunk each, found by binary search; dense ones (nearly all) are found at their place.

use std::rc::Rc;

use crate::descriptor::Descriptor;

const CHUNK: i64 = 32;

type Slots = [Option<Rc<Descriptor>>; CHUNK as usize];

/// Descriptor table of a process.
#[derive(Clone, Debug, Default)]
pub struct DescriptorTable {
    /// Sorted by key (number / 32).
    /// The last number has a bit for each descriptor that is settled.
    chunks: Vec<(i64, Rc<Slots>, u32)>,
    count: u32,
    /// A chunk that was empty when it was last looked at.
    idle: Option<i64>,
    /// Some descriptor may have the close-on-exec mark; false: none has.
    pub(crate) may_close_on_exec: bool,
}

impl DescriptorTable {
    /// Number of open descriptors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    fn chunk(&self, key: i64) -> Result<usize, usize> {
        if let Ok(at) = usize::try_from(key)
            && let Some((found, _, _)) = self.chunks.get(at)
            && *found == key
        {
            return Ok(at);
        }
        self.chunks.binary_search_by_key(&key, |(k, _, _)| *k)
    }

    #[inline]
    pub(crate) fn shared(&self, fd: i64) -> Option<&Rc<Descriptor>> {
        let at = self.chunk(fd.div_euclid(CHUNK)).ok()?;
        self.chunks[at].1[fd.rem_euclid(CHUNK) as usize].as_ref()
    }

    /// The descriptor with this number.
    #[must_use]
    #[inline]
    pub fn find(&self, fd: i64) -> Option<&Descriptor> {
        self.shared(fd).map(|d| &**d)
    }

    /// Whether it was found that data which goes over this descriptor changes nothing about it, and
    /// it has not been changed since. Known without a look at the descriptor itself, which is far
    /// away in a process with thousands of them.
    #[inline]
    pub(crate) fn is_settled(&self, fd: i64) -> bool {
        self.chunk(fd.div_euclid(CHUNK))
            .is_ok_and(|at| self.chunks[at].2 >> fd.rem_euclid(CHUNK) & 1 == 1)
    }

    /// Forgets which are settled: that is kept for speed only.
    #[cfg(test)]
    pub(crate) fn unsettle(&mut self) {
        self.chunks.iter_mut().for_each(|chunk| chunk.2 = 0);
    }

    /// Notes that; the descriptor must be there.
    pub(crate) fn settle(&mut self, fd: i64) {
        if let Ok(at) = self.chunk(fd.div_euclid(CHUNK)) {
            self.chunks[at].2 |= 1 << fd.rem_euclid(CHUNK);
        }
    }

    /// For changing; copies what is shared.
    pub(crate) fn find_mut(&mut self, fd: i64) -> Option<&mut Descriptor> {
        let at = self.chunk(fd.div_euclid(CHUNK)).ok()?;
        let slot = fd.rem_euclid(CHUNK) as usize;
        self.chunks[at].1[slot].as_ref()?;
        self.chunks[at].2 &= !(1 << slot);
        Rc::make_mut(&mut self.chunks[at].1)[slot]
            .as_mut()
            .map(Rc::make_mut)
    }

    /// Puts it in; gives back what was there.
    pub(crate) fn insert(&mut self, fd: i64, d: Rc<Descriptor>) -> Option<Rc<Descriptor>> {
        let key = fd.div_euclid(CHUNK);
        let at = match self.chunk(key) {
            Ok(at) => at,
            Err(at) => {
                self.chunks.insert(at, (key, Rc::new(Slots::default()), 0));
                at
            }
        };
        self.chunks[at].2 &= !(1 << fd.rem_euclid(CHUNK));
        let slot = &mut Rc::make_mut(&mut self.chunks[at].1)[fd.rem_euclid(CHUNK) as usize];
        let old = slot.replace(d);
        self.count += u32::from(old.is_none());
        old
    }

    /// Takes it out.
    pub(crate) fn remove(&mut self, fd: i64) -> Option<Rc<Descriptor>> {
        let at = self.chunk(fd.div_euclid(CHUNK)).ok()?;
        let slot = fd.rem_euclid(CHUNK) as usize;
        self.chunks[at].1[slot].as_ref()?;
        self.chunks[at].2 &= !(1 << slot);
        let old = Rc::make_mut(&mut self.chunks[at].1)[slot].take();
        self.count -= u32::from(old.is_some());
        if at > 0 && self.chunks[at].1.iter().all(Option::is_none) {
            self.emptied(at);
        }
        old
    }

    /// An emptied chunk goes, so that a process which opens and closes at ever new numbers stays
    /// small; but only when the next one is emptied, for most processes use the same number again.
    /// The first chunk always stays.
    fn emptied(&mut self, at: usize) {
        let key = self.chunks[at].0;
        if let Some(idle) = self.idle.replace(key)
            && idle != key
            && let Ok(at) = self.chunk(idle)
            && at > 0
            && self.chunks[at].1.iter().all(Option::is_none)
        {
            self.chunks.remove(at);
        }
    }

    /// Removes what `goes` says of all descriptors from `first` to `last`.
    pub(crate) fn remove_range(
        &mut self,
        first: i64,
        last: i64,
        mut goes: impl FnMut(&Descriptor) -> bool,
    ) {
        for at in (0..self.chunks.len()).rev() {
            let (key, slots, _) = &self.chunks[at];
            let start = key * CHUNK;
            if start > last || start + (CHUNK - 1) < first {
                continue;
            }
            let mut doomed = 0u32;
            for (i, slot) in slots.iter().enumerate() {
                let fd = start + i as i64;
                if let Some(d) = slot
                    && (first..=last).contains(&fd)
                    && goes(d)
                {
                    doomed |= 1 << i;
                }
            }
            if doomed == 0 {
                continue;
            }
            self.count -= doomed.count_ones();
            self.chunks[at].2 &= !doomed;
            let slots = Rc::make_mut(&mut self.chunks[at].1);
            for (i, slot) in slots.iter_mut().enumerate() {
                if doomed & (1 << i) != 0 {
                    *slot = None;
                }
            }
            if at > 0 && slots.iter().all(Option::is_none) {
                self.chunks.remove(at);
            }
        }
    }

    /// Like [`Self::iter`], to be kept.
    pub(crate) fn iter_shared(&self) -> impl Iterator<Item = (i64, &Rc<Descriptor>)> {
        self.chunks.iter().flat_map(|(key, slots, _)| {
            slots
                .iter()
                .enumerate()
                .filter_map(move |(i, d)| Some((key * CHUNK + i as i64, d.as_ref()?)))
        })
    }

    /// All open descriptors, by rising number.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Descriptor)> {
        self.chunks.iter().flat_map(|(key, slots, _)| {
            slots
                .iter()
                .enumerate()
                .filter_map(move |(i, d)| Some((key * CHUNK + i as i64, &**d.as_ref()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::Kind;

    fn table(fds: &[i64]) -> DescriptorTable {
        let mut t = DescriptorTable::default();
        for &fd in fds {
            t.insert(fd, Rc::new(Descriptor::new(Kind::File)));
        }
        t
    }

    #[test]
    fn strange_numbers_are_found_in_order() {
        let fds = [-1, 0, 31, 32, 4095, 1 << 40, i64::MAX, i64::MIN];
        let mut t = table(&fds);
        assert_eq!(t.len(), fds.len());
        let mut sorted = fds.to_vec();
        sorted.sort_unstable();
        assert_eq!(t.iter().map(|(fd, _)| fd).collect::<Vec<_>>(), sorted);
        for fd in fds {
            assert!(t.find(fd).is_some());
            assert!(t.remove(fd).is_some());
            assert!(t.remove(fd).is_none());
        }
        assert!(t.is_empty());
        assert!(t.chunks.len() <= 2);
    }

    #[test]
    fn a_copy_does_not_see_the_other_ones_changes() {
        let mut a = table(&[0, 1, 2, 100]);
        let b = a.clone();
        a.remove(1);
        a.find_mut(2).unwrap().kind = Kind::Fifo;
        assert_eq!((a.len(), b.len()), (3, 4));
        assert_eq!(b.find(2).unwrap().kind, Kind::File);
        assert!(Rc::ptr_eq(a.shared(100).unwrap(), b.shared(100).unwrap()));
    }

    #[test]
    fn ranges() {
        let mut t = table(&[0, 3, 31, 32, 33, 64, 200]);
        t.find_mut(33).unwrap().kind = Kind::Fifo;
        t.remove_range(3, 64, |d| d.kind == Kind::File);
        assert_eq!(t.iter().map(|(fd, _)| fd).collect::<Vec<_>>(), [0, 33, 200]);
        assert_eq!(t.len(), 3);
        t.remove_range(i64::MIN, i64::MAX, |_| true);
        assert!(t.is_empty());
    }
}
