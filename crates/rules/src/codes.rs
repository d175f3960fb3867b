//! A set of small numbers: event codes or system call codes.

/// Numbers below 512. Event codes and system call codes both fit with room to spare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CodeSet {
    words: [u64; 8],
}

impl CodeSet {
    /// How many numbers there are.
    pub const CAPACITY: u16 = 512;

    /// The empty set.
    pub const EMPTY: Self = Self { words: [0; 8] };

    /// The numbers `0..count`.
    #[must_use]
    pub fn up_to(count: u16) -> Self {
        (0..count.min(Self::CAPACITY)).collect()
    }

    /// Adds a number; larger ones than the capacity are left out.
    pub fn insert(&mut self, code: u16) {
        if let Some(word) = self.words.get_mut(usize::from(code / 64)) {
            *word |= 1 << (code % 64);
        }
    }

    /// Whether the number is in the set.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.words
            .get(usize::from(code / 64))
            .is_some_and(|w| w & (1 << (code % 64)) != 0)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words == [0; 8]
    }

    /// Numbers that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Numbers that are in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Numbers of this set that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// The numbers, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..Self::CAPACITY).filter(|&c| self.contains(c))
    }

    fn zip(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.words;
        for (w, o) in words.iter_mut().zip(other.words) {
            *w = op(*w, o);
        }
        Self { words }
    }
}

impl FromIterator<u16> for CodeSet {
    fn from_iter<I: IntoIterator<Item = u16>>(codes: I) -> Self {
        let mut set = Self::EMPTY;
        for code in codes {
            set.insert(code);
        }
        set
    }
}

impl std::fmt::Debug for CodeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::CodeSet;

    #[test]
    fn algebra() {
        let a: CodeSet = [1, 63, 64, 453].into_iter().collect();
        let b: CodeSet = [64, 2].into_iter().collect();
        assert_eq!(a.and(&b).iter().collect::<Vec<_>>(), [64]);
        assert_eq!(a.or(&b).len(), 5);
        assert_eq!(a.minus(&b).iter().collect::<Vec<_>>(), [1, 63, 453]);
        assert_eq!(CodeSet::up_to(454).len(), 454);
        let mut c = CodeSet::EMPTY;
        c.insert(512);
        assert!(c.is_empty() && !c.contains(u16::MAX));
    }
}
