//! The system call zoo under the probe, compared event by event with what Falco's own driver sent
//! for it (corpus, folder `golden/live`).
//!
//! Needs root, a kernel with BTF, gcc, and the shared corpus with the zoo's source beside it. What
//! is missing is said; PEREGRINE_REQUIRE_LIVE=1 makes it a failure.

#![allow(clippy::unwrap_used, reason = "a test")]

mod compare;
mod record;
mod roles;

use std::path::PathBuf;

/// The folder above the corpus, if it is there.
fn shared() -> Option<PathBuf> {
    let corpus = std::env::var_os("PEREGRINE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let shared = corpus.parent()?.to_owned();
    let complete = corpus.join("golden/live/events.json.gz").exists()
        && shared.join("tools/live/syscall-zoo.c").exists();
    complete.then_some(shared)
}

fn left_out(why: &str) {
    assert!(
        std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
        "live tests are required, but {why}"
    );
    eprintln!("left out: {why}");
}

#[test]
fn events_equal_those_of_the_original_driver() {
    let Some(shared) = shared() else {
        return left_out("the corpus with the zoo is not here");
    };
    if let Err(error) = probe::support().check() {
        return left_out(&error.to_string());
    }
    let golden = compare::Golden::read(&shared.join("corpus/golden/live/events.json.gz"));
    let source = shared.join("tools/live/syscall-zoo.c");
    let mut only: Vec<String> = Vec::new();
    // Some sub-tests are races between a parent and its child, whose winner differs: the zoo is run
    // again for those that differ. (Not alone: its arguments would differ then.)
    let mut report = None;
    // In an emulator, where a round takes long and other kernels differ anyway, fewer are enough.
    let rounds = std::env::var("PEREGRINE_ZOO_ROUNDS");
    for left in (0..rounds.map_or(5, |rounds| rounds.parse().unwrap())).rev() {
        let events = record::record(&source);
        let subtests = roles::cut(&events);
        let outcome = compare::compare(&golden, &subtests, &only, left == 0);
        println!("{}", outcome.text);
        only.clone_from(&outcome.subtests);
        report = Some(outcome);
        if only.is_empty() {
            break;
        }
    }
    let report = report.expect("at least one round");
    assert_eq!(
        report.differences, 0,
        "{} unexplained differences",
        report.differences
    );
}
