//! `peregrine replay`: rules over a capture.

use anyhow::{Result, bail};
use config::Override;
use fields::Catalogue;
use rules::select::OldSwitches;

use crate::cli::{self, Rules};
use crate::pipeline::beside::Company;
use crate::pipeline::{self, Ending, Plan};
use crate::ruleset::{self, Loading, OnError};
use crate::sources::{self, AuditFile, Sources};
use crate::{configuration, rulefiles, source};

/// Replays.
pub(crate) fn run(args: &cli::Replay) -> Result<u8> {
    let mut overrides = vec![
        Override::set("engine.kind", "replay"),
        Override::set("engine.replay.capture_file", &args.file),
    ];
    if args.json {
        overrides.push(Override::set("json_output", "true"));
    }
    if args.all {
        overrides.push(Override::set("rule_matching", "all"));
    }
    let Some(loaded) = load(&args.rules, overrides)? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    if !settings.outputs.any() {
        bail!("no output is enabled in the configuration; set stdout_output.enabled=true");
    }
    let catalogue = crate::containers::catalogue(settings);
    let audit_events = sources::looks_like_json(&args.file);
    let sources = Sources::of(&catalogue, settings, true)?;
    let Some(loading) = rules(&args.rules, settings, &catalogue, &sources, audit_events)? else {
        return Ok(1);
    };
    let mut rules = loading.into_set();
    let order = ruleset::select(&mut rules, settings, &OldSwitches::default())?;
    let plan = Plan {
        settings,
        catalogue: &catalogue,
        sources: &sources,
        rules: &rules,
        order: &order,
        seconds: args.seconds,
        ending: if args.quiet {
            Ending::Nothing
        } else {
            Ending::Summary
        },
        origins: Default::default(),
    };
    let ended = if audit_events {
        let limits = audit::Limits::default();
        let company = Company::of_capture(&sources)?;
        pipeline::run(&plan, company, |_| AuditFile::open(&args.file, limits))?
    } else {
        let company = Company::of_capture(&sources)?;
        pipeline::run(&plan, company, |_| source::open(&args.file, false))?
    };
    match ended.fault {
        Some(fault) => Err(fault),
        None => Ok(0),
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
