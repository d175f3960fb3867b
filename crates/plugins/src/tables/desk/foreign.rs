//! Tables that plugins have for each other: questions go to the plugin whose table it is.

use super::{Desk, Entry, Inner, NO_ENTRY, Result};
use crate::tables::query::{Answer, Query};

impl Desk<'_> {
    /// Asks the plugin that a table is of.
    pub(super) fn forward(&mut self, offer: usize, query: Query) -> Result<Answer> {
        let plugin = {
            let shared = self.registry.lock();
            let name = &shared
                .offered
                .get(offer)
                .ok_or("there is no such table")?
                .plugin;
            let plugin = shared.plugins.iter().find(|(n, _)| n == name);
            plugin.and_then(|(_, plugin)| plugin.upgrade())
        };
        let plugin = plugin.ok_or("the plugin of this table is gone")?;
        if !self.used.contains(&offer) {
            self.used.push(offer);
        }
        // It waits for nobody: a plugin that is at work, or asks for a table of its own this way, is not asked.
        let mut plugin = plugin
            .try_lock()
            .map_err(|_| "the plugin of this table is busy")?;
        match plugin.asked(&query, self) {
            Ok(Answer::Failed(text)) => Err(text),
            Ok(answer) => Ok(answer),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn foreign(&mut self, offer: usize, id: u64, query: Query) -> Result<Answer> {
        let theirs = |desk: &Self, handle| match desk.entry(handle)? {
            Entry::Foreign(of, theirs) if *of == offer => Ok(*theirs),
            _ => Err(NO_ENTRY.to_owned()),
        };
        let table = id;
        let mut gone = None;
        let query = match query {
            Query::Fields { .. } => Query::Fields { table },
            Query::Field {
                name, kind, add, ..
            } => Query::Field {
                table,
                name,
                kind,
                add,
            },
            Query::Size { .. } => Query::Size { table },
            Query::Entry { key, .. } => Query::Entry { table, key },
            Query::Read { entry, field, .. } => Query::Read {
                table,
                entry: theirs(self, entry)?,
                field,
            },
            Query::Release { entry, .. } | Query::Destroy { entry, .. } => {
                let release = matches!(query, Query::Release { .. });
                let own = theirs(self, entry)?;
                gone = Some(entry);
                if release {
                    Query::Release { table, entry: own }
                } else {
                    Query::Destroy { table, entry: own }
                }
            }
            Query::Walk { .. } => Query::Walk { table },
            Query::Clear { .. } => Query::Clear { table },
            Query::Erase { key, .. } => Query::Erase { table, key },
            Query::Create { .. } => Query::Create { table },
            Query::Add { key, entry, .. } => {
                let own = theirs(self, entry)?;
                gone = Some(entry);
                Query::Add {
                    table,
                    key,
                    entry: own,
                }
            }
            Query::Write {
                entry,
                field,
                value,
                ..
            } => Query::Write {
                table,
                entry: theirs(self, entry)?,
                field,
                value,
            },
            other => other,
        };
        let gives_entry = matches!(
            query,
            Query::Entry { .. } | Query::Create { .. } | Query::Add { .. }
        );
        let answer = self.forward(offer, query)?;
        if let Some(handle) = gone {
            self.drop_entry(handle);
        }
        Ok(match answer {
            Answer::Number(handle) if gives_entry => {
                Answer::Number(self.hold(Entry::Foreign(offer, handle))?)
            }
            Answer::Entries(all) => {
                let held = all
                    .into_iter()
                    .map(|handle| self.hold(Entry::Foreign(offer, handle)));
                Answer::Entries(held.collect::<Result<_>>()?)
            }
            Answer::Table { id, name, key } => Answer::Table {
                id: self.enter(Inner::Foreign(offer, id))?,
                name,
                key,
            },
            other => other,
        })
    }
}
