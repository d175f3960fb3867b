//! The Kubernetes audit source: audit events from JSON, and the fields `ka.*` and `jevt.*`.
//!
//! ```
//! use audit::{Body, Catalogue, Limits, View};
//! use filter::{FieldSource, Purpose, Schema, Value};
//!
//! let body = br#"{"kind": "Event", "auditID": "1", "verb": "create",
//!                 "stageTimestamp": "2024-05-01T10:00:00.5Z"}"#;
//! let body = Body::parse(body, &Limits::default()).unwrap();
//! let event = body.events().next().unwrap();
//! assert_eq!(event.time, 1_714_557_600_500_000_000);
//!
//! let field = Catalogue::new().resolve("ka.verb").unwrap().field;
//! let view = View::new(event.node, event.time);
//! let scratch = bumpalo::Bump::new();
//! assert_eq!(view.extract(&field, Purpose::Text, &scratch), Some(Value::Bytes(b"create")));
//! ```
//!
//! Modules: [`json`] reads a document into a flat tree over its compact text, [`body`] finds the events in
//! it, [`split`] cuts a stream into documents, [`catalogue`] from names to numbers, [`mod@view`] from numbers
//! to values.
//!
//! # Invariants
//!
//! - No bytes make it panic, recurse or take more memory than [`Limits`] allow.
//! - A value that is no string is shown as it was written, without blanks: keys in their order, numbers with
//!   their digits.
//! - One bad event costs itself, never its neighbours.
//!
//! # Three generations in one
//!
//! The fields were built into early releases, became lists later and moved into a plugin at last. Rule files
//! of all three load. Where they differ, this holds:
//!
//! - Several values are a list (`in`, `intersects`, `exists`); the text operators (`contains`, `startswith`, ...) see the
//!   list's text as the first generation had it: `["get","list"] ["*"]`.
//! - An index picks an element of every array on the way; `ka.req.container.image[1]` still works.
//! - What a generation got plainly wrong is put right: `ka.sourceips` are the client's addresses,
//!   `eff_run_as_user` looks into security contexts, a registry's port does not end an image's name,
//!   `add_capabilities` and `service.ports` are lists of their elements.
//! - `jevt.time` and `jevt.time.iso8601` of the first generation exist.

#![forbid(unsafe_code)]

pub mod body;
pub mod catalogue;
mod image;
pub mod json;
pub mod split;
mod uri;
pub mod view;
mod walk;

pub use body::{Body, Event, Limits, Refusal};
pub use catalogue::Catalogue;
pub use json::{Document, Node};
pub use split::Splitter;
pub use view::{Session, View};

/// Name of the event source.
pub const SOURCE: &str = "k8s_audit";

/// The number by which captures know the source's events.
pub const PLUGIN_ID: u32 = 1;
