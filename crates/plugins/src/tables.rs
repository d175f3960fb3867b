//! What a plugin may ask of its owner: tables, errors, the log, threads.
//!
//! We keep no tables for plugins. One that looks for a table is told that there is none; one that offers its own may:
//! nobody else reads it. The functions are there all the same, since plugins check that they are.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use falco_plugin_api as api;

/// What a plugin says to the log: urgency from 1 (fatal) to 8 (trace), component, text.
pub(crate) type LogSink = Box<dyn Fn(u32, &str, &str) + Send + Sync>;
/// Takes an event that a plugin puts into a stream; an error is told to the plugin.
pub(crate) type AsyncSink = Box<dyn Fn(Vec<u8>) -> Result<(), String> + Send + Sync>;

/// Longest event that is believed.
pub(crate) const MAX_EVENT: usize = 64 << 20;
/// Bytes before an event's lengths.
pub(crate) const HEADER: usize = 26;
/// Room for an error's text, its NUL included.
const MAX_ERROR: usize = api::PLUGIN_MAX_ERRLEN as usize;

/// Who owns a plugin, as the plugin sees it: an address that it gives back to us.
pub(crate) struct Owner {
    pub(crate) name: Mutex<String>,
    error: Mutex<CString>,
    log: LogSink,
    pub(crate) injected: Mutex<Option<AsyncSink>>,
    routines: Mutex<Vec<Routine>>,
}

struct Routine {
    on: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Pointers that a thread of a plugin's takes along.
struct Carried(*mut api::ss_plugin_t, *mut api::ss_plugin_routine_state_t);
// SAFETY: the interface has routines run on other threads; the pointers belong to the plugin, which knows that.
unsafe impl Send for Carried {}

impl Owner {
    pub(crate) fn new(log: LogSink) -> Box<Self> {
        Box::new(Self {
            name: Mutex::default(),
            error: Mutex::default(),
            log,
            injected: Mutex::default(),
            routines: Mutex::default(),
        })
    }

    fn fail(&self, text: &str) {
        let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// As the plugin sees it.
    pub(crate) fn address(&self) -> *mut api::ss_plugin_owner_t {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Ends all threads of routines.
    pub(crate) fn end_routines(&self) {
        let mut routines = self.routines.lock().unwrap_or_else(PoisonError::into_inner);
        for routine in routines.iter() {
            routine.on.store(false, Ordering::Relaxed);
        }
        for mut routine in routines.drain(..) {
            if let Some(thread) = routine.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// The owner behind an address that a plugin gives back.
///
/// # Safety
/// The address is from [`Owner::address`] and the owner lives.
unsafe fn owner<'o>(address: *mut api::ss_plugin_owner_t) -> Option<&'o Owner> {
    // SAFETY: the caller's promise; null is nobody.
    unsafe { address.cast::<Owner>().as_ref() }
}

pub(crate) unsafe extern "C-unwind" fn last_error(o: *mut api::ss_plugin_owner_t) -> *const c_char {
    // SAFETY: called by a plugin with the address that we gave it.
    let Some(owner) = (unsafe { owner(o) }) else {
        return c"".as_ptr();
    };
    owner
        .error
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ptr()
}

pub(crate) unsafe extern "C-unwind" fn log(
    o: *mut api::ss_plugin_owner_t,
    component: *const c_char,
    message: *const c_char,
    severity: u32,
) {
    // SAFETY: called by a plugin with the address that we gave it and strings that are NUL-terminated or null.
    let (owner, component, message) = unsafe {
        (
            owner(o),
            crate::library::text(component),
            crate::library::text(message),
        )
    };
    let (Some(owner), Some(message)) = (owner, message) else {
        return;
    };
    let name = owner
        .name
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    (owner.log)(severity, component.as_deref().unwrap_or(&name), &message);
}

/// Copies an event that a plugin points at.
///
/// # Errors
/// When its header cannot be.
///
/// # Safety
/// The pointer is null or points at as many bytes as the event says that it has.
pub(crate) unsafe fn copied(event: *const api::ss_plugin_event) -> Result<Vec<u8>, String> {
    if event.is_null() {
        return Err("an event is null".to_owned());
    }
    // SAFETY: a header is there; the structure is packed and so needs no alignment.
    let length = unsafe { (&raw const (*event).len).read_unaligned() } as usize;
    if !(HEADER..=MAX_EVENT).contains(&length) {
        return Err(format!("an event says that it has {length} bytes"));
    }
    // SAFETY: so many bytes are there by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(event.cast::<u8>(), length) }.to_vec())
}

pub(crate) unsafe extern "C-unwind" fn injected(
    o: *mut api::ss_plugin_owner_t,
    event: *const api::ss_plugin_event,
    error: *mut c_char,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with the address that we gave it.
    let Some(owner) = (unsafe { owner(o) }) else {
        return api::ss_plugin_rc_SS_PLUGIN_FAILURE;
    };
    // SAFETY: the event is the plugin's, whole for the time of the call.
    let result = unsafe { copied(event) }.and_then(|event| {
        let sink = owner
            .injected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match sink.as_ref() {
            Some(sink) => sink(event),
            None => Err("async event sent with NULL handler".to_owned()),
        }
    });
    let Err(text) = result else {
        return api::ss_plugin_rc_SS_PLUGIN_SUCCESS;
    };
    owner.fail(&text);
    if !error.is_null() {
        let length = text.len().min(MAX_ERROR - 1);
        // SAFETY: the interface gives room for so many bytes with the NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), error, length);
            error.add(length).write(0);
        }
    }
    api::ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn list_tables(
    _: *mut api::ss_plugin_owner_t,
    count: *mut u32,
) -> *mut api::ss_plugin_table_info {
    if !count.is_null() {
        // SAFETY: the plugin wants the number there.
        unsafe { count.write(0) };
    }
    null_mut()
}

unsafe extern "C-unwind" fn get_table(
    o: *mut api::ss_plugin_owner_t,
    name: *const c_char,
    _: api::ss_plugin_state_type,
) -> *mut api::ss_plugin_table_t {
    // SAFETY: called by a plugin with the address that we gave it and a NUL-terminated name.
    let (owner, name) = unsafe { (owner(o), crate::library::text(name)) };
    if let Some(owner) = owner {
        let name = name.unwrap_or_default();
        owner.fail(&format!(
            "there is no table '{name}': this host hands out none"
        ));
    }
    null_mut()
}

unsafe extern "C-unwind" fn add_table(
    _: *mut api::ss_plugin_owner_t,
    _: *const api::ss_plugin_table_input,
) -> api::ss_plugin_rc {
    api::ss_plugin_rc_SS_PLUGIN_SUCCESS
}

// What follows is never reached with a table of ours, of which there are none; a plugin that calls it all the same
// hears of failure.

unsafe extern "C-unwind" fn list_fields(
    _: *mut api::ss_plugin_table_t,
    count: *mut u32,
) -> *const api::ss_plugin_table_fieldinfo {
    if !count.is_null() {
        // SAFETY: the plugin wants the number there.
        unsafe { count.write(0) };
    }
    null()
}

unsafe extern "C-unwind" fn no_field(
    _: *mut api::ss_plugin_table_t,
    _: *const c_char,
    _: api::ss_plugin_state_type,
) -> *mut api::ss_plugin_table_field_t {
    null_mut()
}

unsafe extern "C-unwind" fn no_name(_: *mut api::ss_plugin_table_t) -> *const c_char {
    c"".as_ptr()
}

unsafe extern "C-unwind" fn no_size(_: *mut api::ss_plugin_table_t) -> u64 {
    0
}

unsafe extern "C-unwind" fn no_entry(
    _: *mut api::ss_plugin_table_t,
    _: *const api::ss_plugin_state_data,
) -> *mut api::ss_plugin_table_entry_t {
    null_mut()
}

unsafe extern "C-unwind" fn no_read(
    _: *mut api::ss_plugin_table_t,
    _: *mut api::ss_plugin_table_entry_t,
    _: *const api::ss_plugin_table_field_t,
    _: *mut api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    api::ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn no_release(
    _: *mut api::ss_plugin_table_t,
    _: *mut api::ss_plugin_table_entry_t,
) {
}

unsafe extern "C-unwind" fn no_walk(
    _: *mut api::ss_plugin_table_t,
    _: api::ss_plugin_table_iterator_func_t,
    _: *mut api::ss_plugin_table_iterator_state_t,
) -> api::ss_plugin_bool {
    1
}

unsafe extern "C-unwind" fn no_clear(_: *mut api::ss_plugin_table_t) -> api::ss_plugin_rc {
    api::ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn no_erase(
    _: *mut api::ss_plugin_table_t,
    _: *const api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    api::ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn no_create(
    _: *mut api::ss_plugin_table_t,
) -> *mut api::ss_plugin_table_entry_t {
    null_mut()
}

unsafe extern "C-unwind" fn no_add(
    _: *mut api::ss_plugin_table_t,
    _: *const api::ss_plugin_state_data,
    _: *mut api::ss_plugin_table_entry_t,
) -> *mut api::ss_plugin_table_entry_t {
    null_mut()
}

unsafe extern "C-unwind" fn no_write(
    _: *mut api::ss_plugin_table_t,
    _: *mut api::ss_plugin_table_entry_t,
    _: *const api::ss_plugin_table_field_t,
    _: *const api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    api::ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn subscribe(
    o: *mut api::ss_plugin_owner_t,
    function: api::ss_plugin_routine_fn_t,
    carried: *mut api::ss_plugin_routine_state_t,
) -> *mut api::ss_plugin_routine_t {
    // SAFETY: called by a plugin with the address that we gave it.
    let (Some(owner), Some(function)) = (unsafe { owner(o) }, function) else {
        return null_mut();
    };
    let state = STATE.with(std::cell::Cell::get);
    let on = Arc::new(AtomicBool::new(true));
    let carried = Carried(state, carried);
    let spawned = std::thread::Builder::new()
        .name("plugin routine".to_owned())
        .spawn({
            let on = Arc::clone(&on);
            move || {
                let whole = carried;
                // SAFETY: the plugin asked for these calls and lives until its routines have ended.
                while on.load(Ordering::Relaxed) && unsafe { function(whole.0, whole.1) } != 0 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
    let Ok(thread) = spawned else {
        return null_mut();
    };
    let handle = Arc::as_ptr(&on).cast_mut().cast();
    let mut routines = owner
        .routines
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    routines.push(Routine {
        on,
        thread: Some(thread),
    });
    handle
}

unsafe extern "C-unwind" fn unsubscribe(
    o: *mut api::ss_plugin_owner_t,
    handle: *mut api::ss_plugin_routine_t,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with the address that we gave it.
    let Some(owner) = (unsafe { owner(o) }) else {
        return api::ss_plugin_rc_SS_PLUGIN_FAILURE;
    };
    let routines = owner
        .routines
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let found = routines
        .iter()
        .find(|r| Arc::as_ptr(&r.on).cast::<u8>() == handle.cast::<u8>());
    match found {
        Some(routine) => {
            routine.on.store(false, Ordering::Relaxed);
            api::ss_plugin_rc_SS_PLUGIN_SUCCESS
        }
        None => api::ss_plugin_rc_SS_PLUGIN_FAILURE,
    }
}

thread_local! {
    /// The plugin that is being called on this thread, for whose routines are subscribed during a call.
    static STATE: std::cell::Cell<*mut api::ss_plugin_t> = const { std::cell::Cell::new(null_mut()) };
}

/// Notes whose routines are subscribed on this thread from now on.
pub(crate) fn calls(state: *mut api::ss_plugin_t) {
    STATE.with(|cell| cell.set(state));
}

/// All tables of functions, at addresses that stay.
pub(crate) struct Functions {
    pub(crate) fields: api::ss_plugin_table_fields_vtable,
    pub(crate) reader: api::ss_plugin_table_reader_vtable,
    pub(crate) writer: api::ss_plugin_table_writer_vtable,
    pub(crate) fields_ext: api::ss_plugin_table_fields_vtable_ext,
    pub(crate) reader_ext: api::ss_plugin_table_reader_vtable_ext,
    pub(crate) writer_ext: api::ss_plugin_table_writer_vtable_ext,
    pub(crate) routine: api::ss_plugin_routine_vtable,
    pub(crate) init: api::ss_plugin_init_tables_input,
}

impl Functions {
    pub(crate) fn new() -> Box<Self> {
        let fields = api::ss_plugin_table_fields_vtable {
            list_table_fields: Some(list_fields),
            get_table_field: Some(no_field),
            add_table_field: Some(no_field),
        };
        let mut all = Box::new(Self {
            fields,
            reader: api::ss_plugin_table_reader_vtable {
                get_table_name: Some(no_name),
                get_table_size: Some(no_size),
                get_table_entry: Some(no_entry),
                read_entry_field: Some(no_read),
            },
            writer: api::ss_plugin_table_writer_vtable {
                clear_table: Some(no_clear),
                erase_table_entry: Some(no_erase),
                create_table_entry: Some(no_create),
                destroy_table_entry: Some(no_release),
                add_table_entry: Some(no_add),
                write_entry_field: Some(no_write),
            },
            fields_ext: api::ss_plugin_table_fields_vtable_ext {
                list_table_fields: Some(list_fields),
                get_table_field: Some(no_field),
                add_table_field: Some(no_field),
            },
            reader_ext: api::ss_plugin_table_reader_vtable_ext {
                get_table_name: Some(no_name),
                get_table_size: Some(no_size),
                get_table_entry: Some(no_entry),
                read_entry_field: Some(no_read),
                release_table_entry: Some(no_release),
                iterate_entries: Some(no_walk),
            },
            writer_ext: api::ss_plugin_table_writer_vtable_ext {
                clear_table: Some(no_clear),
                erase_table_entry: Some(no_erase),
                create_table_entry: Some(no_create),
                destroy_table_entry: Some(no_release),
                add_table_entry: Some(no_add),
                write_entry_field: Some(no_write),
            },
            routine: api::ss_plugin_routine_vtable {
                subscribe: Some(subscribe),
                unsubscribe: Some(unsubscribe),
            },
            init: api::ss_plugin_init_tables_input {
                list_tables: Some(list_tables),
                get_table: Some(get_table),
                add_table: Some(add_table),
                fields,
                fields_ext: null_mut(),
                reader_ext: null_mut(),
                writer_ext: null_mut(),
            },
        });
        all.init.fields_ext = &raw mut all.fields_ext;
        all.init.reader_ext = &raw mut all.reader_ext;
        all.init.writer_ext = &raw mut all.writer_ext;
        all
    }
}

/// A text as the interface takes it. What is behind a NUL is cut off.
pub(crate) fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_else(|_| CStr::to_owned(c""))
}
