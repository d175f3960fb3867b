//! What commands that match rules begin with: configuration, fields, sources, rules.

use anyhow::{Result, bail};
use config::settings::DeliveryTarget;
use config::{Override, Settings};
use fields::Catalogue;
use rules::RuleSet;
use rules::select::OldSwitches;

use crate::cli::{Alerts, Rules};
use crate::pipeline::{Ending, Plan};
use crate::ruleset::{self, Loading, OnError};
use crate::sources::Sources;
use crate::{configuration, rulefiles};

/// Everything that was read before anything is opened.
pub(super) struct Prepared {
    loaded: config::Loaded,
    catalogue: Catalogue,
    sources: Sources,
    rules: RuleSet,
    order: Vec<usize>,
}

impl Prepared {
    /// Reads configuration and rules; `None` where they are refused, which was shown. `sources`
    /// makes those that rules may name.
    pub(super) fn read(
        rules_of: &Rules,
        alerts: &Alerts,
        mut overrides: Vec<Override>,
        sources: impl FnOnce(&Catalogue, &Settings) -> Result<Sources>,
        audit_events: bool,
    ) -> Result<Option<Self>> {
        if alerts.json {
            overrides.push(Override::set("json_output", "true"));
        }
        if alerts.all {
            overrides.push(Override::set("rule_matching", "all"));
        }
        let Some(loaded) = load(rules_of, overrides)? else {
            return Ok(None);
        };
        let settings = &loaded.settings;
        if !settings.outputs.any() {
            bail!("no output is enabled in the configuration; set stdout_output.enabled=true");
        }
        let catalogue = crate::containers::catalogue(settings);
        let sources = sources(&catalogue, settings)?;
        let Some(loading) = rules(rules_of, settings, &catalogue, &sources, audit_events)? else {
            return Ok(None);
        };
        let mut rules = loading.into_set();
        let order = ruleset::select(&mut rules, settings, &OldSwitches::default())?;
        Ok(Some(Self {
            loaded,
            catalogue,
            sources,
            rules,
            order,
        }))
    }

    /// Leaves no output but standard output: alerts of long ago are no business of the others.
    pub(super) fn tell_standard_output_only(&mut self) {
        let settings = &mut self.loaded.settings;
        let outputs = &mut settings.outputs.deliveries;
        outputs.retain(|one| one.target == DeliveryTarget::Stdout);
        settings.alert_grouping.enabled = false;
        settings.alert_limits.clear();
    }

    /// Sends no alert anywhere, and keeps of each what the store would.
    pub(super) fn keeping(mut self) -> Self {
        let settings = &mut self.loaded.settings;
        settings.outputs.deliveries.clear();
        settings.alert_grouping.enabled = false;
        settings.alert_limits.clear();
        settings.alert_store.enabled = true;
        self
    }

    /// What to do with events, for so many seconds of them.
    pub(super) fn plan(&self, alerts: &Alerts, seconds: u64) -> Plan<'_> {
        Plan {
            settings: &self.loaded.settings,
            catalogue: &self.catalogue,
            sources: &self.sources,
            rules: &self.rules,
            order: &self.order,
            seconds,
            ending: if alerts.quiet {
                Ending::Nothing
            } else {
                Ending::Summary
            },
            record: None,
            origins: Default::default(),
            collection: None,
        }
    }
}

/// Loads the configuration that a command names; `None` where it is refused, which was shown.
pub(super) fn load(args: &Rules, mut overrides: Vec<Override>) -> Result<Option<config::Loaded>> {
    for option in &args.option {
        overrides.push(Override::parse(option)?);
    }
    let path = args.config.as_deref().map(std::path::Path::new);
    match configuration::load(path, &overrides) {
        Ok(loaded) => {
            configuration::show(&loaded.warnings, &loaded.sources);
            Ok(Some(loaded))
        }
        Err(rejected) => {
            configuration::show(&rejected.findings, &rejected.sources);
            Ok(None)
        }
    }
}

/// Loads the rules that a command names, or the shipped ones; `None` where they are refused, which
/// was shown.
pub(super) fn rules(
    args: &Rules,
    settings: &config::Settings,
    catalogue: &Catalogue,
    sources: &Sources,
    audit_events: bool,
) -> Result<Option<Loading>> {
    let mut skipped = Vec::new();
    let files = if !args.rules.is_empty() {
        rulefiles::collect(&args.rules, true, &mut skipped)?
    } else if let Some(paths) = &settings.rules_files {
        rulefiles::collect(paths, false, &mut skipped)?
    } else {
        rulefiles::shipped(audit_events)?
    };
    skipped.iter().for_each(|line| eprintln!("warning: {line}"));
    let loading = Loading::of(&files, settings, catalogue, sources, OnError::Stop);
    loading
        .texts(false)
        .iter()
        .chain(&loading.texts(true))
        .for_each(|text| eprintln!("{text}\n"));
    Ok(loading.accepted().then_some(loading))
}
