//! Rules over the events of any source, and their alerts to the outputs.

pub(crate) mod beside;
mod channels;
mod judge;
pub(crate) mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use config::Settings;
use engine::Engine;
use event::{Record, codes};
use fields::{Catalogue, Environment, EventView};
use outputs::{Outputs, Statistics};
use probe::{LossMeter, Losses};
use rules::{Priority, RuleSet};
use state::{Context, State};

use crate::drops::DropMonitor;
use crate::event_loop::{self, Pace, Work};
use crate::hostname::hostname;
use crate::machine::state_options;
use crate::silence::Silence;
use crate::source::Source;
use crate::sources::{SYSCALL, Sources};
use crate::stop::Signals;
use crate::{log, output};
use beside::{Beside, Done, Worker};
use judge::{Alerts, Judge};

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
    /// The fields of system calls.
    pub(crate) catalogue: &'a Catalogue,
    /// The sources that rules may name.
    pub(crate) sources: &'a Sources,
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

/// Takes a source to its end, and those `beside` it. Alerts up to a fault are delivered before it is
/// returned. `open` makes the source when rules and outputs have proved good.
///
/// # Errors
/// When it cannot begin.
pub(crate) fn run<S: Source>(
    plan: &Plan<'_>,
    beside: Vec<Beside>,
    open: impl FnOnce(&mut State) -> Result<S>,
) -> Result<Ended> {
    let settings = plan.settings;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut alerts = Alerting::new(plan)?;
    let judges = beside.iter().map(|beside| alerts.judge(plan, &beside.name));
    let judges = judges.collect::<Result<Vec<_>>>()?;
    let mut state = State::new(state_options(settings));
    let mut source = open(&mut state)?;
    alerts.begin(&source, settings)?;
    let start = Instant::now();
    let everything = AtomicBool::new(false);
    let (end, others) = thread::scope(|scope| {
        let mut workers = Vec::new();
        for (beside, judge) in beside.into_iter().zip(judges) {
            let name = format!("source {}", beside.name);
            let worker = Worker {
                beside,
                judge,
                alerts: alerts.alerts.beside(plan),
                outputs: Arc::clone(&alerts.outputs),
                signals: signals.clone(),
                end: &everything,
            };
            let spawned = thread::Builder::new().name(name);
            workers.push(spawned.spawn_scoped(scope, move || worker.run()));
        }
        let end = event_loop::drive(
            &mut source,
            &mut state,
            &mut alerts,
            &signals,
            Pace::new(settings, plan.seconds),
        );
        source.finish();
        // A source that ends by itself leaves the others at work; a limit or a signal ends all.
        everything.store(!end.exhausted, Ordering::Relaxed);
        if let (Some(fault), false) = (&end.fault, workers.is_empty()) {
            log::error(&format!("{fault:#}; the other sources go on"));
        }
        let others: Vec<Done> = workers
            .into_iter()
            .filter_map(|worker| worker.ok()?.join().ok())
            .collect();
        (end, others)
    });
    let elapsed = start.elapsed();
    if end.stopped || signals.stop() {
        log::info(&format!("{} received, exiting...", signals.name()));
    }
    let (mut events, mut fault) = (end.events, end.fault);
    for other in others {
        alerts.alerts.statistics.add(&other.statistics);
        events += other.events;
        fault = fault.or(other.error);
    }
    alerts.finish::<S>(settings, end.stopped);
    match plan.ending {
        Ending::Falco => {
            output::print(&alerts.statistics().to_string())?;
            eprint!("{}", alerts.drops.closing());
        }
        Ending::Summary => {
            summary::print(events, elapsed, alerts.statistics());
            summary::print_losses(&alerts.losses());
        }
        Ending::Nothing => {}
    }
    Ok(Ended { fault })
}

/// Rules, and where their alerts go.
pub(crate) struct Alerting {
    engine: Engine,
    env: Environment,
    /// Rules of other sources, whose events a capture may hold as well.
    others: Vec<Judge>,
    alerts: Alerts,
    outputs: Arc<Outputs>,
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
        Ok(Self {
            engine: judge::engine(plan, SYSCALL)?,
            env: judge::environment(plan, &form, SYSCALL),
            others: Judge::all(plan, &form)?,
            alerts: Alerts::new(plan, form)?,
            outputs: Arc::default(),
            counted: 0,
            meter: None,
            drops: DropMonitor::new(settings.drops.clone(), false),
            silence: Silence::new(settings.timeouts_max_consecutives),
        })
    }

    /// The rules of a source beside this one.
    fn judge(&self, plan: &Plan<'_>, name: &str) -> Result<Judge> {
        Judge::new(plan, self.alerts.formatter.form(), name)
    }

    /// What fired.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.alerts.statistics
    }

    /// Opens the outputs for alerts of this source.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub(crate) fn begin<S: Source>(&mut self, source: &S, settings: &Settings) -> Result<()> {
        let hostname = &self.alerts.formatter.form().hostname;
        let outputs = channels::start(settings, hostname, S::LIVE);
        self.outputs = Arc::new(outputs.context("cannot start the outputs")?);
        self.alerts.choose_outputs(&self.outputs);
        self.drops = DropMonitor::new(settings.drops.clone(), S::LIVE);
        self.meter = source.losses();
        Ok(())
    }

    /// Delivers what waits.
    pub(crate) fn finish<S: Source>(&mut self, settings: &Settings, stopped: bool) {
        let timeout = Duration::from_millis(settings.outputs.timeout);
        // A replay has waited for its outputs all along; only a signal sets them a time.
        let limit = (stopped || S::LIVE).then_some(timeout);
        // The other sources have ended and given theirs back.
        let outputs = Arc::into_inner(std::mem::take(&mut self.outputs)).unwrap_or_default();
        if !outputs.finish(limit) {
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

impl Alerting {
    /// An event of another source. Those of plugins that nobody knows reach no rule.
    #[cold]
    fn foreign_event(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        plugin: u32,
    ) -> bool {
        let judge = self.others.iter_mut().find(|judge| judge.is_for(plugin));
        judge.is_none_or(|judge| {
            judge.event(record, state, context, &mut self.alerts, &self.outputs)
        })
    }
}

/// The plugin that an event is from, if it is from one.
#[inline]
fn foreign(record: &Record<'_>) -> Option<u32> {
    let code = record.code.number();
    if code != codes::PLUGINEVENT_E && code != codes::ASYNCEVENT_E {
        return None;
    }
    record.u32(0).filter(|id| *id != 0)
}

impl Work for Alerting {
    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        self.silence.ends();
        if !context.visible {
            return true;
        }
        if let Some(plugin) = foreign(record) {
            return self.foreign_event(record, state, context, plugin);
        }
        self.env.see(record);
        if !self.engine.concerns(record.code) {
            return true;
        }
        let view = EventView::new(record, state, context, &self.env);
        for &rule in self.engine.on_event(record.code, &view) {
            if !self.alerts.raise(rule, record.ts, &view, &self.outputs) {
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
            alerts,
            outputs,
            ..
        } = self;
        if drops.look(time, recent, &losses, &mut alerts.formatter, outputs) {
            Ok(())
        } else {
            Err(anyhow!("events were lost; the action is exit"))
        }
    }

    fn between(&mut self, idle: bool, state: &State) -> bool {
        if idle && self.silence.lasts() {
            let first = state.first_event_time();
            self.silence
                .alert(first, &mut self.alerts.formatter, &self.outputs);
        }
        true
    }

    fn reopen(&mut self) {
        self.outputs.reopen();
    }
}
