//! The fields of the system call zoo, as they are live: about ninety of every event, and the texts of its
//! parameters, compared with what the original showed for it (corpus, folder `golden/live`).
//!
//! The bytes of the events are compared by the probe's own test of the zoo; here it is what state and
//! fields make of them while they come. Needs what that test needs.

#![allow(clippy::unwrap_used, reason = "a test")]

mod compare;
mod record;
#[path = "../../../probe/tests/zoo/roles.rs"]
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
fn fields_equal_those_of_the_original() {
    let Some(shared) = shared() else {
        return left_out("the corpus with the zoo is not here");
    };
    if let Err(error) = probe::support().check() {
        return left_out(&error.to_string());
    }
    let golden = compare::Golden::read(&shared.join("corpus/golden/live/events.json.gz"));
    let source = shared.join("tools/live/syscall-zoo.c");
    // Parents and children race in some sub-tests: those that differ are looked at again.
    let mut only: Vec<String> = Vec::new();
    for round in 0..5 {
        let events = record::record(&source, golden.fields());
        let subtests = roles::cut(&events);
        let outcome = compare::compare(&golden, &subtests, &only);
        println!("{}", outcome.text);
        assert!(
            round > 0 || outcome.values > 200_000,
            "{} values compared",
            outcome.values
        );
        if outcome.subtests.is_empty() {
            return;
        }
        only = outcome.subtests;
    }
    panic!("unexplained differences in {}", only.join(", "));
}
