//! A plugin at work on the events of one source: what it is shown, and the fields that it takes.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow};
use bumpalo::Bump;
use event::Record;
use filter::{Argument, Value};
use metrics::{Metric, Unit};
use plugins::{Access, Capability, Datum, Event, Info, Plugin, Registry, Wanted};
use state::{Context, State};

use super::SYSCALL;
use super::plugin::{Configured, Shared, lock};
use crate::log;
use crate::recording::Dump;

/// A plugin at work on the events of one source.
pub(crate) struct Running {
    title: String,
    config: RefCell<String>,
    pub(super) plugin: Shared,
    pub(super) info: Info,
    first: u16,
    extracts: bool,
    parses: bool,
    pub(super) injects: bool,
    /// The plugin is the source itself.
    pub(super) own: bool,
    /// Fields that rules have asked for: they are taken from an event at once.
    learned: RefCell<Vec<Wanted>>,
}

impl Running {
    pub(super) fn start(
        configured: &Configured,
        source: &str,
        registry: &Arc<Registry>,
        live: bool,
    ) -> Result<Self> {
        let mut plugin = Plugin::load(configured.spec.clone())?;
        plugin.share(registry);
        let plugin: Shared = Arc::new(Mutex::new(plugin));
        registry.enroll(&plugin);
        let info = {
            let mut plugin = lock(&plugin);
            plugin.init(&configured.config)?;
            plugin.info().clone()
        };
        if live && source == SYSCALL {
            fits_events(&info)?;
        }
        let injects = live && info.injects_into(source);
        if injects {
            lock(&plugin).start_async(source).with_context(|| {
                format!("can't set async event handler for plugin '{}'", info.name)
            })?;
        }
        Ok(Self {
            title: configured.title.clone(),
            config: RefCell::new(configured.config.clone()),
            plugin,
            first: configured.first,
            extracts: info.extracts_from(source),
            parses: info.parses(source),
            injects,
            own: info.can(Capability::Sourcing) && info.source == source,
            info,
            learned: RefCell::default(),
        })
    }

    /// Gives it the settings of a configuration that was loaded anew, where they are others.
    pub(crate) fn adopt(&self, plugins: &[config::settings::Plugin]) {
        let Some(new) = plugins.iter().find(|plugin| plugin.name == self.title) else {
            return;
        };
        if *self.config.borrow() == new.init_config {
            return;
        }
        let name = &self.info.name;
        if !self.info.takes_config {
            log::warning(&format!(
                "plugin {name} cannot take other settings while it runs; they count from the next start on"
            ));
            return;
        }
        match lock(&self.plugin).set_config(&new.init_config) {
            Ok(()) => {
                log::info(&format!("plugin {name} has taken other settings"));
                self.config.replace(new.init_config.clone());
            }
            Err(error) => log::error(&format!("{error}; the settings of before stay")),
        }
    }

    /// Reads its counters, where it has any.
    pub(crate) fn meter(&self) -> Option<Meter> {
        self.info.has_metrics.then(|| Meter {
            plugin: Arc::clone(&self.plugin),
            name: self.info.name.clone(),
            last: Vec::new(),
        })
    }

    /// What these know, as events for the start of a capture file; asked for each file anew.
    pub(crate) fn dump_states(running: &[Self]) -> Dump {
        let can = running.iter().filter(|one| one.info.can(Capability::Async));
        let plugins: Vec<Shared> = can.map(|one| Arc::clone(&one.plugin)).collect();
        Box::new(move || {
            let mut all = Vec::new();
            for plugin in &plugins {
                all.extend(lock(plugin).dump_state()?);
            }
            Ok(all)
        })
    }

    /// Tells it that a capture begins or ends, where it wants to know.
    pub(crate) fn listen(&self, begins: bool, state: &mut State) {
        if !self.info.can(Capability::Listening) {
            return;
        }
        let told = lock(&self.plugin).listen(begins, Access::Write(state));
        if let (true, Err(error)) = (begins, told) {
            let name = &self.info.name;
            log::error(&format!("capture_open error for plugin '{name}' : {error}"));
        }
    }

    fn fields(&self) -> std::ops::Range<u16> {
        self.first..self.first + self.info.fields.len() as u16
    }

    /// Shows it an event, if it is for it. It may change the state.
    pub(crate) fn see(&self, event: &Event<'_>, code: u16, state: &mut State) {
        if self.parses
            && self
                .info
                .takes(&self.info.parse_types, &self.info.parse_sources, code)
        {
            lock(&self.plugin).parse(event, Access::Write(state));
        }
    }
}

/// Reads the counters of a plugin that may be at work on another thread.
pub(crate) struct Meter {
    plugin: Shared,
    name: String,
    last: Vec<Metric>,
}

impl Meter {
    /// Its counters now; those of the last time while it is at work.
    pub(crate) fn read(&mut self) -> &[Metric] {
        let Ok(mut plugin) = self.plugin.try_lock() else {
            return &self.last;
        };
        let name = &self.name;
        let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        self.last = plugin
            .metrics()
            .into_iter()
            .filter_map(|counter| {
                let field = format!("plugins.{name}.{}", counter.name);
                let own = format!("plugins_{}_{}", plain(name), plain(&counter.name));
                Some(match counter.value.parse::<u64>() {
                    Ok(value) if counter.monotonic => Metric::counter(&field, &own, value),
                    Ok(value) => Metric::gauge(&field, &own, Unit::Count, value),
                    Err(_) => Metric::real(&field, &own, Unit::Count, counter.value.parse().ok()?),
                })
            })
            .collect();
        &self.last
    }
}

/// Shows an event to plugins, which may change the state: the thread of the event's context is looked up again.
pub(crate) fn show(
    running: &[Running],
    source: &str,
    record: &Record<'_>,
    state: &mut State,
    context: &mut Context,
) {
    if !running.iter().any(|running| running.parses) {
        return;
    }
    let tid = context.thread.map(|ix| state.thread(ix).tid);
    let event = Event {
        number: context.number,
        source,
        bytes: record.bytes(),
    };
    let code = record.code.number();
    running
        .iter()
        .for_each(|running| running.see(&event, code, state));
    context.thread = tid.and_then(|tid| state.by_tid(tid));
}

/// Whether a plugin that looks at system calls was made for the events that today's kernel side sends.
fn fits_events(info: &Info) -> Result<()> {
    info.fits_events(crate::version::SCHEMA)
        .map_err(|text| anyhow!(text))
}

/// Values of plugins' fields for one event.
pub(crate) struct Values<'a> {
    running: &'a [Running],
    event: Event<'a>,
    state: &'a State,
    code: u16,
    /// By plugin, in the order of what it has learned.
    taken: RefCell<Vec<Vec<Option<Vec<Datum>>>>>,
}

impl<'a> Values<'a> {
    /// Nothing taken yet.
    pub(crate) fn new(
        running: &'a [Running],
        event: Event<'a>,
        code: u16,
        state: &'a State,
    ) -> Self {
        Self {
            running,
            event,
            state,
            code,
            taken: RefCell::new(vec![Vec::new(); running.len()]),
        }
    }

    /// The value of the field with this number.
    pub(crate) fn value<'s>(
        &self,
        number: u16,
        arg: &Argument,
        scratch: &'s Bump,
    ) -> Option<Value<'s>> {
        let at = self
            .running
            .iter()
            .position(|running| running.fields().contains(&number))?;
        let running = &self.running[at];
        let info = &running.info;
        if !running.extracts || !info.takes(&info.extract_types, &info.extract_sources, self.code) {
            return None;
        }
        let field = number - running.first;
        let argument = match arg {
            Argument::None => None,
            Argument::Index(index) => Some(index.to_string()),
            Argument::Key(key) => Some(key.to_string()),
        };
        let wanted = Wanted {
            field: field.into(),
            argument,
        };
        let mut learned = running.learned.borrow_mut();
        let place = learned
            .iter()
            .position(|w| *w == wanted)
            .unwrap_or_else(|| {
                learned.push(wanted);
                learned.len() - 1
            });
        let mut taken = self.taken.borrow_mut();
        if taken[at].len() <= place {
            let access = Access::Read(self.state);
            taken[at] = lock(&running.plugin).extract(&self.event, &learned, access);
        }
        let data = taken[at].get(place)?.as_ref()?;
        if info.fields.get(usize::from(field))?.list {
            let all = data.iter().map(|datum| datum.value(scratch));
            return Some(Value::List(
                scratch.alloc_slice_fill_iter(all.collect::<Vec<_>>()),
            ));
        }
        data.first().map(|datum| datum.value(scratch))
    }

    /// The event in the words of its plugin, or its first bytes.
    pub(crate) fn describe<'s>(&self, payload: &[u8], scratch: &'s Bump) -> &'s [u8] {
        let own = self.running.iter().find(|running| running.own);
        if let Some(text) = own.and_then(|running| lock(&running.plugin).describe(&self.event)) {
            return scratch.alloc_slice_copy(text.as_bytes());
        }
        let start = &payload[..payload.len().min(50)];
        let printable = start.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
        let shown = if printable {
            String::from_utf8_lossy(start)
        } else {
            "<binary>".into()
        };
        scratch
            .alloc_str(&format!("datalen={} data={shown}...", payload.len()))
            .as_bytes()
    }
}
