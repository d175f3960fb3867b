//! A plugin as the rest of the program sees it: started again when its child dies, with everything that was open.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::backend::{self, Backend};
use crate::field::{Datum, Wanted};
use crate::info::{Capability, Info};
use crate::injected::{admitted, announced};
use crate::tables::query::{Answer, Host, Nobody, Query};
use crate::tables::{Access, AsyncSink, Desk, Registry};
use crate::wire::{Reader, Writer, ask};

/// Events that a plugin has put into a stream and that wait; what comes beyond is dropped and counted.
const INJECTED: usize = 4096;
/// Nanoseconds that an event may lie in the future.
const FUTURE: u64 = 10_000_000_000;
/// Longest wait for counters.
const COUNTING: Duration = Duration::from_secs(3);
/// Longest pause before a child is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is told of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It misbehaved; it is started again after a pause.
    Trouble {
        /// Its name.
        plugin: String,
        /// What it did.
        text: String,
        /// How often its process ended so far.
        times: u64,
    },
    /// A line of its own for the log.
    Log {
        /// 1 (fatal) to 8 (trace).
        severity: u32,
        /// Who says it.
        component: String,
        /// What it says.
        text: String,
    },
}

type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// What to load and how.
#[derive(Clone)]
pub struct Spec {
    /// The shared object.
    pub path: String,
    /// The program that serves as child, which is called with `plugin-host`; `None`: in this process.
    pub program: Option<PathBuf>,
    /// Longest wait for an answer.
    pub patience: Duration,
    /// Bytes of memory that a child may take; `None`: 1 GiB.
    pub memory: Option<u64>,
    /// Told of trouble and log lines, from several threads.
    pub report: Reporter,
}

impl Spec {
    /// In a child of this program.
    #[must_use]
    pub fn child(path: impl Into<String>, program: impl AsRef<Path>) -> Self {
        Self {
            program: Some(program.as_ref().to_owned()),
            ..Self::in_process(path)
        }
    }

    /// In this process: faster, and at its mercy.
    #[must_use]
    pub fn in_process(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            program: None,
            patience: Duration::from_secs(10),
            memory: None,
            report: Arc::new(|_| {}),
        }
    }
}

/// An event that a plugin is shown.
#[derive(Clone, Copy, Debug)]
pub struct Event<'e> {
    /// `evt.num`
    pub number: u64,
    /// Its source.
    pub source: &'e str,
    /// Its record.
    pub bytes: &'e [u8],
}

/// A counter of a plugin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: String,
    /// A number, as text.
    pub value: String,
    /// It never falls.
    pub monotonic: bool,
}

/// How a batch ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BatchEnd {
    /// There may be more at once.
    #[default]
    More,
    /// Nothing now; later perhaps.
    Later,
    /// Nothing will come any more.
    End,
    /// The source broke.
    Failed(String),
}

/// Events of a plugin's source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Their records.
    pub events: Vec<Vec<u8>>,
    /// What follows.
    pub end: BatchEnd,
}

#[derive(Default)]
struct Injected {
    events: VecDeque<Vec<u8>>,
    dropped: u64,
}

/// A plugin.
pub struct Plugin {
    spec: Spec,
    info: Info,
    backend: Backend,
    registry: Arc<Registry>,
    config: Option<String>,
    opened: Option<String>,
    /// The source into whose stream it puts events.
    injecting: Option<String>,
    listening: bool,
    injected: Arc<Mutex<Injected>>,
    ends: u64,
    pause: Duration,
    /// When the child that runs, or that ended last, was started.
    started: Instant,
}

impl Plugin {
    /// Loads it; nothing is initialised yet.
    ///
    /// # Errors
    /// When it is no plugin of ours, or its child cannot be started.
    pub fn load(spec: Spec) -> Result<Self, Error> {
        let (backend, info) = backend::start(&spec)?;
        Ok(Self {
            spec,
            info,
            backend,
            registry: Arc::default(),
            config: None,
            opened: None,
            injecting: None,
            listening: false,
            injected: Arc::default(),
            ends: 0,
            pause: Duration::ZERO,
            started: Instant::now(),
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How often its process ended against its will or ours.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.ends
    }

    /// Shares tables with the other plugins of a stream. Before [`Plugin::init`].
    pub fn share(&mut self, registry: &Arc<Registry>) {
        self.registry = Arc::clone(registry);
    }

    /// Initialises it.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn init(&mut self, config: &str) -> Result<(), Error> {
        self.config = Some(config.to_owned());
        let mut desk = Desk::new(&self.registry, Access::None, &self.info.name);
        let info = backend::init(&mut self.backend, &self.spec, config, &self.info, &mut desk)?;
        drop(desk);
        self.info = info;
        Ok(())
    }

    /// Gives it other settings while it runs.
    ///
    /// # Errors
    /// Its words where it refuses; that it cannot.
    pub fn set_config(&mut self, config: &str) -> Result<(), Error> {
        let patience = self.spec.patience;
        let result = match self.ready() {
            Some(Backend::Local(local)) => local.set_config(config),
            Some(Backend::Remote(remote)) => {
                let mut body = Writer::default();
                body.blob(config.as_bytes());
                remote.ask(ask::SET_CONFIG, &body.0, patience).map(|_| ())
            }
            _ => Ok(()),
        };
        match result {
            Ok(()) => {
                self.config = Some(config.to_owned());
                Ok(())
            }
            Err(error) => {
                if error.is_gone() {
                    self.trouble(&error);
                }
                Err(error)
            }
        }
    }

    /// Opens its source.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn open(&mut self, params: &str) -> Result<(), Error> {
        backend::open(&mut self.backend, &self.spec, params)?;
        self.opened = Some(params.to_owned());
        Ok(())
    }

    /// The next events of its source. While its child is being started again there are none.
    pub fn next_batch(&mut self) -> Batch {
        let patience = self.spec.patience;
        let none = |end| Batch {
            events: Vec::new(),
            end,
        };
        let Some(backend) = self.ready() else {
            std::thread::sleep(Duration::from_millis(20));
            return none(BatchEnd::Later);
        };
        let result = match backend {
            Backend::Local(local) => local.next_batch(),
            Backend::Remote(remote) => remote.ask(ask::NEXT, &[], patience).and_then(|body| {
                backend::batch(&mut Reader(&body)).ok_or_else(|| remote.nonsense())
            }),
            Backend::Gone(_) => return none(BatchEnd::Later),
        };
        match result {
            Ok(batch) => batch,
            Err(error) if error.is_gone() => {
                self.trouble(&error);
                none(BatchEnd::Later)
            }
            Err(error) => none(BatchEnd::Failed(error.to_string())),
        }
    }

    /// Takes fields from an event. A field that the event has not, or that the plugin cannot give now, is `None`.
    pub fn extract(
        &mut self,
        event: &Event<'_>,
        wanted: &[Wanted],
        access: Access<'_>,
    ) -> Vec<Option<Vec<Datum>>> {
        let patience = self.spec.patience;
        let (registry, name) = (Arc::clone(&self.registry), self.info.name.clone());
        let mut desk = Desk::new(&registry, access, &name);
        let result = match self.ready_with(&mut desk) {
            Some(Backend::Local(local)) => local.extract(event, wanted, &mut desk),
            Some(Backend::Remote(remote)) => {
                let mut body = backend::event_body(event);
                body.wanted(wanted);
                remote
                    .ask_with(ask::EXTRACT, &body.0, patience, &mut desk)
                    .and_then(|body| {
                        let values = Reader(&body).values().filter(|v| v.len() == wanted.len());
                        values.ok_or_else(|| remote.nonsense())
                    })
            }
            _ => return vec![None; wanted.len()],
        };
        result.unwrap_or_else(|error| {
            self.failed(&error);
            vec![None; wanted.len()]
        })
    }

    /// Shows it an event. Nothing is waited for, unless it uses tables.
    pub fn parse(&mut self, event: &Event<'_>, access: Access<'_>) {
        let patience = self.spec.patience;
        let uses_tables = self.info.uses_tables;
        let (registry, name) = (Arc::clone(&self.registry), self.info.name.clone());
        let mut desk = Desk::new(&registry, access, &name);
        let result = match self.ready_with(&mut desk) {
            Some(Backend::Local(local)) => local.parse(event, &mut desk),
            Some(Backend::Remote(remote)) => {
                let body = backend::event_body(event);
                if uses_tables {
                    let answer = remote.ask_with(ask::PARSE_ASKED, &body.0, patience, &mut desk);
                    answer.map(|_| ())
                } else {
                    remote.tell(ask::PARSE, &body.0)
                }
            }
            _ => return,
        };
        if let Err(error) = result {
            self.failed(&error);
        }
    }

    /// Answers another plugin about this one's tables.
    pub(crate) fn asked(&mut self, query: &Query, host: &mut dyn Host) -> Result<Answer, Error> {
        let patience = self.spec.patience;
        let result = match &mut self.backend {
            Backend::Local(local) => Ok(local.asked(query, host)),
            Backend::Remote(remote) => {
                let mut body = Writer::default();
                body.query(query);
                remote
                    .ask_with(ask::TABLE, &body.0, patience, host)
                    .and_then(|body| Reader(&body).answer().ok_or_else(|| remote.nonsense()))
            }
            Backend::Gone(_) => Ok(Answer::Failed(
                "the plugin of this table is away".to_owned(),
            )),
        };
        if let Err(error) = &result {
            self.failed(error);
        }
        result
    }

    /// Lets it put events into the stream of a source; [`Plugin::injected`] hands them out.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn start_async(&mut self, source: &str) -> Result<(), Error> {
        self.injecting = Some(source.to_owned());
        let sink = self.sink(source);
        backend::start_async(&mut self.backend, &self.spec, source, sink)
    }

    /// Takes what it puts into the stream, after checks.
    fn sink(&self, source: &str) -> AsyncSink {
        let injected = Arc::clone(&self.injected);
        let report = Arc::clone(&self.spec.report);
        let (info, source) = (self.info.clone(), source.to_owned());
        Box::new(move |event| {
            admitted(&info, &source, &event)?;
            let name = &info.name;
            let warn = |text: String| {
                report(Report::Log {
                    severity: 4,
                    component: name.clone(),
                    text,
                });
            };
            let time = time(&event);
            if time != u64::MAX && time > now().saturating_add(FUTURE) {
                warn(format!(
                    "an async event of {time} lies in the future and is dropped"
                ));
                return Ok(());
            }
            let mut injected = injected.lock().unwrap_or_else(PoisonError::into_inner);
            if injected.events.len() >= INJECTED {
                injected.dropped += 1;
                if injected.dropped.is_power_of_two() {
                    warn(format!(
                        "async event queue is full ({} dropped)",
                        injected.dropped
                    ));
                }
            } else {
                injected.events.push_back(event);
            }
            Ok(())
        })
    }

    /// The next event that it put into the stream, of a time not after `until`, or of none.
    pub fn injected(&mut self, until: u64) -> Option<Vec<u8>> {
        // A child that died is started again by whoever asks for something.
        let _ = self.ready();
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |event: &Vec<u8>| time(event) == u64::MAX || time(event) <= until;
        let at = injected.events.iter().position(due)?;
        injected.events.remove(at)
    }

    /// What it knows, as events for the start of a capture file.
    ///
    /// # Errors
    /// Its words where it fails.
    pub fn dump_state(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        let patience = self.spec.patience;
        let result = match self.ready() {
            Some(Backend::Local(local)) => local.dump_state(),
            Some(Backend::Remote(remote)) => {
                remote.ask(ask::DUMP, &[], patience).and_then(|body| {
                    let mut body = Reader(&body);
                    let count = body.u32().unwrap_or(0);
                    let events: Option<Vec<Vec<u8>>> =
                        (0..count).map(|_| Some(body.blob()?.to_vec())).collect();
                    events.ok_or_else(|| remote.nonsense())
                })
            }
            _ => Ok(Vec::new()),
        };
        let mut events = match result {
            Ok(events) => events,
            Err(error) => {
                if error.is_gone() {
                    self.trouble(&error);
                }
                return Err(error);
            }
        };
        for event in &events {
            if let Err(text) = announced(&self.info, event) {
                return Err(Error::plugin(&self.info.name, text));
            }
        }
        events.shrink_to_fit();
        Ok(events)
    }

    /// Events that it put into the stream faster than they were taken, and that are lost.
    #[must_use]
    pub fn injected_dropped(&self) -> u64 {
        self.injected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dropped
    }

    /// Tells it that a capture begins or ends.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn listen(&mut self, begins: bool, access: Access<'_>) -> Result<(), Error> {
        self.listening = begins;
        let mut desk = Desk::new(&self.registry, access, &self.info.name);
        backend::listen(&mut self.backend, &self.spec, begins, &mut desk)
    }

    /// The event in its words.
    pub fn describe(&mut self, event: &Event<'_>) -> Option<String> {
        let patience = self.spec.patience;
        let result = match self.ready()? {
            Backend::Local(local) => return local.describe(event),
            Backend::Remote(remote) => {
                remote.ask(ask::DESCRIBE, &backend::event_body(event).0, patience)
            }
            Backend::Gone(_) => return None,
        };
        self.text(result)
    }

    /// What may be opened: value and explanation.
    pub fn open_params(&mut self) -> Vec<(String, String)> {
        let patience = self.spec.patience;
        let json = match self.ready() {
            Some(Backend::Local(local)) => local.open_params(),
            Some(Backend::Remote(remote)) => {
                let result = remote.ask(ask::OPEN_PARAMS, &[], patience);
                self.text(result)
            }
            _ => None,
        };
        let parsed =
            json.and_then(|json| serde_json::from_str::<Vec<serde_json::Value>>(&json).ok());
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let all = parsed.unwrap_or_default();
        all.iter()
            .map(|entry| (text(&entry["value"]), text(&entry["desc"])))
            .collect()
    }

    /// Its counters. Who asks for them has other things to do: no long wait.
    pub fn metrics(&mut self) -> Vec<Counter> {
        let patience = self.spec.patience.min(COUNTING);
        let result = match self.ready() {
            Some(Backend::Local(local)) => return local.metrics(),
            Some(Backend::Remote(remote)) => remote.ask(ask::METRICS, &[], patience),
            _ => return Vec::new(),
        };
        let body = result.unwrap_or_else(|error| {
            self.failed(&error);
            Vec::new()
        });
        let mut body = Reader(&body);
        let count = body.u32().unwrap_or(0);
        (0..count)
            .map_while(|_| {
                Some(Counter {
                    name: body.text()?,
                    value: body.text()?,
                    monotonic: body.u8()? != 0,
                })
            })
            .collect()
    }

    fn text(&mut self, result: Result<Vec<u8>, Error>) -> Option<String> {
        match result {
            Ok(body) => Reader(&body).text().filter(|text| !text.is_empty()),
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn failed(&mut self, error: &Error) {
        if error.is_gone() {
            self.trouble(error);
        } else {
            self.tell(error);
        }
    }

    /// Notes the end of a child, and when another is started.
    fn trouble(&mut self, error: &Error) {
        self.ends += 1;
        // A child that has worked for a while is started again at once, one that dies at once is not.
        if self.started.elapsed() > LONGEST_PAUSE {
            self.pause = Duration::ZERO;
        }
        self.backend = Backend::Gone(Instant::now() + self.pause);
        self.pause = (self.pause * 2).clamp(Duration::from_millis(250), LONGEST_PAUSE);
        self.tell(error);
    }

    fn tell(&self, error: &Error) {
        let text = match error {
            Error::Plugin { text, .. } | Error::Gone { text, .. } => text.clone(),
            other => other.to_string(),
        };
        let plugin = self.info.name.clone();
        (self.spec.report)(Report::Trouble {
            plugin,
            text,
            times: self.ends,
        });
    }

    /// The backend, after another child was started where that is due.
    fn ready(&mut self) -> Option<&mut Backend> {
        self.ready_with(&mut Nobody)
    }

    fn ready_with(&mut self, host: &mut dyn Host) -> Option<&mut Backend> {
        if let Backend::Gone(since) = self.backend {
            if Instant::now() < since {
                return None;
            }
            if let Err(error) = self.restart(host) {
                self.trouble(&error);
                return None;
            }
        }
        Some(&mut self.backend)
    }

    fn restart(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        self.started = Instant::now();
        let (mut backend, _) = backend::start(&self.spec)?;
        if let Some(config) = &self.config {
            // Tables can be got now whoever asks.
            let mut desk = Desk::new(&self.registry, Access::None, &self.info.name);
            backend::init(&mut backend, &self.spec, config, &self.info, &mut desk)?;
        }
        if let Some(source) = &self.injecting {
            backend::start_async(&mut backend, &self.spec, source, self.sink(source))?;
        }
        if self.listening {
            backend::listen(&mut backend, &self.spec, true, host)?;
        }
        if let Some(params) = &self.opened {
            backend::open(&mut backend, &self.spec, params)?;
        }
        self.backend = backend;
        Ok(())
    }
}

/// An event's time.
fn time(event: &[u8]) -> u64 {
    event
        .first_chunk::<8>()
        .map_or(u64::MAX, |time| u64::from_le_bytes(*time))
}

/// The time now in nanoseconds since the epoch.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if self.listening && self.info.can(Capability::Listening) {
            let _ = backend::listen(&mut self.backend, &self.spec, false, &mut Nobody);
        }
        if let (true, Backend::Remote(remote)) = (self.injecting.is_some(), &mut self.backend) {
            let _ = remote.ask(ask::STOP_ASYNC, &[], self.spec.patience);
        }
    }
}
