//! The running machine as a source of events.

mod heartbeat;
mod programs;
mod shapes;
mod wanted;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use capture::Item;
use config::Settings;
use config::settings::EngineKind;
use containers::Containers;
use event::{Record, RecordFlags};
use live::{Change, Facts, Live, LookupMeter, Options, Start};
use probe::{Attachment, BufferSize, EventClock, LossMeter};
use rules::Priority;
use state::{Lookup, ProgramQuestion, Sighting, State};

use heartbeat::Heartbeat;
use programs::Programs;
use shapes::Shapes;
pub(crate) use wanted::{Wanted, named, names};

use crate::containers as runtimes;
use crate::log;
use crate::pipeline::images::Told;
use crate::source::{Next, Source};

/// Longest silence before the loop looks at other things: losses, limits of time, who asks for
/// numbers. (A signal ends it at once.)
const PATIENCE: Duration = Duration::from_millis(250);

/// The same while an answer about a container is near.
const SHORT_PATIENCE: Duration = Duration::from_millis(5);
/// How long an answer is near.
const HURRY: Duration = Duration::from_secs(2);
/// Longest time in which the runtimes may say which containers there are.
const LISTS: Duration = Duration::from_secs(2);
/// Events between two looks whether a runtime has said something.
const LISTEN: u8 = 16;
/// How often users and addresses of the machine are read anew.
const FACTS: Duration = Duration::from_secs(5);
/// How often it is asked whether the programs are still in the kernel.
const LOOK: Duration = Duration::from_secs(5);
/// A silence after which no older event can come any more.
const SETTLED: Duration = Duration::from_millis(1);

/// This machine.
pub(crate) struct Machine {
    live: Live,
    clock: EventClock,
    /// What there are programs for.
    loaded: Wanted,
    options: probe::Options,
    start: Start,
    containers: Containers,
    programs: Programs,
    /// The record that was made of what a runtime said last.
    told: Vec<u8>,
    /// Containers were asked about until a moment ago: answers are near.
    hurry: Option<Instant>,
    /// When the program was asked to end: only what happened before still counts.
    stopping: Option<u64>,
    turns: u8,
    shapes: Shapes,
    /// Events that the kernel sent.
    came: u64,
    heartbeat: Heartbeat,
    /// What was not in place at the last look, and when that was.
    damage: Option<String>,
    looked: Instant,
    facts: Facts,
    facts_read: Instant,
    changes: Vec<Change>,
}

impl Machine {
    /// Begins to watch, and reads what stands into the state.
    ///
    /// # Errors
    /// What the kernel or the user lacks, with the remedy.
    pub(crate) fn open(settings: &Settings, wanted: &Wanted, state: &mut State) -> Result<Self> {
        let options = options(settings, wanted)?;
        if let Err(error) = probe::take_precedence() {
            log::log(
                Priority::Debug,
                &format!("no precedence for the thread that reads events: {error}"),
            );
        }
        let containers = Containers::start(runtimes::asked(settings))
            .context("cannot start asking about containers")?;
        let mut live = Live::open(&options)?;
        log_attached(&live);
        state.await_containers(runtimes::wait_ms(settings));
        state.await_programs();
        state.name_addresses(wanted.names);
        let start = live.start(state);
        log::log(
            Priority::Debug,
            &format!(
                "watching after {:.0?}, io_uring after {:.0?}; {} threads and {} descriptors read in \
                 {:.0?}, {} events waited",
                start.first_events,
                start.open,
                start.summary.threads,
                start.summary.descriptors,
                start.scan,
                start.waited
            ),
        );
        let clock = live.clock();
        containers.settle_while(LISTS, || {
            live.drain();
        });
        let facts = live.facts(state);
        let loaded = wanted.clone();
        probe::leftovers::give_back();
        Ok(Self {
            live,
            clock,
            start,
            facts,
            facts_read: Instant::now(),
            changes: Vec::new(),
            loaded,
            options: options.probe,
            programs: Programs::new(&options.root),
            containers,
            told: Vec::new(),
            hurry: Some(Instant::now()),
            stopping: None,
            turns: 0,
            shapes: Shapes::default(),
            came: 0,
            heartbeat: Heartbeat::new(Instant::now()),
            damage: None,
            looked: Instant::now(),
        })
    }

    /// Makes a record of what a runtime said, if one did.
    #[inline]
    fn listen(&mut self) -> bool {
        if let Some(message) = self.containers.poll() {
            self.shapes.hear(&message);
            self.told = message.record(self.moment());
            return true;
        }
        let Some(answer) = self.programs.poll() else {
            return false;
        };
        self.told = answer.record(self.moment());
        true
    }

    /// Now, for what is told beside the kernel's events; at the end it must not come after events that are
    /// still in the buffers, for with it all would be over.
    fn moment(&self) -> u64 {
        let now = self.clock.now();
        self.stopping
            .map_or(now, |at| now.min(at.saturating_sub(1)))
    }

    fn sighting(&self) -> Result<Next<'_>> {
        let record = Record::parse(&self.told, 0, RecordFlags::default());
        let record = record.context("a record of a container is broken")?;
        Ok(Next::Item(Item::Event(record)))
    }

    fn patience(&mut self) -> Duration {
        match self.hurry {
            _ if self.stopping.is_some() => SETTLED,
            None => PATIENCE,
            Some(since) if since.elapsed() < HURRY => SHORT_PATIENCE,
            Some(_) => {
                self.hurry = None;
                PATIENCE
            }
        }
    }

    /// Takes the events that came until now into the state.
    ///
    /// # Errors
    /// When waiting for events fails.
    pub(crate) fn catch_up(&mut self, state: &mut State) -> Result<()> {
        let until = self.clock.now();
        let mut lookup = self.live.lookup();
        while let Some(event) = self.live.next(SETTLED)? {
            let time = event.record.ts;
            state.process_live(&event.record, &mut lookup);
            if time >= until {
                break;
            }
        }
        Ok(())
    }

    /// What the start took and found.
    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// Names of system calls and tracepoints that are watched.
    pub(crate) fn attached(&self) -> impl Iterator<Item = &str> {
        self.live.attached().iter().map(|a| a.name.as_str())
    }

    /// Number of calls that are also seen when they begin.
    pub(crate) fn entries(&self) -> usize {
        self.attached()
            .filter(|name| name.ends_with("(entry)"))
            .count()
    }

    /// Whether a call is seen when it begins, too.
    pub(crate) fn sees_entry(&self, call: &str) -> bool {
        let mut attached = self.attached();
        attached.any(|name| name.strip_suffix(" (entry)") == Some(call))
    }

    /// How the programs sit on their calls, and why.
    pub(crate) fn choice(&self) -> &probe::Choice {
        self.live.choice()
    }
}

impl Source for Machine {
    const LIVE: bool = true;

    #[inline]
    fn next(&mut self) -> Result<Next<'_>> {
        if let Some(change) = self.changes.pop() {
            return Ok(Next::Item(match change {
                Change::Users(users) => Item::Users(users),
                Change::Interfaces(interfaces) => Item::Interfaces(interfaces),
            }));
        }
        // Not at every event: it is asked in any case before the source waits.
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(LISTEN) && self.listen() {
            return self.sighting();
        }
        if !self.live.wait(Duration::ZERO)? {
            if self.listen() {
                return self.sighting();
            }
            let patience = self.patience();
            let any = self.live.wait(patience)?;
            // What became known meanwhile comes before the events of who it is about.
            if self.listen() {
                return self.sighting();
            }
            if !any {
                return Ok(Next::Idle(self.clock.now()));
            }
        }
        let now = &self.clock;
        Ok(match self.live.take() {
            Some(event) => {
                self.came += 1;
                Next::Item(Item::Event(event.record))
            }
            None => Next::Idle(now.now()),
        })
    }

    #[inline]
    fn event(&mut self) -> Option<Record<'_>> {
        let turns = self.turns.wrapping_add(1);
        // Whatever else is due has its turn in `next`.
        if !self.changes.is_empty() || turns.is_multiple_of(LISTEN) {
            return None;
        }
        let event = self.live.at_hand()?;
        self.turns = turns;
        self.came += 1;
        Some(event.record)
    }

    #[cold]
    fn sighted(&mut self, containers: Vec<Sighting>) {
        self.hurry = Some(Instant::now());
        for sighting in containers {
            self.shapes.see(&sighting);
            self.containers.look_up(sighting);
        }
    }

    #[cold]
    fn asked(&mut self, programs: Vec<ProgramQuestion>) {
        self.hurry = Some(Instant::now());
        self.programs.ask(programs);
    }

    fn now(&self) -> Option<u64> {
        Some(self.clock.now())
    }

    /// What is in the buffers still comes, and then a moment of silence.
    fn stop(&mut self) -> bool {
        self.stopping = Some(self.clock.now());
        false
    }

    fn progress(&mut self) {
        if self.changes.is_empty() && self.facts_read.elapsed() >= FACTS {
            self.facts_read = Instant::now();
            self.changes = self.facts.changes();
        }
    }

    fn lookup(&self) -> Box<dyn Lookup> {
        Box::new(self.live.lookup())
    }

    fn told(&mut self, images: &[Told]) {
        for image in images {
            // A thread that is gone needs no word.
            self.live.tell_image(image.tid, image.bits, image.time);
        }
    }

    fn want(&mut self, wanted: &Wanted) {
        let missing = wanted.beyond(&self.loaded);
        if missing.is_empty()
            && wanted.tracepoints == self.loaded.tracepoints
            && !wanted.names_differ(&self.loaded)
        {
            self.live.set_syscalls(&wanted.syscalls(), &wanted.filters);
            return;
        }
        self.options.syscalls = wanted.syscalls();
        self.options.tracepoints = wanted.tracepoints;
        self.options.filters = wanted.filters.clone();
        self.options.names_alone = wanted.names_alone();
        self.options.name_snaplen = name_snaplen(wanted);
        match self.live.turn_to(&self.options) {
            Ok(()) => {
                self.loaded = wanted.clone();
                if !missing.is_empty() {
                    log::info(&format!("watched from now on: {}", missing.join(", ")));
                }
            }
            Err(error) => log::warning(&format!(
                "the new rules look at system calls that are not watched: {}: {error}",
                missing.join(", ")
            )),
        }
    }

    fn trouble(&mut self) -> Option<String> {
        let now = Instant::now();
        let ask = heartbeat::end_a_thread;
        let silence = self.heartbeat.look(now, self.came, ask);
        if now.duration_since(self.looked) >= LOOK {
            self.looked = now;
            self.damage = self.live.intact().err().map(|damage| damage.to_string());
        }
        let silent = |silence: Duration| {
            format!(
                "the kernel has sent no event for {} s, not even that of a thread of our own that ended",
                silence.as_secs()
            )
        };
        self.damage.clone().or_else(|| silence.map(silent))
    }

    fn losses(&self) -> Option<LossMeter> {
        Some(self.live.loss_meter())
    }

    fn lookups(&self) -> Option<LookupMeter> {
        Some(self.live.lookup_meter())
    }

    fn asking(&self) -> Option<containers::Meter> {
        Some(self.containers.meter())
    }
}

/// Bytes of a message to or from a name server that are kept: answers are seldom longer.
pub(crate) const NAME_SNAPLEN: u32 = 4096;

fn name_snaplen(wanted: &Wanted) -> u32 {
    if wanted.names { NAME_SNAPLEN } else { 0 }
}

/// What the settings say of buffers and selection.
fn options(settings: &Settings, wanted: &Wanted) -> Result<Options> {
    let engine = &settings.engine;
    let buffer = u8::try_from(engine.buf_size_preset)
        .ok()
        .and_then(BufferSize::preset)
        .context("buffer presets are 1 (1 MiB) to 10 (512 MiB)")?;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpus_per_buffer = match engine.kind {
        // The kernel module had a buffer for each CPU.
        EngineKind::Kmod => 1,
        _ => usize::try_from(engine.cpus_for_each_buffer)?.min(cpus),
    };
    let defaults = probe::Options::default();
    let snaplen = match settings.libs.snaplen {
        0 => defaults.snaplen,
        snaplen => snaplen,
    };
    let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
    Ok(Options {
        probe: probe::Options {
            syscalls: wanted.syscalls(),
            tracepoints: wanted.tracepoints,
            snaplen,
            name_snaplen: name_snaplen(wanted),
            names_alone: wanted.names_alone(),
            drop_failed: engine.drop_failed_exit,
            buffer,
            cpus_per_buffer: u16::try_from(cpus_per_buffer)?,
            enter_openat: reads_openat_twice()?,
            backend: way_of_attaching()?,
            ..defaults
        },
        root: root.map_or_else(|| "/".into(), Into::into),
        scan_limit: None,
    })
}

/// Whether `openat`, the busiest of the calls that a race could make lie, is read when it begins too:
/// `PEREGRINE_OPENAT_ENTRY` decides (`on`, `off`); without it, it is where the original does it, on kernels with
/// kprobes. It costs an event for each call.
fn reads_openat_twice() -> Result<bool> {
    match std::env::var("PEREGRINE_OPENAT_ENTRY").as_deref() {
        Ok("on") => Ok(true),
        Ok("off") => Ok(false),
        Ok("" | "auto") | Err(_) => Ok(Path::new("/sys/bus/event_source/devices/kprobe").exists()),
        Ok(other) => anyhow::bail!("PEREGRINE_OPENAT_ENTRY: `{other}` is none of on, off, auto"),
    }
}

/// The way of attaching that `PEREGRINE_ATTACH` forces; chosen by cost without it.
fn way_of_attaching() -> Result<probe::Backend> {
    match std::env::var("PEREGRINE_ATTACH") {
        Ok(way) if !way.is_empty() => way
            .parse()
            .map_err(|error: String| anyhow::anyhow!("PEREGRINE_ATTACH: {error}")),
        _ => Ok(probe::Backend::Auto),
    }
}

/// What is watched, at level debug, as Falco lists its system calls.
fn log_attached(live: &Live) {
    let names = |wanted: &dyn Fn(Attachment) -> bool| -> Vec<&str> {
        live.attached()
            .iter()
            .filter(|attached| wanted(attached.how))
            .map(|attached| attached.name.as_str())
            .collect()
    };
    let calls =
        names(&|how| !matches!(how, Attachment::TypedTracepoint | Attachment::RawTracepoint));
    let points =
        names(&|how| matches!(how, Attachment::TypedTracepoint | Attachment::RawTracepoint));
    let choice = live.choice();
    let text = format!(
        "({}) syscalls selected in total (by {:?}): {}; tracepoints: {}",
        calls.len(),
        choice.backend,
        calls.join(", "),
        points.join(", ")
    );
    log::info(&format!(
        "way of attaching: {}, for {}",
        choice.backend.name(),
        choice.reason
    ));
    log::log(Priority::Debug, &text);
}
