//! `peregrine doctor`: what can be watched on this machine, and what that means for the rules.

use anyhow::Result;

use crate::cli;

/// Examines.
pub(crate) fn run(_args: &cli::Doctor) -> Result<u8> {
    Ok(0)
}
