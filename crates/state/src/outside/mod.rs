//! The tables as programs outside of the state see them: plugins read and change fields by name, and keep fields of their
//! own with threads and descriptors.
//!
//! Nothing here follows from an event. What is written goes through the same places as what events change, so that results
//! which are kept for a thread are known to be stale. A thread that is made but not added yet lives in a state of its
//! own, from which [`State::adopt`] takes it over.

mod descriptors;
mod threads;

pub use descriptors::FdField;
pub use threads::ThreadField;

use crate::context::NoLookup;
use crate::state::State;
use crate::thread::ThreadIx;

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A number.
    Signed(i64),
    /// A number that is never negative.
    Unsigned(u64),
    /// Truth.
    Bool(bool),
    /// A text.
    Text(Vec<u8>),
}

impl Cell {
    /// As a number, whatever its sign; `None` of a text.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Signed(number) => Some(*number),
            Self::Unsigned(number) => Some(*number as i64),
            Self::Bool(is) => Some((*is).into()),
            Self::Text(_) => None,
        }
    }

    /// As a text; `None` of a number.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Fields that plugins have added, with one thread or descriptor; by the number of the field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra(Vec<Option<Cell>>);

/// Fields that plugins may add to a table.
const EXTRA_MAX: usize = 4096;
/// Longest text that is kept in one.
const TEXT_MAX: usize = 65_536;
/// Longest list of arguments, variables or control groups that is made by writing.
const ITEMS_MAX: usize = 4096;

impl Extra {
    fn cell(&self, number: usize) -> Option<&Cell> {
        self.0.get(number)?.as_ref()
    }

    fn set(&mut self, number: usize, mut cell: Cell) -> bool {
        if number >= EXTRA_MAX {
            return false;
        }
        if let Cell::Text(text) = &mut cell {
            text.truncate(TEXT_MAX);
        }
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        self.0[number] = Some(cell);
        true
    }
}

/// A list that belongs to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadList {
    /// Arguments but the first.
    Args,
    /// Environment.
    Env,
    /// Control groups: controller, path.
    Cgroups,
}

impl State {
    /// A field that a plugin added to threads; `None` where it was never written.
    #[must_use]
    pub fn extra(&self, ix: ThreadIx, number: usize) -> Option<&Cell> {
        self.threads.at(ix).extra.as_ref()?.cell(number)
    }

    /// Writes it. False: there are too many.
    pub fn set_extra(&mut self, ix: ThreadIx, number: usize, cell: Cell) -> bool {
        let thread = self.threads.at_unseen(ix);
        thread.extra.get_or_insert_default().set(number, cell)
    }

    /// Makes a thread of which nothing is known, as a state does that only holds such threads.
    pub fn blank(&mut self) -> ThreadIx {
        let tid = -2 - i64::try_from(self.threads.len()).unwrap_or(0);
        let mut free = tid;
        while self.threads.find(free).is_some() {
            free -= 1;
        }
        let thread = self.blank_thread(free);
        self.threads.insert(thread)
    }

    /// Takes a thread over from another state, under a number; what has that number goes. `None`: the table is full, or
    /// the number is none.
    pub fn adopt(&mut self, from: &State, ix: ThreadIx, tid: i64) -> Option<ThreadIx> {
        if tid < 0 {
            return None;
        }
        let mut thread = from.threads.at(ix).clone();
        thread.tid = tid;
        thread.links = Default::default();
        thread.enter = None;
        if let Some(old) = self.threads.find(tid) {
            self.forget(old);
        }
        if self.threads.len() >= self.options.max_threads {
            self.counters.threads_dropped += 1;
            return None;
        }
        let ix = self.add_thread(thread);
        self.runs_program(ix, -1);
        Some(ix)
    }

    /// Takes a thread out, as if it had ended.
    pub fn forget(&mut self, ix: ThreadIx) {
        let tid = self.threads.at(ix).tid;
        self.remove_thread(ix, &mut NoLookup);
        if let Some(leader) = self.threads.find(tid) {
            self.erase(leader);
        }
    }

    /// Takes all threads out.
    pub fn forget_all(&mut self) {
        self.threads.clear();
    }
}

#[cfg(test)]
mod tests {
    use event::snapshot::Process;

    use super::*;
    use crate::context::Options;

    fn state() -> State {
        let mut state = State::new(Options::default());
        for (tid, ptid) in [(1, 0), (5, 1), (7, 5)] {
            state.load_process(&Process {
                tid,
                pid: tid,
                ptid,
                vtid: tid,
                vpid: tid,
                comm: b"cat",
                exe: b"cat",
                args: b"a\0b\0",
                env: b"X=1\0Y=2\0",
                cgroups: b"cpu=/a\0memory=/b\0",
                cwd: b"/tmp",
                ..Process::default()
            });
        }
        state.finish_load();
        state
    }

    #[test]
    fn fields_are_read_and_written() {
        let mut state = state();
        let ix = state.by_tid(7).unwrap();
        let before = state.thread(ix).generation;
        assert_eq!(
            state.thread_cell(ix, ThreadField::Comm),
            Cell::Text(b"cat".to_vec())
        );
        assert!(state.set_thread_cell(ix, ThreadField::Comm, &Cell::Text(b"dog".to_vec())));
        assert!(state.set_thread_cell(ix, ThreadField::Uid, &Cell::Unsigned(12)));
        assert!(state.set_thread_cell(ix, ThreadField::ExeInoCtime, &Cell::Unsigned(99)));
        assert_eq!(state.thread(ix).comm(), b"dog");
        assert_eq!(
            (state.thread(ix).uid, state.thread(ix).image.file.ctime),
            (12, 99)
        );
        assert!(
            state.thread(ix).generation > before,
            "results that were kept are stale"
        );
        assert!(!state.set_thread_cell(ix, ThreadField::Cwd, &Cell::Text(b"/".to_vec())));
        assert!(
            !state.set_thread_cell(ix, ThreadField::Uid, &Cell::Text(Vec::new())),
            "no number"
        );
        assert!(state.set_thread_cell(ix, ThreadField::Ptid, &Cell::Signed(1)));
        let parent = state.parent(ix).unwrap();
        assert_eq!(state.thread(parent).tid, 1);
        assert_eq!(state.children(parent).count(), 2);
    }

    #[test]
    fn lists_grow_and_shrink() {
        let mut state = state();
        let ix = state.by_tid(7).unwrap();
        assert_eq!(state.list_len(ix, ThreadList::Args), 2);
        assert!(state.set_list_item(ix, ThreadList::Args, 4, false, b"e"));
        assert_eq!(state.thread(ix).image.cmdline(), b"cat a b   e");
        assert!(state.erase_list_item(ix, ThreadList::Args, 0));
        assert_eq!(
            state.list_item(ix, ThreadList::Args, 0),
            Some((b"b".to_vec(), Vec::new()))
        );
        assert!(state.set_list_item(ix, ThreadList::Env, 0, false, b"X=9"));
        assert_eq!(state.thread(ix).env_value(b"X"), Some(&b"9"[..]));
        assert!(state.set_list_item(ix, ThreadList::Cgroups, 1, true, b"/c"));
        assert_eq!(state.thread(ix).cgroups.path(b"memory"), Some(&b"/c"[..]));
        assert!(!state.set_list_item(ix, ThreadList::Args, u64::MAX, false, b"x"));
        assert!(!state.erase_list_item(ix, ThreadList::Env, 7));
    }

    #[test]
    fn threads_come_and_go() {
        let mut state = state();
        let mut made = State::new(Options::default());
        let (a, b) = (made.blank(), made.blank());
        assert_ne!(a, b);
        assert!(made.set_thread_cell(a, ThreadField::Pid, &Cell::Signed(9)));
        assert!(made.set_thread_cell(a, ThreadField::Ptid, &Cell::Signed(5)));
        assert!(made.set_extra(a, 3, Cell::Unsigned(4)));
        let ix = state.adopt(&made, a, 9).unwrap();
        assert_eq!(state.parent(ix), state.by_tid(5));
        assert_eq!(state.extra(ix, 3), Some(&Cell::Unsigned(4)));
        assert_eq!(state.extra(ix, 2), None);
        assert!(!state.set_extra(ix, EXTRA_MAX, Cell::Bool(true)));
        assert_eq!(state.adopt(&made, b, -1), None);
        state.forget(state.by_tid(5).unwrap());
        assert_eq!(state.by_tid(5), None);
        // Its children go to who is left.
        assert_eq!(state.thread(ix).ptid, 1);
        state.forget_all();
        assert_eq!(state.thread_count(), 0);
    }
}
