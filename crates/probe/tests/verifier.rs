//! What the verifier spends on each program, against a budget (`verifier-budget.txt`).
//!
//! The budget of a program is what it cost when the file was written, and half as much again:
//! kernels count differently. `UPDATE=1` writes the file anew.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use probe::{Backend, verifier_costs};

#[test]
fn programs_stay_within_their_budget() {
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier-budget.txt");
    let costs = verifier_costs(Backend::Dispatch).unwrap_or_else(|error| panic!("{error}"));
    assert!(verifier_costs(Backend::Tracepoint).is_ok());
    if std::env::var("UPDATE").is_ok() {
        let mut text =
            String::from("# program, instructions, instructions the verifier went through\n");
        for cost in &costs {
            let _ = writeln!(
                text,
                "{} {} {}",
                cost.name, cost.instructions, cost.verified
            );
        }
        std::fs::write(&path, text).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let budget: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.nth(1)?.parse().ok()?))
        })
        .collect();
    for cost in costs {
        let Some(&written) = budget.get(cost.name.as_str()) else {
            panic!("{} has no budget: run this test with UPDATE=1", cost.name);
        };
        let allowed = written + written / 2 + 100;
        assert!(
            u64::from(cost.verified) <= allowed,
            "{}: {} instructions verified, {allowed} allowed",
            cost.name,
            cost.verified
        );
    }
}
