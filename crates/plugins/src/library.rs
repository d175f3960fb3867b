//! A shared object with the symbols of the interface.

use std::ffi::{CStr, CString, c_char, c_void};

use falco_plugin_api as api;

use crate::info::{self, Capability, Info};
use crate::{API_VERSION, Error};

/// A loaded shared object; dropping it unloads it.
pub(crate) struct Library {
    handle: *mut c_void,
    pub(crate) api: api::plugin_api,
    event_schema: Option<TextOf>,
}

/// A function that gives a text about a state.
type TextOf = unsafe extern "C-unwind" fn(*mut api::ss_plugin_t) -> *const c_char;

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is from dlopen and is closed once. Nothing of the library is used afterwards: `Local`
        // drops its state before.
        unsafe { libc::dlclose(self.handle) };
    }
}

/// Text of a C string that may be null.
///
/// # Safety
/// A pointer that is not null points at a NUL-terminated string.
pub(crate) unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(
        unsafe { CStr::from_ptr(pointer) }
            .to_string_lossy()
            .into_owned(),
    )
}

macro_rules! symbols {
    ($handle:expr, $($place:expr => $name:literal),* $(,)?) => {
        $(
            #[allow(
                clippy::missing_transmute_annotations,
                reason = "the type is that of the place"
            )]
            // SAFETY: the handle is open; the name ends with NUL. The interface says that a symbol of this name is
            // a function of this type, or is missing, which is null and so `None`.
            let symbol = unsafe {
                let found = libc::dlsym($handle, concat!("plugin_", $name, "\0").as_ptr().cast());
                std::mem::transmute::<*mut c_void, _>(found)
            };
            $place = symbol;
        )*
    };
}

impl Library {
    /// Loads a file and finds its symbols.
    ///
    /// # Errors
    /// When it is no shared object.
    pub(crate) fn open(path: &str) -> Result<Self, Error> {
        let name =
            CString::new(path).map_err(|_| Error::load(path, "the path holds a NUL byte"))?;
        // SAFETY: the name is NUL-terminated. Constructors of the library run here, which is what loading a plugin means.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: dlerror gives null or a string that lives until the next call on this thread.
            let why = unsafe { text(libc::dlerror()) }.unwrap_or_default();
            return Err(Error::load(
                path,
                format!("can't load plugin dynamic library: {why}"),
            ));
        }
        // SAFETY: all fields are optional function pointers, for which zero is `None`.
        let mut api: api::plugin_api = unsafe { std::mem::zeroed() };
        symbols!(handle,
            api.get_required_api_version => "get_required_api_version",
            api.get_name => "get_name",
            api.get_description => "get_description",
            api.get_contact => "get_contact",
            api.get_version => "get_version",
            api.init => "init",
            api.destroy => "destroy",
            api.get_last_error => "get_last_error",
            api.get_init_schema => "get_init_schema",
            api.set_config => "set_config",
            api.get_metrics => "get_metrics",
            api.__bindgen_anon_1.get_id => "get_id",
            api.__bindgen_anon_1.get_event_source => "get_event_source",
            api.__bindgen_anon_1.open => "open",
            api.__bindgen_anon_1.close => "close",
            api.__bindgen_anon_1.next_batch => "next_batch",
            api.__bindgen_anon_1.list_open_params => "list_open_params",
            api.__bindgen_anon_1.get_progress => "get_progress",
            api.__bindgen_anon_1.event_to_string => "event_to_string",
            api.__bindgen_anon_2.get_fields => "get_fields",
            api.__bindgen_anon_2.extract_fields => "extract_fields",
            api.__bindgen_anon_2.get_extract_event_sources => "get_extract_event_sources",
            api.__bindgen_anon_2.get_extract_event_types => "get_extract_event_types",
            api.__bindgen_anon_3.parse_event => "parse_event",
            api.__bindgen_anon_3.get_parse_event_sources => "get_parse_event_sources",
            api.__bindgen_anon_3.get_parse_event_types => "get_parse_event_types",
            api.__bindgen_anon_4.get_async_events => "get_async_events",
            api.__bindgen_anon_4.set_async_event_handler => "set_async_event_handler",
            api.__bindgen_anon_4.get_async_event_sources => "get_async_event_sources",
            api.__bindgen_anon_4.dump_state => "dump_state",
            api.__bindgen_anon_5.capture_open => "capture_open",
            api.__bindgen_anon_5.capture_close => "capture_close",
        );
        // Newer than the types that we have of the interface.
        let event_schema: Option<TextOf>;
        symbols!(handle, event_schema => "get_required_event_schema_version");
        Ok(Self {
            handle,
            api,
            event_schema,
        })
    }

    /// The version of the table of events that the plugin was made for.
    pub(crate) fn event_schema(&self, state: *mut api::ss_plugin_t) -> Option<String> {
        // SAFETY: the state is the plugin's own; it gives null or a string that lives until the next call.
        let version = self.event_schema.and_then(|f| unsafe { text(f(state)) });
        version.filter(|version| !version.is_empty())
    }

    /// What the plugin says of itself, checked in the order in which the original checks.
    ///
    /// # Errors
    /// The first thing that makes it no plugin.
    pub(crate) fn info(&self, path: &str) -> Result<Info, Error> {
        let fail = |reason: String| Error::load(path, reason);
        let api = &self.api;
        let get = |function: Option<unsafe extern "C-unwind" fn() -> *const c_char>| {
            // SAFETY: the function is of the interface and takes nothing; it gives null or a constant string.
            function.and_then(|f| unsafe { text(f()) })
        };
        let required = api
            .get_required_api_version
            .ok_or_else(|| fail("plugin_get_required_api_version symbol not implemented".into()))?;
        let version = get(Some(required)).unwrap_or_default();
        compatible(&version).map_err(fail)?;
        for (there, name) in [
            (api.get_version.is_some(), "get_version"),
            (api.get_name.is_some(), "get_name"),
            (api.get_description.is_some(), "get_description"),
            (api.get_contact.is_some(), "get_contact"),
            (api.init.is_some(), "init"),
            (api.destroy.is_some(), "destroy"),
            (api.get_last_error.is_some(), "get_last_error"),
        ] {
            if !there {
                return Err(fail(format!(
                    "required symbol not implemented: 'plugin_{name}'"
                )));
            }
        }
        let mut info = Info {
            path: path.to_owned(),
            api: version,
            name: get(api.get_name).unwrap_or_default(),
            version: get(api.get_version).unwrap_or_default(),
            description: get(api.get_description).unwrap_or_default(),
            contact: get(api.get_contact).unwrap_or_default(),
            ..Info::default()
        };
        if semver::Version::parse(&info.version).is_err() {
            let version = &info.version;
            return Err(fail(format!(
                "plugin provided an invalid version string: '{version}'"
            )));
        }
        if info.name.is_empty() {
            return Err(fail("plugin provided an empty name".into()));
        }
        info.capabilities = self.capabilities().map_err(fail)?;
        info.takes_config = api.set_config.is_some();
        info.has_metrics = api.get_metrics.is_some();
        let wrong = |reason: String| fail(format!("error in plugin {}: {reason}", info.name));
        if info.can(Capability::Sourcing) {
            let source = &api.__bindgen_anon_1;
            // SAFETY: takes nothing, gives a number.
            info.id = source.get_id.map_or(0, |f| unsafe { f() });
            info.source = get(source.get_event_source).unwrap_or_default();
            if (info.id == 0) != info.source.is_empty() {
                return Err(fail(broken(&[
                    "must implement both 'plugin_get_id' and 'plugin_get_event_source' or neither (event sourcing)",
                ])));
            }
            if info.source == "syscall" {
                return Err(fail(
                    "plugin can't implement the reserved event source 'syscall'".into(),
                ));
            }
        }
        let list = |function, what| match get(function) {
            None => Ok(Vec::new()),
            Some(json) if json.is_empty() => Ok(Vec::new()),
            Some(json) => info::texts(&json, what),
        };
        if info.can(Capability::Extraction) {
            let json = get(api.__bindgen_anon_2.get_fields)
                .ok_or_else(|| wrong("get_fields returned a null string".into()))?;
            info.fields = info::fields(&json).map_err(&wrong)?;
            info.extract_sources = list(
                api.__bindgen_anon_2.get_extract_event_sources,
                "get_extract_event_sources",
            )
            .map_err(&wrong)?;
        }
        if info.can(Capability::Parsing) {
            info.parse_sources = list(
                api.__bindgen_anon_3.get_parse_event_sources,
                "get_parse_event_sources",
            )
            .map_err(&wrong)?;
        }
        if info.can(Capability::Async) {
            info.async_events =
                list(api.__bindgen_anon_4.get_async_events, "get_async_events").map_err(&wrong)?;
            info.async_sources = list(
                api.__bindgen_anon_4.get_async_event_sources,
                "get_async_event_sources",
            )
            .map_err(&wrong)?;
        }
        if let Some(schema) = api.get_init_schema {
            let mut kind = 0;
            // SAFETY: writes the kind, gives null or a constant string.
            let text = unsafe { text(schema(&raw mut kind)) };
            info.init_schema = text.filter(|text| kind == 1 && !text.is_empty());
        }
        Ok(info)
    }

    fn capabilities(&self) -> Result<u32, String> {
        let api = &self.api;
        let mut bits = 0;
        let mut faults = Vec::new();
        let source = &api.__bindgen_anon_1;
        match (source.open.is_some(), source.close.is_some(), source.next_batch.is_some()) {
            (true, true, true) if source.get_id.is_some() != source.get_event_source.is_some() => faults.push(
                "must implement both 'plugin_get_id' and 'plugin_get_event_source' or neither (event sourcing)",
            ),
            (true, true, true) => bits |= Capability::Sourcing as u32,
            (false, false, false) => {}
            _ => faults.push(
                "must implement all of 'plugin_open', 'plugin_close', and 'plugin_next_batch' (event sourcing)",
            ),
        }
        let extract = &api.__bindgen_anon_2;
        if extract.get_fields.is_some() && extract.extract_fields.is_some() {
            bits |= Capability::Extraction as u32;
        } else if extract.extract_fields.is_some() {
            faults.push("must implement both 'plugin_get_fields' and 'plugin_extract_fields' (field extraction)");
        }
        if api.__bindgen_anon_3.parse_event.is_some() {
            bits |= Capability::Parsing as u32;
        }
        let injects = &api.__bindgen_anon_4;
        if injects.get_async_events.is_some() && injects.set_async_event_handler.is_some() {
            bits |= Capability::Async as u32;
        } else if injects.set_async_event_handler.is_some() {
            faults.push(
                "must implement both 'plugin_get_async_events' and 'plugin_set_async_event_handler' (async events)",
            );
        }
        let listen = &api.__bindgen_anon_5;
        if listen.capture_open.is_some() && listen.capture_close.is_some() {
            bits |= Capability::Listening as u32;
        } else if listen.capture_open.is_some() {
            faults.push("must implement both 'plugin_capture_open' and 'plugin_capture_close' (capture listening)");
        }
        if faults.is_empty() && bits == 0 {
            faults.push("plugin does not implement any capability");
        }
        if faults.is_empty() {
            Ok(bits)
        } else {
            Err(broken(&faults))
        }
    }

    /// The plugin's last error.
    pub(crate) fn last_error(&self, state: *mut api::ss_plugin_t) -> String {
        if state.is_null() {
            return "no error text".to_owned();
        }
        // SAFETY: the state is the plugin's own; it gives null or a string that lives until its next call.
        let error = self
            .api
            .get_last_error
            .and_then(|f| unsafe { text(f(state)) });
        error
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "no error text".to_owned())
    }
}

fn broken(faults: &[&str]) -> String {
    format!("broken plugin capabilities: {}", faults.join(", "))
}

/// Whether we serve a plugin that requires this version of the interface.
pub(crate) fn compatible(required: &str) -> Result<(), String> {
    let Ok(wanted) = semver::Version::parse(required) else {
        return Err(format!(
            "plugin provided an invalid required API version: '{required}'"
        ));
    };
    let (major, minor, patch) = API_VERSION;
    let reason = if wanted.major != major {
        "major versions disagree"
    } else if wanted.minor > minor {
        "framework's minor is less than the requested one"
    } else if wanted.minor == minor && wanted.patch > patch {
        "framework's patch is less than the requested one"
    } else {
        return Ok(());
    };
    Err(format!(
        "plugin required API version '{required}' not compatible with the framework's API version \
         '{major}.{minor}.{patch}': {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for good in ["3.0.0", "3.11.0", "3.12.0", "3.4.9"] {
            assert_eq!(compatible(good), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("2.0.0", "major"),
            ("4.0.0", "major"),
            ("3.13.0", "minor"),
            ("3.12.1", "patch"),
            ("3", "invalid"),
            ("", "invalid"),
        ] {
            assert!(compatible(bad).unwrap_err().contains(word), "{bad}");
        }
    }

    #[test]
    fn what_is_no_plugin() {
        let error = |path: &str| Library::open(path).map(|_| ()).unwrap_err().to_string();
        assert!(error("/nonexistent.so").contains("dynamic library"));
        assert!(error("a\0b").contains("NUL"));
        // A library that is there on every machine, and no plugin.
        let other = Library::open("libc.so.6").unwrap();

        let error = other.info("libc.so.6").unwrap_err().to_string();
        assert!(
            error.contains("plugin_get_required_api_version symbol not implemented"),
            "{error}"
        );
    }
}
