//! Values that are kept after their event, and events together with what was kept before them.

use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;
use filter::{Argument, FieldRef, FieldSource, Keep, Purpose, Value};
use rules::stateful::KEPT;

/// Longest text that is kept, in bytes: that of a path.
pub const LONGEST: usize = 4096;

/// Most elements of a list that are kept.
pub const MOST_ELEMENTS: usize = 64;

/// A value by itself.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "as in `filter::Value`")]
pub enum Owned {
    Signed(i64),
    Unsigned(u64),
    Double(f64),
    Bool(bool),
    Bytes(Box<[u8]>),
    Ip(IpAddr),
    List(Box<[Owned]>),
}

impl Owned {
    /// A copy. What is too long is cut; `None` where it must stay `whole`.
    #[must_use]
    pub fn of(value: &Value<'_>, whole: bool) -> Option<Self> {
        Some(match value {
            Value::Signed(number) => Self::Signed(*number),
            Value::Unsigned(number) => Self::Unsigned(*number),
            Value::Double(number) => Self::Double(*number),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Ip(ip) => Self::Ip(*ip),
            Value::Bytes(bytes) => {
                if whole && bytes.len() > LONGEST {
                    return None;
                }
                Self::Bytes(bytes[..bytes.len().min(LONGEST)].into())
            }
            Value::List(all) => {
                if whole && all.len() > MOST_ELEMENTS {
                    return None;
                }
                let elements = all.iter().take(MOST_ELEMENTS);
                let kept: Option<Vec<_>> = elements.map(|one| Self::of(one, whole)).collect();
                Self::List(kept?.into())
            }
        })
    }

    /// As fields have it.
    pub fn value<'a>(&'a self, scratch: &'a Bump) -> Value<'a> {
        match self {
            Self::Signed(number) => Value::Signed(*number),
            Self::Unsigned(number) => Value::Unsigned(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Ip(ip) => Value::Ip(*ip),
            Self::List(all) => {
                let all = all.iter().map(|one| one.value(scratch));
                let mut list = bumpalo::collections::Vec::with_capacity_in(all.len(), scratch);
                list.extend(all);
                Value::List(list.into_bump_slice())
            }
        }
    }

    /// Bytes that it takes beyond itself.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::List(all) => {
                let each = all.iter();
                each.map(|one| size_of::<Self>() + one.weight()).sum()
            }
            _ => 0,
        }
    }
}

/// Values of slots, in their order; `None` where an event had none.
pub type Values = Box<[Option<Owned>]>;

/// Bytes that values take.
#[must_use]
pub fn weight(values: &[Option<Owned>]) -> usize {
    let beyond: usize = values.iter().flatten().map(Owned::weight).sum();
    size_of_val(values) + beyond
}

/// What a rule that fired has to show besides the event that completed it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Names of the slots.
    pub names: Arc<[Box<str>]>,
    /// Their values.
    pub values: Values,
    /// What the rule measured itself.
    pub measured: Vec<(&'static str, Owned)>,
}

impl Evidence {
    /// The event, and behind it what came before.
    pub fn over<'e, S>(&'e self, event: &'e S) -> Remembered<'e, S> {
        Remembered {
            event,
            names: &self.names,
            values: &self.values,
            measured: &self.measured,
        }
    }

    /// A value by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Owned> {
        find(&self.names, &self.values, &self.measured, name)
    }
}

fn find<'e>(
    names: &[Box<str>],
    values: &'e [Option<Owned>],
    measured: &'e [(&'static str, Owned)],
    name: &str,
) -> Option<&'e Owned> {
    if let Some(at) = names.iter().position(|known| **known == *name) {
        return values.get(at)?.as_ref();
    }
    let mut own = measured.iter();
    own.find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// An event together with what a rule kept of earlier ones.
#[derive(Clone, Copy, Debug)]
pub struct Remembered<'e, S> {
    /// The event.
    pub event: &'e S,
    /// Names of the slots.
    pub names: &'e [Box<str>],
    /// Their values.
    pub values: &'e [Option<Owned>],
    /// What the rule measured.
    pub measured: &'e [(&'static str, Owned)],
}

impl<S: FieldSource> FieldSource for Remembered<'_, S> {
    fn keep(&self) -> Option<Keep> {
        self.event.keep()
    }

    fn extract<'a>(
        &'a self,
        field: &FieldRef,
        purpose: Purpose,
        scratch: &'a Bump,
    ) -> Option<Value<'a>> {
        if field.id != KEPT {
            return self.event.extract(field, purpose, scratch);
        }
        let Argument::Key(name) = &field.arg else {
            return None;
        };
        let found = find(self.names, self.values, self.measured, name)?;
        Some(found.value(scratch))
    }
}
