//! Counts cases of one kind: passed, failed, differing as known, skipped.

use std::fmt::Write as _;

use crate::known::KnownDifferences;

/// Results of one kind of cases while they come in.
#[derive(Clone, Debug)]
pub struct Tally {
    kind: String,
    passed: Vec<String>,
    failed: Vec<(String, String)>,
    skipped: Vec<String>,
}

/// Results of one kind, seen in the light of the known differences.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The kind.
    pub kind: String,
    /// How many cases passed.
    pub passed: usize,
    /// Ids and explanations of the cases that failed, stale known differences among them.
    pub failed: Vec<(String, String)>,
    /// Ids, explanations and reasons of the cases that differ as known.
    pub known: Vec<(String, String, String)>,
    /// What could not be run, in words.
    pub skipped: Vec<String>,
}

impl Tally {
    /// Starts to count a kind.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            passed: Vec::new(),
            failed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Counts a case that passed.
    pub fn pass(&mut self, id: impl Into<String>) {
        self.passed.push(id.into());
    }

    /// Counts a case that failed; `why` may have several lines.
    pub fn fail(&mut self, id: impl Into<String>, why: impl Into<String>) {
        self.failed.push((id.into(), why.into()));
    }

    /// Counts a case by its list of faults: none is a pass.
    pub fn case(&mut self, id: impl Into<String>, faults: &[String]) {
        if faults.is_empty() {
            self.pass(id);
        } else {
            self.fail(id, faults.join("\n"));
        }
    }

    /// Says that something could not be run, and why.
    pub fn skip(&mut self, what: impl Into<String>) {
        self.skipped.push(what.into());
    }

    /// Number of cases that failed so far, known differences included.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Sorts the failures into known differences and true ones, and adds the stale entries.
    #[must_use]
    pub fn finish(self, known: &KnownDifferences) -> Outcome {
        let mut differs = vec![false; known.entries().len()];
        let mut met = differs.clone();
        let mut outcome = Outcome {
            kind: self.kind,
            passed: self.passed.len(),
            failed: Vec::new(),
            known: Vec::new(),
            skipped: self.skipped,
        };
        for (id, why) in self.failed {
            if let Some(at) = known.position(&id) {
                (differs[at], met[at]) = (true, true);
                outcome
                    .known
                    .push((id, why, known.entries()[at].reason.clone()));
            } else {
                outcome.failed.push((id, why));
            }
        }
        for at in self.passed.iter().filter_map(|id| known.position(id)) {
            met[at] = true;
        }
        for (at, entry) in known.entries().iter().enumerate() {
            if met[at] && !differs[at] {
                let why = "listed as a known difference, but differs no more".to_owned();
                outcome.failed.push((entry.pattern.clone(), why));
            }
        }
        outcome
    }
}

impl Outcome {
    /// True if nothing failed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failed.is_empty()
    }

    /// The line `KIND: N passed, M failed`, with known differences and skipped parts behind it.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{}: {} passed, {} failed",
            self.kind,
            self.passed,
            self.failed.len()
        );
        if !self.known.is_empty() {
            let _ = write!(line, ", {} known differences", self.known.len());
        }
        if !self.skipped.is_empty() {
            let _ = write!(line, ", {} skipped", self.skipped.len());
        }
        line
    }

    /// Summary, then at most `limit` failures with their explanations.
    #[must_use]
    pub fn report(&self, limit: usize) -> String {
        let mut text = self.summary();
        for what in &self.skipped {
            let _ = write!(text, "\n  skipped: {what}");
        }
        for (id, why) in self.failed.iter().take(limit) {
            let _ = write!(text, "\n  FAILED {id}");
            for line in why.lines() {
                let _ = write!(text, "\n      {line}");
            }
        }
        if self.failed.len() > limit {
            let _ = write!(text, "\n  ... and {} more", self.failed.len() - limit);
        }
        text
    }

    /// Prints the report; for a test's last line.
    ///
    /// # Panics
    /// When a case failed.
    pub fn assert_ok(&self) {
        println!("{}", self.report(50));
        assert!(self.is_ok(), "{}", self.summary());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_stale_entries() {
        let known = KnownDifferences::parse("a\n  so\nb\n  so\nelsewhere\n  so\n").unwrap();
        let mut tally = Tally::new("things");
        tally.fail("a", "differs");
        tally.pass("b");
        tally.fail("c", "differs");
        let outcome = tally.finish(&known);
        assert_eq!(
            outcome.summary(),
            "things: 1 passed, 2 failed, 1 known differences"
        );
        let ids: Vec<&str> = outcome.failed.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["c", "b"]);
        assert!(!outcome.is_ok());
    }
}
