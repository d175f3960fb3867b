//! Rules over the events of any source, and their alerts to the outputs.

mod channels;
pub(crate) mod summary;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use config::Settings;
use config::settings::RuleMatching;
use engine::{Engine, Matching};
use event::Record;
use fields::{Catalogue, Environment, EventView};
use jiff::tz::TimeZone;
use outputs::{Clock, Formatter, Outputs, Route, RuleOutput, Statistics, Subject};
use probe::{LossMeter, Losses};
use rules::{Priority, RuleSet};
use state::{Context, State};

use crate::drops::DropMonitor;
use crate::event_loop::{self, Work};
use crate::hostname::hostname;
use crate::machine::state_options;
use crate::silence::Silence;
use crate::source::Source;
use crate::stop::Signals;
use crate::{log, output};

/// What is said at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Falco's statistics on standard output, losses on standard error.
    Falco,
    /// A summary on standard error.
    Summary,
    /// Nothing.
    Nothing,
}

/// What to do with events.
pub(crate) struct Plan<'a> {
    /// The configuration.
    pub(crate) settings: &'a Settings,
    /// The fields.
    pub(crate) catalogue: &'a Catalogue,
    /// The rules.
    pub(crate) rules: &'a RuleSet,
    /// Those that run, in the order of trying.
    pub(crate) order: &'a [usize],
    /// Seconds of event time after which it ends; zero: never.
    pub(crate) seconds: u64,
    /// What is said at the end.
    pub(crate) ending: Ending,
}

/// How it ended.
pub(crate) struct Ended {
    /// Why the source could not be read to its end, or why losses ended the program.
    pub(crate) fault: Option<anyhow::Error>,
}

/// Takes a source to its end. Alerts up to a fault are delivered before it is returned. `open`
/// makes the source when rules and outputs have proved good.
///
/// # Errors
/// When it cannot begin.
pub(crate) fn run<S: Source>(
    plan: &Plan<'_>,
    open: impl FnOnce(&mut State) -> Result<S>,
) -> Result<Ended> {
    let settings = plan.settings;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut alerts = Alerting::new(plan)?;
    let mut state = State::new(state_options(settings));
    let mut source = open(&mut state)?;
    alerts.begin(&source, settings)?;
    let start = Instant::now();
    let end = event_loop::drive(&mut source, &mut state, &mut alerts, &signals, plan.seconds);
    let elapsed = start.elapsed();
    source.finish();
    if end.stopped {
        log::info(&format!("{} received, exiting...", signals.name()));
    }
    alerts.finish::<S>(settings, end.stopped);
    match plan.ending {
        Ending::Falco => {
            output::print(&alerts.statistics.to_string())?;
            eprint!("{}", alerts.drops.closing());
        }
        Ending::Summary => {
            summary::print(end.events, elapsed, &alerts.statistics);
            summary::print_losses(&alerts.losses());
        }
        Ending::Nothing => {}
    }
    Ok(Ended { fault: end.fault })
}

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

/// Rules, and where their alerts go.
pub(crate) struct Alerting {
    engine: Engine,
    env: Environment,
    formatter: Formatter,
    rule_outputs: Vec<RuleOutput>,
    /// By rule: which outputs take its alerts.
    routes: Vec<Route>,
    subjects: Vec<RuleSubject>,
    outputs: Outputs,
    /// What fired.
    pub(crate) statistics: Statistics,
    line: Vec<u8>,
    /// Events at the last look of the drop monitor.
    counted: u64,
    meter: Option<LossMeter>,
    /// What was lost and what was done about it.
    pub(crate) drops: DropMonitor,
    silence: Silence,
}

impl Alerting {
    /// Compiles rules and outputs; nothing is opened yet.
    ///
    /// # Errors
    /// A rule whose output does not compile.
    pub(crate) fn new(plan: &Plan<'_>) -> Result<Self> {
        let settings = plan.settings;
        let form = channels::form(settings, hostname());
        let mut rule_outputs = Vec::new();
        for rule in &plan.rules.rules {
            let compiled = RuleOutput::new(rule, &form, plan.catalogue)
                .with_context(|| format!("output of rule \"{}\"", rule.name))?;
            rule_outputs.push(compiled);
        }
        let matching = match settings.rule_matching {
            RuleMatching::First => Matching::First,
            RuleMatching::All => Matching::All,
        };
        let statics = plan.catalogue.statics();
        Ok(Self {
            engine: Engine::new(plan.rules, plan.order, plan.catalogue, "syscall", matching)?,
            env: Environment {
                hostname: form.hostname.clone(),
                zone: TimeZone::system(),
                base64_buffers: settings.buffer_format_base64,
                iso_time: settings.outputs.time_format_iso_8601,
                statics: statics.iter().map(|(_, v)| v.clone().into()).collect(),
                ..Environment::default()
            },
            formatter: Formatter::new(form, Clock::new(TimeZone::system())),
            rule_outputs,
            routes: Vec::new(),
            subjects: plan.rules.rules.iter().map(RuleSubject::of).collect(),
            outputs: Outputs::default(),
            statistics: Statistics::new(plan.rules.rules.iter().map(|rule| rule.name.clone())),
            line: Vec::new(),
            counted: 0,
            meter: None,
            drops: DropMonitor::new(settings.drops.clone(), false),
            silence: Silence::new(settings.timeouts_max_consecutives),
        })
    }

    /// Opens the outputs for alerts of this source.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub(crate) fn begin<S: Source>(&mut self, source: &S, settings: &Settings) -> Result<()> {
        let hostname = &self.formatter.form().hostname;
        let outputs = channels::start(settings, hostname, S::LIVE);
        self.outputs = outputs.context("cannot start the outputs")?;
        self.routes = self
            .subjects
            .iter()
            .map(|subject| subject.route(&self.outputs))
            .collect();
        self.drops = DropMonitor::new(settings.drops.clone(), S::LIVE);
        self.meter = source.losses();
        Ok(())
    }

    /// Delivers what waits.
    pub(crate) fn finish<S: Source>(&mut self, settings: &Settings, stopped: bool) {
        let timeout = Duration::from_millis(settings.outputs.timeout);
        // A replay has waited for its outputs all along; only a signal sets them a time.
        let limit = (stopped || S::LIVE).then_some(timeout);
        if !std::mem::take(&mut self.outputs).finish(limit) {
            log::log(
                Priority::Notice,
                "output channels still blocked, discarding all remaining notifications",
            );
        }
    }

    /// What was lost so far.
    pub(crate) fn losses(&self) -> Losses {
        self.meter.as_ref().map(LossMeter::lost).unwrap_or_default()
    }
}

impl Work for Alerting {
    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        self.silence.ends();
        if !context.visible {
            return true;
        }
        self.env.see(record);
        if !self.engine.concerns(record.code) {
            return true;
        }
        let view = EventView::new(record, state, context, &self.env);
        for &rule in self.engine.on_event(record.code, &view) {
            let rule = rule as usize;
            let compiled = &self.rule_outputs[rule];
            self.statistics.count(rule, compiled.priority());
            self.line.clear();
            self.formatter
                .alert(compiled, record.ts, &view, &mut self.line);
            let route = self.routes[rule];
            if !self.outputs.send_to(route, compiled.priority(), &self.line) {
                return false;
            }
        }
        true
    }

    fn due(&self) -> u64 {
        self.drops.next_look()
    }

    fn timed(&mut self, time: u64, events: u64) -> Result<()> {
        let recent = events - self.counted;
        self.counted = events;
        let losses = self.losses();
        let Self {
            drops,
            formatter,
            outputs,
            ..
        } = self;
        if drops.look(time, recent, &losses, formatter, outputs) {
            Ok(())
        } else {
            Err(anyhow!("events were lost; the action is exit"))
        }
    }

    fn between(&mut self, idle: bool, state: &State) -> bool {
        if idle && self.silence.lasts() {
            let first = state.first_event_time();
            self.silence
                .alert(first, &mut self.formatter, &self.outputs);
        }
        true
    }

    fn reopen(&mut self) {
        self.outputs.reopen();
    }
}
