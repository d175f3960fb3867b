//! Everything that rules and configuration become before the first event, and that a reload makes
//! anew beside what runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use config::Settings;
use config::settings::{EngineKind, RuleMatching};
use engine::stateful::Limits;
use engine::{Engine, Matching};
use fields::Environment;
use filter::Filter;
use live::Shortcuts;
use outputs::{Clock, Form, Formatter, Outputs, Route, RuleOutput, Subject};
use rules::Priority;
use rules::stateful::RuleSchema;

use super::flight::Around;
use super::images::Images;
use super::keeper::Kept;
use super::repeats::RepeatRules;
use super::{Plan, channels, identity};
use crate::hostname::hostname;
use crate::sources::SYSCALL;
use crate::watch::Wanted;

/// With more rules than this, finding out what none of them reads takes longer than it is worth.
const MANY_RULES: usize = 1000;

/// What outputs and metrics know a rule by.
#[derive(Clone, Debug)]
pub(crate) struct RuleSubject {
    pub(crate) priority: Priority,
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) tags: Vec<String>,
}

impl RuleSubject {
    pub(super) fn of(rule: &rules::Rule) -> Self {
        Self {
            priority: rule.priority,
            source: rule.source.clone(),
            rule: rule.name.clone(),
            tags: rule.tags.clone(),
        }
    }

    pub(super) fn route(&self, outputs: &Outputs) -> Route {
        outputs.route(&self.subject())
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            priority: self.priority,
            source: &self.source,
            rule: &self.rule,
            tags: &self.tags,
        }
    }
}

/// A file that configuration or rules came from, with the SHA-256 of what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
}

impl Origin {
    /// Of a text.
    pub(crate) fn new(path: &Path, content: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, content);
        let sha256 = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: path.to_owned(),
            sha256,
        }
    }
}

/// Rules, compiled, and the settings that they run under.
pub(crate) struct Compiled {
    pub(crate) engine: Engine,
    /// Engines of the other sources, until their judges take them.
    pub(crate) sides: Vec<(String, Engine)>,
    pub(crate) rule_outputs: Arc<Vec<RuleOutput>>,
    pub(crate) subjects: Vec<RuleSubject>,
    /// By rule: what is to be saved of the events around its matches.
    pub(crate) around: Vec<Option<Around>>,
    /// What goes into the flight recorder's ring; the recorder takes it.
    pub(crate) ring_filter: Option<Filter>,
    /// What becomes of alerts that repeat themselves.
    pub(super) repeats: RepeatRules,
    /// Whether anybody asks for alerts' ids.
    pub(super) names_alerts: bool,
    /// What is kept of alerts, where they are kept.
    pub(super) kept: Option<Arc<Kept>>,
    pub(crate) form: Form,
    pub(crate) statics: Vec<Vec<u8>>,
    pub(crate) settings: Settings,
    pub(crate) wanted: Wanted,
    /// Who is to be asked for what the kernel side leaves out.
    pub(crate) images: Images,
    /// Configuration files, then rule files.
    pub(crate) origins: (Vec<Origin>, Vec<Origin>),
}

/// The condition that the ring has.
fn ring_filter(plan: &Plan<'_>) -> Result<Option<Filter>> {
    let text = plan.settings.flight_recorder.filter.trim();
    if text.is_empty() || !plan.settings.flight_recorder.enabled {
        return Ok(None);
    }
    let filter = Filter::compile(text, plan.catalogue)
        .map_err(|error| anyhow::anyhow!("flight_recorder.filter does not compile: {error}"))?;
    Ok(Some(filter))
}

impl Compiled {
    /// Compiles; nothing is opened.
    ///
    /// # Errors
    /// A rule whose output does not compile.
    pub(crate) fn new(plan: &Plan<'_>) -> Result<Self> {
        let settings = plan.settings;
        let form = channels::form(settings, hostname());
        let matching = match settings.rule_matching {
            RuleMatching::First => Matching::First,
            RuleMatching::All => Matching::All,
        };
        let statics = plan.catalogue.statics();
        let engine = |source: &str| -> Result<Engine> {
            let schema = plan.sources.schema(source);
            let schema = schema.with_context(|| format!("there is no event source '{source}'"))?;
            let mut engine = Engine::new(plan.rules, plan.order, schema, source, matching)?;
            engine.limit(Limits {
                memory: usize::try_from(settings.stateful.memory).unwrap_or(usize::MAX),
                partials: settings.stateful.partials,
            });
            Ok(engine)
        };
        let syscalls = engine(SYSCALL)?;
        let mut wanted = Wanted::of(plan.rules, plan.order, settings);
        let mut images = Images::default();
        let live = matches!(
            settings.engine.kind,
            EngineKind::Kmod | EngineKind::ModernEbpf
        );
        if live && settings.engine.kernel_filters && plan.order.len() <= MANY_RULES {
            let schema = plan.sources.schema(SYSCALL);
            let schema = schema.context("there is no source of system calls")?;
            let shortcuts = Shortcuts::of(&syscalls.needs(plan.rules, schema));
            images = Images::new(&shortcuts, schema);
            wanted.filters = shortcuts.filters;
        }
        // After the engine, which needs most memory while it is made.
        let mut rule_outputs = Vec::new();
        let mut kept = settings
            .alert_store
            .enabled
            .then(|| Kept::new(&form, plan.catalogue));
        let shown = plan.rules.rules.iter().any(identity::is_shown);
        for rule in &plan.rules.rules {
            let schema = plan
                .sources
                .schema(&rule.source)
                .with_context(|| format!("rule \"{}\" is of an unknown source", rule.name))?;
            let schema = &RuleSchema::new(rule, schema);
            let compiled = RuleOutput::new(rule, &form, schema)
                .with_context(|| format!("output of rule \"{}\"", rule.name))?;
            rule_outputs.push(compiled);
            if let Some(kept) = &mut kept {
                kept.add(rule, RuleSubject::of(rule), schema)?;
            }
        }
        let others = plan.sources.names().filter(|name| *name != SYSCALL);
        Ok(Self {
            engine: syscalls,
            sides: others
                .map(|name| Ok((name.to_owned(), engine(name)?)))
                .collect::<Result<_>>()?,
            rule_outputs: Arc::new(rule_outputs),
            subjects: plan.rules.rules.iter().map(RuleSubject::of).collect(),
            ring_filter: ring_filter(plan)?,
            around: Around::of_rules(plan.rules, &settings.capture),
            repeats: RepeatRules::new(settings, &plan.rules.rules, plan.sources)?,
            names_alerts: kept.is_some() || shown,
            kept: kept.map(Arc::new),
            form,
            statics: statics.iter().map(|(_, v)| v.clone().into()).collect(),
            settings: settings.clone(),
            wanted,
            images,
            origins: plan.origins.clone(),
        })
    }

    /// Writes its alerts.
    pub(crate) fn formatter(&self) -> Formatter {
        Formatter::new(self.form.clone(), Clock::system())
    }

    /// Puts what fields take from the configuration into their environment.
    pub(crate) fn prepare(&self, env: &mut Environment) {
        env.hostname.clone_from(&self.form.hostname);
        env.zone = &fields::LOCAL;
        env.base64_buffers = self.settings.buffer_format_base64;
        env.iso_time = self.settings.outputs.time_format_iso_8601;
        env.statics.clone_from(&self.statics);
    }
}
