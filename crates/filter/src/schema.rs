//! What the language needs to know about fields, and how it gets their values.

use bumpalo::Bump;

use crate::value::{Type, Value};

/// Argument of a field as written, without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// `proc.name`
    None,
    /// `proc.aname[2]`, `evt.arg[0]`
    Index(u32),
    /// `proc.env[HOME]`, `evt.arg.flags`
    Key(Box<str>),
}

/// A field with its argument: what an extractor needs. The number is the schema's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldRef {
    /// Number of the field in its schema.
    pub id: u16,
    /// Its argument.
    pub arg: Argument,
}

/// How integers print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Decimal, and everything that is no integer.
    Decimal,
    /// Upper-case hexadecimal without prefix; a string in JSON.
    Hex,
    /// Octal digits; a string in JSON.
    Octal,
    /// Nine digits, padded with zeros in text.
    Padded,
}

/// How a comparison treats a field that yields several values at once without being a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// One value, or a real list.
    One,
    /// True if any of the values satisfies the operator, whichever it is (`proc.aname`).
    Any,
    /// `!=` must hold for each value and needs at least one, all other operators for any
    /// (`fd.ip`); `exists` holds also without values.
    Ends,
    /// The value is a distance: `=` holds up to the constant, no other operator is allowed
    /// (`evt.around`).
    Within,
}

/// How long a value stays the same: until something changes of what the name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lifetime {
    /// Configuration.
    Host,
    /// The process itself: by exec, credentials, session.
    Process,
    /// The process, or its container's metadata.
    Container,
    /// The process or its relatives: ancestors, the thread that leads it, users and groups.
    Lineage,
    /// The descriptor, or any of the above.
    Descriptor,
    /// The event.
    Event,
}

/// A resolved field.
#[derive(Clone, Debug)]
pub struct FieldDef {
    /// As written, in canonical form: `proc.aname[2]`, `evt.arg.flags`.
    pub name: String,
    /// What the extractor takes.
    pub field: FieldRef,
    /// Type of its value, of its elements where it is a list.
    pub ty: Type,
    /// Whether it yields a list.
    pub list: bool,
    /// How comparisons treat several values.
    pub quantifier: Quantifier,
    /// How it prints.
    pub format: Format,
    /// How long a value stays.
    pub lifetime: Lifetime,
    /// May stand on the right side.
    pub rhs_allowed: bool,
    /// May stand inside a transformer.
    pub transformers_allowed: bool,
    /// Has no value of its own in outputs.
    pub filter_only: bool,
    /// Still works, but warns.
    pub deprecated: bool,
}

impl FieldDef {
    /// An ordinary field: one value of each event, printed in decimal where it is a number, allowed
    /// everywhere.
    #[must_use]
    pub fn new(name: impl Into<String>, field: FieldRef, ty: Type) -> Self {
        Self {
            name: name.into(),
            field,
            ty,
            list: false,
            quantifier: Quantifier::One,
            format: Format::Decimal,
            lifetime: Lifetime::Event,
            rhs_allowed: true,
            transformers_allowed: true,
            filter_only: false,
            deprecated: false,
        }
    }
}

/// Why a field does not resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// No field has this name.
    #[error("unknown field")]
    Unknown,
    /// The field exists; its argument is missing, superfluous or malformed.
    #[error("{0}")]
    Argument(String),
    /// The field existed up to an old version of the original: as wrong as an unknown one today.
    #[error("field was removed in version {since}")]
    Removed {
        /// First version without it.
        since: &'static str,
    },
}

/// The fields of one event source.
pub trait Schema {
    /// Resolves a field. `text` is the name and its argument without quotes: `proc.env[A B]`.
    ///
    /// # Errors
    /// [`ResolveError`] when there is no such field or the argument does not fit.
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError>;

    /// Names of all fields, for suggestions.
    fn names(&self) -> Vec<&str>;

    /// Checks a constant that a field compares with beyond its type (`evt.type` names).
    ///
    /// # Errors
    /// A message that says what is wrong with the constant.
    fn check_constant(&self, field: &FieldDef, value: &[u8]) -> Result<(), String> {
        let _ = (field, value);
        Ok(())
    }

    /// A field with the text of a list, for operators that lists do not take; `None` where such an
    /// operator is an error, as it is for nearly all fields.
    fn as_text(&self, list: &FieldDef) -> Option<FieldDef> {
        let _ = list;
        None
    }

    /// Port number of a service name such as `https`.
    fn service_port(&self, name: &str) -> Option<u16> {
        let _ = name;
        None
    }
}

/// What a value is wanted for; a few fields differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Comparison in a condition.
    Compare,
    /// Text of an output.
    Text,
    /// Value in JSON.
    Json,
}

/// Under what results are kept from one event of a thread to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Where the thread lies in a table: small numbers, which threads have one after the other.
    pub slot: usize,
    /// Another one whenever the slot holds another thread or a value of [`Lifetime::Process`] may
    /// have changed; never 0.
    pub own: u64,
    /// Another one whenever a value of [`Lifetime::Container`] or [`Lifetime::Lineage`] may have
    /// changed other than with `own`.
    pub shared: u64,
}

/// Values of the fields of one event.
pub trait FieldSource {
    /// Under what results that hang on the event's thread may be kept; `None`: not at all.
    fn keep(&self) -> Option<Keep> {
        None
    }

    /// The value, or `None` where the event has none. What must be composed lives in `scratch`.
    fn extract<'a>(
        &'a self,
        field: &FieldRef,
        purpose: Purpose,
        scratch: &'a Bump,
    ) -> Option<Value<'a>>;
}
