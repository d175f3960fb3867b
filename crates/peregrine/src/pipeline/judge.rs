//! The rules of one source beside system calls, over its events; and how matches become alerts.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use audit::{Body, Limits};
use config::settings::RuleMatching;
use engine::{Engine, Matching};
use event::{Record, codes};
use fields::{Environment, EventView};
use jiff::tz::TimeZone;
use outputs::{Clock, Form, Formatter, Outputs, Route, RuleOutput, Statistics, Subject};
use rules::Priority;
use state::{Context, State};

use super::Plan;
use crate::sources::SourceView;

/// What outputs choose a rule's alerts by.
struct RuleSubject {
    priority: Priority,
    source: String,
    rule: String,
    tags: Vec<String>,
}

impl RuleSubject {
    fn of(rule: &rules::Rule) -> Self {
        Self {
            priority: rule.priority,
            source: rule.source.clone(),
            rule: rule.name.clone(),
            tags: rule.tags.iter().map(|tag| tag.to_string()).collect(),
        }
    }

    fn route(&self, outputs: &Outputs) -> Route {
        outputs.route(&Subject {
            priority: self.priority,
            source: &self.source,
            rule: &self.rule,
            tags: &self.tags,
        })
    }
}

/// Makes lines of matches and sends them.
pub(super) struct Alerts {
    pub(super) formatter: Formatter,
    rule_outputs: Arc<Vec<RuleOutput>>,
    subjects: Arc<Vec<RuleSubject>>,
    /// By rule: which outputs take its alerts.
    routes: Vec<Route>,
    pub(super) statistics: Statistics,
    line: Vec<u8>,
}

impl Alerts {
    /// With nothing counted yet.
    ///
    /// # Errors
    /// A rule whose output does not compile.
    pub(super) fn new(plan: &Plan<'_>, form: Form) -> Result<Self> {
        Ok(Self {
            rule_outputs: rule_outputs(plan, &form)?,
            subjects: Arc::new(plan.rules.rules.iter().map(RuleSubject::of).collect()),
            routes: Vec::new(),
            statistics: statistics(plan),
            formatter: Formatter::new(form, Clock::new(TimeZone::system())),
            line: Vec::new(),
        })
    }

    /// Settles which outputs take which alerts.
    pub(super) fn choose_outputs(&mut self, outputs: &Outputs) {
        let routes = self.subjects.iter().map(|subject| subject.route(outputs));
        self.routes = routes.collect();
    }

    /// Another of the same form, for another thread.
    pub(super) fn beside(&self, plan: &Plan<'_>) -> Self {
        Self {
            formatter: Formatter::new(
                self.formatter.form().clone(),
                Clock::new(TimeZone::system()),
            ),
            rule_outputs: Arc::clone(&self.rule_outputs),
            subjects: Arc::clone(&self.subjects),
            routes: self.routes.clone(),
            statistics: statistics(plan),
            line: Vec::new(),
        }
    }

    /// False when nobody reads the alerts any more.
    #[inline]
    pub(super) fn raise(
        &mut self,
        rule: u32,
        time: u64,
        view: &impl filter::FieldSource,
        outputs: &Outputs,
    ) -> bool {
        let rule = rule as usize;
        let compiled = &self.rule_outputs[rule];
        self.statistics.count(rule, compiled.priority());
        self.line.clear();
        self.formatter.alert(compiled, time, view, &mut self.line);
        outputs.send_to(self.routes[rule], compiled.priority(), &self.line)
    }
}

fn statistics(plan: &Plan<'_>) -> Statistics {
    Statistics::new(plan.rules.rules.iter().map(|rule| rule.name.clone()))
}

/// Compiles what each rule prints, with the fields of its source.
///
/// # Errors
/// When an output does not compile, which loading should have found.
fn rule_outputs(plan: &Plan<'_>, form: &Form) -> Result<Arc<Vec<RuleOutput>>> {
    let mut compiled = Vec::new();
    for rule in &plan.rules.rules {
        let schema = plan
            .sources
            .schema(&rule.source)
            .with_context(|| format!("rule \"{}\" is of an unknown source", rule.name))?;
        let output = RuleOutput::new(rule, form, schema)
            .with_context(|| format!("output of rule \"{}\"", rule.name))?;
        compiled.push(output);
    }
    Ok(Arc::new(compiled))
}

/// The engine of a source.
///
/// # Errors
/// When the rules were not compiled for it.
pub(super) fn engine(plan: &Plan<'_>, source: &str) -> Result<Engine> {
    let matching = match plan.settings.rule_matching {
        RuleMatching::First => Matching::First,
        RuleMatching::All => Matching::All,
    };
    let schema = plan
        .sources
        .schema(source)
        .with_context(|| format!("there is no event source '{source}'"))?;
    Ok(Engine::new(
        plan.rules, plan.order, schema, source, matching,
    )?)
}

/// What values depend on besides the event, for events of a source.
pub(super) fn environment(plan: &Plan<'_>, form: &Form, source: &str) -> Environment {
    let statics = plan.catalogue.statics().iter();
    Environment {
        hostname: form.hostname.clone(),
        zone: TimeZone::system(),
        base64_buffers: plan.settings.buffer_format_base64,
        iso_time: plan.settings.outputs.time_format_iso_8601,
        source: source.to_owned(),
        statics: statics.map(|(_, v)| v.clone().into()).collect(),
        ..Environment::default()
    }
}

/// The rules of one source beside system calls.
pub(super) struct Judge {
    /// The source.
    pub(super) name: String,
    /// The number of its plugin in captures.
    id: u32,
    /// The name of its plugin.
    plugin: &'static str,
    engine: Engine,
    env: Environment,
    limits: Limits,
}

impl Judge {
    /// Judges of all sources beside system calls.
    pub(super) fn all(plan: &Plan<'_>, form: &Form) -> Result<Vec<Self>> {
        let names = plan
            .sources
            .names()
            .filter(|name| *name != crate::sources::SYSCALL);
        names.map(|name| Self::new(plan, form, name)).collect()
    }

    /// The judge of a source.
    pub(super) fn new(plan: &Plan<'_>, form: &Form, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            id: audit::PLUGIN_ID,
            plugin: "k8saudit",
            engine: engine(plan, name)?,
            env: environment(plan, form, name),
            limits: Limits::default(),
        })
    }

    /// Whether it judges events of this plugin. The variants of the audit plugin share a source.
    pub(super) fn is_for(&self, plugin: u32) -> bool {
        plugin == self.id || (self.id == audit::PLUGIN_ID && matches!(plugin, 9 | 16 | 21 | 22))
    }

    /// False when nobody reads the alerts any more.
    pub(super) fn event(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        alerts: &mut Alerts,
        outputs: &Outputs,
    ) -> bool {
        self.env.see(record);
        if !self.engine.concerns(record.code) {
            return true;
        }
        let payload = record.param(1);
        // What cannot be read has no fields but those of every event.
        let body = (record.code.number() == codes::PLUGINEVENT_E)
            .then(|| Body::of_event(payload, record.ts, &self.limits).ok())
            .flatten();
        let event = body.as_ref().and_then(|body| body.events().next());
        let view = SourceView {
            base: EventView::new(record, state, context, &self.env),
            audit: event.map(|e| audit::View::new(e.node, e.time).with_zone(&self.env.zone)),
            plugin: self.plugin,
            info: Some(payload),
        };
        for &rule in self.engine.on_event(record.code, &view) {
            if !alerts.raise(rule, record.ts, &view, outputs) {
                return false;
            }
        }
        true
    }
}
