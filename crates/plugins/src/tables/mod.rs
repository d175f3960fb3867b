//! What a plugin may ask of its owner: tables, errors, the log, threads.
//!
//! ```text
//!   plugin ── functions ─┬─ Desk over the state                     (in this process)
//!                        └─ socket ═══ Remote ── Desk over the state (in a child)
//!                                                 └─ owned ── the plugin whose table it is
//! ```
//!
//! `held` is what the plugin holds of ours, `query` what goes over that line, `threads` names the host's fields, `owned` is a plugin's own tables.

mod desk;
mod functions;
pub(crate) mod held;
mod owned;
pub(crate) mod query;
mod threads;

pub(crate) use desk::Desk;
pub use desk::{Access, Registry};

use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    dump: Mutex<Option<AsyncSink>>,
    routines: Mutex<Vec<Routine>>,
    held: Mutex<held::Held>,
    owned: Mutex<owned::Owned>,
    pub(crate) functions: Box<Functions>,
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
            dump: Mutex::default(),
            routines: Mutex::default(),
            held: Mutex::default(),
            owned: Mutex::default(),
            functions: Functions::new(),
        })
    }

    /// Who takes the events of a dump; who did before.
    pub(crate) fn swap_dump(&self, sink: Option<AsyncSink>) -> Option<AsyncSink> {
        let mut dump = self.dump.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *dump, sink)
    }

    fn held(&self) -> MutexGuard<'_, held::Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was given for the time of a call is not needed any more.
    pub(crate) fn pass(&self) {
        self.held().pass();
    }

    /// Whether the plugin uses tables of others.
    pub(crate) fn uses_tables(&self) -> bool {
        self.held().any()
    }

    /// Answers another plugin about this one's tables.
    pub(crate) fn asked(&self, query: &query::Query) -> query::Answer {
        match self.owned.try_lock() {
            Ok(mut owned) => owned.answer(query),
            Err(_) => query::Answer::Failed("its tables are being used".to_owned()),
        }
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
    // SAFETY: the event is the plugin's, whole for the time of the call; there is room for an error's text.
    unsafe { taken(owner, &owner.injected, event, error) }
}

pub(crate) unsafe extern "C-unwind" fn dumped(
    o: *mut api::ss_plugin_owner_t,
    event: *const api::ss_plugin_event,
    error: *mut c_char,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with the address that we gave it.
    let Some(owner) = (unsafe { owner(o) }) else {
        return api::ss_plugin_rc_SS_PLUGIN_FAILURE;
    };
    // SAFETY: the event is the plugin's, whole for the time of the call; there is room for an error's text.
    unsafe { taken(owner, &owner.dump, event, error) }
}

/// Gives an event of a plugin's to a sink.
///
/// # Safety
/// The event is null or whole; behind `error` is room for an error's text, unless it is null.
unsafe fn taken(
    owner: &Owner,
    sink: &Mutex<Option<AsyncSink>>,
    event: *const api::ss_plugin_event,
    error: *mut c_char,
) -> api::ss_plugin_rc {
    // SAFETY: the caller's promise.
    let result = unsafe { copied(event) }.and_then(|event| {
        let sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        match sink.as_ref() {
            Some(sink) => sink(event),
            None => {
                let name = owner.name.lock().unwrap_or_else(PoisonError::into_inner);
                Err(format!("async event sent with NULL handler: {name}"))
            }
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
    pub(crate) reader: api::ss_plugin_table_reader_vtable,
    pub(crate) writer: api::ss_plugin_table_writer_vtable,
    pub(crate) fields_ext: api::ss_plugin_table_fields_vtable_ext,
    pub(crate) reader_ext: api::ss_plugin_table_reader_vtable_ext,
    pub(crate) writer_ext: api::ss_plugin_table_writer_vtable_ext,
    pub(crate) routine: api::ss_plugin_routine_vtable,
    pub(crate) init: api::ss_plugin_init_tables_input,
}

impl Functions {
    fn new() -> Box<Self> {
        use functions as f;
        let fields = api::ss_plugin_table_fields_vtable {
            list_table_fields: Some(f::list_fields),
            get_table_field: Some(f::get_field),
            add_table_field: Some(f::add_field),
        };
        let mut all = Box::new(Self {
            reader: api::ss_plugin_table_reader_vtable {
                get_table_name: Some(f::get_name),
                get_table_size: Some(f::get_size),
                get_table_entry: Some(f::get_entry),
                read_entry_field: Some(f::read),
            },
            writer: api::ss_plugin_table_writer_vtable {
                clear_table: Some(f::clear),
                erase_table_entry: Some(f::erase),
                create_table_entry: Some(f::create),
                destroy_table_entry: Some(f::destroy),
                add_table_entry: Some(f::add),
                write_entry_field: Some(f::write),
            },
            fields_ext: api::ss_plugin_table_fields_vtable_ext {
                list_table_fields: Some(f::list_fields),
                get_table_field: Some(f::get_field),
                add_table_field: Some(f::add_field),
            },
            reader_ext: api::ss_plugin_table_reader_vtable_ext {
                get_table_name: Some(f::get_name),
                get_table_size: Some(f::get_size),
                get_table_entry: Some(f::get_entry),
                read_entry_field: Some(f::read),
                release_table_entry: Some(f::release),
                iterate_entries: Some(f::walk),
            },
            writer_ext: api::ss_plugin_table_writer_vtable_ext {
                clear_table: Some(f::clear),
                erase_table_entry: Some(f::erase),
                create_table_entry: Some(f::create),
                destroy_table_entry: Some(f::destroy),
                add_table_entry: Some(f::add),
                write_entry_field: Some(f::write),
            },
            routine: api::ss_plugin_routine_vtable {
                subscribe: Some(subscribe),
                unsubscribe: Some(unsubscribe),
            },
            init: api::ss_plugin_init_tables_input {
                list_tables: Some(f::list_tables),
                get_table: Some(f::get_table),
                add_table: Some(f::add_table),
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
