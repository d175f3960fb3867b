//! Rules over the events of any source, and their alerts to the outputs.

pub(crate) mod beside;
mod channels;
mod clerk;
mod compiled;
mod costs;
mod desk;
mod due;
mod flight;
mod foreign;
pub(crate) mod identity;
pub(crate) mod images;
pub(crate) mod incidents;
mod judge;
mod keeper;
mod late;
mod notices;
mod plugins_at_work;
mod recall;
mod repeats;
mod shared;
pub(crate) mod summary;
mod tape;
mod throttle;
pub(crate) mod traces;
mod upkeep;
mod waiting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use config::Settings;
use event::{Record, Source as EventSource};
use fields::{Catalogue, Environment, EventView};
use live::LookupMeter;
use outputs::{Formatter, Route, Statistics};
use probe::LossMeter;
use rules::{Priority, RuleSet};
use state::{Context, State};

use self::flight::Flight;
use beside::{Beside, Company, Done, Worker};
use clerk::{Clerk, Draft, Registry};
pub(crate) use compiled::{Compiled, Origin, RuleSubject};
pub(crate) use costs::Costs;
use desk::Desk;
use foreign::foreign;
use images::Told;
use judge::{Judge, Mailbox, Rulings, SharedCounts, SharedStatistics};
pub(crate) use keeper::Collection;
use keeper::Keeper;
use notices::Files;
use plugins_at_work::Guests;
use recall::Recall;
use repeats::Gate;
use shared::SharedOutputs;
use tape::Tape;
use upkeep::Upkeep;

use crate::daemon::activity::Activity;
use crate::daemon::notify::Supervisor;
use crate::daemon::{Daemon, board::Board, reload, service};
use crate::drops::DropMonitor;
use crate::event_loop::{self, Pace, Work};
use crate::machine::state_options;
use crate::silence::Silence;
use crate::source::Source;
use crate::sources::running::Values;
use crate::sources::{Running, SYSCALL, Sessions, SourceView, Sources};
use crate::stop::Signals;
use crate::watch::Wanted;
use crate::{log, output};
use waiting::WaitingEvents;

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
    /// Capture file that is written besides.
    pub(crate) record: Option<&'a str>,
    /// Configuration files and rule files, for metrics.
    pub(crate) origins: (Vec<Origin>, Vec<Origin>),
    /// Keeps the alerts, with what the store would keep of them.
    pub(crate) collection: Option<Arc<Mutex<Collection>>>,
}

/// How it ended.
pub(crate) struct Ended {
    /// Why the source could not be read to its end, or why losses ended the program.
    pub(crate) fault: Option<anyhow::Error>,
}

/// Takes a source to its end, and those in its company. Alerts up to a fault are delivered before it
/// is returned. `open` makes the source when rules and outputs have proved good.
///
/// # Errors
/// When it cannot begin.
pub(crate) fn run<S: Source>(
    plan: &Plan<'_>,
    company: Company,
    open: impl FnOnce(&mut State) -> Result<S>,
) -> Result<Ended> {
    serve(plan, None, company, open)
}

/// The same as a service: with reloads, and, where it watches a machine, with the web server.
///
/// # Errors
/// As [`run`], and when files cannot be watched or the server not be started.
pub(crate) fn serve<S: Source>(
    plan: &Plan<'_>,
    daemon: Option<Daemon>,
    mut company: Company,
    open: impl FnOnce(&mut State) -> Result<S>,
) -> Result<Ended> {
    let settings = plan.settings;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut alerts = Alerting::new(plan)?;
    let router = std::mem::take(&mut company.router);
    let (beside, mut judges) = alerts.join(plan, company);
    let mut state = State::new(state_options(settings));
    state.name_addresses(alerts.compiled.wanted.names);
    let mut source = open(&mut state)?;
    alerts.begin(&source, settings)?;
    if let Some(collection) = &plan.collection {
        alerts.collect(&mut judges, collection);
    }
    if S::LIVE {
        alerts.recall = Recall::open(settings, None, &mut alerts.compiled.engine);
    }
    if let Some(file) = plan.record {
        alerts.tape = Some(Tape::new(file, Running::dump_states(&alerts.running))?);
    }
    if S::LIVE {
        alerts.leave_out();
    }
    let (mut server, mut page) = (None, None);
    if let Some(daemon) = daemon {
        alerts.upkeep.reloads = Some(reload::start(daemon, settings.watch_config_files)?);
        if S::LIVE {
            let patience = Duration::from_millis(settings.webserver.health_patience);
            let board = Arc::new(Board::new(patience));
            server = service::start(settings, &board, router)?;
            page = alerts.keep(settings, &mut judges)?;
            alerts.upkeep.board = Some(board);
        }
        Supervisor::ready();
    }
    let start = Instant::now();
    let everything = AtomicBool::new(false);
    let (end, others) = thread::scope(|scope| {
        let mut workers = Vec::new();
        for (beside, judge) in beside.into_iter().zip(judges) {
            let name = format!("source {}", beside.name);
            let worker = Worker {
                beside,
                judge,
                outputs: alerts.outputs.clone(),
                signals: signals.clone(),
                board: alerts.upkeep.board.clone(),
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
        alerts.tell_end(&mut state);
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
    let (mut events, mut fault) = (end.events, end.fault);
    if let Some(tape) = alerts.tape.take() {
        fault = fault.or(tape.finish().err());
    }
    // Other sources' lines for many are counted with their alerts.
    alerts.tell(None);
    alerts.statistics = alerts.all_statistics();
    for other in others {
        events += other.events;
        fault = fault.or(other.error);
    }
    if end.stopped || signals.stop() {
        log::info(&format!("{} received, exiting...", signals.name()));
    }
    // Nothing more will be known of what still waits.
    alerts.answered(&state, u64::MAX);
    alerts.recall.finish(&mut alerts.compiled.engine);
    Supervisor::stopping();
    alerts.finish::<S>(settings, end.stopped);
    drop((server, page));
    match plan.ending {
        Ending::Falco => {
            output::print(&alerts.statistics.to_string())?;
            eprint!("{}", alerts.drops.closing());
            summary::print_repeats(&alerts.statistics);
        }
        Ending::Summary => {
            summary::print(events, elapsed, &alerts.statistics);
            summary::print_repeats(&alerts.statistics);
            summary::print_lookups(&alerts.lookups());
            if let Some(meter) = &alerts.meter {
                summary::print_left_out(meter.left_out());
            }
            summary::print_losses(&alerts.losses());
        }
        Ending::Nothing => {}
    }
    Ok(Ended { fault })
}

/// Rules, and where their alerts go.
pub(crate) struct Alerting {
    compiled: Compiled,
    /// Rules of other sources, whose events a capture may hold as well.
    others: Vec<Judge>,
    /// Where sources on other threads find new rules.
    mailboxes: Vec<(String, Mailbox)>,
    /// What fired there, and for other sources in the main one.
    elsewhere: Vec<SharedStatistics>,
    /// Plugins that have to do with system calls.
    running: Vec<Running>,
    /// What plugins have to do with the main source.
    guests: Guests,
    /// Who works in which pod, where audit events tell.
    sessions: Option<Arc<Sessions>>,
    env: Environment,
    formatter: Formatter,
    /// By rule: which outputs take its alerts.
    routes: Vec<Route>,
    outputs: SharedOutputs,
    /// What fired.
    pub(crate) statistics: Statistics,
    line: Vec<u8>,
    /// Alerts of one event, with their lines.
    drafts: Vec<(Draft, Vec<u8>)>,
    /// Events so far.
    events: u64,
    /// The same by CPU, where metrics want it.
    by_cpu: Vec<u64>,
    count_cpus: bool,
    /// Events at the last look of the drop monitor.
    counted: u64,
    meter: Option<LossMeter>,
    asked: Option<LookupMeter>,
    tape: Option<Tape>,
    flight: Option<Flight>,
    /// Captures of alerts, of all sources.
    captures: Files,
    /// What was saved for other sources.
    saved: Vec<SharedCounts>,
    asking: Option<containers::Meter>,
    /// What was lost and what was done about it.
    pub(crate) drops: DropMonitor,
    silence: Silence,
    waiting: WaitingEvents,
    due: u64,
    recall: Recall,
    gate: Gate,
    registry: Registry,
    costs: Costs,
    keeper: Option<Keeper>,
    live: bool,
    upkeep: Upkeep,
    /// Who is busy, while somebody looks on.
    activity: Option<Box<Activity>>,
}

/// What became of an event.
enum Outcome {
    /// Its alerts are sent.
    Done,
    /// They need what is not known yet.
    Waits,
    /// Nobody reads the alerts any more.
    Closed,
}

impl Alerting {
    /// Compiles rules and outputs; nothing is opened yet.
    ///
    /// # Errors
    /// A rule whose output does not compile.
    pub(crate) fn new(plan: &Plan<'_>) -> Result<Self> {
        let compiled = Compiled::new(plan)?;
        let settings = plan.settings;
        let mut env = Environment::default();
        compiled.prepare(&mut env);
        Ok(Self {
            env,
            others: Vec::new(),
            mailboxes: Vec::new(),
            elsewhere: Vec::new(),
            running: Vec::new(),
            guests: Guests::default(),
            sessions: None,
            formatter: compiled.formatter(),
            routes: Vec::new(),
            outputs: SharedOutputs::default(),
            statistics: Statistics::new(compiled.subjects.iter().map(|s| s.rule.clone())),
            line: Vec::new(),
            drafts: Vec::new(),
            events: 0,
            by_cpu: Vec::new(),
            count_cpus: upkeep::counts_cpus(settings),
            counted: 0,
            meter: None,
            asked: None,
            tape: None,
            flight: None,
            captures: Files::default(),
            saved: Vec::new(),
            asking: None,
            drops: DropMonitor::new(settings.drops.clone(), false),
            silence: Silence::new(settings.timeouts_max_consecutives),
            waiting: WaitingEvents::default(),
            due: 0,
            recall: Recall::default(),
            gate: Gate::new(settings, &compiled.repeats),
            registry: Registry::default(),
            costs: Costs::new(compiled.subjects.len()),
            keeper: None,
            live: false,
            upkeep: Upkeep::new(settings, &compiled.form.hostname),
            activity: None,
            compiled,
        })
    }

    /// Takes in what runs with the main source. The result is what gets threads of its own.
    fn join(&mut self, plan: &Plan<'_>, company: Company) -> (Vec<Beside>, Vec<Judge>) {
        let (mut beside, mut judges) = (Vec::new(), Vec::new());
        let audited = company
            .beside
            .iter()
            .map(|beside| &beside.name)
            .chain(company.mixed.iter().map(|(name, _)| name))
            .any(|name| name == audit::SOURCE);
        self.sessions = audited.then(|| Arc::new(Sessions::new(plan.catalogue)));
        self.guests.count(&company);
        for (name, running) in company.mixed {
            if let Some(rulings) = Rulings::take(&mut self.compiled, &name) {
                let sessions = self.sessions.as_ref();
                self.others
                    .push(Judge::new(plan, rulings, &name, running, sessions));
            }
        }
        for mut source in company.beside {
            let running = std::mem::take(&mut source.running);
            if let Some(rulings) = Rulings::take(&mut self.compiled, &source.name) {
                let sessions = self.sessions.as_ref();
                let mut judge = Judge::new(plan, rulings, &source.name, running, sessions);
                judge.save(&self.captures);
                self.saved.push(Arc::clone(&judge.saved));
                self.mailboxes
                    .push((source.name.clone(), Arc::clone(&judge.mailbox)));
                beside.push(source);
                judges.push(judge);
            }
        }
        self.running = company.running;
        let all = self.others.iter().chain(&judges);
        self.elsewhere = all.map(|judge| Arc::clone(&judge.statistics)).collect();
        self.guests.any = !self.running.is_empty() || self.others.iter().any(Judge::has_plugins);
        (beside, judges)
    }

    /// Hands new rules to the other sources.
    fn adopt_sides(&mut self, compiled: &mut Compiled) {
        for judge in &mut self.others {
            if let Some(rulings) = Rulings::take(compiled, &judge.name) {
                judge.adopt(rulings, &self.outputs);
            }
        }
        for (name, mailbox) in &self.mailboxes {
            let rulings = Rulings::take(compiled, name);
            *mailbox.lock().unwrap_or_else(PoisonError::into_inner) = rulings;
        }
    }

    /// Opens the outputs for alerts of this source.
    ///
    /// # Errors
    /// When a certificate or a spool is of no use, or a worker cannot be started.
    pub(crate) fn begin<S: Source>(&mut self, source: &S, settings: &Settings) -> Result<()> {
        let outputs = channels::start(settings, &self.compiled.form.hostname, S::LIVE);
        self.outputs = SharedOutputs::new(outputs.context("cannot start the outputs")?);
        self.live = S::LIVE;
        self.choose_routes();
        self.leave_to_sides();
        self.flight = Flight::open(&mut self.compiled, &self.running, &self.captures, S::LIVE)?;
        self.drops = DropMonitor::new(settings.drops.clone(), S::LIVE);
        self.meter = source.losses();
        self.asked = source.lookups();
        self.asking = source.asking();
        Ok(())
    }

    fn choose_routes(&mut self) {
        let outputs = self.outputs.read();
        let subjects = self.compiled.subjects.iter();
        self.routes = subjects.map(|subject| subject.route(&outputs)).collect();
    }

    /// Goes over to other rules and settings, between two events. What is known of the machine, and
    /// what was counted, stays.
    ///
    /// # Errors
    /// When an output cannot be opened; everything stays as it was.
    fn adopt(&mut self, mut compiled: Compiled) -> Result<()> {
        self.tell(None);
        channels::replace(
            &mut self.outputs.write(),
            &compiled.settings,
            &compiled.form.hostname,
            self.live,
        )
        .context("cannot start the outputs")?;
        let settings = &compiled.settings;
        compiled.prepare(&mut self.env);
        self.formatter = compiled.formatter();
        self.statistics
            .carry_over(compiled.subjects.iter().map(|s| s.rule.as_str()));
        if settings.drops != self.compiled.settings.drops {
            self.drops.adopt(settings.drops.clone());
        }
        self.silence = Silence::new(settings.timeouts_max_consecutives);
        let before = &self.compiled.settings;
        self.gate.adopt(settings, before, &compiled.repeats);
        self.upkeep.adopted(settings);
        self.count_cpus = upkeep::counts_cpus(settings);
        self.costs = Costs::new(compiled.subjects.len());
        if let (Some(keeper), Some(kept)) = (&mut self.keeper, &compiled.kept) {
            *keeper = keeper.with(Arc::clone(kept));
        }
        self.adopt_sides(&mut compiled);
        self.running
            .iter()
            .for_each(|running| running.adopt(&compiled.settings.plugins));
        compiled.engine.inherit(&mut self.compiled.engine);
        self.compiled = compiled;
        self.choose_routes();
        self.leave_to_sides();
        self.adopt_flight();
        Ok(())
    }

    /// Delivers what waits.
    pub(crate) fn finish<S: Source>(&mut self, settings: &Settings, stopped: bool) {
        self.tell(None);
        self.land();
        let timeout = Duration::from_millis(settings.outputs.timeout);
        // A replay has waited for its outputs all along; only a signal sets them a time.
        let limit = (stopped || S::LIVE).then_some(timeout);
        if !self.outputs.take().finish(limit) {
            log::log(
                Priority::Notice,
                "output channels still blocked, discarding all remaining notifications",
            );
        }
    }
}

impl Alerting {
    /// Matches the rules against one event. Where it `may_wait` and something is asked that is not
    /// known yet, nothing is sent: whether a rule matches may depend on it.
    #[inline]
    fn alerts(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        may_wait: bool,
    ) -> Outcome {
        let Self {
            compiled:
                Compiled {
                    engine,
                    rule_outputs,
                    subjects,
                    names_alerts,
                    ..
                },
            env,
            formatter,
            line,
            drafts,
            statistics,
            gate,
            registry,
            outputs,
            routes,
            running,
            sessions,
            costs,
            keeper,
            flight,
            ..
        } = self;
        let mut desk = Desk {
            engine,
            env,
            costs,
            line,
            drafts,
            clerk: Clerk {
                rule_outputs,
                subjects,
                formatter,
                statistics,
                gate,
                registry: names_alerts.then_some(registry),
                keeper: keeper.as_mut(),
                routes,
                outputs,
                flight: flight.as_mut(),
                state,
                context,
            },
        };
        let base = EventView::new(record, state, context, env);
        let sessions = sessions
            .as_ref()
            .filter(|sessions| sessions.may_concern(record.code));
        if sessions.is_none() && running.is_empty() {
            return desk.alerts(record, &base, may_wait);
        }
        let event = plugins::Event {
            number: context.number,
            source: SYSCALL,
            bytes: record.bytes(),
        };
        let session = sessions.and_then(|sessions| sessions.of(&base));
        let view = SourceView {
            base,
            audit: None,
            plugin: "",
            values: Values::new(running, event, record.code.number(), state),
            session: session.as_deref(),
        };
        desk.alerts(record, &view, may_wait)
    }
}

impl Work for Alerting {
    fn begin(&mut self, state: &mut State) {
        self.tell_begin(state);
        self.settle_due();
    }

    #[inline]
    fn enrich(&mut self, record: &Record<'_>, state: &mut State, context: &mut Context) {
        if self.guests.any && context.visible {
            self.show_to_plugins(record, state, context);
        }
    }

    /// False when nobody reads the alerts any more.
    #[inline]
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        self.silence.ends();
        if !self.waiting.is_empty() && record.info.source == EventSource::Meta {
            self.answered(state, record.ts);
            self.settle_due();
        }
        self.events += 1;
        if self.tape.is_some() || self.flight.is_some() {
            if !self.record(record, state, context) {
                return false;
            }
            self.settle_due();
        }
        if self.count_cpus {
            self.count_cpu(record.cpu);
        }
        if !context.visible {
            return true;
        }
        if let Some(activity) = &mut self.activity {
            activity.see(record, state, context);
        }
        if let Some(plugin) = foreign(record) {
            let goes_on = self.foreign_event(record, state, context, plugin);
            self.settle_due();
            return goes_on;
        }
        self.env.see(record);
        let concerned = self.compiled.engine.concerns(record.code);
        let sessions = self.sessions.as_ref();
        if sessions.is_some_and(|sessions| sessions.may_concern(record.code)) {
            self.show(record, state, context, concerned);
        }
        if !concerned {
            return true;
        }
        self.compiled.images.see(record, state, context, &self.env);
        if let Some(keep) = fields::keep(state, context)
            && self.compiled.engine.rules_out(record.code, keep)
        {
            return true;
        }
        let goes_on = match self.alerts(record, state, context, state.container_wait() != 0) {
            Outcome::Done => true,
            Outcome::Closed => false,
            Outcome::Waits => self.wait(record, state, context),
        };
        self.settle_due();
        goes_on
    }

    fn due(&self) -> u64 {
        self.due
    }

    fn timed(&mut self, time: u64, events: u64, state: &State) -> Result<()> {
        let done = self.do_due(time, events, state);
        self.settle_due();
        done
    }

    fn between(&mut self, idle: bool, state: &State) -> bool {
        if idle && self.silence.lasts() {
            let first = state.first_event_time();
            self.silence
                .alert(first, &mut self.formatter, &self.outputs.read());
        }
        self.keep_up(state);
        self.settle_due();
        true
    }

    fn source_trouble(&mut self, trouble: Option<String>) {
        if let Some(board) = &self.upkeep.board {
            board.source(trouble);
        }
    }

    fn wanted(&mut self) -> Option<Wanted> {
        self.upkeep.wanted.take()
    }

    fn images(&mut self) -> Vec<Told> {
        self.compiled.images.take()
    }

    fn reopen(&mut self) {
        self.outputs.read().reopen();
    }
}
