//! Metrics as the fields of an internal alert.

use crate::{Metric, Unit, Value};

/// Fields with values in JSON notation, sorted by name.
///
/// `megabytes` tells memory in MB whatever its unit; `empty` keeps zeros and empty texts.
#[must_use]
pub fn fields(metrics: &[Metric], megabytes: bool, empty: bool) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for metric in metrics.iter().filter(|metric| !metric.field.is_empty()) {
        let mut name = metric.field.clone();
        let value = match (&metric.value, metric.unit) {
            (Value::Whole(kilobytes), Unit::Kilobytes) if megabytes => {
                name = renamed(&name, "_kb");
                Value::Real(share(*kilobytes, 1024.0))
            }
            (Value::Whole(bytes), Unit::Bytes) if megabytes => {
                name = renamed(&name, "_bytes");
                Value::Real(share(*bytes, 1024.0 * 1024.0))
            }
            (value, _) => value.clone(),
        };
        let nothing = match &value {
            Value::Whole(number) => *number == 0,
            Value::Real(number) => *number == 0.0,
            Value::Text(text) => text.is_empty(),
        };
        if !nothing || empty {
            fields.push((name, json(&value)));
        }
    }
    fields.sort();
    fields.dedup_by(|later, earlier| later.0 == earlier.0);
    fields
}

fn renamed(name: &str, unit: &str) -> String {
    format!("{}_mb", name.strip_suffix(unit).unwrap_or(name))
}

#[allow(clippy::cast_precision_loss, reason = "megabytes need no more digits")]
fn share(number: u64, of: f64) -> f64 {
    (number as f64 / of * 10.0).round() / 10.0
}

/// A value in JSON notation.
#[must_use]
pub fn json(value: &Value) -> String {
    match value {
        Value::Whole(number) => number.to_string(),
        Value::Real(number) if number.is_finite() => format!("{number:?}"),
        Value::Real(_) => "0.0".to_owned(),
        Value::Text(text) => {
            let mut out = String::from("\"");
            for c in text.chars() {
                match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                    c => out.push(c),
                }
            }
            out + "\""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_nothing() {
        let metrics = [
            Metric::gauge(
                "falco.memory_rss_kb",
                "falco_memory_rss",
                Unit::Kilobytes,
                1536,
            ),
            Metric::counter("scap.n_drops", "scap_n_drops", 0),
            Metric::info("evt.source", "", "", "sys\"call\n"),
            Metric::real(
                "falco.cpu_usage_perc",
                "falco_cpu_usage",
                Unit::Percent,
                12.5,
            ),
        ];
        let told: Vec<String> = fields(&metrics, true, false)
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expected = [
            "evt.source=\"sys\\\"call\\u000a\"",
            "falco.cpu_usage_perc=12.5",
            "falco.memory_rss_mb=1.5",
        ];
        assert_eq!(told, expected);
        let told = fields(&metrics, false, true);
        assert_eq!(told.len(), 4);
        assert_eq!(
            told[2],
            ("falco.memory_rss_kb".to_owned(), "1536".to_owned())
        );
    }
}
