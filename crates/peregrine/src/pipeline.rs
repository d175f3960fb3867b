//! Events of any source through state, rules and outputs, to the end.
//!
//! One loop serves captures and the running machine: a [`Source`] says what comes next, or that
//! nothing came for a while. What is to be done besides events (signals, losses, limits of time)
//! is looked at after a stride of events and whenever the source is idle.

mod channels;
mod summary;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use config::Settings;
use config::settings::RuleMatching;
use engine::{Engine, Matching};
use event::Record;
use fields::{Catalogue, Environment, EventView};
use jiff::tz::TimeZone;
use outputs::{Clock, Formatter, Outputs, RuleOutput, Statistics};
use probe::LossMeter;
use rules::RuleSet;
use state::{Lookup, State};

use crate::drops::DropMonitor;
use crate::hostname::hostname;
use crate::items::absorb;
use crate::machine::state_options;
use crate::source::{Next, Source};
use crate::stop::Signals;
use crate::{log, output};

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
    let engine = Engine::new(plan.rules, plan.order, plan.catalogue, "syscall", matching)?;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut state = State::new(state_options(settings));
    let mut source = open(&mut state)?;
    let outputs = channels::start(settings, S::LIVE).context("cannot start the outputs")?;
    let mut run = Run {
        engine,
        state,
        lookup: source.lookup(),
        losses: source.losses(),
        env: Environment {
            hostname: form.hostname.clone(),
            zone: TimeZone::system(),
            base64_buffers: settings.buffer_format_base64,
            iso_time: settings.outputs.time_format_iso_8601,
            statics: plan
                .catalogue
                .statics()
                .iter()
                .map(|(_, v)| v.clone().into())
                .collect(),
            ..Environment::default()
        },
        formatter: Formatter::new(form, Clock::new(TimeZone::system())),
        rule_outputs,
        outputs,
        statistics: Statistics::new(plan.rules.rules.iter().map(|rule| rule.name.clone())),
        line: Vec::new(),
        events: 0,
        counted: 0,
        end: Limit {
            seconds: plan.seconds,
            at: u64::MAX,
        },
        drops: DropMonitor::new(settings.drops.clone(), S::LIVE),
        due: 0,
        signals,
    };
    let start = Instant::now();
    let fault = run.events(&mut source);
    let elapsed = start.elapsed();
    source.finish();
    if run.signals.stop() {
        log::info(&format!("{} received, exiting...", run.signals.name()));
    }
    let Run {
        outputs,
        statistics,
        drops,
        events,
        ..
    } = run;
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
    Ok(Ended { fault: fault.error })
}

/// How the event loop ended.
struct LoopEnd {
    error: Option<anyhow::Error>,
    stopped: bool,
}

/// The end of `-M`.
struct Limit {
    seconds: u64,
    at: u64,
}

/// Everything that the event loop touches.
struct Run {
    engine: Engine,
    state: State,
    lookup: Box<dyn Lookup>,
    losses: Option<LossMeter>,
    env: Environment,
    formatter: Formatter,
    rule_outputs: Vec<RuleOutput>,
    outputs: Outputs,
    statistics: Statistics,
    line: Vec<u8>,
    events: u64,
    /// Events at the last look of the drop monitor.
    counted: u64,
    end: Limit,
    drops: DropMonitor,
    /// Event time at which something besides the event is to be done.
    due: u64,
    signals: Signals,
}

impl Run {
    fn events(&mut self, source: &mut impl Source) -> LoopEnd {
        let done = |error| LoopEnd {
            error,
            stopped: false,
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
        })
    }

    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>) -> bool {
        let context = self.state.process_live(record, &mut *self.lookup);
        if !context.visible {
            return true;
        }
        self.env.see(record);
        if !self.engine.concerns(record.code) {
            return true;
        }
        let view = EventView::new(record, &self.state, &context, &self.env);
        for &rule in self.engine.on_event(record.code, &view) {
            let rule = rule as usize;
            let compiled = &self.rule_outputs[rule];
            self.statistics.count(rule, compiled.priority());
            self.line.clear();
            self.formatter
                .alert(compiled, record.ts, &view, &mut self.line);
            if !self.outputs.send(compiled.priority(), &self.line) {
                return false;
            }
        }
        true
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
            if !self
                .drops
                .look(time, events, &losses, &mut self.formatter, &self.outputs)
            {
                return Due::Losses;
            }
        }
        self.due = self.end.at.min(self.drops.next_look());
        Due::GoOn
    }
}

enum Due {
    GoOn,
    End,
    Losses,
}
