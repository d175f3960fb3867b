//! Source texts, spans and diagnostics: everything that is said about what a person wrote.
//!
//! A [`Diagnostic`] is data: a code with an explanation, a message, the place, further places,
//! notes and edits. It is rendered as text in the look of the Rust compiler, or as JSON. This
//! crate knows nothing of rules or configuration; their crates declare their own codes.
//!
//! ```
//! use diag::{Code, Diagnostic, Severity, SourceMap, Span};
//!
//! static TYPO: Code = Code { id: "P9999", title: "a typo", explanation: "Mend it." };
//! let mut sources = SourceMap::new();
//! let file = sources.add("a.yaml", "- rul: x\n");
//! let found = Diagnostic::new(&TYPO, Severity::Error, "unknown key `rul`")
//!     .at(Span::new(file, 2, 5), "")
//!     .suggest(Span::new(file, 2, 5), "rule", "there is a key of a similar name");
//! let text = diag::text::render(&sources, &found, false);
//! assert!(text.contains("a.yaml:1:3"));
//! ```
//!
//! Modules: [`source`] texts and places, [`diagnostic`] the findings, [`code`] their codes,
//! [`text`] and [`json`] the two renderings, [`nearest`] the suggestion of similar names.

#![forbid(unsafe_code)]

pub mod code;
pub mod diagnostic;
pub mod json;
pub mod nearest;
pub mod source;
pub mod text;

pub use code::Code;
pub use diagnostic::{Diagnostic, Label, Severity, Suggestion};
pub use source::{Place, Source, SourceId, SourceMap, Span};
