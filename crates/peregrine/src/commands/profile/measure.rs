//! Evaluates all rules on all events, and counts and times every comparison.
//!
//! Conditions are one graph in which equal parts are one node, as where they watch; a comparison is evaluated once for an
//! event, whoever asks first. What is not there is what makes watching faster still: the index that leaves most rules
//! alone, and results that are kept with a process. So the counts say how often something is asked for, and the times
//! what an answer costs.

use std::time::Instant;

use anyhow::{Context as _, Result};
use event::{Record, codes};
use fields::{Environment, EventView};
use filter::{Graph, Memo, Node, NodeId, Schema};
use rules::{CodeSet, RuleSet};
use state::{Context, State};

use crate::event_loop::Work;

/// What a rule did.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleCount {
    /// Events of its types.
    pub(super) asked: u64,
    /// Events on which its condition holds.
    pub(super) held: u64,
    /// Of these, those that it took.
    pub(super) fired: u64,
    /// Time for its condition, comparisons that others asked for before left out.
    pub(super) nanoseconds: u64,
}

/// What a comparison did.
#[derive(Clone, Debug, Default)]
pub(super) struct ClauseCount {
    pub(super) evaluated: u64,
    pub(super) held: u64,
    pub(super) nanoseconds: u64,
}

/// See the module.
pub(super) struct Meter<'a> {
    pub(super) set: &'a RuleSet,
    pub(super) order: Vec<usize>,
    pub(super) graph: Graph,
    roots: Vec<NodeId>,
    pub(super) rules: Vec<RuleCount>,
    /// By node.
    pub(super) clauses: Vec<ClauseCount>,
    /// Rules that use each node.
    pub(super) users: Vec<u32>,
    /// For two rules in their order: events that the first took from the second.
    pub(super) taken: std::collections::BTreeMap<(usize, usize), u64>,
    pub(super) events: u64,
    pub(super) types: CodeSet,
    pub(super) first_only: bool,
    memo: Memo,
    /// For each node the event of its result, doubled, plus the result.
    known: Vec<u64>,
    number: u64,
    env: Environment,
    /// What reading the clock twice takes.
    overhead: u64,
    /// Time for all comparisons.
    pub(super) total: u64,
}

impl<'a> Meter<'a> {
    /// For the rules that run.
    pub(super) fn new(
        set: &'a RuleSet,
        order: &[usize],
        schema: &dyn Schema,
        first_only: bool,
    ) -> Result<Self> {
        let mut graph = Graph::new();
        let order: Vec<usize> = order
            .iter()
            .copied()
            .filter(|&at| set.rules[at].source == "syscall")
            .collect();
        let mut roots = Vec::new();
        for &at in &order {
            let (root, _) = graph
                .add(&set.rules[at].ast, schema)
                .context("a condition does not compile")?;
            roots.push(root);
        }
        let mut users = vec![0; graph.len()];
        for &root in &roots {
            let mut seen = vec![false; graph.len()];
            let mut open = vec![root];
            while let Some(id) = open.pop() {
                if std::mem::replace(&mut seen[id.index()], true) {
                    continue;
                }
                users[id.index()] += 1;
                match graph.node(id) {
                    Node::And(all) | Node::Or(all) => open.extend(all),
                    Node::Not(one) => open.push(one),
                    _ => {}
                }
            }
        }
        Ok(Self {
            set,
            rules: vec![RuleCount::default(); order.len()],
            order,
            clauses: vec![ClauseCount::default(); graph.len()],
            known: vec![0; graph.len()],
            graph,
            roots,
            users,
            taken: std::collections::BTreeMap::new(),
            events: 0,
            types: CodeSet::EMPTY,
            first_only,
            memo: Memo::new(),
            number: 0,
            env: Environment::default(),
            overhead: overhead(),
            total: 0,
        })
    }

    /// Whether a node holds; comparisons are timed.
    fn holds(&mut self, id: NodeId, view: &EventView<'_>) -> bool {
        let known = self.known[id.index()];
        if known >> 1 == self.number {
            return known & 1 == 1;
        }
        enum Kind {
            All(Vec<NodeId>),
            One(Vec<NodeId>),
            Not(NodeId),
            Leaf,
        }
        let kind = match self.graph.node(id) {
            Node::And(all) => Kind::All(all.to_vec()),
            Node::Or(all) => Kind::One(all.to_vec()),
            Node::Not(one) => Kind::Not(one),
            _ => Kind::Leaf,
        };
        let result = match kind {
            Kind::All(all) => all.into_iter().all(|one| self.holds(one, view)),
            Kind::One(all) => all.into_iter().any(|one| self.holds(one, view)),
            Kind::Not(one) => !self.holds(one, view),
            Kind::Leaf => {
                let begun = Instant::now();
                let result = self.graph.evaluate(id, view, &mut self.memo);
                let taken = nanoseconds(begun).saturating_sub(self.overhead);
                let count = &mut self.clauses[id.index()];
                count.evaluated += 1;
                count.held += u64::from(result);
                count.nanoseconds += taken;
                self.total += taken;
                result
            }
        };
        self.known[id.index()] = self.number << 1 | u64::from(result);
        result
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The least that two looks at the clock take.
fn overhead() -> u64 {
    (0..1000)
        .map(|_| nanoseconds(Instant::now()))
        .min()
        .unwrap_or(0)
}

impl Work for Meter<'_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if !context.visible {
            return true;
        }
        self.env.see(record);
        if record.info.internal || matches!(record.code.number(), codes::DROP_E | codes::DROP_X) {
            return true;
        }
        let code = record.code.number();
        self.events += 1;
        self.number += 1;
        self.types.insert(code);
        self.memo.next_event();
        let mut env = Environment::default();
        std::mem::swap(&mut env, &mut self.env);
        {
            let view = EventView::new(record, state, context, &env);
            let mut winner: Option<usize> = None;
            for at in 0..self.order.len() {
                let rule = &self.set.rules[self.order[at]];
                if !rule.event_codes.contains(code) {
                    continue;
                }
                let before = self.total;
                let holds = self.holds(self.roots[at], &view);
                let spent = self.total - before;
                let count = &mut self.rules[at];
                count.asked += 1;
                count.nanoseconds += spent;
                if !holds {
                    continue;
                }
                count.held += 1;
                match winner.filter(|_| self.first_only) {
                    None => {
                        count.fired += 1;
                        winner = Some(at);
                    }
                    Some(winner) => *self.taken.entry((winner, at)).or_default() += 1,
                }
            }
        }
        self.env = env;
        true
    }
}
