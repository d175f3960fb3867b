//! Writes the sample incident: `make-sample [FILE]`, by default `samples/incident.scap`.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use testkit::{corpus::workspace_root, incident};

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).map_or_else(
        || workspace_root().join("samples/incident.scap"),
        PathBuf::from,
    );
    match incident::capture_file().and_then(|bytes| std::fs::write(&path, bytes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}: {why}", path.display());
            ExitCode::FAILURE
        }
    }
}
