//! All threads, their groups and who begot whom.
//!
//! Invariants, which a property test holds against random events:
//! - a thread's number finds the thread, and nothing else is in the index;
//! - a thread is in the list of exactly one group, or (invalid ones) of none, and the group's
//!   counts say how many members it has and how many of them live;
//! - a thread is in its parent's list of children exactly if its `parent` link says so.
//!
//! Results that depend on a thread alone are kept by others under its `generation`, those that depend
//! on its relatives too under the generation and the table's `epoch`. So whoever changes a thread
//! goes through [`ThreadTable::at_mut`], which moves the generation, and the epoch where relatives
//! may look at the thread; [`ThreadTable::at_unseen`] is for what no such result depends on.

use crate::ids::IdMap;
use crate::thread::{Group, GroupIx, Links, Thread, ThreadFlags, ThreadIx};

/// Threads and thread groups.
#[derive(Debug, Default)]
pub(crate) struct ThreadTable {
    slots: Vec<Option<Thread>>,
    free: Vec<u32>,
    by_tid: IdMap,
    groups: Vec<Group>,
    free_groups: Vec<u32>,
    by_pid: IdMap,
    last: Option<(i64, u32)>,
    /// The latest generation given.
    generation: u64,
    /// Generation at the last change that threads besides the changed one can see.
    epoch: u64,
    /// Some thread may name a parent in whose list it does not stand.
    loose: bool,
    /// Threads that were put in and taken out, ever.
    turnover: (u64, u64),
}

/// Generations of one state never are those of another one in the same process: who keeps results
/// by them need not know the state.
fn first_generation() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STATES: AtomicU64 = AtomicU64::new(0);
    STATES.fetch_add(1, Ordering::Relaxed) << 40
}

impl ThreadTable {
    /// A table for few threads.
    pub(crate) fn small() -> Self {
        Self {
            by_tid: IdMap::small(),
            by_pid: IdMap::small(),
            ..Self::new()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[inline]
    pub(crate) fn at(&self, ix: ThreadIx) -> &Thread {
        self.slots[ix.0 as usize]
            .as_ref()
            .expect("an index of this event's")
    }

    /// For changing what results that are kept may depend on.
    pub(crate) fn at_mut(&mut self, ix: ThreadIx) -> &mut Thread {
        self.changed(ix);
        self.at_unseen(ix)
    }

    /// For changing the rest: relations that [`Self::find`] does not go by, descriptors, memory,
    /// times, the stored enter event, and flags that are no property of the process.
    #[inline]
    pub(crate) fn at_unseen(&mut self, ix: ThreadIx) -> &mut Thread {
        self.slots[ix.0 as usize]
            .as_mut()
            .expect("an index of this event's")
    }

    /// A number never given before.
    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Generation at the last change that threads besides the changed one can see.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Something changed that any thread may see.
    pub(crate) fn new_epoch(&mut self) {
        self.epoch = self.next_generation();
    }

    fn changed(&mut self, ix: ThreadIx) {
        let generation = self.next_generation();
        self.at_unseen(ix).generation = generation;
        if self.is_seen(ix) {
            self.epoch = generation;
        }
    }

    /// Whether fields of other threads may look at this one: descendants look at their ancestors,
    /// threads at their leader, and threads without a parent at number 0 if there is such a thread.
    fn is_seen(&self, ix: ThreadIx) -> bool {
        let thread = self.at(ix);
        let links = &thread.links;
        let leads = || links.group.is_some_and(|g| self.group(g).members > 1);
        self.loose || thread.tid <= 0 || links.first_child.is_some() || leads()
    }

    /// Notes whether a thread that was just related stands in its parent's list.
    pub(crate) fn note_loose(&mut self, ix: ThreadIx) {
        let thread = self.at(ix);
        if thread.ptid > 0 && thread.links.parent.is_none() || thread.tid < 0 {
            self.loose = true;
            self.new_epoch();
        }
    }

    /// All threads were related anew.
    pub(crate) fn count_loose(&mut self) {
        self.loose = false;
        for ix in self.iter().map(|(ix, _)| ix).collect::<Vec<_>>() {
            self.note_loose(ix);
        }
        self.new_epoch();
    }

    /// A thread may have been taken out or put in without relatives' notice.
    pub(crate) fn loosen(&mut self) {
        self.loose = true;
        self.new_epoch();
    }

    #[inline]
    pub(crate) fn find(&self, tid: i64) -> Option<ThreadIx> {
        self.by_tid.find(tid).map(ThreadIx)
    }

    /// Like [`Self::find`]; most events come from the thread of the event before.
    #[inline]
    pub(crate) fn find_again(&mut self, tid: i64) -> Option<ThreadIx> {
        if let Some((last, slot)) = self.last
            && last == tid
        {
            return Some(ThreadIx(slot));
        }
        let slot = self.by_tid.find(tid)?;
        self.last = Some((tid, slot));
        Some(ThreadIx(slot))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ThreadIx, &Thread)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(i, t)| Some((ThreadIx(i as u32), t.as_ref()?)))
    }

    /// Puts a thread in, without relatives. Its number must be free.
    pub(crate) fn insert(&mut self, mut thread: Thread) -> ThreadIx {
        let tid = thread.tid;
        debug_assert!(self.find(tid).is_none());
        thread.generation = self.next_generation();
        if self.loose || tid <= 0 {
            self.new_epoch();
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(thread);
                slot
            }
            None => {
                self.slots.push(Some(thread));
                self.slots.len() as u32 - 1
            }
        };
        self.by_tid.insert(tid, slot);
        self.turnover.0 += 1;
        ThreadIx(slot)
    }

    /// Takes a thread out of the table, its group and its parent's list. Its children become
    /// nobody's.
    pub(crate) fn erase(&mut self, ix: ThreadIx) {
        if self.is_seen(ix) {
            self.new_epoch();
        }
        self.leave_group(ix);
        self.leave_parent(ix);
        while let Some(child) = self.at(ix).links.first_child {
            self.leave_parent(child);
        }
        let tid = self.at(ix).tid;
        self.by_tid.remove(tid);
        self.slots[ix.0 as usize] = None;
        self.free.push(ix.0);
        self.turnover.1 += 1;
        if self.last.is_some_and(|(last, _)| last == tid) {
            self.last = None;
        }
    }

    /// Threads that were put in and taken out, ever.
    pub(crate) fn turnover(&self) -> (u64, u64) {
        self.turnover
    }

    pub(crate) fn clear(&mut self) {
        let generation = self.generation;
        let (put_in, taken_out) = self.turnover;
        let turnover = (put_in, taken_out + self.len() as u64);
        *self = Self {
            generation,
            turnover,
            ..Self::default()
        };
        self.new_epoch();
    }

    /// An empty table.
    pub(crate) fn new() -> Self {
        let generation = first_generation();
        Self {
            generation,
            epoch: generation,
            ..Self::default()
        }
    }

    // ---- groups ----

    pub(crate) fn group(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.0 as usize]
    }

    pub(crate) fn group_mut(&mut self, ix: GroupIx) -> &mut Group {
        &mut self.groups[ix.0 as usize]
    }

    pub(crate) fn group_of(&self, ix: ThreadIx) -> Option<&Group> {
        self.at(ix).links.group.map(|g| self.group(g))
    }

    /// Puts a thread into the group of its pid: the leader in front.
    pub(crate) fn join_group(&mut self, ix: ThreadIx) {
        let thread = self.at(ix);
        let (pid, vpid, leads, dead) =
            (thread.pid, thread.vpid, thread.is_main(), thread.is_dead());
        debug_assert!(thread.links.group.is_none());
        let group = match self.by_pid.find(pid) {
            Some(group) => GroupIx(group),
            None => self.new_group(pid, pid == 1 || vpid == 1),
        };
        let Group { first, last, .. } = *self.group(group);
        if first.is_some() {
            // Its threads may look at another leader now.
            self.new_epoch();
        }
        let links = &mut self.at_unseen(ix).links;
        links.group = Some(group);
        if leads {
            links.next_in_group = first;
            links.prev_in_group = None;
        } else {
            links.next_in_group = None;
            links.prev_in_group = last;
        }
        let neighbour = if leads { first } else { last };
        if let Some(neighbour) = neighbour {
            let links = &mut self.at_unseen(neighbour).links;
            *(if leads {
                &mut links.prev_in_group
            } else {
                &mut links.next_in_group
            }) = Some(ix);
        }
        let group = self.group_mut(group);
        if leads || first.is_none() {
            group.first = Some(ix);
        }
        if !leads || last.is_none() {
            group.last = Some(ix);
        }
        group.members += 1;
        group.alive += u32::from(!dead);
    }

    fn new_group(&mut self, pid: i64, reaper: bool) -> GroupIx {
        let group = Group {
            pid,
            reaper,
            ..Group::default()
        };
        let slot = match self.free_groups.pop() {
            Some(slot) => {
                self.groups[slot as usize] = group;
                slot
            }
            None => {
                self.groups.push(group);
                self.groups.len() as u32 - 1
            }
        };
        self.by_pid.insert(pid, slot);
        GroupIx(slot)
    }

    /// Takes a thread out of its group; an emptied group is gone.
    fn leave_group(&mut self, ix: ThreadIx) {
        let links = self.at(ix).links;
        let Some(group) = links.group else { return };
        match links.prev_in_group {
            Some(prev) => self.at_unseen(prev).links.next_in_group = links.next_in_group,
            None => self.group_mut(group).first = links.next_in_group,
        }
        match links.next_in_group {
            Some(next) => self.at_unseen(next).links.prev_in_group = links.prev_in_group,
            None => self.group_mut(group).last = links.prev_in_group,
        }
        let dead = self.at(ix).is_dead();
        let links = &mut self.at_unseen(ix).links;
        (links.group, links.next_in_group, links.prev_in_group) = (None, None, None);
        let left = self.group_mut(group);
        left.members -= 1;
        left.alive -= u32::from(!dead);
        if left.members == 0 {
            let pid = left.pid;
            self.by_pid.remove(pid);
            self.free_groups.push(group.0);
        }
    }

    /// The leader, if it is in the table.
    #[inline]
    pub(crate) fn main_of(&self, ix: ThreadIx) -> Option<ThreadIx> {
        let thread = self.at(ix);
        if thread.is_main() {
            return Some(ix);
        }
        let first = self.group(thread.links.group?).first?;
        self.at(first).is_main().then_some(first)
    }

    pub(crate) fn members(&self, group: GroupIx) -> impl Iterator<Item = ThreadIx> {
        std::iter::successors(self.group(group).first, |&ix| {
            self.at(ix).links.next_in_group
        })
    }

    /// Marks a thread as exited.
    pub(crate) fn mark_dead(&mut self, ix: ThreadIx) {
        let thread = self.at_unseen(ix);
        if thread.is_dead() {
            return;
        }
        thread.flags |= ThreadFlags::CLOSED;
        if let Some(group) = thread.links.group {
            self.group_mut(group).alive -= 1;
        }
    }

    /// Takes the mark back.
    pub(crate) fn revive(&mut self, ix: ThreadIx) {
        let thread = self.at_unseen(ix);
        if !thread.is_dead() {
            return;
        }
        thread.flags -= ThreadFlags::CLOSED;
        if let Some(group) = thread.links.group {
            self.group_mut(group).alive += 1;
        }
    }

    // ---- parents ----

    /// Makes `child` the last child of `parent`.
    pub(crate) fn join_parent(&mut self, child: ThreadIx, parent: ThreadIx) {
        self.leave_parent(child);
        let last = self.at(parent).links.last_child;
        let links = &mut self.at_unseen(child).links;
        links.parent = Some(parent);
        links.prev_sibling = last;
        links.next_sibling = None;
        if let Some(last) = last {
            self.at_unseen(last).links.next_sibling = Some(child);
        }
        let links = &mut self.at_unseen(parent).links;
        links.first_child = links.first_child.or(Some(child));
        links.last_child = Some(child);
        links.children += 1;
    }

    /// Takes `child` out of its parent's list.
    pub(crate) fn leave_parent(&mut self, child: ThreadIx) {
        let Links {
            parent,
            prev_sibling,
            next_sibling,
            ..
        } = self.at(child).links;
        let Some(parent) = parent else { return };
        match prev_sibling {
            Some(prev) => self.at_unseen(prev).links.next_sibling = next_sibling,
            None => self.at_unseen(parent).links.first_child = next_sibling,
        }
        match next_sibling {
            Some(next) => self.at_unseen(next).links.prev_sibling = prev_sibling,
            None => self.at_unseen(parent).links.last_child = prev_sibling,
        }
        self.at_unseen(parent).links.children -= 1;
        let links = &mut self.at_unseen(child).links;
        (links.parent, links.prev_sibling, links.next_sibling) = (None, None, None);
    }

    pub(crate) fn children(&self, ix: ThreadIx) -> impl Iterator<Item = ThreadIx> {
        std::iter::successors(self.at(ix).links.first_child, |&c| {
            self.at(c).links.next_sibling
        })
    }
}
