//! Fields of system call events.
#![forbid(unsafe_code)]

pub mod catalogue;

pub use catalogue::Catalogue;
