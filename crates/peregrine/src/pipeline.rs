//! Events of any source through state, rules and outputs, to the end.
//!
//! One loop serves captures and the running machine: a [`Source`] says what comes next, or that
//! nothing came for a while. What is to be done besides events (signals, losses, limits of time)
//! is looked at after a stride of events and whenever the source is idle.

pub(crate) mod beside;
mod channels;
mod judge;
mod summary;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use config::Settings;
use engine::Engine;
use event::{Record, codes};
use fields::{Catalogue, Environment, EventView};
use outputs::Outputs;
use probe::LossMeter;
use rules::RuleSet;
use state::{Context, Lookup, State};

use crate::drops::DropMonitor;
use crate::hostname::hostname;
use crate::items::absorb;
use crate::machine::state_options;
use crate::source::{Next, Source};
use crate::sources::{SYSCALL, Sources};
use crate::stop::Signals;
use crate::{log, output};
use beside::{Beside, Done, Worker};
use judge::{Alerts, Judge};

/// Events between two looks at what else is to be done: about a millisecond's worth.
const STRIDE: u64 = 1 << 13;

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
    let form = channels::form(settings, hostname());
    let rule_outputs = judge::rule_outputs(plan, &form)?;
    let alerts = || Alerts::new(plan, form.clone(), &rule_outputs);
    let judges = beside
        .iter()
        .map(|beside| Judge::new(plan, &form, &beside.name))
        .collect::<Result<Vec<_>>>()?;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut state = State::new(state_options(settings));
    let mut source = open(&mut state)?;
    let outputs = channels::start(settings, S::LIVE).context("cannot start the outputs")?;
    let mut run = Run {
        engine: judge::engine(plan, SYSCALL)?,
        others: Judge::all(plan, &form)?,
        state,
        lookup: source.lookup(),
        losses: source.losses(),
        env: judge::environment(plan, &form, SYSCALL),
        alerts: alerts(),
        outputs: &outputs,
        events: 0,
        counted: 0,
        end: Limit {
            seconds: plan.seconds,
            at: u64::MAX,
        },
        drops: DropMonitor::new(settings.drops.clone(), S::LIVE),
        due: 0,
        signals: signals.clone(),
    };
    let start = Instant::now();
    let end = AtomicBool::new(false);
    let (fault, others) = thread::scope(|scope| {
        let workers: Vec<_> = beside
            .into_iter()
            .zip(judges)
            .map(|(beside, judge)| {
                let name = format!("source {}", beside.name);
                let worker = Worker {
                    beside,
                    judge,
                    alerts: alerts(),
                    outputs: &outputs,
                    signals: signals.clone(),
                    end: &end,
                };
                thread::Builder::new()
                    .name(name)
                    .spawn_scoped(scope, move || worker.run())
            })
            .collect();
        let fault = run.events(&mut source);
        source.finish();
        // A source that ends by itself leaves the others at work; a limit or a signal ends all.
        if let (Some(error), false) = (&fault.error, workers.is_empty()) {
            log::error(&format!("{error:#}; the other sources go on"));
        }
        if fault.everything {
            end.store(true, Ordering::Relaxed);
        }
        let others: Vec<Done> = workers
            .into_iter()
            .filter_map(|worker| worker.ok())
            .filter_map(|worker| worker.join().ok())
            .collect();
        (fault, others)
    });
    let elapsed = start.elapsed();
    if run.signals.stop() {
        log::info(&format!("{} received, exiting...", run.signals.name()));
    }
    let Run {
        alerts,
        drops,
        mut events,
        ..
    } = run;
    let mut statistics = alerts.statistics;
    let mut error = fault.error;
    for other in others {
        statistics.add(&other.alerts.statistics);
        events += other.events;
        error = error.or(other.error);
    }
    let timeout = Duration::from_millis(settings.outputs.timeout);
    // A replay has waited for its outputs all along; only a signal sets them a time.
    let _ = outputs.finish((fault.stopped || S::LIVE).then_some(timeout));
    match plan.ending {
        Ending::Falco => {
            output::print(&statistics.to_string())?;
            eprint!("{}", drops.closing());
        }
        Ending::Summary => summary::print(events, elapsed, &statistics),
        Ending::Nothing => {}
    }
    Ok(Ended { fault: error })
}

/// How the event loop ended.
struct LoopEnd {
    error: Option<anyhow::Error>,
    /// By a signal.
    stopped: bool,
    /// The other sources shall end as well.
    everything: bool,
}

/// The end of `-M`.
struct Limit {
    seconds: u64,
    at: u64,
}

/// Everything that the event loop touches.
struct Run<'o> {
    engine: Engine,
    /// Rules of other sources, whose events a capture may hold as well.
    others: Vec<Judge>,
    state: State,
    lookup: Box<dyn Lookup>,
    losses: Option<LossMeter>,
    env: Environment,
    alerts: Alerts,
    outputs: &'o Outputs,
    events: u64,
    /// Events at the last look of the drop monitor.
    counted: u64,
    end: Limit,
    drops: DropMonitor,
    /// Event time at which something besides the event is to be done.
    due: u64,
    signals: Signals,
}

impl Run<'_> {
    fn events(&mut self, source: &mut impl Source) -> LoopEnd {
        let done = |error| LoopEnd {
            error,
            stopped: false,
            everything: false,
        };
        let mut stride = 0;
        loop {
            let (item, now) = match source.next() {
                Ok(Next::Item(item)) => (Some(item), 0),
                Ok(Next::Idle(now)) => (None, now),
                Ok(Next::End) => return done(None),
                Err(error) => return done(Some(error)),
            };
            let Some(item) = item else {
                let end = self.between_events(source);
                if let Some(end) = end.or_else(|| self.look_at_time(now)) {
                    return end;
                }
                continue;
            };
            let Some(record) = absorb(&mut self.state, item) else {
                continue;
            };
            self.events += 1;
            if record.ts >= self.due
                && let Some(end) = self.look_at_time(record.ts)
            {
                return end;
            }
            if !self.event(&record) {
                return done(None);
            }
            stride += 1;
            if stride >= STRIDE {
                stride = 0;
                if let Some(end) = self.between_events(source) {
                    return end;
                }
            }
        }
    }

    /// What is looked at now and then, whatever the events' time.
    #[cold]
    fn between_events(&mut self, source: &mut impl Source) -> Option<LoopEnd> {
        source.progress();
        if self.signals.take_reopen() {
            self.outputs.reopen();
        }
        self.signals.stop().then_some(LoopEnd {
            error: None,
            stopped: true,
            everything: true,
        })
    }

    /// What the time of events makes due.
    #[cold]
    fn look_at_time(&mut self, time: u64) -> Option<LoopEnd> {
        let error = match self.timed(time) {
            Due::GoOn => return None,
            Due::End => None,
            Due::Losses => Some(anyhow!("events were lost; the action is exit")),
        };
        Some(LoopEnd {
            error,
            stopped: false,
            everything: true,
        })
    }

    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>) -> bool {
        let context = self.state.process_live(record, &mut *self.lookup);
        if !context.visible {
            return true;
        }
        if let Some(plugin) = foreign(record) {
            return self.foreign_event(record, &context, plugin);
        }
        self.env.see(record);
        if !self.engine.concerns(record.code) {
            return true;
        }
        let view = EventView::new(record, &self.state, &context, &self.env);
        for &rule in self.engine.on_event(record.code, &view) {
            if !self.alerts.raise(rule, record.ts, &view, self.outputs) {
                return false;
            }
        }
        true
    }

    /// An event of another source. Those of plugins that nobody knows reach no rule.
    #[cold]
    fn foreign_event(&mut self, record: &Record<'_>, context: &Context, plugin: u32) -> bool {
        let judge = self.others.iter_mut().find(|judge| judge.is_for(plugin));
        judge.is_none_or(|judge| {
            judge.event(record, &self.state, context, &mut self.alerts, self.outputs)
        })
    }

    fn timed(&mut self, time: u64) -> Due {
        if self.end.seconds != 0 && self.end.at == u64::MAX {
            self.end.at = time.saturating_add(self.end.seconds.saturating_mul(1_000_000_000));
        }
        if time >= self.end.at {
            return Due::End;
        }
        if time >= self.drops.next_look() {
            let events = self.events - self.counted;
            self.counted = self.events;
            let losses = self
                .losses
                .as_ref()
                .map(LossMeter::lost)
                .unwrap_or_default();
            if !self.drops.look(
                time,
                events,
                &losses,
                &mut self.alerts.formatter,
                self.outputs,
            ) {
                return Due::Losses;
            }
        }
        self.due = self.end.at.min(self.drops.next_look());
        Due::GoOn
    }
}

/// The plugin that an event is from, if it is from one.
#[inline]
fn foreign(record: &Record<'_>) -> Option<u32> {
    if !matches!(
        record.code.number(),
        codes::PLUGINEVENT_E | codes::ASYNCEVENT_E
    ) {
        return None;
    }
    record.u32(0).filter(|id| *id != 0)
}

enum Due {
    GoOn,
    End,
    Losses,
}
