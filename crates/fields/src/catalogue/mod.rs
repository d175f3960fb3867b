//! The catalogue: from a field's text to what an extractor takes.
//!
//! Resolution happens once, when a condition or an output is compiled. What it finds out about an
//! argument (the parameter's name is known, the event type exists, the level is a number) is put into
//! the [`FieldRef`], so that extraction is a jump by number and nothing else.
//!
//! Names resolve as the original does it: the longest known name that the text starts with, then its
//! argument, and nothing may be left. Names are unique over all classes, so that their order does not matter.

mod argument;
pub(crate) use argument::field_type;
pub mod params;
pub mod row;
pub mod services;
pub mod table;

use event::EVENTS;
use event::syscalls::SYSCALL_NAMES;
use filter::{Argument, FieldDef, FieldRef, Lifetime, Quantifier, ResolveError, Schema, Type};
use rustc_hash::{FxHashMap, FxHashSet};

pub use row::{Arg, Class, Flags, Row};
pub use table::{Id, ROWS};

/// First number of the fields that the configuration adds.
pub(crate) const FIRST_STATIC: u16 = 0x8000;

/// The version of the original that no longer had a class of fields.
const fn removed_since(class: Class) -> &'static str {
    match class {
        Class::Mesos => "0.34",
        _ => "0.37",
    }
}

/// Fields of system call events, as a [`Schema`].
///
/// ```
/// use fields::Catalogue;
/// use filter::Schema;
///
/// let catalogue = Catalogue::new([("site".to_owned(), "north".to_owned())]);
/// assert_eq!(catalogue.resolve("proc.aname[2]").unwrap().name, "proc.aname[2]");
/// assert!(catalogue.resolve("static.site").is_ok());
/// assert!(catalogue.resolve("mesos.task.id").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Catalogue {
    names: FxHashMap<&'static str, Id>,
    events: FxHashSet<&'static [u8]>,
    statics: Vec<(String, String)>,
    with_removed: bool,
}

impl Catalogue {
    /// The fields of today, and `static.NAME` for every name of the configuration.
    pub fn new(statics: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut names = FxHashMap::default();
        for number in 0..ROWS.len() {
            let id = Id::from_number(number as u16).expect("numbers of rows are small");
            names.insert(id.row().name, id);
        }
        let mut events = FxHashSet::default();
        events.extend(EVENTS.iter().map(|e| e.name.as_bytes()));
        events.extend(
            SYSCALL_NAMES
                .iter()
                .filter(|n| !n.is_empty())
                .map(|n| n.as_bytes()),
        );
        // Injected events go by the name of what they bring.
        events.extend([
            &b"container"[..],
            b"container_removed",
            b"container_updated",
        ]);
        let statics = statics
            .into_iter()
            .map(|(name, value)| (format!("static.{name}"), value))
            .collect();
        Self {
            names,
            events,
            statics,
            with_removed: false,
        }
    }

    /// Makes fields of the past resolve as well: `syslog.*` with values, the others always missing.
    #[must_use]
    pub fn with_removed(mut self) -> Self {
        self.with_removed = true;
        self
    }

    /// Names (`static.NAME`) and values of the configured constants.
    #[must_use]
    pub fn statics(&self) -> &[(String, String)] {
        &self.statics
    }

    /// Names of fields that alerts show by default, in their order.
    pub fn suggested(&self) -> impl Iterator<Item = &str> {
        let rows = ROWS
            .iter()
            .filter(|r| r.flags.has(Flags::SUGGESTED))
            .map(|r| r.name);
        rows.chain(self.statics.iter().map(|s| s.0.as_str()))
    }

    /// Whether an event type, a system call or an injected event has this name.
    #[must_use]
    pub fn is_event_name(&self, name: &[u8]) -> bool {
        self.events.contains(name)
    }

    fn static_field(&self, text: &str) -> Option<FieldDef> {
        let index = self.statics.iter().position(|s| s.0 == text)?;
        let field = FieldRef {
            id: FIRST_STATIC.checked_add(u16::try_from(index).ok()?)?,
            arg: Argument::None,
        };
        Some(FieldDef {
            lifetime: Lifetime::Host,
            ..FieldDef::new(text, field, Type::CharBuf)
        })
    }

    /// The row whose name the text starts with, and the rest of the text.
    fn split<'t>(&self, text: &'t str) -> Option<(Id, &'t str)> {
        let bracket = text.find('[').unwrap_or(text.len());
        if let Some(&id) = self.names.get(&text[..bracket]) {
            return Some((id, &text[bracket..]));
        }
        let mut end = bracket;
        while let Some(dot) = text[..end].rfind('.') {
            if let Some(&id) = self.names.get(&text[..dot]) {
                return Some((id, &text[dot..]));
            }
            end = dot;
        }
        None
    }
}

impl Schema for Catalogue {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        if let Some(def) = self.static_field(text) {
            return Ok(def);
        }
        let (id, rest) = self.split(text).ok_or(ResolveError::Unknown)?;
        let row = id.row();
        let parsed = argument::parse(id, row.arg, rest)?;
        if row.flags.has(Flags::REMOVED) && !self.with_removed {
            return Err(ResolveError::Removed {
                since: removed_since(row.class),
            });
        }
        // Un-indexed ancestors are all looked at; so is the environment of an ancestor by level.
        let any_level = parsed.arg == Argument::None
            || (id == Id::ProcAenv && matches!(parsed.arg, Argument::Index(_)));
        Ok(FieldDef {
            name: text.to_owned(),
            field: FieldRef {
                id: id as u16,
                arg: parsed.arg,
            },
            ty: parsed.ty.map_or(row.ty, |t| t.0),
            list: row.flags.has(Flags::LIST),
            quantifier: if id == Id::EvtAround {
                Quantifier::Within
            } else {
                row.quantifier(any_level)
            },
            format: parsed.ty.map_or(row.format(), |t| t.1),
            lifetime: row.lifetime,
            rhs_allowed: !row.flags.has(Flags::NO_RHS),
            transformers_allowed: !row.flags.has(Flags::NO_TRANSFORMER),
            filter_only: row.flags.has(Flags::FILTER_ONLY),
            deprecated: row.flags.has(Flags::DEPRECATED),
        })
    }

    fn names(&self) -> Vec<&str> {
        let rows = ROWS.iter().filter(|r| r.offered()).map(|r| r.name);
        rows.chain(self.statics.iter().map(|s| s.0.as_str()))
            .collect()
    }

    fn check_constant(&self, field: &FieldDef, value: &[u8]) -> Result<(), String> {
        if field.field.id == Id::EvtType as u16 && !self.is_event_name(value) {
            return Err(format!(
                "unknown event type '{}'",
                String::from_utf8_lossy(value)
            ));
        }
        Ok(())
    }

    fn service_port(&self, name: &str) -> Option<u16> {
        services::port(name)
    }
}

#[cfg(test)]
mod tests;
