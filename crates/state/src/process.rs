//! Birth and change of threads: clone, fork, vfork and exec.
//!
//! A birth gives two events, the caller's and the child's; whichever comes first makes the child.
//! Where the caller's return value is a number of another namespace, only the child's event can.

use std::rc::Rc;

use event::{Record, Spread, codes as c, constants as k};

use crate::context::{Context, Lookup};
use crate::image::{Image, ImageFile, ImageTexts};
use crate::load::{DELETED, ENV_MAX, cut};
use crate::state::State;
use crate::thread::{Capabilities, Memory, Thread, ThreadFlags, ThreadIx, tree_of};

/// A thread created less long ago than this is the child's that its event tells of.
const FRESH_NS: u64 = 2_000_000_000;
const UNKNOWN: &[u8] = b"<NA>";

/// Text of a parameter; nothing where it is absent.
fn present<'a>(p: &Spread<'a>, index: usize) -> &'a [u8] {
    if p.param(index).is_empty() {
        b""
    } else {
        p.text(index)
    }
}

/// The texts that clone and exec events have at the same places.
fn texts<'a>(p: &Spread<'a>) -> ImageTexts<'a> {
    let exe = present(p, 1);
    let comm = present(p, 13);
    let comm = if comm.is_empty() { exe } else { comm };
    ImageTexts {
        comm,
        exe,
        exepath: b"",
        args: p.param(2),
    }
}

/// Flags of a clone. Bits that only this engine sets do not come from a kernel.
fn clone_flags(p: &Spread<'_>) -> ThreadFlags {
    let own = ThreadFlags::CLONE_INVERTED
        | ThreadFlags::NAME_CHANGED
        | ThreadFlags::CLOSED
        | ThreadFlags::ACTIVE
        | ThreadFlags::PIPE_SRC
        | ThreadFlags::PIPE_DST
        | ThreadFlags::IS_MAIN_THREAD;
    ThreadFlags::from_bits_retain(p.u32(15).unwrap_or(0)) - own
}

fn id(p: &Spread<'_>, index: usize) -> i64 {
    p.i64(index).unwrap_or(-1)
}

impl State {
    /// The image's `Rc` if it says the same, else a new one.
    fn image_like(
        &mut self,
        old: &Rc<Image>,
        texts: &ImageTexts<'_>,
        file: ImageFile,
    ) -> Rc<Image> {
        if old.file == file && old.has(texts) {
            old.clone()
        } else {
            self.new_image(texts, file)
        }
    }

    pub(crate) fn apply_clone(
        &mut self,
        cx: &mut Context,
        r: &Record<'_>,
        lookup: &mut dyn Lookup,
    ) {
        if r.tid < 0 {
            return;
        }
        match r.result() {
            Some(0) => self.born(cx, r, &r.spread(), lookup),
            Some(child) if child > 0 => self.begot(cx, r, &r.spread(), child, lookup),
            _ => {}
        }
    }

    /// The caller's side.
    fn begot(
        &mut self,
        cx: &mut Context,
        r: &Record<'_>,
        p: &Spread<'_>,
        tid: i64,
        lookup: &mut dyn Lookup,
    ) {
        let Some(caller) = self.find_or_stand_in(r.tid, lookup) else {
            return;
        };
        cx.thread = Some(caller);
        let valid = !self.threads.at(caller).is_invalid();
        if !valid {
            let thread = self.threads.at_mut(caller);
            thread.pid = id(p, 4);
            thread.ptid = id(p, 5);
            thread.vtid = p.i64(18).unwrap_or(thread.tid);
            thread.vpid = id(p, 19);
            self.relate(caller);
        }
        let flags = clone_flags(p);
        let foreign =
            ThreadFlags::CHILD_IN_PIDNS | ThreadFlags::CLONE_NEWPID | ThreadFlags::CLONE_PARENT;
        let vtid = self.threads.at(caller).vtid;
        if flags.intersects(foreign) || vtid != r.tid {
            return;
        }
        let is_vfork = r.code.number() == c::SYSCALL_VFORK_20_X;
        if is_vfork
            || flags.contains(ThreadFlags::CLONE_VFORK)
            || self.exited.contains(tid, r.tid, r.ts)
        {
            return;
        }
        if let Some(old) = self.threads.find(tid) {
            if self
                .threads
                .at(old)
                .flags
                .contains(ThreadFlags::CLONE_INVERTED)
            {
                return;
            }
            if old == caller {
                return;
            }
            self.replace(old, lookup);
            // Where the caller was dead, the stale thread may have been the last of its group.
            if self.threads.find(r.tid) != Some(caller) {
                cx.thread = None;
                return;
            }
        }
        let is_thread = flags.contains(ThreadFlags::CLONE_THREAD);
        let mut child = self.blank_thread(tid);
        let (pid, ptid) = {
            let caller = self.threads.at(caller);
            if is_thread {
                (caller.pid, caller.ptid)
            } else {
                (tid, caller.tid)
            }
        };
        (child.pid, child.ptid, child.vtid, child.vpid) = (pid, ptid, tid, pid);
        child.flags = flags;
        child.pidns_init_start_ts = self.machine.boot_time;
        self.inherit(&mut child, caller, valid, is_thread);
        self.describe(&mut child, r.ts, p, valid.then_some(caller));
        self.add_thread_if_room(child);
        if !valid {
            let image = self.threads.at(caller).image.clone();
            let image = self.image_like(&image, &texts(p), image.file);
            self.threads.at_mut(caller).image = image;
        }
    }

    /// The child's side.
    fn born(&mut self, cx: &mut Context, r: &Record<'_>, p: &Spread<'_>, lookup: &mut dyn Lookup) {
        let tid = r.tid;
        if let Some(old) = self.threads.find(tid) {
            let clone_ts = self.threads.at(old).clone_ts;
            if clone_ts != 0 && r.ts.saturating_sub(clone_ts) < FRESH_NS {
                cx.thread = Some(old);
                return;
            }
            self.replace(old, lookup);
        }
        cx.thread = None;
        let mut child = self.blank_thread(tid);
        let flags = clone_flags(p);
        child.flags = flags | ThreadFlags::CLONE_INVERTED;
        child.pid = id(p, 4);
        child.ptid = id(p, 5);
        child.vtid = p.i64(18).unwrap_or(tid);
        child.vpid = id(p, 19);
        let is_thread = flags.contains(ThreadFlags::CLONE_THREAD);
        let source = if is_thread { child.pid } else { child.ptid };
        let source = if source < 0 || source == tid {
            None
        } else {
            match self.find_or_stand_in(source, lookup) {
                Some(source) => Some(source),
                None => return,
            }
        };
        let valid = source.is_some_and(|s| !self.threads.at(s).is_invalid());
        if let Some(source) = source {
            self.inherit(&mut child, source, valid, is_thread);
        }
        let in_pidns = child.is_in_pidns()
            || flags.intersects(ThreadFlags::CHILD_IN_PIDNS | ThreadFlags::CLONE_NEWPID)
            || child.tid != child.vtid;
        child.pidns_init_start_ts = if in_pidns {
            p.u64(20).unwrap_or(0).wrapping_add(self.machine.boot_time)
        } else {
            self.machine.boot_time
        };
        self.describe(&mut child, r.ts, p, source.filter(|_| valid));
        if let Some(main) = source
            && is_thread
            && !valid
        {
            let (pid, ptid, vpid) = (child.pid, child.ptid, child.vpid);
            let image = child.image.clone();
            let thread = self.threads.at_mut(main);
            (thread.pid, thread.ptid, thread.vpid, thread.vtid) = (pid, ptid, vpid, vpid);
            thread.image = image;
            self.relate(main);
        }
        cx.thread = self.add_thread_if_room(child);
        if let Some(ix) = cx.thread {
            self.identify_by_helper(ix, -1);
        }
    }

    /// What comes from the thread that made this one.
    fn inherit(&self, child: &mut Thread, from: ThreadIx, valid: bool, is_thread: bool) {
        let parent = self.threads.at(from);
        if is_thread {
            child.flags |= ThreadFlags::CLONE_FILES;
        }
        if !valid {
            return;
        }
        child.sid = parent.sid;
        child.vpgid = parent.vpgid;
        child.pgid = parent.pgid;
        child.tty = parent.tty;
        child.loginuid = parent.loginuid;
        // Children of the first process are trees of their own.
        child.tree = if parent.pid == 1 { 0 } else { self.tree(from) };
        child.caps = parent.caps;
        child.root = parent.root.clone();
        if is_thread {
            child.last_exec_ts = parent.last_exec_ts;
        } else {
            if let Some(owner) = self.owner_of_descriptors(from) {
                child.descriptors = self.threads.at(owner).descriptors.clone();
            }
            child.env = parent.env.clone();
            child.cwd = match self.threads.main_of(from) {
                Some(main) => self.threads.at(main).cwd.clone(),
                None => Rc::from(&b"./"[..]),
            };
        }
    }

    /// What the event itself says of the new thread.
    fn describe(&mut self, child: &mut Thread, ts: u64, p: &Spread<'_>, parent: Option<ThreadIx>) {
        let (image, cgroups) = match parent {
            Some(parent) => {
                let parent = self.threads.at(parent);
                (parent.image.clone(), parent.cgroups.clone())
            }
            None => (self.shared.image.clone(), self.shared.cgroups.clone()),
        };
        let texts = ImageTexts {
            exepath: image.exepath(),
            ..texts(p)
        };
        child.image = self.image_like(&image, &texts, image.file);
        let inside = child.is_in_pidns() || child.flags.contains(ThreadFlags::CLONE_NEWPID);
        child.cgroups = self.cgroups_like(&cgroups, p.param(14), child.pid, inside);
        child.fdlimit = id(p, 7);
        read_memory(&mut child.memory, p);
        child.uid = p.u32(16).unwrap_or(u32::MAX);
        child.gid = p.u32(17).unwrap_or(u32::MAX);
        child.clone_ts = ts;
    }

    fn add_thread_if_room(&mut self, thread: Thread) -> Option<ThreadIx> {
        if self.threads.len() >= self.options.max_threads {
            self.counters.threads_dropped += 1;
            return None;
        }
        Some(self.add_thread(thread))
    }

    // ---- exec ----

    /// The program of a process changed.
    pub(crate) fn executed(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        enter: Option<&Record<'_>>,
        lookup: &mut dyn Lookup,
    ) {
        if r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        if let Some(main) = self.threads.main_of(ix) {
            self.threads.revive(main);
        }
        self.threads.revive(ix);
        if let Some(group) = self.threads.at(ix).links.group {
            let others: Vec<_> = self
                .threads
                .members(group)
                .filter(|&other| other != ix && !self.threads.at(other).is_main())
                .collect();
            for other in others {
                self.remove_thread(other, lookup);
            }
        }
        let p = &r.spread();
        let mut path = std::mem::take(&mut self.scratch);
        let old = self.threads.at(ix).image.clone();
        let found = self.exec_path(ix, p, enter, &mut path);
        let exepath = if found {
            path.strip_suffix(DELETED).unwrap_or(&path)
        } else {
            old.exepath()
        };
        let file = self.exec_file(ix, p, old.file);
        let texts = ImageTexts {
            exepath,
            ..texts(p)
        };
        let image = self.new_image(&texts, file);
        self.scratch = path;
        let pid = id(p, 4);
        let inside = self.threads.at(ix).is_in_pidns();
        let cgroups = self.threads.at(ix).cgroups.clone();
        let cgroups = self.cgroups_like(&cgroups, p.param(14), pid, inside);

        let thread = self.threads.at_mut(ix);
        thread.image = image;
        let was_invalid = thread.is_invalid();
        if was_invalid {
            thread.ptid = id(p, 5);
        }
        if was_invalid || thread.links.group.is_none() {
            thread.pid = id(p, 4);
        }
        if was_invalid && !thread.flags.contains(ThreadFlags::CHILD_IN_PIDNS) {
            thread.vtid = thread.tid;
            thread.vpid = thread.pid;
        }
        thread.fdlimit = p.u64(7).map_or(thread.fdlimit, |v| v as i64);
        read_memory(&mut thread.memory, p);
        if !p.param(15).is_empty() && *thread.env != *cut(p.param(15), ENV_MAX) {
            thread.env = cut(p.param(15), ENV_MAX).into();
        }
        if !p.param(14).is_empty() {
            thread.cgroups = cgroups;
        }
        thread.tty = p.u32(16).unwrap_or(thread.tty);
        thread.vpgid = p.i64(17).unwrap_or(thread.vpgid);
        let loginuid = p.u32(18).unwrap_or(thread.loginuid);
        if loginuid != thread.loginuid {
            // A login begins a tree.
            thread.loginuid = loginuid;
            thread.tree = tree_of(thread);
        }
        if let (Some(inheritable), Some(permitted), Some(effective)) =
            (p.u64(20), p.u64(21), p.u64(22))
        {
            thread.caps = Capabilities {
                inheritable,
                permitted,
                effective,
            };
        }
        thread.uid = p.u32(26).unwrap_or(thread.uid);
        thread.gid = p.u32(29).unwrap_or(thread.gid);
        thread.pgid = id(p, 28);
        thread.last_exec_ts = r.ts;
        let kept = ThreadFlags::PIPE_SRC
            | ThreadFlags::PIPE_DST
            | ThreadFlags::IS_MAIN_THREAD
            | ThreadFlags::CLONE_INVERTED;
        thread.flags = (thread.flags & kept) | ThreadFlags::ACTIVE | ThreadFlags::NAME_CHANGED;
        if was_invalid {
            self.relate(ix);
        }
        self.close_on_exec(ix);
        cx.fd = None;
    }

    /// Path of the program, if the event or its enter event tells.
    fn exec_path(
        &self,
        ix: ThreadIx,
        p: &Spread<'_>,
        enter: Option<&Record<'_>>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        let trusted = present(p, 27);
        if !trusted.is_empty() {
            out.extend_from_slice(trusted);
            return true;
        }
        let Some(enter) = enter else { return false };
        if enter.code.number() == c::SYSCALL_EXECVE_19_E {
            let name = enter.text(0);
            if name == UNKNOWN {
                out.extend_from_slice(UNKNOWN);
            } else {
                crate::paths::concat(out, self.cwd(ix), name);
            }
            return true;
        }
        let dirfd = enter.i64(0).unwrap_or(-1);
        let path = enter.text(1);
        let is_empty = path == UNKNOWN || path.is_empty();
        let at_descriptor = enter.u32(2).unwrap_or(0) & k::EXVAT_AT_EMPTY_PATH != 0;
        if path.first() == Some(&b'/') {
            crate::paths::concat(out, b"", path);
        } else if at_descriptor {
            out.extend_from_slice(self.descriptor(ix, dirfd).map_or(UNKNOWN, |d| d.name()));
        } else if is_empty {
            out.extend_from_slice(UNKNOWN);
        } else {
            let mut base = Vec::new();
            self.directory(Some(ix), Some(dirfd), &mut base);
            if base == b"<UNKNOWN>" {
                out.extend_from_slice(UNKNOWN);
            } else {
                crate::paths::concat(out, &base, path);
            }
        }
        true
    }

    fn exec_file(&self, ix: ThreadIx, p: &Spread<'_>, old: ImageFile) -> ImageFile {
        let thread = self.threads.at(ix);
        let mut file = old;
        if let Some(flags) = p.u32(19) {
            file.writable = flags & k::EXE_WRITABLE != 0;
            file.upper_layer = flags & k::EXE_UPPER_LAYER != 0;
            file.lower_layer = flags & k::EXE_LOWER_LAYER != 0;
            file.from_memfd = flags & k::EXE_FROM_MEMFD != 0;
        }
        file.ino = p.u64(23).unwrap_or(file.ino);
        if let Some(ctime) = p.u64(24) {
            file.ctime = ctime;
            if thread.clone_ts != 0 {
                file.ctime_to_clone = thread.clone_ts.wrapping_sub(ctime);
            }
            let started = thread.pidns_init_start_ts;
            if started != 0 && ctime > started {
                file.pidns_start_to_ctime = ctime - started;
            }
        }
        file.mtime = p.u64(25).unwrap_or(file.mtime);
        file
    }

    fn close_on_exec(&mut self, ix: ThreadIx) {
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return;
        };
        let table = &mut self.threads.at_unseen(owner).descriptors;
        if !table.may_close_on_exec {
            return;
        }
        let table = Rc::make_mut(table);
        let before = table.len();
        table.remove_range(i64::MIN, i64::MAX, crate::Descriptor::closes_on_exec);
        table.may_close_on_exec = false;
        self.counters.descriptors_removed += (before - table.len()) as u64;
    }
}

fn read_memory(memory: &mut Memory, p: &Spread<'_>) {
    if let Some(swap_kb) = p.u32(12) {
        *memory = Memory {
            size_kb: p.u32(10).unwrap_or(0),
            rss_kb: p.u32(11).unwrap_or(0),
            swap_kb,
            faults_major: p.u64(8).unwrap_or(0),
            faults_minor: p.u64(9).unwrap_or(0),
        };
    }
}
