//! A plugin as the rest of the program sees it: started again when its child dies, with everything that was open.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::field::{Datum, Wanted};
use crate::info::{Capability, Info};
use crate::local::Local;
use crate::remote::Remote;
use crate::tables::AsyncSink;
use crate::wire::{Reader, Writer, ask};

/// Events that a plugin has put into a stream and that wait; what comes beyond is dropped and counted.
const INJECTED: usize = 4096;
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

enum Backend {
    Local(Box<Local>),
    Remote(Remote),
    /// Its child is gone; another is started then.
    Gone(Instant),
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
    config: Option<String>,
    opened: Option<String>,
    injecting: bool,
    listening: bool,
    injected: Arc<Mutex<Injected>>,
    ends: u64,
    pause: Duration,
}

impl Plugin {
    /// Loads it; nothing is initialised yet.
    ///
    /// # Errors
    /// When it is no plugin of ours, or its child cannot be started.
    pub fn load(spec: Spec) -> Result<Self, Error> {
        let (backend, info) = start(&spec)?;
        Ok(Self {
            spec,
            info,
            backend,
            config: None,
            opened: None,
            injecting: false,
            listening: false,
            injected: Arc::default(),
            ends: 0,
            pause: Duration::ZERO,
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

    /// Initialises it.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn init(&mut self, config: &str) -> Result<(), Error> {
        self.config = Some(config.to_owned());
        self.info = init(&mut self.backend, &self.spec, config, &self.info)?;
        Ok(())
    }

    /// Opens its source.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn open(&mut self, params: &str) -> Result<(), Error> {
        open(&mut self.backend, &self.spec, params)?;
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
            Backend::Remote(remote) => remote
                .ask(ask::NEXT, &[], patience)
                .and_then(|body| batch(&mut Reader(&body)).ok_or_else(|| remote.nonsense())),
            Backend::Gone(_) => return none(BatchEnd::Later),
        };
        match result {
            Ok(batch) => {
                if !batch.events.is_empty() {
                    self.pause = Duration::ZERO;
                }
                batch
            }
            Err(error) if error.is_gone() => {
                self.trouble(&error);
                none(BatchEnd::Later)
            }
            Err(error) => none(BatchEnd::Failed(error.to_string())),
        }
    }

    /// Takes fields from an event. A field that the event has not, or that the plugin cannot give now, is `None`.
    pub fn extract(&mut self, event: &Event<'_>, wanted: &[Wanted]) -> Vec<Option<Vec<Datum>>> {
        let patience = self.spec.patience;
        let result = match self.ready() {
            Some(Backend::Local(local)) => local.extract(event, wanted),
            Some(Backend::Remote(remote)) => {
                let mut body = event_body(event);
                body.wanted(wanted);
                remote
                    .ask(ask::EXTRACT, &body.0, patience)
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

    /// Shows it an event. There is no answer to wait for.
    pub fn parse(&mut self, event: &Event<'_>) {
        let result = match self.ready() {
            Some(Backend::Local(local)) => local.parse(event),
            Some(Backend::Remote(remote)) => remote.tell(ask::PARSE, &event_body(event).0),
            _ => return,
        };
        if let Err(error) = result {
            self.failed(&error);
        }
    }

    /// Lets it put events into the stream that is open; [`Plugin::injected`] hands them out.
    ///
    /// # Errors
    /// Its words where it refuses.
    pub fn start_async(&mut self) -> Result<(), Error> {
        start_async(&mut self.backend, &self.spec, &self.injected)?;
        self.injecting = true;
        Ok(())
    }

    /// The next event that it put into the stream.
    pub fn injected(&mut self) -> Option<Vec<u8>> {
        // A child that died is started again by whoever asks for something.
        let _ = self.ready();
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        injected.events.pop_front()
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
    pub fn listen(&mut self, begins: bool) -> Result<(), Error> {
        self.listening = begins;
        listen(&mut self.backend, &self.spec, begins)
    }

    /// The event in its words.
    pub fn describe(&mut self, event: &Event<'_>) -> Option<String> {
        let patience = self.spec.patience;
        let result = match self.ready()? {
            Backend::Local(local) => return local.describe(event),
            Backend::Remote(remote) => remote.ask(ask::DESCRIBE, &event_body(event).0, patience),
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

    /// Its counters: names and values as texts.
    pub fn metrics(&mut self) -> Vec<(String, String)> {
        let patience = self.spec.patience;
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
            .map_while(|_| Some((body.text()?, body.text()?)))
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
        if let Backend::Gone(since) = self.backend {
            if Instant::now() < since {
                return None;
            }
            if let Err(error) = self.restart() {
                self.trouble(&error);
                return None;
            }
        }
        Some(&mut self.backend)
    }

    fn restart(&mut self) -> Result<(), Error> {
        let (mut backend, _) = start(&self.spec)?;
        if let Some(config) = &self.config {
            init(&mut backend, &self.spec, config, &self.info)?;
        }
        if self.injecting {
            start_async(&mut backend, &self.spec, &self.injected)?;
        }
        if self.listening {
            listen(&mut backend, &self.spec, true)?;
        }
        if let Some(params) = &self.opened {
            open(&mut backend, &self.spec, params)?;
        }
        self.backend = backend;
        Ok(())
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if self.listening && self.info.can(Capability::Listening) {
            let _ = listen(&mut self.backend, &self.spec, false);
        }
        if let (true, Backend::Remote(remote)) = (self.injecting, &mut self.backend) {
            let _ = remote.ask(ask::STOP_ASYNC, &[], self.spec.patience);
        }
    }
}

fn start(spec: &Spec) -> Result<(Backend, Info), Error> {
    let report = Arc::clone(&spec.report);
    let log = Box::new(move |severity: u32, component: &str, text: &str| {
        let (component, text) = (component.to_owned(), text.to_owned());
        report(Report::Log {
            severity,
            component,
            text,
        });
    });
    let Some(program) = &spec.program else {
        let local = Local::load(&spec.path, log)?;
        let info = local.info.clone();
        return Ok((Backend::Local(Box::new(local)), info));
    };
    let mut remote = Remote::start(&spec.path, program, spec.memory, spec.patience, log)?;
    let mut body = Writer::default();
    body.blob(spec.path.as_bytes());
    let answer = remote
        .ask(ask::LOAD, &body.0, spec.patience)
        .map_err(|error| match error {
            // The child's own words already name the file.
            Error::Plugin { text, plugin } => {
                let prefix = format!("cannot load plugin {plugin}: ");
                Error::load(&plugin, text.strip_prefix(&prefix).unwrap_or(&text))
            }
            other => other,
        })?;
    let info = read_info(&answer).ok_or_else(|| remote.nonsense())?;
    remote.rename(&info.name);
    Ok((Backend::Remote(remote), info))
}

fn read_info(answer: &[u8]) -> Option<Info> {
    serde_json::from_slice(Reader(answer).blob()?).ok()
}

fn init(backend: &mut Backend, spec: &Spec, config: &str, info: &Info) -> Result<Info, Error> {
    match backend {
        Backend::Local(local) => {
            local.init(config)?;
            Ok(local.info.clone())
        }
        Backend::Remote(remote) => {
            let mut body = Writer::default();
            body.blob(config.as_bytes());
            let answer = remote.ask(ask::INIT, &body.0, spec.patience)?;
            read_info(&answer).ok_or_else(|| remote.nonsense())
        }
        Backend::Gone(_) => Ok(info.clone()),
    }
}

fn open(backend: &mut Backend, spec: &Spec, params: &str) -> Result<(), Error> {
    match backend {
        Backend::Local(local) => local.open(params),
        Backend::Remote(remote) => {
            let mut body = Writer::default();
            body.blob(params.as_bytes());
            remote.ask(ask::OPEN, &body.0, spec.patience).map(|_| ())
        }
        Backend::Gone(_) => Ok(()),
    }
}

fn start_async(
    backend: &mut Backend,
    spec: &Spec,
    injected: &Arc<Mutex<Injected>>,
) -> Result<(), Error> {
    let injected = Arc::clone(injected);
    let sink: AsyncSink = Box::new(move |event| {
        let code = event.get(20..22).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let whole = event::Record::parse(&event, 0, event::RecordFlags::default()).is_ok();
        if code != Some(event::codes::ASYNCEVENT_E) || !whole {
            return Err("malformed async event".to_owned());
        }
        let mut injected = injected.lock().unwrap_or_else(PoisonError::into_inner);
        if injected.events.len() >= INJECTED {
            injected.dropped += 1;
        } else {
            injected.events.push_back(event);
        }
        Ok(())
    });
    match backend {
        Backend::Local(local) => local.start_async(sink),
        Backend::Remote(remote) => {
            remote.set_sink(Some(sink));
            remote.ask(ask::START_ASYNC, &[], spec.patience).map(|_| ())
        }
        Backend::Gone(_) => Ok(()),
    }
}

fn listen(backend: &mut Backend, spec: &Spec, begins: bool) -> Result<(), Error> {
    match backend {
        Backend::Local(local) => local.listen(begins),
        Backend::Remote(remote) => remote
            .ask(ask::LISTEN, &[u8::from(begins)], spec.patience)
            .map(|_| ()),
        Backend::Gone(_) => Ok(()),
    }
}

fn event_body(event: &Event<'_>) -> Writer {
    let mut body = Writer::default();
    body.u64(event.number)
        .blob(event.source.as_bytes())
        .blob(event.bytes);
    body
}

/// Reads a batch. Each event must be a record: the child's checks are its own.
fn batch(body: &mut Reader<'_>) -> Option<Batch> {
    let end = body.u8()?;
    let words = body.text()?;
    let count = body.u32()?;
    let mut events = Vec::new();
    for _ in 0..count {
        let event = body.blob()?;
        event::Record::parse(event, 0, event::RecordFlags::default()).ok()?;
        events.push(event.to_vec());
    }
    let end = match end {
        0 => BatchEnd::More,
        1 => BatchEnd::Later,
        2 => BatchEnd::End,
        _ => BatchEnd::Failed(words),
    };
    Some(Batch { events, end })
}
