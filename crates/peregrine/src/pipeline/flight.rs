//! The flight recorder's side of the event loop: what goes into the ring, which alerts are saved, and
//! where an alert says that its file is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use capture::{Compression, Writer};
use config::Settings;
use config::settings::{Capture, FlightRecorder};
use event::{EventCode, EventFlags, Record, RecordBuilder, RecordFlags, codes};
use fields::{Environment, EventView};
use filter::{Filter, Memo, json};
use flight::{Counts, Options, Overflow, Recorder, Server, Wish};
use outputs::Form;
use rules::{Priority, RuleSet};
use state::{Context, State};

use super::Compiled;
use super::notices::Files;
use crate::log;
use crate::recording::{Dump, standing};
use crate::sources::Running;
use crate::watch::Wanted;

/// The event at the begin of a segment that says what the ring is given.
const NOTE: &[u8] = b"flight_recorder";
const MILLION: u64 = 1_000_000;
/// What is kept in memory while a file is written, where there is no ring.
const PASSING: u64 = 64 * MILLION;
/// Most of the ring of a source beside the machine's; it is always in memory.
const BESIDE: u64 = 16 * MILLION;

/// Whose events are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// A capture's.
    Replayed,
    /// The main source's of a machine.
    Machine,
    /// Those of a source that has a thread of its own beside it.
    Beside,
}

/// What of the events around its matches a rule wants kept, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    before: u64,
    after: u64,
}

impl Around {
    /// By rule.
    pub(super) fn of_rules(rules: &RuleSet, settings: &Capture) -> Vec<Option<Self>> {
        let span = |own: u32, default: u32| {
            let ms = if own == 0 { default } else { own };
            u64::from(ms) * MILLION
        };
        let of = |rule: &rules::Rule| {
            let wanted = settings.enabled && (settings.all_rules || rule.capture);
            wanted.then(|| Self {
                before: span(rule.capture_before, settings.default_before),
                after: span(rule.capture_duration, settings.default_duration),
            })
        };
        rules.rules.iter().map(of).collect()
    }
}

/// The recorder, and what decides about it.
pub(super) struct Flight {
    pub(super) recorder: Recorder,
    /// Answers hunts.
    server: Option<Server>,
    around: Vec<Option<Around>>,
    pub(super) capture: Capture,
    json: bool,
    filter: Option<Filter>,
    memo: Memo,
    env: Environment,
    redact_env: bool,
    dump: Dump,
    /// What the ring is given.
    note: String,
    /// The alerts that come now are of events that happened a while ago, and so is their state.
    pub(super) late: bool,
    /// Of such, where nothing was recorded: they wait for the state.
    waiting: Vec<(Vec<u8>, u16, RecordFlags, Wish)>,
    pub(super) files: Files,
}

impl Flight {
    /// Begins, if there is something to do. `live`: a machine is watched.
    ///
    /// # Errors
    /// When the ring cannot be kept where it is to be.
    pub(super) fn open(
        compiled: &mut Compiled,
        running: &[Running],
        files: &Files,
        live: bool,
    ) -> Result<Option<Self>> {
        let filter = compiled.ring_filter.take();
        let (settings, around) = (&compiled.settings, &compiled.around);
        let ring = &settings.flight_recorder;
        if !ring.enabled && around.iter().all(Option::is_none) {
            return Ok(None);
        }
        let early = |one: &&Around| one.before > 0;
        let early = around.iter().flatten().filter(early).count();
        if early > 0 && !ring.enabled {
            log::say(
                Priority::Warning,
                &format!(
                    "{early} rules ask for what was before their alerts (capture_before), and \
                 flight_recorder.enabled is false: their captures begin with the alert"
                ),
            );
        }
        let whose = if live {
            Whose::Machine
        } else {
            Whose::Replayed
        };
        let mut flight = Self::start(settings, around, &compiled.form, (running, files), whose)?;
        flight.filter = filter;
        if live {
            flight.server = listen(ring, &flight.recorder);
            flight.note = note(&compiled.wanted, ring);
        }
        Ok(Some(flight))
    }

    /// The same for a source with a thread of its own: it keeps its events and nobody else's, in memory.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn beside(
        settings: &Settings,
        around: &[Option<Around>],
        form: &Form,
        running: &[Running],
        files: &Files,
    ) -> Result<Option<Self>> {
        if around.iter().all(Option::is_none) {
            return Ok(None);
        }
        Self::start(settings, around, form, (running, files), Whose::Beside).map(Some)
    }

    fn start(
        settings: &Settings,
        around: &[Option<Around>],
        form: &Form,
        (running, files): (&[Running], &Files),
        whose: Whose,
    ) -> Result<Self> {
        let ring = &settings.flight_recorder;
        let recorder = Recorder::start(&options(settings, whose)).with_context(|| {
            format!(
                "cannot keep the flight recorder's ring in '{}'",
                ring.directory
            )
        })?;
        files.count(&settings.capture.path_prefix);
        Ok(Self {
            recorder,
            server: None,
            around: around.to_vec(),
            capture: settings.capture.clone(),
            json: form.json,
            filter: None,
            memo: Memo::new(),
            env: Environment {
                hostname: form.hostname.clone(),
                zone: &fields::LOCAL,
                ..Environment::default()
            },
            redact_env: ring.redact_env,
            dump: Running::dump_states(running),
            note: "{}".to_owned(),
            late: false,
            waiting: Vec::new(),
            files: files.clone(),
        })
    }

    /// Goes over to other rules.
    pub(super) fn adopt(&mut self, compiled: &Compiled) {
        self.adopt_rules(&compiled.settings, &compiled.around, &compiled.form);
        let note = note(&compiled.wanted, &compiled.settings.flight_recorder);
        if note != self.note {
            self.note = note;
            self.recorder.renew();
        }
    }

    /// Goes over to what other rules want saved.
    pub(super) fn adopt_rules(
        &mut self,
        settings: &Settings,
        around: &[Option<Around>],
        form: &Form,
    ) {
        around.clone_into(&mut self.around);
        self.capture.clone_from(&settings.capture);
        self.json = form.json;
    }

    /// Whether all that happens goes into a ring.
    pub(super) fn is_always_on(&self) -> bool {
        self.recorder.is_always_on()
    }

    /// Takes in an event, before rules look at it.
    #[inline]
    pub(super) fn see(&mut self, record: &Record<'_>, state: &State, context: &Context) {
        if !self.recorder.is_on() && !self.starts(record, state) {
            return;
        }
        let flags = match &self.filter {
            None => record.flags,
            Some(_) => match self.kept(record, state, context) {
                Some(flags) => flags,
                None => return,
            },
        };
        if self.recorder.event(record, flags) {
            self.stand(state, record.ts);
        }
    }

    /// Whether recording begins with this event.
    #[cold]
    fn starts(&mut self, record: &Record<'_>, state: &State) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        if record.ts == u64::MAX
            || !state.is_settled()
            || (waiting.is_empty() && !self.is_always_on())
        {
            self.waiting = waiting;
            return false;
        }
        self.stand(state, record.ts);
        for (bytes, cpu, flags, wish) in waiting {
            if let Ok(record) = Record::parse(&bytes, cpu, flags) {
                self.recorder.event(&record, flags);
            }
            self.recorder.save(&wish);
        }
        true
    }

    /// What the filter leaves of an event: its flags, if anything.
    fn kept(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
    ) -> Option<RecordFlags> {
        self.env.see(record);
        let filter = self.filter.as_ref()?;
        let view = EventView::new(record, state, context, &self.env);
        if !context.visible || filter.matches(&view, &mut self.memo) {
            return Some(record.flags);
        }
        let for_state = record.info.flags.contains(EventFlags::MODIFIES_STATE)
            || record.code.number() == codes::ASYNCEVENT_E;
        for_state.then_some(record.flags | RecordFlags::STATE_ONLY)
    }

    /// Tells the recorder what stands.
    #[cold]
    fn stand(&mut self, state: &State, time: u64) {
        let told = (self.dump)().and_then(|dumped| {
            let buffer = Vec::with_capacity(1 << 20);
            let mut writer = Writer::new(buffer, Compression::None)?;
            writer = writer.redact_environments(self.redact_env);
            standing(&mut writer, state, &dumped)?;
            let standing = writer.finish()?;
            let mut writer = Writer::continuing(Vec::new(), Compression::None)?;
            let note = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), u64::MAX, 0)
                .u32(0)
                .text(NOTE)
                .text(&self.note)
                .finish();
            writer.event(&Record::parse(&note, 0, RecordFlags::STATE_ONLY)?)?;
            Ok((standing, writer.finish()?))
        });
        match told {
            Ok((standing, note)) => self.recorder.begin(time, standing, note),
            Err(error) => log::say(
                Priority::Error,
                &format!("the flight recorder has no state: {error:#}"),
            ),
        }
    }

    /// Has what surrounds an alert saved, if its rule wants that: then the file that will have it.
    #[inline]
    pub(super) fn alert(
        &mut self,
        rule: usize,
        record: &Record<'_>,
        state: &State,
        context: &Context,
    ) -> Option<PathBuf> {
        let around = (*self.around.get(rule)?)?;
        self.save(around, record, state, context)
    }

    #[cold]
    fn save(
        &mut self,
        around: Around,
        record: &Record<'_>,
        state: &State,
        context: &Context,
    ) -> Option<PathBuf> {
        let prefix = &self.capture.path_prefix;
        let wish = Wish {
            path: format!("{prefix}_{:020}_{:020}.scap", record.ts, context.number).into(),
            time: record.ts,
            before: around.before,
            after: around.after,
        };
        let most = self.capture.max_files;
        if most != 0 && self.files.known() >= most && !self.recorder.would_join(&wish) {
            self.recorder.refuse();
            return None;
        }
        let own = wish.path.clone();
        let path = if self.recorder.is_on() {
            self.recorder.save(&wish)
        } else if self.late {
            let bytes = record.bytes().to_vec();
            self.waiting.push((bytes, record.cpu, record.flags, wish));
            own.clone()
        } else {
            self.stand(state, record.ts);
            self.recorder.event(record, record.flags);
            self.recorder.save(&wish)
        };
        if path == own {
            self.files.add();
        }
        Some(path)
    }

    /// An alert's line that says where its file is. JSON has it under a key of its own. Text as Falco writes it has no
    /// place for it: it is added where the ring is in use, which Falco has not.
    pub(super) fn tell(&self, path: &Path, line: &[u8]) -> Option<Vec<u8>> {
        let path = path.as_os_str().as_encoded_bytes();
        let mut told = Vec::new();
        match line.split_first() {
            Some((brace, rest)) if self.json => {
                told.push(*brace);
                told.extend_from_slice(b"\"capture_file\":");
                json::string(path, &mut told);
                told.push(b',');
                told.extend_from_slice(rest);
            }
            _ if self.is_always_on() => {
                told.extend_from_slice(line);
                told.extend_from_slice(b" capture_file=");
                filter::render::sanitize(path, &mut told);
            }
            _ => return None,
        }
        Some(told)
    }

    pub(super) fn due(&self) -> u64 {
        self.recorder.due()
    }

    pub(super) fn timed(&mut self, time: u64, state: &State) {
        if self.recorder.timed(time) {
            self.stand(state, time);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.recorder.counts()
    }

    /// Completes ring and files.
    pub(super) fn finish(self) -> Vec<flight::Notice> {
        drop(self.server);
        self.recorder.finish().1
    }
}

/// A replay keeps its ring to itself: a directory or a socket would be the service's.
fn options(settings: &Settings, whose: Whose) -> Options {
    let ring = &settings.flight_recorder;
    let directory = Some(ring.directory.trim()).filter(|path| !path.is_empty());
    let most = ring.max_size_mb.saturating_mul(MILLION);
    Options {
        directory: directory
            .filter(|_| whose == Whose::Machine && ring.enabled)
            .map(PathBuf::from),
        most_bytes: match whose {
            _ if !ring.enabled => PASSING,
            Whose::Beside => most.min(BESIDE),
            Whose::Replayed | Whose::Machine => most,
        },
        most_age: ring.max_age,
        overflow: if whose == Whose::Replayed {
            Overflow::Wait
        } else {
            Overflow::Lose
        },
        redact_env: ring.redact_env,
        always: ring.enabled,
        most_file_bytes: settings.capture.max_file_size_mb.saturating_mul(1 << 20),
        compatible: settings.capture.sysdig_compat,
    }
}

/// Without the socket all but hunts over a ring in memory goes on.
fn listen(ring: &FlightRecorder, recorder: &Recorder) -> Option<Server> {
    let path = ring.socket.trim();
    if !ring.enabled || path.is_empty() {
        return None;
    }
    match Server::start(Path::new(path), recorder) {
        Ok(server) => Some(server),
        Err(error) => {
            log::say(
                Priority::Error,
                &format!("no hunt can ask at {path} (flight_recorder.socket): {error}"),
            );
            None
        }
    }
}

/// What the ring is given, for hunts.
fn note(wanted: &Wanted, ring: &FlightRecorder) -> String {
    let points = &wanted.tracepoints;
    serde_json::json!({
        "syscalls": wanted.names(),
        "signals": points.signal,
        "switches": points.switch,
        "page_faults": points.page_fault,
        "filter": ring.filter.trim(),
    })
    .to_string()
}
