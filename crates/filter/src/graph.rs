//! All conditions as one graph in which equal parts are one node.
//!
//! Nodes are hash-consed: the macro that fifty rules use is one node, evaluated at most once per
//! event. What is only spelled differently is made equal first: `=` and `==`, the order of
//! operands and of list elements, nested `and`s, double negation, a list of one element. Operands
//! keep the order in which they were first written, for evaluation is lazy, from left to right.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::ast::{Ast, ExprKind};
use crate::compile::{CheckCompiler, CompiledCheck, Shape, Test};
use crate::compile_error::{CompileError, CompileErrorKind, Warning};
use crate::constant::Constant;
use crate::matcher::Matcher;
use crate::operator::{Function, Modifier, Operator};
use crate::schema::{FieldDef, Lifetime, Schema};
use crate::term::{FieldCache, Term};

/// Number of a node in its [`Graph`]. Operands have lower numbers than what uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// As an index below [`Graph::len`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node, for those who analyse or explain conditions.
#[derive(Clone, Copy, Debug)]
pub enum Node<'g> {
    /// All operands hold. An operand may be an `and` itself, if others use it too.
    And(&'g [NodeId]),
    /// One operand holds. An operand may be an `or` itself, if others use it too.
    Or(&'g [NodeId]),
    /// The operand does not hold.
    Not(NodeId),
    /// A comparison.
    Check(&'g Predicate),
}

/// A comparison of the graph: as it was first written, for people and for analysis.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// Canonical text.
    pub text: String,
    /// The field on the left, if it is one without a transformer.
    pub left: Option<Arc<FieldDef>>,
    /// The field of which the left side is the last component, if it is that.
    pub last_component_of: Option<Arc<FieldDef>>,
    /// All fields, also those inside transformers and on the right.
    pub fields: Vec<Arc<FieldDef>>,
    /// The operator.
    pub operator: Operator,
    /// Its modifier.
    pub modifier: Option<Modifier>,
    /// The constants on the right as written, quotes and escapes removed; empty too where a field
    /// stands there.
    pub constants: Vec<Vec<u8>>,
    /// Whether the right side is a field or a transformer.
    pub against_field: bool,
    /// How long the result stays the same.
    pub lifetime: Lifetime,
}

/// What is evaluated.
#[derive(Debug)]
pub(crate) enum Kind {
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Not(NodeId),
    Check(u32),
}

/// A check as it runs.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) left: Term,
    pub(crate) shape: Shape,
    pub(crate) right: RightSide,
}

#[derive(Debug)]
pub(crate) enum RightSide {
    Constants(Matcher),
    Value(crate::compile::Relation, Term),
    Values(Term),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Not(NodeId),
    Check(Term, Shape, Test),
}

/// Conditions of one event source.
#[derive(Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Kind>,
    lifetimes: Vec<Lifetime>,
    depths: Vec<u32>,
    /// Operands of `and` and `or` with groups of the same kind dissolved, sorted.
    flat: Vec<Box<[NodeId]>>,
    /// Whether another node uses it.
    used: Vec<bool>,
    known: HashMap<Key, NodeId>,
    pub(crate) runners: Vec<Runner>,
    predicates: Vec<Predicate>,
    cache: FieldCache,
}

/// How deep a condition may nest after `and`s in `and`s are joined. Bounds the stack of evaluation.
pub const DEEPEST: u32 = 1000;

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what helps to recognise conditions that are there already: for a graph to which nothing
    /// is added any more. What is added all the same is right, but shares nothing with what is there.
    pub fn close(&mut self) {
        self.known = HashMap::default();
        self.cache = FieldCache::default();
        self.nodes.shrink_to_fit();
        self.runners.shrink_to_fit();
        self.predicates.shrink_to_fit();
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of different comparisons.
    #[must_use]
    pub fn predicates(&self) -> usize {
        self.predicates.len()
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Node<'_> {
        match &self.nodes[id.index()] {
            Kind::And(all) => Node::And(all),
            Kind::Or(all) => Node::Or(all),
            Kind::Not(inner) => Node::Not(*inner),
            Kind::Check(index) => Node::Check(&self.predicates[*index as usize]),
        }
    }

    pub(crate) fn predicate(&self, index: u32) -> &Predicate {
        &self.predicates[index as usize]
    }

    /// All nodes, operands first.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Node<'_>)> {
        (0..self.nodes.len()).map(|index| {
            let id = NodeId(index as u32);
            (id, self.node(id))
        })
    }

    /// How long the node's result stays the same: the shortest of all fields below it.
    #[must_use]
    pub fn lifetime(&self, id: NodeId) -> Lifetime {
        self.lifetimes[id.index()]
    }

    /// Adds a condition. All constants are read and all types checked here; nothing can fail later.
    ///
    /// # Errors
    /// The first of the errors that [`crate::check`] gives all of. The graph is as before then,
    /// but for nodes that nothing uses.
    pub fn add(
        &mut self,
        ast: &Ast,
        schema: &dyn Schema,
    ) -> Result<(NodeId, Vec<Warning>), CompileError> {
        let (made, warnings) = self.add_each(ast, schema)?;
        let root = made
            .last()
            .copied()
            .expect("a tree has at least one expression");
        Ok((root, warnings))
    }

    /// The node that holds where all of these do. Only before [`close`](Self::close).
    ///
    /// # Panics
    /// If there is none.
    pub fn all(&mut self, nodes: &[NodeId]) -> NodeId {
        assert!(!nodes.is_empty(), "an `and` has operands");
        self.join(nodes.iter().copied(), true)
    }

    /// Adds a condition and tells the node of each of its expressions, in their order.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_each(
        &mut self,
        ast: &Ast,
        schema: &dyn Schema,
    ) -> Result<(Vec<NodeId>, Vec<Warning>), CompileError> {
        let mut cache = std::mem::take(&mut self.cache);
        let result = self.add_with(ast, CheckCompiler::new(schema, &mut cache));
        self.cache = cache;
        result
    }

    fn add_with(
        &mut self,
        ast: &Ast,
        mut compiler: CheckCompiler<'_>,
    ) -> Result<(Vec<NodeId>, Vec<Warning>), CompileError> {
        let mut made: Vec<NodeId> = Vec::with_capacity(ast.exprs().len());
        for (_, expr) in ast.exprs() {
            compiler.here = expr.source;
            let id = match &expr.kind {
                ExprKind::And(all) => self.join(all.iter().map(|id| made[id.index()]), true),
                ExprKind::Or(all) => self.join(all.iter().map(|id| made[id.index()]), false),
                ExprKind::Not(inner) => self.negate(made[inner.index()]),
                ExprKind::Check(check) => match compiler.check(check) {
                    Some(compiled) => self.check(check, compiled),
                    None => break,
                },
                ExprKind::Macro(name) => {
                    compiler.unknown_macro(name, expr.span);
                    break;
                }
            };
            if self.depths[id.index()] > DEEPEST {
                let kind = CompileErrorKind::TooDeep { limit: DEEPEST };
                return Err(CompileError {
                    kind,
                    span: expr.span,
                    source_id: expr.source,
                });
            }
            made.push(id);
        }
        match compiler.errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok((made, compiler.warnings)),
        }
    }

    /// `and` or `or` of operands. For the question whether there is such a node already, nested
    /// groups of the same kind are dissolved. For evaluation they are kept where another node
    /// uses them too: one look at the memo then stands for the whole macro.
    pub(crate) fn join(&mut self, operands: impl Iterator<Item = NodeId>, and: bool) -> NodeId {
        let (mut flat, mut run) = (Vec::new(), Vec::new());
        for id in operands {
            match self.members(id, and) {
                Some(members) => flat.extend_from_slice(members),
                None => flat.push(id),
            }
            run.push(id);
        }
        // `a and b` and `b and a` are one node; repeated operands say nothing.
        flat.sort_unstable();
        flat.dedup();
        if let [only] = flat[..] {
            return only;
        }
        let key = if and {
            Key::And(flat.into())
        } else {
            Key::Or(flat.into())
        };
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let mut kept = Vec::with_capacity(run.len());
        for id in run {
            match &self.nodes[id.index()] {
                Kind::And(inner) | Kind::Or(inner)
                    if !self.used[id.index()] && self.members(id, and).is_some() =>
                {
                    kept.extend_from_slice(inner);
                }
                _ => kept.push(id),
            }
        }
        let mut seen = hashbrown::HashSet::new();
        kept.retain(|id| seen.insert(*id));
        self.intern(key, |_| {
            if and {
                Kind::And(kept.into())
            } else {
                Kind::Or(kept.into())
            }
        })
    }

    /// What a group of this kind dissolves into. Large ones stay whole, so that a chain of macros
    /// which each add one operand does not grow with its square.
    fn members(&self, id: NodeId, and: bool) -> Option<&[NodeId]> {
        const MOST: usize = 64;
        let members = match (&self.nodes[id.index()], and) {
            (Kind::And(_), true) | (Kind::Or(_), false) => &self.flat[id.index()],
            _ => return None,
        };
        (members.len() <= MOST).then_some(members)
    }

    pub(crate) fn negate(&mut self, inner: NodeId) -> NodeId {
        if let Kind::Not(inside) = self.nodes[inner.index()] {
            return inside;
        }
        self.intern(Key::Not(inner), |_| Kind::Not(inner))
    }

    fn check(&mut self, check: &crate::ast::Check, compiled: CompiledCheck) -> NodeId {
        let CompiledCheck {
            left,
            shape,
            test,
            fields,
        } = compiled;
        let key = Key::Check(left.clone(), shape, normal(test.clone()));
        self.intern(key, |graph| {
            let right = match &test {
                Test::Against(relation, term) => RightSide::Value(*relation, term.clone()),
                Test::InValues(term) => RightSide::Values(term.clone()),
                constants => RightSide::Constants(Matcher::new(constants)),
            };
            let plain = matches!(left, Term::Field(_));
            let is_last_component = matches!(&left, Term::Call(call)
                if call.function == Function::Basename
                    && matches!(*call.arguments, [Term::Field(_)]));
            graph.predicates.push(Predicate {
                text: check.to_string(),
                left: fields.first().filter(|_| plain).cloned(),
                last_component_of: fields.first().filter(|_| is_last_component).cloned(),
                lifetime: fields
                    .iter()
                    .map(|f| f.lifetime)
                    .max()
                    .unwrap_or(Lifetime::Host),
                fields,
                operator: check.operator,
                modifier: check.modifier.map(|(modifier, _)| modifier),
                constants: check
                    .right
                    .constants()
                    .iter()
                    .map(|c| c.bytes.clone())
                    .collect(),
                against_field: matches!(check.right, crate::ast::Right::Transformer(_)),
            });
            graph.runners.push(Runner { left, shape, right });
            Kind::Check(graph.runners.len() as u32 - 1)
        })
    }

    fn intern(&mut self, key: Key, make: impl FnOnce(&mut Self) -> Kind) -> NodeId {
        if let Some(&id) = self.known.get(&key) {
            return id;
        }
        let kind = make(self);
        let (lifetime, depth) = match &kind {
            Kind::And(all) | Kind::Or(all) => self.highest(all),
            Kind::Not(inner) => self.highest(std::slice::from_ref(inner)),
            Kind::Check(index) => (self.predicates[*index as usize].lifetime, 0),
        };
        let id = NodeId(u32::try_from(self.nodes.len()).expect("nodes are far bigger than 1 byte"));
        if let Kind::And(all) | Kind::Or(all) = &kind {
            all.iter().for_each(|one| self.used[one.index()] = true);
        }
        if let Kind::Not(inner) = &kind {
            self.used[inner.index()] = true;
        }
        self.used.push(false);
        self.flat.push(match &key {
            Key::And(flat) | Key::Or(flat) => flat.clone(),
            Key::Not(_) | Key::Check(..) => Box::default(),
        });
        self.nodes.push(kind);
        self.lifetimes.push(lifetime);
        self.depths.push(depth);
        self.known.insert(key, id);
        id
    }

    fn highest(&self, all: &[NodeId]) -> (Lifetime, u32) {
        let lifetime = all.iter().map(|id| self.lifetimes[id.index()]).max();
        let depth = all.iter().map(|id| self.depths[id.index()]).max();
        (lifetime.unwrap_or(Lifetime::Host), depth.unwrap_or(0) + 1)
    }
}

/// One form for tests that say the same.
fn normal(test: Test) -> Test {
    use crate::compile::Relation;
    let sorted = |mut all: Vec<Constant>| {
        // Any order does, as long as it is always the same.
        all.sort_unstable_by(Constant::order);
        all.dedup();
        all
    };
    match test {
        Test::In(mut all) if all.len() == 1 => Test::One(Relation::Equal, all.remove(0)),
        Test::In(all) => Test::In(sorted(all)),
        Test::Several(Modifier::AnyOf, Relation::Equal, all) => normal(Test::In(all)),
        Test::Several(modifier, relation, all) if modifier != Modifier::OneOf => {
            Test::Several(modifier, relation, sorted(all))
        }
        Test::Paths(mut all) => {
            all.sort_unstable();
            all.dedup();
            Test::Paths(all)
        }
        other => other,
    }
}
