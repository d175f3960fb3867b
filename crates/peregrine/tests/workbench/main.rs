//! The rule writer's workbench, as its user meets it: the binary from outside.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod editor;
mod files;
mod rule_tests;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod tuning;
