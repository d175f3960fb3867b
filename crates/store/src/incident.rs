//! Alerts that belong together.

use rusqlite::params;
use serde::Serialize;

use crate::alert::Kept;
use crate::database::{Error, Store, kept};

/// An incident in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Id of its first alert.
    pub id: String,
    /// Alerts that are kept of it.
    pub alerts: u64,
    /// Time of the first of them, nanoseconds since the epoch.
    pub first: u64,
    /// Time of the last.
    pub last: u64,
    /// The most urgent priority, as a number.
    pub priority: u8,
    /// Id of the container of the last one; empty: the host.
    pub container: String,
    /// Rule of the last of the most urgent ones.
    pub rule: String,
    /// The process of that one.
    pub process: String,
}

/// What a text that is looked for must look like.
fn is_id(text: &str) -> bool {
    (4..=16).contains(&text.len()) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

impl Store {
    /// Ids of the incidents with an alert whose id begins so, each once; at most `most`. The incident's own id is that of
    /// an alert, and counts even if that one is not kept any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn incidents_of(&self, begin: &str, most: u32) -> Result<Vec<String>, Error> {
        if self.version < 2 || !is_id(begin) {
            return Ok(Vec::new());
        }
        let found = || -> rusqlite::Result<Vec<String>> {
            // Hexadecimal digits end before `g`: a range, so that the indices serve.
            let mut statement = self.connection.prepare_cached(
                "SELECT DISTINCT incident FROM (
                   SELECT incident FROM alerts WHERE alert_id >= ?1 AND alert_id < ?1 || 'g'
                   UNION ALL
                   SELECT incident FROM alerts WHERE incident >= ?1 AND incident < ?1 || 'g'
                 ) WHERE incident != '' LIMIT ?2",
            )?;
            let rows = statement.query_map(params![begin, most], |row| row.get(0))?;
            rows.collect()
        };
        found().map_err(|fault| self.fault(fault))
    }

    /// The alerts of an incident in the order of their times, at most `most`, the latest; and how many there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn incident(&self, id: &str, most: u32) -> Result<(Vec<Kept>, u64), Error> {
        if self.version < 2 {
            return Ok((Vec::new(), 0));
        }
        let found = || -> rusqlite::Result<(Vec<Kept>, u64)> {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {} FROM alerts WHERE incident = ?1 ORDER BY id DESC LIMIT ?2",
                self.columns()
            ))?;
            let rows = statement.query_map(params![id, most], kept)?;
            let mut alerts: Vec<Kept> = rows.collect::<rusqlite::Result<_>>()?;
            alerts.sort_by_key(|kept| (kept.alert.time, kept.id));
            let all: i64 = self.connection.query_row(
                "SELECT COUNT(*) FROM alerts WHERE incident = ?1",
                [id],
                |row| row.get(0),
            )?;
            Ok((alerts, u64::try_from(all).unwrap_or(0)))
        };
        found().map_err(|fault| self.fault(fault))
    }

    /// The latest incidents, the latest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn incidents(&self, most: u32) -> Result<Vec<Incident>, Error> {
        if self.version < 2 {
            return Ok(Vec::new());
        }
        let found = || -> rusqlite::Result<Vec<Incident>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT incident, COUNT(*), MIN(time), MAX(time), MIN(priority), MAX(id)
                 FROM alerts WHERE incident != '' GROUP BY incident ORDER BY MAX(time) DESC, MAX(id) DESC LIMIT ?1",
            )?;
            let number = |row: &rusqlite::Row<'_>, at| {
                row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0))
            };
            let rows = statement.query_map([most], |row| {
                Ok(Incident {
                    id: row.get(0)?,
                    alerts: number(row, 1)?,
                    first: number(row, 2)?,
                    last: number(row, 3)?,
                    priority: row.get(4)?,
                    ..Incident::default()
                })
            })?;
            let mut all: Vec<Incident> = rows.collect::<rusqlite::Result<_>>()?;
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {} FROM alerts WHERE incident = ?1 AND priority = ?2 ORDER BY id DESC LIMIT 1",
                self.columns()
            ))?;
            for one in &mut all {
                let mut rows = statement.query_map(params![one.id, one.priority], kept)?;
                if let Some(worst) = rows.next().transpose()? {
                    one.describe(&worst.alert);
                }
            }
            Ok(all)
        };
        found().map_err(|fault| self.fault(fault))
    }
}

impl Incident {
    /// Takes over what the line says besides numbers.
    pub fn describe(&mut self, worst: &crate::alert::Alert) {
        self.container.clone_from(&worst.container);
        self.rule.clone_from(&worst.rule);
        self.process = worst
            .processes
            .first()
            .map(|process| process.name.clone())
            .unwrap_or_default();
    }
}
