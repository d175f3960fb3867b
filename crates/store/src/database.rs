//! The file: SQLite, with a write-ahead log so that others read while the service writes.
//!
//! What an alert is found by (time, priority, rule, source, container) has a column; event, processes
//! and fields are JSON. `user_version` is the version of this form: a newer one is refused, not guessed.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::alert::{Alert, Kept, Touched, bounded};

/// Version of the table below.
const VERSION: i64 = 2;
/// Alerts that are forgotten at once where the file has its full size.
const SHARE: u64 = 20;
const DAY: u64 = 86_400_000_000_000;
const MINUTE: i64 = 60_000_000_000;
/// Minutes that [`Counts::minutes`] covers.
pub const MINUTES: usize = 60;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS alerts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time INTEGER NOT NULL, priority INTEGER NOT NULL, rule TEXT NOT NULL, source TEXT NOT NULL,
        container TEXT NOT NULL, text TEXT NOT NULL, tags TEXT NOT NULL, event TEXT NOT NULL,
        processes TEXT NOT NULL, fields TEXT NOT NULL,
        alert_id TEXT NOT NULL DEFAULT '', incident TEXT NOT NULL DEFAULT '', evidence TEXT NOT NULL DEFAULT '{}'
    );
    CREATE INDEX IF NOT EXISTS by_time ON alerts (time);
    CREATE INDEX IF NOT EXISTS by_rule ON alerts (rule, id);
    CREATE INDEX IF NOT EXISTS by_container ON alerts (container, id);
    CREATE INDEX IF NOT EXISTS by_alert_id ON alerts (alert_id);
    CREATE INDEX IF NOT EXISTS by_incident ON alerts (incident, id);
    PRAGMA user_version = 2;
";

/// What a file of version 1 lacks.
const FROM_1: &str = "
    ALTER TABLE alerts ADD COLUMN alert_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE alerts ADD COLUMN incident TEXT NOT NULL DEFAULT '';
    ALTER TABLE alerts ADD COLUMN evidence TEXT NOT NULL DEFAULT '{}';
";

/// Columns of alerts, as a file of each version has them.
const COLUMNS: [&str; 2] = [
    "id, time, priority, rule, source, container, text, tags, event, processes, fields, '', '', '{}'",
    "id, time, priority, rule, source, container, text, tags, event, processes, fields, alert_id, incident, evidence",
];

/// Why the store is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// SQLite says so.
    #[error("{}: {fault}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it says.
        fault: rusqlite::Error,
    },
    /// The file cannot be made or opened.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: std::io::Error,
    },
    /// A later release wrote it.
    #[error("{}: made by a newer release (form {version}, this one knows {VERSION})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its form.
        version: i64,
    },
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Alerts.
    pub alerts: u64,
    /// Days before the newest alert.
    pub days: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            alerts: 100_000,
            days: 30,
            bytes: 512 << 20,
        }
    }
}

/// What is looked for; empty texts and `None` look for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this rule.
    pub rule: String,
    /// Of this source.
    pub source: String,
    /// In this container; `Some("")`: on the host.
    pub container: Option<String>,
    /// At least this urgent: this number or a lower one.
    pub priority: Option<u8>,
    /// Not before this time, nanoseconds since the epoch.
    pub since: Option<u64>,
    /// Not after this time, nanoseconds since the epoch.
    pub until: Option<u64>,
    /// With lower numbers than this.
    pub before: Option<i64>,
    /// With higher numbers than this, the lowest first; otherwise the highest come first.
    pub after: Option<i64>,
}

/// How many alerts are kept, by what they have in common; the most frequent first, at most 200 of a
/// kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub all: u64,
    /// By rule.
    pub rules: Vec<(String, u64)>,
    /// By priority, as a number.
    pub priorities: Vec<(String, u64)>,
    /// By container; the empty name is the host.
    pub containers: Vec<(String, u64)>,
    /// By minute of the hour that ends with [`Counts::until`], the oldest first.
    pub minutes: Vec<u64>,
    /// The last minute, in seconds since the epoch.
    pub until: u64,
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    path: PathBuf,
    limits: Limits,
    /// Of the file's form.
    pub(crate) version: i64,
}

impl Store {
    /// Opens the file for reading and writing, or makes it. Only its owner may read it: alerts tell
    /// of secrets.
    ///
    /// # Errors
    /// When it cannot be used, or is no store of this release.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, Error> {
        let made = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path);
        made.map_err(|fault| Error::File {
            path: path.to_owned(),
            fault,
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags, limits)?;
        let ready = || -> rusqlite::Result<()> {
            store
                .connection
                .pragma_update(None, "journal_mode", "WAL")?;
            store
                .connection
                .pragma_update(None, "synchronous", "NORMAL")?;
            let transaction = store.connection.unchecked_transaction()?;
            if store.version == 1 {
                transaction.execute_batch(FROM_1)?;
            }
            transaction.execute_batch(TABLE)?;
            transaction.commit()
        };
        ready().map_err(|fault| store.fault(fault))?;
        store.version = VERSION;
        Ok(store)
    }

    /// Opens the file for reading only, also while a service writes.
    ///
    /// # Errors
    /// When there is none, or it is no store of this release.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::connect(path, flags, Limits::default())
    }

    fn connect(path: &Path, flags: OpenFlags, limits: Limits) -> Result<Self, Error> {
        let fault = |fault| Error::Database {
            path: path.to_owned(),
            fault,
        };
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection
            .busy_timeout(Duration::from_secs(2))
            .map_err(fault)?;
        let version: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(fault)?;
        if version > VERSION {
            return Err(Error::Newer {
                path: path.to_owned(),
                version,
            });
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
            limits,
            version,
        })
    }

    /// The columns of an alert, as [`kept`] wants them.
    pub(crate) fn columns(&self) -> &'static str {
        COLUMNS[usize::from(self.version >= 2)]
    }

    pub(crate) fn fault(&self, fault: rusqlite::Error) -> Error {
        Error::Database {
            path: self.path.clone(),
            fault,
        }
    }

    /// Goes over to other limits; they hold from the next alerts on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Adds alerts, and forgets those that are too many, too old or take too much room. The number of
    /// the last.
    ///
    /// # Errors
    /// What SQLite says; nothing is added then.
    pub fn add(&mut self, alerts: &[Alert]) -> Result<i64, Error> {
        self.insert(alerts).map_err(|fault| self.fault(fault))
    }

    fn insert(&mut self, alerts: &[Alert]) -> rusqlite::Result<i64> {
        let limits = self.limits;
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO alerts (time, priority, rule, source, container, text, tags, event, \
                 processes, fields, alert_id, incident, evidence) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?;
            for alert in alerts {
                insert.execute(params![
                    signed(alert.time),
                    alert.priority,
                    bounded(&alert.rule),
                    alert.source,
                    bounded(&alert.container),
                    bounded(&alert.text),
                    json(&alert.tags),
                    json(&alert.event),
                    json(&alert.processes),
                    json(&alert.fields),
                    alert.alert_id,
                    alert.incident,
                    json(&Evidence {
                        earlier: Cow::Borrowed(&alert.earlier),
                        touched: Cow::Borrowed(&alert.touched),
                        remembered: Cow::Borrowed(&alert.remembered),
                        capture: Cow::Borrowed(&alert.capture),
                    }),
                ])?;
            }
        }
        let last = transaction.last_insert_rowid();
        let newest: Option<i64> =
            transaction.query_row("SELECT MAX(time) FROM alerts", [], |row| row.get(0))?;
        let newest = u64::try_from(newest.unwrap_or(0)).unwrap_or(0);
        let oldest = newest.saturating_sub(limits.days.saturating_mul(DAY));
        transaction.execute(
            "DELETE FROM alerts WHERE id <= ?1 OR time < ?2",
            params![last.saturating_sub(signed(limits.alerts)), signed(oldest)],
        )?;
        let bytes = |name: &str| -> rusqlite::Result<u64> {
            transaction.query_row(&format!("PRAGMA {name}"), [], |row| {
                row.get::<_, i64>(0).map(|n| u64::try_from(n).unwrap_or(0))
            })
        };
        let used = (bytes("page_count")? - bytes("freelist_count")?) * bytes("page_size")?;
        if used > limits.bytes {
            let all: i64 =
                transaction.query_row("SELECT COUNT(*) FROM alerts", [], |row| row.get(0))?;
            transaction.execute(
                "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts ORDER BY id LIMIT ?1)",
                [all / signed(SHARE) + 1],
            )?;
        }
        transaction.commit()?;
        Ok(last)
    }

    /// Alerts, at most so many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn find(&self, query: &Query, most: u32) -> Result<Vec<Kept>, Error> {
        let found = || -> rusqlite::Result<Vec<Kept>> {
            let order = if query.after.is_some() { "ASC" } else { "DESC" };
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {} FROM alerts
                 WHERE (?1 = '' OR rule = ?1) AND (?2 = '' OR source = ?2)
                   AND (?3 IS NULL OR container = ?3) AND priority <= ?4 AND time BETWEEN ?5 AND ?6
                   AND id < ?7 AND id > ?8 ORDER BY id {order} LIMIT ?9",
                self.columns()
            ))?;
            let rows = statement.query_map(
                params![
                    query.rule,
                    query.source,
                    query.container,
                    query.priority.unwrap_or(u8::MAX),
                    signed(query.since.unwrap_or(0)),
                    signed(query.until.unwrap_or(u64::MAX)),
                    query.before.unwrap_or(i64::MAX),
                    query.after.unwrap_or(i64::MIN),
                    most
                ],
                kept,
            )?;
            rows.collect()
        };
        found().map_err(|fault| self.fault(fault))
    }

    /// One alert; `None`: it is not kept (any more).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn one(&self, id: i64) -> Result<Option<Kept>, Error> {
        let found = || -> rusqlite::Result<Option<Kept>> {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {} FROM alerts WHERE id = ?1",
                self.columns()
            ))?;
            statement.query_map([id], kept)?.next().transpose()
        };
        found().map_err(|fault| self.fault(fault))
    }

    /// Number of the newest alert; 0: there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest(&self) -> Result<i64, Error> {
        let id: rusqlite::Result<Option<i64>> =
            self.connection
                .query_row("SELECT MAX(id) FROM alerts", [], |row| row.get(0));
        id.map(|id| id.unwrap_or(0))
            .map_err(|fault| self.fault(fault))
    }

    /// How many alerts are kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn counts(&self) -> Result<Counts, Error> {
        let counted = || -> rusqlite::Result<Counts> {
            let groups = |column: &str| -> rusqlite::Result<Vec<(String, u64)>> {
                let mut statement = self.connection.prepare_cached(&format!(
                    "SELECT CAST({column} AS TEXT), COUNT(*) FROM alerts GROUP BY {column}
                     ORDER BY COUNT(*) DESC, {column} LIMIT 200"
                ))?;
                let rows = statement.query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                    ))
                })?;
                rows.collect()
            };
            let (all, newest): (i64, Option<i64>) =
                self.connection
                    .query_row("SELECT COUNT(*), MAX(time) FROM alerts", [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?;
            let end = newest.unwrap_or(0) / MINUTE;
            let mut minutes = vec![0; MINUTES];
            let mut statement = self.connection.prepare_cached(
                "SELECT time / ?1, COUNT(*) FROM alerts WHERE time >= ?2 GROUP BY time / ?1",
            )?;
            let first = end - MINUTES as i64 + 1;
            let rows = statement.query_map([MINUTE, first.saturating_mul(MINUTE)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            for row in rows {
                let (minute, count) = row?;
                let slot = usize::try_from(minute - first).ok();
                if let Some(slot) = slot.and_then(|slot| minutes.get_mut(slot)) {
                    *slot = u64::try_from(count).unwrap_or(0);
                }
            }
            Ok(Counts {
                all: u64::try_from(all).unwrap_or(0),
                rules: groups("rule")?,
                priorities: groups("priority")?,
                containers: groups("container")?,
                minutes,
                until: u64::try_from(end).unwrap_or(0) * 60,
            })
        };
        counted().map_err(|fault| self.fault(fault))
    }
}

/// As SQLite has it; more than that is as much as it has.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The column of what is looked at last.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence<'e> {
    earlier: Cow<'e, [String]>,
    touched: Cow<'e, [Touched]>,
    remembered: Cow<'e, Map<String, Value>>,
    capture: Cow<'e, str>,
}

pub(crate) fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    // What somebody else wrote into a column is as good as nothing there.
    let text = |at: usize| row.get::<_, String>(at);
    let fields: Map<String, Value> = serde_json::from_str(&text(10)?).unwrap_or_default();
    let evidence: Evidence<'_> = serde_json::from_str(&text(13)?).unwrap_or_default();
    Ok(Kept {
        id: row.get(0)?,
        alert: Alert {
            time: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            priority: row.get(2)?,
            rule: text(3)?,
            source: text(4)?,
            container: text(5)?,
            text: text(6)?,
            tags: serde_json::from_str(&text(7)?).unwrap_or_default(),
            event: serde_json::from_str(&text(8)?).unwrap_or_default(),
            processes: serde_json::from_str(&text(9)?).unwrap_or_default(),
            fields,
            alert_id: text(11)?,
            incident: text(12)?,
            earlier: evidence.earlier.into_owned(),
            touched: evidence.touched.into_owned(),
            remembered: evidence.remembered.into_owned(),
            capture: evidence.capture.into_owned(),
        },
    })
}
