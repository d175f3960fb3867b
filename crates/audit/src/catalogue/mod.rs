//! The catalogue: from a field's text to what the view takes.

mod table;

use filter::{Argument, FieldDef, FieldRef, ResolveError, Schema, Type};
use rustc_hash::FxHashMap;

pub use table::ROWS;

/// What may follow a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// `[2]` or nothing.
    Index,
    /// `[name]`
    Key,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The value at a path.
    At(&'static [&'static str]),
    /// All values at a path, an array at its end opened.
    Each(&'static [&'static str]),
    /// An annotation.
    Annotation(&'static str),
    /// Names of the bound subjects of a kind.
    Subjects(&'static str, bool),
    /// A property of each rule of a role, opened.
    RoleRules(&'static [&'static str]),
    /// A property of the containers in a list of containers.
    Container(List, Property),
    /// `ka.sourceips`
    SourceIps,
    /// `ka.uri.param[K]`
    UriParameter,
    /// `ka.target.pod.name`
    TargetPod,
    /// The keys of each volume that are not its name.
    VolumeTypes,
    /// `true` if a subject has the name.
    HasName,
    /// `true` if a volume's host path fits.
    HostPath,
    /// The image of the first container, or of the one with the index.
    FirstImage,
    /// Its repository.
    FirstRepository,
    /// `true` if any container, or the one with the index, is privileged.
    AnyPrivileged,
    /// The event's time.
    Time(Time),
    /// A JSON pointer.
    Pointer,
    /// The whole event.
    Whole(bool),
}

/// A list of containers in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Containers,
    Init,
    Ephemeral,
}

impl List {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Init => "initContainers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// A property of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    /// A text that each container must have for the field to have a value.
    Text(&'static str),
    Repository,
    /// Words joined by blanks.
    Words(&'static str),
    Ports,
    /// In the security context.
    Security(&'static str),
    /// In the security context, else the pod's, else 0.
    Effective(&'static str),
    Capabilities,
}

/// A form of the event's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Nanoseconds,
    Day,
    Iso8601,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name without argument.
    pub name: &'static str,
    /// Whether it is a list.
    pub list: bool,
    /// What may follow the name.
    pub takes: Takes,
    /// Whether it is left out of listings and warned about.
    pub deprecated: bool,
    /// What it means.
    pub text: &'static str,
    pub(crate) rule: Rule,
}

/// Bit of a field's number that asks for its text instead of its list.
pub(crate) const AS_TEXT: u16 = 0x800;

/// The fields of audit events, as a [`Schema`].
#[derive(Clone, Debug)]
pub struct Catalogue {
    names: FxHashMap<&'static str, u16>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalogue {
    /// All fields.
    #[must_use]
    pub fn new() -> Self {
        let rows = ROWS.iter().zip(0_u16..);
        Self {
            names: rows.map(|(row, number)| (row.name, number)).collect(),
        }
    }
}

impl Schema for Catalogue {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let bracket = text.find('[').unwrap_or(text.len());
        let (name, rest) = text.split_at(bracket);
        let &number = self.names.get(name).ok_or(ResolveError::Unknown)?;
        let row = &ROWS[usize::from(number)];
        let written = match rest.strip_prefix('[') {
            None => None,
            Some(inner) => Some(inner.strip_suffix(']').ok_or_else(|| {
                ResolveError::Argument(format!("the argument of '{name}' does not end with ]"))
            })?),
        };
        let arg = match (row.takes, written) {
            (Takes::Nothing, None) | (Takes::Index, None) => Argument::None,
            (Takes::Nothing, Some(_)) => {
                return Err(ResolveError::Argument(format!(
                    "{name} forbids an index but one provided"
                )));
            }
            (Takes::Key, None) => {
                return Err(ResolveError::Argument(format!(
                    "{name} requires an index but none provided"
                )));
            }
            (Takes::Index, Some(index)) => {
                let digits = index.bytes().all(|b| b.is_ascii_digit()) && !index.is_empty();
                let leading = index.len() > 1 && index.starts_with('0');
                let number = index.parse().ok().filter(|_| digits && !leading);
                Argument::Index(number.ok_or_else(|| {
                    ResolveError::Argument(format!(
                        "{name} requires a numeric index, not '{index}'"
                    ))
                })?)
            }
            (Takes::Key, Some(key)) => Argument::Key(key.into()),
        };
        Ok(FieldDef {
            list: row.list,
            deprecated: row.deprecated,
            ..FieldDef::new(text, FieldRef { id: number, arg }, Type::CharBuf)
        })
    }

    fn names(&self) -> Vec<&str> {
        ROWS.iter()
            .filter(|row| !row.deprecated)
            .map(|row| row.name)
            .collect()
    }

    fn as_text(&self, field: &FieldDef) -> Option<FieldDef> {
        let mut text = field.clone();
        text.list = false;
        text.field.id |= AS_TEXT;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_resolve() {
        let catalogue = Catalogue::new();
        assert_eq!(catalogue.names.len(), ROWS.len());
        for row in ROWS {
            let text = match row.takes {
                Takes::Nothing | Takes::Index => row.name.to_owned(),
                Takes::Key => format!("{}[k]", row.name),
            };
            assert_eq!(catalogue.resolve(&text).unwrap().list, row.list, "{text}");
        }
    }

    #[test]
    fn arguments() {
        let catalogue = Catalogue::new();
        let message = |text| match catalogue.resolve(text) {
            Err(ResolveError::Argument(message)) => message,
            other => panic!("{text}: {other:?}"),
        };
        assert!(message("ka.verb[1]").contains("forbids an index"));
        assert!(message("ka.uri.param").contains("requires an index"));
        assert!(message("ka.req.pod.containers.image[a]").contains("numeric index"));
        assert!(message("ka.req.pod.containers.image[01]").contains("numeric index"));
        assert!(catalogue.resolve("ka.req.pod.containers.image[1]").is_ok());
        assert!(catalogue.resolve("jevt.value[/a/b]").is_ok());
        assert_eq!(
            catalogue.resolve("ka.req").unwrap_err(),
            ResolveError::Unknown
        );
        assert_eq!(
            catalogue.resolve("ka.verb2").unwrap_err(),
            ResolveError::Unknown
        );
    }
}
