//! Rule files into the set that runs, and what is said about them.

use anyhow::{Result, anyhow, bail};
use config::Settings;
use config::settings::{AppendOutput, ExtraField, Select, Selection};
use diag::SourceMap;
use fields::Catalogue;
use filter::Schema;
use regex::Regex;
use rules::select::{By, OldSwitches};
use rules::{Finding, Loader};
use serde_json::Value;

use crate::rulefiles::RuleFile;
use crate::sources::{self, Sources};
use crate::terminal;

/// The schema of rule files, as published.
pub(crate) const SCHEMA: &str = include_str!("ruleset/schema.json");

/// Loaded rule files, accepted or not.
pub(crate) struct Loading {
    outcomes: Vec<rules::Loaded>,
    unmet: Vec<Finding>,
    sources: SourceMap,
    set: rules::RuleSet,
}

/// Whether loading goes on after a file with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    /// The first refused file ends it.
    Stop,
    /// All files are looked at.
    GoOn,
}

impl Loading {
    /// Loads files in order.
    pub(crate) fn of(
        files: &[RuleFile],
        settings: &Settings,
        catalogue: &Catalogue,
        sources: &Sources,
        on_error: OnError,
    ) -> Self {
        let options = options(settings, catalogue, sources);
        let mut loader = Loader::new(&sources.schemas(), options);
        let mut outcomes = Vec::new();
        for file in files {
            let outcome = loader.load(&file.name, &file.content);
            let refused = !outcome.successful();
            outcomes.push(outcome);
            if refused && on_error == OnError::Stop {
                break;
            }
        }
        let unmet = loader.unmet_plugins();
        let sources = loader.sources().clone();
        Self {
            outcomes,
            unmet,
            sources,
            set: loader.finish(),
        }
    }

    /// Whether every file was accepted and what they ask for is there.
    pub(crate) fn accepted(&self) -> bool {
        self.unmet.is_empty() && self.outcomes.iter().all(rules::Loaded::successful)
    }

    /// The rules.
    pub(crate) fn into_set(self) -> rules::RuleSet {
        self.set
    }

    /// The rules.
    pub(crate) fn set(&self) -> &rules::RuleSet {
        &self.set
    }

    /// The outcome of each file.
    pub(crate) fn outcomes(&self) -> &[rules::Loaded] {
        &self.outcomes
    }

    /// The texts that findings point into.
    pub(crate) fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Errors or warnings as texts.
    pub(crate) fn texts(&self, errors: bool) -> Vec<String> {
        let colour = terminal::colour_stderr();
        let findings = self.outcomes.iter().flat_map(|outcome| &outcome.findings);
        findings
            .chain(&self.unmet)
            .filter(|finding| finding.is_error() == errors)
            .map(|finding| self.text(finding, colour))
            .collect()
    }

    /// A finding as text. A condition may lie far below the name of its rule, so the name is told
    /// where neither the message nor the excerpt does.
    fn text(&self, finding: &Finding, colour: bool) -> String {
        let mut text = finding.text(&self.sources, colour);
        let locations = finding.context.locations(&self.sources);
        let object = locations.iter().rev().find(|place| {
            matches!(place.item_type, "rule" | "macro" | "list") && !place.item_name.is_empty()
        });
        if let Some(object) = object.filter(|object| !text.contains(&object.item_name)) {
            text.push_str(&format!(
                "\n  in {} \"{}\"",
                object.item_type, object.item_name
            ));
        }
        text
    }

    /// The first sentence of what is wrong.
    pub(crate) fn refusal(&self) -> anyhow::Error {
        let refused: Vec<&str> = self
            .outcomes
            .iter()
            .filter(|outcome| !outcome.successful())
            .map(|outcome| outcome.name.as_str())
            .collect();
        if refused.is_empty() {
            anyhow!("the rules ask for plugins that are not there")
        } else {
            anyhow!("the rules are refused: {}", refused.join(", "))
        }
    }

    /// Falco's result object.
    pub(crate) fn json(&self) -> Value {
        rules::result::results(&self.outcomes, &self.sources)
    }
}

/// What the loader takes from the configuration.
fn options(settings: &Settings, catalogue: &Catalogue, sources: &Sources) -> rules::Options {
    rules::Options {
        append_output: settings.append_output.iter().map(append_output).collect(),
        suggested: suggested_fields(catalogue, sources),
        plugins: sources::built_in_plugins(sources),
        ..rules::Options::new()
    }
}

/// Fields that alerts of each source show by default: constants of the configuration everywhere.
fn suggested_fields(catalogue: &Catalogue, sources: &Sources) -> Vec<(String, Vec<String>)> {
    let of = |source: &str| {
        let all = catalogue.suggested();
        let holds = |field: &&str| {
            sources
                .schema(source)
                .is_some_and(|s| s.resolve(field).is_ok())
        };
        let plugins = sources
            .schema(source)
            .into_iter()
            .flat_map(|s| s.suggested());
        all.filter(holds)
            .chain(plugins)
            .map(str::to_owned)
            .collect()
    };
    sources
        .names()
        .map(|name| (name.to_owned(), of(name)))
        .collect()
}

fn append_output(entry: &AppendOutput) -> rules::AppendOutput {
    let extra = |field: &ExtraField| match field {
        ExtraField::Raw(key) => rules::ExtraField {
            key: key.clone(),
            format: None,
        },
        ExtraField::Formatted { key, format } => rules::ExtraField {
            key: key.clone(),
            format: Some(format.clone()),
        },
    };
    rules::AppendOutput {
        source: entry.source.clone().unwrap_or_default(),
        rule: entry.rule.clone().unwrap_or_default(),
        tags: entry.tags.clone(),
        extra_output: entry.extra_output.clone(),
        extra_fields: entry.extra_fields.iter().map(extra).collect(),
        suggested_output: entry.suggested_output,
    }
}

/// Enables and disables rules. The result lists those that run, in the order in which they are
/// tried: positions in the set.
///
/// # Errors
/// When old switches contradict each other or the configuration.
pub(crate) fn select(
    set: &mut rules::RuleSet,
    settings: &Settings,
    old: &OldSwitches,
) -> Result<Vec<usize>> {
    let selections: Vec<rules::select::Selection> = settings.rules.iter().map(selection).collect();
    if let Some(conflict) = old.conflict(&selections) {
        bail!(
            "{}",
            match conflict {
                rules::select::Conflict::TagsWithNames => "-t cannot stand together with -D",
                rules::select::Conflict::TagsWithTags => "-t cannot stand together with -T",
                rules::select::Conflict::WithConfiguration =>
                    "-D, -T and -t cannot stand together with 'rules' of the configuration",
            }
        );
    }
    let mut order = if old.is_empty() {
        set.select(&selections)
    } else {
        set.select_old(&searched(set, old))
    };
    order.retain(|at| set.rules[*at].priority <= settings.priority);
    Ok(order)
}

/// Early releases searched `-D` as a regular expression, later ones as a text: names that either
/// finds are meant.
fn searched(set: &rules::RuleSet, old: &OldSwitches) -> OldSwitches {
    let mut old = old.clone();
    let expressions: Vec<Regex> = old
        .disabled
        .iter()
        .filter_map(|text| Regex::new(text).ok())
        .collect();
    let found = set
        .rules
        .iter()
        .filter(|rule| expressions.iter().any(|e| e.is_match(&rule.name)));
    old.disabled.extend(found.map(|rule| rule.name.clone()));
    old
}

fn selection(selection: &Selection) -> rules::select::Selection {
    let by = match &selection.select {
        Select::Rule(pattern) => By::Rule(pattern.clone()),
        Select::Tag(tag) => By::Tag(tag.clone()),
    };
    rules::select::Selection {
        enable: selection.enable,
        by,
    }
}
