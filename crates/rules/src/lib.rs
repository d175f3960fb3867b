//! Rule files into a checked rule set.
//!
//! Opens no file: names and bytes come in, a [`RuleSet`] and diagnostics go out. State
//! accumulates over files, and after every file the whole of it is compiled again, as the
//! rules language demands.

#![forbid(unsafe_code)]

pub mod codes;
pub mod priority;
pub mod ruleset;

pub use codes::CodeSet;
pub use priority::Priority;
pub use ruleset::{
    Exception, ExtraField, List, Macro, PluginRequirement, PluginVersion, Rule, RuleSet,
};
