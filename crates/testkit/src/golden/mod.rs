//! Comparisons with what the original printed for the corpus.

pub mod accounts;
mod event_fields;
pub mod events;
pub mod value;
