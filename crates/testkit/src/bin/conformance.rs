//! Runs the conformance cases of a corpus against a binary: `conformance --peregrine PATH [KIND...]`.
//!
//! Prints one line `KIND: N passed, M failed` for each kind and the failures below it. The exit code is
//! 1 if a case failed that is not in `tests/known-differences/`, or if an entry there is stale.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use testkit::conformance::{Bench, KINDS};
use testkit::{KnownDifferences, corpus};

const USAGE: &str =
    "usage: conformance --peregrine PATH [--limit N] [--jobs N] [--known] [KIND...]";

struct Options {
    program: PathBuf,
    limit: usize,
    jobs: usize,
    known: bool,
    kinds: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut program = None;
    let mut options = Options {
        program: PathBuf::new(),
        limit: 20,
        jobs: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        known: false,
        kinds: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match arg.as_str() {
            "--peregrine" => program = Some(PathBuf::from(value()?)),
            "--limit" => options.limit = number(value()?)?,
            "--jobs" => options.jobs = number(value()?)?,
            "--known" => options.known = true,
            kind if KINDS.iter().any(|k| k.name == kind) => options.kinds.push(arg),
            other => {
                let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
                return Err(format!(
                    "`{other}` is none of the kinds {}",
                    names.join(", ")
                ));
            }
        }
    }
    options.program = program.ok_or("--peregrine is missing")?;
    if !options.program.is_file() {
        return Err(format!("{}: no such file", options.program.display()));
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Some(corpus) = corpus::find("conformance") else {
        return ExitCode::SUCCESS;
    };
    let bench = match Bench::new(corpus, &options.program, options.jobs) {
        Ok(bench) => bench,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut failed, mut known) = (0, 0, 0);
    for kind in KINDS {
        if !options.kinds.is_empty() && !options.kinds.iter().any(|name| name == kind.name) {
            continue;
        }
        let start = Instant::now();
        let outcome = (kind.run)(&bench).finish(&KnownDifferences::of_kind(kind.name));
        println!(
            "{} ({}, {:.1} s)",
            outcome.report(options.limit),
            kind.about,
            start.elapsed().as_secs_f32()
        );
        if options.known {
            for (id, why, reason) in &outcome.known {
                println!(
                    "  KNOWN {id}: {reason}\n      {}",
                    why.replace('\n', "\n      ")
                );
            }
        }
        passed += outcome.passed;
        failed += outcome.failed.len();
        known += outcome.known.len();
    }
    println!("conformance: {passed} passed, {failed} failed, {known} known differences");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
