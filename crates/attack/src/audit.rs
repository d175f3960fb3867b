//! Cases for the rules about Kubernetes audit events: each is one event, which a cluster's API server would send.
//!
//! `attacks/audit.cases` has a JSON object a line: the rule, whether it fires, what it is in words, and what is different from
//! an ordinary event (a `null` takes something away). Nothing is performed: the events are written into a file, which
//! Peregrine reads, or shown, to be sent to whatever listens.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::monitor::{Alerts, Plan, replay};
use crate::performance::token;

const TEXT: &str = include_str!("../attacks/audit.cases");

/// The shipped rules for audit events.
pub const RULE_FILE: &str = "rules/k8s_audit_rules.yaml";

/// Rules for the suite alone: what is empty as shipped is filled.
pub const TUNING: &str = include_str!("../attacks/audit-tuning.yaml");

/// One event and what should come of it.
#[derive(Clone, Debug)]
pub struct AuditCase {
    /// The rule that it is about, or [`ANY_RULE`](crate::case::ANY_RULE).
    pub rule: String,
    /// True if the rule should fire.
    pub fires: bool,
    /// What it is, in words.
    pub title: String,
    /// The whole event.
    pub event: Value,
}

/// All cases.
///
/// # Errors
/// A line that is no case.
pub fn all() -> Result<Vec<AuditCase>> {
    let read = |(number, line): (usize, &str)| -> Result<AuditCase> {
        let line: Value = serde_json::from_str(line)
            .with_context(|| format!("audit.cases:{}: not JSON", number + 1))?;
        let text = |key: &str| {
            let found = line[key].as_str().map(str::to_owned);
            found.with_context(|| format!("audit.cases:{}: no `{key}`", number + 1))
        };
        let mut event = ordinary();
        change(&mut event, &line["event"]);
        event["auditID"] = Value::String(token(number));
        Ok(AuditCase {
            rule: text("rule")?,
            fires: line["fires"] == true,
            title: text("says")?,
            event,
        })
    };
    TEXT.lines().enumerate().map(read).collect()
}

/// A person made something, and was allowed to.
fn ordinary() -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "", "stage": "ResponseComplete",
        "stageTimestamp": "2026-01-01T10:00:00Z", "verb": "create", "requestURI": "/api/v1/x",
        "user": {"username": "admin", "groups": ["system:authenticated"]},
        "objectRef": {"namespace": "shop", "name": "thing"},
        "responseStatus": {"code": 201},
        "annotations": {"authorization.k8s.io/decision": "allow"},
    })
}

fn change(into: &mut Value, changes: &Value) {
    let (Value::Object(object), Value::Object(changes)) = (&mut *into, changes) else {
        *into = changes.clone();
        return;
    };
    for (key, value) in changes {
        if value.is_null() {
            object.remove(key);
        } else {
            change(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Writes the events, one a line, each with its case's token as its id.
///
/// # Errors
/// The file cannot be written.
pub fn write(cases: &[AuditCase], file: &Path) -> Result<()> {
    let lines: String = cases
        .iter()
        .map(|case| format!("{}\n", case.event))
        .collect();
    fs::write(file, lines).with_context(|| format!("cannot write {}", file.display()))
}

/// What a rule file says to the events.
///
/// # Errors
/// The monitor cannot be started, or refuses the rules.
pub fn verify(plan: &Plan, cases: &[AuditCase]) -> Result<Alerts> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("audit.log");
    write(cases, &file)?;
    replay(plan, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_takes_something_away() {
        let mut event = json!({"a": {"b": 1, "c": 2}});
        change(&mut event, &json!({"a": {"b": null, "d": [3]}}));
        assert_eq!(event, json!({"a": {"c": 2, "d": [3]}}));
    }

    #[test]
    fn the_shipped_cases_can_be_read() {
        let cases = all().unwrap();
        assert!(cases.len() > 300, "{}", cases.len());
        assert_eq!(cases[7].event["auditID"], "case-0007");
    }
}
