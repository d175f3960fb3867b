//! Metrics in Prometheus' text form, version 0.0.4.

use std::collections::HashSet;
use std::fmt::Write;

use crate::{Metric, Unit, Value};

/// The whole exposition. Metrics of one name stand together, whatever their order in `metrics`.
#[must_use]
pub fn text(metrics: &[Metric]) -> String {
    let mut out = String::new();
    let mut told = HashSet::new();
    for metric in metrics.iter().filter(|metric| !metric.name.is_empty()) {
        let name = name(metric);
        if !told.insert(name.clone()) {
            continue;
        }
        let kind = if metric.monotonic { "counter" } else { "gauge" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
        let mut series = HashSet::new();
        for same in metrics
            .iter()
            .filter(|other| !other.name.is_empty() && self::name(other) == name)
        {
            let labels = labels(same);
            if series.insert(labels.clone()) {
                let _ = writeln!(out, "{name}{labels} {}", value(same));
            }
        }
    }
    out
}

/// `prefix_name_unit`
fn name(metric: &Metric) -> String {
    let unit = match metric.unit {
        Unit::Count if metric.prefix == "peregrine" && !metric.monotonic => "",
        Unit::Count => "_total",
        Unit::Percent => "_ratio",
        Unit::Kilobytes | Unit::Bytes => "_bytes",
        Unit::TimestampNanoseconds => "_timestamp_nanoseconds",
        Unit::Seconds if metric.monotonic => "_seconds_total",
        Unit::Seconds => "_seconds",
        Unit::Rate => "_per_second",
        Unit::Info => "_info",
    };
    let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = metric.name.chars().map(letters).collect();
    format!("{}_{name}{unit}", metric.prefix)
}

fn labels(metric: &Metric) -> String {
    if metric.labels.is_empty() {
        return String::new();
    }
    // Two tags may differ in nothing but a sign that labels cannot have.
    let mut told = HashSet::new();
    let pairs: Vec<String> = metric
        .labels
        .iter()
        .filter_map(|(name, value)| {
            let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = name.chars().map(letters).collect();
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            told.insert(name.clone())
                .then(|| format!("{name}=\"{value}\""))
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "Prometheus has nothing but such numbers"
)]
fn value(metric: &Metric) -> String {
    match (&metric.value, metric.unit) {
        (Value::Text(_), _) | (_, Unit::Info) => "1".to_owned(),
        (Value::Whole(kilobytes), Unit::Kilobytes) => kilobytes.saturating_mul(1024).to_string(),
        (Value::Whole(number), Unit::Percent) => (*number as f64 / 100.0).to_string(),
        (Value::Real(number), Unit::Percent) => (number / 100.0).to_string(),
        (Value::Whole(number), _) => number.to_string(),
        (Value::Real(number), _) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_units_and_labels() {
        let metrics = [
            Metric::counter("", "scap_n_evts_cpu", 1).label("cpu", "0"),
            Metric::real(
                "falco.cpu_usage_perc",
                "falco_cpu_usage",
                Unit::Percent,
                50.0,
            ),
            Metric::counter("", "scap_n_evts_cpu", 2)
                .label("cpu", "1")
                .label("a-b", "x")
                .label("a_b", "y"),
            Metric::gauge("", "falco_memory_rss", Unit::Kilobytes, 2),
            Metric::info("", "falco_version", "version", "1\"\\\n"),
            Metric::gauge("", "falco_start", Unit::TimestampNanoseconds, 7),
            Metric::own("output_waiting", false, 3, "Messages that wait.").label("output", "http"),
        ];
        let text = text(&metrics);
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "falcosecurity_scap_n_evts_cpu_total{cpu=\"0\"} 1",
            "falcosecurity_scap_n_evts_cpu_total{cpu=\"1\",a_b=\"x\"} 2",
            "falcosecurity_falco_cpu_usage_ratio 0.5",
            "falcosecurity_falco_memory_rss_bytes 2048",
            "falcosecurity_falco_version_info{version=\"1\\\"\\\\\\n\"} 1",
            "falcosecurity_falco_start_timestamp_nanoseconds 7",
            "peregrine_output_waiting{output=\"http\"} 3",
        ];
        assert_eq!(values, expected);
        assert_eq!(
            text.matches("# TYPE falcosecurity_scap_n_evts_cpu_total counter")
                .count(),
            1
        );
    }
}
