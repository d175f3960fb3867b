//! Folding: what is left of conditions when some of their checks are decided beforehand.
//!
//! The engine folds all conditions once per event type: checks of `evt.type` are gone then, and
//! with them whatever they decide. The results are nodes of the same graph, so they are shared as
//! all others are.

use bumpalo::Bump;
use hashbrown::HashMap;

use crate::graph::{Graph, Kind, NodeId, Predicate};
use crate::schema::{FieldRef, FieldSource, Purpose};
use crate::value::Value;

/// What is left of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// It holds.
    Always,
    /// It cannot hold.
    Never,
    /// It depends on this.
    Node(NodeId),
}

/// Answers every field with one value.
struct One<'v>(&'v Value<'v>);

impl FieldSource for One<'_> {
    fn extract<'a>(&'a self, _: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> {
        Some(*self.0)
    }
}

impl Graph {
    /// Folds conditions. `decide` is asked for each check below them, once.
    pub fn fold(
        &mut self,
        roots: &[NodeId],
        mut decide: impl FnMut(&Self, NodeId, &Predicate) -> Option<bool>,
    ) -> Vec<Folded> {
        let mut known = HashMap::new();
        roots
            .iter()
            .map(|&root| self.fold_one(root, &mut decide, &mut known))
            .collect()
    }

    fn fold_one(
        &mut self,
        id: NodeId,
        decide: &mut impl FnMut(&Self, NodeId, &Predicate) -> Option<bool>,
        known: &mut HashMap<NodeId, Folded>,
    ) -> Folded {
        if let Some(&folded) = known.get(&id) {
            return folded;
        }
        let folded = match &self.nodes[id.index()] {
            Kind::Check(index) => match decide(self, id, self.predicate(*index)) {
                Some(true) => Folded::Always,
                Some(false) => Folded::Never,
                None => Folded::Node(id),
            },
            Kind::Not(inner) => {
                let inner = *inner;
                match self.fold_one(inner, decide, known) {
                    Folded::Always => Folded::Never,
                    Folded::Never => Folded::Always,
                    Folded::Node(one) => Folded::Node(self.negate(one)),
                }
            }
            Kind::And(all) => {
                let all = all.clone();
                self.fold_all(&all, true, decide, known)
            }
            Kind::Or(all) => {
                let all = all.clone();
                self.fold_all(&all, false, decide, known)
            }
        };
        known.insert(id, folded);
        folded
    }

    /// `and` ends at what never holds and skips what always does; `or` the other way round.
    fn fold_all(
        &mut self,
        all: &[NodeId],
        and: bool,
        decide: &mut impl FnMut(&Self, NodeId, &Predicate) -> Option<bool>,
        known: &mut HashMap<NodeId, Folded>,
    ) -> Folded {
        let (ends, skips) = if and {
            (Folded::Never, Folded::Always)
        } else {
            (Folded::Always, Folded::Never)
        };
        let mut left = Vec::with_capacity(all.len());
        for &one in all {
            match self.fold_one(one, decide, known) {
                Folded::Node(id) => left.push(id),
                decided if decided == ends => return ends,
                _ => {}
            }
        }
        if left.is_empty() {
            return skips;
        }
        Folded::Node(self.join(left.into_iter(), and))
    }

    /// Result of a check whose left field has this value; `None` if the node is no check, or one
    /// that needs more than that field.
    #[must_use]
    pub fn check_value(&self, id: NodeId, value: &Value<'_>, scratch: &Bump) -> Option<bool> {
        let Kind::Check(index) = &self.nodes[id.index()] else {
            return None;
        };
        if self.predicate(*index).fields.len() != 1 {
            return None;
        }
        Some(crate::evaluate::check(
            &self.runners[*index as usize],
            &One(value),
            scratch,
        ))
    }
}
