//! Rule files into a checked rule set.
//!
//! Opens no file: names and bytes come in, a [`RuleSet`] and findings go out. State accumulates
//! over files, and after every file the whole of it is compiled again, as the rules language
//! demands.
//!
//! ```text
//!  bytes ─► yaml ─► reader ─► state ──────► expansion ─► compile ─► RuleSet
//!           tree    items     definitions   lists,       fields,
//!                             so far        macros       outputs, event types
//! ```
//!
//! Modules in that order: [`yaml`], `reader` (with [`definition`] for what it makes), `state`,
//! `expansion` and `exception`, `compile` with `events` and `output`. [`finding`] and [`context`]
//! are what is said on the way; [`result`] puts it into the form of Falco's results, [`describe`]
//! the rules into that of its listings, [`schema`] is the advisory check against the published
//! schema, [`select`] switches rules on and off. [`stateful`] is about rules that remember.

#![forbid(unsafe_code)]

pub mod code;
pub mod codes;
mod compile;
pub mod context;
pub mod definition;
pub mod describe;
mod events;
mod exception;
mod expansion;
pub mod finding;
mod loader;
pub mod options;
mod origin;
mod output;
pub mod priority;
mod reader;
pub mod result;
pub mod ruleset;
pub mod schema;
pub mod select;
mod state;
pub mod stateful;
pub mod yaml;

pub use codes::CodeSet;
pub use definition::Version;
pub use finding::{Class, Finding};
pub use loader::{Loaded, Loader};
pub use options::{AppendOutput, Options, Plugin};
pub use priority::Priority;
pub use ruleset::{
    Change, Exception, ExtraField, List, Macro, Origin, PluginRequirement, PluginVersion, Rule,
    RuleSet,
};
pub use state::ENGINE_VERSION;
