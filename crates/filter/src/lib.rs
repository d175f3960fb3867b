//! The condition language and the output templates.
//!
//! This crate knows no system call: names come through a [`Schema`], values through a
//! [`FieldSource`]. Four nouns in order are the whole interface: schema, filter, graph, source.

#![forbid(unsafe_code)]

pub mod ast;
mod compile;
pub mod compile_error;
mod constant;
mod dynamic;
pub mod error;
mod evaluate;
mod filter;
mod fold;
mod glob;
pub mod graph;
pub mod json;
mod lexer;
mod matcher;
pub mod naive;
pub mod operator;
pub mod parser;
mod pathmatch;
mod pattern;
mod print;
pub mod render;
pub mod schema;
pub mod span;
mod suggest;
pub mod template;
mod term;
mod transform;
pub mod value;

pub use ast::{Ast, Check, Expr, ExprId, ExprKind, Field, Literal, Operand, Right, Transformer};
pub use compile::check;
pub use compile_error::{CompileError, CompileErrorKind, TypeText, Warning, WarningKind};
pub use error::{ParseError, ParseErrorKind};
pub use evaluate::Memo;
pub use filter::{Filter, FilterError};
pub use fold::Folded;
pub use graph::{Graph, Node, NodeId, Predicate};
pub use operator::{Function, Modifier, Operator};
pub use parser::{ParseOptions, parse, parse_with};
pub use span::{Position, SourceId, Span};

pub use schema::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Lifetime, Purpose, Quantifier, ResolveError,
    Schema,
};
pub use template::{Template, TemplateError, TemplateErrorKind};
pub use value::{Type, Value};
