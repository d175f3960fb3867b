//! `peregrine test`: the tests of rules, without privilege.
//!
//! `files` which suites there are and which rules they are about; `stage` plays a test on the ordinary state, fields and
//! engine; `verdict` compares what came with what was wanted; `coverage` which clauses were ever true and ever false;
//! `report` all of it as text, JSON or JUnit's XML.

pub(super) mod coverage;
pub(super) mod files;
mod report;
pub(super) mod stage;
pub(super) mod verdict;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::cli::{Test, TestForm};
use crate::output;

use coverage::Coverage;
use files::Found;
use report::{Outcome, Report};
use stage::Stage;

/// Runs the tests of all files that are named.
pub(crate) fn run(args: &Test) -> Result<u8> {
    let suites = files::gather(&args.files, &args.rules.rules)?;
    if suites.iter().all(|suite| suite.suite.tests.is_empty()) {
        bail!(
            "there are no tests in these files: a rule has them under `tests:`, a file beside it as a mapping with `rules` and `tests`"
        );
    }
    let mut report = Report::default();
    for found in &suites {
        play(found, args, &mut report)?;
    }
    if let (Some(only), true) = (&args.only, report.outcomes.is_empty()) {
        bail!("no test, and no rule that has tests, is called anything with \"{only}\"");
    }
    match args.format {
        TestForm::Text => output::print(&report.text(args.coverage, args.verbose))?,
        TestForm::Json => output::print(&format!("{:#}\n", report.json()))?,
        TestForm::Junit => output::print(&report.junit())?,
    }
    Ok(u8::from(report.failed() > 0))
}

fn play(found: &Found, args: &Test, report: &mut Report) -> Result<()> {
    let wanted = |name: &str| {
        args.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let tests: Vec<_> = found
        .suite
        .tests
        .iter()
        .filter(|test| wanted(&test.name) || test.rule.as_deref().is_some_and(wanted))
        .collect();
    if tests.is_empty() {
        return Ok(());
    }
    let loaded = found.load()?;
    let mut stage = Stage::new(&loaded, &found.suite)?;
    let mut coverage = Coverage::default();
    for test in tests {
        let begun = Instant::now();
        let faults = match stage.play(test, found, &mut coverage) {
            Ok(played) => verdict::compare(test, &played, &mut stage),
            Err(fault) => vec![fault],
        };
        report.outcomes.push(Outcome {
            file: found.name.clone(),
            line: found.line(test.offset),
            name: test.name.clone(),
            rule: test.rule.clone(),
            faults,
            time: begun.elapsed(),
        });
    }
    report.coverage.extend(coverage.rules(&loaded));
    Ok(())
}
