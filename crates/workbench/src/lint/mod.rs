//! What compiles, and yet is not what its author meant: dead conditions, comparisons that miss, names that anybody can
//! bear. `peregrine check` says so as advice; [`crate::fix`] makes the edits that change no meaning.
//!
//! `pieces` finds the conditions as they are written; `logic` looks at what excludes or repeats itself, `values` at
//! single comparisons, `outputs` at what rules print. A comment `# peregrine: allow P0307` in or above an item silences a code
//! there.

pub mod code;
mod logic;
mod outputs;
pub mod pieces;
mod values;

use diag::{Code, Diagnostic, Severity, Span};
use filter::Schema;
use hashbrown::HashMap;
use rules::RuleSet;

use pieces::{File, Item, Thing, Written};

/// Advice on one kind of finding that is given at most so often for a file.
const MOST: usize = 1000;

/// What lints look at.
pub(crate) struct Subject<'a> {
    pub(crate) set: &'a RuleSet,
    pub(crate) schemas: &'a [(&'a str, &'a dyn Schema)],
    lists: HashMap<&'a str, &'a [String]>,
    macros: HashMap<&'a str, &'a rules::Macro>,
    rules: HashMap<&'a str, &'a rules::Rule>,
}

impl<'a> Subject<'a> {
    /// A rule set and the fields of its sources.
    pub(crate) fn new(set: &'a RuleSet, schemas: &'a [(&'a str, &'a dyn Schema)]) -> Self {
        Self {
            set,
            schemas,
            lists: set
                .lists
                .iter()
                .map(|list| (list.name.as_str(), list.expanded.as_slice()))
                .collect(),
            macros: set
                .macros
                .iter()
                .map(|one| (one.name.as_str(), one))
                .collect(),
            rules: set
                .rules
                .iter()
                .map(|rule| (rule.name.as_str(), rule))
                .collect(),
        }
    }

    /// A field, in whichever source knows it.
    pub(crate) fn field(&self, text: &str) -> Option<filter::FieldDef> {
        self.schemas
            .iter()
            .find_map(|(_, schema)| schema.resolve(text).ok())
    }

    pub(crate) fn list(&self, name: &str) -> Option<&'a [String]> {
        self.lists.get(name).copied()
    }

    pub(crate) fn macro_named(&self, name: &str) -> Option<&'a rules::Macro> {
        self.macros.get(name).copied()
    }

    pub(crate) fn rule(&self, name: &str) -> Option<&'a rules::Rule> {
        self.rules.get(name).copied()
    }
}

/// One condition as it is written.
pub(crate) struct Condition<'a> {
    pub(crate) text: &'a str,
    pub(crate) item: &'a Item,
    pub(crate) written: &'a Written,
    pub(crate) ast: filter::Ast,
    shift: usize,
}

impl Condition<'_> {
    /// The place of a part.
    pub(crate) fn span(&self, part: filter::Span) -> Span {
        let (start, end) = self.offsets(part);
        self.written.span(self.text, start, end)
    }

    /// Where a part begins and ends in the written value.
    pub(crate) fn offsets(&self, part: filter::Span) -> (usize, usize) {
        let offset = |at: u32| (at as usize).saturating_sub(self.shift);
        (offset(part.start), offset(part.end))
    }
}

/// Advice on the files of a rule set that was accepted. Files must be those that it was made of, in their order.
#[must_use]
pub fn lint(files: &[File<'_>], set: &RuleSet, schemas: &[(&str, &dyn Schema)]) -> Vec<Diagnostic> {
    let subject = Subject::new(set, schemas);
    let mut found = Vec::new();
    for file in files {
        for item in pieces::items(file) {
            let before = found.len();
            look(&subject, file, &item, &mut found);
            let mut at = before;
            while at < found.len() {
                let allowed = item
                    .allowed
                    .iter()
                    .any(|code| code.eq_ignore_ascii_case(found[at].code.id));
                if allowed {
                    found.remove(at);
                } else {
                    at += 1;
                }
            }
            if found.len() > MOST * files.len() {
                return found;
            }
        }
    }
    found
}

fn look(subject: &Subject<'_>, file: &File<'_>, item: &Item, found: &mut Vec<Diagnostic>) {
    for written in item.condition.iter().chain(&item.steps) {
        let Some((ast, shift)) = written.parse() else {
            continue;
        };
        let condition = Condition {
            text: file.text,
            item,
            written,
            ast,
            shift,
        };
        logic::look(subject, &condition, found);
        values::look(subject, &condition, found);
    }
    if item.thing == Thing::Rule && !item.changes {
        outputs::look(subject, file.text, item, found);
    }
}

/// A piece of advice.
pub(crate) fn advice(code: &'static Code, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(code, Severity::Advice, message).at(span, "")
}
