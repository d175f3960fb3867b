//! What goes into a state at its making, what an event's processing says, and what is counted.

use std::rc::Rc;
use std::sync::Arc;

use event::snapshot::{self, Group, Process, User};

use crate::container::{Container, Engines};
use crate::descriptor::Descriptor;
use crate::thread::ThreadIx;

/// How a state is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most threads; further ones are dropped and counted.
    pub max_threads: usize,
    /// Most descriptors of a process; further ones are dropped and counted.
    pub max_descriptors: usize,
    /// Most container records.
    pub max_containers: usize,
    /// Shapes of control groups that name a container.
    pub engines: Engines,
    /// Whether sockets on which a connect is still under way are followed to its end.
    pub track_connections: bool,
    /// Users of the machine that reads a capture: they fill what the capture's own list lacks.
    /// Empty by default, so that a replay gives the same alerts on every machine.
    pub local_users: Vec<User>,
    /// Groups of the machine that reads a capture.
    pub local_groups: Vec<Group>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_threads: 262_144,
            max_descriptors: 4096,
            max_containers: 16_384,
            engines: Engines::default(),
            track_connections: false,
            local_users: Vec::new(),
            local_groups: Vec::new(),
        }
    }
}

/// What an event is about. Valid until the next event.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// `evt.num`.
    pub number: u64,
    /// Whether rules and output see the event. Enter events that wait for their exit and events
    /// that only rebuild state are hidden.
    pub visible: bool,
    /// The event's thread, if it has one.
    pub thread: Option<ThreadIx>,
    /// Number of the descriptor that the event created or used.
    pub fd: Option<i64>,
    /// The descriptor as it was found before the event changed the table, where the table no
    /// longer says; see [`crate::State::event_descriptor`].
    pub descriptor: Option<Rc<Descriptor>>,
    /// The event changed the addresses of its socket.
    pub name_changed: bool,
    /// Record that a container event brought.
    pub container: Option<Arc<Container>>,
}

/// What was dropped, evicted or not found. Each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Descriptors added.
    pub descriptors_added: u64,
    /// Descriptors removed, those not counted that go with their process.
    pub descriptors_removed: u64,
    /// Enter events kept until their exit.
    pub enters_kept: u64,
    /// Enter events whose exit came.
    pub enters_met: u64,
    /// Threads not added because the table was full.
    pub threads_dropped: u64,
    /// Descriptors not added because their process had too many.
    pub descriptors_dropped: u64,
    /// Events of threads that were unknown; each unknown thread counts once.
    pub threads_unknown: u64,
    /// Descriptors that were unknown when they were used, and that the machine could tell.
    pub descriptors_met: u64,
    /// Events on descriptors that were unknown.
    pub descriptors_unknown: u64,
    /// Enter events not kept because they were too long or too many waited.
    pub enters_dropped: u64,
    /// Container records not kept because the table was full.
    pub containers_dropped: u64,
    /// Container events whose text was no record.
    pub containers_malformed: u64,
    /// Container records that came without an image, those of pods' sandboxes not counted.
    pub containers_without_image: u64,
    /// Control groups that were named after a container in another place.
    pub identities_refused: u64,
    /// Users and groups not kept because the table was full.
    pub accounts_dropped: u64,
    /// Threads that were taken for stale because their number was given out again.
    pub threads_stale: u64,
    /// Program files of which somebody said what they are.
    pub programs_told: u64,
    /// Events about program files whose text was no such answer.
    pub programs_malformed: u64,
    /// Answers of name servers that named addresses.
    pub names_learnt: u64,
    /// Answers of name servers that nobody had asked for: they name nothing.
    pub names_unasked: u64,
    /// Answers of name servers of which only the beginning was captured.
    pub names_cut: u64,
    /// Events about names whose text was none.
    pub names_malformed: u64,
    /// Names that went for want of room although they were still good.
    pub names_evicted: u64,
}

/// Answers of a live machine. A capture has none.
pub trait Lookup {
    /// The thread as it is now, if it exists.
    fn thread(&mut self, tid: i64) -> Option<Process<'_>>;

    /// All descriptors of the process as they are now.
    fn descriptors(&mut self, pid: i64, sink: &mut dyn FnMut(&snapshot::Descriptor<'_>));

    /// A descriptor of the process as it is now: one that came through a socket.
    fn descriptor(&mut self, pid: i64, fd: i64) -> Option<snapshot::Descriptor<'_>>;

    /// Whether the thread still exists.
    fn is_alive(&mut self, tid: i64) -> bool;
}

/// Knows nothing: the answers of a capture.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn thread(&mut self, _tid: i64) -> Option<Process<'_>> {
        None
    }

    fn descriptors(&mut self, _pid: i64, _sink: &mut dyn FnMut(&snapshot::Descriptor<'_>)) {}

    fn descriptor(&mut self, _pid: i64, _fd: i64) -> Option<snapshot::Descriptor<'_>> {
        None
    }

    fn is_alive(&mut self, _tid: i64) -> bool {
        false
    }
}
