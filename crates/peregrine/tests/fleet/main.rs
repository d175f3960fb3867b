//! Many nodes, one engine: the files of `examples/fleet` as they stand, but for addresses and folders, with the
//! receivers that they are for. Nodes raise alerts all the while; the receivers are killed and started again;
//! at the end each alert of each node has arrived.
//!
//! Receivers that are not installed are left out, with a word; under PEREGRINE_REQUIRE_LIVE=1 that is a failure,
//! but for the collector, which comes from PyPI and needs the network.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a fault of the harness is a failed test"
)]

#[path = "../support/mod.rs"]
mod support;

mod collector;
mod engine;
mod http;
mod kafka;
mod nats;
mod node;
mod syslog;
