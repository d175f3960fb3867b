//! Whatever events come in whatever order, the tables stay consistent and bounded.

use event::table::events::EVENTS;
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes as c, snapshot::Process};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::state::State;
use crate::{Options, ThreadIx};

const MAX_THREADS: usize = 9;
const MAX_DESCRIPTORS: usize = 5;

impl State {
    /// Panics where the tables contradict themselves.
    fn check(&self) {
        let all: Vec<ThreadIx> = self.threads.iter().map(|(ix, _)| ix).collect();
        assert_eq!(all.len(), self.threads.len());
        assert!(all.len() <= self.options.max_threads);
        let (mut grouped, mut begotten, mut children, mut enters) = (0, 0, 0, 0);
        for &ix in &all {
            let thread = self.thread(ix);
            assert_eq!(self.by_tid(thread.tid), Some(ix));
            assert!(thread.descriptors.len() <= self.options.max_descriptors);
            assert_eq!(thread.descriptors.iter().count(), thread.descriptors.len());
            enters += usize::from(thread.enter.is_some());
            if let Some(group) = thread.links.group {
                grouped += 1;
                assert!(self.threads.members(group).any(|m| m == ix));
                let members: Vec<_> = self.threads.members(group).collect();
                let alive = members
                    .iter()
                    .filter(|&&m| !self.thread(m).is_dead())
                    .count();
                let group = self.threads.group(group);
                assert_eq!(group.pid, thread.pid);
                assert_eq!(group.members as usize, members.len());
                assert_eq!(group.alive as usize, alive);
                assert_eq!(group.last, members.last().copied());
            }
            if let Some(parent) = thread.links.parent {
                begotten += 1;
                assert_eq!(self.thread(parent).tid, thread.ptid);
                assert!(self.children(parent).any(|child| child == ix));
            }
            let own: Vec<_> = self.children(ix).collect();
            assert_eq!(own.len(), thread.child_count());
            assert_eq!(own.last().copied(), thread.links.last_child);
            children += own.len();
            assert!(self.ancestors(ix).count() <= crate::MAX_ANCESTORS);
            // Look-ups never panic.
            let _ = (
                self.session_leader(ix),
                self.vpgid_leader(ix),
                self.cwd(ix).len(),
            );
            let _ = (
                self.descriptor_count(ix),
                self.thread_group_size(ix),
                self.env(ix),
            );
        }
        assert_eq!(begotten, children);
        assert_eq!(enters, self.waiting_enters());
        let groups: std::collections::BTreeSet<_> = all
            .iter()
            .filter_map(|&ix| self.thread(ix).links.group.map(|g| g.0))
            .collect();
        let members: u32 = groups
            .iter()
            .map(|&g| self.threads.group(crate::thread::GroupIx(g)).members)
            .sum();
        assert_eq!(members as usize, grouped);
    }
}

/// A record whose parameters have the widths that the table says, filled from `seed`.
fn record(code: u16, tid: i64, ts: u64, seed: &[u64]) -> Vec<u8> {
    let info = &EVENTS[usize::from(code)];
    let mut b = RecordBuilder::new(EventCode::new(code), ts, tid);
    let mut seeds = seed.iter().copied().cycle();
    for (i, param) in info.params.iter().enumerate() {
        let seed = seeds.next().unwrap_or(0).wrapping_mul(i as u64 * 2 + 1);
        // Small numbers meet each other: tids, descriptors, flags.
        let small = match seed % 8 {
            0 => 0,
            1..=5 => (seed >> 8) % 12,
            6 => 1 << ((seed >> 8) % 31),
            _ => (seed as i64 >> 3).unsigned_abs().wrapping_neg(),
        };
        b = match param.ty.width() {
            _ if seed % 31 == 30 => b.empty(),
            Some(1) => b.u8(small as u8),
            Some(2) => b.u16(small as u16),
            Some(4) => b.u32(small as u32),
            Some(8) => b.u64(small),
            _ => match seed % 5 {
                0 => b.empty(),
                1 => b.text("a/../b"),
                2 => b.bytes(&[2, 0, 0, 0, 0, 1, 0, 127, 0, 0, 1, 53, 0]),
                3 => b.bytes(b"x=/docker/1\0"),
                _ => b.text(format!("/{}", "y".repeat((seed % 2000) as usize))),
            },
        };
    }
    b.finish()
}

/// Event types that change the state, the family of clone more often than the rest.
fn code() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(c::SYSCALL_CLONE_20_X),
        2 => Just(c::SYSCALL_FORK_20_X),
        1 => Just(c::SYSCALL_VFORK_20_X),
        2 => Just(c::SYSCALL_EXECVE_19_X),
        4 => Just(c::PROCEXIT_1_E),
        2 => Just(c::SYSCALL_OPENAT_2_X),
        2 => Just(c::SYSCALL_OPENAT_2_E),
        2 => Just(c::SYSCALL_CLOSE_X),
        1 => Just(c::SYSCALL_DUP2_X),
        6 => 0..EVENTS.len() as u16,
    ]
}

/// A birth that fits the numbers it is given, so that whole families grow.
fn birth(seed: u64, ts: u64) -> (i64, Vec<u8>) {
    let (parent, child) = ((seed % 11) as i64, (seed / 11 % 11) as i64);
    let from_child = seed & (1 << 20) != 0;
    let flags = if seed & (1 << 21) != 0 { 0x2001u32 } else { 0 };
    let pid = if flags != 0 { parent } else { child };
    let (tid, res) = if from_child {
        (child, 0)
    } else {
        (parent, child)
    };
    let (own_pid, ptid) = if from_child {
        (pid, parent)
    } else {
        (parent, 1)
    };
    let b = RecordBuilder::new(EventCode::new(c::SYSCALL_CLONE_20_X), ts, tid)
        .i64(res)
        .text("exe")
        .text("arg")
        .i64(tid)
        .i64(own_pid)
        .i64(ptid)
        .text("")
        .i64(1024)
        .u64(0)
        .u64(0)
        .u32(1)
        .u32(1)
        .u32(0)
        .text("comm")
        .bytes(b"cpu=/\0")
        .u32(flags)
        .u32(0)
        .u32(0)
        .i64(tid)
        .i64(own_pid)
        .u64(0);
    (tid, b.finish())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_stay_consistent(
        events in vec((code(), -1i64..12, vec(any::<u64>(), 1..8), any::<bool>()), 1..120),
    ) {
        let options = Options {
            max_threads: MAX_THREADS,
            max_descriptors: MAX_DESCRIPTORS,
            ..Options::default()
        };
        let mut state = State::new(options);
        for tid in 1..5 {
            let pid = if tid == 4 { 3 } else { tid };
            state.load_process(&Process { tid, pid, ptid: tid / 2, vtid: tid, ..Process::default() });
        }
        state.finish_load();
        state.check();
        let mut ts = 1_000;
        for (i, (code, tid, seed, is_birth)) in events.into_iter().enumerate() {
            ts += seed[0] % 700_000_000;
            let bytes = if is_birth { birth(seed[0], ts).1 } else { record(code, tid, ts, &seed) };
            let Ok(r) = Record::parse(&bytes, 0, RecordFlags::default()) else { continue };
            let context = state.process(&r);
            prop_assert_eq!(context.number, i as u64 + 1);
            if let Some(ix) = context.thread {
                prop_assert_eq!(state.thread(ix).tid, r.tid);
            }
            let _ = state.event_descriptor(&context);
            state.check();
        }
        state.reset();
        state.check();
        prop_assert_eq!(state.thread_count(), 0);
    }
}
