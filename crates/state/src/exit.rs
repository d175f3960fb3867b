//! Death of threads: exit, removal, and who gets the orphans.

use event::Record;

use crate::context::Lookup;
use crate::state::State;
use crate::thread::{GroupIx, Thread, ThreadIx};

impl State {
    /// Adds a thread and finds its group and parent. What has its number goes first.
    pub(crate) fn add_thread(&mut self, thread: Thread) -> ThreadIx {
        if let Some(old) = self.threads.find(thread.tid) {
            self.erase(old);
        }
        let ix = self.threads.insert(thread);
        self.relate(ix);
        ix
    }

    /// Finds group and parent of a thread that became known.
    pub(crate) fn relate(&mut self, ix: ThreadIx) {
        let thread = self.threads.at(ix);
        if !thread.is_invalid() && thread.links.group.is_none() {
            self.threads.join_group(ix);
            self.find_parent(ix);
        }
        self.threads.note_loose(ix);
    }

    pub(crate) fn find_parent(&mut self, ix: ThreadIx) {
        let thread = self.threads.at(ix);
        if thread.pid == 1 || thread.is_invalid() {
            return;
        }
        match self.threads.find(thread.ptid) {
            Some(parent) if parent != ix && !self.threads.at(parent).is_invalid() => {
                self.threads.join_parent(ix, parent);
            }
            _ => self.threads.at_mut(ix).ptid = 0,
        }
    }

    /// A thread exits. Rules still see it; it goes with the next event.
    pub(crate) fn exits(&mut self, ix: ThreadIx, r: &Record<'_>) {
        self.threads.mark_dead(ix);
        let thread = self.threads.at_unseen(ix);
        if thread.links.first_child.is_some() {
            thread.reaper_tid = r.i64(4).unwrap_or(-1);
        }
        self.deferred.exited = Some(r.tid);
        self.exited_ts = r.ts;
    }

    /// A thread whose number was given out again.
    pub(crate) fn replace(&mut self, ix: ThreadIx, lookup: &mut dyn Lookup) {
        let thread = self.threads.at(ix);
        let tid = thread.tid;
        if !thread.is_invalid() {
            self.counters.threads_stale += 1;
        }
        self.remove_thread(ix, lookup);
        // A dead leader stays for its threads' sake, but not in the way of the next owner of its
        // number.
        if let Some(ix) = self.threads.find(tid) {
            self.erase(ix);
        }
    }

    /// Takes a thread out: its children go to a reaper; a leader stays while its threads live.
    pub(crate) fn remove_thread(&mut self, ix: ThreadIx, lookup: &mut dyn Lookup) {
        let thread = self.threads.at(ix);
        let Some(group) = thread.links.group.filter(|_| !thread.is_invalid()) else {
            self.erase(ix);
            return;
        };
        self.threads.mark_dead(ix);
        if self.threads.at(ix).links.first_child.is_some() {
            self.reparent(ix, group, lookup);
        }
        let is_main = self.threads.at(ix).is_main();
        let leader = self.threads.main_of(ix);
        let last = self.threads.group(group).alive == 0;
        if !is_main {
            self.erase(ix);
        }
        if last && let Some(leader) = leader {
            self.erase(leader);
        }
    }

    /// Takes a thread out whatever depends on it.
    pub(crate) fn erase(&mut self, ix: ThreadIx) {
        self.leaves(ix);
        if let Some(enter) = self.threads.at_unseen(ix).enter.take() {
            self.spare_enter(enter);
        }
        while let Some(child) = self.threads.at(ix).links.first_child {
            self.threads.leave_parent(child);
            self.threads.at_mut(child).ptid = 0;
        }
        self.threads.erase(ix);
    }

    /// Gives a dying thread's children to its reaper, or to nobody. Who was named may be gone by now, where
    /// threads of one process die side by side: then each child is asked itself, if anybody can be asked.
    fn reparent(&mut self, dying: ThreadIx, group: GroupIx, lookup: &mut dyn Lookup) {
        let named = self.threads.at(dying).reaper_tid;
        let reaper = if named > 0 {
            let found = self.find_or_stand_in(named, lookup);
            found.filter(|&r| !self.threads.at(r).is_invalid())
        } else {
            None
        };
        let is_missed = named != 0 && reaper.is_none();
        let reaper = reaper
            .or_else(|| self.search_reaper(dying, group))
            .filter(|&r| r != dying);
        if let Some(reaper) = reaper
            && let Some(of) = self.threads.at(reaper).links.group
            && of != group
        {
            self.threads.group_mut(of).reaper = true;
        }
        while let Some(child) = self.threads.at(dying).links.first_child {
            self.threads.leave_parent(child);
            let shown = is_missed.then(|| self.shown_parent(child, dying, lookup));
            let reaper = shown.flatten().or(reaper);
            let reaper_tid = reaper.map_or(0, |r| self.threads.at(r).tid);
            self.threads.at_mut(child).ptid = reaper_tid;
            if let Some(reaper) = reaper.filter(|&r| r != child) {
                self.threads.join_parent(child, reaper);
            }
        }
    }

    /// Who the machine says is a thread's parent now.
    fn shown_parent(
        &self,
        child: ThreadIx,
        dying: ThreadIx,
        lookup: &mut dyn Lookup,
    ) -> Option<ThreadIx> {
        let tid = self.threads.at(child).tid;
        let parent = lookup.thread(tid).map(|shown| shown.ptid)?;
        let known = self.threads.find(parent)?;
        let is_one = known != dying && known != child && !self.threads.at(known).is_invalid();
        is_one.then_some(known)
    }

    /// The reaper by what is known here: a living thread of the same group, else the nearest
    /// ancestor that reaps and lives, in the same kind of pid namespace.
    fn search_reaper(&self, dying: ThreadIx, group: GroupIx) -> Option<ThreadIx> {
        if let Some(sibling) = self.first_living(group) {
            return Some(sibling);
        }
        let in_pidns = self.threads.at(dying).is_in_pidns();
        for ancestor in self.ancestors(dying) {
            let thread = self.threads.at(ancestor);
            if thread.is_in_pidns() != in_pidns {
                return None;
            }
            if let Some(of) = thread.links.group
                && self.threads.group(of).reaper
                && let Some(living) = self.first_living(of)
            {
                return Some(living);
            }
        }
        None
    }

    fn first_living(&self, group: GroupIx) -> Option<ThreadIx> {
        if self.threads.group(group).alive == 0 {
            return None;
        }
        self.threads
            .members(group)
            .find(|&m| !self.threads.at(m).is_dead())
    }
}
