//! What a service needs besides the event loop: reloading, metrics, the web server, the supervisor's
//! watchdog. The loop does its part between two events; everything else has its own thread.

pub(crate) mod activity;
pub(crate) mod board;
pub(crate) mod notify;
pub(crate) mod page;
pub(crate) mod reload;
pub(crate) mod service;
pub(crate) mod telemetry;

use std::path::PathBuf;

use anyhow::Result;

use crate::pipeline::Compiled;

/// Loads and compiles everything anew; what it returns second are the files and directories that
/// were looked at.
pub(crate) type Prepare = Box<dyn Fn() -> Result<(Compiled, Vec<PathBuf>)> + Send>;

/// What makes a run a service.
pub(crate) struct Daemon {
    /// For reloads.
    pub(crate) prepare: Prepare,
    /// Files and directories that were loaded at the start.
    pub(crate) inputs: Vec<PathBuf>,
    /// What they said then: [`reload::fingerprint`].
    pub(crate) seen: u64,
}
