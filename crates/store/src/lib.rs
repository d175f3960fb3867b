//! Alerts that are kept on this machine, to be looked at later: by the local page, and by commands
//! that read beside a running service.
//!
//! ```
//! # fn main() -> Result<(), store::Error> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let file = folder.path().join("alerts.sqlite");
//! use store::{Alert, Limits, Query, Store};
//!
//! let mut store = Store::open(&file, Limits::default())?;
//! store.add(&[Alert { rule: "Shell in container".into(), ..Alert::default() }])?;
//!
//! let reader = Store::read(&file)?;
//! for kept in reader.find(&Query::default(), 10)? {
//!     println!("{} {}", kept.id, kept.alert.rule);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`alert`] is what is kept, [`database`] where (SQLite, in this crate and nowhere else), [`feed`] how
//! the event loop hands alerts over without ever waiting for the disk, [`incident`] which belong together.

#![forbid(unsafe_code)]

pub mod alert;
pub mod database;
pub mod feed;
pub mod incident;

pub use alert::{Alert, Event, Kept, Process, Thing, Touched};
pub use database::{Counts, Error, Limits, Query, Store};
pub use feed::{Feed, Shared};
pub use incident::Incident;
