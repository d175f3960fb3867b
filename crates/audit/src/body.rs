//! From a document to the audit events in it.
//!
//! ```text
//!   Event                      one event
//!   EventList with items       each item, whatever kind it says it has
//!   array                      each element by these rules
//! ```
//!
//! An event without a stage time that reads is left out, named and counted; its neighbours stay.

use jiff::Timestamp;

use crate::json::{Document, Fault, FaultKind, Kind, Node};

/// What a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of an event in compact form.
    pub event: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Values and keys.
    pub values: usize,
}

impl Default for Limits {
    /// What an API server sends at most, with room: bodies of 12 MiB, events of 256 KiB.
    fn default() -> Self {
        Self {
            body: 12 << 20,
            event: 256 << 10,
            depth: 128,
            values: 4 << 20,
        }
    }
}

/// Why a body, or an event of it, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has more bytes than allowed.
    #[error("the body has {bytes} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is no JSON, or nested too deeply.
    #[error("could not parse data: {0}")]
    Json(#[from] Fault),
    /// It is JSON and no audit event.
    #[error("data not recognized as a k8s audit event")]
    Foreign,
}

impl Refusal {
    /// Whether a limit was hit, rather than a rule of JSON or of audit events.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        match self {
            Self::TooLarge { .. } => true,
            Self::Json(fault) => matches!(fault.kind, FaultKind::Depth | FaultKind::Nodes),
            Self::Foreign => false,
        }
    }
}

/// Why an event of a body that is one is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skipped {
    /// There is no time.
    #[error("can't read stageTimestamp of event {0}")]
    NoTime(usize),
    /// It is larger than an event may be.
    #[error("event larger than maxEventSize: size={size} (event {index})")]
    TooLarge {
        /// Its number in the body, from 0.
        index: usize,
        /// Its size in bytes.
        size: usize,
    },
    /// It is no object.
    #[error("data not recognized as a k8s audit event (event {0})")]
    Foreign(usize),
}

/// A body with the events that it brings.
#[derive(Clone, Debug)]
pub struct Body {
    document: Document,
    /// Position of the node, time.
    events: Vec<(usize, u64)>,
    skipped: Vec<Skipped>,
}

/// An audit event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'b> {
    /// Nanoseconds since the epoch.
    pub time: u64,
    /// The event.
    pub node: Node<'b>,
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] where it brings no events at all and was not meant to. A body of which single events are bad is
    /// taken; [`Body::skipped`] names them.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        if bytes.len() > limits.body {
            return Err(Refusal::TooLarge {
                bytes: bytes.len(),
                limit: limits.body,
            });
        }
        let document = Document::parse(bytes, limits.depth, limits.values)?;
        let mut gathered = Gathered {
            limits,
            events: Vec::new(),
            skipped: Vec::new(),
            index: 0,
        };
        gathered.document(document.root())?;
        let Gathered {
            events, skipped, ..
        } = gathered;
        Ok(Self {
            document,
            events,
            skipped,
        })
    }

    /// One event whose bytes and time are known already, such as one from a capture.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn of_event(bytes: &[u8], time: u64, limits: &Limits) -> Result<Self, Refusal> {
        let document = Document::parse(bytes, limits.depth, limits.values)?;
        Ok(Self {
            document,
            events: vec![(0, time)],
            skipped: Vec::new(),
        })
    }

    /// Its events in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.events.iter().filter_map(|&(at, time)| {
            Some(Event {
                time,
                node: self.document.node(at)?,
            })
        })
    }

    /// How many events it brings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it brings none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Events that were left out.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Bytes that it keeps, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.document.text().len() * 3
    }
}

struct Gathered<'l> {
    limits: &'l Limits,
    events: Vec<(usize, u64)>,
    skipped: Vec<Skipped>,
    index: usize,
}

impl Gathered<'_> {
    fn document(&mut self, root: Node<'_>) -> Result<(), Refusal> {
        if root.kind() == Kind::Array {
            // One level of array: an array in an array is no audit event.
            let mut any = false;
            for element in root.elements() {
                any |= self.object(element);
                if !self.object_known(element) {
                    self.skipped.push(Skipped::Foreign(self.index));
                    self.index += 1;
                }
            }
            return if any { Ok(()) } else { Err(Refusal::Foreign) };
        }
        if self.object(root) {
            Ok(())
        } else {
            Err(Refusal::Foreign)
        }
    }

    fn object_known(&self, node: Node<'_>) -> bool {
        node.get("kind")
            .is_some_and(|kind| kind.is("Event") || (kind.is("EventList") && items(node).is_some()))
    }

    /// Takes an `Event` or `EventList`; false where it is neither.
    fn object(&mut self, node: Node<'_>) -> bool {
        if !self.object_known(node) {
            return false;
        }
        match items(node) {
            Some(list) if node.get("kind").is_some_and(|kind| kind.is("EventList")) => {
                for item in list.elements() {
                    self.event(item);
                }
            }
            _ => self.event(node),
        }
        true
    }

    fn event(&mut self, node: Node<'_>) {
        let index = self.index;
        self.index += 1;
        if node.kind() != Kind::Object {
            self.skipped.push(Skipped::Foreign(index));
            return;
        }
        let size = node.json().len();
        if size > self.limits.event {
            self.skipped.push(Skipped::TooLarge { index, size });
            return;
        }
        match time(node) {
            Some(time) => self.events.push((node.position(), time)),
            None => self.skipped.push(Skipped::NoTime(index)),
        }
    }
}

fn items(node: Node<'_>) -> Option<Node<'_>> {
    node.get("items")
        .filter(|items| items.kind() == Kind::Array)
}

/// The stage time in nanoseconds since the epoch.
fn time(node: Node<'_>) -> Option<u64> {
    let text = node.get("stageTimestamp")?.string()?;
    let time: Timestamp = std::str::from_utf8(&text).ok()?.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str) -> Vec<u64> {
        Body::parse(text.as_bytes(), &Limits::default())
            .unwrap()
            .events()
            .map(|e| e.time)
            .collect()
    }

    #[test]
    fn shapes() {
        let event = r#"{"kind":"Event","stageTimestamp":"1970-01-01T00:00:01.000000002Z"}"#;
        assert_eq!(times(event), [1_000_000_002]);
        let list = r#"{"kind":"EventList","items":[{"stageTimestamp":"1970-01-01T01:00:03+01:00"}, 3,
            {"stageTimestamp":"yesterday"},{"kind":0,"stageTimestamp":"1970-01-01T00:00:04Z"}]}"#;
        assert_eq!(times(list), [3_000_000_000, 4_000_000_000]);
        assert_eq!(times(&format!("[{event},{list},7]")).len(), 3);
        let body = Body::parse(list.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(body.skipped(), [Skipped::Foreign(1), Skipped::NoTime(2)]);
        assert!(times(r#"{"kind":"EventList","items":[]}"#).is_empty());
    }

    #[test]
    fn what_is_foreign() {
        for text in [
            r#"{"kind":0}"#,
            r#"{"kind":"EventList"}"#,
            r#"{"kind":"EventList","items":{}}"#,
            r#"{"kind":"Pod"}"#,
            "5E5555",
            "[]",
            "[[]]",
            "null",
            "{}",
        ] {
            let refusal = Body::parse(text.as_bytes(), &Limits::default())
                .map(|_| ())
                .unwrap_err();
            assert_eq!(refusal, Refusal::Foreign, "{text}");
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits {
            body: 200,
            event: 100,
            ..Limits::default()
        };
        let long = format!(
            r#"{{"kind":"Event","stageTimestamp":"1970-01-01T00:00:01Z","x":"{}"}}"#,
            "y".repeat(80)
        );
        let body = Body::parse(long.as_bytes(), &limits).unwrap();
        assert!(body.is_empty() && matches!(body.skipped(), [Skipped::TooLarge { index: 0, .. }]));
        let refusal = Body::parse(&[b' '; 201], &limits).map(|_| ()).unwrap_err();
        assert!(refusal.is_limit());
        let deep = "[".repeat(100_000);
        assert!(
            Body::parse(deep.as_bytes(), &Limits::default())
                .map(|_| ())
                .unwrap_err()
                .is_limit()
        );
    }
}
