//! The functions that a plugin calls for tables, in C's form.

use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use falco_plugin_api as api;
use state::Cell;

use super::held::{
    FAILURE, Field, KEPT_MAX, SUCCESS, Table, ask, cell, data, handle, pointer, table,
};
use super::owned::OwnTable;
use super::query::{Answer, Query};
use super::{c_text, owner};
use crate::library::text;

pub(super) unsafe extern "C-unwind" fn list_tables(
    o: *mut api::ss_plugin_owner_t,
    count: *mut u32,
) -> *mut api::ss_plugin_table_info {
    // SAFETY: called by a plugin with the address that we gave it.
    let owner = unsafe { owner(o) };
    let all = match (owner, ask(Query::Tables)) {
        (Some(_), Answer::Tables(all)) => all,
        _ => Vec::new(),
    };
    if !count.is_null() {
        // SAFETY: the plugin wants the number there.
        unsafe { count.write(all.len() as u32) };
    }
    let (Some(owner), false) = (owner, all.is_empty()) else {
        return null_mut();
    };
    let mut held = owner.held();
    let names: Vec<CString> = all.iter().map(|(name, _)| c_text(name)).collect();
    let infos = names.iter().zip(&all);
    held.listed.infos = infos
        .map(|(name, (_, key_type))| api::ss_plugin_table_info {
            name: name.as_ptr(),
            key_type: *key_type,
        })
        .collect();
    held.listed.names = names;
    held.listed.infos.as_mut_ptr()
}

pub(super) unsafe extern "C-unwind" fn get_table(
    o: *mut api::ss_plugin_owner_t,
    name: *const c_char,
    key: api::ss_plugin_state_type,
) -> *mut api::ss_plugin_table_t {
    // SAFETY: called by a plugin with the address that we gave it and a NUL-terminated name.
    let (owner, name) = unsafe { (owner(o), text(name)) };
    let (Some(owner), Some(name)) = (owner, name) else {
        return null_mut();
    };
    // Asked again for a table, whatever the type, it is the same one.
    let (held, wanted) = (owner.held(), name.as_bytes());
    if let Some(table) = held
        .tables
        .iter()
        .find(|table| table.name.as_bytes() == wanted)
    {
        return table.address();
    }
    drop(held);
    let own = owner
        .owned
        .try_lock()
        .ok()
        .and_then(|owned| owned.named(&name));
    let (id, own) = match own {
        Some(own) if own.key != key => {
            owner.fail(&format!(
                "table in registry accessed with wrong key type: table='{name}'"
            ));
            return null_mut();
        }
        Some(own) => (0, Some(own)),
        None => match ask(Query::Find {
            name: name.clone(),
            key,
        }) {
            Answer::Table { id, .. } => (id, None),
            Answer::Failed(text) => {
                owner.fail(&text);
                return null_mut();
            }
            _ => return null_mut(),
        },
    };
    let table = Table::new(owner, id, &name, key, own);
    let address = table.address();
    owner.held().tables.push(table);
    address
}

pub(super) unsafe extern "C-unwind" fn add_table(
    o: *mut api::ss_plugin_owner_t,
    input: *const api::ss_plugin_table_input,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with the address that we gave it and a table of its own.
    let (Some(owner), Some(input)) = (unsafe { (owner(o), input.as_ref()) }) else {
        return FAILURE;
    };
    let plugin = owner
        .name
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    // SAFETY: the plugin's table is whole.
    let result = unsafe { OwnTable::of(input) }.and_then(|table| {
        let (name, key) = (table.name.clone(), table.key);
        let Ok(mut owned) = owner.owned.try_lock() else {
            return Err("its tables are being used".to_owned());
        };
        if owned.named(&name).is_some() {
            return Err(format!("table added to registry multiple times: {name}"));
        }
        let id = owned.put(table);
        drop(owned);
        match ask(Query::Offer { name, key, id }) {
            Answer::Failed(text) => Err(text),
            _ => Ok(()),
        }
    });
    match result {
        Ok(()) => SUCCESS,
        Err(text) => {
            owner.fail(&format!(
                "failure in adding state table defined by plugin '{plugin}': {text}"
            ));
            FAILURE
        }
    }
}

pub(super) unsafe extern "C-unwind" fn list_fields(
    t: *mut api::ss_plugin_table_t,
    count: *mut u32,
) -> *const api::ss_plugin_table_fieldinfo {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return null();
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.list_table_fields)(own.table, count) };
    }
    let all = match table.ask(Query::Fields { table: table.id }) {
        Answer::Fields(all) => all,
        _ => Vec::new(),
    };
    if !count.is_null() {
        // SAFETY: the plugin wants the number there.
        unsafe { count.write(all.len() as u32) };
    }
    let mut listed = table.listed.lock().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<CString> = all.iter().map(|(name, ..)| c_text(name)).collect();
    let infos = names.iter().zip(&all);
    listed.infos = infos
        .map(
            |(name, (_, kind, read_only))| api::ss_plugin_table_fieldinfo {
                name: name.as_ptr(),
                field_type: *kind,
                read_only: u32::from(*read_only),
            },
        )
        .collect();
    listed.names = names;
    listed.infos.as_ptr()
}

/// # Safety
/// Called by a plugin with an address of ours and a NUL-terminated name.
unsafe fn field(
    t: *mut api::ss_plugin_table_t,
    name: *const c_char,
    kind: u32,
    add: bool,
) -> *mut api::ss_plugin_table_field_t {
    // SAFETY: the caller's promise.
    let (Some(table), Some(text)) = (unsafe { (table(t), text(name)) }) else {
        return null_mut();
    };
    if let Some(own) = &table.own {
        let function = if add {
            own.add_table_field
        } else {
            own.get_table_field
        };
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { function(own.table, name, kind) };
    }
    let answer = table.ask(Query::Field {
        table: table.id,
        name: text.clone(),
        kind,
        add,
    });
    let Answer::Number(id) = answer else {
        return null_mut();
    };
    let mut held = table.owner().held();
    let name = String::from_utf8_lossy(table.name.as_bytes());
    let known = held
        .fields
        .iter()
        .find(|field| field.name == text && field.kind == kind && field.table == name);
    if let Some(field) = known {
        field.id.store(id, Ordering::Relaxed);
        return std::ptr::from_ref(&**field).cast_mut().cast();
    }
    if held.fields.len() >= KEPT_MAX {
        return null_mut();
    }
    let field = Box::new(Field {
        table: name.into_owned(),
        name: text,
        kind,
        id: AtomicU64::new(id),
    });
    let address = std::ptr::from_ref(&*field).cast_mut().cast();
    held.fields.push(field);
    address
}

pub(super) unsafe extern "C-unwind" fn get_field(
    t: *mut api::ss_plugin_table_t,
    name: *const c_char,
    kind: api::ss_plugin_state_type,
) -> *mut api::ss_plugin_table_field_t {
    // SAFETY: called by a plugin as the interface says.
    unsafe { field(t, name, kind, false) }
}

pub(super) unsafe extern "C-unwind" fn add_field(
    t: *mut api::ss_plugin_table_t,
    name: *const c_char,
    kind: api::ss_plugin_state_type,
) -> *mut api::ss_plugin_table_field_t {
    // SAFETY: called by a plugin as the interface says.
    unsafe { field(t, name, kind, true) }
}

pub(super) unsafe extern "C-unwind" fn get_name(t: *mut api::ss_plugin_table_t) -> *const c_char {
    // SAFETY: called by a plugin with an address of ours.
    unsafe { table(t) }.map_or(c"".as_ptr(), |table| table.name.as_ptr())
}

pub(super) unsafe extern "C-unwind" fn get_size(t: *mut api::ss_plugin_table_t) -> u64 {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return 0;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.get_table_size)(own.table) };
    }
    match table.ask(Query::Size { table: table.id }) {
        Answer::Number(size) => size,
        _ => 0,
    }
}

pub(super) unsafe extern "C-unwind" fn get_entry(
    t: *mut api::ss_plugin_table_t,
    key: *const api::ss_plugin_state_data,
) -> *mut api::ss_plugin_table_entry_t {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return null_mut();
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.get_table_entry)(own.table, key) };
    }
    // SAFETY: the plugin gives a key of the table's type.
    let Some(key) = (unsafe { table.key(key) }) else {
        return null_mut();
    };
    table.entry(Query::Entry {
        table: table.id,
        key,
    })
}

pub(super) unsafe extern "C-unwind" fn read(
    t: *mut api::ss_plugin_table_t,
    e: *mut api::ss_plugin_table_entry_t,
    f: *const api::ss_plugin_table_field_t,
    out: *mut api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with an address of ours, and a place for the value.
    let (Some(table), Some(out)) = (unsafe { (table(t), out.as_mut()) }) else {
        return FAILURE;
    };
    let owner = table.owner();
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table, entry and field.
        let rc = unsafe { (own.read_entry_field)(own.table, e, f, out) };
        // SAFETY: only where its table says that this field is a table is the value one.
        let inner = unsafe { own.inner(f, out) };
        if let (SUCCESS, Some(inner)) = (rc, inner) {
            let wrapped = Table::new(owner, 0, &inner.name.clone(), inner.key, Some(inner));
            out.table = wrapped.address();
            owner.held().passing.tables.push(wrapped);
        }
        return rc;
    }
    // SAFETY: a field is an address that we gave.
    let Some(field) = (unsafe { f.cast::<Field>().as_ref() }) else {
        return FAILURE;
    };
    let query = |field: &Field| Query::Read {
        table: table.id,
        entry: handle(e),
        field: field.id.load(Ordering::Relaxed),
    };
    let mut answer = table.ask(query(field));
    if matches!(answer, Answer::Nothing) && table.renew(field) {
        answer = table.ask(query(field));
    }
    match answer {
        Answer::Value(cell) => {
            let Some((value, text)) = data(&cell, field.kind) else {
                owner.fail("a value of another type");
                return FAILURE;
            };
            *out = value;
            if let Some(text) = text {
                let mut held = owner.held();
                if held.passing.texts.len() >= KEPT_MAX {
                    return FAILURE;
                }
                held.passing.texts.push(text);
            }
            SUCCESS
        }
        Answer::Table { id, name, key } => {
            let inner = Table::new(owner, id, &name, key, None);
            out.table = inner.address();
            let mut held = owner.held();
            if held.passing.tables.len() >= KEPT_MAX {
                return FAILURE;
            }
            held.passing.tables.push(inner);
            SUCCESS
        }
        _ => FAILURE,
    }
}

pub(super) unsafe extern "C-unwind" fn release(
    t: *mut api::ss_plugin_table_t,
    e: *mut api::ss_plugin_table_entry_t,
) {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table and entry.
        unsafe { (own.release_table_entry)(own.table, e) };
        return;
    }
    let (table_id, entry) = (table.id, handle(e));
    table.ask(Query::Release {
        table: table_id,
        entry,
    });
}

pub(super) unsafe extern "C-unwind" fn walk(
    t: *mut api::ss_plugin_table_t,
    function: api::ss_plugin_table_iterator_func_t,
    carried: *mut api::ss_plugin_table_iterator_state_t,
) -> api::ss_plugin_bool {
    // SAFETY: called by a plugin with an address of ours.
    let (Some(table), Some(step)) = (unsafe { table(t) }, function) else {
        return 0;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.iterate_entries)(own.table, function, carried) };
    }
    let Answer::Entries(all) = table.ask(Query::Walk { table: table.id }) else {
        return 0;
    };
    for entry in all {
        // SAFETY: the function is the plugin's, and takes what it gave along.
        if unsafe { step(carried, pointer(entry)) } == 0 {
            return 0;
        }
    }
    1
}

pub(super) unsafe extern "C-unwind" fn clear(t: *mut api::ss_plugin_table_t) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return FAILURE;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.clear_table)(own.table) };
    }
    table.done(Query::Clear { table: table.id })
}

pub(super) unsafe extern "C-unwind" fn erase(
    t: *mut api::ss_plugin_table_t,
    key: *const api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return FAILURE;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.erase_table_entry)(own.table, key) };
    }
    // SAFETY: the plugin gives a key of the table's type.
    let Some(key) = (unsafe { table.key(key) }) else {
        return FAILURE;
    };
    table.done(Query::Erase {
        table: table.id,
        key,
    })
}

pub(super) unsafe extern "C-unwind" fn create(
    t: *mut api::ss_plugin_table_t,
) -> *mut api::ss_plugin_table_entry_t {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return null_mut();
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table.
        return unsafe { (own.create_table_entry)(own.table) };
    }
    table.entry(Query::Create { table: table.id })
}

pub(super) unsafe extern "C-unwind" fn destroy(
    t: *mut api::ss_plugin_table_t,
    e: *mut api::ss_plugin_table_entry_t,
) {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table and entry.
        unsafe { (own.destroy_table_entry)(own.table, e) };
        return;
    }
    let (table_id, entry) = (table.id, handle(e));
    table.ask(Query::Destroy {
        table: table_id,
        entry,
    });
}

pub(super) unsafe extern "C-unwind" fn add(
    t: *mut api::ss_plugin_table_t,
    key: *const api::ss_plugin_state_data,
    e: *mut api::ss_plugin_table_entry_t,
) -> *mut api::ss_plugin_table_entry_t {
    // SAFETY: called by a plugin with an address of ours.
    let Some(table) = (unsafe { table(t) }) else {
        return null_mut();
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table and entry.
        return unsafe { (own.add_table_entry)(own.table, key, e) };
    }
    // SAFETY: the plugin gives a key of the table's type.
    let Some(key) = (unsafe { table.key(key) }) else {
        return null_mut();
    };
    table.entry(Query::Add {
        table: table.id,
        key,
        entry: handle(e),
    })
}

pub(super) unsafe extern "C-unwind" fn write(
    t: *mut api::ss_plugin_table_t,
    e: *mut api::ss_plugin_table_entry_t,
    f: *const api::ss_plugin_table_field_t,
    value: *const api::ss_plugin_state_data,
) -> api::ss_plugin_rc {
    // SAFETY: called by a plugin with an address of ours, and a value.
    let (Some(table), Some(data)) = (unsafe { (table(t), value.as_ref()) }) else {
        return FAILURE;
    };
    if let Some(own) = &table.own {
        // SAFETY: the plugin's own function, with its own table, entry and field.
        return unsafe { (own.write_entry_field)(own.table, e, f, value) };
    }
    // SAFETY: a field is an address that we gave.
    let Some(field) = (unsafe { f.cast::<Field>().as_ref() }) else {
        return FAILURE;
    };
    // SAFETY: the plugin gives a value of the field's type.
    let Some(value) = (unsafe { cell(data, field.kind) }) else {
        table.owner().fail("a value of no use");
        return FAILURE;
    };
    let query = |field: &Field, value: Cell| Query::Write {
        table: table.id,
        entry: handle(e),
        field: field.id.load(Ordering::Relaxed),
        value,
    };
    match table.ask(query(field, value.clone())) {
        Answer::Done => SUCCESS,
        Answer::Nothing if table.renew(field) => table.done(query(field, value)),
        _ => FAILURE,
    }
}
