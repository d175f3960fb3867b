//! The schema's tables. They are data: long, ordered, and compared with the specification by a test.

#[rustfmt::skip]
#[allow(missing_docs, reason = "the schema's own names say all there is")]
pub mod codes;
#[rustfmt::skip]
#[allow(missing_docs, non_upper_case_globals, reason = "the schema's own names say all there is")]
pub mod constants;
#[rustfmt::skip]
pub mod events;
#[rustfmt::skip]
pub mod flags;
#[rustfmt::skip]
pub mod syscalls;
mod arm64;
