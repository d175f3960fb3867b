//! A map from kernel ids (thread and process numbers) to slots of a table.
//!
//! Linux gives out numbers below 4,194,304, so a directory of pages finds one with two loads and
//! no hash, and nobody can choose numbers that collide. Anything else (captures may claim any
//! number), and everything of a small table, lives in an ordered map beside it.

use std::collections::BTreeMap;

const PAGE: usize = 1024;
const PAGES: usize = 4096;
const NONE: u32 = u32::MAX;

/// Kernel id to slot.
#[derive(Debug, Default)]
pub(crate) struct IdMap {
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    strange: BTreeMap<i64, u32>,
    /// Without pages: they are large for the few numbers of an excerpt.
    small: bool,
}

#[inline]
fn place(id: i64) -> Option<(usize, usize)> {
    // A negative number becomes a large one.
    let id = id as u64;
    let found = (id as usize / PAGE, id as usize % PAGE);
    (id < (PAGE * PAGES) as u64).then_some(found)
}

impl IdMap {
    /// A map for few numbers.
    pub(crate) fn small() -> Self {
        Self {
            small: true,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn find(&self, id: i64) -> Option<u32> {
        match place(id) {
            Some((page, at)) if !self.small => {
                let slot = self.pages.get(page)?.as_ref()?[at];
                (slot != NONE).then_some(slot)
            }
            _ => self.strange.get(&id).copied(),
        }
    }

    pub(crate) fn insert(&mut self, id: i64, slot: u32) {
        match place(id) {
            Some((page, at)) if !self.small => {
                if self.pages.len() <= page {
                    self.pages.resize_with(page + 1, || None);
                }
                self.pages[page].get_or_insert_with(|| Box::new([NONE; PAGE]))[at] = slot;
            }
            _ => {
                self.strange.insert(id, slot);
            }
        }
    }

    pub(crate) fn remove(&mut self, id: i64) {
        match place(id) {
            Some((page, at)) if !self.small => {
                if let Some(Some(page)) = self.pages.get_mut(page) {
                    page[at] = NONE;
                }
            }
            _ => {
                self.strange.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_wherever_it_lies() {
        let mut map = IdMap::default();
        for id in [
            0,
            1,
            1023,
            1024,
            4_194_303,
            4_194_304,
            i64::MAX,
            -1,
            i64::MIN,
        ] {
            assert_eq!(map.find(id), None);
            map.insert(id, (id & 0xffff) as u32);
            assert_eq!(map.find(id), Some((id & 0xffff) as u32));
        }
        map.remove(1024);
        map.remove(-1);
        map.remove(77_777);
        assert_eq!(map.find(1024), None);
        assert_eq!(map.find(-1), None);
        assert_eq!(map.find(1023), Some(1023));
    }
}
