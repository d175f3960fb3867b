//! What can be wrong with a condition's text.
//!
//! The classes are those of the original, because rule authors' tools look at where and what;
//! the sentences are our own.

use crate::span::Position;

/// A condition that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Byte at which the parser stood.
    pub at: usize,
}

impl ParseError {
    /// Line and column of the place in the text that was parsed.
    #[must_use]
    pub fn position(&self, text: &str) -> Position {
        Position::of(text, self.at)
    }
}

/// Classes of syntax errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing to parse.
    #[error("the condition is empty")]
    Empty,
    /// Something stands where the condition should end or go on with `and`/`or`.
    #[error("after `{after}` only `and`, `or` or the end can follow")]
    UnexpectedToken {
        /// Last token that fitted.
        after: String,
    },
    /// `and` or `or` runs into what follows.
    #[error("`{word}` needs a blank or `(` behind it")]
    JoinedWord {
        /// `and` or `or`.
        word: &'static str,
    },
    /// A group or a list is not closed.
    #[error("a `)` is missing here")]
    MissingParenthesis,
    /// No check begins here.
    #[error("a check, a macro name or a `(` should begin here")]
    ExpectedCheck,
    /// The brackets hold no argument.
    #[error("between the brackets belongs an argument, bare or in quotes")]
    ExpectedArgument,
    /// A field argument is not closed.
    #[error("a `]` is missing here")]
    MissingBracket,
    /// A transformer is not closed.
    #[error("the transformer lacks its `)` here")]
    UnclosedTransformer,
    /// No argument of a transformer.
    #[error("a transformer takes a field, a quoted text, a number, a list or a transformer here")]
    ExpectedTransformerArgument,
    /// No element of a transformer's list.
    #[error(
        "a list inside a transformer takes a field, a quoted text, a number or a transformer here"
    )]
    ExpectedTransformerItem,
    /// No operator behind a left side.
    #[error("an operator is missing here, such as `=`, `in`, `contains` or `exists`")]
    ExpectedOperator,
    /// `<`, `<=`, `>`, `>=` without a number.
    #[error("a number, `val(field)` or a transformer should stand here")]
    ExpectedNumber,
    /// No value behind an operator.
    #[error("a value, `val(field)` or a transformer should stand here")]
    ExpectedValue,
    /// No element of a list.
    #[error("an element of the list is missing here")]
    ExpectedListItem,
    /// No list behind a modifier.
    #[error("a list in parentheses or a list's name should stand here")]
    ExpectedModifierList,
    /// No list behind `in`, `intersects`, `pmatch`.
    #[error(
        "a list in parentheses, a list's name, `val(field)` or a transformer should stand here"
    )]
    ExpectedList,
    /// `val` around something else than a field.
    #[error("`val` takes a plain field")]
    ExpectedFieldInVal,
    /// Too many parentheses inside each other.
    #[error("parentheses are nested too deep; the limit is {limit}, each level costs 5")]
    TooDeep {
        /// The limit that was set.
        limit: u32,
    },
    /// A quote of the other kind is escaped.
    #[error("`\\{quote}` cannot stand in a text that `{within}` encloses")]
    ForeignQuote {
        /// The escaped quote.
        quote: char,
        /// The quote around the text.
        within: char,
    },
    /// An escape that does not exist, or `\x` without two hexadecimal digits.
    #[error("`\\{escape}` is not an escape sequence")]
    UnknownEscape {
        /// What follows the backslash.
        escape: char,
    },
    /// An argument that is not UTF-8 (through `\xHH`).
    #[error("a field's argument must be text")]
    ArgumentNotText,
}
