//! The condition language and the output templates.
//!
//! This crate knows no system call: names come through a [`Schema`], values through a
//! [`FieldSource`]. Four nouns in order are the whole interface: schema, filter, graph, source.
//!
//! ```
//! use bumpalo::Bump;
//! use filter::*;
//!
//! struct Names;
//! impl Schema for Names {
//!     fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
//!         if text != "proc.name" {
//!             return Err(ResolveError::Unknown);
//!         }
//!         let field = FieldRef { id: 0, arg: Argument::None };
//!         Ok(FieldDef::new(text, field, Type::CharBuf))
//!     }
//!     fn names(&self) -> Vec<&str> {
//!         vec!["proc.name"]
//!     }
//! }
//!
//! struct Event(&'static str);
//! impl FieldSource for Event {
//!     fn extract<'a>(&'a self, _: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> {
//!         Some(Value::Bytes(self.0.as_bytes()))
//!     }
//! }
//!
//! let shells = Filter::compile("proc.name in (bash, sh) or proc.name endswith csh", &Names)?;
//! let mut memo = Memo::new();
//! assert!(shells.matches(&Event("tcsh"), &mut memo));
//! assert!(!shells.matches(&Event("vim"), &mut memo));
//!
//! let error = Filter::compile("proc.nmae = sh", &Names).unwrap_err();
//! assert_eq!(error.to_string(), "at byte 0: there is no field `proc.nmae`; did you mean `proc.name`?");
//!
//! let output = Template::parse("a shell (%proc.name)", &Names)?;
//! let mut line = Vec::new();
//! output.render(&Event("tcsh"), &mut line);
//! assert_eq!(line, b"a shell (tcsh)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The way of a condition
//!
//! [`parse_with`] gives an [`Ast`] with a span for each part; [`Ast::replace_macros`] expands it;
//! [`check()`] finds all that is wrong or doubtful in it; [`Graph::add`] compiles it into nodes that
//! all conditions share; [`Graph::evaluate`] asks a [`FieldSource`] for what it needs, once per
//! event, with a [`Memo`] that [`Memo::next_event`] makes forget. [`Graph::fold`] gives what is left
//! of conditions for one event type. [`naive`] is the same language without any cleverness, as an
//! oracle for tests.
//!
//! # Invariants
//!
//! - No text overflows the stack or takes more than linear memory: trees live in arenas, the
//!   parser's depth is bounded by [`ParseOptions`], the graph's by [`graph::DEEPEST`].
//! - Whatever can fail, fails when a condition or template is compiled. Evaluation cannot fail, and
//!   allocates only in the memo's arena, for values that a transformer or the source composes.
//! - A missing value makes its check false, whatever the operator; only `not` turns that round.
//!
//! # Where the original is not followed
//!
//! These are its defects, not anyone's wish (version 0.44.1):
//!
//! - elements of a list behind a string transformer are found by `in` and `intersects`;
//! - `oneof`, `anyof`, `allof` work on network fields, and `in` looks at all networks of the list;
//! - `len(getopt(...))` is the number of elements; `%len(...)` prints in outputs;
//! - a missing number in the list of `join` makes the result missing and stops nothing;
//! - `pmatch` with wildcards in the same component of several patterns compares the right component;
//! - several arguments for a transformer that takes one are an ordinary error with a place;
//! - the depth limit is kept.
//!
//! Three things come from later versions: the escape `\xHH`, the error for a NUL byte in a value, and
//! `regex` on bytes that are not UTF-8, for which each invalid sequence counts as U+FFFD.

#![forbid(unsafe_code)]

pub mod ast;
mod compile;
pub mod compile_error;
mod constant;
pub mod domain;
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
pub mod program;
pub mod render;
pub mod schema;
pub mod screen;
pub mod span;
mod suggest;
pub mod template;
mod term;
pub mod trace;
mod transform;
pub mod value;
mod workspace;

pub use ast::{Ast, Check, Expr, ExprId, ExprKind, Field, Literal, Operand, Right, Transformer};
pub use compile::{Checker, check};
pub use compile_error::{CompileError, CompileErrorKind, TypeText, Warning, WarningKind};
pub use error::{ParseError, ParseErrorKind};
pub use evaluate::Memo;
pub use filter::{Filter, FilterError};
pub use fold::Folded;
pub use graph::{Graph, Node, NodeId, Predicate};
pub use operator::{Function, Modifier, Operator};
pub use parser::{ParseOptions, parse, parse_with};
pub use span::{Position, SourceId, Span};

pub use program::{Operand as ProgramOperand, Program};
pub use schema::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Keep, Lifetime, Purpose, Quantifier,
    ResolveError, Schema,
};
pub use screen::ScreenId;
pub use template::{Rendering, Template, TemplateError, TemplateErrorKind};
pub use trace::Tracer;
pub use value::{Type, Value};
pub use workspace::Workspace;
