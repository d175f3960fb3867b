//! The attack suite: for each shipped rule what must make it fire, and what looks alike and must not.
//!
//! A [case](case::Case) is a few lines of text in `attacks/`. A [script](script) is what the actor (a small C program
//! under `actor/`) makes of it. A [stage](stage) is where it is performed: an own root, own processes, an own network. The
//! [monitor](monitor) is Peregrine, started from outside, and the [verdict](verdict) compares what it said with what it
//! should have said. Every event of a case carries the case's token in its process's environment, so it does not matter
//! what else goes on in the machine.
//!
//! Nothing of this belongs to the daemon, and nothing of the daemon is used here but its program.

#![forbid(unsafe_code)]

pub mod case;
pub mod monitor;
pub mod performance;
pub mod script;
pub mod stage;
pub mod verdict;

/// The environment variable that ties an event to a case.
pub const CASE_VARIABLE: &str = "PEREGRINE_CASE";

/// Rules for the suite alone: what is empty as shipped is filled, so that every rule can fire.
pub const TUNING: &str = include_str!("../attacks/tuning.yaml");

/// The shipped rule files, in the order in which users load them.
pub const RULE_FILES: [&str; 3] = [
    "rules/peregrine_rules.yaml",
    "rules/peregrine-incubating_rules.yaml",
    "rules/peregrine-sandbox_rules.yaml",
];
