//! What the rules of the running daemon have cost since it started.
//!
//! The daemon looks at the clock for one event in some hundreds and reckons from that, so it always knows; a look at
//! every event and at single comparisons is for captures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::top;
use crate::cli::{CheckForm, Profile};
use crate::output;

/// A rule's row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    asked: u64,
    nanoseconds: u64,
    alerts: u64,
}

/// Asks and prints.
pub(super) fn run(args: &Profile) -> Result<u8> {
    let Some(address) = top::address(args.address.as_deref(), &args.rules)? else {
        return Ok(1);
    };
    // The first answer only makes the daemon look on.
    top::ask(address)?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let answer = top::ask(address)?;
    let rows = rows(&answer);
    match args.format {
        CheckForm::Text => output::print(&text(&rows, args.top))?,
        CheckForm::Json => output::print(&format!("{:#}\n", document(&rows)))?,
    }
    Ok(0)
}

fn rows(answer: &Value) -> BTreeMap<String, Row> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for cost in list(&answer["activity"]["costs"]) {
        let row = rows
            .entry(cost["rule"].as_str().unwrap_or_default().to_owned())
            .or_default();
        row.asked = number(&cost["asked"]);
        row.nanoseconds = number(&cost["nanoseconds"]);
    }
    for rule in list(&answer["rules"]) {
        let row = rows
            .entry(rule["rule"].as_str().unwrap_or_default().to_owned())
            .or_default();
        row.alerts = number(&rule["count"]);
    }
    rows
}

/// The rules, the dearest first.
fn sorted(rows: &BTreeMap<String, Row>) -> Vec<(&String, &Row)> {
    let mut all: Vec<_> = rows.iter().collect();
    all.sort_by_key(|(_, row)| std::cmp::Reverse((row.nanoseconds, row.alerts)));
    all
}

fn text(rows: &BTreeMap<String, Row>, top: usize) -> String {
    let all: u64 = rows.values().map(|row| row.nanoseconds).sum();
    let mut out = String::from("Rules since the daemon's start, the dearest first; from samples\n");
    let _ = writeln!(
        out,
        "  {:>12} {:>9} {:>7} {:>6}  rule",
        "evaluated", "alerts", "ns each", "% time"
    );
    for (rule, row) in sorted(rows).into_iter().take(top) {
        let _ = writeln!(
            out,
            "  {:>12} {:>9} {:>7} {:>6.1}  {rule}",
            row.asked,
            row.alerts,
            row.nanoseconds / row.asked.max(1),
            row.nanoseconds as f64 * 100.0 / all.max(1) as f64,
        );
    }
    let silent = rows
        .values()
        .filter(|row| row.asked > 0 && row.alerts == 0)
        .count();
    let _ = writeln!(
        out,
        "{} rules were asked; {silent} of them never raised an alert",
        rows.values().filter(|row| row.asked > 0).count()
    );
    out
}

fn document(rows: &BTreeMap<String, Row>) -> Value {
    let rules = sorted(rows).into_iter().map(|(rule, row)| {
        json!({"rule": rule, "evaluated": row.asked, "alerts": row.alerts, "nanoseconds": row.nanoseconds})
    });
    json!({ "rules": rules.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_and_alerts_come_together() {
        let answer = json!({
            "rules": [{"rule": "a", "count": 2}, {"rule": "c", "count": 1}],
            "activity": {"costs": [{"rule": "a", "asked": 512, "nanoseconds": 51200}, {"rule": "b", "asked": 1024, "nanoseconds": 102400}]},
        });
        let rows = rows(&answer);
        assert_eq!(
            rows["a"],
            Row {
                asked: 512,
                nanoseconds: 51_200,
                alerts: 2
            }
        );
        let text = text(&rows, 10);
        assert!(
            text.find(" b\n") < text.find(" a\n") && text.contains("2 rules were asked; 1 of them"),
            "{text}"
        );
    }
}
