//! The statistics that stand at the end of standard output, after the alerts.

use std::collections::BTreeMap;

use serde_json::Value;

/// Counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All alerts.
    pub detected: u64,
    /// Alerts per priority, by its short upper-case name.
    pub by_severity: BTreeMap<String, u64>,
    /// Alerts per rule.
    pub by_rule: BTreeMap<String, u64>,
}

const FIRST: &str = "Events detected:";

/// Divides standard output into what stands before the statistics and the statistics.
#[must_use]
pub fn split(stdout: &str) -> (&str, Option<Statistics>) {
    let start = if stdout.starts_with(FIRST) {
        stdout.rfind(&format!("\n{FIRST}")).map_or(0, |at| at + 1)
    } else {
        match stdout.rfind(&format!("\n{FIRST}")) {
            Some(at) => at + 1,
            None => return (stdout, None),
        }
    };
    (&stdout[..start], Some(parse(&stdout[start..])))
}

fn parse(text: &str) -> Statistics {
    let mut found = Statistics::default();
    let mut by_rule = false;
    for line in text.lines() {
        if let Some(count) = line.strip_prefix(FIRST) {
            found.detected = count.trim().parse().unwrap_or(u64::MAX);
        } else if line.starts_with("Rule counts by severity:") {
            by_rule = false;
        } else if line.starts_with("Triggered rules by rule name:") {
            by_rule = true;
        } else if let Some((name, count)) = line.trim().rsplit_once(": ") {
            let Ok(count) = count.parse() else { continue };
            let table = if by_rule {
                &mut found.by_rule
            } else {
                &mut found.by_severity
            };
            table.insert(name.to_owned(), count);
        }
    }
    found
}

impl Statistics {
    /// Reads the form in which the corpus has them.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        let table = |key: &str| {
            let entries = value[key].as_object().into_iter().flatten();
            entries
                .filter_map(|(k, v)| Some((k.clone(), v.as_u64()?)))
                .collect()
        };
        Self {
            detected: value["events_detected"].as_u64().unwrap_or(0),
            by_severity: table("by_severity"),
            by_rule: table("by_rule"),
        }
    }

    /// The counts of some rules alone, without priorities; of all if `rules` is empty.
    #[must_use]
    pub fn of_rules(mut self, rules: &[String]) -> Self {
        if !rules.is_empty() {
            self.by_severity.clear();
            self.by_rule.retain(|rule, _| rules.contains(rule));
            self.detected = self.by_rule.values().sum();
        }
        self
    }

    /// What differs from `expected`, in words.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.detected != expected.detected {
            faults.push(format!(
                "{} alerts, expected {}",
                self.detected, expected.detected
            ));
        }
        for (what, ours, theirs) in [
            ("priority", &self.by_severity, &expected.by_severity),
            ("rule", &self.by_rule, &expected.by_rule),
        ] {
            let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (a, b) = (ours.get(name).unwrap_or(&0), theirs.get(name).unwrap_or(&0));
                if a != b {
                    faults.push(format!("{what} `{name}`: {a} alerts, expected {b}"));
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_follow_the_alerts() {
        let text = "1: Notice a\nEvents detected: 3\nRule counts by severity:\n   NOTICE: 3\n\
                    Triggered rules by rule name:\n   A: b: 2\n   C: 1\n";
        let (alerts, found) = split(text);
        let found = found.unwrap();
        assert_eq!(alerts, "1: Notice a\n");
        assert_eq!(found.detected, 3);
        assert_eq!(found.by_severity["NOTICE"], 3);
        assert_eq!(found.by_rule["A: b"], 2);
        assert_eq!(split("no statistics"), ("no statistics", None));
    }
}
