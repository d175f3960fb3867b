//! `peregrine attack`: a program of its own, `peregrine-attack`, called as if it were a command of this one.
//!
//! Attacks do not belong into a daemon that runs as root, so nothing of them is in this program; it only knows where the other
//! one lies: beside it, or where programs are looked for.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

const NAME: &str = "peregrine-attack";

/// Becomes the other program; returns only if there is none.
pub(crate) fn run() -> ExitCode {
    let beside = std::env::current_exe()
        .ok()
        .map(|own| own.with_file_name(NAME))
        .filter(|path| path.exists());
    let program = beside.unwrap_or_else(|| NAME.into());
    let why = Command::new(&program)
        .args(std::env::args_os().skip(2))
        .exec();
    eprintln!(
        "peregrine attack: cannot start {}: {why}\nIt is a program of its own, so that no attack is part of the daemon: install \
         {NAME} beside peregrine, or build it with cargo build --release --bin {NAME}",
        program.display()
    );
    ExitCode::from(2)
}
