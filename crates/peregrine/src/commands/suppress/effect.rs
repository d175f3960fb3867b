//! What an exception would have done, and what it would hide.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;

use super::super::test::coverage::Coverage;
use super::super::test::files::{self, Found, Loaded};
use super::super::test::stage::Stage;
use super::alert::Alert;
use super::exception::Exception;
use crate::rulefiles::RuleFile;

/// Alerts that are shown.
const SHOWN: usize = 5;

/// The past alerts that it would have silenced.
pub(super) fn past(exception: &Exception, past: &[Alert]) -> String {
    let own = past
        .iter()
        .filter(|alert| alert.rule == exception.rule)
        .count();
    let silenced: Vec<&Alert> = past
        .iter()
        .filter(|alert| exception.covers(alert))
        .collect();
    let unclear = past
        .iter()
        .filter(|alert| exception.is_unclear(alert))
        .count();
    let mut out = format!(
        "\nOf {} past alerts, {own} of this rule, it would have silenced {} besides the one it is made from.\n",
        past.len(),
        silenced.len()
    );
    for alert in silenced.iter().take(SHOWN) {
        let output: String = alert.output.chars().take(160).collect();
        let _ = writeln!(out, "  {} {output}", alert.time);
    }
    if silenced.len() > SHOWN {
        let _ = writeln!(out, "  ... {} more", silenced.len() - SHOWN);
    }
    if unclear > 0 {
        let _ = writeln!(
            out,
            "  Of {unclear} it cannot be told: they lack some of its fields."
        );
    }
    out
}

/// The tests of attacks in which it would take the alert away.
pub(super) fn attacks(exception: &Exception, text: &str, suites: &[String]) -> Result<String> {
    if suites.is_empty() {
        return Ok("No suite was named (--suite rules/tests), so nothing is known of attacks that it would hide.\n".to_owned());
    }
    let mut hidden = Vec::new();
    let mut played = 0;
    for found in files::gather(suites, &[])? {
        let loaded = found.load()?;
        if !loaded
            .set
            .rules
            .iter()
            .any(|rule| rule.name == exception.rule)
        {
            continue;
        }
        let more = RuleFile {
            name: "the exception".to_owned(),
            content: text.as_bytes().to_vec(),
        };
        let with = found.load_with(&[more])?;
        let before = alerts(&found, &loaded, exception)?;
        let after = alerts(&found, &with, exception)?;
        played += before.len();
        hidden.extend(
            before
                .difference(&after)
                .map(|(name, line)| format!("{}:{line} {name}", found.name)),
        );
    }
    let mut out = format!(
        "Of {played} tests in which the rule raises an alert, it would hide {}.\n",
        hidden.len()
    );
    for name in &hidden {
        let _ = writeln!(out, "  {name}");
    }
    Ok(out)
}

/// The tests in which the rule raises an alert.
fn alerts(
    found: &Found,
    loaded: &Loaded,
    exception: &Exception,
) -> Result<BTreeSet<(String, usize)>> {
    let mut stage = Stage::new(loaded, &found.suite)?;
    let mut coverage = Coverage::default();
    let mut names = BTreeSet::new();
    for test in &found.suite.tests {
        let Ok(played) = stage.play(test, found, &mut coverage) else {
            continue;
        };
        if played
            .alerts
            .iter()
            .any(|alert| alert.name == exception.rule)
        {
            names.insert((test.name.clone(), found.line(test.offset)));
        }
    }
    Ok(names)
}
