//! One thread of the machine, and the thread group it belongs to.

use std::rc::Rc;

use event::constants as c;

use crate::container::Cgroups;
use crate::descriptors::DescriptorTable;
use crate::image::{Image, items};

/// Where a thread lies in the table. Valid until the next call that changes the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadIx(pub(crate) u32);

impl ThreadIx {
    /// Its place in the table: small numbers, used again when a thread is gone.
    #[must_use]
    #[inline]
    pub const fn slot(self) -> usize {
        self.0 as usize
    }
}

/// Where a thread group lies in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupIx(pub(crate) u32);

bitflags::bitflags! {
    /// `PPM_CL_*` bits of a thread: those it was cloned with and some of the state's own.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ThreadFlags: u32 {
        /// Shares the descriptors of its group's leader.
        const CLONE_FILES = c::CL_CLONE_FILES;
        /// In a new pid namespace.
        const CLONE_NEWPID = c::CL_CLONE_NEWPID;
        /// Sibling, not child, of the caller.
        const CLONE_PARENT = c::CL_CLONE_PARENT;
        /// In the caller's group.
        const CLONE_THREAD = c::CL_CLONE_THREAD;
        /// The caller waits for its exec.
        const CLONE_VFORK = c::CL_CLONE_VFORK;
        /// The child's event came before the caller's.
        const CLONE_INVERTED = c::CL_CLONE_INVERTED;
        /// Its name was set.
        const NAME_CHANGED = c::CL_NAME_CHANGED;
        /// It has exited.
        const CLOSED = c::CL_CLOSED;
        /// It was seen doing something.
        const ACTIVE = c::CL_ACTIVE;
        /// Its standard output became another descriptor: left side of a pipe.
        const PIPE_SRC = c::CL_PIPE_SRC;
        /// Its standard input became another descriptor: right side of a pipe.
        const PIPE_DST = c::CL_PIPE_DST;
        /// Its group lives in a pid namespace.
        const CHILD_IN_PIDNS = c::CL_CHILD_IN_PIDNS;
        /// It leads its group although the numbers differ.
        const IS_MAIN_THREAD = c::CL_IS_MAIN_THREAD;
        /// Whatever else the kernel said.
        const _ = !0;
    }
}

/// Capability sets, one bit a capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Kept across exec.
    pub inheritable: u64,
    /// May be made effective.
    pub permitted: u64,
    /// In force.
    pub effective: u64,
}

/// Memory and page faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Virtual size in KiB.
    pub size_kb: u32,
    /// Resident size in KiB.
    pub rss_kb: u32,
    /// Swapped size in KiB.
    pub swap_kb: u32,
    /// Major page faults.
    pub faults_major: u64,
    /// Minor page faults.
    pub faults_minor: u64,
}

/// A thread. Numbers are -1 where unknown.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Thread id in the host's pid namespace.
    pub tid: i64,
    /// Thread group.
    pub pid: i64,
    /// Parent: the creating thread of a leader, the leader's parent for other threads; 0: none.
    pub ptid: i64,
    /// Thread id in its own pid namespace.
    pub vtid: i64,
    /// Thread group in its own pid namespace.
    pub vpid: i64,
    /// Session.
    pub sid: i64,
    /// Process group in the host's pid namespace.
    pub pgid: i64,
    /// Process group in its own pid namespace.
    pub vpgid: i64,
    /// Who got its children when it exited, as the kernel said.
    pub reaper_tid: i64,
    /// What it was cloned with and more.
    pub flags: ThreadFlags,
    /// Effective user; all ones: unknown.
    pub uid: u32,
    /// Effective group; all ones: unknown.
    pub gid: u32,
    /// User it logged in as; all ones: none.
    pub loginuid: u32,
    /// Controlling terminal; 0: none.
    pub tty: u32,
    /// The program it runs.
    pub image: Rc<Image>,
    /// Most descriptors it may have; -1: unknown.
    pub fdlimit: i64,
    /// Capability sets.
    pub caps: Capabilities,
    /// Memory and page faults.
    pub memory: Memory,
    /// When it was created, nanoseconds since the epoch; 0: before the capture.
    pub clone_ts: u64,
    /// Its last exec, nanoseconds since the epoch; 0: none seen.
    pub last_exec_ts: u64,
    /// Start of its pid namespace, nanoseconds since the epoch; 0: unknown.
    pub pidns_init_start_ts: u64,
    /// Its latest event, nanoseconds since the epoch; 0: none.
    pub last_event_ts: u64,
    /// Its event before that, nanoseconds since the epoch; 0: none.
    pub prev_event_ts: u64,
    /// Root directory.
    pub root: Rc<[u8]>,
    /// Control groups, and the container that they name.
    pub cgroups: Rc<Cgroups>,
    /// Moves with every change of what fields show of the thread: program, credentials, directory,
    /// parent. No other thread has had it, in this state or another of the same process.
    pub generation: u64,
    /// The process tree that it was born into, as [`State::tree`](crate::State::tree) names it; 0 where
    /// that follows from its ancestors.
    pub(crate) tree: u64,
    /// Current directory; meaningful in leaders.
    pub(crate) cwd: Rc<[u8]>,
    /// Environment, NUL-separated; meaningful in leaders.
    pub(crate) env: Rc<[u8]>,
    pub(crate) descriptors: Rc<DescriptorTable>,
    /// Stored enter event.
    pub(crate) enter: Option<Box<crate::enter::Enter>>,
    /// Fields that plugins have added. They stay over an exec and go to no child.
    pub(crate) extra: Option<Box<crate::outside::Extra>>,
    pub(crate) links: Links,
}

/// The name of the tree that begins with a thread: its process and when that began, in seconds.
pub(crate) fn tree_of(top: &Thread) -> u64 {
    (top.clone_ts / 1_000_000_000) << 32 | (top.pid as u64 & 0xFFFF_FFFF)
}

/// A thread's place among its relatives. Lists are intrusive: any thread leaves in constant time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links {
    pub(crate) group: Option<GroupIx>,
    pub(crate) next_in_group: Option<ThreadIx>,
    pub(crate) prev_in_group: Option<ThreadIx>,
    pub(crate) parent: Option<ThreadIx>,
    pub(crate) first_child: Option<ThreadIx>,
    pub(crate) last_child: Option<ThreadIx>,
    pub(crate) next_sibling: Option<ThreadIx>,
    pub(crate) prev_sibling: Option<ThreadIx>,
    pub(crate) children: u32,
}

/// A thread group: a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) pid: i64,
    pub(crate) first: Option<ThreadIx>,
    pub(crate) last: Option<ThreadIx>,
    pub(crate) members: u32,
    pub(crate) alive: u32,
    /// Orphans of its descendants become its children.
    pub(crate) reaper: bool,
}

impl Thread {
    /// Whether it leads its group.
    #[must_use]
    #[inline]
    pub fn is_main(&self) -> bool {
        self.tid == self.pid || self.flags.contains(ThreadFlags::IS_MAIN_THREAD)
    }

    /// A stand-in for a thread of which nothing is known.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.tid < 0 || self.pid < 0 || self.ptid < 0
    }

    /// It has exited.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.flags.contains(ThreadFlags::CLOSED)
    }

    /// Whether it lives in a pid namespace of its own kind.
    #[must_use]
    pub fn is_in_pidns(&self) -> bool {
        self.flags.contains(ThreadFlags::CHILD_IN_PIDNS)
            || (self.tid != self.vtid && self.vtid >= 0)
    }

    /// Kernel's name.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        self.image.comm()
    }

    /// First 12 hex digits, or another name, of its container; empty on the host.
    #[must_use]
    pub fn container_id(&self) -> &[u8] {
        self.cgroups.container_id()
    }

    /// This thread's own environment, `NAME=VALUE` each. Fields want that of the main thread.
    pub fn env(&self) -> impl Iterator<Item = &[u8]> + Clone {
        items(&self.env)
    }

    /// First entry of its own environment with that name and a value, spaces around it cut off.
    #[must_use]
    pub fn env_value(&self, name: &[u8]) -> Option<&[u8]> {
        self.env().find_map(|entry| {
            let value = entry.strip_prefix(name)?.strip_prefix(b"=")?;
            (!value.is_empty()).then(|| value.trim_ascii())
        })
    }

    /// Number of its living children.
    #[must_use]
    pub fn child_count(&self) -> usize {
        self.links.children as usize
    }
}

impl Thread {
    #[inline]
    pub(crate) fn shares_descriptors(&self) -> bool {
        self.flags.contains(ThreadFlags::CLONE_FILES) && !self.is_main()
    }
}
