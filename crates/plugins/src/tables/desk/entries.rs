//! Entries and values of the host's own tables.

use state::{Cell, ThreadList};

use super::{Desk, Entry, Inner, NO_ENTRY, NO_STATE, NO_WRITING, Place, Result, Which};
use crate::tables::query::{Answer, INT64, STRING, UINT64};
use crate::tables::threads::{CONTAINER_ID, FD_FIELDS, THREAD_FIELDS, ThreadColumn, list_fields};

impl Desk<'_> {
    pub(super) fn size(&self, which: &Which) -> Result<u64> {
        Ok(match which {
            Which::Threads => self.access.state().ok_or(NO_STATE)?.thread_count(),
            Which::Inner(Inner::List(place, list)) => {
                let (state, ix) = self.at(*place)?;
                state.list_len(ix, *list)
            }
            Which::Inner(Inner::Descriptors(place)) => {
                let (state, ix) = self.at(*place)?;
                state.descriptors(ix).map_or(0, state::DescriptorTable::len)
            }
            _ => 0,
        } as u64)
    }

    pub(super) fn look_up(&mut self, which: &Which, key: &Cell) -> Result<Answer> {
        let number = key.number().ok_or("a key of another type")?;
        let entry = match which {
            Which::Threads => {
                let state = self.access.state().ok_or(NO_STATE)?;
                state
                    .by_tid(number)
                    .map(|_| Entry::Thread(Place::Known(number)))
            }
            Which::Inner(Inner::List(place, list)) => {
                let (state, ix) = self.at(*place)?;
                let at = number as u64;
                (at < state.list_len(ix, *list) as u64).then_some(Entry::Item(*place, *list, at))
            }
            Which::Inner(Inner::Descriptors(place)) => {
                let (state, ix) = self.at(*place)?;
                state
                    .descriptor(ix, number)
                    .map(|_| Entry::Descriptor(*place, number))
            }
            _ => None,
        };
        match entry {
            Some(entry) => Ok(Answer::Number(self.hold(entry)?)),
            None => Ok(Answer::Nothing),
        }
    }

    pub(super) fn walk(&mut self, which: &Which) -> Result<Answer> {
        let all: Vec<Entry> = match which {
            Which::Threads => {
                let state = self.access.state().ok_or(NO_STATE)?;
                let tids = state.threads().map(|(_, thread)| thread.tid);
                tids.map(|tid| Entry::Thread(Place::Known(tid))).collect()
            }
            Which::Inner(Inner::List(place, list)) => {
                let (state, ix) = self.at(*place)?;
                let count = state.list_len(ix, *list) as u64;
                (0..count)
                    .map(|at| Entry::Item(*place, *list, at))
                    .collect()
            }
            Which::Inner(Inner::Descriptors(place)) => {
                let (state, ix) = self.at(*place)?;
                let table = state.descriptors(ix);
                table
                    .into_iter()
                    .flat_map(state::DescriptorTable::iter)
                    .map(|(fd, _)| Entry::Descriptor(*place, fd))
                    .collect()
            }
            _ => Vec::new(),
        };
        let held = all.into_iter().map(|entry| self.hold(entry));
        Ok(Answer::Entries(held.collect::<Result<_>>()?))
    }

    pub(super) fn create(&mut self, which: &Which) -> Result<Answer> {
        let entry = match which {
            Which::Threads => Entry::Thread(Place::Made(self.make()?)),
            Which::Inner(Inner::List(_, list)) => Entry::NewItem(*list, Vec::new(), Vec::new()),
            Which::Inner(Inner::Descriptors(_)) => {
                let ix = self.make()?;
                if let Some(made) = &mut self.made {
                    made.add_blank_fd(ix, 0);
                }
                Entry::Descriptor(Place::Made(ix), 0)
            }
            _ => return Err(NO_ENTRY.to_owned()),
        };
        Ok(Answer::Number(self.hold(entry)?))
    }

    pub(super) fn add(&mut self, which: &Which, key: &Cell, handle: u64) -> Result<Answer> {
        let number = key.number().ok_or("a key of another type")?;
        let entry = self.entry(handle)?.clone();
        let added = match (which, entry) {
            (Which::Threads, Entry::Thread(Place::Made(ix))) => {
                let made = self.made.as_deref().ok_or(NO_STATE)?;
                let state = self.access.state_mut().ok_or(NO_WRITING)?;
                state
                    .adopt(made, ix, number)
                    .ok_or("the table of threads takes no more, or no such number")?;
                Entry::Thread(Place::Known(number))
            }
            (Which::Inner(Inner::List(place, list)), Entry::NewItem(of, first, second))
                if of == *list =>
            {
                let (state, ix) = self.at_mut(*place)?;
                let at = number as u64;
                if !state.set_list_item(ix, *list, at, false, &first)
                    || (*list == ThreadList::Cgroups
                        && !state.set_list_item(ix, *list, at, true, &second))
                {
                    return Err("the list takes no more".to_owned());
                }
                Entry::Item(*place, *list, at)
            }
            (Which::Inner(Inner::Descriptors(place)), Entry::Descriptor(Place::Made(ix), at)) => {
                let done = match *place {
                    Place::Known(tid) => {
                        let made = self.made.as_deref().ok_or(NO_STATE)?;
                        let state = self.access.state_mut().ok_or(NO_WRITING)?;
                        let thread = state.by_tid(tid).ok_or("the thread is gone")?;
                        state.adopt_fd((made, ix, at), thread, number)
                    }
                    Place::Made(to) => {
                        let made = self.made.as_deref_mut().ok_or(NO_STATE)?;
                        made.move_fd((ix, at), to, number)
                    }
                };
                if !done {
                    return Err("the process takes no more descriptors".to_owned());
                }
                Entry::Descriptor(*place, number)
            }
            _ => return Err(NO_ENTRY.to_owned()),
        };
        self.drop_entry(handle);
        Ok(Answer::Number(self.hold(added)?))
    }

    pub(super) fn erase(&mut self, which: &Which, key: &Cell) -> Result<Answer> {
        let number = key.number().ok_or("a key of another type")?;
        let done = match which {
            Which::Threads => {
                let state = self.access.state_mut().ok_or(NO_WRITING)?;
                let found = state.by_tid(number);
                found.map(|ix| state.forget(ix)).is_some()
            }
            Which::Inner(Inner::List(place, list)) => {
                let (state, ix) = self.at_mut(*place)?;
                state.erase_list_item(ix, *list, number as u64)
            }
            Which::Inner(Inner::Descriptors(place)) => {
                let (state, ix) = self.at_mut(*place)?;
                state.erase_fd(ix, number)
            }
            _ => false,
        };
        if done {
            Ok(Answer::Done)
        } else {
            Err("there is no such entry".to_owned())
        }
    }

    pub(super) fn clear(&mut self, which: &Which) -> Result<Answer> {
        match which {
            Which::Threads => self.access.state_mut().ok_or(NO_WRITING)?.forget_all(),
            Which::Inner(Inner::List(place, list)) => {
                let (state, ix) = self.at_mut(*place)?;
                state.clear_list(ix, *list);
            }
            Which::Inner(Inner::Descriptors(place)) => {
                let (state, ix) = self.at_mut(*place)?;
                state.clear_fds(ix);
            }
            _ => {}
        }
        Ok(Answer::Done)
    }

    // ---- values ----

    pub(super) fn read(&mut self, handle: u64, field: u64) -> Result<Answer> {
        let at = usize::try_from(field).unwrap_or(usize::MAX);
        match self.entry(handle)? {
            Entry::Thread(place) => {
                let place = *place;
                if let Some((name, _, column)) = THREAD_FIELDS.get(at) {
                    let inner = match column {
                        ThreadColumn::Value(field) => {
                            let (state, ix) = self.at(place)?;
                            return Ok(Answer::Value(state.thread_cell(ix, *field)));
                        }
                        ThreadColumn::List(list) => Inner::List(place, *list),
                        ThreadColumn::Descriptors => Inner::Descriptors(place),
                    };
                    let key = if matches!(inner, Inner::Descriptors(_)) {
                        INT64
                    } else {
                        UINT64
                    };
                    return Ok(Answer::Table {
                        id: self.enter(inner)?,
                        name: (*name).to_owned(),
                        key,
                    });
                }
                let (number, name, kind) = self.added(true, field)?;
                let (state, ix) = self.at(place)?;
                if let Some(cell) = state.extra(ix, number) {
                    return Ok(Answer::Value(cell.clone()));
                }
                if name == CONTAINER_ID && kind == STRING {
                    let id = state.thread(ix).container_id().to_vec();
                    return Ok(Answer::Value(Cell::Text(id)));
                }
                Ok(Answer::Value(unwritten(kind)))
            }
            Entry::Descriptor(place, fd) => {
                let (state, ix) = self.at(*place)?;
                if let Some((_, _, column)) = FD_FIELDS.get(at) {
                    let cell = state.fd_cell(ix, *fd, *column);
                    return Ok(Answer::Value(cell.ok_or("the descriptor is gone")?));
                }
                let (number, _, kind) = self.added(false, field)?;
                let cell = state.fd_extra(ix, *fd, number).cloned();
                Ok(Answer::Value(cell.unwrap_or_else(|| unwritten(kind))))
            }
            Entry::Item(place, list, item) => {
                let (state, ix) = self.at(*place)?;
                let (first, second) = state
                    .list_item(ix, *list, *item)
                    .ok_or("the item is gone")?;
                let text = if at == 0 { first } else { second };
                Ok(Answer::Value(Cell::Text(text)))
            }
            Entry::NewItem(_, first, second) => {
                let text = if at == 0 { first } else { second };
                Ok(Answer::Value(Cell::Text(text.clone())))
            }
            Entry::Foreign(..) => Err(NO_ENTRY.to_owned()),
        }
    }

    pub(super) fn write(&mut self, handle: u64, field: u64, value: Cell) -> Result<Answer> {
        let at = usize::try_from(field).unwrap_or(usize::MAX);
        let entry = self.entry(handle)?.clone();
        let done = match entry {
            Entry::Thread(place) => match THREAD_FIELDS.get(at) {
                Some((_, _, ThreadColumn::Value(field))) => {
                    let (state, ix) = self.at_mut(place)?;
                    state.set_thread_cell(ix, *field, &value)
                }
                Some(_) => false,
                None => {
                    let (number, ..) = self.added(true, field)?;
                    let (state, ix) = self.at_mut(place)?;
                    state.set_extra(ix, number, value)
                }
            },
            Entry::Descriptor(place, fd) => match FD_FIELDS.get(at) {
                Some((_, _, field)) => {
                    let (state, ix) = self.at_mut(place)?;
                    state.set_fd_cell(ix, fd, *field, &value)
                }
                None => {
                    let (number, ..) = self.added(false, field)?;
                    let (state, ix) = self.at_mut(place)?;
                    state.set_fd_extra(ix, fd, number, value)
                }
            },
            Entry::Item(place, list, item) => {
                let text = value.text().ok_or("a value of another type")?.to_vec();
                let (state, ix) = self.at_mut(place)?;
                at < list_fields(list).len() && state.set_list_item(ix, list, item, at == 1, &text)
            }
            Entry::NewItem(..) => {
                let text = value.text().ok_or("a value of another type")?.to_vec();
                let index = handle as usize - 1;
                if let Some(Some(Entry::NewItem(_, first, second))) = self.entries.get_mut(index) {
                    *(if at == 0 { first } else { second }) = text;
                }
                true
            }
            Entry::Foreign(..) => false,
        };
        if done {
            Ok(Answer::Done)
        } else {
            Err("the field is read only, or the value is of another type".to_owned())
        }
    }
}

fn unwritten(kind: u32) -> Cell {
    match kind {
        STRING => Cell::Text(Vec::new()),
        _ => Cell::Unsigned(0),
    }
}
