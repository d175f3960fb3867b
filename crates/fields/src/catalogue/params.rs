//! Parameter names, numbered, so that `evt.arg.NAME` finds its parameter without comparing texts.

use std::sync::LazyLock;

use event::{EVENTS, EventCode, ParamInfo};
use rustc_hash::FxHashMap;

/// Bit that tells the number of a name from a position.
pub const NAMED: u32 = 1 << 31;

const ABSENT: u8 = u8::MAX;

struct Columns {
    numbers: FxHashMap<&'static str, u32>,
    /// For each name the position of that parameter in every event type.
    positions: Vec<[u8; EVENTS.len()]>,
}

static COLUMNS: LazyLock<Columns> = LazyLock::new(|| {
    let mut columns = Columns {
        numbers: FxHashMap::default(),
        positions: Vec::new(),
    };
    for (code, event) in EVENTS.iter().enumerate() {
        for (position, param) in event.params.iter().enumerate() {
            let next = columns.positions.len() as u32;
            let number = *columns.numbers.entry(param.name).or_insert(next);
            if number == next {
                columns.positions.push([ABSENT; EVENTS.len()]);
            }
            let slot = &mut columns.positions[number as usize][code];
            if *slot == ABSENT {
                *slot = position as u8;
            }
        }
    }
    columns
});

/// Number of a parameter name; `None` if no event has such a parameter.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    COLUMNS.numbers.get(name).copied()
}

/// Position in an event of what an argument asks for: a marked number of a name, or a plain position.
#[must_use]
#[inline]
pub fn position(code: EventCode, argument: u32) -> Option<usize> {
    if argument & NAMED == 0 {
        return Some(argument as usize);
    }
    let column = COLUMNS.positions.get((argument & !NAMED) as usize)?;
    let position = *column.get(usize::from(code.number()))?;
    (position != ABSENT).then_some(usize::from(position))
}

/// The parameter of this name in the first event that has one.
#[must_use]
pub fn first(name: &str) -> Option<&'static ParamInfo> {
    EVENTS
        .iter()
        .find_map(|e| e.params.iter().find(|p| p.name == name))
}
