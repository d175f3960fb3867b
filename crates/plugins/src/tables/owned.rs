//! Tables that a plugin has itself, and how others are answered about them.

use std::ffi::c_char;

use falco_plugin_api as api;
use state::Cell;

use super::held::{cell, data};
use super::query::{Answer, Query, TABLE};
use crate::library::text;

/// Number of the first table that is part of an entry.
const INNER: u64 = 1 << 32;
/// Entries that others may hold.
const HELD_MAX: usize = 1 << 16;

type TablePtr = *mut api::ss_plugin_table_t;
type EntryPtr = *mut api::ss_plugin_table_entry_t;
type FieldPtr = *mut api::ss_plugin_table_field_t;
type Data = api::ss_plugin_state_data;

/// A table of the plugin's with its functions, all of which are there.
#[derive(Clone)]
pub(crate) struct OwnTable {
    pub(super) name: String,
    pub(super) key: u32,
    pub(super) table: TablePtr,
    pub(super) get_table_size: unsafe extern "C-unwind" fn(TablePtr) -> u64,
    pub(super) get_table_entry: unsafe extern "C-unwind" fn(TablePtr, *const Data) -> EntryPtr,
    pub(super) read_entry_field: unsafe extern "C-unwind" fn(
        TablePtr,
        EntryPtr,
        *const api::ss_plugin_table_field_t,
        *mut Data,
    ) -> api::ss_plugin_rc,
    pub(super) release_table_entry: unsafe extern "C-unwind" fn(TablePtr, EntryPtr),
    pub(super) iterate_entries: unsafe extern "C-unwind" fn(
        TablePtr,
        api::ss_plugin_table_iterator_func_t,
        *mut api::ss_plugin_table_iterator_state_t,
    ) -> api::ss_plugin_bool,
    pub(super) clear_table: unsafe extern "C-unwind" fn(TablePtr) -> api::ss_plugin_rc,
    pub(super) erase_table_entry:
        unsafe extern "C-unwind" fn(TablePtr, *const Data) -> api::ss_plugin_rc,
    pub(super) create_table_entry: unsafe extern "C-unwind" fn(TablePtr) -> EntryPtr,
    pub(super) destroy_table_entry: unsafe extern "C-unwind" fn(TablePtr, EntryPtr),
    pub(super) add_table_entry:
        unsafe extern "C-unwind" fn(TablePtr, *const Data, EntryPtr) -> EntryPtr,
    pub(super) write_entry_field: unsafe extern "C-unwind" fn(
        TablePtr,
        EntryPtr,
        *const api::ss_plugin_table_field_t,
        *const Data,
    ) -> api::ss_plugin_rc,
    pub(super) list_table_fields:
        unsafe extern "C-unwind" fn(TablePtr, *mut u32) -> *const api::ss_plugin_table_fieldinfo,
    pub(super) get_table_field:
        unsafe extern "C-unwind" fn(TablePtr, *const c_char, u32) -> FieldPtr,
    pub(super) add_table_field:
        unsafe extern "C-unwind" fn(TablePtr, *const c_char, u32) -> FieldPtr,
}

impl OwnTable {
    /// Reads and checks a table that a plugin describes.
    ///
    /// # Safety
    /// What the description points at is there.
    pub(super) unsafe fn of(input: &api::ss_plugin_table_input) -> Result<Self, String> {
        // SAFETY: the caller's promise.
        let (name, reader, writer, fields) = unsafe {
            (
                text(input.name),
                input.reader_ext.as_ref(),
                input.writer_ext.as_ref(),
                input.fields_ext.as_ref(),
            )
        };
        let name = name
            .filter(|name| !name.is_empty())
            .ok_or("a table without a name")?;
        let broken = |what: &str| format!("broken or inconsistent {what} vtables");
        let reader = reader.ok_or_else(|| broken("reader"))?;
        let writer = writer.ok_or_else(|| broken("writer"))?;
        let fields = fields.ok_or_else(|| broken("fields"))?;
        macro_rules! take {
            ($from:ident, $old:expr, $what:literal, $name:ident) => {{
                let function = $from.$name.ok_or_else(|| broken($what))?;
                let old = $old.$name.ok_or_else(|| broken($what))?;
                if function as usize != old as usize {
                    return Err(broken($what));
                }
                function
            }};
            ($from:ident, $what:literal, $name:ident) => {
                $from.$name.ok_or_else(|| broken($what))?
            };
        }
        take!(reader, input.reader, "reader", get_table_name);
        Ok(Self {
            key: input.key_type,
            table: input.table,
            get_table_size: take!(reader, input.reader, "reader", get_table_size),
            get_table_entry: take!(reader, input.reader, "reader", get_table_entry),
            read_entry_field: take!(reader, input.reader, "reader", read_entry_field),
            release_table_entry: take!(reader, "reader", release_table_entry),
            iterate_entries: take!(reader, "reader", iterate_entries),
            clear_table: take!(writer, input.writer, "writer", clear_table),
            erase_table_entry: take!(writer, input.writer, "writer", erase_table_entry),
            create_table_entry: take!(writer, input.writer, "writer", create_table_entry),
            destroy_table_entry: take!(writer, input.writer, "writer", destroy_table_entry),
            add_table_entry: take!(writer, input.writer, "writer", add_table_entry),
            write_entry_field: take!(writer, input.writer, "writer", write_entry_field),
            list_table_fields: take!(fields, input.fields, "fields", list_table_fields),
            get_table_field: take!(fields, input.fields, "fields", get_table_field),
            add_table_field: take!(fields, input.fields, "fields", add_table_field),
            name,
        })
    }

    /// Names, types and whether they are read only.
    fn fields(&self) -> Vec<(String, u32, bool)> {
        let mut count = 0;
        // SAFETY: the plugin's own function, with its own table; it gives as many as it says.
        unsafe {
            let all = (self.list_table_fields)(self.table, &raw mut count);
            if all.is_null() || count > u32::from(u16::MAX) {
                return Vec::new();
            }
            let all = std::slice::from_raw_parts(all, count as usize);
            all.iter()
                .filter_map(|info| Some((text(info.name)?, info.field_type, info.read_only != 0)))
                .collect()
        }
    }

    fn field(&self, name: &str, kind: u32, add: bool) -> FieldPtr {
        let name = super::c_text(name);
        let function = if add {
            self.add_table_field
        } else {
            self.get_table_field
        };
        // SAFETY: the plugin's own function, with its own table and a NUL-terminated name.
        unsafe { function(self.table, name.as_ptr(), kind) }
    }

    /// The table that a value is, where the field with this address is a table.
    ///
    /// # Safety
    /// The value was read from that field.
    pub(super) unsafe fn inner(
        &self,
        field: *const api::ss_plugin_table_field_t,
        value: &Data,
    ) -> Option<Self> {
        let tables = self
            .fields()
            .into_iter()
            .filter(|(_, kind, _)| *kind == TABLE);
        let mut addresses = tables.map(|(name, kind, _)| self.field(&name, kind, false));
        if !addresses.any(|address| std::ptr::eq(address, field)) {
            return None;
        }
        // SAFETY: the caller's promise: such a value is an address of a whole description.
        unsafe {
            let input = value.table.cast::<api::ss_plugin_table_input>().as_ref()?;
            Self::of(input).ok()
        }
    }
}

/// An entry that somebody else holds.
enum Held {
    /// In the plugin, by its address; made, and in no table yet?
    Live(EntryPtr, u64, bool),
    /// Values of an entry that was met on a walk: the plugin's address is good during the walk only.
    Copy(Vec<(u64, Cell)>),
}

/// All tables of a plugin's own.
#[derive(Default)]
pub(crate) struct Owned {
    tables: Vec<OwnTable>,
    inner: Vec<OwnTable>,
    fields: Vec<(FieldPtr, u32)>,
    entries: Vec<Option<Held>>,
}

/// Part of the numbers of fields that says from which process they are.
fn process() -> u64 {
    u64::from(std::process::id()) << 32
}

impl Owned {
    /// The table of this name.
    pub(super) fn named(&self, name: &str) -> Option<OwnTable> {
        self.tables.iter().find(|table| table.name == name).cloned()
    }

    /// Takes a table in; its number.
    pub(super) fn put(&mut self, table: OwnTable) -> u64 {
        self.tables.push(table);
        self.tables.len() as u64
    }

    fn table(&self, id: u64) -> Result<OwnTable, String> {
        let found = match id.checked_sub(INNER) {
            Some(at) => self.inner.get(at as usize),
            None => self.tables.get((id as usize).wrapping_sub(1)),
        };
        found
            .cloned()
            .ok_or_else(|| "there is no such table".to_owned())
    }

    fn held(&self, handle: u64) -> Result<&Held, String> {
        let at = (handle as usize).wrapping_sub(1);
        let held = self.entries.get(at).and_then(Option::as_ref);
        held.ok_or_else(|| "an entry that is not held".to_owned())
    }

    fn live(&self, handle: u64) -> Result<EntryPtr, String> {
        match self.held(handle)? {
            Held::Live(entry, ..) => Ok(*entry),
            Held::Copy(_) => Err(
                "what was met on a walk through another plugin's table can be read only".to_owned(),
            ),
        }
    }

    fn hold(&mut self, held: Held) -> Result<Answer, String> {
        if self.entries.len() >= HELD_MAX {
            return Err("too many entries are held".to_owned());
        }
        self.entries.push(Some(held));
        Ok(Answer::Number(self.entries.len() as u64))
    }

    fn intern(&mut self, field: FieldPtr, kind: u32) -> u64 {
        let at = self.fields.iter().position(|(f, _)| *f == field);
        let at = at.unwrap_or_else(|| {
            self.fields.push((field, kind));
            self.fields.len() - 1
        });
        process() | at as u64
    }

    /// A field by its number; `None`: it is from before this process.
    fn field(&self, id: u64) -> Option<(FieldPtr, u32)> {
        if id & !0xFFFF_FFFF != process() {
            return None;
        }
        self.fields.get((id & 0xFFFF_FFFF) as usize).copied()
    }

    /// Answers another plugin.
    pub(super) fn answer(&mut self, query: &Query) -> Answer {
        self.serve(query).unwrap_or_else(Answer::Failed)
    }

    fn serve(&mut self, query: &Query) -> Result<Answer, String> {
        match query {
            Query::Fields { table } => Ok(Answer::Fields(self.table(*table)?.fields())),
            Query::Field {
                table,
                name,
                kind,
                add,
            } => {
                let field = self.table(*table)?.field(name, *kind, *add);
                if field.is_null() {
                    return Err(format!("the table has no field '{name}' of this type"));
                }
                Ok(Answer::Number(self.intern(field, *kind)))
            }
            Query::Size { table } => {
                let table = self.table(*table)?;
                // SAFETY: the plugin's own function, with its own table; so below.
                Ok(Answer::Number(unsafe {
                    (table.get_table_size)(table.table)
                }))
            }
            Query::Entry { table: id, key } => {
                let table = self.table(*id)?;
                let (key, _text) = data(key, table.key).ok_or("a key of another type")?;
                // SAFETY: the key lives during the call.
                let entry = unsafe { (table.get_table_entry)(table.table, &raw const key) };
                if entry.is_null() {
                    return Ok(Answer::Nothing);
                }
                self.hold(Held::Live(entry, *id, false))
            }
            Query::Read {
                table,
                entry,
                field,
            } => self.read(*table, *entry, *field),
            Query::Release { entry, .. } | Query::Destroy { entry, .. } => {
                self.give_back(*entry);
                Ok(Answer::Done)
            }
            Query::Walk { table } => self.walk(*table),
            Query::Clear { table } => {
                let table = self.table(*table)?;
                // SAFETY: as above.
                done(unsafe { (table.clear_table)(table.table) })
            }
            Query::Erase { table, key } => {
                let table = self.table(*table)?;
                let (key, _text) = data(key, table.key).ok_or("a key of another type")?;
                // SAFETY: the key lives during the call.
                done(unsafe { (table.erase_table_entry)(table.table, &raw const key) })
            }
            Query::Create { table: id } => {
                let table = self.table(*id)?;
                // SAFETY: as above.
                let entry = unsafe { (table.create_table_entry)(table.table) };
                if entry.is_null() {
                    return Err("the table makes no entries".to_owned());
                }
                self.hold(Held::Live(entry, *id, true))
            }
            Query::Add {
                table: id,
                key,
                entry,
            } => {
                let table = self.table(*id)?;
                let made = self.live(*entry)?;
                let (key, _text) = data(key, table.key).ok_or("a key of another type")?;
                // SAFETY: the entry is the plugin's, and made; the key lives during the call.
                let added = unsafe { (table.add_table_entry)(table.table, &raw const key, made) };
                if added.is_null() {
                    return Err("the table does not take the entry".to_owned());
                }
                self.entries[*entry as usize - 1] = None;
                self.hold(Held::Live(added, *id, false))
            }
            Query::Write {
                table,
                entry,
                field,
                value,
            } => {
                let table = self.table(*table)?;
                let entry = self.live(*entry)?;
                let Some((field, kind)) = self.field(*field) else {
                    return Ok(Answer::Nothing);
                };
                let (value, _text) = data(value, kind).ok_or("a value of another type")?;
                // SAFETY: entry and field are the plugin's; the value lives during the call.
                done(unsafe {
                    (table.write_entry_field)(table.table, entry, field, &raw const value)
                })
            }
            Query::End => {
                for handle in 1..=self.entries.len() as u64 {
                    self.give_back(handle);
                }
                self.entries.clear();
                self.inner.clear();
                Ok(Answer::Done)
            }
            Query::Tables | Query::Find { .. } | Query::Offer { .. } => {
                Err("that is not for a plugin to answer".to_owned())
            }
        }
    }

    fn give_back(&mut self, handle: u64) {
        let at = (handle as usize).wrapping_sub(1);
        let Some(Held::Live(entry, table, made)) = self.entries.get_mut(at).and_then(Option::take)
        else {
            return;
        };
        if let Ok(table) = self.table(table) {
            let function = if made {
                table.destroy_table_entry
            } else {
                table.release_table_entry
            };
            // SAFETY: the entry is the plugin's, and is forgotten here.
            unsafe { function(table.table, entry) };
        }
    }

    fn read(&mut self, table: u64, entry: u64, field: u64) -> Result<Answer, String> {
        let Some((address, kind)) = self.field(field) else {
            return Ok(Answer::Nothing);
        };
        if let Held::Copy(values) = self.held(entry)? {
            let found = values.iter().find(|(id, _)| *id == field);
            let (_, cell) = found.ok_or("the value could not be read on the walk")?;
            return Ok(Answer::Value(cell.clone()));
        }
        let table = self.table(table)?;
        let entry = self.live(entry)?;
        // SAFETY: the entry is the plugin's.
        unsafe { self.value(&table, entry, address, kind) }
    }

    /// # Safety
    /// The entry is one of the table's, and the field is.
    unsafe fn value(
        &mut self,
        table: &OwnTable,
        entry: EntryPtr,
        field: FieldPtr,
        kind: u32,
    ) -> Result<Answer, String> {
        let mut out = Data { u64_: 0 };
        // SAFETY: the caller's promise.
        let rc = unsafe { (table.read_entry_field)(table.table, entry, field, &raw mut out) };
        if rc != api::ss_plugin_rc_SS_PLUGIN_SUCCESS {
            return Err("the table does not give the value".to_owned());
        }
        if kind == TABLE {
            // SAFETY: a value of this type is an address of a whole description.
            let inner = unsafe {
                let input = out.table.cast::<api::ss_plugin_table_input>().as_ref();
                OwnTable::of(input.ok_or("there is no such table")?)?
            };
            let (name, key) = (inner.name.clone(), inner.key);
            self.inner.push(inner);
            let id = INNER + self.inner.len() as u64 - 1;
            return Ok(Answer::Table { id, name, key });
        }
        // SAFETY: the value is of the field's type.
        let cell = unsafe { cell(&out, kind) };
        Ok(Answer::Value(cell.ok_or("a value of no use")?))
    }

    fn walk(&mut self, id: u64) -> Result<Answer, String> {
        /// What is taken along.
        struct Walk<'w> {
            owned: &'w mut Owned,
            table: &'w OwnTable,
            fields: Vec<(u64, FieldPtr, u32)>,
            handles: Vec<u64>,
        }
        unsafe extern "C-unwind" fn step(
            carried: *mut api::ss_plugin_table_iterator_state_t,
            entry: EntryPtr,
        ) -> api::ss_plugin_bool {
            // SAFETY: it is what was given along; the plugin calls this during the walk only.
            let Some(walk) = (unsafe { carried.cast::<Walk<'_>>().as_mut() }) else {
                return 0;
            };
            let mut values = Vec::new();
            for (id, field, kind) in walk.fields.clone() {
                // SAFETY: the entry is good during this call.
                let value = unsafe { walk.owned.value(walk.table, entry, field, kind) };
                if let Ok(Answer::Value(cell)) = value {
                    values.push((id, cell));
                }
            }
            match walk.owned.hold(Held::Copy(values)) {
                Ok(Answer::Number(handle)) => {
                    walk.handles.push(handle);
                    1
                }
                _ => 0,
            }
        }
        let table = self.table(id)?;
        let mut fields = Vec::new();
        for (name, kind, _) in table.fields() {
            let field = table.field(&name, kind, false);
            if kind != TABLE && !field.is_null() {
                fields.push((self.intern(field, kind), field, kind));
            }
        }
        let mut walk = Walk {
            owned: self,
            table: &table,
            fields,
            handles: Vec::new(),
        };
        let carried: *mut Walk<'_> = &raw mut walk;
        // SAFETY: what is taken along lives during the call.
        unsafe { (table.iterate_entries)(table.table, Some(step), carried.cast()) };
        Ok(Answer::Entries(walk.handles))
    }
}

fn done(rc: api::ss_plugin_rc) -> Result<Answer, String> {
    if rc == api::ss_plugin_rc_SS_PLUGIN_SUCCESS {
        Ok(Answer::Done)
    } else {
        Err("the table refuses".to_owned())
    }
}
