//! Every event type that the driver sends, made on purpose, and looked at to the last byte.
//!
//! A row is a small piece of program on a thread of its own. It makes calls (some succeed, some
//! fail) and says after each what events it must have caused, with values worked out from what it
//! did. A last check goes over the event table: a type that no row covers must be listed with a
//! reason, and so must a type that was seen to succeed only, or to fail only.
//!
//! Needs root and a kernel with BTF; says what it leaves out otherwise, and fails instead under
//! PEREGRINE_REQUIRE_LIVE=1.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    unsafe_code,
    missing_docs,
    unreachable_pub,
    reason = "a test that makes raw system calls"
)]

#[macro_use]
mod stage;
mod compat;
mod coverage;
mod descriptors;
mod directories;
mod elf;
mod exec;
mod files;
mod identity;
mod ipc;
mod kernel;
mod memory;
mod messages;
mod network;
mod process;
mod raw;
mod signals;
mod value;
mod waiting;

use stage::Row;

fn rows() -> Vec<Row> {
    [
        files::ROWS,
        directories::ROWS,
        descriptors::ROWS,
        waiting::ROWS,
        network::ROWS,
        messages::ROWS,
        memory::ROWS,
        identity::ROWS,
        process::ROWS,
        signals::ROWS,
        exec::ROWS,
        ipc::ROWS,
        kernel::ROWS,
        compat::ROWS,
    ]
    .concat()
}

#[test]
fn every_event_type_has_the_right_parameters() {
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return;
    }
    // Who runs this in the background may have had it ignored, and children inherit that.
    // SAFETY: the default has no handler.
    unsafe { libc::signal(libc::SIGQUIT, libc::SIG_DFL) };
    let outcome = stage::perform(&rows());
    println!(
        "{} rows, {} events compared, {} types",
        outcome.rows,
        outcome.compared,
        outcome.seen.len()
    );
    let mut faults = outcome.faults;
    // With rows picked by name, most types are missing on purpose; and other kernels may lack calls.
    if std::env::var_os("PEREGRINE_ROWS").is_none() && stage::backend() == probe::Backend::Dispatch
    {
        faults.extend(coverage::gaps(&outcome.seen));
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
