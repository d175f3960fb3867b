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
    /// In the order of looking.
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
    pub fn begin_scan(&mut self, began: u64) {
        self.scan = Some(Box::new(Scan {
            began,
            looks: Vec::new(),
            next: 0,
        }));
    }

    /// A thread as a scan sees it; `looked` is a time before the scan began to look at it, not
    /// before that of the thread loaded last.
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
