//! What an event is: the table of types, parameters and flags, and the view of one record.
//!
//! No I/O, no state. The same bytes come from the kernel's ring buffer, from a capture file and
//! from a test's builder, so everything above this crate is the same live and in replay.
//!
//! ```
//! use event::{EventCode, codes};
//!
//! let open = EventCode::new(codes::SYSCALL_OPENAT_2_X).info().unwrap();
//! assert_eq!(open.name, "openat");
//! assert_eq!(open.params[0].name, "fd");
//! ```
//!
//! Modules: [`info`] the rows' types, [`table`] the rows, [`types`] parameter types, [`record`] the
//! view of one event's bytes, [`build`] its counterpart that makes such bytes, [`sock`] socket
//! addresses inside parameters, [`snapshot`] what a machine looked like at the start, [`errno`] and
//! [`signal`] names.

#![forbid(unsafe_code)]

pub mod build;
pub mod errno;
pub mod info;
pub mod record;
pub mod signal;
pub mod snapshot;
pub mod sock;
pub mod table;
pub mod types;

pub use build::RecordBuilder;
pub use info::{Category, EventFlags, EventInfo, ParamInfo, Source};
pub use record::{EventCode, Record, RecordError, RecordFlags, Spread};
pub use sock::{SockAddr, SockTuple};
pub use table::{codes, constants, events::EVENTS, flags, syscalls};
pub use types::{ParamType, Print};
