//! Counters and how they are told.

#![forbid(unsafe_code)]
