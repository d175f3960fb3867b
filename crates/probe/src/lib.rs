//! The live kernel as a source of events.
//!
//! BPF programs (folder `bpf/`, in C) look at the system calls and tracepoints that are asked for
//! and write one record for each into ring buffers, in the layout of the capture file. The reader
//! hands them out in place, in the order of time. Nothing is pinned: when the process ends, however
//! it ends, the kernel detaches everything.
//!
//! ```no_run
//! use std::time::Duration;
//! use probe::{Options, Probe};
//!
//! let mut probe = Probe::open(&Options::default())?;
//! loop {
//!     while let Some(event) = probe.next() {
//!         println!("{} {} {}", event.record.ts, event.record.tid, event.record.info.name);
//!     }
//!     probe.wait(Duration::from_secs(1))?;
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), probe::Error>(())
//! ```
//!
//! - [`Options`]: what to watch and how much memory to use for it.
//! - [`Probe`]: the loaded programs and the reader. [`Probe::attached`] says what was attached.
//! - [`Choice`]: the way of attaching that is taken on this machine, why, and what was measured for it.
//! - [`Counters`]: what was received and what was lost, by class of event and CPU.
//! - [`Probe::intact`]: whether the programs are still where they were put and see calls. Cheap enough for
//!   every health check: whoever reports health should ask it, for a probe that was taken apart is
//!   silent otherwise.
//!
//! Lanes: events that build the process tree (clone, exec, exit) and those of credentials (set*id, ...)
//! have buffers of their own, which a flood of I/O cannot fill; a process that floods that of credentials is
//! sent to the bulk for a while. Where the reader falls behind so far that events of the process tree are about
//! to be lost, it gives up what waits in the bulk, counted like all that is lost. CPUs that come later share the buffers of others. Order: the reader holds events back
//! for [`SETTLE`] and then merges all buffers by time, so an event that was being written on one CPU
//! while a later one was already there on another still comes first.
//!
//! Foreign crates that need `unsafe` around the mapped memory stay in here; the modules that do are
//! `ring`, `shared`, `btf`, `leftovers` and `reduced`.

#![allow(
    unsafe_code,
    reason = "memory shared with the kernel; each block says why it is sound"
)]

mod attach;
mod btf;
mod choice;
mod counters;
mod damage;
mod error;
mod filtering;
mod filters;
mod functions;
mod lanes;
mod layout;
pub mod leftovers;
mod loader;
mod names;
mod objects;
mod options;
mod plan;
mod precedence;
mod programs;
mod reader;
mod reduced;
mod ring;
pub mod room;
mod shared;
mod support;
mod tracefs;
mod unread;
mod uring;

pub use choice::{CallCosts, Choice};
pub use counters::{Class, Counters, CpuCounters, LossMeter, Losses};
pub use damage::Damage;
pub use error::Error;
pub use filters::{Access, Filters, IMAGE_BITS, Kind};
pub use loader::{Attached, Attachment};
pub use names::name_calls;
pub use options::{Backend, BufferSize, Options, SelfFilter, Syscalls, Tracepoints};
pub use precedence::{NICENESS, niceness, take_precedence};
pub use programs::{ProgramCost, refused_programs, verifier_costs};
pub use reader::{Event, EventClock, Probe, SETTLE};
pub use support::{Support, support};
pub use unread::Unread;
pub use uring::io_uring_syscalls;
