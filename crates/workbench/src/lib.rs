//! What rule writers work with.
//!
//! [`scenario`] makes records of events that a person wrote down, for tests of rules.
//!
//! It opens no file and prints nothing: texts come in, and texts, edits and records go out.

#![forbid(unsafe_code)]

pub mod scenario;
pub mod words;
