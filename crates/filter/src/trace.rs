//! Why a condition holds on an event, or does not: each expression with its result and its value.
//!
//! The graph that runs in production knows no expressions, only shared nodes. Here every expression
//! of one condition keeps its node, so that results can be told in the order and words of the author.
//! The evaluation itself is the graph's.

use bumpalo::Bump;

use crate::ast::{Ast, Check, ExprId, ExprKind, Operand};
use crate::compile_error::CompileError;
use crate::evaluate::Memo;
use crate::graph::{Graph, NodeId};
use crate::render::{self, Buffers};
use crate::schema::{FieldSource, Purpose, Schema};
use crate::value::Value;

/// A condition that tells what it does.
#[derive(Debug)]
pub struct Tracer {
    ast: Ast,
    graph: Graph,
    nodes: Vec<NodeId>,
    steps: Vec<ExprId>,
    memo: Memo,
}

/// The left side of a comparison on one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The event has no such value.
    Missing,
    /// The value as an output would show it.
    Text(Vec<u8>),
}

impl Tracer {
    /// Compiles a condition in which macros and lists are inserted.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn new(ast: &Ast, schema: &dyn Schema) -> Result<Self, CompileError> {
        let mut graph = Graph::new();
        let (nodes, _) = graph.add_each(ast, schema)?;
        let mut steps = Vec::new();
        // Nested `and`s are one list of steps; a stack keeps the order of writing.
        let mut open = vec![ast.root()];
        while let Some(id) = open.pop() {
            match &ast.expr(id).kind {
                ExprKind::And(all) => open.extend(all.iter().rev()),
                _ => steps.push(id),
            }
        }
        Ok(Self {
            ast: ast.clone(),
            graph,
            nodes,
            steps,
            memo: Memo::new(),
        })
    }

    /// The condition.
    #[must_use]
    pub fn ast(&self) -> &Ast {
        &self.ast
    }

    /// What must hold all together, in the order of writing: the operands of the outermost `and`,
    /// macros that are `and`s themselves taken apart.
    #[must_use]
    pub fn steps(&self) -> &[ExprId] {
        &self.steps
    }

    /// To be called before each event.
    pub fn next_event(&mut self) {
        self.memo.next_event();
    }

    /// Whether an expression holds on the event.
    pub fn holds<S: FieldSource>(&mut self, id: ExprId, source: &S) -> bool {
        let node = self.nodes[id.index()];
        self.graph.evaluate(node, source, &mut self.memo)
    }

    /// Whether the whole condition holds.
    pub fn matches<S: FieldSource>(&mut self, source: &S) -> bool {
        self.holds(self.ast.root(), source)
    }

    /// The left side's value of a comparison; `None` for other expressions.
    pub fn left<S: FieldSource>(&self, id: ExprId, source: &S) -> Option<Left> {
        let ExprKind::Check(check) = &self.ast.expr(id).kind else {
            return None;
        };
        let scratch = Bump::new();
        let node = self.nodes[id.index()];
        let mut out = Vec::new();
        let known = match self.field(node, check) {
            Some(def) => source
                .extract(&def.field, Purpose::Text, &scratch)
                .map(|value| render::text(def, &value, Buffers::Text, &mut out)),
            None => self
                .graph
                .left_value(node, source, &scratch)
                .map(|value| plain(&value, &mut out)),
        };
        Some(known.map_or(Left::Missing, |()| Left::Text(out)))
    }

    fn field(&self, node: NodeId, check: &Check) -> Option<&crate::schema::FieldDef> {
        match (self.graph.node(node), &check.left) {
            (crate::graph::Node::Check(predicate), Operand::Field(_)) => predicate.left.as_deref(),
            _ => None,
        }
    }

    /// The comparisons that made the result of an expression what it is: those without which it
    /// would be the other. Of several operands that each suffice, the first in the order of writing.
    pub fn deciders<S: FieldSource>(&mut self, from: ExprId, source: &S) -> Vec<ExprId> {
        let mut found = Vec::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            let holds = self.holds(id, source);
            match &self.ast.expr(id).kind {
                ExprKind::Check(_) | ExprKind::Macro(_) => found.push(id),
                ExprKind::Not(inner) => open.push(*inner),
                ExprKind::And(all) | ExprKind::Or(all) => {
                    let is_and = matches!(self.ast.expr(id).kind, ExprKind::And(_));
                    let all = all.clone();
                    if holds == is_and {
                        // Every operand was needed: all of a true `and`, of a false `or`.
                        open.extend(all.iter().rev());
                    } else {
                        let one = all.iter().find(|one| self.holds(**one, source) != is_and);
                        open.extend(one);
                    }
                }
            }
        }
        found
    }

    /// The steps that fail on the event, in the order of writing.
    pub fn failing<S: FieldSource>(&mut self, source: &S) -> Vec<usize> {
        (0..self.steps.len())
            .filter(|&at| {
                let id = self.steps[at];
                !self.holds(id, source)
            })
            .collect()
    }
}

/// A composed value, whose type no field tells.
fn plain(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => render::sanitize(bytes, out),
        Value::Signed(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Unsigned(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Ip(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        Value::List(all) => {
            out.push(b'(');
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                plain(one, out);
            }
            out.push(b')');
        }
    }
}
