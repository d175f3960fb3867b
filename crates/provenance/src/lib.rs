//! What the files are that programs were loaded from: SHA-256, package, whether they still are as packaged.
//!
//! Questions come from the state ([`state::ProgramQuestion`]), answers go back as records for the event
//! stream, so recordings carry them. All reading is done on threads of its own: a file system that never
//! answers costs one thread and the answers about what lies on it, nothing else.
//!
//! ```no_run
//! # fn ask(question: state::ProgramQuestion) -> std::io::Result<()> {
//! let mut provenance = provenance::Provenance::start("/".as_ref(), provenance::Meter::default())?;
//! provenance.ask(question);
//! while let Some(answer) = provenance.poll() {
//!     let record = answer.record(1_700_000_000_000_000_000);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The file is that of `/proc/PID/exe`, whatever became of its name since; the package database is the one
//! in the process's own root. Whoever may write that database may say of a file what he likes: it speaks
//! for its own root and no other. Everything that a container holds is foreign here: links stay inside its
//! root, sizes and counts are bounded, a database that makes no sense is unknown.
//!
//! Modules: `file` finds and digests; `dpkg`, `apk`, `rpm` are the databases, `database` is what they have
//! in common; `reader` answers one question; `worker` has the threads.

#![forbid(unsafe_code)]

mod apk;
mod database;
mod dpkg;
mod file;
mod header;
mod reader;
mod rpm;
mod worker;

pub use database::{Unreadable, of_machine};
pub use file::SIZE_MAX;
pub use worker::{Answer, Counters, Meter, Provenance};
