//! What can be wrong with a condition that parses, and what is doubtful.

use crate::operator::{Function, Modifier, Operator};
use crate::span::{SourceId, Span};
use crate::value::Type;

/// A condition that parses and makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CompileError {
    /// What is wrong.
    pub kind: CompileErrorKind,
    /// The part that is wrong: a field, a value, an operator, a name.
    pub span: Span,
    /// The text that the span counts in.
    pub source_id: SourceId,
}

/// Something in a condition that is legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is doubtful.
    pub kind: WarningKind,
    /// The value.
    pub span: Span,
    /// The text that the span counts in.
    pub source_id: SourceId,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kind.fmt(f)
    }
}

/// Classes of compile errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileErrorKind {
    /// No such field.
    #[error("there is no field `{field}`{}", hint(.suggestion.as_deref()))]
    UnknownField {
        /// As written.
        field: String,
        /// The nearest known name.
        suggestion: Option<String>,
    },
    /// There was such a field once.
    #[error("field `{field}` does not exist any more since version {since}")]
    RemovedField {
        /// As written.
        field: String,
        /// First version without it.
        since: &'static str,
    },
    /// The field exists; its argument does not fit.
    #[error("field `{field}`: {reason}")]
    FieldArgument {
        /// As written.
        field: String,
        /// What is wrong, from the schema.
        reason: String,
    },
    /// A macro that nobody replaced.
    #[error("`{name}` is neither a field nor a known macro")]
    UnknownMacro {
        /// The name.
        name: String,
    },
    /// The operator does not fit the type.
    #[error("`{operator}`{} cannot be used on {ty}", modified(.modifier.as_ref()))]
    Operator {
        /// The operator.
        operator: Operator,
        /// Its modifier.
        modifier: Option<Modifier>,
        /// The type.
        ty: TypeText,
    },
    /// Lists only know `in`, `intersects` and `exists`.
    #[error("`{operator}` cannot be used on a list; use `in`, `intersects` or `exists`")]
    ListOperator {
        /// The operator.
        operator: Operator,
    },
    /// Lists of this type cannot be compared.
    #[error("lists of {} cannot be compared", .ty.name())]
    ListType {
        /// Type of the elements.
        ty: Type,
    },
    /// A type that has no constants.
    #[error("values of type {} cannot be compared", .ty.name())]
    OpaqueType {
        /// The type.
        ty: Type,
    },
    /// `bcontains` and `bstartswith` take hexadecimal digits.
    #[error("`bcontains` and `bstartswith` take an even number of hexadecimal digits")]
    Hex,
    /// Not a decimal integer.
    #[error("`{value}` is not a whole decimal number")]
    Number {
        /// As written.
        value: String,
    },
    /// Not a truth value.
    #[error("`{value}` is neither `true` nor `false`")]
    Boolean {
        /// As written.
        value: String,
    },
    /// Not an IPv4 address.
    #[error("`{value}` is not an IPv4 address")]
    Ipv4 {
        /// As written.
        value: String,
    },
    /// Not an IPv6 address.
    #[error("`{value}` is not an IPv6 address")]
    Ipv6 {
        /// As written.
        value: String,
    },
    /// Not a network.
    #[error("`{value}` is not a network such as 10.0.0.0/8 or 2001:db8::/32")]
    Network {
        /// As written.
        value: String,
    },
    /// A prefix length out of range.
    #[error("a network prefix of `/{prefix}` is not possible; the longest is {longest}")]
    Netmask {
        /// As written.
        prefix: String,
        /// 32 or 128.
        longest: u32,
    },
    /// Not a port and not a service.
    #[error("`{name}` is neither a port number nor a known service")]
    Service {
        /// As written.
        name: String,
    },
    /// The schema refuses the constant.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A regular expression that is none.
    #[error("the regular expression is not valid: {reason}")]
    Regex {
        /// What is wrong.
        reason: String,
    },
    /// A constant that is too long.
    #[error("a value may have at most {longest} bytes, this one has {length}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        longest: usize,
    },
    /// A NUL byte in a text.
    #[error("a value cannot contain a NUL byte")]
    Nul,
    /// The operator compares with constants only.
    #[error("`{operator}` compares with constants only, not with another field")]
    RightOperator {
        /// The operator.
        operator: Operator,
    },
    /// The type compares with constants only.
    #[error("{} compares with constants only, not with another field", .ty.name())]
    RightType {
        /// The type.
        ty: Type,
    },
    /// The left field compares with constants only.
    #[error("field `{field}` compares with constants only, not with another field")]
    RightRefused {
        /// The left field.
        field: String,
    },
    /// The field cannot stand on the right.
    #[error("field `{field}` cannot stand on the right side")]
    RightField {
        /// The right field.
        field: String,
    },
    /// The sides have different types.
    #[error("`{left}` has type {left_type}, but `{right}` has type {right_type}")]
    Mismatch {
        /// Left side as written.
        left: String,
        /// Its type.
        left_type: TypeText,
        /// Right side as written.
        right: String,
        /// Its type.
        right_type: TypeText,
    },
    /// A transformer does not take this type.
    #[error("`{function}` does not take {ty}, the type of `{argument}`")]
    TransformerType {
        /// The transformer.
        function: Function,
        /// Type of the argument.
        ty: TypeText,
        /// The argument as written.
        argument: String,
    },
    /// A field that takes no transformers.
    #[error("field `{field}` cannot stand inside a transformer")]
    TransformersRefused {
        /// The field.
        field: String,
    },
    /// A selector on a transformer that has none.
    #[error("`{function}` takes no argument in brackets")]
    NoSelector {
        /// The transformer.
        function: Function,
    },
    /// A selector of `getopt` that isn't one character.
    #[error("the argument in brackets of `getopt` is one option character")]
    Selector,
    /// Wrong number of arguments.
    #[error("`{function}` takes {takes}, not {given}")]
    ArgumentCount {
        /// The transformer.
        function: Function,
        /// How many it takes, in words.
        takes: &'static str,
        /// How many it was given.
        given: usize,
    },
    /// Wrong kind of an argument.
    #[error("argument {position} of `{function}` must be {wanted}")]
    ArgumentKind {
        /// The transformer.
        function: Function,
        /// Which argument, counted from one.
        position: usize,
        /// What it must be.
        wanted: &'static str,
    },
    /// Expansion nested the condition too deep.
    #[error("the condition is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
}

/// A type, perhaps of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeText {
    /// Of the value or its elements.
    pub ty: Type,
    /// Whether it is a list.
    pub list: bool,
}

impl std::fmt::Display for TypeText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.ty.name())?;
        f.write_str(if self.list { " (list)" } else { "" })
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn modified(modifier: Option<&Modifier>) -> String {
    modifier.map_or_else(String::new, |word| format!(" with `{word}`"))
}

/// Classes of warnings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// The constant is the name of a field.
    #[error(
        "`{value}` is compared as a text, though it is the name of a field; `val({value})` takes its value"
    )]
    FieldAsText {
        /// The constant.
        value: String,
    },
    /// The constant looks like a transformer.
    #[error(
        "`{value}` is compared as a text, though it looks like a transformer; without quotes it is one"
    )]
    TransformerAsText {
        /// The constant.
        value: String,
    },
    /// A regular expression that needs none.
    #[error(
        "`{value}` needs no regular expression; `=`, `contains`, `startswith` or `endswith` is faster"
    )]
    PlainRegex {
        /// The constant.
        value: String,
    },
}
