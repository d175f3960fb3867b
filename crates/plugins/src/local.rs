//! A plugin in this process, called as the interface wants it.

use std::ffi::CString;
use std::net::IpAddr;
use std::ptr::{null, null_mut};

use event::codes;
use falco_plugin_api as api;

use crate::Error;
use crate::field::{Datum, Wanted, index};
use crate::info::{Capability, Info};
use crate::library::{Library, text};
use crate::plugin::{Batch, BatchEnd, Counter, Event};
use crate::tables::held::hosted;
use crate::tables::query::{Answer, Host, Query};
use crate::tables::{self, AsyncSink, LogSink, Owner, c_text};

/// Events that are believed to be in a batch.
const MOST_EVENTS: u32 = 1 << 16;
/// Elements that are believed to be in a list.
const MOST_ELEMENTS: u64 = 1 << 20;

const SUCCESS: api::ss_plugin_rc = api::ss_plugin_rc_SS_PLUGIN_SUCCESS;

/// A plugin. Calls come from one thread at a time.
pub(crate) struct Local {
    pub(crate) info: Info,
    state: *mut api::ss_plugin_t,
    instance: *mut api::ss_instance_t,
    listening: bool,
    injecting: bool,
    owner: Box<Owner>,
    /// Last: it is unloaded when everything else is gone.
    library: Library,
}

// SAFETY: the interface wants calls one after the other and does not say from which thread; `Local` takes `&mut self` for
// each, so that they are. What plugin threads call back goes through `Owner`, which locks.
unsafe impl Send for Local {}

impl Local {
    /// Loads a shared object.
    pub(crate) fn load(path: &str, log: LogSink) -> Result<Self, Error> {
        let library = Library::open(path)?;
        let info = library.info(path)?;
        let owner = Owner::new(log);
        if let Ok(mut name) = owner.name.lock() {
            name.clone_from(&info.name);
        }
        Ok(Self {
            info,
            state: null_mut(),
            instance: null_mut(),
            listening: false,
            injecting: false,
            owner,
            library,
        })
    }

    fn fail(&self, text: impl Into<String>) -> Error {
        Error::plugin(&self.info.name, text)
    }

    fn incapable(&self, what: &'static str) -> Error {
        Error::Incapable {
            plugin: self.info.name.clone(),
            what,
        }
    }

    fn last_error(&self) -> Error {
        self.fail(self.library.last_error(self.state))
    }

    fn ready(&self) -> Result<(), Error> {
        tables::calls(self.state);
        self.owner.pass();
        if self.state.is_null() {
            Err(self.fail("it is not initialised"))
        } else {
            Ok(())
        }
    }

    /// Initialises it with its settings.
    pub(crate) fn init(&mut self, config: &str, host: &mut dyn Host) -> Result<(), Error> {
        if !self.state.is_null() {
            return Err(self.fail("plugin has been initialized twice"));
        }
        let config = self.checked(config)?;
        let wants_tables =
            self.info.can(Capability::Extraction) || self.info.can(Capability::Parsing);
        let input = api::ss_plugin_init_input {
            config: config.as_ptr(),
            owner: self.owner.address(),
            get_owner_last_error: Some(tables::last_error),
            tables: if wants_tables {
                &raw const self.owner.functions.init
            } else {
                null()
            },
            log_fn: Some(tables::log),
        };
        let Some(init) = self.library.api.init else {
            return Err(self.incapable("init"));
        };
        let mut rc = SUCCESS;
        let hosted = hosted(host);
        // SAFETY: the input lives during the call, owner and functions as long as the plugin.
        self.state = unsafe { init(&raw const input, &raw mut rc) };
        drop(hosted);
        if rc != SUCCESS || self.state.is_null() {
            let text = self.library.last_error(self.state);
            self.destroy();
            return Err(self.fail(format!("could not initialize plugin: {text}")));
        }
        self.info.extract_types =
            self.types(self.library.api.__bindgen_anon_2.get_extract_event_types);
        self.info.parse_types = self.types(self.library.api.__bindgen_anon_3.get_parse_event_types);
        self.info.uses_tables = self.owner.uses_tables();
        self.info.event_schema = self.library.event_schema(self.state);
        Ok(())
    }

    /// Settings as the plugin takes them, checked against its schema.
    fn checked(&self, config: &str) -> Result<CString, Error> {
        let config = match (config.trim(), &self.info.init_schema) {
            ("", Some(_)) => "{}",
            _ => config,
        };
        if let Some(schema) = &self.info.init_schema {
            let name = &self.info.name;
            let value: serde_json::Value = serde_json::from_str(config).map_err(|e| {
                self.fail(format!(
                    "error in plugin {name}: init config is not a valid json: {e}"
                ))
            })?;
            crate::schema::check(schema, &value)
                .map_err(|text| self.fail(format!("error in plugin {name} init config: {text}")))?;
        }
        Ok(c_text(config))
    }

    fn types(
        &self,
        function: Option<unsafe extern "C-unwind" fn(*mut u32, *mut api::ss_plugin_t) -> *mut u16>,
    ) -> Vec<u16> {
        let Some(function) = function else {
            return Vec::new();
        };
        let mut count = 0;
        // SAFETY: the state is the plugin's own.
        let types = unsafe { function(&raw mut count, self.state) };
        if types.is_null() || count == 0 || count > u32::from(u16::MAX) {
            return Vec::new();
        }
        // SAFETY: the plugin says that so many are there, fewer than there are types.
        unsafe { std::slice::from_raw_parts(types, count as usize) }.to_vec()
    }

    fn destroy(&mut self) {
        if self.state.is_null() {
            return;
        }
        if let Some(destroy) = self.library.api.destroy {
            // SAFETY: the state is the plugin's own and is forgotten at once.
            unsafe { destroy(self.state) };
        }
        self.state = null_mut();
    }

    /// Opens its source.
    pub(crate) fn open(&mut self, params: &str) -> Result<(), Error> {
        self.ready()?;
        let Some(open) = self.library.api.__bindgen_anon_1.open else {
            return Err(self.incapable("event source"));
        };
        let params = c_text(params);
        let mut rc = SUCCESS;
        // SAFETY: state and text are as the interface wants them.
        let instance = unsafe { open(self.state, params.as_ptr(), &raw mut rc) };
        if rc != SUCCESS || instance.is_null() {
            return Err(self.last_error());
        }
        self.instance = instance;
        Ok(())
    }

    /// Closes its source.
    pub(crate) fn close(&mut self) {
        if let (Some(close), false) = (
            self.library.api.__bindgen_anon_1.close,
            self.instance.is_null(),
        ) {
            // SAFETY: the instance is from open and is forgotten at once.
            unsafe { close(self.state, self.instance) };
        }
        self.instance = null_mut();
    }

    /// The next events of its source.
    pub(crate) fn next_batch(&mut self) -> Result<Batch, Error> {
        self.ready()?;
        let Some(next) = self.library.api.__bindgen_anon_1.next_batch else {
            return Err(self.incapable("event source"));
        };
        if self.instance.is_null() {
            return Err(self.fail("its source is not open"));
        }
        let (mut count, mut events) = (0, null_mut());
        // SAFETY: state and instance are the plugin's own; the two places take what it gives.
        let rc = unsafe { next(self.state, self.instance, &raw mut count, &raw mut events) };
        let mut batch = Batch::default();
        if count > MOST_EVENTS || (count > 0 && events.is_null()) {
            return Err(self.fail(format!("it says that it has {count} events, and has not")));
        }
        for n in 0..count as usize {
            // SAFETY: the plugin says that so many pointers are there, and so many bytes behind each; `copied` checks
            // what can be checked.
            let event =
                unsafe { tables::copied(*events.add(n)) }.map_err(|text| self.fail(text))?;
            batch.events.push(self.stamped(event)?);
        }
        batch.end = match rc {
            SUCCESS if count == 0 => {
                let name = &self.info.name;
                return Err(self.fail(format!("unexpected 0 size event returned by plugin {name}")));
            }
            SUCCESS => BatchEnd::More,
            api::ss_plugin_rc_SS_PLUGIN_TIMEOUT => BatchEnd::Later,
            api::ss_plugin_rc_SS_PLUGIN_EOF => BatchEnd::End,
            _ => BatchEnd::Failed(self.library.last_error(self.state)),
        };
        Ok(batch)
    }

    /// Checks an event of the plugin's own, and writes the plugin's number, no thread and a time into it.
    fn stamped(&self, mut event: Vec<u8>) -> Result<Vec<u8>, Error> {
        let name = &self.info.name;
        let code = u16::from_le_bytes([event[20], event[21]]);
        if event[..8] == [0xFF; 8] {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
            event[..8].copy_from_slice(&now.to_le_bytes());
        }
        if self.info.id == 0 {
            if code == codes::PLUGINEVENT_E {
                return Err(self.fail(format!(
                    "malformed plugin event produced by plugin (no ID): '{name}'"
                )));
            }
        } else {
            let params = u32::from_le_bytes([event[22], event[23], event[24], event[25]]);
            if code != codes::PLUGINEVENT_E || params != 2 || event.len() < 38 {
                return Err(self.fail(format!(
                    "malformed plugin event produced by plugin: '{name}'"
                )));
            }
            event[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
            let id = u32::from_le_bytes([event[34], event[35], event[36], event[37]]);
            if id != 0 && id != self.info.id {
                return Err(self.fail(format!(
                    "unexpected plugin ID in plugin event: plugin='{name}', expected_id={}, actual_id={id}",
                    self.info.id
                )));
            }
            event[34..38].copy_from_slice(&self.info.id.to_le_bytes());
        }
        let record = event::Record::parse(&event, 0, event::RecordFlags::default());
        record.map_err(|e| {
            self.fail(format!(
                "malformed plugin event produced by plugin: '{name}': {e}"
            ))
        })?;
        Ok(event)
    }

    /// Takes fields from an event; what it has not is `None`.
    pub(crate) fn extract(
        &mut self,
        event: &Event<'_>,
        wanted: &[Wanted],
        host: &mut dyn Host,
    ) -> Result<Vec<Option<Vec<Datum>>>, Error> {
        self.ready()?;
        let _hosted = hosted(host);
        let Some(extract) = self.library.api.__bindgen_anon_2.extract_fields else {
            return Err(self.incapable("fields"));
        };
        let source = c_text(event.source);
        let input = event_input(event, &source);
        let mut values = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            values.push(self.extract_one(extract, &input, wanted)?);
        }
        Ok(values)
    }

    #[allow(clippy::type_complexity, reason = "it is the interface's type")]
    fn extract_one(
        &self,
        extract: unsafe extern "C-unwind" fn(
            *mut api::ss_plugin_t,
            *const api::ss_plugin_event_input,
            *const api::ss_plugin_field_extract_input,
        ) -> api::ss_plugin_rc,
        input: &api::ss_plugin_event_input,
        wanted: &Wanted,
    ) -> Result<Option<Vec<Datum>>, Error> {
        let Some(info) = self.info.fields.get(wanted.field as usize) else {
            return Ok(None);
        };
        let name = c_text(&info.name);
        let key = wanted.argument.as_deref().map(c_text);
        let number = wanted
            .argument
            .as_deref()
            .and_then(index)
            .filter(|_| info.index);
        let mut field = api::ss_plugin_extract_field {
            res: api::ss_plugin_extract_field__bindgen_ty_1 { str_: null_mut() },
            res_len: 0,
            field_id: wanted.field,
            field: name.as_ptr(),
            arg_key: match (&key, info.key) {
                (Some(key), true) => key.as_ptr(),
                _ => null(),
            },
            arg_index: number.unwrap_or(u64::MAX),
            arg_present: u32::from(key.is_some()),
            ftype: info.ftype,
            flist: u32::from(info.list),
        };
        let request = api::ss_plugin_field_extract_input {
            owner: self.owner.address(),
            get_owner_last_error: Some(tables::last_error),
            num_fields: 1,
            fields: &raw mut field,
            table_reader: self.owner.functions.reader,
            table_reader_ext: (&raw const self.owner.functions.reader_ext).cast_mut(),
            value_offsets: null_mut(),
        };
        // SAFETY: all that is pointed at lives during the call; the tables of functions are read only.
        let rc = unsafe { extract(self.state, input, &raw const request) };
        if rc != SUCCESS || field.res_len == 0 {
            return Ok(None);
        }
        if field.res_len > MOST_ELEMENTS || (!info.list && field.res_len > 1) {
            let (name, count) = (&info.name, field.res_len);
            return Err(self.fail(format!("field {name} is said to have {count} values")));
        }
        // SAFETY: the union's members are all pointers.
        if unsafe { field.res.u64_ }.is_null() {
            return Err(self.fail(format!("field {} has values at no address", info.name)));
        }
        let count = field.res_len as usize;
        (0..count)
            .map(|n| self.datum(&field, info.ftype, n))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn datum(
        &self,
        field: &api::ss_plugin_extract_field,
        ftype: u32,
        n: usize,
    ) -> Result<Datum, Error> {
        // SAFETY: the plugin says that the array has more than `n` elements of the field's type; it is not null.
        unsafe {
            Ok(match ftype {
                9 => {
                    let text = *field.res.str_.add(n);
                    if text.is_null() {
                        return Err(self.fail("a text is at no address"));
                    }
                    Datum::Text(std::ffi::CStr::from_ptr(text).to_bytes().to_vec())
                }
                25 => Datum::Bool(*field.res.boolean.add(n) != 0),
                40 | 41 => {
                    let buffer = *field.res.buf.add(n);
                    if buffer.ptr.is_null() {
                        return Err(self.fail("an address is at no address"));
                    }
                    match buffer.len {
                        4 => Datum::Ip(IpAddr::from(*buffer.ptr.cast::<[u8; 4]>())),
                        16 => Datum::Ip(IpAddr::from(*buffer.ptr.cast::<[u8; 16]>())),
                        length => return Err(self.fail(format!("an address of {length} bytes"))),
                    }
                }
                _ => Datum::Number(*field.res.u64_.add(n)),
            })
        }
    }

    /// Shows it an event.
    pub(crate) fn parse(&mut self, event: &Event<'_>, host: &mut dyn Host) -> Result<(), Error> {
        self.ready()?;
        let _hosted = hosted(host);
        let Some(parse) = self.library.api.__bindgen_anon_3.parse_event else {
            return Err(self.incapable("event parsing"));
        };
        let source = c_text(event.source);
        let input = event_input(event, &source);
        let request = api::ss_plugin_event_parse_input {
            owner: self.owner.address(),
            get_owner_last_error: Some(tables::last_error),
            table_reader: self.owner.functions.reader,
            table_writer: self.owner.functions.writer,
            table_reader_ext: (&raw const self.owner.functions.reader_ext).cast_mut(),
            table_writer_ext: (&raw const self.owner.functions.writer_ext).cast_mut(),
        };
        // SAFETY: all that is pointed at lives during the call. What it returns means nothing, by the interface.
        let _ = unsafe { parse(self.state, &raw const input, &raw const request) };
        Ok(())
    }

    /// Lets it put events into the stream of a source.
    pub(crate) fn start_async(&mut self, sink: AsyncSink) -> Result<(), Error> {
        self.ready()?;
        let Some(set) = self.library.api.__bindgen_anon_4.set_async_event_handler else {
            return Err(self.incapable("async events"));
        };
        if let Ok(mut injected) = self.owner.injected.lock() {
            *injected = Some(sink);
        }
        self.injecting = true;
        // SAFETY: owner and handler live as long as the plugin.
        let rc = unsafe { set(self.state, self.owner.address(), Some(tables::injected)) };
        if rc == SUCCESS {
            Ok(())
        } else {
            Err(self.last_error())
        }
    }

    /// Ends that; the plugin stops its threads before it returns.
    pub(crate) fn stop_async(&mut self) {
        if !std::mem::take(&mut self.injecting) {
            return;
        }
        if let Some(set) = self.library.api.__bindgen_anon_4.set_async_event_handler {
            // SAFETY: no handler is what ends it.
            let _ = unsafe { set(self.state, self.owner.address(), None) };
        }
        if let Ok(mut injected) = self.owner.injected.lock() {
            *injected = None;
        }
    }

    /// Tells it that a capture begins or ends.
    pub(crate) fn listen(&mut self, begins: bool, host: &mut dyn Host) -> Result<(), Error> {
        self.ready()?;
        let _hosted = hosted(host);
        let listen = &self.library.api.__bindgen_anon_5;
        let function = if begins {
            listen.capture_open
        } else {
            listen.capture_close
        };
        let Some(function) = function else {
            return Err(self.incapable("capture listening"));
        };
        let input = api::ss_plugin_capture_listen_input {
            owner: self.owner.address(),
            routine: (&raw const self.owner.functions.routine).cast_mut(),
            table_reader_ext: (&raw const self.owner.functions.reader_ext).cast_mut(),
            table_writer_ext: (&raw const self.owner.functions.writer_ext).cast_mut(),
            get_owner_last_error: Some(tables::last_error),
        };
        self.listening = begins;
        // SAFETY: all that is pointed at lives as long as the plugin, but the input itself, which lives during the call.
        let rc = unsafe { function(self.state, &raw const input) };
        if !begins {
            self.owner.end_routines();
        }
        if rc == SUCCESS {
            Ok(())
        } else {
            Err(self.last_error())
        }
    }

    /// Answers another plugin about this one's tables.
    pub(crate) fn asked(&mut self, query: &Query, host: &mut dyn Host) -> Answer {
        tables::calls(self.state);
        let _hosted = hosted(host);
        self.owner.asked(query)
    }

    /// Gives it other settings while it runs.
    pub(crate) fn set_config(&mut self, config: &str) -> Result<(), Error> {
        self.ready()?;
        let Some(set) = self.library.api.set_config else {
            return Err(self.incapable("way to take settings while it runs"));
        };
        let config = self.checked(config)?;
        let input = api::ss_plugin_set_config_input {
            config: config.as_ptr(),
        };
        // SAFETY: state and text are as the interface wants them.
        let rc = unsafe { set(self.state, &raw const input) };
        if rc == SUCCESS {
            Ok(())
        } else {
            Err(self.last_error())
        }
    }

    /// Has it say what it knows as events, for the start of a capture file.
    pub(crate) fn dump_state(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        self.ready()?;
        let Some(dump) = self.library.api.__bindgen_anon_4.dump_state else {
            return Ok(Vec::new());
        };
        let dumped = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink: AsyncSink = {
            let dumped = std::sync::Arc::clone(&dumped);
            Box::new(move |event| {
                let mut dumped = dumped.lock().map_err(|e| e.to_string())?;
                if dumped.len() >= MOST_EVENTS as usize {
                    return Err("too many events to begin a capture with".to_owned());
                }
                dumped.push(event);
                Ok(())
            })
        };
        let before = self.owner.swap_dump(Some(sink));
        // SAFETY: owner and handler live as long as the plugin.
        let rc = unsafe { dump(self.state, self.owner.address(), Some(tables::dumped)) };
        self.owner.swap_dump(before);
        if rc != SUCCESS {
            let name = self.info.name.clone();
            let text = self.library.last_error(self.state);
            return Err(self.fail(format!("dump error for plugin '{name}' : {text}")));
        }
        let mut dumped = dumped.lock().map_err(|e| self.fail(e.to_string()))?;
        Ok(std::mem::take(&mut *dumped))
    }

    /// The event in the plugin's words.
    pub(crate) fn describe(&mut self, event: &Event<'_>) -> Option<String> {
        self.ready().ok()?;
        let function = self.library.api.__bindgen_anon_1.event_to_string?;
        let source = c_text(event.source);
        let input = event_input(event, &source);
        // SAFETY: all that is pointed at lives during the call; it gives null or a string that lives until the next.
        unsafe { text(function(self.state, &raw const input)) }.filter(|text| !text.is_empty())
    }

    /// What may be opened, as the plugin's JSON.
    pub(crate) fn open_params(&mut self) -> Option<String> {
        self.ready().ok()?;
        let function = self.library.api.__bindgen_anon_1.list_open_params?;
        let mut rc = SUCCESS;
        // SAFETY: the state is the plugin's own; it gives null or a string that lives until the next call.
        unsafe { text(function(self.state, &raw mut rc)) }.filter(|_| rc == SUCCESS)
    }

    /// Its counters.
    pub(crate) fn metrics(&mut self) -> Vec<Counter> {
        let (Ok(()), Some(function)) = (self.ready(), self.library.api.get_metrics) else {
            return Vec::new();
        };
        let mut count = 0;
        // SAFETY: the state is the plugin's own.
        let metrics = unsafe { function(self.state, &raw mut count) };
        if metrics.is_null() || u64::from(count) > MOST_ELEMENTS {
            return Vec::new();
        }
        // SAFETY: the plugin says that so many are there; which member of the value is set follows from its type.
        (0..count as usize)
            .filter_map(|n| unsafe {
                let metric = *metrics.add(n);
                let value = match metric.value_type {
                    0 => metric.value.u32_.to_string(),
                    1 => metric.value.s32.to_string(),
                    2 => metric.value.u64_.to_string(),
                    3 => metric.value.s64.to_string(),
                    4 => metric.value.d.to_string(),
                    5 => metric.value.f.to_string(),
                    _ => metric.value.i.to_string(),
                };
                Some(Counter {
                    name: text(metric.name)?,
                    value,
                    monotonic: metric.type_ == 0,
                })
            })
            .collect()
    }
}

/// An event as the interface takes it.
fn event_input(event: &Event<'_>, source: &CString) -> api::ss_plugin_event_input {
    api::ss_plugin_event_input {
        evt: event.bytes.as_ptr().cast(),
        evtnum: event.number,
        evtsrc: source.as_ptr(),
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.state.is_null() {
            return;
        }
        tables::calls(self.state);
        if self.listening {
            let _ = self.listen(false, &mut tables::query::Nobody);
        }
        self.stop_async();
        self.close();
        self.owner.end_routines();
        self.destroy();
    }
}
