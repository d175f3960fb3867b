//! The shape of a conversion rule, and the decision that is taken for an event.

use std::sync::LazyLock;

use event::EventFlags;
use event::record::MAX_PARAMS;
use event::table::events::EVENTS;

use super::table::RULES;

/// What is done with events of one type and one number of parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) code: u16,
    pub(crate) count: u8,
    pub(crate) action: Action,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// Keep it for its exit, deliver nothing.
    Store,
    /// Deliver it as it is.
    Pass,
    /// Keep it for its exit and deliver it.
    StoreAndPass,
    /// Append a parameter per instruction.
    Add(&'static [Instruction]),
    /// Make an event of this type with a parameter per instruction.
    Change(u16, &'static [Instruction]),
}

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// A parameter of the event.
    Old(u8),
    /// A parameter of the kept enter event, else the type's default.
    Enter(u8),
    /// A parameter of the kept enter event, else absent.
    EnterOrEmpty(u8),
    /// The type's default.
    Default,
    /// Absent.
    Empty,
    /// A JSON description made of an old container event's four parameters.
    ContainerJson,
}

pub(crate) const fn rule(code: u16, count: u8, action: Action) -> Rule {
    Rule {
        code,
        count,
        action,
    }
}

/// What is to be done with an event, by its type and number of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is in today's form.
    Pass,
    /// It is never delivered.
    Drop,
    /// Convert it with this row of the table.
    Rule(u8),
    /// It has more parameters than its type has today.
    TooMany,
    /// It is old and no rule tells how to convert it.
    NoRule,
}

/// Decisions by type, then by number of parameters.
pub(crate) type Decisions = [[Decision; MAX_PARAMS + 1]; EVENTS.len()];

/// All decisions, computed once: the order of the questions matters, see [`decide`].
pub(crate) static DECISIONS: LazyLock<Box<Decisions>> = LazyLock::new(|| {
    let mut all = Box::new([[Decision::NoRule; MAX_PARAMS + 1]; EVENTS.len()]);
    // Where several rules are about the same, the first one holds.
    for (row, rule) in RULES.iter().enumerate().rev() {
        let count = usize::from(rule.count);
        if let (Some(decision), Ok(row)) = (
            all.get_mut(usize::from(rule.code))
                .and_then(|row| row.get_mut(count)),
            u8::try_from(row),
        ) {
            *decision = Decision::Rule(row);
        }
    }
    for (code, row) in all.iter_mut().enumerate() {
        for (count, decision) in row.iter_mut().enumerate() {
            *decision = without_rule(code, count).unwrap_or(*decision);
        }
    }
    all
});

/// What is done with an event whatever the rules say; `None` if that is for them to say.
fn without_rule(code: usize, count: usize) -> Option<Decision> {
    let info = &EVENTS[code];
    let old = info.flags.contains(EventFlags::OLD_VERSION);
    if info.flags.contains(EventFlags::UNUSED) {
        return Some(Decision::Drop);
    }
    if !info.flags.contains(EventFlags::CONVERTER_MANAGED) {
        return Some(match (old, info.is_enter()) {
            (false, _) => Decision::Pass,
            (true, true) => Decision::Drop,
            (true, false) => Decision::NoRule,
        });
    }
    if info.is_enter() {
        return None;
    }
    if count > info.params.len() {
        return Some(Decision::TooMany);
    }
    (!old && count == info.params.len()).then_some(Decision::Pass)
}
