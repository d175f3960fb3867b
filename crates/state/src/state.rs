//! The state itself and its look-ups.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use event::snapshot::{Interface, MachineInfo};

use crate::accounts::{Accounts, Group, User};
use crate::container::sightings::Sightings;
use crate::container::{Cgroups, Container};
use crate::context::{Context, Counters, Options};
use crate::descriptor::Descriptor;
use crate::descriptors::DescriptorTable;
use crate::exited::Exited;
use crate::image::Image;
use crate::life::{Deferred, Spare};
use crate::names::NameBook;
use crate::programs::Programs;
use crate::scan::Scan;
use crate::table::ThreadTable;
use crate::thread::{Thread, ThreadIx, tree_of};

/// Walks up the ancestors end after so many.
pub const MAX_ANCESTORS: usize = 1024;

/// Threads, descriptors, users, interfaces and containers of one machine.
#[derive(Debug)]
pub struct State {
    pub(crate) options: Options,
    pub(crate) threads: ThreadTable,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) machine: MachineInfo,
    pub(crate) containers: BTreeMap<Vec<u8>, Arc<Container>>,
    /// How many of them will be told more of.
    pub(crate) unfinished_containers: usize,
    pub(crate) host: Arc<Container>,
    pub(crate) sightings: Sightings,
    /// Control group in which a container was first seen.
    pub(crate) groups: BTreeMap<Box<[u8]>, Box<[u8]>>,
    pub(crate) container_wait_ns: u64,
    pub(crate) counters: Counters,
    pub(crate) number: u64,
    pub(crate) first_ts: Option<u64>,
    pub(crate) deferred: Deferred,
    pub(crate) exited: Exited,
    /// Time of the exit in `deferred`.
    pub(crate) exited_ts: u64,
    pub(crate) spare: Spare,
    pub(crate) shared: Shared,
    /// What addresses are called, where anybody asks.
    pub(crate) names: Option<Box<NameBook>>,
    /// What program files are.
    pub(crate) programs: Rc<Programs>,
    /// The machine can be asked.
    pub(crate) live: bool,
    /// A scan that events have not passed yet.
    pub(crate) scan: Option<Box<Scan>>,
    /// Texts on their way into a table.
    pub(crate) scratch: Vec<u8>,
    pub(crate) path: Vec<u8>,
}

/// Values that many threads have in common.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) image: Rc<Image>,
    /// Image of threads of which nothing is known.
    pub(crate) unknown: Rc<Image>,
    pub(crate) text: Rc<[u8]>,
    pub(crate) cgroups: Rc<Cgroups>,
    pub(crate) descriptors: Rc<DescriptorTable>,
}

impl State {
    /// An empty state.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let cgroups = Rc::new(Cgroups::new(b""));
        Self {
            options,
            threads: ThreadTable::new(),
            accounts: Arc::default(),
            interfaces: Vec::new(),
            machine: MachineInfo::default(),
            containers: BTreeMap::new(),
            unfinished_containers: 0,
            host: Arc::new(Container::host()),
            sightings: Sightings::default(),
            groups: BTreeMap::new(),
            container_wait_ns: 0,
            counters: Counters::default(),
            number: 0,
            first_ts: None,
            deferred: Deferred::default(),
            exited: Exited::default(),
            exited_ts: 0,
            spare: Spare::default(),
            shared: Shared {
                image: Image::empty(),
                unknown: Image::unknown(),
                text: Rc::from(&b""[..]),
                cgroups,
                descriptors: Rc::default(),
            },
            names: None,
            programs: Rc::default(),
            live: false,
            scan: None,
            scratch: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Forgets everything but the event count and the counters: another section of a capture
    /// begins.
    pub fn reset(&mut self) {
        self.threads.clear();
        self.accounts = Arc::default();
        self.interfaces.clear();
        self.machine = MachineInfo::default();
        self.containers.clear();
        self.unfinished_containers = 0;
        self.sightings.clear();
        self.groups.clear();
        self.deferred = Deferred::default();
        self.exited.clear();
        self.spare = Spare::default();
        self.programs = Rc::default();
        if let Some(names) = &mut self.names {
            **names = NameBook::default();
        }
        self.scan = None;
    }

    // ---- threads ----

    /// The thread at an index from this event's context or look-ups.
    #[must_use]
    #[inline]
    pub fn thread(&self, ix: ThreadIx) -> &Thread {
        self.threads.at(ix)
    }

    /// Moves whenever anything changes that a thread's fields may show and that is not the thread's
    /// own: its ancestors, its leader, users, groups, containers. Together with a thread's
    /// [`Thread::generation`] it says whether what was found out about the thread still holds.
    #[must_use]
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.threads.epoch()
    }

    /// The thread with this number.
    #[must_use]
    pub fn by_tid(&self, tid: i64) -> Option<ThreadIx> {
        self.threads.find(tid)
    }

    /// Number of threads, dead leaders and stand-ins included.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// All threads.
    pub fn threads(&self) -> impl Iterator<Item = (ThreadIx, &Thread)> {
        self.threads.iter()
    }

    /// Leader of the thread's group; `None` where it is not in the table.
    #[must_use]
    #[inline]
    pub fn main_thread(&self, ix: ThreadIx) -> Option<ThreadIx> {
        self.threads.main_of(ix)
    }

    /// The thread whose number is this one's `ptid`, stand-ins included.
    #[must_use]
    pub fn parent(&self, ix: ThreadIx) -> Option<ThreadIx> {
        self.threads.find(self.thread(ix).ptid)
    }

    /// Parent, its parent, and so on, up to a loop, a gap or [`MAX_ANCESTORS`].
    ///
    /// A loop ends the walk before a thread comes a second time.
    pub fn ancestors(&self, ix: ThreadIx) -> impl Iterator<Item = ThreadIx> {
        let mut slow = ix;
        let mut steps = 0usize;
        let mut current = ix;
        std::iter::from_fn(move || {
            let next = self.parent(current)?;
            if next == slow || next == ix || steps >= MAX_ANCESTORS {
                return None;
            }
            steps += 1;
            if steps.is_multiple_of(2) {
                slow = self.parent(slow)?;
            }
            current = next;
            Some(next)
        })
    }

    /// Names the process tree of a thread: what descends from one child of the machine's first process, or
    /// from one login. Whoever was born into a tree stays in it, also when the parent is gone; who was
    /// there before the events has that of the highest ancestor within.
    #[must_use]
    pub fn tree(&self, ix: ThreadIx) -> u64 {
        let ix = self.main_thread(ix).unwrap_or(ix);
        let mut top = self.thread(ix);
        for above in self.ancestors(ix) {
            if top.tree != 0 {
                break;
            }
            let parent = self.thread(above);
            if parent.pid == 1 || parent.loginuid != top.loginuid {
                break;
            }
            top = parent;
        }
        if top.tree == 0 {
            tree_of(top)
        } else {
            top.tree
        }
    }

    /// Number of living threads in the thread's group; 0 for a stand-in.
    #[must_use]
    pub fn thread_group_size(&self, ix: ThreadIx) -> usize {
        self.threads.group_of(ix).map_or(0, |g| g.alive as usize)
    }

    /// Threads of the thread's group, the leader first.
    pub fn thread_group(&self, ix: ThreadIx) -> impl Iterator<Item = ThreadIx> {
        let group = self.thread(ix).links.group;
        group.into_iter().flat_map(|g| self.threads.members(g))
    }

    /// Children of a thread.
    pub fn children(&self, ix: ThreadIx) -> impl Iterator<Item = ThreadIx> {
        self.threads.children(ix)
    }

    /// Process that leads the thread's session, or the eldest of its known ancestors in it.
    #[must_use]
    pub fn session_leader(&self, ix: ThreadIx) -> Option<ThreadIx> {
        self.leader(ix, |t| t.sid, |t| t.tid == t.vtid)
    }

    /// Process that leads the thread's process group, by the number of its own pid namespace.
    #[must_use]
    pub fn vpgid_leader(&self, ix: ThreadIx) -> Option<ThreadIx> {
        self.leader(ix, |t| t.vpgid, |t| t.tid == t.vtid)
    }

    /// Process that leads the thread's process group, by the number of the host.
    #[must_use]
    pub fn pgid_leader(&self, ix: ThreadIx) -> Option<ThreadIx> {
        self.leader(ix, |t| t.pgid, |_| true)
    }

    fn leader(
        &self,
        ix: ThreadIx,
        id: impl Fn(&Thread) -> i64,
        is_host_number: impl Fn(&Thread) -> bool,
    ) -> Option<ThreadIx> {
        let thread = self.thread(ix);
        let wanted = id(thread);
        if wanted < 0 {
            return None;
        }
        if is_host_number(thread)
            && let Some(leader) = self.by_tid(wanted)
            && !self.thread(leader).is_invalid()
        {
            return Some(leader);
        }
        let main = self.main_thread(ix)?;
        self.ancestors(main)
            .take_while(|&a| id(self.thread(a)) == wanted)
            .last()
    }

    /// Current directory of the thread's process, ending in `/`; `./` where unknown.
    #[must_use]
    pub fn cwd(&self, ix: ThreadIx) -> &[u8] {
        self.main_thread(ix)
            .map_or(b"./", |main| &self.thread(main).cwd)
    }

    /// Most descriptors that the thread's process may have; 0 where its leader is unknown.
    #[must_use]
    pub fn descriptor_limit(&self, ix: ThreadIx) -> i64 {
        self.main_thread(ix)
            .map_or(0, |main| self.thread(main).fdlimit)
    }

    /// Number of open descriptors of the thread's process; 0 where its leader is unknown.
    #[must_use]
    pub fn descriptor_count(&self, ix: ThreadIx) -> usize {
        self.main_thread(ix)
            .map_or(0, |main| self.thread(main).descriptors.len())
    }

    /// Living threads of the thread's group besides the leader (`proc.nchilds`).
    #[must_use]
    pub fn other_thread_count(&self, ix: ThreadIx) -> usize {
        let alive = self.thread_group_size(ix);
        match self.main_thread(ix) {
            Some(main) if !self.thread(main).is_dead() => alive.saturating_sub(1),
            _ => alive,
        }
    }

    /// Thread whose environment fields show: the leader.
    #[must_use]
    pub fn env(&self, ix: ThreadIx) -> Option<&Thread> {
        self.main_thread(ix).map(|main| self.thread(main))
    }

    // ---- descriptors ----

    /// Descriptors of the thread's process.
    #[must_use]
    #[inline]
    pub fn descriptors(&self, ix: ThreadIx) -> Option<&DescriptorTable> {
        self.owner_of_descriptors(ix)
            .map(|owner| &*self.thread(owner).descriptors)
    }

    /// The descriptor with this number in the thread's process.
    #[must_use]
    #[inline]
    pub fn descriptor(&self, ix: ThreadIx, fd: i64) -> Option<&Descriptor> {
        self.descriptors(ix)?.find(fd)
    }

    /// The descriptor that an event is about.
    #[must_use]
    #[inline]
    pub fn event_descriptor<'a>(&'a self, context: &'a Context) -> Option<&'a Descriptor> {
        match &context.descriptor {
            Some(descriptor) => Some(descriptor),
            None => self.descriptor(context.thread?, context.fd?),
        }
    }

    /// Threads that share descriptors look at their leader's table.
    #[inline]
    pub(crate) fn owner_of_descriptors(&self, ix: ThreadIx) -> Option<ThreadIx> {
        let thread = self.thread(ix);
        if thread.shares_descriptors() {
            self.main_thread(ix)
        } else {
            Some(ix)
        }
    }

    /// Directory that a path relative to descriptor `dirfd` starts from, as [`crate::paths`] wants
    /// it: ending in `/` or empty, or a word for what is unknown.
    pub fn directory(&self, ix: Option<ThreadIx>, dirfd: Option<i64>, out: &mut Vec<u8>) {
        const AT_FDCWD: i64 = -100;
        out.clear();
        let Some(dirfd) = dirfd else { return };
        let Some(ix) = ix else {
            out.extend_from_slice(b"<UNKNOWN>");
            return;
        };
        if dirfd == AT_FDCWD {
            out.extend_from_slice(self.cwd(ix));
            return;
        }
        match self.descriptor(ix, dirfd) {
            None => out.extend_from_slice(b"<UNKNOWN>"),
            Some(d) => {
                out.extend_from_slice(d.name());
                if !matches!(out.last(), None | Some(b'/')) {
                    out.push(b'/');
                }
            }
        }
    }

    // ---- the rest ----

    /// A user of a container; the empty id is the host. The user with number 0 is called `root`
    /// even where the list lacks it, unless there is no list.
    #[must_use]
    pub fn user(&self, container: &[u8], uid: u32) -> Option<&User> {
        self.accounts
            .user(container, uid)
            .or_else(|| {
                self.accounts
                    .user(b"", uid)
                    .filter(|_| self.lacks_accounts(container))
            })
            .or_else(|| self.accounts.root(uid))
    }

    /// A group of a container; the empty id is the host.
    #[must_use]
    pub fn group(&self, container: &[u8], gid: u32) -> Option<&Group> {
        let host = || self.accounts.group(b"", gid);
        self.accounts
            .group(container, gid)
            .or_else(|| host().filter(|_| self.lacks_accounts(container)))
    }

    /// On a watched machine the host's names stand for those of a container that has no files.
    fn lacks_accounts(&self, container: &[u8]) -> bool {
        self.sightings.awaited
            && !container.is_empty()
            && !self.accounts.has_container(container)
            && !self.sightings.is_read(container)
    }

    /// Addresses of the machine.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &MachineInfo {
        &self.machine
    }

    /// Record of a container; the empty id finds that of the host.
    #[must_use]
    pub fn container(&self, id: &[u8]) -> Option<&Container> {
        if id.is_empty() {
            return Some(&self.host);
        }
        self.containers.get(id).map(|c| &**c)
    }

    /// All container records but the host's.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.values().map(|c| &**c)
    }

    /// Time of the first event, nanoseconds since the epoch.
    #[must_use]
    pub fn first_event_time(&self) -> Option<u64> {
        self.first_ts
    }

    /// What was dropped, evicted or not found.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Threads that were added and removed, ever.
    #[must_use]
    pub fn thread_turnover(&self) -> (u64, u64) {
        self.threads.turnover()
    }
}
