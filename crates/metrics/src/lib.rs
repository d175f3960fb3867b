//! Counters and how they are told: as fields of Falco's internal alert, as a JSON line in a file, and
//! as Prometheus' text.
//!
//! ```
//! use metrics::{Metric, prometheus};
//!
//! let metrics = [Metric::counter("scap.n_evts", "scap_n_evts", 42)];
//! let text = prometheus::text(&metrics);
//! assert!(text.contains("falcosecurity_scap_n_evts_total 42\n"));
//! ```
//!
//! A [`Metric`] has two names because Falco gives it two: `falco.cpu_usage_perc` in alerts is
//! `falcosecurity_falco_cpu_usage_ratio` to Prometheus. Where one of them is empty it is not told
//! there. [`host`] reads what the machine says about this process and itself.

#![forbid(unsafe_code)]

pub mod host;
pub mod internal;
pub mod prometheus;

/// What a value measures; it decides about the name's end and about conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Per cent; a ratio to Prometheus.
    Percent,
    /// Bytes, told in kB or as they are in alerts, and in MB where that is wanted.
    Kilobytes,
    /// Bytes.
    Bytes,
    /// A point in time.
    TimestampNanoseconds,
    /// A span.
    Seconds,
    /// Things in a second.
    Rate,
    /// The labels are what matters.
    Info,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// Any other.
    Real(f64),
    /// A text; to Prometheus it is a label of an info metric.
    Text(String),
}

/// One metric at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name in internal alerts, such as `falco.num_evts`; empty: not told there.
    pub field: String,
    /// Name for Prometheus without prefix and unit, such as `falco_cpu_usage`; empty: not told there.
    pub name: String,
    /// Begin of the name for Prometheus.
    pub prefix: &'static str,
    /// What it measures.
    pub unit: Unit,
    /// It never falls.
    pub monotonic: bool,
    /// The value.
    pub value: Value,
    /// Labels for Prometheus.
    pub labels: Vec<(String, String)>,
    /// What it is about, where Falco's own word for that would be wrong.
    pub help: &'static str,
}

/// Where Falco explains its metrics.
pub const HELP: &str = "https://falco.org/docs/metrics/";

impl Metric {
    fn new(field: &str, name: &str, unit: Unit, monotonic: bool, value: Value) -> Self {
        Self {
            field: field.to_owned(),
            name: name.to_owned(),
            prefix: "falcosecurity",
            unit,
            monotonic,
            value,
            labels: Vec::new(),
            help: HELP,
        }
    }

    /// A number of things that never falls.
    #[must_use]
    pub fn counter(field: &str, name: &str, value: u64) -> Self {
        Self::new(field, name, Unit::Count, true, Value::Whole(value))
    }

    /// A whole number that rises and falls.
    #[must_use]
    pub fn gauge(field: &str, name: &str, unit: Unit, value: u64) -> Self {
        Self::new(field, name, unit, false, Value::Whole(value))
    }

    /// A number that rises and falls.
    #[must_use]
    pub fn real(field: &str, name: &str, unit: Unit, value: f64) -> Self {
        Self::new(field, name, unit, false, Value::Real(value))
    }

    /// A text, which Prometheus has as label `label`.
    #[must_use]
    pub fn info(field: &str, name: &str, label: &str, value: &str) -> Self {
        Self::new(
            field,
            name,
            Unit::Info,
            false,
            Value::Text(value.to_owned()),
        )
        .label(label, value)
    }

    /// One of our own, told to Prometheus only.
    #[must_use]
    pub fn own(name: &str, monotonic: bool, value: u64, help: &'static str) -> Self {
        Self {
            prefix: "peregrine",
            help,
            ..Self::new("", name, Unit::Count, monotonic, Value::Whole(value))
        }
    }

    /// The same with a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        if !name.is_empty() {
            self.labels.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same, never falling.
    #[must_use]
    pub fn monotonic(mut self) -> Self {
        self.monotonic = true;
        self
    }
}
