//! The condition language and the output templates.
//!
//! This crate knows no system call: names come through a [`Schema`], values through a
//! [`FieldSource`]. Four nouns in order are the whole interface: schema, filter, graph, source.

#![forbid(unsafe_code)]

pub mod ast;
pub mod error;
mod lexer;
pub mod operator;
pub mod parser;
mod print;
pub mod schema;
pub mod span;
pub mod value;

pub use ast::{Ast, Check, Expr, ExprId, ExprKind, Field, Literal, Operand, Right, Transformer};
pub use error::{ParseError, ParseErrorKind};
pub use operator::{Function, Modifier, Operator};
pub use parser::{ParseOptions, parse, parse_with};
pub use span::{Position, SourceId, Span};

pub use schema::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Lifetime, Purpose, Quantifier, ResolveError,
    Schema,
};
pub use value::{Type, Value};
