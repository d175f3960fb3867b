//! Alerts of containers say which container it was: against Docker, Podman, containerd and its side
//! for Kubernetes, each started by the test. They need root and BPF: `PEREGRINE_REQUIRE_LIVE=1`
//! makes their absence a failure, otherwise they say so and pass.
//!
//! `PEREGRINE_CONTAINERS=200` starts so many short-lived containers with each runtime; otherwise
//! Podman, which is slower than the others, has fewer.
//!
//! Modules: `life` what each runtime's containers go through, `fields` a value for every field,
//! `named` containers that nobody can be asked about, `troubles` runtimes that are slow or away,
//! `hostile` containers that lie, `carried` recordings, `tour` the guided tour of the documentation;
//! `runtimes`, `pods`, `servers` and `watching` are the stage.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod carried;
mod fields;
mod hostile;
mod life;
mod named;
mod pods;
mod runtimes;
mod servers;
mod tour;
mod troubles;
mod watching;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use runtimes::{Bench, Runtime};

/// One runtime at a time: the machine is small.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stage, for one test at a time, where this machine can be watched.
fn stage() -> Option<(MutexGuard<'static, ()>, Bench)> {
    let alone = alone();
    live().then(|| (alone, Bench::new()))
}

/// The stage and Docker on it.
fn docker_here() -> Option<(MutexGuard<'static, ()>, Bench, Runtime)> {
    let (alone, bench) = stage()?;
    let docker = bench.docker()?;
    Some((alone, bench, docker))
}

/// Whether this machine can be watched; says so where not.
fn live() -> bool {
    let run = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .arg("doctor")
        .output()
        .unwrap();
    if !run.status.success() {
        runtimes::left_out("the kernel cannot be watched from here");
    }
    run.status.success()
}
