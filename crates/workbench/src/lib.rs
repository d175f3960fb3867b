//! What rule writers work with.
//!
//! ```text
//!  words ──┬─► layout    files in one layout (`fmt`)
//!          ├─► lint      what compiles and is not what was meant; fix: edits that change no meaning
//!          └─► meaning   whether two rule sets say the same (`diff`)
//!  server                  an editor's questions answered from all of these (`lsp`)
//!  scenario                events that a person wrote down, as records (`test`)
//! ```
//!
//! It opens no file and prints nothing: texts come in, and texts, edits and records go out.
//!
//! ```
//! let text = "- macro: opens\n  condition: evt.type=open   and ( fd.num>=0 )\n";
//! assert_eq!(workbench::layout::format(text)?, text);
//! let text = "- macro: opens\n  condition: >\n      evt.type=open   and\n      ( fd.num>=0 )\n";
//! assert_eq!(
//!     workbench::layout::format(text)?,
//!     "- macro: opens\n  condition: >\n    evt.type = open and (fd.num >= 0)\n"
//! );
//! # Ok::<(), workbench::layout::Refusal>(())
//! ```

#![forbid(unsafe_code)]

pub mod fix;
pub mod layout;
pub mod lint;
pub mod meaning;
pub mod scenario;
pub mod server;
pub mod words;
