//! The form without a command: Falco's flags, order of start and exit codes.

mod flags;
mod help;
mod past;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::settings::{AppendOutput, EngineKind};
use config::{Loaded, Override, Settings};
use fields::Catalogue;
use fields::listing::{self, Form};

pub(crate) use help::HELP;

use crate::daemon::{Daemon, reload};
use crate::pipeline::beside::{Company, Main};
use crate::pipeline::{self, Compiled, Ended, Ending, Origin, Plan};
use crate::ruleset::{self, Loading, OnError};
use crate::sources::{self, AuditFile, Injecting, Sources};
use crate::watch::{Machine, Wanted};
use crate::{
    configuration, containers, describe, ignored, log, output, privileges, rulefiles, source,
    support, version,
};
use flags::Flags;

/// An error whose text has been shown already.
#[derive(Debug)]
pub(crate) struct Shown;

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("see above")
    }
}

impl std::error::Error for Shown {}

/// Runs; the exit code is 0 or 1.
pub(crate) fn run(args: &[String]) -> u8 {
    match Flags::parse(args)
        .map_err(anyhow::Error::from)
        .and_then(|flags| start(&flags))
    {
        Ok(()) => 0,
        Err(error) => {
            if !error.is::<Shown>() {
                eprintln!("Error: {error:#}");
            }
            1
        }
    }
}

fn start(flags: &Flags) -> Result<()> {
    if early(flags)? {
        return Ok(());
    }
    let loaded = load_configuration(flags)?;
    let settings = &loaded.settings;
    log::start(settings, flags.verbose);
    flags
        .past
        .warnings()
        .iter()
        .for_each(|warning| log::warning(warning));
    for stray in &flags.stray {
        log::warning(&format!(
            "argument '{stray}' belongs to no option and is ignored"
        ));
    }
    configuration::log_checks(&loaded);
    privileges::keep_to_ourselves();
    if !settings.run_as.is_empty() && settings.engine.kind != EngineKind::Replay {
        privileges::become_user(&settings.run_as)?;
        log::info(&format!("run_as: goes on as '{}'", settings.run_as));
        for socket in privileges::closed_runtimes() {
            log::warning(&format!(
                "run_as: '{}' may not talk to {socket}; names and images of its containers will be \
                 missing (give its group the right, or leave run_as out)",
                settings.run_as
            ));
        }
    }
    if flags.version {
        let json = settings.outputs.json_output;
        let json = json.then(|| format!("{}\n", version::json()));
        return output::print(&json.unwrap_or_else(version::text));
    }
    if flags.page_size {
        let bytes = rustix::param::page_size();
        return output::print(&format!("Your system page size is: {bytes} bytes\n"));
    }
    let catalogue = containers::catalogue(settings);
    let sources = sources_of(flags, settings, &catalogue)?;
    if let Some(list) = listings(flags, &catalogue, &sources)? {
        return output::print(&list);
    }
    let chosen = choose_sources(flags, settings, &sources)?;
    if !flags.validate.is_empty() {
        return validate(flags, &loaded, &catalogue, &sources);
    }
    let inputs = inputs(flags, &loaded);
    // Before they are read: what changes from now on is news to a service.
    let seen = reload::fingerprint(&inputs);
    let files = rule_files(flags, &loaded)?;
    let loading = Loading::of(&files, settings, &catalogue, &sources, OnError::Stop);
    loading
        .texts(false)
        .iter()
        .for_each(|warning| log::warning(warning));
    if !loading.accepted() {
        loading
            .texts(true)
            .iter()
            .for_each(|text| eprintln!("{text}\n"));
        return Err(loading.refusal());
    }
    if flags.describe_all || flags.describe.is_some() {
        let json = settings.outputs.json_output;
        return output::print(&describe::text(
            &loading,
            flags.describe.as_deref(),
            json,
            &sources,
        )?);
    }
    if flags.support {
        return output::print(&format!("{}\n", support::document(&loaded, &files)));
    }
    let mut rules = loading.into_set();
    let order = ruleset::select(&mut rules, settings, &flags.past.switches())?;
    let origins = origins(&loaded, &files);
    if !settings.outputs.any() {
        bail!("No output configured: enable at least one, such as stdout_output.enabled");
    }
    if flags.dry_run {
        return Ok(());
    }
    if let Some(path) = &flags.pidfile {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the process id to {path}"))?;
    }
    let plan = Plan {
        settings,
        catalogue: &catalogue,
        sources: &sources,
        rules: &rules,
        order: &order,
        seconds: flags.seconds,
        ending: Ending::Falco,
        record: flags.past.record.as_deref(),
        origins,
        collection: None,
    };
    let daemon = {
        let flags = flags.clone();
        let before = settings.clone();
        let prepare = Box::new(move || prepare(&flags, &before));
        Some(Daemon {
            prepare,
            inputs,
            seen,
        })
    };
    let wanted = Wanted::of(&rules, &order, settings);
    if !wanted.blind.is_empty() {
        // A replay leaves nothing out, but the rules would when they watch a machine.
        eprintln!(
            "The rules name system calls that are not watched; see base_syscalls:\n\
             warning (unsupported-evttype): {}",
            wanted.blind.join(", ")
        );
    }
    let ended = match settings.engine.kind {
        EngineKind::Replay => {
            let company = Company::of_capture(&sources)?;
            let file = &settings.engine.capture_file;
            if sources::looks_like_json(file) {
                let limits = audit::Limits::default();
                pipeline::serve(&plan, daemon, company, |_| AuditFile::open(file, limits))?
            } else {
                pipeline::serve(&plan, daemon, company, |_| source::open(file, false))?
            }
        }
        EngineKind::Nodriver | EngineKind::Kmod | EngineKind::ModernEbpf => {
            watch_sources(&plan, daemon, &chosen, &wanted)?
        }
    };
    if let Some(fault) = ended.fault {
        return Err(fault);
    }
    Ok(())
}

/// The sources that flags and configuration speak of. Where the capture is a file of audit events, theirs is one.
fn sources_of(flags: &Flags, settings: &Settings, catalogue: &Catalogue) -> Result<Sources> {
    let replayed = settings.engine.kind == EngineKind::Replay
        && sources::looks_like_json(&settings.engine.capture_file);
    let named = |name: &String| name == audit::SOURCE;
    let asked = flags.enable_sources.iter().any(named) || flags.list.as_ref().is_some_and(named);
    Sources::of(catalogue, settings, replayed || asked)
}

/// A list that was asked for.
fn listings(flags: &Flags, catalogue: &Catalogue, sources: &Sources) -> Result<Option<String>> {
    if flags.list_plugins {
        return Ok(Some(sources::listing::plugins(sources.plugins())));
    }
    if let Some(name) = &flags.plugin_info {
        return Ok(Some(sources::listing::plugin(sources.plugins(), name)?));
    }
    let Some(source) = &flags.list else {
        return Ok(None);
    };
    let source = Some(source.as_str()).filter(|source| !source.is_empty());
    if let Some(name) = source.filter(|name| !sources.has(name)) {
        let all: Vec<&str> = sources.names().collect();
        bail!(
            "the value of --list must be an event source: {}; '{name}' is none",
            all.join(", ")
        );
    }
    let form = form(flags)?;
    let list = sources::listing::fields(
        catalogue,
        sources,
        source,
        form,
        flags.names_only,
        sources::listing::Reader::Falco,
    );
    Ok(Some(list))
}

/// Loads and compiles everything anew, for a reload.
fn prepare(flags: &Flags, before: &Settings) -> Result<(Compiled, Vec<PathBuf>)> {
    let overrides = overrides(flags)?;
    let path = configuration::find(flags.config.as_deref());
    let mut loaded = configuration::load(path.as_deref(), &overrides).map_err(|rejected| {
        let errors = rejected
            .findings
            .iter()
            .filter(|f| f.severity == diag::Severity::Error);
        let texts: Vec<String> = errors
            .map(|found| diag::text::render(&rejected.sources, found, false))
            .collect();
        anyhow::anyhow!("the configuration is refused: {}", texts.join("; "))
    })?;
    add_print(flags, &mut loaded);
    keep_what_stays(&mut loaded.settings, before);
    let settings = &loaded.settings;
    if (&settings.plugins, &settings.load_plugins) != (&before.plugins, &before.load_plugins) {
        bail!("the plugins of the configuration are others; that takes a restart");
    }
    let catalogue = containers::catalogue(settings);
    let sources = sources_of(flags, settings, &catalogue)?;
    let files = rule_files(flags, &loaded)?;
    let loading = Loading::of(&files, settings, &catalogue, &sources, OnError::Stop);
    if !loading.accepted() {
        bail!("{}: {}", loading.refusal(), loading.texts(true).join("; "));
    }
    let mut rules = loading.into_set();
    let order = ruleset::select(&mut rules, settings, &flags.past.switches())?;
    if !settings.outputs.any() {
        bail!("No output configured: enable at least one, such as stdout_output.enabled");
    }
    let compiled = Compiled::new(&Plan {
        settings,
        catalogue: &catalogue,
        sources: &sources,
        rules: &rules,
        order: &order,
        seconds: 0,
        ending: Ending::Falco,
        record: None,
        origins: origins(&loaded, &files),
        collection: None,
    })?;
    Ok((compiled, inputs(flags, &loaded)))
}

/// What holds for the whole run goes on as it was, and that it does is said where the file says
/// otherwise.
fn keep_what_stays(settings: &mut Settings, before: &Settings) {
    let changed = [
        ("engine", settings.engine != before.engine),
        ("webserver", settings.webserver != before.webserver),
        ("alert_store", settings.alert_store != before.alert_store),
        ("page", settings.page != before.page),
        (
            "flight_recorder",
            settings.flight_recorder != before.flight_recorder,
        ),
        ("run_as", settings.run_as != before.run_as),
        ("falco_libs", settings.libs != before.libs),
        ("log_* and libs_logger", settings.log != before.log),
    ];
    for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
        log::warning(&format!("{key} is other than before; that takes a restart"));
    }
    settings.alert_store.clone_from(&before.alert_store);
    settings.page.clone_from(&before.page);
    settings.flight_recorder.clone_from(&before.flight_recorder);
}

/// Files and directories whose change means something else is to be loaded.
fn inputs(flags: &Flags, loaded: &Loaded) -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = loaded.files.iter().map(|(path, _)| path.clone()).collect();
    if let Some(list) = loaded.tree.get("config_files") {
        for item in list.items().unwrap_or(std::slice::from_ref(list)) {
            let path = item
                .text()
                .or_else(|| item.get("path").and_then(config::Node::text));
            inputs.extend(path.map(PathBuf::from));
        }
    }
    let configured = loaded.settings.rules_files.as_deref().unwrap_or_default();
    let rules = if flags.rules.is_empty() {
        configured
    } else {
        &flags.rules
    };
    inputs.extend(rules.iter().map(PathBuf::from));
    inputs.sort();
    inputs.dedup();
    inputs
}

/// Configuration files and rule files with what they held.
fn origins(loaded: &Loaded, files: &[rulefiles::RuleFile]) -> (Vec<Origin>, Vec<Origin>) {
    let configurations = loaded.files.iter().filter_map(|(path, _)| {
        let content = std::fs::read(path).ok()?;
        Some(Origin::new(path, &content))
    });
    let rules = files
        .iter()
        .map(|file| Origin::new(Path::new(&file.name), &file.content));
    (configurations.collect(), rules.collect())
}

/// What needs no configuration; true when that was all.
fn early(flags: &Flags) -> Result<bool> {
    let text = if flags.help {
        help::HELP.to_owned()
    } else if flags.config_schema {
        config::CONFIG_SCHEMA.to_owned()
    } else if flags.rule_schema {
        ruleset::SCHEMA.to_owned()
    } else if flags.ignored {
        ignored::list()
    } else if flags.list_events {
        listing::events(form(flags)?)
    } else {
        return Ok(false);
    };
    output::print(&text)?;
    Ok(true)
}

fn form(flags: &Flags) -> Result<Form> {
    match &flags.format {
        Some(_) if flags.markdown => bail!("--format and --markdown exclude each other"),
        Some(format) => match format.as_str() {
            "text" => Ok(Form::Text),
            "markdown" => Ok(Form::Markdown),
            "json" => Ok(Form::Json),
            _ => bail!("invalid format '{format}'; the formats are text, markdown and json"),
        },
        None if flags.markdown => Ok(Form::Markdown),
        None => Ok(Form::Text),
    }
}

/// Whether the flags only ask for information, which no missing configuration may prevent.
fn only_informs(flags: &Flags) -> bool {
    flags.version || flags.page_size || flags.list.is_some() || flags.list_plugins
}

fn overrides(flags: &Flags) -> Result<Vec<Override>> {
    let mut overrides = flags.past.overrides();
    for option in &flags.options {
        overrides.push(Override::parse(option)?);
    }
    if flags.unbuffered {
        overrides.push(Override::set("buffered_outputs", "false"));
    }
    Ok(overrides)
}

fn load_configuration(flags: &Flags) -> Result<Loaded> {
    let overrides = overrides(flags)?;
    let path = configuration::find(flags.config.as_deref());
    if path.is_none() && !only_informs(flags) {
        bail!(
            "no configuration found, neither {}; name one with -c PATH",
            configuration::PLACES.join(" nor ")
        );
    }
    let mut loaded = configuration::load(path.as_deref(), &overrides).map_err(|rejected| {
        configuration::show(&rejected.findings, &rejected.sources);
        eprintln!("Error: the configuration is refused: {rejected}");
        Shown
    })?;
    if flags.print.is_some() {
        eprintln!("Warning: -p is an old option; use -o 'append_output[]={{...}}'");
    }
    add_print(flags, &mut loaded);
    Ok(loaded)
}

/// `-p TEXT` is an entry of `append_output`.
fn add_print(flags: &Flags, loaded: &mut Loaded) {
    let Some(print) = &flags.print else { return };
    // The texts of containers and pods come with the suggested output nowadays.
    if !matches!(print.as_str(), "c" | "container" | "k" | "kubernetes") {
        let entry = AppendOutput {
            extra_output: print.clone(),
            ..AppendOutput::default()
        };
        loaded.settings.append_output.push(entry);
    }
}

/// The sources that run. A replay takes what the capture holds.
fn choose_sources(flags: &Flags, settings: &Settings, sources: &Sources) -> Result<Vec<String>> {
    let (enable, disable) = (&flags.enable_sources, &flags.disable_sources);
    if settings.engine.kind == EngineKind::Replay {
        if !enable.is_empty() && !disable.is_empty() {
            bail!("--enable-source and --disable-source exclude each other");
        }
        return Ok(Vec::new());
    }
    let all: Vec<&str> = sources.names().collect();
    let mut chosen = sources::choice::choose(&all, enable, disable)?;
    if settings.engine.kind == EngineKind::Nodriver {
        chosen.retain(|name| name != sources::SYSCALL);
    }
    Ok(chosen)
}

/// Watches the chosen sources at once: system calls on this thread, or the first other one.
fn watch_sources(
    plan: &Plan<'_>,
    daemon: Option<Daemon>,
    chosen: &[String],
    wanted: &Wanted,
) -> Result<Ended> {
    let mut company = sources::open(plan.settings, plan.sources, chosen)?;
    if chosen.iter().any(|name| name == sources::SYSCALL) {
        let settings = plan.settings;
        company.running = plan.sources.plugins().start(sources::SYSCALL, true)?;
        let injecting = Injecting::prepare(&company.running);
        return pipeline::serve(plan, daemon, company, |state| {
            Ok(injecting.around(Machine::open(settings, wanted, state)?))
        });
    }
    if company.beside.is_empty() {
        bail!(
            "engine.kind=nodriver takes events from other sources only, and none is configured: \
             set webserver.k8s_audit_endpoint, or load a plugin"
        );
    }
    let first = company.beside.remove(0);
    company.mixed.push((first.name, first.running));
    pipeline::serve(plan, daemon, company, move |_| Ok(Main(first.stream)))
}

fn rule_files(flags: &Flags, loaded: &Loaded) -> Result<Vec<rulefiles::RuleFile>> {
    let configured = loaded.settings.rules_files.as_deref().unwrap_or_default();
    let named = !flags.rules.is_empty();
    let paths = if named { &flags.rules } else { configured };
    if paths.is_empty() {
        bail!(
            "You must specify at least one rules file or directory: by -r, or by rules_files in \
             the configuration"
        );
    }
    let mut skipped = Vec::new();
    let files = rulefiles::collect(paths, named, &mut skipped)?;
    skipped.iter().for_each(|line| log::warning(line));
    Ok(files)
}

fn validate(
    flags: &Flags,
    loaded: &Loaded,
    catalogue: &Catalogue,
    sources: &Sources,
) -> Result<()> {
    let mut files = Vec::new();
    for path in &flags.validate {
        files.push(rulefiles::read(Path::new(path))?);
    }
    let loading = Loading::of(&files, &loaded.settings, catalogue, sources, OnError::GoOn);
    let described = flags.describe_all || flags.describe.is_some();
    if loaded.settings.outputs.json_output {
        let mut json = loading.json();
        if described && loading.accepted() {
            json["falco_describe_results"] =
                describe::json(&loading, flags.describe.as_deref(), sources)?;
        }
        output::print(&format!("{json}\n"))?;
    } else {
        output::print(&describe::validation(&loading))?;
    }
    if loading.accepted() {
        return Ok(());
    }
    loading
        .texts(true)
        .iter()
        .for_each(|text| eprintln!("{text}\n"));
    Err(loading.refusal())
}
