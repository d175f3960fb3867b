//! What the tests of this workspace share: where the corpus lies, how its files are read, how results
//! are counted, and which differences are known.
//!
//! Used by tests and by the conformance runner only; no shipped crate depends on it.
//!
//! ```no_run
//! use testkit::{Tally, corpus, known::KnownDifferences};
//!
//! let Some(corpus) = corpus::find("golden events") else { return };
//! let mut tally = Tally::new("captures");
//! for capture in corpus.captures() {
//!     match std::fs::metadata(&capture.path) {
//!         Ok(_) => tally.pass(&capture.name),
//!         Err(e) => tally.fail(&capture.name, e.to_string()),
//!     }
//! }
//! tally.finish(&KnownDifferences::of_kind("captures")).assert_ok();
//! ```
//!
//! Modules: [`corpus`] finds corpus and specification, [`jsonl`] reads JSON lines, [`tally`] counts,
//! [`known`] holds the known differences, [`golden`] compares with recorded results, [`workload`]
//! makes long synthetic streams, [`many_rules`] rule sets of any size, [`load`] makes a live machine work
//! and counts, [`crowd`] fills it with processes, [`plugins`] builds sample plugins, [`port`] finds
//! places to listen.

#![forbid(unsafe_code)]

pub mod conformance;
pub mod corpus;
pub mod crowd;
pub mod golden;
pub mod incident;
pub mod jsonl;
pub mod known;
pub mod load;
mod many_rules;
pub mod plugins;
pub mod port;
pub mod tally;
pub mod workload;

pub use corpus::Corpus;
pub use known::KnownDifferences;
pub use many_rules::many_rules;
pub use tally::{Outcome, Tally};
