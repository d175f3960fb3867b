//! One event as the extractors see it, and what surrounds it.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bumpalo::Bump;
use event::{Record, Source};
use filter::{FieldRef, FieldSource, Keep, Purpose, Value};
use jiff::tz::TimeZone;
use state::{Container, Context, Descriptor, Metadata, Pending, Program, State, Thread, ThreadIx};

use crate::extract;

/// Finds host names. The default finds none: a rule's answer must not depend on the network.
pub trait Resolver: std::fmt::Debug {
    /// Name of an address.
    fn name(&self, address: IpAddr) -> Option<String>;
}

/// The zone of who wants none.
pub static UTC: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::UTC);
/// The system's zone. It takes a millisecond to find, so that is left until somebody asks for a time.
pub static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// What values depend on besides the event and the state.
#[derive(Debug)]
pub struct Environment {
    /// `evt.hostname`.
    pub hostname: Vec<u8>,
    /// Zone of local times: [`UTC`] or [`LOCAL`].
    pub zone: &'static LazyLock<TimeZone>,
    /// Data buffers in outputs are written in base64.
    pub base64_buffers: bool,
    /// `evt.outputtime` is ISO 8601.
    pub iso_time: bool,
    /// `evt.source`.
    pub source: String,
    /// Values of `static.NAME`, in the order in which the catalogue got the names.
    pub statics: Vec<Vec<u8>>,
    /// Time of the first event that comes from the kernel, nanoseconds since the epoch; the caller sets it when it comes.
    pub first_event: Option<u64>,
    /// Time of the latest event.
    pub last_event: Option<u64>,
    /// Time of the event before the one that is looked at.
    pub previous_event: Option<u64>,
    /// How often `util.cnt` was read.
    pub reads: AtomicU64,
    /// Something was asked of a container, or of a program's file, that is not known yet, but will be.
    pub awaits_container: AtomicBool,
    /// Names for addresses.
    pub resolver: Option<Box<dyn Resolver + Send + Sync>>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            hostname: Vec::new(),
            zone: &UTC,
            base64_buffers: false,
            iso_time: false,
            source: "syscall".to_owned(),
            statics: Vec::new(),
            first_event: None,
            last_event: None,
            previous_event: None,
            reads: AtomicU64::new(0),
            awaits_container: AtomicBool::new(false),
            resolver: None,
        }
    }
}

impl Environment {
    /// Notes an event that is about to be looked at: relative times count from the first ordinary one.
    #[inline]
    pub fn see(&mut self, record: &Record<'_>) {
        let ordinary = record.info.source != Source::Meta;
        if self.first_event.is_none() && ordinary {
            self.first_event = Some(record.ts);
        }
        self.previous_event = self.last_event.replace(record.ts);
    }
}

/// One event with all that its fields are taken from.
///
/// Thread and descriptor are looked up once, when the view is made: most fields start from one of
/// them.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The event.
    pub record: &'a Record<'a>,
    /// The state after the event.
    pub state: &'a State,
    /// What the state said about the event.
    pub context: &'a Context,
    /// Everything else.
    pub env: &'a Environment,
    thread_ix: Option<ThreadIx>,
    thread: Option<&'a Thread>,
    descriptor: Option<&'a Descriptor>,
}

impl<'a> EventView<'a> {
    /// A view of an event that the state has just processed.
    #[must_use]
    #[inline]
    pub fn new(
        record: &'a Record<'a>,
        state: &'a State,
        context: &'a Context,
        env: &'a Environment,
    ) -> Self {
        let thread_ix = context.thread.or_else(|| state.by_tid(record.tid));
        Self {
            record,
            state,
            context,
            env,
            thread_ix,
            thread: thread_ix.map(|ix| state.thread(ix)),
            descriptor: state.event_descriptor(context),
        }
    }

    /// Index of the event's thread, if the table has one: it may be a stand-in for a thread of which nothing is known.
    ///
    /// Events that belong to no thread in the state's eyes (process statistics, scheduler notices) still carry a
    /// thread's number.
    #[must_use]
    #[inline]
    pub fn thread_ix(&self) -> Option<ThreadIx> {
        self.thread_ix
    }

    /// The event's thread, if it is known.
    #[must_use]
    #[inline]
    pub fn thread(&self) -> Option<&'a Thread> {
        self.thread
    }

    /// The descriptor that the event is about, if it is known.
    #[must_use]
    #[inline]
    pub fn descriptor(&self) -> Option<&'a Descriptor> {
        self.descriptor
    }

    /// The descriptor with this number in the event's process.
    #[must_use]
    pub fn descriptor_numbered(&self, fd: i64) -> Option<&'a Descriptor> {
        if self.context.fd == Some(fd) {
            return self.descriptor();
        }
        self.state.descriptor(self.thread_ix()?, fd)
    }

    /// Record of the event's container.
    #[must_use]
    pub fn container(&self) -> Option<&'a Container> {
        if let Some(container) = &self.context.container {
            return Some(container);
        }
        let id = self.thread()?.container_id();
        let found = self.state.container(id);
        let awaits = match found {
            Some(found) => found.pending == Pending::More,
            None => self.state.container_metadata(id) == Metadata::Pending,
        };
        if awaits {
            self.await_container();
        }
        found
    }

    /// What the file is that the event's program was loaded from.
    pub(crate) fn program(&self) -> Option<Program<'a>> {
        let program = self.state.program(self.thread()?);
        if matches!(program, Program::Pending) {
            self.await_container();
        }
        Some(program)
    }

    /// Notes that something was asked that is not known yet.
    pub(crate) fn await_container(&self) {
        self.env.awaits_container.store(true, Ordering::Relaxed);
    }

    /// Notes that an address was asked for.
    pub(crate) fn await_address(&self, container: &Container) {
        if container.pending == Pending::Address && self.context.container.is_none() {
            self.await_container();
        }
    }
}

/// Under what results that hang on the thread of an event may be kept: what [`EventView`] says of it,
/// without a view of the event.
#[must_use]
#[inline]
pub fn keep(state: &State, context: &Context) -> Option<Keep> {
    keep_of(state, context, context.thread?)
}

#[inline]
fn keep_of(state: &State, context: &Context, ix: ThreadIx) -> Option<Keep> {
    let thread = state.thread(ix);
    // The container that an event brings along is not the thread's; and as long as something is on
    // its way, each event that asks for it has to be seen to ask.
    if context.container.is_some()
        || state.awaits_container_of(thread)
        || state.awaits_program_of(thread)
    {
        return None;
    }
    Some(Keep {
        slot: ix.slot(),
        own: thread.generation,
        shared: state.epoch(),
    })
}

impl FieldSource for EventView<'_> {
    #[inline]
    fn keep(&self) -> Option<Keep> {
        keep_of(self.state, self.context, self.thread_ix?)
    }

    #[inline]
    fn extract<'s>(
        &'s self,
        field: &FieldRef,
        purpose: Purpose,
        scratch: &'s Bump,
    ) -> Option<Value<'s>> {
        extract::value(self, field, purpose, scratch)
    }
}
