//! The condition language and the output templates.
//!
//! This crate knows no system call: names come through a [`Schema`], values through a
//! [`FieldSource`]. Four nouns in order are the whole interface: schema, filter, graph, source.

#![forbid(unsafe_code)]

pub mod schema;
pub mod value;

pub use schema::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Lifetime, Purpose, Quantifier, ResolveError,
    Schema,
};
pub use value::{Type, Value};
