//! Alerts as rows: files of JSON lines as Falco and Peregrine write them.
//!
//! A file is read twice: what fields its alerts have, and of which types, is known at its end only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::table::{Kind, Table};
use super::{Written, finish};

/// Longer lines are no alerts.
const MAX_LINE: u64 = 16 << 20;
/// More fields than any set of rules prints.
const MAX_FIELDS: usize = 2_000;
/// What every alert has.
const OF_ALL: [(&str, Kind); 7] = [
    ("time", Kind::Time),
    ("rule", Kind::Text),
    ("priority", Kind::Text),
    ("source", Kind::Text),
    ("hostname", Kind::Text),
    ("tags", Kind::Text),
    ("output", Kind::Text),
];

/// Whether the first line of a file is an alert.
pub(super) fn are_in(file: &str) -> Result<bool> {
    if file == "-" || !Path::new(file).is_file() {
        return Ok(false);
    }
    let opened = File::open(file).with_context(|| format!("cannot read {file}"))?;
    let mut line = Vec::new();
    BufReader::new(opened.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    let first: Option<Value> = serde_json::from_slice(&line).ok();
    Ok(first.is_some_and(|first| first.get("rule").is_some() && first.get("priority").is_some()))
}

/// Writes the alerts of a file.
///
/// # Errors
/// A file that cannot be read or written; a line that is no alert comes back beside the rows.
pub(super) fn export(file: &str, place: &Path, rows: usize) -> Result<Written> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let mut faulty = Vec::new();
    each(file, |number, alert| {
        let Ok(alert) = alert else {
            faulty.push(number);
            return Ok(());
        };
        let fields = alert.get("output_fields").and_then(Value::as_object);
        for (name, value) in fields.into_iter().flatten() {
            let Some(seen) = kind(name, value) else {
                kinds.entry(name.clone()).or_insert(Kind::Text);
                continue;
            };
            let known = kinds.get(name).copied();
            kinds.insert(name.clone(), known.map_or(seen, |known| both(known, seen)));
        }
        if kinds.len() > MAX_FIELDS {
            bail!("line {number}: more than {MAX_FIELDS} different output fields");
        }
        Ok(())
    })?;
    let mut columns: Vec<(String, Kind)> = OF_ALL
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), *kind))
        .collect();
    columns.extend(kinds.iter().map(|(name, kind)| (name.clone(), *kind)));
    let mut table = Table::begin(place, &columns, rows)?;
    each(file, |_, alert| {
        let Ok(alert) = alert else { return Ok(()) };
        for (at, (name, kind)) in columns.iter().enumerate() {
            let value = if at < OF_ALL.len() {
                alert.get(name)
            } else {
                alert
                    .get("output_fields")
                    .and_then(|fields| fields.get(name))
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                cell(&mut table, at, *kind, value);
            }
        }
        table.end_row()
    })?;
    let fault = faulty.first().map(|first| {
        anyhow!(
            "line {first} is no alert, nor are {} others; they are left out",
            faulty.len() - 1
        )
    });
    finish(table, fault)
}

/// Hands every line to `visit` with its number: an alert, or why it is none.
fn each(
    file: &str,
    mut visit: impl FnMut(usize, Result<Value, serde_json::Error>) -> Result<()>,
) -> Result<()> {
    let opened = File::open(file).with_context(|| format!("cannot read {file}"))?;
    let mut lines = BufReader::new(opened);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
            bail!("line {number} is longer than {} MB", MAX_LINE >> 20);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        visit(number, serde_json::from_slice(&line))?;
    }
    Ok(())
}

/// What a value is; nothing for null.
fn kind(name: &str, value: &Value) -> Option<Kind> {
    let is_time = matches!(name, "evt.time" | "evt.rawtime");
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(Kind::Truth),
        Value::Number(number) if number.is_i64() && is_time => Some(Kind::Time),
        Value::Number(number) if number.is_i64() => Some(Kind::Signed),
        Value::Number(number) if number.is_u64() => Some(Kind::Unsigned),
        Value::Number(_) => Some(Kind::Double),
        _ => Some(Kind::Text),
    }
}

/// What holds values of both kinds.
fn both(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (a, b) if a == b => a,
        (
            Kind::Signed | Kind::Unsigned | Kind::Double,
            Kind::Signed | Kind::Unsigned | Kind::Double,
        ) => Kind::Double,
        _ => Kind::Text,
    }
}

fn cell(table: &mut Table, at: usize, kind: Kind, value: &Value) {
    match (kind, value) {
        (Kind::Time, Value::String(text)) => {
            if let Ok(time) = text.parse::<Timestamp>()
                && let Ok(time) = i64::try_from(time.as_nanosecond())
            {
                table.whole(at, time);
            }
        }
        (Kind::Signed | Kind::Unsigned | Kind::Time, Value::Number(number)) => {
            let whole = number.as_i64();
            if let Some(whole) = whole.or_else(|| number.as_u64().map(u64::cast_signed)) {
                table.whole(at, whole);
            }
        }
        (Kind::Double, value) => {
            if let Some(number) = value.as_f64() {
                table.double(at, number);
            }
        }
        (Kind::Truth, Value::Bool(truth)) => table.truth(at, *truth),
        (Kind::Text, Value::String(text)) => table.text(at, text.as_bytes()),
        (Kind::Text, other) => table.text(at, other.to_string().as_bytes()),
        _ => {}
    }
}
