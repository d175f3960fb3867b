//! A capture through state, rules and outputs to its end.

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
use rules::RuleSet;
use state::State;

use crate::drops::DropMonitor;
use crate::hostname::hostname;
use crate::items::absorb;
use crate::machine::state_options;
use crate::progress::Progress;
use crate::source::{self, Source};
use crate::stop::Signals;
use crate::{log, output};

/// Events between two looks at signals and at the progress bar: about a millisecond's worth.
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

/// What to replay, and how.
pub(crate) struct Replay<'a> {
    /// The capture; `-` is standard input.
    pub(crate) file: &'a str,
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

/// How a replay ended.
pub(crate) struct Ended {
    /// Why the capture could not be read to its end, or why losses ended the program.
    pub(crate) fault: Option<anyhow::Error>,
}

/// Replays a capture. Alerts up to a fault are delivered before it is returned.
///
/// # Errors
/// When it cannot begin.
pub(crate) fn replay(plan: &Replay<'_>) -> Result<Ended> {
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
    let capture = source::open(plan.file, false)?;
    let progress = Progress::new(capture.size, &capture.position);
    let outputs = channels::start(settings).context("cannot start the outputs")?;
    let mut run = Run {
        engine,
        state: State::new(state_options(settings)),
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
        drops: DropMonitor::new(settings.drops.clone()),
        due: 0,
        signals: Signals::catch().context("cannot catch signals")?,
        progress,
    };
    let start = Instant::now();
    let fault = run.events(capture.reader, plan.file);
    let elapsed = start.elapsed();
    run.progress.finish();
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
    let _ = outputs.finish(fault.stopped.then_some(timeout));
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
    progress: Progress,
}

impl Run {
    fn events(&mut self, mut source: impl Source, name: &str) -> LoopEnd {
        let done = |error| LoopEnd {
            error,
            stopped: false,
        };
        loop {
            let item = match source.next() {
                Ok(Some(item)) => item,
                Ok(None) => return done(None),
                Err(error) => {
                    let error = anyhow!(error).context(format!("the capture {name} is broken"));
                    return done(Some(error));
                }
            };
            let Some(record) = absorb(&mut self.state, item) else {
                continue;
            };
            self.events += 1;
            if record.ts >= self.due {
                match self.timed(record.ts) {
                    Due::GoOn => {}
                    Due::End => return done(None),
                    Due::Losses => {
                        return done(Some(anyhow!("events were lost; the action is exit")));
                    }
                }
            }
            if self.events.is_multiple_of(STRIDE) {
                self.progress.update();
                if self.signals.take_reopen() {
                    self.outputs.reopen();
                }
                if self.signals.stop() {
                    return LoopEnd {
                        error: None,
                        stopped: true,
                    };
                }
            }
            if !self.event(&record) {
                return done(None);
            }
        }
    }

    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>) -> bool {
        let context = self.state.process(record);
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

    /// What event time makes due.
    #[cold]
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
            if !self
                .drops
                .look(time, events, &mut self.formatter, &self.outputs)
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
