//! Alerts as JSON lines.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// An alert.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    /// Number of its line, from 1.
    pub(super) line: usize,
    pub(super) rule: String,
    pub(super) time: String,
    pub(super) output: String,
    /// Fields with values.
    pub(super) fields: BTreeMap<String, String>,
}

/// The alerts of a file; lines that are none are left out. `-` is standard input.
pub(super) fn read(path: &str) -> Result<Vec<Alert>> {
    let reader: Box<dyn BufRead> = if path == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(
            std::fs::File::open(path).with_context(|| format!("cannot read {path}"))?,
        ))
    };
    let mut alerts = Vec::new();
    for (number, line) in reader.split(b'\n').enumerate() {
        let line = line.with_context(|| format!("cannot read {path}"))?;
        alerts.extend(parse(&line, number + 1));
    }
    Ok(alerts)
}

fn parse(line: &[u8], number: usize) -> Option<Alert> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let rule = value["rule"].as_str()?.to_owned();
    let fields = value["output_fields"]
        .as_object()?
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            (text != "<NA>").then(|| (name.clone(), text))
        });
    Some(Alert {
        line: number,
        rule,
        time: text("time"),
        output: text("output"),
        fields: fields.collect(),
    })
}
