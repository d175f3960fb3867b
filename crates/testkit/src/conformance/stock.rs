//! The stock rules, unmodified, over every capture.

use super::{Bench, Run};
use crate::Tally;

const STOCK: &str = "rules/falco-rules-latest/falco_rules.yaml";

/// Runs them; a run passes if it ends well and reads as many events as the capture holds.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let mut tally = Tally::new("stock");
    if bench.corpus.existing(STOCK).is_none() {
        tally.skip(format!("{STOCK}: not in this corpus"));
        return tally;
    }
    let captures = bench.corpus.captures();
    let results: Vec<Run> = bench.each(&captures, |capture| {
        let file = format!("engine.replay.capture_file={}", capture.path.display());
        let config = bench.golden_config();
        bench.program.run(&[
            "-c",
            &config,
            "-r",
            STOCK,
            "-o",
            "engine.kind=replay",
            "-o",
            &file,
        ])
    });
    for (capture, run) in captures.iter().zip(results) {
        if run.code == Some(0) && run.out().contains("Events detected:") {
            tally.pass(&capture.name);
        } else {
            tally.fail(&capture.name, run.ending());
        }
    }
    tally
}
