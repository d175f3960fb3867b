//! Host of Falco's plugin interface: shared objects that bring events, fields and more.
//!
//! ```no_run
//! use plugins::{Plugin, Spec};
//!
//! let spec = Spec::child("libdummy.so", std::env::current_exe().unwrap());
//! let mut plugin = Plugin::load(spec)?;
//! println!("{} {}", plugin.info().name, plugin.info().version);
//! plugin.init("{}")?;
//! plugin.open("100")?;
//! for event in plugin.next_batch().events {
//!     println!("{} bytes", event.len());
//! }
//! # Ok::<(), plugins::Error>(())
//! ```
//!
//! A plugin is C code of someone else's: it may crash, hang, leak, or hand out lengths that lie. So it runs in a child
//! process unless the configuration wants it in ours, for speed:
//!
//! ```text
//!   engine ── Plugin ── Remote ══ socket ══ child: serve ── Local ── shared object
//!                  └─── Local ── shared object              (in-process)
//! ```
//!
//! Modules: `library` finds the symbols, [`info`] is what a plugin says of itself, `local` calls it, `tables` answers
//! what it asks of us, `wire` and [`child`] and `remote` put a socket between, [`Plugin`] starts a child again that
//! died, [`field`] is what its fields are to conditions.
//!
//! # Invariants
//!
//! - Nothing that a plugin does in a child ends our process, and no call waits longer than its deadline.
//! - Every length from a plugin is checked before it is believed; an event is a well-formed record of one of the types
//!   that the plugin may make, or it is an error of the plugin's.
//! - A plugin's misbehaviour is told: [`Report`].
//!
//! # Versions
//!
//! We speak version 3.12 of the interface, and so load what was built for 3.0 to 3.12.
//!
//! # Tables
//!
//! Plugins read and write threads and descriptors of the state, keep fields of their own with them, and have tables for each
//! other, wherever they run: a child asks over its socket while its parent waits for the answer to a request. So a call says
//! what of the state it may touch ([`Access`]), and plugins of one stream share a [`Registry`].

mod backend;
pub mod child;
mod error;
pub mod field;
pub mod info;
mod injected;
mod library;
mod local;
mod plugin;
mod remote;
mod schema;
mod tables;
mod wire;

pub use error::Error;
pub use field::{Datum, Fields, Wanted};
pub use info::{Capability, Info};
pub use plugin::{Batch, BatchEnd, Counter, Event, Plugin, Report, Spec};
pub use tables::{Access, Registry};

/// The version of the interface that we speak.
pub const API_VERSION: (u64, u64, u64) = (3, 12, 0);
