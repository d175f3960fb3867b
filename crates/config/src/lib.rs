//! Configuration: `falco.yaml` and `peregrine.yaml`, which are the same format under two names.
//!
//! ```
//! use config::{Override, Request, load};
//!
//! let overrides = [Override::parse("json_output=true").unwrap()];
//! let request = Request {
//!     base: Some("priority: warning\nrules_files: [a.yaml]\n"),
//!     overrides: &overrides,
//!     ..Request::default()
//! };
//! let loaded = load(&request).unwrap();
//! assert!(loaded.settings.outputs.json_output);
//! assert_eq!(loaded.settings.priority.name(), "Warning");
//! ```
//!
//! A file becomes a [`tree`] that knows the place of each node; the tree is [`expand`]ed, checked
//! against the [`schema`], merged with included files ([`mod@load`]), changed by [`option`]s, and
//! read as [`settings`]. All findings are collected; only what must not be guessed is an error.

#![forbid(unsafe_code)]

pub mod code;
pub mod effective;
pub mod expand;
pub mod load;
pub mod option;
pub mod past;
mod read;
pub mod scalar;
pub mod schema;
pub mod settings;
pub mod tree;

pub use code::CODES;
pub use load::{Loaded, Rejected, Request, load};
pub use option::{OptionError, Override};
pub use schema::{CONFIG_SCHEMA, SchemaStatus};
pub use settings::Settings;
pub use tree::Node;
