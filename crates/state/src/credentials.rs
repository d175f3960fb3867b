//! Who a thread is and what it may use: users, groups, sessions, capabilities, limits, memory.

use event::{Record, constants as k};

use crate::state::State;
use crate::thread::{Capabilities, ThreadIx};

/// Every capability that is known.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

fn succeeded(r: &Record<'_>) -> bool {
    r.result().is_some_and(|ret| ret >= 0)
}

impl State {
    pub(crate) fn user_changed(&mut self, ix: ThreadIx, r: &Record<'_>, effective: usize) {
        if r.result() == Some(0)
            && let Some(uid) = r.u32(effective)
            && self.threads.at(ix).uid != uid
        {
            self.threads.at_mut(ix).uid = uid;
        }
    }

    pub(crate) fn group_changed(&mut self, ix: ThreadIx, r: &Record<'_>, effective: usize) {
        if r.result() == Some(0)
            && let Some(gid) = r.u32(effective)
            && self.threads.at(ix).gid != gid
        {
            self.threads.at_mut(ix).gid = gid;
        }
    }

    pub(crate) fn session_made(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if let Some(sid) = r.result().filter(|&ret| ret >= 0) {
            self.threads.at_mut(ix).sid = sid;
        }
    }

    pub(crate) fn capabilities_changed(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if succeeded(r)
            && let (Some(inheritable), Some(permitted), Some(effective)) =
                (r.u64(1), r.u64(2), r.u64(3))
        {
            self.threads.at_mut(ix).caps = Capabilities {
                inheritable,
                permitted,
                effective,
            };
        }
    }

    /// A new user namespace gives all capabilities in it.
    pub(crate) fn namespaces_changed(&mut self, ix: ThreadIx, r: &Record<'_>, flags: usize) {
        if succeeded(r) && r.u32(flags).is_some_and(|f| f & k::CL_CLONE_NEWUSER != 0) {
            self.threads.at_mut(ix).caps = Capabilities {
                inheritable: ALL_CAPABILITIES,
                permitted: ALL_CAPABILITIES,
                effective: ALL_CAPABILITIES,
            };
        }
    }

    pub(crate) fn process_controlled(&mut self, ix: ThreadIx, r: &Record<'_>) {
        let subreaper = matches!(
            r.u32(1),
            Some(k::PR_SET_CHILD_SUBREAPER | k::PR_GET_CHILD_SUBREAPER)
        );
        if succeeded(r)
            && subreaper
            && let Some(value) = r.i64(3)
            && let Some(group) = self.threads.at(ix).links.group
        {
            self.threads.group_mut(group).reaper = value != 0;
        }
    }

    pub(crate) fn limit_known(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if succeeded(r) && is_nofile(r.u8(3)) {
            self.set_limit(ix, r.i64(1));
        }
    }

    pub(crate) fn limit_changed(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if r.result() != Some(0) || !is_nofile(r.u8(6)) {
            return;
        }
        let of = match r.i64(5) {
            Some(0) | None => Some(ix),
            Some(tid) => self.threads.find(tid),
        };
        if let Some(of) = of {
            self.set_limit(of, r.i64(1));
        }
    }

    fn set_limit(&mut self, ix: ThreadIx, limit: Option<i64>) {
        if let Some(limit) = limit.filter(|&l| l != -1)
            && let Some(main) = self.threads.main_of(ix)
        {
            self.threads.at_unseen(main).fdlimit = limit;
        }
    }

    pub(crate) fn memory_changed(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if let (Some(size), Some(rss), Some(swap)) = (r.u32(1), r.u32(2), r.u32(3)) {
            let memory = &mut self.threads.at_unseen(ix).memory;
            (memory.size_kb, memory.rss_kb, memory.swap_kb) = (size, rss, swap);
        }
    }

    /// A thread leaves the processor: its own page faults, its process' memory.
    pub(crate) fn switched(&mut self, ix: ThreadIx, r: &Record<'_>) {
        let memory = &mut self.threads.at_unseen(ix).memory;
        if let (Some(major), Some(minor)) = (r.u64(1), r.u64(2)) {
            (memory.faults_major, memory.faults_minor) = (major, minor);
        }
        let Some(main) = self.threads.main_of(ix) else {
            return;
        };
        let memory = &mut self.threads.at_unseen(main).memory;
        if let (Some(size), Some(rss), Some(swap)) = (r.u32(3), r.u32(4), r.u32(5)) {
            (memory.size_kb, memory.rss_kb, memory.swap_kb) = (size, rss, swap);
        }
    }
}

fn is_nofile(resource: Option<u8>) -> bool {
    resource.map(u32::from) == Some(k::RLIMIT_NOFILE)
}
