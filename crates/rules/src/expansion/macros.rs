//! Macros, inserted as trees.

use filter::Ast;

use crate::definition::MacroDef;
use crate::state::Named;

/// Most weight of an expanded condition, and of all of them together: macros that use each other
/// twice double at every step, and a long list in a macro is copied with each use.
pub(crate) const LARGEST: usize = 2_000_000;
const LARGEST_TOTAL: usize = 10_000_000;

/// What an expression weighs, against a constant in a list.
const EXPRESSION: usize = 8;

/// How far macros may lead to macros that are defined after them (appends make that possible).
const DEEPEST: usize = 100;

/// Why a condition cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A word that is no visible macro: its name and where it stands in its text.
    Undefined {
        name: String,
        start: usize,
        end: usize,
    },
    /// The macro leads back to itself.
    Loop {
        name: String,
        start: usize,
        end: usize,
    },
    /// The macro was refused itself, for a reason already given.
    Refused,
    /// The condition becomes too large.
    TooLarge,
}

/// Trees of macros.
pub(crate) struct Macros {
    /// As parsed; `None` where that failed.
    pub(crate) parsed: Vec<Option<Ast>>,
    /// With their own macros inserted, in order of definition as far as that has come.
    pub(crate) resolved: Vec<Option<Ast>>,
    /// Whether something refers to it.
    pub(crate) used: Vec<bool>,
    /// What each resolved tree weighs.
    weights: Vec<usize>,
    /// What all trees made so far weigh.
    total: usize,
}

/// What a tree weighs: its expressions and constants.
fn weigh(ast: &Ast) -> usize {
    let constants: usize = ast
        .checks()
        .map(|(_, check)| check.right.constants().len())
        .sum();
    ast.exprs().len() * EXPRESSION + constants
}

impl Macros {
    /// Macros that are parsed but not resolved.
    pub(crate) fn new(parsed: Vec<Option<Ast>>) -> Self {
        let used = vec![false; parsed.len()];
        Self {
            resolved: Vec::with_capacity(parsed.len()),
            parsed,
            used,
            weights: Vec::new(),
            total: 0,
        }
    }

    /// Resolves the next macro in order. It sees the macros that were first defined before its own
    /// last change.
    pub(crate) fn resolve_next(&mut self, all: &Named<MacroDef>) -> Result<(), Vec<Fault>> {
        let at = self.resolved.len();
        let outcome = match (self.parsed[at].clone(), all.iter().nth(at)) {
            (Some(ast), Some(definition)) => {
                let visible = definition.order.visibility;
                self.insert(&ast, all, visible, &mut vec![at])
            }
            _ => Err(vec![Fault::Refused]),
        };
        match outcome {
            Ok(ast) => {
                self.weights.push(weigh(&ast));
                self.resolved.push(Some(ast));
                Ok(())
            }
            Err(faults) => {
                self.weights.push(0);
                self.resolved.push(None);
                Err(faults)
            }
        }
    }

    /// Inserts macros into a rule's condition, which sees all of them.
    pub(crate) fn insert_all(
        &mut self,
        ast: &Ast,
        all: &Named<MacroDef>,
    ) -> Result<Ast, Vec<Fault>> {
        self.insert(ast, all, u32::MAX, &mut Vec::new())
    }

    fn insert(
        &mut self,
        ast: &Ast,
        all: &Named<MacroDef>,
        visible: u32,
        path: &mut Vec<usize>,
    ) -> Result<Ast, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut weight = weigh(ast);
        // Macros that are not resolved yet are resolved for this use only.
        let mut special: Vec<(usize, Ast)> = Vec::new();
        for (expr, name) in ast.macros() {
            let (start, end) = (expr.span.start as usize, expr.span.end as usize);
            let name = name.to_owned();
            let found = all
                .position(&name)
                .zip(all.find(&name))
                .filter(|(_, definition)| definition.order.index < visible);
            let Some((at, _)) = found else {
                faults.push(Fault::Undefined { name, start, end });
                continue;
            };
            self.used[at] = true;
            if path.contains(&at) || path.len() > DEEPEST {
                faults.push(Fault::Loop { name, start, end });
                continue;
            }
            if at < self.resolved.len() {
                if self.resolved[at].is_none() {
                    faults.push(Fault::Refused);
                }
                weight = weight.saturating_add(self.weights[at]);
                continue;
            }
            if let Some((_, ast)) = special.iter().find(|(n, _)| *n == at) {
                weight = weight.saturating_add(weigh(ast));
                continue;
            }
            let Some(inner) = self.parsed[at].clone() else {
                faults.push(Fault::Refused);
                continue;
            };
            path.push(at);
            match self.insert(&inner, all, visible, path) {
                Ok(ast) => {
                    weight = weight.saturating_add(weigh(&ast));
                    special.push((at, ast));
                }
                // The place is in the other macro's text; what is wrong here is its mention.
                Err(inner) => faults.extend(inner.into_iter().map(|fault| match fault {
                    Fault::Undefined { name, .. } => Fault::Undefined { name, start, end },
                    Fault::Loop { name, .. } => Fault::Loop { name, start, end },
                    other => other,
                })),
            }
            path.pop();
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.total = self.total.saturating_add(weight);
        if weight > LARGEST || self.total > LARGEST_TOTAL {
            return Err(vec![Fault::TooLarge]);
        }
        ast.replace_macros(LARGEST, |name, _| {
            let at = all.position(name)?;
            match special.iter().find(|(n, _)| *n == at) {
                Some((_, ast)) => Some(ast),
                None => self.resolved.get(at)?.as_ref(),
            }
        })
        .map_err(|_| vec![Fault::TooLarge])
    }
}
