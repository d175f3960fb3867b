//! What an alert goes by: an id that follows from its event and its rule alone, so that every replay, and a capture
//! of what a running machine saw, gives the same.

use std::collections::HashMap;
use std::fmt;

use bumpalo::Bump;
use event::Record;
use filter::{Argument, FieldRef, FieldSource, Keep, Purpose, Value};
use rules::Rule;
use rules::stateful::KEPT;
use rules::stateful::schema::TOLD;

/// 64 bits of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AlertId(pub(crate) u64);

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// An alert's id, and how it stands to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its own.
    pub(crate) id: AlertId,
    /// That of the first alert of its incident.
    pub(crate) incident: AlertId,
    /// The latest of its incident before it, the oldest first.
    pub(crate) earlier: Vec<AlertId>,
    /// The how manyth alert of its incident it is.
    pub(crate) number: u64,
}

/// Whether an output of a rule shows any of it.
pub(super) fn is_shown(rule: &Rule) -> bool {
    let extra = rule.extra_fields.iter();
    let extra = extra.flat_map(|field| [Some(&field.key), field.format.as_ref()]);
    let mut texts = extra.flatten().chain([&rule.output_template]);
    texts.any(|text| TOLD.iter().any(|(name, ..)| text.contains(name)))
}

/// Ids that were given out for the current time: what is alike in everything is told apart by its order.
#[derive(Debug, Default)]
pub(super) struct Ids {
    time: u64,
    given: HashMap<u64, u64>,
}

/// Different ids of one nanosecond that are remembered.
const MOST: usize = 65_536;

impl Ids {
    /// The id that the alert of a rule on an event gets, and what [`Ids::taken`] wants to hear of it.
    pub(super) fn next(&self, source: &str, rule: &str, record: &Record<'_>) -> (AlertId, u64) {
        let plain = hash(source, rule, record, 0);
        let before = (self.time == record.ts).then(|| self.given.get(&plain));
        match before.flatten() {
            None => (AlertId(plain), plain),
            Some(&times) => (AlertId(hash(source, rule, record, times)), plain),
        }
    }

    /// Takes an id for an alert of this time.
    pub(super) fn taken(&mut self, plain: u64, time: u64) {
        if self.time != time || self.given.len() >= MOST {
            self.time = time;
            self.given.clear();
        }
        *self.given.entry(plain).or_default() += 1;
    }
}

fn hash(source: &str, rule: &str, record: &Record<'_>, times: u64) -> u64 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    add(source.as_bytes());
    add(rule.as_bytes());
    add(&record.ts.to_le_bytes());
    add(&record.tid.to_le_bytes());
    add(&record.code.number().to_le_bytes());
    if source != crate::sources::SYSCALL {
        // Events of other sources have no thread, and often the same time.
        add(record.bytes());
    }
    add(&times.to_le_bytes());
    let digest = context.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    u64::from_be_bytes(first)
}

/// An event, and what its alert goes by.
pub(super) struct Identified<'i, S> {
    pub(super) event: &'i S,
    pub(super) identity: Option<&'i Identity>,
}

impl<S: FieldSource> FieldSource for Identified<'_, S> {
    fn keep(&self) -> Option<Keep> {
        self.event.keep()
    }

    fn extract<'a>(
        &'a self,
        field: &FieldRef,
        purpose: Purpose,
        scratch: &'a Bump,
    ) -> Option<Value<'a>> {
        if field.id == KEPT
            && let (Some(identity), Argument::Key(name)) = (self.identity, &field.arg)
        {
            let text = |id: &AlertId| Value::Bytes(scratch.alloc_str(&id.to_string()).as_bytes());
            match &**name {
                "alert.id" => return Some(text(&identity.id)),
                "incident.id" => return Some(text(&identity.incident)),
                "incident.number" => return Some(Value::Unsigned(identity.number)),
                "incident.earlier" => {
                    let all = identity.earlier.iter().map(text);
                    return Some(Value::List(scratch.alloc_slice_fill_iter(all)));
                }
                _ => {}
            }
        }
        self.event.extract(field, purpose, scratch)
    }
}
