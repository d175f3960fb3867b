//! The outcome of all tests: for people, for tools, and as JUnit's XML.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::coverage::Covered;

/// A test that was played.
pub(super) struct Outcome {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) rule: Option<String>,
    /// Lines of a diff; none: passed.
    pub(super) faults: Vec<String>,
    pub(super) time: Duration,
}

/// All of them.
#[derive(Default)]
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) coverage: Vec<Covered>,
}

impl Report {
    /// Tests that failed.
    pub(super) fn failed(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| !outcome.faults.is_empty())
            .count()
    }

    fn time(&self) -> Duration {
        self.outcomes.iter().map(|outcome| outcome.time).sum()
    }

    /// Clauses, and those seen both ways.
    fn covered(&self) -> (usize, usize) {
        self.coverage.iter().fold((0, 0), |(all, both), one| {
            (all + one.clauses, both + one.both)
        })
    }

    pub(super) fn text(&self, coverage: bool, verbose: bool) -> String {
        let mut out = String::new();
        for outcome in &self.outcomes {
            if outcome.faults.is_empty() {
                if verbose {
                    let _ = writeln!(
                        out,
                        "ok    {}:{} {}",
                        outcome.file, outcome.line, outcome.name
                    );
                }
                continue;
            }
            let _ = writeln!(
                out,
                "FAIL  {}:{} {}",
                outcome.file, outcome.line, outcome.name
            );
            for line in &outcome.faults {
                let _ = writeln!(out, "      {line}");
            }
        }
        if coverage {
            self.gaps(&mut out);
        }
        let (clauses, both) = self.covered();
        let _ = writeln!(
            out,
            "{} tests, {} failed, {:.1} ms; {} rules tested, {both} of their {clauses} clauses were true on some event and false on some ({} %)",
            self.outcomes.len(),
            self.failed(),
            self.time().as_secs_f64() * 1000.0,
            self.coverage.len(),
            both * 100 / clauses.max(1),
        );
        out
    }

    fn gaps(&self, out: &mut String) {
        for covered in &self.coverage {
            let _ = writeln!(
                out,
                "{}: {} of {} clauses seen both ways",
                covered.rule, covered.both, covered.clauses
            );
            for (clause, gap, origin) in &covered.gaps {
                let origin = origin
                    .as_ref()
                    .map_or_else(String::new, |origin| format!("    [{origin}]"));
                let _ = writeln!(out, "  {gap:<12}{clause}{origin}");
            }
        }
        out.push('\n');
    }

    pub(super) fn json(&self) -> Value {
        let tests = self.outcomes.iter().map(|outcome| {
            json!({
                "file": outcome.file,
                "line": outcome.line,
                "name": outcome.name,
                "rule": outcome.rule,
                "passed": outcome.faults.is_empty(),
                "differences": outcome.faults,
                "microseconds": u64::try_from(outcome.time.as_micros()).unwrap_or(u64::MAX),
            })
        });
        let coverage = self.coverage.iter().map(|covered| {
            let gaps = covered.gaps.iter();
            json!({
                "rule": covered.rule,
                "clauses": covered.clauses,
                "both": covered.both,
                "gaps": gaps
                    .map(|(clause, gap, origin)| json!({"clause": clause, "gap": gap, "origin": origin}))
                    .collect::<Vec<_>>(),
            })
        });
        json!({
            "tests": tests.collect::<Vec<_>>(),
            "failed": self.failed(),
            "coverage": coverage.collect::<Vec<_>>(),
        })
    }

    pub(super) fn junit(&self) -> String {
        let mut files: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            files.entry(&outcome.file).or_default().push(outcome);
        }
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            out,
            "<testsuites tests=\"{}\" failures=\"{}\" time=\"{:.6}\">",
            self.outcomes.len(),
            self.failed(),
            self.time().as_secs_f64()
        );
        for (file, outcomes) in files {
            let failed = outcomes
                .iter()
                .filter(|outcome| !outcome.faults.is_empty())
                .count();
            let _ = writeln!(
                out,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
                escaped(file),
                outcomes.len()
            );
            for outcome in outcomes {
                let _ = write!(
                    out,
                    "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
                    escaped(outcome.rule.as_deref().unwrap_or("all rules")),
                    escaped(&outcome.name),
                    escaped(file),
                    outcome.line,
                    outcome.time.as_secs_f64()
                );
                if outcome.faults.is_empty() {
                    out.push_str("/>\n");
                } else {
                    let text = outcome.faults.join("\n");
                    let _ = writeln!(
                        out,
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        escaped(&outcome.faults[0]),
                        escaped(&text)
                    );
                }
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}

/// Text as XML may hold it: no control characters but line breaks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
