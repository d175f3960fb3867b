//! Every event of every capture, converted, with its parameters and fields (`golden/events`).
//!
//! The one kind that does not run the binary: it would have to print two hundred fields of a hundred
//! thousand events. The comparison drives reader, state and fields as the binary does.

use std::collections::BTreeMap;

use super::Bench;
use crate::{Tally, golden};

/// Compares all captures that have a golden file; one case for each capture and field.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let golden = |name: &str| {
        bench
            .corpus
            .existing(format!("golden/events/{name}.jsonl.gz"))
    };
    let captures: Vec<_> = bench
        .corpus
        .captures()
        .into_iter()
        .filter_map(|capture| golden(&capture.name).map(|golden| (capture, golden)))
        .collect();
    let results = bench.each(&captures, |(capture, golden)| {
        golden::events::compare_one(&capture.path, golden)
    });
    let mut all = BTreeMap::new();
    let mut broken = Vec::new();
    for ((capture, _), result) in captures.iter().zip(results) {
        match result {
            Ok(counts) => drop(all.insert(capture.name.clone(), counts)),
            Err(why) => broken.push((capture.name.clone(), why.to_string())),
        }
    }
    let mut tally = golden::events::tally(&all);
    if captures.is_empty() {
        tally.skip("golden/events: not in this corpus");
    }
    broken
        .into_iter()
        .for_each(|(name, why)| tally.fail(name, why));
    tally
}
