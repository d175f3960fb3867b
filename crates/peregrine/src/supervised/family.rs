//! Which processes descend from a command.
//!
//! By events, not by today's parents: who was orphaned still belongs to the family. A process
//! belongs from its birth until its last thread is gone, so a number that is given out again does
//! not bring a stranger in.

use std::collections::BTreeMap;

use event::{Record, codes as c};
use state::{Context, State};

/// The command and its descendants.
#[derive(Debug)]
pub(crate) struct Family {
    /// The command's number in our own pid namespace.
    head: i64,
    /// The same in the machine's, once it is known.
    head_pid: Option<i64>,
    /// Living processes, with the number of their threads.
    living: BTreeMap<i64, u32>,
    /// The process that the last event ended.
    ended: Option<i64>,
}

impl Family {
    /// That of a child of ours.
    pub(crate) fn of(child: u32) -> Self {
        Self {
            head: i64::from(child),
            head_pid: None,
            living: BTreeMap::new(),
            ended: None,
        }
    }

    /// Whether the event before was the end of the command itself.
    pub(crate) fn head_has_ended(&self) -> bool {
        self.ended.is_some() && self.ended == self.head_pid
    }

    /// Takes births and deaths in; whether the event is one of the family's.
    pub(crate) fn has(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if let Some(pid) = self.ended.take() {
            self.living.remove(&pid);
        }
        if is_birth(record) && record.result() == Some(0) {
            return self.born(record, state);
        }
        let thread = context.thread.or_else(|| state.by_tid(record.tid));
        let Some(pid) = thread.map(|ix| state.thread(ix).pid) else {
            return false;
        };
        let Some(threads) = self.living.get_mut(&pid) else {
            return false;
        };
        match record.code.number() {
            c::PROCEXIT_1_E => {
                *threads = threads.saturating_sub(1);
                if *threads == 0 {
                    self.ended = Some(pid);
                }
            }
            // Whoever calls exec is the only thread afterwards.
            c::SYSCALL_EXECVE_19_X if record.result() == Some(0) => *threads = 1,
            _ if is_birth(record) => self.begot(record),
            _ => {}
        }
        true
    }

    /// The child's own event: it names parent and process.
    fn born(&mut self, record: &Record<'_>, state: &State) -> bool {
        let tid = record.tid;
        let number = |index| record.i64(index).unwrap_or(-1);
        let (pid, ptid, vtid) = (number(4), number(5), number(18));
        if pid != tid {
            // A thread more.
            return match self.living.get_mut(&pid) {
                Some(threads) => {
                    *threads += 1;
                    true
                }
                None => false,
            };
        }
        let is_head = self.head_pid.is_none() && (tid == self.head || vtid == self.head);
        let parent = state.by_tid(ptid).map_or(ptid, |ix| state.thread(ix).pid);
        if is_head {
            self.head_pid = Some(pid);
        }
        if is_head || self.living.contains_key(&parent) {
            self.living.entry(pid).or_insert(1);
        }
        self.living.contains_key(&pid)
    }

    /// The parent's event: it names the child, if both see the same numbers. The child's own event
    /// may come too late to find its parent.
    fn begot(&mut self, record: &Record<'_>) {
        const CLONE_THREAD: u32 = event::constants::CL_CLONE_THREAD;
        const FOREIGN: u32 =
            event::constants::CL_CHILD_IN_PIDNS | event::constants::CL_CLONE_NEWPID;
        let flags = record.u32(15).unwrap_or(0);
        let same_numbers = record.i64(18).is_none_or(|vtid| vtid == record.tid);
        if let Some(child) = record.result().filter(|&child| child > 0)
            && flags & (CLONE_THREAD | FOREIGN) == 0
            && same_numbers
        {
            self.living.entry(child).or_insert(1);
        }
    }
}

fn is_birth(record: &Record<'_>) -> bool {
    matches!(
        record.code.number(),
        c::SYSCALL_CLONE_20_X | c::SYSCALL_CLONE3_X | c::SYSCALL_FORK_20_X | c::SYSCALL_VFORK_20_X
    )
}

#[cfg(test)]
mod tests {
    use event::{EventCode, RecordBuilder, RecordFlags};
    use state::Options;

    use super::*;

    struct World {
        state: State,
        family: Family,
        time: u64,
    }

    impl World {
        fn feed(&mut self, builder: &RecordBuilder) -> bool {
            let bytes = builder.clone().finish();
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            let context = self.state.process(&record);
            self.family.has(&record, &self.state, &context)
        }

        fn birth(&mut self, tid: i64, pid: i64, ptid: i64, result: i64, child: i64) -> bool {
            self.time += 1;
            let code = EventCode::new(c::SYSCALL_CLONE_20_X);
            let flags = if result == 0 && tid != pid {
                event::constants::CL_CLONE_THREAD
            } else {
                0
            };
            let builder = RecordBuilder::new(code, self.time, tid)
                .i64(if result == 0 { 0 } else { child })
                .text("sh")
                .empty()
                .i64(tid)
                .i64(pid)
                .i64(ptid)
                .text("")
                .i64(1024)
                .u64(0)
                .u64(0)
                .u32(0)
                .u32(0)
                .u32(0)
                .text("sh")
                .empty()
                .u32(flags)
                .u32(0)
                .u32(0)
                .i64(tid)
                .i64(pid)
                .u64(0);
            self.feed(&builder)
        }

        fn born(&mut self, tid: i64, pid: i64, ptid: i64) -> bool {
            self.birth(tid, pid, ptid, 0, 0)
        }

        fn exit(&mut self, tid: i64) -> bool {
            self.time += 1;
            let code = EventCode::new(c::PROCEXIT_1_E);
            let builder = RecordBuilder::new(code, self.time, tid)
                .i64(0)
                .i64(0)
                .u8(0)
                .u8(0)
                .i64(0);
            self.feed(&builder)
        }

        fn close(&mut self, tid: i64) -> bool {
            self.time += 1;
            let code = EventCode::new(c::SYSCALL_CLOSE_X);
            self.feed(&RecordBuilder::new(code, self.time, tid).i64(0).i64(3))
        }
    }

    fn world() -> World {
        World {
            state: State::new(Options::default()),
            family: Family::of(100),
            time: 1,
        }
    }

    #[test]
    fn descendants_belong_and_strangers_do_not() {
        let mut w = world();
        assert!(w.born(100, 100, 50));
        assert!(w.born(101, 101, 100));
        assert!(w.born(102, 102, 101));
        assert!(w.close(102) && w.close(100));
        assert!(!w.born(200, 200, 50) && !w.close(200) && !w.close(50));
        // An orphan stays.
        assert!(w.exit(101));
        assert!(w.close(102));
        // Its number may come again for a stranger.
        assert!(!w.born(101, 101, 50) && !w.close(101));
        assert!(!w.family.head_has_ended());
        assert!(w.exit(100) && w.family.head_has_ended());
    }

    #[test]
    fn threads_end_with_the_last() {
        let mut w = world();
        w.born(100, 100, 50);
        assert!(w.born(105, 100, 50) && w.close(105));
        assert!(w.exit(100) && !w.family.head_has_ended());
        assert!(w.exit(105) && w.family.head_has_ended());
    }

    #[test]
    fn the_parent_s_word_is_enough() {
        let mut w = world();
        w.born(100, 100, 50);
        assert!(w.birth(100, 100, 50, 1, 103));
        assert!(w.exit(100));
        // Its parent is gone, and the event names who took it.
        assert!(w.born(103, 103, 1));
    }
}
