//! Evaluation of the graph on one event.

use bumpalo::Bump;

use crate::compile::Shape;
use crate::dynamic;
use crate::graph::{Graph, Kind, NodeId, RightSide, Runner};
use crate::matcher::{Matcher, modified};
use crate::schema::{FieldSource, Purpose};
use crate::term::Term;
use crate::transform;
use crate::value::Value;

/// What is known about the nodes for the current event.
///
/// A node's stamp is the event's number in this memo, doubled, plus its result; so nothing is
/// cleared between events. The arena for composed values is emptied, not freed.
#[derive(Debug)]
pub struct Memo {
    stamps: Vec<u32>,
    epoch: u32,
    scratch: Bump,
}

/// More than this in the arena is given back after an event.
const ARENA_KEPT: usize = 1 << 20;

impl Default for Memo {
    fn default() -> Self {
        Self::new()
    }
}

impl Memo {
    /// Knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stamps: Vec::new(),
            epoch: 1,
            scratch: Bump::new(),
        }
    }

    /// Forgets all results: to be called before each event.
    #[inline]
    pub fn next_event(&mut self) {
        self.epoch += 1;
        if self.epoch > u32::MAX / 2 {
            self.stamps.fill(0);
            self.epoch = 1;
        }
        if self.scratch.allocated_bytes() > ARENA_KEPT {
            self.scratch = Bump::new();
        } else {
            self.scratch.reset();
        }
    }

    /// Arena of the current event.
    #[must_use]
    pub fn scratch(&self) -> &Bump {
        &self.scratch
    }

    /// The result of a node, if it was needed for the current event.
    #[must_use]
    pub fn known(&self, id: NodeId) -> Option<bool> {
        let stamp = *self.stamps.get(id.index())?;
        (stamp >> 1 == self.epoch).then_some(stamp & 1 == 1)
    }
}

impl Graph {
    /// Whether a condition holds for the event that `source` stands for. Each node is evaluated at
    /// most once between two calls of [`Memo::next_event`]; `and` and `or` stop at the first
    /// operand that decides.
    #[inline]
    pub fn evaluate<S: FieldSource>(&self, id: NodeId, source: &S, memo: &mut Memo) -> bool {
        if memo.stamps.len() < self.nodes.len() {
            memo.stamps.resize(self.nodes.len(), 0);
        }
        let Memo {
            stamps,
            epoch,
            scratch,
        } = memo;
        Run {
            graph: self,
            source,
            scratch,
            epoch: *epoch,
        }
        .node(id, stamps)
    }

    /// Whether a check holds, without a memo: for explanations.
    pub fn evaluate_alone<S: FieldSource>(&self, id: NodeId, source: &S, scratch: &Bump) -> bool {
        Run {
            graph: self,
            source,
            scratch,
            epoch: 1,
        }
        .node(id, &mut vec![0; self.nodes.len()])
    }

    /// The value on the left of a check, for explanations; `None` for other nodes and where the
    /// event has none.
    pub fn left_value<'a, S: FieldSource>(
        &'a self,
        id: NodeId,
        source: &'a S,
        scratch: &'a Bump,
    ) -> Option<Value<'a>> {
        match &self.nodes[id.index()] {
            Kind::Check(index) => {
                transform::value(&self.runners[*index as usize].left, source, scratch)
            }
            _ => None,
        }
    }
}

struct Run<'r, S> {
    graph: &'r Graph,
    source: &'r S,
    scratch: &'r Bump,
    epoch: u32,
}

impl<S: FieldSource> Run<'_, S> {
    /// A look at the memo, in place: most operands of most conditions are known already.
    #[inline]
    fn node(&self, id: NodeId, stamps: &mut [u32]) -> bool {
        let stamp = stamps[id.index()];
        if stamp >> 1 == self.epoch {
            return stamp & 1 == 1;
        }
        self.compute(id, stamps)
    }

    #[inline(never)]
    fn compute(&self, id: NodeId, stamps: &mut [u32]) -> bool {
        let result = match &self.graph.nodes[id.index()] {
            Kind::And(all) => all.iter().all(|&one| self.node(one, stamps)),
            Kind::Or(all) => all.iter().any(|&one| self.node(one, stamps)),
            Kind::Not(inner) => !self.node(*inner, stamps),
            Kind::Check(index) => {
                let runner = &self.graph.runners[*index as usize];
                check(runner, self.source, self.scratch)
            }
        };
        stamps[id.index()] = self.epoch << 1 | u32::from(result);
        result
    }
}

#[inline(never)]
pub(crate) fn check<S: FieldSource>(runner: &Runner, source: &S, scratch: &Bump) -> bool {
    // The common case first: a plain field with one value against constants.
    if let (Term::Field(field), Shape::One, RightSide::Constants(matcher)) =
        (&runner.left, runner.shape, &runner.right)
    {
        return source
            .extract(field, Purpose::Compare, scratch)
            .is_some_and(|value| matcher.matches(&value, scratch));
    }
    uncommon(runner, source, scratch)
}

#[inline(never)]
fn uncommon<S: FieldSource>(runner: &Runner, source: &S, scratch: &Bump) -> bool {
    let Some(left) = transform::value(&runner.left, source, scratch) else {
        return false;
    };
    let (relation, right) = match &runner.right {
        RightSide::Constants(matcher) => {
            return match &left {
                Value::List(all) if runner.shape != Shape::One => {
                    several(runner.shape, matcher, all, scratch)
                }
                value => matcher.matches(value, scratch),
            };
        }
        RightSide::Value(relation, right) => (Some(*relation), right),
        RightSide::Values(right) => (None, right),
    };
    let Some(right) = transform::value(right, source, scratch) else {
        return false;
    };
    let test = |one: &Value<'_>| match relation {
        Some(relation) => dynamic::holds(relation, one, &right, scratch),
        None => dynamic::among(one, &right),
    };
    match (runner.shape, &left) {
        (Shape::Every, Value::List(all)) => all.iter().all(test),
        (_, Value::List(all)) => all.iter().any(test),
        (_, value) => test(value),
    }
}

fn several(shape: Shape, matcher: &Matcher, all: &[Value<'_>], scratch: &Bump) -> bool {
    let mut results = all.iter().map(|one| matcher.matches(one, scratch));
    match shape {
        Shape::Every => results.all(|holds| holds),
        Shape::One | Shape::Some | Shape::Any => results.any(|holds| holds),
        Shape::Ends => match matcher {
            Matcher::Always => true,
            Matcher::Several(modifier, each) => modified(
                *modifier,
                each.iter().map(|one| several(shape, one, all, scratch)),
            ),
            matcher if matcher.is_not_equal() => !all.is_empty() && results.all(|holds| holds),
            _ => results.any(|holds| holds),
        },
    }
}
