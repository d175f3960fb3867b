//! Brings events of old recorders into today's form: exit events that carry all parameters.
//!
//! Old drivers sent a pair per system call. The enter event is kept and dropped, and the exit event
//! gets its parameters appended. Types whose layout changed become their successors, in as many
//! steps as there were versions. Live events and plugins' events never come here.
//!
//! The question "is anything to do" is one look-up in a table by type and number of parameters.

mod container;
mod rule;
mod store;
mod table;
#[cfg(test)]
mod tests;

use event::record::HEADER_LEN;
use event::types::ParamType;
use event::{EventCode, EventFlags, Record, RecordFlags, codes};

pub(crate) use rule::Decision;
use rule::{Action, DECISIONS, Decisions, Instruction};
use store::EnterStore;

/// Longest event that is converted, before and after.
const MAX_LEN: usize = 64 * 1024;
/// Longest chain of conversions; the table's longest is 21.
const MAX_ROUNDS: usize = 50;

/// Why an old event cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// More parameters than the type has.
    #[error(
        "event type {code} ({name}) has {count} parameters, {known} are known: \
         was the capture written by a newer recorder?"
    )]
    TooMany {
        /// Event type.
        code: u16,
        /// Its name.
        name: &'static str,
        /// Parameters it has.
        count: usize,
        /// Parameters of its type.
        known: usize,
    },
    /// Neither today's form nor one that a recorder is known to have written.
    #[error("no rule converts event type {code} ({name}) with {count} parameters")]
    NoRule {
        /// Event type.
        code: u16,
        /// Its name.
        name: &'static str,
        /// Parameters it has.
        count: usize,
    },
    /// The thread's last enter event is that of another call.
    #[error(
        "event type {code} ({name}) of thread {tid} follows an enter event of another type, \
         {enter}"
    )]
    OtherEnter {
        /// Event type.
        code: u16,
        /// Its name.
        name: &'static str,
        /// Thread.
        tid: i64,
        /// Type of the enter event.
        enter: u16,
    },
    /// The enter event has too few parameters.
    #[error("enter event type {enter} of thread {tid} lacks parameter {index}")]
    EnterParam {
        /// Type of the enter event.
        enter: u16,
        /// Thread.
        tid: i64,
        /// The parameter that is needed.
        index: u8,
    },
    /// Longer than what is converted.
    #[error("event type {code} ({name}) is too long to be converted: {len} bytes")]
    TooLong {
        /// Event type.
        code: u16,
        /// Its name.
        name: &'static str,
        /// Bytes.
        len: usize,
    },
    /// The rules lead in a circle.
    #[error("conversion of event type {code} ({name}) does not end")]
    Endless {
        /// Event type.
        code: u16,
        /// Its name.
        name: &'static str,
    },
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Deliver it as it was read.
    AsRead,
    /// Deliver what [`Converter::made`] holds.
    Made,
    /// Deliver nothing.
    Dropped,
}

/// Converts the events of one capture, in their order.
pub(crate) struct Converter {
    decisions: &'static Decisions,
    store: EnterStore,
    made: Vec<u8>,
    next: Vec<u8>,
}

impl Converter {
    pub(crate) fn new() -> Self {
        let store = EnterStore::default();
        Self {
            decisions: &DECISIONS,
            store,
            made: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Enter events that were forgotten for lack of room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.store.forgotten
    }

    /// What is to be done with an event of a known type.
    #[inline]
    pub(crate) fn decide(&self, code: u16, count: u32) -> Decision {
        let Some(row) = self.decisions.get(usize::from(code)) else {
            return Decision::Pass;
        };
        match row.get(count as usize) {
            Some(decision) => *decision,
            None => row[row.len() - 1],
        }
    }

    /// The last event that was made.
    #[inline]
    pub(crate) fn made(&self) -> &[u8] {
        &self.made
    }

    /// Carries out `decision`, and whatever the result's own type calls for.
    pub(crate) fn convert(
        &mut self,
        event: &Record<'_>,
        count: u32,
        decision: Decision,
    ) -> Result<Outcome, ConvertError> {
        let mut outcome = Outcome::AsRead;
        let (mut decision, mut count) = (decision, count);
        for _ in 0..MAX_ROUNDS {
            let made;
            let current = match outcome {
                Outcome::Made => {
                    made = Record::parse(&self.made, event.cpu, RecordFlags::default())
                        .expect("a converted event's lengths fit");
                    &made
                }
                _ => event,
            };
            let (code, name) = (current.code.number(), current.info.name);
            let row = match decision {
                Decision::Pass => return Ok(outcome),
                Decision::Drop => return Ok(Outcome::Dropped),
                Decision::Rule(row) => row,
                Decision::TooMany => {
                    let (count, known) = (count as usize, current.info.params.len());
                    return Err(ConvertError::TooMany {
                        code,
                        name,
                        count,
                        known,
                    });
                }
                Decision::NoRule => {
                    return Err(ConvertError::NoRule {
                        code,
                        name,
                        count: count as usize,
                    });
                }
            };
            let len = current.bytes().len();
            if len > MAX_LEN {
                return Err(ConvertError::TooLong { code, name, len });
            }
            let (target, kept, instructions) = match table::RULES[usize::from(row)].action {
                Action::Store => {
                    self.store.put(current.tid, current.bytes());
                    return Ok(Outcome::Dropped);
                }
                Action::Pass => return Ok(outcome),
                Action::StoreAndPass => {
                    self.store.put(current.tid, current.bytes());
                    return Ok(outcome);
                }
                Action::Add(instructions) => (current.code, current.len(), instructions),
                Action::Change(to, instructions) => (EventCode::new(to), 0, instructions),
            };
            let mut enter = Enter {
                event: current,
                store: &self.store,
                waiting: None,
            };
            count = build(
                &mut enter,
                current,
                target,
                kept,
                instructions,
                &mut self.next,
            )?;
            // An enter event is used once.
            if let Some(Some((slot, _))) = enter.waiting {
                self.store.forget(slot);
            }
            std::mem::swap(&mut self.made, &mut self.next);
            outcome = Outcome::Made;
            decision = self.decide(target.number(), count);
        }
        let (code, name) = (event.code.number(), event.info.name);
        Err(ConvertError::Endless { code, name })
    }
}

/// Lays out an event of type `target`: the first `kept` parameters of `event`, then one for each
/// instruction. Returns the number of parameters.
fn build(
    enter: &mut Enter<'_, '_>,
    event: &Record<'_>,
    target: EventCode,
    kept: usize,
    instructions: &[Instruction],
    out: &mut Vec<u8>,
) -> Result<u32, ConvertError> {
    let info = target
        .info()
        .expect("the table's rules lead to known types");
    let width = if info.flags.contains(EventFlags::LARGE_PAYLOAD) {
        4
    } else {
        2
    };
    let count = kept + instructions.len();
    let old = event.bytes();
    out.clear();
    out.extend_from_slice(&old[..20]);
    out.extend_from_slice(&target.number().to_le_bytes());
    out.extend_from_slice(&(count as u32).to_le_bytes());
    // Kept parameters mean an unchanged type, hence an unchanged width of lengths.
    let mut length_at = HEADER_LEN + kept * width;
    let kept_data: usize = (0..kept).map(|i| event.param(i).len()).sum();
    out.extend_from_slice(&old[HEADER_LEN..length_at]);
    out.resize(HEADER_LEN + count * width, 0);
    out.extend_from_slice(&old[length_at..length_at + kept_data]);
    for (i, instruction) in instructions.iter().enumerate() {
        let ty = info.params.get(kept + i).map_or(ParamType::None, |p| p.ty);
        let json;
        let value = match *instruction {
            Instruction::Old(index) => event.param(usize::from(index)),
            Instruction::Enter(index) => enter.param(index)?.unwrap_or_else(|| default_value(ty)),
            Instruction::EnterOrEmpty(index) => enter.param(index)?.unwrap_or_default(),
            Instruction::Default => default_value(ty),
            Instruction::Empty => &[],
            Instruction::ContainerJson => {
                json = container::describe(event).unwrap_or_default();
                &json
            }
        };
        let widest = ty.width().unwrap_or(usize::from(u16::MAX));
        let value = &value[..value.len().min(widest)];
        let length = (value.len() as u32).to_le_bytes();
        out[length_at..length_at + width].copy_from_slice(&length[..width]);
        length_at += width;
        out.extend_from_slice(value);
    }
    let len = out.len();
    if len > MAX_LEN {
        let (code, name) = (event.code.number(), event.info.name);
        return Err(ConvertError::TooLong { code, name, len });
    }
    out[16..20].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(count as u32)
}

/// The enter event of the thread, looked up when an instruction first needs it.
struct Enter<'a, 'b> {
    event: &'b Record<'b>,
    store: &'a EnterStore,
    waiting: Option<Option<(usize, Record<'a>)>>,
}

impl<'a> Enter<'a, '_> {
    /// Parameter `index`; `None` when no enter event waits.
    fn param(&mut self, index: u8) -> Result<Option<&'a [u8]>, ConvertError> {
        let (code, tid) = (self.event.code.number(), self.event.tid);
        let waiting = self.waiting.get_or_insert_with(|| {
            let (slot, bytes) = self.store.waiting(tid)?;
            let record = Record::parse(bytes, self.event.cpu, RecordFlags::default()).ok()?;
            Some((slot, record))
        });
        let Some((_, record)) = waiting else {
            return Ok(None);
        };
        let enter = record.code.number();
        if Some(enter) != code.checked_sub(1) {
            let name = self.event.info.name;
            return Err(ConvertError::OtherEnter {
                code,
                name,
                tid,
                enter,
            });
        }
        if usize::from(index) >= record.len() {
            return Err(ConvertError::EnterParam { enter, tid, index });
        }
        Ok(Some(record.param(usize::from(index))))
    }
}

/// What a parameter holds that nobody knows: zeros, "none" for users and groups, nothing for
/// types without a fixed width.
fn default_value(ty: ParamType) -> &'static [u8] {
    match ty {
        ParamType::Uid | ParamType::Gid => &[0xff; 4],
        _ => &[0; 16][..ty.width().unwrap_or(0)],
    }
}

/// Whether events of this type describe the machine at the start: users, groups and containers.
/// Those in front of all others belong to the initial state.
#[must_use]
pub fn is_initial_state(code: u16) -> bool {
    matches!(
        code,
        codes::CONTAINER_E
            | codes::CONTAINER_JSON_E
            | codes::CONTAINER_JSON_2_E
            | codes::ASYNCEVENT_E
            | codes::USER_ADDED_E
            | codes::USER_DELETED_E
            | codes::GROUP_ADDED_E
            | codes::GROUP_DELETED_E
    )
}
