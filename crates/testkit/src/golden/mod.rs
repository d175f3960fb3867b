//! Comparisons with what the original printed for the corpus.

mod event_fields;
pub mod events;
pub mod value;
