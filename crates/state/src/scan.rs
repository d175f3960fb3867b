//! A scan of a running machine beside the events of the same time.
//!
//! The capture begins, then a scan looks at one thread after the other, then the events that came
//! meanwhile are taken in. What the scan saw of a thread is older than some of these events and
//! newer than others. So every thread carries the time at which the scan looked:
//!
//! ```text
//!  capture begins        scan looks at A   at B              scan ends
//!  |---- events of A ----|---------- events of A -------------|--->
//!        before the look: told by A's look   after it: tell what changed
//! ```
//!
//! - A thread that was made after the capture began is told by its events alone. It is put in at
//!   the time of its look only if no event told of it.
//! - A thread that stood before is in the table from the start, as the scan saw it: that is the best
//!   that is known of it. Events before its look may change it as they will; at the time of the look
//!   it is what the look saw. So no event counts twice, and none that the look missed is lost.
//!
//! Where both tell the same (the program of an exec, a file by name), the event's version stays: it
//! knows more than `/proc` shows.

use std::rc::Rc;

use event::Record;
use event::snapshot::Process;

use crate::descriptor::{Descriptor, Kind};
use crate::state::State;
use crate::thread::{Links, Thread, ThreadIx};

/// What a scan saw and events have not passed yet.
#[derive(Debug)]
pub(crate) struct Scan {
    /// When the capture began.
    began: u64,
    /// In the order of looking, once the load has ended.
    looks: Vec<Look>,
    /// The first look that has not come to pass.
    next: usize,
}

#[derive(Debug)]
struct Look {
    at: u64,
    tid: i64,
    /// What was seen; set when the load ends.
    thread: Option<Box<Thread>>,
    /// Made after the capture began.
    young: bool,
}

impl State {
    /// A scan follows that goes on while events already happen; `began` is when the capture of
    /// events began. Threads are then loaded with [`State::load_seen`].
    ///
    /// From here on, descriptors that are used and unknown are asked of the [`crate::Lookup`] too.
    pub fn begin_scan(&mut self, began: u64) {
        self.live = true;
        self.scan = Some(Box::new(Scan {
            began,
            looks: Vec::new(),
            next: 0,
        }));
    }

    /// Whether all that a scan saw has come to pass: nothing that stood is kept for later.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.scan.is_none()
    }

    /// A thread as a scan sees it; `looked` is a time before the scan began to look at it. Several
    /// may be looked at at once: their order does not matter.
    pub fn load_seen(&mut self, process: &Process<'_>, looked: u64) {
        self.load_process(process);
        let Some(scan) = &mut self.scan else { return };
        let made = match process.started {
            0 => 0,
            started => self.machine.boot_time.saturating_add(started),
        };
        scan.looks.push(Look {
            at: looked,
            tid: process.tid,
            thread: None,
            young: made > scan.began,
        });
    }

    /// Keeps what the scan saw of each thread, and takes out those that events will bring.
    pub(crate) fn keep_looks(&mut self) {
        let Some(mut scan) = self.scan.take() else {
            return;
        };
        scan.looks.sort_by_key(|look| look.at);
        for look in &mut scan.looks {
            if let Some(ix) = self.threads.find(look.tid) {
                let mut seen = self.threads.at(ix).clone();
                seen.links = Links::default();
                look.thread = Some(Box::new(seen));
            }
        }
        for look in scan.looks.iter().filter(|look| look.young) {
            if let Some(ix) = self.threads.find(look.tid) {
                self.erase(ix);
            }
        }
        if !scan.looks.is_empty() {
            self.scan = Some(scan);
        }
    }

    /// Lets the looks before an event come to pass.
    #[cold]
    pub(crate) fn pass_looks(&mut self, record: &Record<'_>) {
        let Some(mut scan) = self.scan.take() else {
            return;
        };
        while let Some(look) = scan.looks.get_mut(scan.next) {
            if look.at > record.ts {
                self.scan = Some(scan);
                return;
            }
            scan.next += 1;
            if let Some(seen) = look.thread.take() {
                self.pass_look(*seen, look.young);
            }
        }
    }

    fn pass_look(&mut self, seen: Thread, young: bool) {
        match self.threads.find(seen.tid) {
            None => {
                self.add_thread(seen);
            }
            Some(ix) if self.threads.at(ix).is_invalid() => {
                self.erase(ix);
                self.add_thread(seen);
            }
            // Its events told all of it.
            Some(_) if young => {}
            Some(ix) => self.correct(ix, seen),
        }
    }

    /// Sets a thread to what was seen of it.
    fn correct(&mut self, ix: ThreadIx, seen: Thread) {
        let thread = self.threads.at(ix);
        let (old_image, old_table) = (thread.image.clone(), thread.descriptors.clone());
        let same_program = old_image.exepath() == seen.image.exepath()
            && old_image.cmdline() == seen.image.cmdline();
        let untouched = Rc::ptr_eq(&old_table, &seen.descriptors);
        if untouched && Rc::ptr_eq(&old_image, &seen.image) && thread.uid == seen.uid {
            return;
        }
        let mut descriptors = seen.descriptors.clone();
        if !untouched {
            let table = Rc::make_mut(&mut descriptors);
            for (fd, told) in old_table.iter_shared() {
                let keep = match table.find(fd) {
                    Some(shown) => shown.kind == told.kind && shown.name() == told.name(),
                    // A socket that is not bound is in no table of the kernel's.
                    None => is_socket(told),
                };
                if keep {
                    table.may_close_on_exec |= told.closes_on_exec();
                    table.insert(fd, told.clone());
                }
            }
        }
        let thread = self.threads.at_mut(ix);
        if !same_program {
            thread.image = seen.image;
            thread.env = seen.env;
        }
        thread.descriptors = descriptors;
        thread.cwd = seen.cwd;
        thread.root = seen.root;
        thread.cgroups = seen.cgroups;
        (thread.uid, thread.gid, thread.loginuid) = (seen.uid, seen.gid, seen.loginuid);
        thread.caps = seen.caps;
        (thread.sid, thread.pgid, thread.vpgid) = (seen.sid, seen.pgid, seen.vpgid);
        thread.tty = seen.tty;
        thread.fdlimit = seen.fdlimit;
        let moved = thread.ptid != seen.ptid;
        // The scan saw it alive.
        self.threads.revive(ix);
        if moved {
            self.threads.leave_parent(ix);
            self.threads.at_mut(ix).ptid = seen.ptid;
            self.find_parent(ix);
            self.threads.note_loose(ix);
        }
    }
}

fn is_socket(d: &Descriptor) -> bool {
    d.kind.is_ip() || matches!(d.kind, Kind::Unix | Kind::Netlink)
}

#[cfg(test)]
mod tests {
    use event::snapshot::{Descriptor as Shown, Target};
    use event::{EventCode, RecordBuilder, RecordFlags, codes as c};

    use super::*;
    use crate::{Context, NoLookup, Options};

    const BEGAN: u64 = 1_000_000;
    /// The scan looks at process 10 then, at 20 a little later.
    const LOOKED: u64 = 2_000_000;

    fn process(tid: i64, comm: &'static [u8], started: u64) -> Process<'static> {
        Process {
            tid,
            pid: tid,
            ptid: 1,
            vtid: tid,
            vpid: tid,
            comm,
            exe: comm,
            exepath: comm,
            cwd: b"/",
            started,
            ..Process::default()
        }
    }

    fn file(tid: i64, fd: i64, name: &'static [u8], open_flags: u32) -> Shown<'static> {
        Shown {
            tid,
            fd,
            ino: 0,
            target: Target::File {
                name,
                open_flags,
                dev: 0,
            },
        }
    }

    /// A scan that saw process 10 run `now` with descriptors, and 20, which is young.
    fn scanned(descriptors: &[Shown<'static>]) -> State {
        let mut state = State::new(Options::default());
        state.begin_scan(BEGAN);
        state.load_seen(&process(1, b"init", 1), LOOKED - 1);
        state.load_seen(&process(10, b"now", 5), LOOKED);
        for d in descriptors {
            state.load_descriptor(d);
        }
        state.load_seen(&process(20, b"young", BEGAN + 5), LOOKED + 10);
        state.load_descriptor(&file(20, 3, b"/young", 0));
        state.finish_load();
        state
    }

    fn feed(state: &mut State, builder: RecordBuilder) -> Context {
        let bytes = builder.finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        state.process_live(&record, &mut NoLookup)
    }

    fn open(ts: u64, tid: i64, fd: i64, name: &str) -> RecordBuilder {
        RecordBuilder::new(EventCode::new(c::SYSCALL_OPENAT_2_X), ts, tid)
            .i64(fd)
            .i64(-100)
            .text(name)
            .u32(1)
            .u32(0)
            .u32(0)
            .u64(0)
    }

    fn close(ts: u64, tid: i64, fd: i64) -> RecordBuilder {
        RecordBuilder::new(EventCode::new(c::SYSCALL_CLOSE_X), ts, tid)
            .i64(0)
            .i64(fd)
    }

    fn exec(ts: u64, tid: i64, comm: &str) -> RecordBuilder {
        let mut builder = RecordBuilder::new(EventCode::new(c::SYSCALL_EXECVE_19_X), ts, tid)
            .i64(0)
            .text(comm)
            .empty()
            .i64(tid)
            .i64(tid)
            .i64(1)
            .text("");
        for _ in 7..13 {
            builder = builder.empty();
        }
        builder = builder.text(comm);
        for _ in 14..27 {
            builder = builder.empty();
        }
        builder.text(comm)
    }

    fn born(ts: u64, tid: i64, ptid: i64) -> RecordBuilder {
        RecordBuilder::new(EventCode::new(c::SYSCALL_CLONE_20_X), ts, tid)
            .i64(0)
            .text("child")
            .empty()
            .i64(tid)
            .i64(tid)
            .i64(ptid)
            .text("")
            .i64(9)
            .u64(0)
            .u64(0)
            .u32(0)
            .u32(0)
            .u32(0)
            .text("child")
            .empty()
            .u32(0)
            .u32(0)
            .u32(0)
            .i64(tid)
            .i64(tid)
            .u64(0)
    }

    /// An event after all looks.
    fn pass(state: &mut State) {
        feed(state, close(LOOKED + 100, 1, 99));
        assert!(state.scan.is_none());
    }

    fn name(state: &State, tid: i64, fd: i64) -> Option<Vec<u8>> {
        let ix = state.by_tid(tid)?;
        Some(state.descriptor(ix, fd)?.name().to_vec())
    }

    #[test]
    fn an_exec_before_the_look_does_not_close_what_was_opened_since() {
        // Marked to be closed by an exec after the exec that the capture saw.
        let mut state = scanned(&[file(10, 4, b"/kept", event::constants::O_CLOEXEC)]);
        feed(&mut state, exec(LOOKED - 500, 10, "now"));
        assert_eq!(name(&state, 10, 4), None, "as far as the events tell");
        pass(&mut state);
        assert_eq!(name(&state, 10, 4).unwrap(), b"/kept");
    }

    #[test]
    fn an_older_exec_gives_way_to_what_the_look_saw() {
        let mut state = scanned(&[]);
        let comm = |state: &State| state.thread(state.by_tid(10).unwrap()).comm().to_vec();
        feed(&mut state, exec(LOOKED - 500, 10, "between"));
        assert_eq!(comm(&state), b"between");
        // The exec to `now` was lost, but the look saw it.
        pass(&mut state);
        assert_eq!(comm(&state), b"now");
        feed(&mut state, exec(LOOKED + 200, 10, "later"));
        assert_eq!(comm(&state), b"later");
    }

    #[test]
    fn what_happens_after_the_look_counts() {
        let mut state = scanned(&[file(10, 4, b"/a", 0), file(10, 5, b"/b", 0)]);
        // Seen open, closed just after.
        feed(&mut state, close(LOOKED + 1, 10, 4));
        // Opened and closed before: the look saw neither.
        feed(&mut state, open(LOOKED - 9, 10, 7, "/gone"));
        feed(&mut state, close(LOOKED - 8, 10, 7));
        pass(&mut state);
        assert_eq!(name(&state, 10, 4), None);
        assert_eq!(name(&state, 10, 5).unwrap(), b"/b");
        assert_eq!(name(&state, 10, 7), None);
    }

    #[test]
    fn a_number_that_was_used_again_is_what_it_is_now() {
        let mut state = scanned(&[file(10, 4, b"/second", 0)]);
        feed(&mut state, close(LOOKED - 20, 10, 4));
        feed(&mut state, open(LOOKED - 10, 10, 4, "/first"));
        assert_eq!(name(&state, 10, 4).unwrap(), b"/first");
        // The close and the second open were lost.
        pass(&mut state);
        assert_eq!(name(&state, 10, 4).unwrap(), b"/second");
    }

    #[test]
    fn a_young_thread_comes_by_its_events() {
        let mut state = scanned(&[file(10, 4, b"/inherited", 0)]);
        assert_eq!(
            state.by_tid(20),
            None,
            "it was not there when the capture began"
        );
        feed(&mut state, born(BEGAN + 6, 20, 10));
        assert_eq!(name(&state, 20, 4).unwrap(), b"/inherited");
        feed(&mut state, exec(BEGAN + 7, 20, "young"));
        pass(&mut state);
        let ix = state.by_tid(20).unwrap();
        assert_eq!(state.thread(ix).comm(), b"young");
        assert_eq!(state.thread(ix).last_exec_ts, BEGAN + 7);
        assert_eq!(state.thread(ix).ptid, 10);
        assert_eq!(state.thread_group_size(ix), 1);
    }

    #[test]
    fn a_young_thread_of_which_no_event_told_comes_by_the_look() {
        let mut state = scanned(&[]);
        pass(&mut state);
        let ix = state.by_tid(20).unwrap();
        assert_eq!(state.thread(ix).comm(), b"young");
        assert_eq!(name(&state, 20, 3).unwrap(), b"/young");
        assert_eq!(state.parent(ix), state.by_tid(1));
        // Its birth may come to light late: it is the same thread.
        feed(&mut state, born(LOOKED + 200, 20, 10));
        assert_eq!(name(&state, 20, 3).unwrap(), b"/young");
    }

    #[test]
    fn who_died_before_the_look_stays_dead_and_who_died_after_it_dies() {
        let exit = |ts, tid| {
            RecordBuilder::new(EventCode::new(c::PROCEXIT_1_E), ts, tid)
                .i64(0)
                .i64(0)
                .u8(0)
                .u8(0)
                .i64(0)
        };
        let mut state = scanned(&[]);
        feed(&mut state, born(BEGAN + 1, 30, 10));
        feed(&mut state, exit(BEGAN + 2, 30));
        feed(&mut state, exit(LOOKED + 11, 20));
        pass(&mut state);
        assert_eq!(state.by_tid(30), None);
        assert_eq!(state.by_tid(20), None);
        assert!(state.by_tid(10).is_some());
    }
}
