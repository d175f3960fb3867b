//! What the loader is told besides the rule files.

use crate::definition::Version;
use crate::ruleset::ExtraField;
use crate::yaml::Limits;

/// Settings of a [`Loader`](crate::Loader).
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is added to outputs, in order.
    pub append_output: Vec<AppendOutput>,
    /// Per event source, fields that its providers want in every output, in their order.
    pub suggested: Vec<(String, Vec<String>)>,
    /// Plugins that are there.
    pub plugins: Vec<Plugin>,
    /// What a rule file may ask for.
    pub limits: Limits,
}

/// A plugin that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its version; `None` serves every requirement, as what is built in does.
    pub version: Option<Version>,
}

impl Options {
    /// Settings in which the plugins whose work is built in are there: `container`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            plugins: vec![Plugin {
                name: "container".to_owned(),
                version: None,
            }],
            ..Self::default()
        }
    }
}

/// An entry of the configuration's `append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules of this source; empty for all.
    pub source: String,
    /// Only this rule; empty for all.
    pub rule: String,
    /// Only rules with all of these tags.
    pub tags: Vec<String>,
    /// Text behind the output.
    pub extra_output: String,
    /// Fields of JSON alerts.
    pub extra_fields: Vec<ExtraField>,
    /// Whether the fields that providers suggest come behind the output.
    pub suggested_output: bool,
}

impl AppendOutput {
    /// Whether it is for a rule of this name, source and tags.
    #[must_use]
    pub fn matches(&self, rule: &str, source: &str, tags: &[String]) -> bool {
        (self.source.is_empty() || self.source == source)
            && (self.rule.is_empty() || self.rule == rule)
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}
