//! Events that a person wrote down, as the records that a machine would have sent.
//!
//! ```text
//!   execve: {proc.name: bash, proc.pname: sshd, container.id: 3ad7b26ded6d}
//!     │
//!     ├─ cast:    who the process is, its ancestors, its user, its container
//!     ├─ network: the ends of a connection
//!     └─ records: parameters by name, from what was written or from the cast
//!          │
//!          ▼
//!   what the state is told before (processes, descriptors, records)    and the event's record
//! ```
//!
//! Nothing here decides what a field shows: that is the engine's own work, on real records. Whoever
//! plays a scenario compares afterwards ([`Step::claims`]) what was written with what the fields show, so that
//! a value that could not be brought about is said and no test runs on anything else.

mod cast;
mod container;
mod identity;
mod names;
mod network;
mod records;
mod spec;
mod value;

pub use cast::Cast;
pub use records::Step;
pub use spec::{AlertWanted, EventSpec, Fault, Given, Suite, Test, Wanted};

/// Whether two texts are the same number, or result, in different words: `-13` and `EACCES`.
#[must_use]
pub fn same_number(a: &str, b: &str) -> bool {
    value::result(a).is_some() && value::result(a) == value::result(b)
}
