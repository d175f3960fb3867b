//! The state of a machine: threads, descriptors, users, interfaces and containers, as events tell.
//!
//! State changes only by events, and by what a capture or a scan says stood at the start. There is
//! no clock, file or network in here; a live source that can look things up answers through
//! [`Lookup`].
//!
//! ```
//! use event::{EventCode, Record, RecordBuilder, RecordFlags, codes, snapshot::Process};
//! use state::{Options, State};
//!
//! let mut state = State::new(Options::default());
//! state.load_process(&Process { tid: 7, pid: 7, ptid: 1, comm: b"cat", cwd: b"/tmp", ..Process::default() });
//! state.finish_load();
//!
//! let open = EventCode::new(codes::SYSCALL_OPENAT_2_X);
//! let bytes = RecordBuilder::new(open, 1_000, 7)
//!     .i64(3).i64(-100).text("notes").u32(1).u32(0).u32(0).u64(42).finish();
//! let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
//! let context = state.process(&record);
//!
//! let thread = context.thread.unwrap();
//! assert_eq!(state.thread(thread).comm(), b"cat");
//! assert_eq!(state.event_descriptor(&context).unwrap().name(), b"/tmp/notes");
//! ```
//!
//! Reading: [`State`] has the look-ups; [`Thread`], [`Image`], [`Descriptor`], [`DescriptorTable`],
//! [`Container`], [`User`], [`Group`] are what they find. A [`Context`] says what an event is about
//! and is valid until the next [`State::process`].
//!
//! Bounds: every table has a limit, what does not fit is counted in [`Counters`]; every text has a
//! longest length; walks up the ancestors end after [`MAX_ANCESTORS`].
//!
//! Modules: [`paths`] joins paths; [`needs`] says what is taken from each event type; `table` holds threads and their relations, `descriptors` the
//! numbers of one process; `life` is the order of steps for one event, `process`, `files`,
//! `sockets`, `credentials` what each kind of event does; `scan` brings a look at a running machine and its events together;
//! `names` is what addresses are called, `programs` what the files are that run;
//! `outside` is how plugins read and change threads and descriptors.

#![forbid(unsafe_code)]

mod accounts;
mod addresses;
mod container;
mod context;
mod credentials;
mod departures;
mod descriptor;
mod descriptors;
mod doubt;
mod enter;
mod excerpt;
mod exit;
mod exited;
mod files;
mod helper;
mod identity;
mod ids;
mod image;
#[cfg(test)]
mod invariants;
mod life;
mod live;
mod load;
mod messages;
mod names;
pub mod needs;
mod outside;
pub mod paths;
mod process;
mod programs;
mod save;
mod scan;
mod sockets;
mod state;
mod table;
mod thread;

pub use accounts::{Group, User};
pub use container::{
    Cgroups, Container, Engines, Family, Fixed, Identity, Kubernetes, Mesos, Metadata, Mount,
    Object, Pending, PortMapping, Probe, Sighting,
};
pub use context::{Context, Counters, Lookup, NoLookup, Options};
pub use descriptor::{Descriptor, DescriptorFlags, Kind, L4Proto, SocketName};
pub use descriptors::DescriptorTable;
pub use event::snapshot::{Interface, MachineInfo};
pub use identity::{ACCOUNTS_EVENT, UNKNOWN_EVENT, WAIT_EVENT, split_image};
pub use image::{Image, ImageFile};
pub use names::{NAME_PORT, NAMES_EVENT, Named, name_asked};
pub use outside::{Cell, FdField, ThreadField, ThreadList};
pub use programs::{
    Identity as ProgramIdentity, PROGRAM_EVENT, PROGRAM_WAIT_EVENT, Program, ProgramFile,
    ProgramQuestion, program_json,
};
pub use state::{MAX_ANCESTORS, State};
pub use thread::{Capabilities, Memory, Thread, ThreadFlags, ThreadIx};
