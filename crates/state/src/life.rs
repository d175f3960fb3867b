//! The steps of one event: what the event before left to do, numbering, finding the thread and its
//! descriptor, then what the event does.

use std::rc::Rc;

use event::{EVENTS, EventCode, EventFlags, EventInfo, Record, RecordFlags, codes as c};

use crate::context::{Context, Lookup, NoLookup};
use crate::descriptor::{Descriptor, Kind};
use crate::enter::{self, ENTER_MAX, Enter};
use crate::state::State;
use crate::thread::{ThreadFlags, ThreadIx};

/// What the event before left to do: rules saw the thread that exited and the descriptor that was
/// closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deferred {
    pub(crate) exited: Option<i64>,
    /// Thread and descriptor.
    pub(crate) closed: Option<(i64, i64)>,
}

/// Memory that is used again instead of being given back.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    descriptors: Vec<Rc<Descriptor>>,
    #[allow(
        clippy::vec_box,
        reason = "threads hold the boxes; they move between both"
    )]
    enters: Vec<Box<Enter>>,
    waiting_enters: usize,
}

const SPARE_MAX: usize = 256;
/// Most enter events that wait for their exits at one time.
const ENTERS_MAX: usize = 32_768;

/// Properties of an event type that its processing asks for, in one byte.
mod step {
    /// An exit whose thread is made known, and which nothing below makes special.
    pub(super) const ORDINARY: u8 = 1;
    /// It makes, uses or closes a descriptor.
    pub(super) const ABOUT_FD: u8 = 2;
}

static STEPS: [u8; EVENTS.len()] = {
    let mut steps = [0; EVENTS.len()];
    let mut at = 0;
    while at < EVENTS.len() {
        let info = &EVENTS[at];
        if !info.is_enter() && makes_known(info.code, info) {
            steps[at] |= step::ORDINARY;
        }
        // Events that make or use a descriptor have -1 where there is none.
        let about_fd = EventFlags::CREATES_FD
            .union(EventFlags::USES_FD)
            .union(EventFlags::DESTROYS_FD);
        if info.flags.intersects(about_fd) {
            steps[at] |= step::ABOUT_FD;
        }
        at += 1;
    }
    steps
};

/// Whether a stand-in is made of an unknown number, if it is a thread's. Otherwise the thread is
/// whoever is known by that number, if anybody.
const fn makes_known(code: u16, info: &EventInfo) -> bool {
    match code {
        c::PROCINFO_E
        | c::SCHEDSWITCH_6_E
        | c::PROCEXIT_1_E
        | c::SYSCALL_CLONE_20_X
        | c::SYSCALL_CLONE3_X
        | c::SYSCALL_FORK_20_X
        | c::SYSCALL_VFORK_20_X => false,
        c::CONTAINER_JSON_2_E
        | c::USER_ADDED_E
        | c::USER_DELETED_E
        | c::GROUP_ADDED_E
        | c::GROUP_DELETED_E
        | c::PLUGINEVENT_E
        | c::ASYNCEVENT_E => false,
        _ => !info.flags.contains(EventFlags::SKIP_PARSE_RESET),
    }
}

/// The clone family.
fn is_birth(code: EventCode) -> bool {
    matches!(
        code.number(),
        c::SYSCALL_CLONE_20_X | c::SYSCALL_CLONE3_X | c::SYSCALL_FORK_20_X | c::SYSCALL_VFORK_20_X
    )
}

/// Enter events that are kept for their exits. They never reach rules.
fn is_kept_enter(code: EventCode) -> bool {
    matches!(
        code.number(),
        c::SYSCALL_OPEN_E
            | c::SYSCALL_CREAT_E
            | c::SYSCALL_OPENAT_2_E
            | c::SYSCALL_OPENAT2_E
            | c::SYSCALL_EXECVE_19_E
            | c::SYSCALL_EXECVEAT_E
            | c::SOCKET_CONNECT_E
    )
}

/// Number of the descriptor that an exit event says it used.
#[inline(always)]
fn used_descriptor(record: &Record<'_>) -> Option<i64> {
    let at = usize::from(record.info.fd_param?);
    let raw = record.param(at);
    match raw.len() {
        8 => raw.try_into().ok().map(i64::from_le_bytes),
        4 => raw.try_into().ok().map(i32::from_le_bytes).map(i64::from),
        _ => None,
    }
}

impl State {
    /// Takes in the next event of a capture.
    pub fn process(&mut self, record: &Record<'_>) -> Context {
        self.process_live(record, &mut NoLookup)
    }

    /// Takes in the next event; what is unknown is asked of `lookup`.
    pub fn process_live(&mut self, record: &Record<'_>, lookup: &mut dyn Lookup) -> Context {
        self.number += 1;
        if self.first_ts.is_none() && record.ts != u64::MAX {
            self.first_ts = Some(record.ts);
        }
        if self.deferred.exited.is_some() || self.deferred.closed.is_some() {
            self.settle(lookup);
        }
        if self.scan.is_some() {
            self.pass_looks(record);
        }
        let mut context = Context {
            number: self.number,
            visible: !record.flags.contains(RecordFlags::STATE_ONLY),
            ..Context::default()
        };
        let steps = STEPS[usize::from(record.code.number())];
        if steps & step::ORDINARY != 0 && record.tid >= 0 {
            context.thread = self.find_or_stand_in(record.tid, lookup);
            if let Some(ix) = context.thread {
                let thread = self.threads.at_unseen(ix);
                thread.prev_event_ts = thread.last_event_ts;
                thread.last_event_ts = record.ts;
                self.apply_exit(&mut context, ix, record, steps, lookup);
            }
            return context;
        }
        self.process_special(&mut context, record, steps, lookup);
        context
    }

    /// Enter events, births, events that are about no thread.
    #[inline(never)]
    fn process_special(
        &mut self,
        context: &mut Context,
        record: &Record<'_>,
        steps: u8,
        lookup: &mut dyn Lookup,
    ) {
        let somebody = record.tid >= 0 && makes_known(record.code.number(), record.info);
        context.thread = if somebody {
            self.find_or_stand_in(record.tid, lookup)
        } else {
            self.threads.find_again(record.tid)
        };
        if record.code.is_enter() {
            if is_kept_enter(record.code) {
                context.visible = false;
                self.keep_enter(context, record);
            } else {
                self.apply_enter(context, record);
            }
        } else if let Some(ix) = context.thread {
            self.apply_exit(context, ix, record, steps, lookup);
        } else if is_birth(record.code) {
            // A thread that is not known yet, or the table is full.
            self.apply_clone(context, record, lookup);
        }
        if record.code.number() != c::SCHEDSWITCH_6_E
            && let Some(ix) = context.thread
        {
            let thread = self.threads.at_unseen(ix);
            thread.prev_event_ts = thread.last_event_ts;
            thread.last_event_ts = record.ts;
        }
    }

    /// Does what the event before left to do.
    #[inline(never)]
    fn settle(&mut self, lookup: &mut dyn Lookup) {
        if let Some((tid, fd)) = self.deferred.closed.take()
            && let Some(ix) = self.threads.find_again(tid)
        {
            self.remove_descriptor(ix, fd);
        }
        if let Some(tid) = self.deferred.exited.take()
            && let Some(ix) = self.threads.find(tid)
        {
            let ptid = self.threads.at(ix).ptid;
            self.exited.push(tid, ptid, self.exited_ts);
            self.remove_thread(ix, lookup);
        }
    }

    /// The thread, or a stand-in that keeps the number from being looked up again.
    #[inline]
    pub(crate) fn find_or_stand_in(
        &mut self,
        tid: i64,
        lookup: &mut dyn Lookup,
    ) -> Option<ThreadIx> {
        match self.threads.find_again(tid) {
            Some(ix) => Some(ix),
            None => self.meet(tid, lookup),
        }
    }

    #[cold]
    fn meet(&mut self, tid: i64, lookup: &mut dyn Lookup) -> Option<ThreadIx> {
        if self.threads.len() >= self.options.max_threads {
            self.counters.threads_dropped += 1;
            return None;
        }
        if let Some(thread) = self.look_up(tid, lookup) {
            return Some(thread);
        }
        self.counters.threads_unknown += 1;
        let mut thread = self.blank_thread(tid);
        thread.image = self.shared.unknown.clone();
        Some(self.threads.insert(thread))
    }

    /// The thread as the machine shows it, with its leader if that is unknown too, and with the
    /// descriptors of its process.
    fn look_up(&mut self, tid: i64, lookup: &mut dyn Lookup) -> Option<ThreadIx> {
        let process = lookup.thread(tid)?;
        let pid = process.pid;
        let thread = self.thread_of(&process);
        if pid != tid
            && self
                .threads
                .find(pid)
                .is_none_or(|ix| self.threads.at(ix).is_invalid())
        {
            self.look_up_leader(pid, lookup);
        }
        let ix = self.add_thread(thread);
        if pid == tid {
            self.look_up_descriptors(ix, lookup);
        }
        Some(ix)
    }

    fn look_up_leader(&mut self, pid: i64, lookup: &mut dyn Lookup) {
        let Some(leader) = lookup.thread(pid) else {
            return;
        };
        let leader = self.thread_of(&leader);
        if leader.tid == pid && leader.pid == pid && self.threads.len() < self.options.max_threads {
            let ix = self.add_thread(leader);
            self.look_up_descriptors(ix, lookup);
        }
    }

    fn look_up_descriptors(&mut self, ix: ThreadIx, lookup: &mut dyn Lookup) {
        let pid = self.threads.at(ix).tid;
        lookup.descriptors(pid, &mut |found| {
            let d = Rc::new(self.descriptor_of(found));
            self.add_descriptor(ix, found.fd, d);
        });
    }

    /// A descriptor that is used and unknown: its opening was lost, or it came in a way that no event
    /// shows.
    fn meet_descriptor(
        &mut self,
        context: &Context,
        ix: ThreadIx,
        record: &Record<'_>,
        lookup: &mut dyn Lookup,
    ) {
        const EBADF: i64 = -9;
        let uses = EventFlags::USES_FD | EventFlags::CREATES_FD | EventFlags::DESTROYS_FD;
        let Some(fd) = context.fd.filter(|&fd| fd >= 0) else {
            return;
        };
        if record.info.flags & uses != EventFlags::USES_FD
            || self.descriptor(ix, fd).is_some()
            || record.result() == Some(EBADF)
        {
            return;
        }
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return;
        };
        let pid = self.threads.at(owner).tid;
        if let Some(found) = lookup.descriptor(pid, fd) {
            let descriptor = Rc::new(self.descriptor_of(&found));
            self.counters.descriptors_met += 1;
            self.add_descriptor(ix, fd, descriptor);
        }
    }

    // ---- enter events ----

    fn keep_enter(&mut self, context: &mut Context, record: &Record<'_>) {
        let Some(ix) = context.thread else { return };
        self.drop_enter(ix);
        let thread = self.threads.at_unseen(ix);
        thread.flags |= ThreadFlags::ACTIVE;
        if record.code.number() == c::SOCKET_CONNECT_E {
            context.fd = record.i64(0);
        }
        // An empty first parameter tells nothing that the exit does not.
        if record.param(0).is_empty() && record.code.number() != c::SYSCALL_EXECVEAT_E {
            return;
        }
        if record.bytes().len() > ENTER_MAX || self.spare.waiting_enters >= ENTERS_MAX {
            self.counters.enters_dropped += 1;
            return;
        }
        let mut enter = self
            .spare
            .enters
            .pop()
            .unwrap_or_else(|| Box::new(Enter::new()));
        enter.store(record);
        self.counters.enters_kept += 1;
        self.threads.at_unseen(ix).enter = Some(enter);
        self.spare.waiting_enters += 1;
    }

    fn drop_enter(&mut self, ix: ThreadIx) {
        if let Some(enter) = self.threads.at_unseen(ix).enter.take() {
            self.spare_enter(enter);
        }
    }

    pub(crate) fn spare_enter(&mut self, enter: Box<Enter>) {
        self.spare.waiting_enters -= 1;
        if self.spare.enters.len() < SPARE_MAX {
            self.spare.enters.push(enter);
        }
    }

    fn apply_enter(&mut self, context: &mut Context, record: &Record<'_>) {
        match record.code.number() {
            c::SCHEDSWITCH_6_E => {
                if let Some(ix) = context.thread {
                    self.switched(ix, record);
                }
                return;
            }
            c::PROCEXIT_1_E => {
                if let Some(ix) = context.thread {
                    self.exits(ix, record);
                }
            }
            c::CONTAINER_JSON_2_E => self.container_added(context, record.param(0)),
            c::ASYNCEVENT_E => self.asynchronous(context, record),
            c::USER_ADDED_E | c::USER_DELETED_E | c::GROUP_ADDED_E | c::GROUP_DELETED_E => {
                self.account_changed(record);
            }
            _ => {}
        }
        // Another event between enter and exit: the enter isn't that exit's any more.
        if let Some(ix) = context.thread
            && !record.info.flags.contains(EventFlags::SKIP_PARSE_RESET)
        {
            self.drop_enter(ix);
        }
    }

    // ---- exit events ----

    #[inline]
    fn apply_exit(
        &mut self,
        context: &mut Context,
        ix: ThreadIx,
        record: &Record<'_>,
        steps: u8,
        lookup: &mut dyn Lookup,
    ) {
        let thread = self.threads.at_unseen(ix);
        thread.flags |= ThreadFlags::ACTIVE;
        if thread.enter.is_some() {
            self.apply_with_enter(context, ix, record, steps, lookup);
            return;
        }
        if steps & step::ABOUT_FD != 0 {
            context.fd = used_descriptor(record).or(Some(-1));
            if self.live {
                self.meet_descriptor(context, ix, record, lookup);
            }
        }
        self.apply(context, ix, record, None, lookup);
    }

    /// An exit before whose enter event, or that of another call, was kept.
    #[inline(never)]
    fn apply_with_enter(
        &mut self,
        context: &mut Context,
        ix: ThreadIx,
        record: &Record<'_>,
        steps: u8,
        lookup: &mut dyn Lookup,
    ) {
        let enter = self.threads.at_unseen(ix).enter.take();
        let valid = enter.as_ref().and_then(|e| e.record());
        let valid = valid.filter(|e| enter::belongs(e.code, record.code));
        self.counters.enters_met += u64::from(valid.is_some());
        // Where an enter event was kept, its descriptor is the one that was meant.
        let fd = match &valid {
            Some(e) if e.code.number() == c::SOCKET_CONNECT_E => e.i64(0).filter(|&fd| fd != -1),
            _ => None,
        };
        if steps & step::ABOUT_FD != 0 {
            context.fd = fd.or_else(|| used_descriptor(record)).or(Some(-1));
            if self.live {
                self.meet_descriptor(context, ix, record, lookup);
            }
        }
        self.apply(context, ix, record, valid.as_ref(), lookup);
        if let Some(enter) = enter {
            self.spare_enter(enter);
        }
    }

    /// What a system call did.
    fn apply(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        enter: Option<&Record<'_>>,
        lookup: &mut dyn Lookup,
    ) {
        match r.code.number() {
            c::SYSCALL_READ_X | c::SYSCALL_WRITE_X => self.transferred(cx, ix, r, None),
            c::SYSCALL_OPEN_X
            | c::SYSCALL_OPENAT_2_X
            | c::SYSCALL_OPENAT2_X
            | c::SYSCALL_CREAT_X
            | c::SYSCALL_OPEN_BY_HANDLE_AT_X => self.opened(cx, ix, r, enter),
            c::SYSCALL_CLOSE_X => self.closed(cx, ix, r),
            c::SYSCALL_CLOSE_RANGE_X => self.closed_range(ix, r),
            c::SYSCALL_CLONE_20_X
            | c::SYSCALL_CLONE3_X
            | c::SYSCALL_FORK_20_X
            | c::SYSCALL_VFORK_20_X => self.apply_clone(cx, r, lookup),
            c::SYSCALL_EXECVE_19_X | c::SYSCALL_EXECVEAT_X => {
                self.executed(cx, ix, r, enter, lookup);
                if r.result().is_some_and(|ret| ret >= 0) {
                    self.runs_program(ix);
                }
            }
            c::SYSCALL_BRK_4_X | c::SYSCALL_MMAP_X | c::SYSCALL_MMAP2_X | c::SYSCALL_MUNMAP_X => {
                self.memory_changed(ix, r);
            }
            c::SYSCALL_READV_X
            | c::SYSCALL_PREAD_X
            | c::SYSCALL_PREADV_X
            | c::SYSCALL_WRITEV_X
            | c::SYSCALL_PWRITE_X
            | c::SYSCALL_PWRITEV_X
            | c::SYSCALL_SENDFILE_X => self.transferred(cx, ix, r, None),
            c::SOCKET_RECVFROM_X => self.transferred(cx, ix, r, Some(2)),
            c::SOCKET_RECVMSG_X => {
                self.transferred(cx, ix, r, Some(3));
                self.passed(cx, ix, r, 4, lookup);
            }
            c::SOCKET_RECVMMSG_X => {
                self.transferred(cx, ix, r, Some(4));
                self.passed(cx, ix, r, 5, lookup);
            }
            c::SOCKET_RECV_X
            | c::SOCKET_SEND_X
            | c::SOCKET_SENDTO_X
            | c::SOCKET_SENDMSG_X
            | c::SOCKET_SENDMMSG_X => self.transferred(cx, ix, r, Some(4)),
            c::SOCKET_SOCKET_X => self.socket_made(cx, ix, r),
            c::SOCKET_SOCKETPAIR_X => self.socket_pair_made(cx, ix, r),
            c::SOCKET_BIND_X => self.bound(cx, ix, r),
            c::SOCKET_CONNECT_X => self.connected(cx, ix, r, enter),
            c::SOCKET_ACCEPT_5_X | c::SOCKET_ACCEPT4_6_X => self.accepted(cx, ix, r),
            c::SOCKET_GETSOCKOPT_X => self.option_read(cx, ix, r),
            c::SYSCALL_PIPE_X | c::SYSCALL_PIPE2_X => self.pipe_made(cx, ix, r),
            c::SYSCALL_DUP_1_X | c::SYSCALL_DUP2_X | c::SYSCALL_DUP3_X => {
                self.duplicated(cx, ix, r);
            }
            c::SYSCALL_FCNTL_X => self.controlled(cx, ix, r),
            c::SYSCALL_EVENTFD_X => self.named_made(cx, ix, r, Kind::EventFd, None),
            c::SYSCALL_EVENTFD2_X => self.named_made(cx, ix, r, Kind::EventFd, Some(1)),
            c::SYSCALL_SIGNALFD_X => self.named_made(cx, ix, r, Kind::SignalFd, None),
            c::SYSCALL_SIGNALFD4_X => self.named_made(cx, ix, r, Kind::SignalFd, Some(1)),
            c::SYSCALL_TIMERFD_CREATE_X => self.named_made(cx, ix, r, Kind::TimerFd, Some(2)),
            c::SYSCALL_INOTIFY_INIT_X => self.named_made(cx, ix, r, Kind::Inotify, None),
            c::SYSCALL_INOTIFY_INIT1_X => self.named_made(cx, ix, r, Kind::Inotify, Some(1)),
            c::SYSCALL_EPOLL_CREATE_X => self.named_made(cx, ix, r, Kind::EventPoll, None),
            c::SYSCALL_EPOLL_CREATE1_X => self.named_made(cx, ix, r, Kind::EventPoll, Some(1)),
            c::SYSCALL_BPF_2_X => self.named_made(cx, ix, r, Kind::Bpf, None),
            c::SYSCALL_USERFAULTFD_X => self.named_made(cx, ix, r, Kind::UserFaultFd, None),
            c::SYSCALL_IO_URING_SETUP_X => self.named_made(cx, ix, r, Kind::IoUring, None),
            c::SYSCALL_MEMFD_CREATE_X => self.named_made(cx, ix, r, Kind::MemFd, Some(2)),
            c::SYSCALL_PIDFD_OPEN_X => self.named_made(cx, ix, r, Kind::PidFd, Some(2)),
            c::SYSCALL_PIDFD_GETFD_X => self.descriptor_taken(cx, ix, r),
            c::SYSCALL_CHDIR_X | c::SYSCALL_GETCWD_X => self.directory_changed(ix, r),
            c::SYSCALL_FCHDIR_X => self.directory_changed_to_descriptor(cx, ix, r),
            c::SYSCALL_CHROOT_X => self.root_changed(ix, r),
            c::SYSCALL_SETRESUID_X | c::SYSCALL_SETREUID_X => self.user_changed(ix, r, 2),
            c::SYSCALL_SETUID_X => self.user_changed(ix, r, 1),
            c::SYSCALL_SETRESGID_X | c::SYSCALL_SETREGID_X => self.group_changed(ix, r, 2),
            c::SYSCALL_SETGID_X => self.group_changed(ix, r, 1),
            c::SYSCALL_SETSID_X => self.session_made(ix, r),
            c::SYSCALL_CAPSET_X => self.capabilities_changed(ix, r),
            c::SYSCALL_UNSHARE_X => self.namespaces_changed(ix, r, 1),
            c::SYSCALL_SETNS_X => self.namespaces_changed(ix, r, 2),
            c::SYSCALL_PRCTL_X => self.process_controlled(ix, r),
            c::SYSCALL_SETRLIMIT_X | c::SYSCALL_GETRLIMIT_X => self.limit_known(ix, r),
            c::SYSCALL_PRLIMIT_X => self.limit_changed(ix, r),
            _ => {}
        }
    }

    // ---- descriptors of the table ----

    /// An empty descriptor, made of one that was closed if there is one.
    pub(crate) fn fresh(&mut self, kind: Kind) -> Rc<Descriptor> {
        if let Some(mut rc) = self.spare.descriptors.pop() {
            Rc::get_mut(&mut rc)
                .expect("only unshared ones are kept")
                .clear(kind);
            return rc;
        }
        Rc::new(Descriptor::new(kind))
    }

    pub(crate) fn recycle(&mut self, mut old: Rc<Descriptor>) {
        if self.spare.descriptors.len() < SPARE_MAX && Rc::get_mut(&mut old).is_some() {
            self.spare.descriptors.push(old);
        }
    }

    /// Puts a descriptor into the thread's process. Negative numbers and what is too many are not
    /// added.
    pub(crate) fn add_descriptor(&mut self, ix: ThreadIx, fd: i64, d: Rc<Descriptor>) -> bool {
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return false;
        };
        let max = self.options.max_descriptors;
        let table = &mut self.threads.at_unseen(owner).descriptors;
        if fd < 0 {
            return false;
        }
        if table.len() >= max && table.find(fd).is_none() {
            self.counters.descriptors_dropped += 1;
            return false;
        }
        let table = Rc::make_mut(table);
        table.may_close_on_exec |= d.closes_on_exec();
        match table.insert(fd, d) {
            Some(old) => self.recycle(old),
            None => self.counters.descriptors_added += 1,
        }
        true
    }

    pub(crate) fn remove_descriptor(&mut self, ix: ThreadIx, fd: i64) {
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return;
        };
        let table = &mut self.threads.at_unseen(owner).descriptors;
        // A table that a fork shares is copied only where there is something to change.
        if Rc::get_mut(table).is_none() && table.find(fd).is_none() {
            return;
        }
        if let Some(old) = Rc::make_mut(table).remove(fd) {
            self.counters.descriptors_removed += 1;
            self.recycle(old);
        }
    }

    /// For changing; copies what a fork shares.
    pub(crate) fn descriptor_mut(&mut self, ix: ThreadIx, fd: i64) -> Option<&mut Descriptor> {
        let owner = self.owner_of_descriptors(ix)?;
        let table = &mut self.threads.at_unseen(owner).descriptors;
        table.find(fd)?;
        Rc::make_mut(table).find_mut(fd)
    }
}

#[cfg(test)]
impl State {
    pub(crate) fn waiting_enters(&self) -> usize {
        self.spare.waiting_enters
    }
}
