//! The host's side of tables: threads and what belongs to them, and tables that plugins have for each other.
//!
//! A [`Registry`] knows which tables and added fields there are; plugins of one stream share it. A `Desk` answers what one
//! plugin asks during one call, over a state that may be read, or written too.

mod entries;
mod foreign;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use state::{Options, State, ThreadIx, ThreadList};

use super::query::{Answer, Host, INT64, Query, STRING, TABLE};
use super::threads::{
    CONTAINER_ID, DESCRIPTORS, FD_FIELDS, THREAD_FIELDS, THREADS, fd_read_only, list_fields,
    list_name, thread_read_only,
};
use crate::plugin::Plugin;

/// Number of the table of threads.
const THREADS_ID: u64 = 1;
/// Number of the first table that a plugin has for others.
const OFFERED: u64 = 0x100;
/// Number of the first table that is part of an entry.
const INNER: u64 = 1 << 32;
/// Number of the first field that plugins have added.
const ADDED: u64 = 1000;
/// Fields that may be added to a table.
const ADDED_MAX: usize = 1024;
/// Tables that plugins may have for each other.
const OFFERED_MAX: usize = 256;
/// Entries that may be held, and made, during one call.
const HELD_MAX: usize = 1 << 20;
const MADE_MAX: usize = 1 << 12;

/// Tables and added fields that the plugins of one stream share.
#[derive(Default)]
pub struct Registry(Mutex<Shared>);

#[derive(Default)]
struct Shared {
    plugins: Vec<(String, Weak<Mutex<Plugin>>)>,
    offered: Vec<Offer>,
    threads: Vec<(String, u32)>,
    descriptors: Vec<(String, u32)>,
}

struct Offer {
    name: String,
    key: u32,
    plugin: String,
    /// Its number there.
    id: u64,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a plugin known, so that those after it reach the tables that it has for them.
    pub fn enroll(&self, plugin: &Arc<Mutex<Plugin>>) {
        let name = plugin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .info()
            .name
            .clone();
        self.lock().plugins.push((name, Arc::downgrade(plugin)));
    }
}

/// What of the state a call may touch.
pub enum Access<'s> {
    /// Nothing: no state is there.
    None,
    /// It may read.
    Read(&'s State),
    /// It may read and write.
    Write(&'s mut State),
}

impl Access<'_> {
    fn state(&self) -> Option<&State> {
        match self {
            Self::None => None,
            Self::Read(state) => Some(state),
            Self::Write(state) => Some(state),
        }
    }

    fn state_mut(&mut self) -> Option<&mut State> {
        match self {
            Self::Write(state) => Some(state),
            _ => None,
        }
    }
}

/// Where a thread is.
#[derive(Clone, Copy)]
enum Place {
    /// In the state.
    Known(i64),
    /// Made during this call, and in no table yet.
    Made(ThreadIx),
}

/// A table that is part of an entry.
#[derive(Clone, Copy)]
enum Inner {
    List(Place, ThreadList),
    Descriptors(Place),
    Foreign(usize, u64),
}

/// An entry that a plugin holds.
#[derive(Clone)]
enum Entry {
    Thread(Place),
    Item(Place, ThreadList, u64),
    /// Made, and in no list yet.
    NewItem(ThreadList, Vec<u8>, Vec<u8>),
    Descriptor(Place, i64),
    /// In another plugin's table: its number there.
    Foreign(usize, u64),
}

/// Which table a number is.
enum Which {
    Threads,
    Inner(Inner),
    Foreign(usize, u64),
}

/// Answers one plugin during one call.
pub(crate) struct Desk<'d> {
    registry: &'d Registry,
    access: Access<'d>,
    plugin: &'d str,
    made: Option<Box<State>>,
    made_count: usize,
    entries: Vec<Option<Entry>>,
    inner: Vec<Inner>,
    /// Whose tables were used, by place in the registry.
    used: Vec<usize>,
}

type Result<T, E = String> = std::result::Result<T, E>;

const NO_STATE: &str = "there is no state to read now";
const NO_WRITING: &str =
    "tables may be written while an event is parsed and at the begin and end of a capture";
const NO_ENTRY: &str = "that is no entry of this table";

impl<'d> Desk<'d> {
    pub(crate) fn new(registry: &'d Registry, access: Access<'d>, plugin: &'d str) -> Self {
        Self {
            registry,
            access,
            plugin,
            made: None,
            made_count: 0,
            entries: Vec::new(),
            inner: Vec::new(),
            used: Vec::new(),
        }
    }

    fn which(&self, table: u64) -> Result<Which> {
        if table == THREADS_ID {
            return Ok(Which::Threads);
        }
        if let Some(at) = table.checked_sub(INNER) {
            let inner = usize::try_from(at).ok().and_then(|at| self.inner.get(at));
            return match inner {
                Some(Inner::Foreign(offer, id)) => Ok(Which::Foreign(*offer, *id)),
                Some(inner) => Ok(Which::Inner(*inner)),
                None => Err("a table of another call".to_owned()),
            };
        }
        let at = table.wrapping_sub(OFFERED) as usize;
        let shared = self.registry.lock();
        let offer = shared.offered.get(at).ok_or("there is no such table")?;
        Ok(Which::Foreign(at, offer.id))
    }

    fn hold(&mut self, entry: Entry) -> Result<u64> {
        if self.entries.len() >= HELD_MAX {
            return Err("too many entries are held".to_owned());
        }
        self.entries.push(Some(entry));
        Ok(self.entries.len() as u64)
    }

    fn entry(&self, handle: u64) -> Result<&Entry> {
        let at = usize::try_from(handle).unwrap_or(0).wrapping_sub(1);
        let entry = self.entries.get(at).and_then(Option::as_ref);
        entry.ok_or_else(|| "an entry that is not held".to_owned())
    }

    fn drop_entry(&mut self, handle: u64) -> Option<Entry> {
        let at = usize::try_from(handle).unwrap_or(0).wrapping_sub(1);
        self.entries.get_mut(at)?.take()
    }

    fn enter(&mut self, inner: Inner) -> Result<u64> {
        if self.inner.len() >= HELD_MAX {
            return Err("too many tables are held".to_owned());
        }
        self.inner.push(inner);
        Ok(INNER + self.inner.len() as u64 - 1)
    }

    /// The state that a place is in, and its thread there.
    fn at(&self, place: Place) -> Result<(&State, ThreadIx)> {
        match place {
            Place::Known(tid) => {
                let state = self.access.state().ok_or(NO_STATE)?;
                Ok((state, state.by_tid(tid).ok_or("the thread is gone")?))
            }
            Place::Made(ix) => Ok((self.made.as_deref().ok_or(NO_STATE)?, ix)),
        }
    }

    fn at_mut(&mut self, place: Place) -> Result<(&mut State, ThreadIx)> {
        match place {
            Place::Known(tid) => {
                let state = self.access.state_mut().ok_or(NO_WRITING)?;
                let ix = state.by_tid(tid).ok_or("the thread is gone")?;
                Ok((state, ix))
            }
            Place::Made(ix) => Ok((self.made.as_deref_mut().ok_or(NO_STATE)?, ix)),
        }
    }

    fn make(&mut self) -> Result<ThreadIx> {
        self.made_count += 1;
        if self.made_count > MADE_MAX {
            return Err("too many entries are made in one call".to_owned());
        }
        let made = self
            .made
            .get_or_insert_with(|| Box::new(State::new(Options::default())));
        Ok(made.blank())
    }

    // ---- tables and fields ----

    fn tables(&self) -> Answer {
        let shared = self.registry.lock();
        let own = std::iter::once((THREADS.to_owned(), INT64));
        let offered = shared.offered.iter();
        Answer::Tables(
            own.chain(offered.map(|offer| (offer.name.clone(), offer.key)))
                .collect(),
        )
    }

    fn find(&self, name: &str, key: u32) -> Result<Answer> {
        let shared = self.registry.lock();
        let (id, actual) = if name == THREADS {
            (THREADS_ID, INT64)
        } else {
            let at = shared.offered.iter().position(|offer| offer.name == name);
            let at = at.ok_or_else(|| format!("there is no table '{name}'"))?;
            (OFFERED + at as u64, shared.offered[at].key)
        };
        if actual != key {
            return Err(format!(
                "table in registry accessed with wrong key type: table='{name}', requested='{}', actual='{}'",
                type_name(key),
                type_name(actual)
            ));
        }
        Ok(Answer::Table {
            id,
            name: name.to_owned(),
            key,
        })
    }

    fn offer(&self, name: &str, key: u32, id: u64) -> Result<Answer> {
        let mut shared = self.registry.lock();
        let plugin = self.plugin;
        if let Some(offer) = shared.offered.iter_mut().find(|offer| offer.name == name) {
            // A plugin that was started again brings its tables again.
            if offer.plugin == plugin && offer.key == key {
                offer.id = id;
                return Ok(Answer::Done);
            }
            return Err(format!("table added to registry multiple times: {name}"));
        }
        if name == THREADS || shared.offered.len() >= OFFERED_MAX {
            return Err(format!("table added to registry multiple times: {name}"));
        }
        shared.offered.push(Offer {
            name: name.to_owned(),
            key,
            plugin: plugin.to_owned(),
            id,
        });
        Ok(Answer::Done)
    }

    fn fields(&self, which: &Which) -> Vec<(String, u32, bool)> {
        let shared = self.registry.lock();
        let with = |own: Vec<(String, u32, bool)>, added: &[(String, u32)]| {
            let added = added
                .iter()
                .map(|(name, kind)| (name.clone(), *kind, false));
            own.into_iter().chain(added).collect()
        };
        match which {
            Which::Threads => with(
                THREAD_FIELDS
                    .iter()
                    .map(|(name, kind, column)| {
                        ((*name).to_owned(), *kind, thread_read_only(*column))
                    })
                    .collect(),
                &shared.threads,
            ),
            Which::Inner(Inner::Descriptors(_)) => with(
                FD_FIELDS
                    .iter()
                    .map(|(name, kind, field)| ((*name).to_owned(), *kind, fd_read_only(*field)))
                    .collect(),
                &shared.descriptors,
            ),
            Which::Inner(Inner::List(_, list)) => list_fields(*list)
                .iter()
                .map(|name| ((*name).to_owned(), STRING, false))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn field(&self, which: &Which, name: &str, kind: u32, add: bool) -> Result<Answer> {
        let (title, own): (&str, Vec<(&str, u32)>) = match which {
            Which::Threads => (
                THREADS,
                THREAD_FIELDS.iter().map(|(n, k, _)| (*n, *k)).collect(),
            ),
            Which::Inner(Inner::Descriptors(_)) => (
                DESCRIPTORS,
                FD_FIELDS.iter().map(|(n, k, _)| (*n, *k)).collect(),
            ),
            Which::Inner(Inner::List(_, list)) => (
                list_name(*list),
                list_fields(*list).iter().map(|n| (*n, STRING)).collect(),
            ),
            _ => return Err("there is no such table".to_owned()),
        };
        if let Some(at) = own.iter().position(|(n, _)| *n == name) {
            if add {
                return Err(format!(
                    "can't add dynamic field already defined as static: {name}"
                ));
            }
            if own[at].1 != kind {
                return Err(format!("incompatible data types for static field: {name}"));
            }
            return Ok(Answer::Number(at as u64));
        }
        let mut shared = self.registry.lock();
        let added = match which {
            Which::Threads => &mut shared.threads,
            Which::Inner(Inner::Descriptors(_)) => &mut shared.descriptors,
            _ if add => return Err(format!("table '{title}' takes no new fields")),
            _ => return Err(format!("undefined field '{name}' in table '{title}'")),
        };
        if let Some(at) = added.iter().position(|(n, _)| n == name) {
            if added[at].1 != kind {
                return Err(format!("incompatible data types for dynamic field: {name}"));
            }
            return Ok(Answer::Number(ADDED + at as u64));
        }
        let theirs = title == THREADS && name == CONTAINER_ID && kind == STRING;
        if !add && !theirs {
            return Err(format!("undefined field '{name}' in table '{title}'"));
        }
        if kind == TABLE || added.len() >= ADDED_MAX {
            return Err(format!(
                "table '{title}' takes no field '{name}' of this type"
            ));
        }
        added.push((name.to_owned(), kind));
        Ok(Answer::Number(ADDED + added.len() as u64 - 1))
    }

    /// Name and type of an added field.
    fn added(&self, threads: bool, field: u64) -> Result<(usize, String, u32)> {
        let at = field
            .checked_sub(ADDED)
            .and_then(|at| usize::try_from(at).ok());
        let shared = self.registry.lock();
        let added = if threads {
            &shared.threads
        } else {
            &shared.descriptors
        };
        let found = at.and_then(|at| Some((at, added.get(at)?.clone())));
        let (at, (name, kind)) = found.ok_or("there is no such field")?;
        Ok((at, name, kind))
    }

    fn serve(&mut self, query: Query) -> Result<Answer> {
        let table = match &query {
            Query::Tables => return Ok(self.tables()),
            Query::End => return Ok(Answer::Done),
            Query::Find { name, key } => return self.find(name, *key),
            Query::Offer { name, key, id } => return self.offer(name, *key, *id),
            Query::Fields { table }
            | Query::Field { table, .. }
            | Query::Size { table }
            | Query::Entry { table, .. }
            | Query::Read { table, .. }
            | Query::Release { table, .. }
            | Query::Walk { table }
            | Query::Clear { table }
            | Query::Erase { table, .. }
            | Query::Create { table }
            | Query::Destroy { table, .. }
            | Query::Add { table, .. }
            | Query::Write { table, .. } => *table,
        };
        let which = self.which(table)?;
        if let Which::Foreign(offer, id) = which {
            return self.foreign(offer, id, query);
        }
        match query {
            Query::Fields { .. } => Ok(Answer::Fields(self.fields(&which))),
            Query::Field {
                name, kind, add, ..
            } => self.field(&which, &name, kind, add),
            Query::Size { .. } => Ok(Answer::Number(self.size(&which)?)),
            Query::Entry { key, .. } => self.look_up(&which, &key),
            Query::Read { entry, field, .. } => self.read(entry, field),
            Query::Release { entry, .. } | Query::Destroy { entry, .. } => {
                self.drop_entry(entry);
                Ok(Answer::Done)
            }
            Query::Walk { .. } => self.walk(&which),
            Query::Clear { .. } => self.clear(&which),
            Query::Erase { key, .. } => self.erase(&which, &key),
            Query::Create { .. } => self.create(&which),
            Query::Add { key, entry, .. } => self.add(&which, &key, entry),
            Query::Write {
                entry,
                field,
                value,
                ..
            } => self.write(entry, field, value),
            _ => Err(String::new()),
        }
    }
}

fn type_name(kind: u32) -> &'static str {
    match kind {
        1 => "int8",
        2 => "int16",
        3 => "int32",
        4 => "int64",
        5 => "uint8",
        6 => "uint16",
        7 => "uint32",
        8 => "uint64",
        9 => "string",
        10 => "table",
        25 => "bool",
        _ => "unknown",
    }
}

impl Host for Desk<'_> {
    fn answer(&mut self, query: Query) -> Answer {
        self.serve(query).unwrap_or_else(Answer::Failed)
    }
}

impl Drop for Desk<'_> {
    /// What is still held in other plugins' tables is given back.
    fn drop(&mut self) {
        for offer in std::mem::take(&mut self.used) {
            let _ = self.forward(offer, Query::End);
        }
    }
}
