//! What a plugin holds of ours: tables, fields, and who answers its questions.
//!
//! A table is an address of ours that begins with the structure that the interface has for tables: libraries for plugins
//! look into it. An entry is a number that looks like an address. A field is an address of ours. What was given for the
//! time of a call is taken back at the next one.

use std::cell::Cell as StdCell;
use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use falco_plugin_api as api;
use state::Cell;

use super::owned::OwnTable;
use super::query::{Answer, Host, Query};
use super::{Owner, c_text};

pub(super) const SUCCESS: api::ss_plugin_rc = api::ss_plugin_rc_SS_PLUGIN_SUCCESS;
pub(super) const FAILURE: api::ss_plugin_rc = api::ss_plugin_rc_SS_PLUGIN_FAILURE;

/// Texts and tables that are kept for a plugin during one call, and fields for ever.
pub(super) const KEPT_MAX: usize = 1 << 20;

/// A table as a plugin holds it.
#[repr(C)]
pub(crate) struct Table {
    /// First: plugins look at it.
    pub(super) input: api::ss_plugin_table_input,
    owner: *const Owner,
    pub(super) id: u64,
    /// The plugin's own.
    pub(super) own: Option<OwnTable>,
    pub(super) name: CString,
    pub(super) listed: Mutex<Listed<api::ss_plugin_table_fieldinfo>>,
}

/// What a list of names points at.
pub(crate) struct Listed<T> {
    pub(super) names: Vec<CString>,
    pub(super) infos: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            infos: Vec::new(),
        }
    }
}

/// A field as a plugin holds it.
pub(super) struct Field {
    /// Name of its table: those inside entries share fields.
    pub(super) table: String,
    pub(super) name: String,
    pub(super) kind: u32,
    pub(super) id: AtomicU64,
}

/// What a plugin holds.
#[derive(Default)]
#[allow(clippy::vec_box, reason = "plugins hold their addresses")]
pub(crate) struct Held {
    pub(super) tables: Vec<Box<Table>>,
    pub(super) fields: Vec<Box<Field>>,
    pub(super) passing: Passing,
    pub(super) listed: Listed<api::ss_plugin_table_info>,
}

/// What it holds until the end of a call.
#[derive(Default)]
#[allow(clippy::vec_box, reason = "plugins hold their addresses")]
pub(super) struct Passing {
    pub(super) tables: Vec<Box<Table>>,
    pub(super) texts: Vec<CString>,
}

impl Held {
    /// The call is over.
    pub(super) fn pass(&mut self) {
        self.passing = Passing::default();
    }

    /// Whether the plugin has got any table of ours.
    pub(super) fn any(&self) -> bool {
        self.tables.iter().any(|table| table.own.is_none())
    }
}

thread_local! {
    /// Who answers on this thread; there is somebody during calls only.
    static HOST: StdCell<Option<*mut (dyn Host + 'static)>> = const { StdCell::new(None) };
}

/// Lets somebody answer on this thread, until it is dropped.
pub(crate) struct Hosted<'h> {
    before: Option<*mut (dyn Host + 'static)>,
    host: PhantomData<&'h mut ()>,
}

pub(crate) fn hosted<'h>(host: &'h mut (dyn Host + 'h)) -> Hosted<'h> {
    let host: *mut (dyn Host + 'h) = host;
    // SAFETY: only the life time changes; the guard takes the address back before the borrow ends.
    let host =
        unsafe { std::mem::transmute::<*mut (dyn Host + 'h), *mut (dyn Host + 'static)>(host) };
    Hosted {
        before: HOST.replace(Some(host)),
        host: PhantomData,
    }
}

impl Drop for Hosted<'_> {
    fn drop(&mut self) {
        HOST.set(self.before);
    }
}

/// Asks whoever answers on this thread.
pub(super) fn ask(query: Query) -> Answer {
    let Some(host) = HOST.take() else {
        return Answer::Failed(
            "tables are there for the thread of a call only, and only during it".to_owned(),
        );
    };
    // SAFETY: the guard that put it there lives, and nobody else has it now.
    let answer = unsafe { (*host).answer(query) };
    HOST.set(Some(host));
    answer
}

/// The value in C's union that a type says is there.
///
/// # Safety
/// The union holds a value of that type; a text is NUL-terminated or null.
pub(super) unsafe fn cell(data: &api::ss_plugin_state_data, kind: u32) -> Option<Cell> {
    // SAFETY: the caller's promise.
    unsafe {
        Some(match kind {
            1 => Cell::Signed(data.s8.into()),
            2 => Cell::Signed(data.s16.into()),
            3 => Cell::Signed(data.s32.into()),
            4 => Cell::Signed(data.s64),
            5 => Cell::Unsigned(data.u8_.into()),
            6 => Cell::Unsigned(data.u16_.into()),
            7 => Cell::Unsigned(data.u32_.into()),
            8 => Cell::Unsigned(data.u64_),
            9 if !data.str_.is_null() => {
                Cell::Text(std::ffi::CStr::from_ptr(data.str_).to_bytes().to_vec())
            }
            25 => Cell::Bool(data.b != 0),
            _ => return None,
        })
    }
}

/// A value in C's union; a text must be kept beside it.
pub(super) fn data(cell: &Cell, kind: u32) -> Option<(api::ss_plugin_state_data, Option<CString>)> {
    let mut data = api::ss_plugin_state_data { u64_: 0 };
    if kind == 9 {
        let bytes = cell.text()?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let text = CString::new(&bytes[..end]).ok()?;
        data.str_ = text.as_ptr();
        return Some((data, Some(text)));
    }
    let number = cell.number()?;
    match kind {
        1 => data.s8 = number as i8,
        2 => data.s16 = number as i16,
        3 => data.s32 = number as i32,
        4 => data.s64 = number,
        5 => data.u8_ = number as u8,
        6 => data.u16_ = number as u16,
        7 => data.u32_ = number as u32,
        8 => data.u64_ = number as u64,
        25 => data.b = u32::from(number != 0),
        _ => return None,
    }
    Some((data, None))
}

/// The table behind an address.
///
/// # Safety
/// The address is null or one that we gave.
pub(super) unsafe fn table<'t>(address: *mut api::ss_plugin_table_t) -> Option<&'t Table> {
    // SAFETY: the caller's promise; tables live as long as their owner, or the call.
    unsafe { address.cast::<Table>().as_ref() }
}

pub(super) fn pointer(handle: u64) -> *mut api::ss_plugin_table_entry_t {
    std::ptr::without_provenance_mut::<u8>(handle as usize).cast()
}

pub(super) fn handle(entry: *mut api::ss_plugin_table_entry_t) -> u64 {
    entry.cast::<u8>().addr() as u64
}

impl Table {
    pub(super) fn new(
        owner: &Owner,
        id: u64,
        name: &str,
        key: u32,
        own: Option<OwnTable>,
    ) -> Box<Self> {
        let functions = &owner.functions;
        let mut table = Box::new(Self {
            input: api::ss_plugin_table_input {
                name: null(),
                key_type: key,
                table: null_mut(),
                reader: functions.reader,
                writer: functions.writer,
                fields: functions.init.fields,
                reader_ext: (&raw const functions.reader_ext).cast_mut(),
                writer_ext: (&raw const functions.writer_ext).cast_mut(),
                fields_ext: (&raw const functions.fields_ext).cast_mut(),
            },
            owner,
            id,
            own,
            name: c_text(name),
            listed: Mutex::default(),
        });
        table.input.name = table.name.as_ptr();
        let address: *mut Self = &raw mut *table;
        table.input.table = address.cast();
        table
    }

    pub(super) fn address(&self) -> *mut api::ss_plugin_table_t {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    pub(super) fn owner(&self) -> &Owner {
        // SAFETY: the owner owns the table.
        unsafe { &*self.owner }
    }

    pub(super) fn ask(&self, query: Query) -> Answer {
        let answer = ask(query);
        if let Answer::Failed(text) = &answer {
            self.owner().fail(text);
        }
        answer
    }

    pub(super) fn done(&self, query: Query) -> api::ss_plugin_rc {
        match self.ask(query) {
            Answer::Done => SUCCESS,
            _ => FAILURE,
        }
    }

    /// # Safety
    /// The key is null, or of the type that the table has.
    pub(super) unsafe fn key(&self, key: *const api::ss_plugin_state_data) -> Option<Cell> {
        // SAFETY: the caller's promise.
        let found = unsafe { key.as_ref().and_then(|key| cell(key, self.input.key_type)) };
        if found.is_none() {
            self.owner().fail("a key of no use");
        }
        found
    }

    pub(super) fn entry(&self, query: Query) -> *mut api::ss_plugin_table_entry_t {
        match self.ask(query) {
            Answer::Number(handle) => pointer(handle),
            Answer::Nothing => {
                self.owner().fail("there is no such entry");
                null_mut()
            }
            _ => null_mut(),
        }
    }
}

impl Table {
    /// Asks anew for a field that the other side does not know any more: its plugin was started again.
    pub(super) fn renew(&self, field: &Field) -> bool {
        let answer = self.ask(Query::Field {
            table: self.id,
            name: field.name.clone(),
            kind: field.kind,
            add: false,
        });
        let Answer::Number(id) = answer else {
            return false;
        };
        field.id.store(id, Ordering::Relaxed);
        true
    }
}
