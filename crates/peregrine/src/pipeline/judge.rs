//! The rules of one source beside system calls, over its events; and how their matches become alerts.

use std::sync::{Arc, Mutex, PoisonError};

use audit::{Body, Limits, Session};
use engine::Engine;
use event::{Record, codes};
use fields::{Environment, EventView};
use outputs::{Form, Formatter, Route, RuleOutput, Statistics};
use plugins::Event;
use rules::Priority;
use state::{Context, State};

use super::Plan;
use super::clerk::{Clerk, Registry};
use super::compiled::{Compiled, RuleSubject};
use super::flight::{Around, Flight};
use super::keeper::{Keeper, Kept};
use super::notices::{self, Files};
use super::repeats::{Gate, Lines, RepeatRules};
use super::shared::SharedOutputs;
use crate::log;
use crate::sources::running::{self, Values};
use crate::sources::{Running, Sessions, SourceView};

/// The rules of one source, compiled, with what their alerts need. A reload makes new ones.
pub(super) struct Rulings {
    engine: Engine,
    env: Environment,
    formatter: Formatter,
    rule_outputs: Arc<Vec<RuleOutput>>,
    subjects: Vec<RuleSubject>,
    kept: Option<Arc<Kept>>,
    gate: Gate,
    repeats: RepeatRules,
    settings: config::Settings,
    names_alerts: bool,
    form: Form,
    /// By rule: what is to be saved of the events around this source's matches.
    around: Vec<Option<Around>>,
}

impl Rulings {
    /// Those of a source; `None` where the source was not compiled for.
    pub(super) fn take(compiled: &mut Compiled, source: &str) -> Option<Self> {
        let at = compiled.sides.iter().position(|(name, _)| name == source)?;
        let (_, engine) = compiled.sides.swap_remove(at);
        let mut env = Environment {
            source: source.to_owned(),
            ..Environment::default()
        };
        compiled.prepare(&mut env);
        let all = compiled.subjects.iter().zip(&compiled.around);
        let around = all.map(|(rule, around)| around.filter(|_| rule.source == source));
        Some(Self {
            engine,
            env,
            formatter: compiled.formatter(),
            rule_outputs: Arc::clone(&compiled.rule_outputs),
            subjects: compiled.subjects.clone(),
            kept: compiled.kept.clone(),
            gate: Gate::new(&compiled.settings, &compiled.repeats),
            repeats: compiled.repeats.clone(),
            settings: compiled.settings.clone(),
            names_alerts: compiled.names_alerts,
            form: compiled.form.clone(),
            around: around.collect(),
        })
    }
}

/// Where a reload leaves new rules for a source that runs on another thread.
pub(super) type Mailbox = Arc<Mutex<Option<Rulings>>>;

/// What fired, for those who ask while the source runs.
pub(super) type SharedStatistics = Arc<Mutex<Statistics>>;

/// What was saved, likewise; nothing where there was nothing to save.
pub(super) type SharedCounts = Arc<Mutex<Option<flight::Counts>>>;

/// The rules of one source beside system calls.
pub(super) struct Judge {
    /// The source.
    pub(super) name: String,
    /// The number of its plugin in captures.
    id: u32,
    /// The name of its plugin.
    plugin: String,
    audit: bool,
    running: Vec<Running>,
    rulings: Rulings,
    routes: Option<Vec<Route>>,
    /// What fired.
    pub(super) statistics: SharedStatistics,
    pub(super) mailbox: Mailbox,
    sessions: Option<Arc<Sessions>>,
    keeper: Option<Keeper>,
    registry: Registry,
    /// Saves what surrounds its alerts, where it has a thread of its own.
    flight: Option<Flight>,
    pub(super) saved: SharedCounts,
    captures: Files,
    line: Vec<u8>,
    limits: Limits,
}

impl Judge {
    /// The judge of a source, with the plugins that have to do with its events.
    pub(super) fn new(
        plan: &Plan<'_>,
        rulings: Rulings,
        name: &str,
        running: Vec<Running>,
        sessions: Option<&Arc<Sessions>>,
    ) -> Self {
        let plugin = plan
            .sources
            .plugins()
            .source(name)
            .map(|plugin| &plugin.info);
        let audit = plugin.is_none() && name == audit::SOURCE;
        Self {
            name: name.to_owned(),
            id: plugin.map_or(audit::PLUGIN_ID, |info| info.id),
            plugin: plugin.map_or_else(|| "k8saudit".to_owned(), |info| info.name.clone()),
            audit,
            running,
            statistics: Arc::new(Mutex::new(Statistics::new(
                rulings.subjects.iter().map(|s| s.rule.clone()),
            ))),
            rulings,
            routes: None,
            mailbox: Mailbox::default(),
            sessions: sessions.filter(|_| audit).cloned(),
            keeper: None,
            registry: Registry::default(),
            flight: None,
            saved: SharedCounts::default(),
            captures: Files::default(),
            line: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Keeps alerts from now on.
    pub(super) fn keep(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// Saves what surrounds its alerts by itself from now on; all sources share the number of files.
    pub(super) fn save(&mut self, captures: &Files) {
        self.captures = captures.clone();
        self.adopt_flight();
    }

    fn adopt_flight(&mut self) {
        let rulings = &self.rulings;
        let (settings, around, form) = (&rulings.settings, &rulings.around, &rulings.form);
        if let Some(flight) = &mut self.flight {
            return flight.adopt_rules(settings, around, form);
        }
        match Flight::beside(settings, around, form, &self.running, &self.captures) {
            Ok(flight) => self.flight = flight,
            Err(error) => {
                log::say(
                    Priority::Error,
                    &format!("no captures of alerts: {error:#}"),
                );
            }
        }
    }

    /// Takes in an event that its rules are about to see.
    pub(super) fn see(&mut self, record: &Record<'_>, state: &State, context: &Context) {
        if let Some(flight) = &mut self.flight {
            flight.timed(record.ts, state);
            flight.see(record, state, context);
        }
    }

    /// Does what is due for its captures.
    pub(super) fn keep_up(&mut self, now: Option<u64>, state: &State, outputs: &SharedOutputs) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        if let Some(now) = now {
            flight.timed(now, state);
        }
        notices::hear(flight, &mut self.rulings.formatter, outputs);
        self.publish();
    }

    fn publish(&self) {
        let counts = self.flight.as_ref().map(Flight::counts);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// Completes its captures.
    pub(super) fn land(&mut self, outputs: &SharedOutputs) {
        if let Some(flight) = self.flight.take() {
            notices::land(flight, &mut self.rulings.formatter, outputs);
        }
    }

    /// Whether it judges events of this plugin. The variants of the audit plugin share a source.
    pub(super) fn is_for(&self, plugin: u32) -> bool {
        plugin == self.id || (self.audit && matches!(plugin, 9 | 16 | 21 | 22))
    }

    /// Goes over to other rules. What was held back under those before is told.
    pub(super) fn adopt(&mut self, mut rulings: Rulings, outputs: &SharedOutputs) {
        self.routes = None;
        self.tell(None, outputs);
        let before = &self.rulings.settings;
        std::mem::swap(&mut rulings.gate, &mut self.rulings.gate);
        rulings
            .gate
            .adopt(&rulings.settings, before, &rulings.repeats);
        rulings.engine.inherit(&mut self.rulings.engine);
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .carry_over(rulings.subjects.iter().map(|s| s.rule.as_str()));
        if let (Some(keeper), Some(kept)) = (&mut self.keeper, &rulings.kept) {
            *keeper = keeper.with(Arc::clone(kept));
        }
        self.running
            .iter()
            .for_each(|running| running.adopt(&rulings.settings.plugins));
        self.rulings = rulings;
        self.routes = None;
    }

    /// Takes new rules that a reload left.
    pub(super) fn look_for_rules(&mut self, outputs: &SharedOutputs) {
        let new = self
            .mailbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(rulings) = new {
            self.adopt(rulings, outputs);
            self.adopt_flight();
        }
    }

    /// Shows an event to the plugins that see this source's, before its rules do.
    pub(super) fn show(&self, record: &Record<'_>, state: &mut State, context: &mut Context) {
        running::show(&self.running, &self.name, record, state, context);
    }

    /// Whether plugins have to do with its events.
    pub(super) fn has_plugins(&self) -> bool {
        !self.running.is_empty()
    }

    /// Tells plugins that a capture begins or ends.
    pub(super) fn listen(&self, begins: bool, state: &mut State) {
        self.running
            .iter()
            .for_each(|running| running.listen(begins, state));
    }

    /// Time of events at which it has something to tell.
    pub(super) fn due(&self) -> u64 {
        self.rulings.gate.due()
    }

    /// Sends the lines for many alerts that are due at a time of events; `None`: all. False when nobody reads
    /// them any more.
    pub(super) fn tell(&mut self, time: Option<u64>, outputs: &SharedOutputs) -> bool {
        if time.is_some_and(|time| time < self.due()) {
            return true;
        }
        let routes = self.routes.get_or_insert_with(|| {
            let outputs = outputs.read();
            let subjects = self.rulings.subjects.iter();
            subjects.map(|subject| subject.route(&outputs)).collect()
        });
        let mut statistics = self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut lines = Lines {
            rule_outputs: &self.rulings.rule_outputs,
            subjects: &self.rulings.subjects,
            formatter: &mut self.rulings.formatter,
            routes,
            outputs,
            statistics: &mut statistics,
        };
        self.rulings.gate.tell(time, &mut lines)
    }

    /// False when nobody reads the alerts any more.
    pub(super) fn event(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        outputs: &SharedOutputs,
        flight: Option<&mut Flight>,
    ) -> bool {
        if !self.tell(Some(record.ts), outputs) {
            return false;
        }
        let Self {
            rulings,
            routes,
            statistics,
            keeper,
            registry,
            flight: own_flight,
            line,
            ..
        } = self;
        rulings.env.see(record);
        let event = Event {
            number: context.number,
            source: &self.name,
            bytes: record.bytes(),
        };
        let code = record.code.number();
        let concerned = rulings.engine.concerns(record.code);
        if !concerned && self.sessions.is_none() {
            return true;
        }
        let payload = record.param(1);
        // What cannot be read has no fields but those of every event.
        let body = (self.audit && code == codes::PLUGINEVENT_E)
            .then(|| Body::of_event(payload, record.ts, &self.limits).ok())
            .flatten();
        let audited = body.as_ref().and_then(|body| body.events().next());
        if let (Some(sessions), Some(event)) = (&self.sessions, audited) {
            if let Some(session) = Session::of(event.node, event.time) {
                sessions.begin(session);
            } else if let Some(request) = Session::ended(event.node) {
                sessions.end(&request, event.time);
            }
        }
        if !concerned {
            return true;
        }
        let view = SourceView {
            base: EventView::new(record, state, context, &rulings.env),
            audit: audited.map(|e| audit::View::new(e.node, e.time).with_zone(rulings.env.zone)),
            plugin: &self.plugin,
            values: Values::new(&self.running, event, code, state),
            session: None,
        };
        let routes = routes.get_or_insert_with(|| {
            let outputs = outputs.read();
            let subjects = rulings.subjects.iter();
            subjects.map(|subject| subject.route(&outputs)).collect()
        });
        rulings.engine.on_event(record.code, &view);
        if rulings.engine.fired().is_empty() && !rulings.engine.may_advance() {
            return true;
        }
        let mut statistics = statistics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clerk = Clerk {
            rule_outputs: &rulings.rule_outputs,
            subjects: &rulings.subjects,
            formatter: &mut rulings.formatter,
            statistics: &mut statistics,
            gate: &mut rulings.gate,
            registry: rulings.names_alerts.then_some(registry),
            keeper: keeper.as_mut(),
            flight: flight.or(own_flight.as_mut()),
            routes,
            outputs,
            state,
            context,
        };
        for &rule in rulings.engine.fired() {
            let draft = clerk.draft(rule as usize, record, &view, line);
            if !clerk.send(draft, record, &view, line) {
                return false;
            }
        }
        for firing in rulings.engine.advance(record.ts, &view) {
            let view = firing.evidence.over(&view);
            let draft = clerk.draft(firing.rule as usize, record, &view, line);
            let kept = Some(&firing.evidence);
            if !clerk.send_with(draft, (record, kept), &view, line) {
                return false;
            }
        }
        true
    }
}
