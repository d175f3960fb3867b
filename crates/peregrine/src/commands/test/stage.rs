//! Where a test is played: the state, the fields and the engine that also watch a machine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use audit::{Body, Limits};
use engine::{Engine, Matching};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use fields::{Environment, EventView};
use filter::{FieldSource, Schema, Template, Tracer};
use plugins::Event;
use rules::Rule;
use rules::stateful::RuleSchema;
use state::{Context, Options, State};
use workbench::scenario::{Cast, Suite, Test};

use super::coverage::Coverage;
use super::files::{Found, Loaded};
use crate::event_loop::{self, Pace, Work};
use crate::source;
use crate::sources::running::Values;
use crate::sources::{SYSCALL, SourceView};
use crate::stop::Signals;

/// An alert that came.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    /// Its rule.
    pub(crate) name: String,
    /// Number of the event, from 1.
    pub(crate) event: u64,
    pub(crate) output: String,
    /// Values of the fields that some test asks for.
    pub(crate) fields: BTreeMap<String, String>,
}

/// What a test gave.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) alerts: Vec<Alert>,
    /// For rules that are expected, why they did not fire: event and clause.
    pub(crate) misses: BTreeMap<String, Vec<String>>,
}

/// Rules and what is needed to try them.
pub(crate) struct Stage<'a> {
    pub(crate) loaded: &'a Loaded,
    /// For each source, with all that match and with the first only.
    engines: BTreeMap<(String, bool), Engine>,
    printer: Printer,
    /// Rules that tests are about, with their conditions.
    tracers: BTreeMap<usize, Tracer>,
}

impl<'a> Stage<'a> {
    /// All rules that are on, and those that tests name.
    pub(crate) fn new(loaded: &'a Loaded, suite: &Suite) -> Result<Self> {
        let set = &loaded.set;
        let named: BTreeSet<&str> = suite.tests.iter().flat_map(names).collect();
        let order: Vec<usize> = (0..set.rules.len())
            .filter(|&at| set.rules[at].enabled || named.contains(set.rules[at].name.as_str()))
            .collect();
        let mut engines = BTreeMap::new();
        for (source, schema) in loaded.sources.schemas() {
            for first in [false, true] {
                if first && !suite.tests.iter().any(|test| test.first_only) {
                    continue;
                }
                let matching = if first {
                    Matching::First
                } else {
                    Matching::All
                };
                let engine = Engine::new(set, &order, schema, source, matching)?;
                engines.insert((source.to_owned(), first), engine);
            }
        }
        let mut tracers = BTreeMap::new();
        for (at, rule) in set.rules.iter().enumerate() {
            if named.contains(rule.name.as_str()) {
                let schema = loaded
                    .sources
                    .schema(&rule.source)
                    .context("a source is gone")?;
                tracers.insert(
                    at,
                    Tracer::new(&rule.ast, schema).context("a condition does not compile")?,
                );
            }
        }
        let asked = suite
            .tests
            .iter()
            .flat_map(|test| test.wanted.alerts.iter().flatten());
        let asked = asked
            .flat_map(|alert| alert.fields.iter().map(|(name, _)| name.clone()))
            .collect();
        Ok(Self {
            loaded,
            engines,
            printer: Printer {
                outputs: BTreeMap::new(),
                asked,
            },
            tracers,
        })
    }

    /// Plays a test; a sentence if it cannot be played.
    pub(crate) fn play(
        &mut self,
        test: &Test,
        found: &Found,
        coverage: &mut Coverage,
    ) -> Result<Played, String> {
        if let Some(name) =
            names(test).find(|name| !self.loaded.set.rules.iter().any(|rule| rule.name == *name))
        {
            let known = self.loaded.set.rules.iter().map(|rule| rule.name.as_str());
            let near = diag::nearest::nearest(name, known);
            let near = near.map_or_else(String::new, |near| {
                format!("; there is one called \"{near}\"")
            });
            return Err(format!("there is no rule \"{name}\"{near}"));
        }
        let mut played = Played::default();
        self.engines.values_mut().for_each(Engine::forget);
        if let Some(capture) = &test.capture {
            self.replay(
                test,
                &found.folder.join(capture).display().to_string(),
                coverage,
                &mut played,
            )
            .map_err(|error| format!("{error:#}"))?;
            return Ok(played);
        }
        let mut cast = Cast::new();
        let mut state = State::new(Options::default());
        state.name_addresses(true);
        let mut env = environment();
        for (at, spec) in test.events.iter().enumerate() {
            let told = |message: &str, offset| format!("line {}: {message}", found.line(offset));
            let step = cast
                .step(spec)
                .map_err(|fault| told(&fault.message, fault.offset))?;
            let number = at as u64 + 1;
            if let Some(json) = &step.audit {
                self.audit(test, json, number, coverage, &mut played)
                    .map_err(|message| told(&message, spec.offset))?;
                continue;
            }
            step.prepare(&mut state)?;
            let record =
                Record::parse(&step.record, 0, RecordFlags::default()).map_err(|error| {
                    told(&format!("the event cannot be made: {error}"), spec.offset)
                })?;
            let mut context = state.process(&record);
            if !context.visible {
                return Err(told(
                    &format!(
                        "no rule ever sees a `{}` like this; it only changes the state",
                        spec.kind
                    ),
                    spec.offset,
                ));
            }
            context.number = number;
            env.see(&record);
            let view = view(&record, &state, &context, &env, None);
            let schema = self
                .loaded
                .sources
                .schema(SYSCALL)
                .ok_or("there is no source of system calls")?;
            for (name, wanted, offset) in &step.claims {
                claim(name, wanted.as_deref(), &view, schema)
                    .map_err(|message| told(&message, *offset))?;
            }
            self.judge(test, SYSCALL, record.code, &view, coverage, &mut played);
        }
        Ok(played)
    }

    fn audit(
        &mut self,
        test: &Test,
        json: &[u8],
        number: u64,
        coverage: &mut Coverage,
        played: &mut Played,
    ) -> Result<(), String> {
        let limits = Limits::default();
        let body = Body::parse(json, &limits)
            .map_err(|refusal| format!("this is no audit event: {refusal}"))?;
        let event = body.events().next().ok_or_else(|| {
            let why = body
                .skipped()
                .first()
                .map_or_else(String::new, |skipped| format!(": {skipped:?}"));
            format!("this is no audit event{why}")
        })?;
        let bytes = RecordBuilder::new(EventCode::new(codes::PLUGINEVENT_E), event.time, -1)
            .u32(audit::PLUGIN_ID)
            .bytes(event.node.json())
            .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).map_err(|e| e.to_string())?;
        let mut state = State::new(Options::default());
        let mut context = state.process(&record);
        context.number = number;
        let env = Environment {
            source: audit::SOURCE.to_owned(),
            ..environment()
        };
        let view = view(
            &record,
            &state,
            &context,
            &env,
            Some(audit::View::new(event.node, event.time)),
        );
        self.judge(test, audit::SOURCE, record.code, &view, coverage, played);
        Ok(())
    }

    fn replay(
        &mut self,
        test: &Test,
        path: &str,
        coverage: &mut Coverage,
        played: &mut Played,
    ) -> Result<()> {
        let signals = Signals::catch().context("cannot catch signals")?;
        let mut state = State::new(Options::default());
        state.name_addresses(true);
        let mut file = source::open(path, false)?;
        let pace = Pace::new(&self.loaded.settings, 0);
        let mut work = Replayed {
            stage: self,
            test,
            coverage,
            played,
            env: environment(),
        };
        let end = event_loop::drive(&mut file, &mut state, &mut work, &signals, pace);
        end.fault.map_or(Ok(()), Err)
    }

    /// Lets the rules of a source look at an event.
    fn judge(
        &mut self,
        test: &Test,
        source: &str,
        code: EventCode,
        view: &SourceView<'_>,
        coverage: &mut Coverage,
        played: &mut Played,
    ) {
        let set = &self.loaded.set;
        for (&at, tracer) in &mut self.tracers {
            let rule = &set.rules[at];
            if rule.source != source || !rule.event_codes.contains(code.number()) {
                continue;
            }
            let concerned = names(test).any(|name| name == rule.name) || test.rule.is_none();
            if concerned {
                tracer.next_event();
                coverage.see(at, tracer, view);
                if !tracer.matches(view) {
                    let number = view.base.context.number;
                    let why = super::verdict::why(tracer, view);
                    let misses = played.misses.entry(rule.name.clone()).or_default();
                    if misses.len() < 3 {
                        misses.push(format!("on event {number}: {why}"));
                    }
                }
            }
        }
        let Some(engine) = self.engines.get_mut(&(source.to_owned(), test.first_only)) else {
            return;
        };
        let Some(schema) = self.loaded.sources.schema(source) else {
            return;
        };
        for &at in engine.on_event(code, view) {
            let rule = &set.rules[at as usize];
            played
                .alerts
                .extend(self.printer.alert(at, rule, view, view, schema));
        }
        for firing in engine.advance(view.base.record.ts, view) {
            let rule = &set.rules[firing.rule as usize];
            let whole = firing.evidence.over(view);
            let alert = self.printer.alert(firing.rule, rule, view, &whole, schema);
            played.alerts.extend(alert);
        }
    }
}

/// Writes alerts.
struct Printer {
    outputs: BTreeMap<u32, Template>,
    /// Fields that tests ask of alerts.
    asked: BTreeSet<String>,
}

impl Printer {
    /// The alert of a rule on an event; `whole` shows what the rule remembers, too.
    fn alert(
        &mut self,
        at: u32,
        rule: &Rule,
        view: &SourceView<'_>,
        whole: &impl FieldSource,
        schema: &dyn Schema,
    ) -> Option<Alert> {
        let schema = RuleSchema::new(rule, schema);
        let template = match self.outputs.entry(at) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let template = Template::parse(&rule.output_template, &schema).ok()?;
                free.insert(template.permissive())
            }
        };
        let mut output = Vec::new();
        template.render(whole, &mut output);
        let fields = self
            .asked
            .iter()
            .filter_map(|name| Some((name.clone(), shown(name, whole, &schema)?)));
        Some(Alert {
            name: rule.name.clone(),
            event: view.base.context.number,
            output: String::from_utf8_lossy(&output).into_owned(),
            fields: fields.collect(),
        })
    }
}

/// The rules that a test names.
fn names(test: &Test) -> impl Iterator<Item = &str> {
    let wanted = &test.wanted;
    let alerts = wanted
        .alerts
        .iter()
        .flatten()
        .map(|alert| alert.rule.as_str());
    test.rule
        .as_deref()
        .into_iter()
        .chain(alerts)
        .chain(wanted.silent.iter().map(String::as_str))
}

fn environment() -> Environment {
    Environment {
        hostname: b"test".to_vec(),
        ..Environment::default()
    }
}

fn view<'v>(
    record: &'v Record<'v>,
    state: &'v State,
    context: &'v Context,
    env: &'v Environment,
    audit: Option<audit::View<'v>>,
) -> SourceView<'v> {
    let code = record.code.number();
    let event = Event {
        number: context.number,
        source: &env.source,
        bytes: record.bytes(),
    };
    SourceView {
        base: EventView::new(record, state, context, env),
        audit,
        plugin: "",
        values: Values::new(&[], event, code, state),
        session: None,
    }
}

/// A field's text; `None` where there is no such field to be shown.
fn shown(name: &str, view: &impl FieldSource, schema: &dyn Schema) -> Option<String> {
    let def = schema.resolve(name).ok()?;
    if def.filter_only {
        return None;
    }
    let template = Template::parse(&format!("%{name}"), schema)
        .ok()?
        .permissive();
    let mut out = Vec::new();
    template.render(view, &mut out);
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Whether a field has the value that was written.
fn claim(
    name: &str,
    wanted: Option<&str>,
    view: &SourceView<'_>,
    schema: &dyn Schema,
) -> Result<(), String> {
    if let Err(error) = schema.resolve(name) {
        let near = diag::nearest::nearest(name, schema.names());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(format!("`{name}`: {error}{near}"));
    }
    let Some(shown) = shown(name, view, schema) else {
        return Ok(());
    };
    let wanted = wanted.unwrap_or("<NA>");
    let words = |text: &str| -> BTreeSet<String> {
        text.split([' ', '|'])
            .map(|word| {
                word.trim_end_matches(|c: char| c == ')' || c.is_ascii_digit())
                    .trim_end_matches('(')
                    .to_owned()
            })
            .collect()
    };
    let equal = shown == wanted || (wanted.contains([' ', '|']) && words(&shown) == words(wanted));
    // A kernel's name is cut; so is what is claimed of it.
    let cut = matches!(name, "proc.name" | "proc.pname")
        && wanted.len() > 15
        && wanted.starts_with(shown.as_str());
    let number = wanted.parse::<i64>().is_ok() || name.starts_with("evt.r") || name == "evt.res";
    if equal || cut || (number && workbench::scenario::same_number(&shown, wanted)) {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be made \"{wanted}\" on this event: it is \"{shown}\""
    ))
}

struct Replayed<'s, 'a, 't> {
    stage: &'s mut Stage<'a>,
    test: &'t Test,
    coverage: &'t mut Coverage,
    played: &'t mut Played,
    env: Environment,
}

impl Work for Replayed<'_, '_, '_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if !context.visible {
            return true;
        }
        self.env.see(record);
        if record.info.internal {
            return true;
        }
        let view = view(record, state, context, &self.env, None);
        self.stage.judge(
            self.test,
            SYSCALL,
            record.code,
            &view,
            self.coverage,
            self.played,
        );
        true
    }
}
