//! Which clauses of the tested rules were true on some event, and false on some.

use std::collections::BTreeMap;

use filter::{ExprKind, Tracer};

use super::super::explain::{Subject, lines};
use super::files::Loaded;
use crate::sources::SourceView;

/// Bits for each expression of each rule.
#[derive(Default)]
pub(crate) struct Coverage {
    seen: BTreeMap<usize, Vec<u8>>,
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;

/// A rule's clauses.
pub(crate) struct Covered {
    pub(crate) rule: String,
    pub(crate) clauses: usize,
    /// Seen both ways.
    pub(crate) both: usize,
    /// Clauses with what they never were, and the macro they come from.
    pub(crate) gaps: Vec<(String, &'static str, Option<String>)>,
}

impl Coverage {
    /// Takes in an event that concerns the rule.
    pub(super) fn see(&mut self, rule: usize, tracer: &mut Tracer, view: &SourceView<'_>) {
        let count = tracer.ast().exprs().len();
        let seen = self.seen.entry(rule).or_insert_with(|| vec![0; count]);
        let ids: Vec<_> = tracer
            .ast()
            .exprs()
            .filter(|(_, expr)| matches!(expr.kind, ExprKind::Check(_)))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            seen[id.index()] |= if tracer.holds(id, view) { TRUE } else { FALSE };
        }
    }

    /// What it comes to.
    pub(super) fn rules(&self, loaded: &Loaded) -> Vec<Covered> {
        let covered = self.seen.iter().map(|(&at, seen)| {
            let rule = &loaded.set.rules[at];
            let subject = Subject {
                rule,
                set: &loaded.set,
                sources: &loaded.map,
            };
            let mut covered = Covered {
                rule: rule.name.clone(),
                clauses: 0,
                both: 0,
                gaps: Vec::new(),
            };
            let mut origin: Vec<(usize, Option<String>)> = Vec::new();
            for line in lines(&subject) {
                origin.retain(|(depth, _)| *depth < line.depth);
                if line.origin.is_some() {
                    origin.push((line.depth, line.origin.clone()));
                }
                let Some(check) = line.check else { continue };
                covered.clauses += 1;
                let gap = match seen[check.index()] {
                    0 => "never asked",
                    TRUE => "never false",
                    FALSE => "never true",
                    _ => {
                        covered.both += 1;
                        continue;
                    }
                };
                let text = line
                    .text
                    .strip_prefix("not ")
                    .unwrap_or(&line.text)
                    .to_owned();
                covered.gaps.push((
                    text,
                    gap,
                    origin.last().and_then(|(_, origin)| origin.clone()),
                ));
            }
            covered
        });
        covered.collect()
    }
}
