//! Plugins of the configuration: loaded once to learn what they are, and started for each source that needs them.

use std::collections::VecDeque;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use capture::Item;
use config::Settings;
use event::{Record, RecordFlags};
use plugins::{BatchEnd, Capability, Fields, Info, Plugin, Registry, Report, Spec};
use rules::Priority;

use super::running::Running;
use super::{built_in, wanted};
use crate::pipeline::beside::Stream;
use crate::source::{Next, Source};
use crate::watch::Wanted as Watched;
use crate::{clock, log};

/// Where relative paths of plugins begin.
const FOLDER: &str = "/usr/share/falco/plugins";

/// A plugin that one thread uses at a time.
pub(super) type Shared = Arc<Mutex<Plugin>>;

pub(super) fn lock(plugin: &Shared) -> MutexGuard<'_, Plugin> {
    plugin.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A plugin of the configuration.
pub(crate) struct Configured {
    /// Its name in the configuration.
    pub(super) title: String,
    pub(super) spec: Spec,
    /// What it says of itself.
    pub(crate) info: Info,
    /// Its fields.
    pub(crate) fields: Fields,
    /// Number of the first of them.
    pub(crate) first: u16,
    pub(super) config: String,
    open_params: String,
}

/// All plugins of the configuration.
#[derive(Default)]
pub(crate) struct Plugins {
    all: Vec<Configured>,
}

impl Plugins {
    /// Loads those that are to be loaded, in their order, and learns what they are.
    ///
    /// # Errors
    /// The first that is none, or two that exclude each other.
    pub(crate) fn load(settings: &Settings, first: u16) -> Result<Self> {
        let mut all: Vec<Configured> = Vec::new();
        let mut first = first;
        let names: Vec<&str> = match &settings.load_plugins {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => settings
                .plugins
                .iter()
                .map(|plugin| plugin.name.as_str())
                .collect(),
        };
        for name in names.into_iter().filter(|name| !built_in(name)) {
            let plugin = settings.plugins.iter().find(|plugin| plugin.name == name);
            let Some(plugin) = plugin.filter(|_| wanted(settings, name)) else {
                continue;
            };
            let spec = spec(&library(&plugin.library_path)?, plugin.in_process)?;
            let info = Plugin::load(spec.clone())?.info().clone();
            log::info(&format!(
                "Loaded plugin '{}@{}' from file {}",
                info.name, info.version, info.path
            ));
            for other in &all {
                if other.info.name == info.name {
                    bail!(
                        "cannot register plugin {} in inspector: found another plugin with name {}. Aborting.",
                        info.path,
                        info.name
                    );
                }
                if info.can(Capability::Sourcing) && info.id != 0 && other.info.id == info.id {
                    bail!(
                        "cannot register plugin {} in inspector: found another plugin with ID {}. Aborting.",
                        info.path,
                        info.id
                    );
                }
            }
            let fields = Fields::new(info.fields.clone());
            let count =
                u16::try_from(info.fields.len()).context("a plugin with too many fields")?;
            let next = first
                .checked_add(count)
                .context("the plugins have too many fields")?;
            all.push(Configured {
                title: plugin.name.clone(),
                spec,
                info,
                fields,
                first,
                config: plugin.init_config.clone(),
                open_params: plugin.open_params.clone(),
            });
            first = next;
        }
        Ok(Self { all })
    }

    /// What they are.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &Info> {
        self.all.iter().map(|plugin| &plugin.info)
    }

    /// Each with its fields.
    pub(crate) fn configured(&self) -> &[Configured] {
        &self.all
    }

    /// The plugin that is the source of this name.
    pub(crate) fn source(&self, name: &str) -> Option<&Configured> {
        let mut all = self.all.iter();
        all.find(|plugin| plugin.info.can(Capability::Sourcing) && plugin.info.source == name)
    }

    /// Names of the sources that they bring.
    pub(crate) fn source_names(&self) -> impl Iterator<Item = &str> {
        let sourcing = self
            .infos()
            .filter(|info| info.can(Capability::Sourcing) && info.id != 0);
        sourcing.map(|info| info.source.as_str())
    }

    /// Starts those that have to do with events of a source; its own plugin is among them. They share tables. Events that
    /// they put in themselves are wanted of a `live` source only: a capture brings them along.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) fn start(&self, source: &str, live: bool) -> Result<Vec<Running>> {
        let mut running = Vec::new();
        let registry = Arc::new(Registry::default());
        for plugin in &self.all {
            let info = &plugin.info;
            let own = info.can(Capability::Sourcing) && info.source == source;
            let listens = info.can(Capability::Listening);
            if !(own
                || listens
                || info.extracts_from(source)
                || info.parses(source)
                || info.injects_into(source))
            {
                continue;
            }
            running.push(Running::start(plugin, source, &registry, live)?);
        }
        Ok(running)
    }
}

impl Configured {
    /// A started one, to be asked things.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn started(&self) -> Result<Plugin> {
        let mut plugin = Plugin::load(self.spec.clone())?;
        plugin.init(&self.config)?;
        Ok(plugin)
    }
}

/// The file of a plugin.
///
/// # Errors
/// A relative path that leaves the folder of plugins.
pub(crate) fn library(path: &str) -> Result<String> {
    let given = Path::new(path);
    if given.is_absolute() {
        return Ok(path.to_owned());
    }
    if given
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
    {
        bail!("library_path '{path}' leaves the folder of plugins {FOLDER}");
    }
    Ok(Path::new(FOLDER).join(given).display().to_string())
}

fn spec(path: &str, in_process: bool) -> Result<Spec> {
    let report = Arc::new(|report: Report| match report {
        Report::Trouble {
            plugin,
            text,
            times,
        } => {
            log::error(&format!(
                "plugin {plugin}: {text} (its process ended {times} times so far)"
            ));
        }
        Report::Log {
            severity,
            component,
            text,
        } => {
            let priority = match severity {
                0..=2 => Priority::Critical,
                3 => Priority::Error,
                4 => Priority::Warning,
                5 => Priority::Notice,
                6 => Priority::Informational,
                _ => Priority::Debug,
            };
            log::log(priority, &format!("{component}: {text}"));
        }
    });
    if in_process {
        return Ok(Spec {
            report,
            ..Spec::in_process(path)
        });
    }
    let program = std::env::current_exe().context("cannot tell the program's own file")?;
    Ok(Spec {
        report,
        ..Spec::child(path, program)
    })
}

/// Events of a plugin as a stream.
pub(crate) struct PluginStream {
    plugin: Shared,
    ready: VecDeque<Vec<u8>>,
    end: Option<Option<String>>,
    current: Vec<u8>,
    /// Nothing more is taken from the plugin.
    stopped: bool,
}

impl PluginStream {
    /// Opens the source of the plugin among `running` that has one.
    ///
    /// # Errors
    /// When it does not open.
    pub(crate) fn open(configured: &Configured, running: &[Running]) -> Result<Self> {
        let own = running.iter().find(|running| running.own);
        let plugin = Arc::clone(&own.context("the plugin is no source")?.plugin);
        let name = &configured.info.name;
        lock(&plugin).open(&configured.open_params)?;
        log::info(&format!(
            "Opening '{}' source with plugin '{name}'",
            configured.info.source
        ));
        Ok(Self {
            plugin,
            ready: VecDeque::new(),
            end: None,
            current: Vec::new(),
            stopped: false,
        })
    }
}

impl Stream for PluginStream {
    fn stop(&mut self) -> bool {
        self.stopped = true;
        true
    }

    fn next(&mut self) -> Result<Next<'_>> {
        if self.ready.is_empty() && self.stopped {
            return Ok(Next::End);
        }
        if self.ready.is_empty() {
            match self.end.take() {
                Some(None) => {
                    self.end = Some(None);
                    return Ok(Next::End);
                }
                Some(Some(words)) => return Err(anyhow!(words)),
                None => {}
            }
            let batch = lock(&self.plugin).next_batch();
            self.ready.extend(batch.events);
            match batch.end {
                BatchEnd::More | BatchEnd::Later => {}
                BatchEnd::End => self.end = Some(None),
                BatchEnd::Failed(words) => self.end = Some(Some(words)),
            }
        }
        let Some(record) = self.ready.pop_front() else {
            return Ok(Next::Idle(clock::now()));
        };
        self.current = record;
        let record = Record::parse(&self.current, 0, RecordFlags::default())?;
        Ok(Next::Item(Item::Event(record)))
    }
}

/// Puts plugins' events into a stream or source.
pub(crate) struct Injecting<S> {
    inner: S,
    plugins: Vec<Shared>,
    id: u32,
    current: Vec<u8>,
}

impl Injecting<()> {
    /// With the events of those of `running` that have any; they carry the number of the source's plugin.
    pub(crate) fn prepare(running: &[Running]) -> Self {
        let injecting = running.iter().filter(|running| running.injects);
        let own = running.iter().find(|running| running.own);
        Self {
            inner: (),
            plugins: injecting
                .map(|running| Arc::clone(&running.plugin))
                .collect(),
            id: own.map_or(0, |running| running.info.id),
            current: Vec::new(),
        }
    }

    /// Around a source.
    pub(crate) fn around<S>(self, inner: S) -> Injecting<S> {
        let Self {
            plugins,
            id,
            current,
            ..
        } = self;
        Injecting {
            inner,
            plugins,
            id,
            current,
        }
    }
}

impl<S> Injecting<S> {
    /// The next event that a plugin put in, made ready.
    fn injected(&mut self) -> bool {
        let Some(mut event) = self
            .plugins
            .iter()
            .find_map(|plugin| lock(plugin).injected(clock::now()))
        else {
            return false;
        };
        if event[..8] == [0xFF; 8] {
            event[..8].copy_from_slice(&clock::now().to_le_bytes());
        }
        // Header, three lengths, then the number of the plugin.
        if let Some(id) = event.get_mut(38..42) {
            id.copy_from_slice(&self.id.to_le_bytes());
        }
        self.current = event;
        true
    }

    fn record(&self) -> Result<Next<'_>> {
        let record = Record::parse(&self.current, 0, RecordFlags::default())?;
        Ok(Next::Item(Item::Event(record)))
    }
}

impl Stream for Injecting<Box<dyn Stream>> {
    fn stop(&mut self) -> bool {
        self.inner.stop()
    }

    fn next(&mut self) -> Result<Next<'_>> {
        if !self.plugins.is_empty() && self.injected() {
            return self.record();
        }
        self.inner.next()
    }

    fn finish(&mut self) {
        self.inner.finish();
    }
}

impl<S: Source> Source for Injecting<S> {
    const LIVE: bool = S::LIVE;

    fn next(&mut self) -> Result<Next<'_>> {
        if !self.plugins.is_empty() && self.injected() {
            return self.record();
        }
        self.inner.next()
    }

    fn lookup(&self) -> Box<dyn state::Lookup> {
        self.inner.lookup()
    }

    fn losses(&self) -> Option<probe::LossMeter> {
        self.inner.losses()
    }

    fn asking(&self) -> Option<containers::Meter> {
        self.inner.asking()
    }

    fn lookups(&self) -> Option<live::LookupMeter> {
        self.inner.lookups()
    }

    fn now(&self) -> Option<u64> {
        self.inner.now()
    }

    fn sighted(&mut self, containers: Vec<state::Sighting>) {
        self.inner.sighted(containers);
    }

    fn asked(&mut self, programs: Vec<state::ProgramQuestion>) {
        self.inner.asked(programs);
    }

    fn trouble(&mut self) -> Option<String> {
        self.inner.trouble()
    }

    fn want(&mut self, wanted: &Watched) {
        self.inner.want(wanted);
    }

    fn progress(&mut self) {
        self.inner.progress();
    }

    fn stop(&mut self) -> bool {
        self.inner.stop()
    }

    fn finish(&mut self) {
        self.inner.finish();
    }
}
