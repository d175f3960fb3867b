//! The binary on the running kernel: what it alerts, that `record` and `replay` tell the same, that
//! hostile programs neither bring it down nor hide behind others, and that nothing of it stays.
//!
//! Needs root and BTF; says what it left out otherwise, and fails instead under
//! PEREGRINE_REQUIRE_LIVE=1.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod agreement;
mod alerts;
mod ending;
mod filters;
mod flight;
mod hostile;
mod incidents;
mod learned;
mod loss;
mod recording;
mod storm;
mod watch;
