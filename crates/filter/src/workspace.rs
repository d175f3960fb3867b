//! What a running [`crate::Program`] remembers: for the event, and beyond it for the thread.
//!
//! A node's stamp is the event's number, doubled, plus its result; so nothing is cleared between
//! events. What is kept beyond lies in a row for each thread: two bits for each node, and for each
//! [screen](crate::screen) a word of what the thread's own properties rule out, and one for those of its
//! relatives:
//!
//! ```text
//! row: | own key | shared key | own results | shared results | own known | own words | shared words | shared known |
//!                                           `-------------- forgotten with the own key ----------------------------´
//!                                                                        `- forgotten with the shared key ---------´
//! ```
//!
//! The keys say for which state of the thread, and of what it shares with others, the bits were
//! found out ([`Keep`]). Where one differs, its bits are forgotten. *Invariant:* a bit is used only
//! under the keys under which it was set.

use bumpalo::Bump;

use crate::program::{Operand, Tally};
use crate::schema::Keep;

/// Threads for which results are kept; those in higher slots are evaluated each time.
const MOST_ROWS: usize = 1 << 16;
/// More than this in the arena is given back after an event.
const ARENA_KEPT: usize = 1 << 20;
/// One event in so many is a sample, to begin with and when much is known: a power of two. A sample
/// costs many times what an event costs otherwise.
const SAMPLE: (u32, u32) = (64, 1024);
/// Samples before the first new order, and most samples between two; the number doubles.
const SAMPLES: (u32, u32) = (8, 128);
/// Words of a row before the bits.
const KEYS: usize = 2;

/// Where in a row a node's result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    known: u16,
    result: u16,
    bit: u8,
}

impl Kept {
    pub(crate) const NONE: Self = Self {
        known: 0,
        result: 0,
        bit: 0,
    };

    /// The `bit`th result of those whose known bits and results begin at these words.
    pub(crate) fn new(known: usize, results: usize, bit: usize) -> Self {
        Self {
            known: (known + bit / 64) as u16,
            result: (results + bit / 64) as u16,
            bit: (bit % 64) as u8,
        }
    }

    #[inline]
    pub(crate) const fn is_some(self) -> bool {
        self.known != 0
    }
}

/// What a row holds, and where: numbers of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Words for results that hang on the thread alone.
    pub(crate) own: usize,
    /// Words for results that hang on its relatives too.
    pub(crate) shared: usize,
    /// Screens.
    pub(crate) screens: usize,
}

impl Layout {
    pub(crate) const fn own_results(self) -> usize {
        KEYS
    }

    pub(crate) const fn shared_results(self) -> usize {
        KEYS + self.own
    }

    pub(crate) const fn own_known(self) -> usize {
        self.shared_results() + self.shared
    }

    const fn own_words(self) -> usize {
        self.own_known() + self.own
    }

    const fn shared_words(self) -> usize {
        self.own_words() + self.screens
    }

    pub(crate) const fn shared_known(self) -> usize {
        self.shared_words() + self.screens
    }

    const fn len(self) -> usize {
        self.shared_known() + self.shared
    }
}

/// The row of the event's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// Not looked for yet.
    Unknown,
    /// Nothing is kept for this event.
    None,
    At(usize),
}

/// Everything about a program that changes while it runs.
#[derive(Debug)]
pub struct Workspace {
    memory: Memory,
    scratch: Bump,
}

/// Results.
#[derive(Debug)]
pub(crate) struct Memory {
    stamps: Vec<u32>,
    event: u32,
    row: Row,
    rows: Vec<u64>,
    layout: Layout,
    /// For each operand of each group.
    pub(crate) tallies: Vec<Tally>,
    /// Groups of which there are new samples.
    pub(crate) sampled: Vec<u32>,
    /// The same for each node.
    pub(crate) is_sampled: Vec<bool>,
    /// Operands of a group on their way into another order.
    pub(crate) order: Vec<(f64, Operand, Tally)>,
    /// Nodes evaluated for samples.
    pub(crate) work: u32,
    /// Samples until the next new order.
    wait: u32,
    /// What `wait` was last set to.
    waited: u32,
    /// One event in so many is a sample.
    sample: u32,
}

impl Workspace {
    pub(crate) fn new(ops: usize, operands: usize, layout: Layout) -> Self {
        Self {
            memory: Memory {
                stamps: vec![0; ops],
                event: 1,
                row: Row::Unknown,
                rows: Vec::new(),
                layout,
                tallies: vec![Tally::default(); operands],
                sampled: Vec::new(),
                is_sampled: vec![false; ops],
                order: Vec::new(),
                work: 0,
                wait: SAMPLES.0,
                waited: SAMPLES.0,
                sample: SAMPLE.0,
            },
            scratch: Bump::new(),
        }
    }

    /// Whether it is time for [`crate::Program::reorder`]; asked once for each event, before it.
    #[inline]
    #[must_use]
    pub fn wants_order(&mut self) -> bool {
        self.memory.samples() && self.memory.counts_sample()
    }

    /// Forgets what was known of the event: to be called before each one.
    #[inline]
    pub fn next_event(&mut self) {
        self.memory.row = Row::Unknown;
        self.memory.event += 1;
        if self.memory.event > u32::MAX / 2 {
            self.memory.stamps.fill(0);
            self.memory.event = 1;
        }
        if self.scratch.allocated_bytes() > ARENA_KEPT {
            self.scratch = Bump::new();
        } else {
            self.scratch.reset();
        }
    }

    /// Keeps nothing that was found out about the current event's thread: its values were not there
    /// yet.
    #[cold]
    pub fn forget_kept(&mut self) {
        if let Row::At(at) = self.memory.row {
            // No generation is 0.
            self.memory.rows[at] = 0;
        }
    }

    /// Another thread may be asked about than that of the latest event.
    #[inline]
    pub(crate) fn next_thread(&mut self) {
        self.memory.row = Row::Unknown;
    }

    /// Arena of the current event.
    #[must_use]
    pub fn scratch(&self) -> &Bump {
        &self.scratch
    }

    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut Memory, &Bump) {
        (&mut self.memory, &self.scratch)
    }
}

impl Memory {
    /// Whether the current event is a sample.
    #[inline]
    pub(crate) fn samples(&self) -> bool {
        self.event & (self.sample - 1) == 0
    }

    /// There is something new about a group.
    pub(crate) fn note_sample(&mut self, op: usize) {
        if !std::mem::replace(&mut self.is_sampled[op], true) {
            self.sampled.push(op as u32);
        }
    }

    #[cold]
    fn counts_sample(&mut self) -> bool {
        self.work = 0;
        self.wait -= 1;
        if self.wait > 0 {
            return false;
        }
        if self.waited == SAMPLES.1 {
            self.sample = (self.sample * 2).min(SAMPLE.1);
        }
        self.waited = (self.waited * 2).min(SAMPLES.1);
        self.wait = self.waited;
        true
    }

    #[inline]
    pub(crate) fn known(&self, op: usize) -> Option<bool> {
        let stamp = self.stamps[op];
        (stamp >> 1 == self.event).then_some(stamp & 1 == 1)
    }

    #[inline]
    pub(crate) fn learn(&mut self, op: usize, holds: bool) {
        self.stamps[op] = self.event << 1 | u32::from(holds);
    }

    /// The result from an earlier event of the thread, if it still holds.
    #[inline]
    pub(crate) fn recall(
        &mut self,
        kept: Kept,
        keep: impl FnOnce() -> Option<Keep>,
    ) -> Option<bool> {
        let at = self.row(keep)?;
        let row = &self.rows[at..];
        let bit = 1 << kept.bit;
        let known = row[usize::from(kept.known)] & bit != 0;
        known.then(|| row[usize::from(kept.result)] & bit != 0)
    }

    /// Keeps a result that was just found out.
    #[inline]
    pub(crate) fn keep(&mut self, kept: Kept, holds: bool) {
        let Row::At(at) = self.row else { return };
        let row = &mut self.rows[at..];
        row[usize::from(kept.known)] |= 1 << kept.bit;
        let word = &mut row[usize::from(kept.result)];
        *word = *word & !(1 << kept.bit) | u64::from(holds) << kept.bit;
    }

    /// Where the row of the event's thread begins.
    #[inline]
    fn row(&mut self, keep: impl FnOnce() -> Option<Keep>) -> Option<usize> {
        match self.row {
            Row::At(at) => Some(at),
            Row::None => None,
            Row::Unknown => self.find_row(keep()),
        }
    }

    /// The two words of a screen: what hangs on the thread alone, what on its relatives too.
    #[inline]
    pub(crate) fn screen(
        &mut self,
        screen: usize,
        keep: impl FnOnce() -> Option<Keep>,
    ) -> Option<[u64; 2]> {
        let at = self.row(keep)? + self.layout.own_words() + screen;
        Some([self.rows[at], self.rows[at + self.layout.screens]])
    }

    /// Keeps them; only after [`Memory::screen`] found them for this event.
    pub(crate) fn keep_screen(&mut self, screen: usize, words: [u64; 2]) {
        let Row::At(at) = self.row else { return };
        let at = at + self.layout.own_words() + screen;
        self.rows[at] = words[0];
        self.rows[at + self.layout.screens] = words[1];
    }

    /// Finds the thread's row and forgets in it what no longer holds.
    #[inline]
    fn find_row(&mut self, keep: Option<Keep>) -> Option<usize> {
        self.row = Row::None;
        let keep = keep.filter(|keep| keep.slot < MOST_ROWS)?;
        let layout = self.layout;
        let len = layout.len();
        let at = keep.slot * len;
        if self.rows.len() < at + len {
            self.rows.resize(at + len, 0);
        }
        let row = &mut self.rows[at..at + len];
        if row[0] != keep.own || row[1] != keep.shared {
            let forgotten = if row[0] == keep.own {
                layout.shared_words()
            } else {
                layout.own_known()
            };
            row[forgotten..].fill(0);
            row[0] = keep.own;
            row[1] = keep.shared;
        }
        self.row = Row::At(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known in the next event, and what is to be known from then on.
    fn asked(
        workspace: &mut Workspace,
        kept: Kept,
        keep: Option<Keep>,
        learn: Option<bool>,
    ) -> Option<bool> {
        workspace.next_event();
        let (memory, _) = workspace.parts();
        let known = memory.recall(kept, || keep);
        if let Some(holds) = learn {
            memory.keep(kept, holds);
        }
        known
    }

    #[test]
    fn results_are_kept_under_their_keys_only() {
        let layout = Layout {
            own: 2,
            shared: 1,
            screens: 3,
        };
        let own = Kept::new(layout.own_known(), layout.own_results(), 70);
        let shared = Kept::new(layout.shared_known(), layout.shared_results(), 3);
        let mut workspace = Workspace::new(0, 0, layout);
        let mut ask = |kept, keep, learn| asked(&mut workspace, kept, keep, learn);
        let keep = |slot, own, shared| Some(Keep { slot, own, shared });
        assert_eq!(ask(own, keep(3, 10, 20), Some(true)), None);
        assert_eq!(ask(shared, keep(3, 10, 20), Some(false)), None);
        assert_eq!(ask(own, keep(3, 10, 20), None), Some(true));
        assert_eq!(ask(shared, keep(3, 10, 20), None), Some(false));
        // Relatives changed: what is the thread's own stays.
        assert_eq!(ask(shared, keep(3, 10, 21), None), None);
        assert_eq!(ask(own, keep(3, 10, 21), None), Some(true));
        // The thread changed, or another one has its slot.
        assert_eq!(ask(shared, keep(3, 10, 21), Some(true)), None);
        assert_eq!(ask(shared, keep(3, 11, 21), None), None);
        assert_eq!(ask(own, keep(3, 10, 21), None), None);
        assert_eq!(ask(own, keep(4, 10, 20), Some(true)), None);
        // What was found out before its time is forgotten.
        assert_eq!(ask(own, keep(5, 10, 20), Some(true)), None);
        workspace.forget_kept();
        let mut ask = |kept, keep, learn| asked(&mut workspace, kept, keep, learn);
        assert_eq!(ask(own, keep(5, 10, 20), None), None);
        // Nothing is kept where there is no thread, or too many.
        assert_eq!(ask(own, None, Some(true)), None);
        assert_eq!(ask(own, keep(MOST_ROWS, 1, 1), Some(true)), None);
        assert_eq!(ask(own, keep(MOST_ROWS, 1, 1), None), None);
    }

    #[test]
    fn words_of_screens_are_kept_under_their_keys_only() {
        let layout = Layout {
            own: 1,
            shared: 1,
            screens: 2,
        };
        let mut workspace = Workspace::new(0, 0, layout);
        let mut ask = |screen, keep: Option<Keep>, learn: Option<[u64; 2]>| {
            workspace.next_event();
            let (memory, _) = workspace.parts();
            let words = memory.screen(screen, || keep);
            if let Some(words) = learn {
                memory.keep_screen(screen, words);
            }
            words
        };
        let keep = |own, shared| {
            Some(Keep {
                slot: 1,
                own,
                shared,
            })
        };
        assert_eq!(ask(0, keep(10, 20), Some([1, 2])), Some([0, 0]));
        assert_eq!(ask(1, keep(10, 20), Some([3, 4])), Some([0, 0]));
        assert_eq!(ask(0, keep(10, 20), None), Some([1, 2]));
        assert_eq!(ask(1, keep(10, 21), None), Some([3, 0]));
        assert_eq!(ask(0, keep(10, 21), None), Some([1, 0]));
        assert_eq!(ask(0, keep(11, 21), None), Some([0, 0]));
        assert_eq!(ask(0, None, Some([1, 1])), None);
        assert_eq!(ask(0, keep(11, 21), None), Some([0, 0]));
    }
}
