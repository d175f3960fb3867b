//! The flight recorder: the last minutes of events in a bounded ring, and captures of what surrounds an
//! alert.
//!
//! ```text
//! event loop          press (thread)             saver (thread)
//! ----------          --------------             --------------
//! Recorder ──batches──► compressed frames ──ring──► capture files, from before the alert on
//!          ──standing─► begin of a segment  │
//!                                            └────► hunts: over the directory, or the socket
//! ```
//!
//! A segment is an ordinary capture, packed with zstd: the state as it stood, then events. Each of its
//! frames can be unpacked alone, so that whatever ends the process leaves all but the last second
//! readable. Segments go as a whole, the oldest first, and the one after then begins with the state that
//! its events need.
//!
//! The event path copies a record once and never waits. What the press cannot take is counted, and the
//! segment after such a gap begins with the state anew. Only a replay waits, for it must give the same
//! each time.
//!
//! A segment's first frame is the state, its second a note on what the ring is given, the others are events.
//!
//! Modules: [`recorder`] the event path's side, [`window`] what is kept of an alert, [`segment`] names,
//! [`held`], [`socket`] and [`strand`] how hunts read; inside, `batch` and `queue` between the threads, `press`,
//! `ring`, `directory`, `saver`.

#![forbid(unsafe_code)]

mod batch;
mod directory;
pub mod held;
mod press;
mod queue;
pub mod recorder;
mod ring;
mod saver;
pub mod segment;
pub mod socket;
pub mod strand;
pub mod window;

pub use directory::{Site, room, survey};
pub use held::{Held, Segments};
pub use recorder::{Counts, Options, Overflow, Recorder};
pub use segment::SegmentId;
pub use socket::Server;
pub use strand::{Met, Strand};
pub use window::{Notice, Wish};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a thread that panicked left is still a ring.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
