//! Settings of the form of alerts and of their channels.

use super::delivery::{Delivery, deliveries};
use crate::read::Reader;
use crate::tree::{Node, Value};

/// How many rules may fire on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleMatching {
    /// The first in order of definition.
    First,
    /// Every one.
    All,
}

impl RuleMatching {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        match reader.text(tree, "rule_matching", "first").as_str() {
            "first" => Self::First,
            "all" => Self::All,
            other => {
                let message = format!("rule matching '{other}' does not exist");
                reader.fatal(tree, "rule_matching", message, "it is either first or all");
                Self::First
            }
        }
    }
}

/// Form and channels of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// `time_format_iso_8601`
    pub time_format_iso_8601: bool,
    /// `json_output`
    pub json_output: bool,
    /// `json_include_output_property`
    pub json_include_output: bool,
    /// `json_include_message_property`
    pub json_include_message: bool,
    /// `json_include_output_fields_property`
    pub json_include_output_fields: bool,
    /// `json_include_tags_property`
    pub json_include_tags: bool,
    /// Lines need not be flushed one by one.
    pub buffered: bool,
    /// Messages that may wait; zero: no limit.
    pub queue_capacity: usize,
    /// Milliseconds until a slow channel is complained about.
    pub timeout: u64,
    /// Where alerts go, in order.
    pub deliveries: Vec<Delivery>,
    /// `outputs.rate` of older releases: alerts a second, and at once.
    pub throttle: Option<(f64, f64)>,
}

impl Outputs {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        Self {
            time_format_iso_8601: reader.truth(tree, "time_format_iso_8601", false),
            json_output: reader.truth(tree, "json_output", false),
            json_include_output: reader.truth(tree, "json_include_output_property", true),
            json_include_message: reader.truth(tree, "json_include_message_property", false),
            json_include_output_fields: reader.truth(
                tree,
                "json_include_output_fields_property",
                true,
            ),
            json_include_tags: reader.truth(tree, "json_include_tags_property", true),
            buffered: reader.truth(tree, "buffered_outputs", false),
            queue_capacity: reader.number(tree, "outputs_queue.capacity", 0),
            timeout: reader.number(tree, "output_timeout", 2000),
            deliveries: deliveries(tree, reader),
            throttle: throttle(tree, reader),
        }
    }

    /// Whether alerts go anywhere.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.deliveries.is_empty()
    }
}

/// Older releases had it on by default; here it holds where it is written.
fn throttle(tree: &Node, reader: &mut Reader) -> Option<(f64, f64)> {
    tree.path("outputs.rate")?;
    let rate = reader.float(tree, "outputs.rate", 1.0);
    let burst = reader.float(tree, "outputs.max_burst", 1000.0);
    (rate > 0.0).then_some((rate, burst.max(1.0)))
}

/// A field that is added to the JSON form of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraField {
    /// The field's own value under its own name.
    Raw(String),
    /// A text made by a format.
    Formatted {
        /// The key.
        key: String,
        /// The format.
        format: String,
    },
}

/// One entry of `append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only the rule of this name.
    pub rule: Option<String>,
    /// Only rules with all of these tags.
    pub tags: Vec<String>,
    /// Text for the end of the output.
    pub extra_output: String,
    /// Fields for the JSON form.
    pub extra_fields: Vec<ExtraField>,
    /// Appends every field that suggests itself.
    pub suggested_output: bool,
}

impl AppendOutput {
    /// Whether the entry applies to a rule.
    #[must_use]
    pub fn applies(&self, source: &str, rule: &str, tags: &[String]) -> bool {
        self.source.as_ref().is_none_or(|wanted| wanted == source)
            && self.rule.as_ref().is_none_or(|wanted| wanted == rule)
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

pub(super) fn append_outputs(tree: &Node, reader: &mut Reader) -> Vec<AppendOutput> {
    let mut entries = Vec::new();
    for item in reader.sequence(tree, "append_output") {
        if item.entries().is_none() {
            let message = format!(
                "an entry of append_output must be a map, not {}",
                item.shape()
            );
            reader.fatal_at(item.at, "append_output", message, "");
            continue;
        }
        let named = |path: &str| {
            item.path(path)
                .and_then(Node::text)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let entry = AppendOutput {
            source: named("match.source"),
            rule: named("match.rule"),
            tags: reader.texts(item.path("match.tags")),
            extra_output: named("extra_output").unwrap_or_default(),
            extra_fields: extra_fields(&item, reader),
            suggested_output: reader.truth(&item, "suggested_output", false),
        };
        if entry.rule.is_some() && !entry.tags.is_empty() {
            let message = "an entry of append_output matches by rule name and by tags at once";
            reader.warning_at(item.at, message.to_owned());
        }
        entries.push(entry);
    }
    entries
}

fn extra_fields(item: &Node, reader: &mut Reader) -> Vec<ExtraField> {
    let mut fields = Vec::new();
    for field in reader.sequence(item, "extra_fields") {
        match &field.value {
            Value::Scalar(name) => fields.push(ExtraField::Raw(name.clone())),
            Value::Map(entries) => {
                for entry in entries {
                    let format = entry.value.text().unwrap_or_default().to_owned();
                    fields.push(ExtraField::Formatted {
                        key: entry.key.clone(),
                        format,
                    });
                }
            }
            Value::Null | Value::Sequence(_) => {
                let message = "an extra field is a name or a map of key and format".to_owned();
                reader.fatal_at(field.at, "append_output", message, "");
            }
        }
    }
    fields
}
