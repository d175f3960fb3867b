//! Alerts as JSON lines, or as the local store keeps them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Map, Value};
use store::{Kept, Query, Store};

/// Alerts of a store that are looked at, the newest.
const MOST: u32 = 100_000;

/// How a store's file begins.
const STORE: &[u8] = b"SQLite format 3\0";

/// An alert.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    /// Number of its line, from 1; or the number that the store keeps it under.
    pub(super) line: u64,
    pub(super) rule: String,
    pub(super) time: String,
    pub(super) output: String,
    /// Fields with values.
    pub(super) fields: BTreeMap<String, String>,
}

/// The alerts of a file, lines that are none left out, or those of a store. `-` is standard input.
pub(super) fn read(path: &str) -> Result<Vec<Alert>> {
    if path != "-" && is_store(path) {
        return kept(path);
    }
    let cannot = || format!("cannot read {path}");
    let reader: Box<dyn BufRead> = if path == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(
            std::fs::File::open(path).with_context(cannot)?,
        ))
    };
    let mut alerts = Vec::new();
    for (number, line) in (1..).zip(reader.split(b'\n')) {
        alerts.extend(parse(&line.with_context(cannot)?, number));
    }
    Ok(alerts)
}

fn parse(line: &[u8], number: u64) -> Option<Alert> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let fields = value["output_fields"].as_object()?;
    if ["group.more", "limit.held"]
        .iter()
        .any(|key| fields.contains_key(*key))
    {
        // A line for many has not the values of any of them.
        return None;
    }
    Some(Alert {
        line: number,
        rule: value["rule"].as_str()?.to_owned(),
        time: text("time"),
        output: text("output"),
        fields: values(fields),
    })
}

fn is_store(path: &str) -> bool {
    let mut begin = [0; STORE.len()];
    let file = std::fs::File::open(path);
    file.is_ok_and(|mut file| file.read_exact(&mut begin).is_ok() && begin == *STORE)
}

/// What a store keeps, the oldest first.
fn kept(path: &str) -> Result<Vec<Alert>> {
    let cannot = || format!("cannot read the store {path}");
    let store = Store::read(Path::new(path)).with_context(cannot)?;
    let found = store.find(&Query::default(), MOST).with_context(cannot)?;
    let alert = |kept: Kept| Alert {
        line: kept.id.unsigned_abs(),
        rule: kept.alert.rule,
        time: Timestamp::from_nanosecond(i128::from(kept.alert.time))
            .map_or_else(|_| String::new(), |time| time.to_string()),
        output: kept.alert.text,
        fields: values(&kept.alert.fields),
    };
    let mut all: Vec<Alert> = found.into_iter().map(alert).collect();
    all.sort_by_key(|alert| alert.line);
    Ok(all)
}

/// Fields that have a value, as texts.
fn values(fields: &Map<String, Value>) -> BTreeMap<String, String> {
    let values = fields.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        (text != "<NA>").then(|| (name.clone(), text))
    });
    values.collect()
}
