//! What is kept of an alert.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest text that is kept as it is, in bytes; the rest of a longer one is left out.
pub(crate) const TEXT_MAX: usize = 32 << 10;

/// One alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Of the event: nanoseconds since the epoch.
    pub time: u64,
    /// 0 (emergency) to 7 (debug).
    pub priority: u8,
    /// Name of the rule.
    pub rule: String,
    /// Source of the event, such as `syscall`.
    pub source: String,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// Id of the container; empty: the host.
    pub container: String,
    /// The message, without time and priority.
    pub text: String,
    /// The event.
    pub event: Event,
    /// The process that caused it and its ancestors, nearest first.
    pub processes: Vec<Process>,
    /// The fields of the message and their values.
    pub fields: Map<String, Value>,
    /// What it goes by everywhere: 16 hexadecimal digits; empty where a release before that wrote it.
    #[serde(default)]
    pub alert_id: String,
    /// Id of the first alert of its incident.
    #[serde(default)]
    pub incident: String,
    /// Ids of its incident's latest alerts before it, the oldest first.
    #[serde(default)]
    pub earlier: Vec<String>,
    /// Files and connections that the event was about, and connections that its process had open.
    #[serde(default)]
    pub touched: Vec<Touched>,
    /// What a rule that remembers kept of earlier events.
    #[serde(default)]
    pub remembered: Map<String, Value>,
    /// The capture that has the events around it; empty: none was asked for.
    #[serde(default)]
    pub capture: String,
}

/// A kind of thing that programs touch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Thing {
    #[default]
    File,
    Connection,
}

/// A file or a connection, and what was done with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Touched {
    /// What it is.
    pub thing: Thing,
    /// A word for what was done, such as `written`; `open`: it was open at the time; `tried`: it failed.
    pub how: String,
    /// Path, or addresses and protocol.
    pub name: String,
}

/// The event that an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run.
    pub number: u64,
    /// Its type, such as `openat`.
    pub name: String,
    /// The thread that caused it; 0: none.
    pub thread: i64,
    /// Its parameters as text.
    pub arguments: String,
}

/// One process of an alert's tree, as it was at the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id on the host.
    pub pid: i64,
    /// The kernel's name for it.
    pub name: String,
    /// Path of its program; empty: unknown.
    pub path: String,
    /// Its command line.
    pub command: String,
    /// Effective user; `None`: unknown.
    pub uid: Option<u32>,
    /// When it began, nanoseconds since the epoch; 0: unknown. With the pid it names a process for good.
    pub began: u64,
}

/// An alert with the number that it is kept under. Numbers only grow and are never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number.
    pub id: i64,
    /// The alert.
    #[serde(flatten)]
    pub alert: Alert,
}

/// The begin of a text that is too long.
pub(crate) fn bounded(text: &str) -> &str {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let mut end = TEXT_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
