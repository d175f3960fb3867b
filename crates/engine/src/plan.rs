//! What each event type does: its rules, folded and filed.

use bumpalo::Bump;
use event::{EVENTS, EventCode, EventFlags, Source};
use filter::{FieldSource, Folded, Graph, NodeId, Predicate, Program, ProgramOperand, Value};

use rules::CodeSet;

use crate::RuleIndex;
use crate::cover::{self, Cover};
use crate::index::Index;
use crate::stateful::PartIndex;

/// A rule in the plan of an event type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Position in the rule set.
    pub rule: RuleIndex,
    /// What is left of its condition, as it runs; nothing where the type alone decides.
    pub root: Option<ProgramOperand>,
    /// The same in the graph.
    pub node: Option<NodeId>,
    /// The part of a rule that remembers: a step, not the whole.
    pub part: Option<PartIndex>,
}

/// A condition that becomes entries of plans.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// Position in the rule set.
    pub rule: RuleIndex,
    /// The part of it that this is, where the rule remembers.
    pub part: Option<PartIndex>,
    /// The condition.
    pub node: NodeId,
    /// Event codes on which it can hold.
    pub codes: CodeSet,
}

/// The rules of one event type, in order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Rules that can match this type.
    pub entries: Vec<Entry>,
    /// Entries that must be evaluated whatever the values are, ascending.
    always: Vec<u32>,
    /// The same as bits, where there are at most [`FEW`] entries.
    always_bits: u64,
    /// Where the parts of rules that remember begin; they come last.
    parts: u32,
    index: Index,
}

/// Up to so many entries, a set of them is a word.
const FEW: usize = 64;

/// Below this number of entries that could be filed, looking values up costs more than it saves.
const WORTH_AN_INDEX: usize = 1;

impl Plan {
    /// Whether no rule can match this type.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where the parts of rules that remember begin.
    #[must_use]
    #[inline]
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Entries that no index can spare.
    #[must_use]
    pub fn always(&self) -> &[u32] {
        &self.always
    }

    /// Entries that can match the event, as bits; `None` where there are too many for that.
    #[inline]
    pub fn few_candidates<S: FieldSource>(&self, source: &S, scratch: &Bump) -> Option<u64> {
        if self.entries.len() > FEW {
            return None;
        }
        let mut bits = self.always_bits;
        self.index
            .candidates(source, scratch, &mut |entry| bits |= 1 << entry);
        Some(bits)
    }

    /// Entries that can match the event, ascending, into `out`.
    #[inline]
    pub fn candidates<S: FieldSource>(&self, source: &S, scratch: &Bump, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        if self.index.is_empty() {
            return;
        }
        self.index
            .candidates(source, scratch, &mut |entry| out.push(entry));
        if out.len() > self.always.len() {
            out.sort_unstable();
            out.dedup();
        }
    }
}

/// Plans of all event types, and the program that evaluates what is left of their conditions. Roots of
/// rules that remember come last.
pub fn build(graph: &mut Graph, roots: &[Root]) -> (Vec<Plan>, Program) {
    let mut program = Program::new();
    let plans = EVENTS
        .iter()
        .map(|info| {
            let code = EventCode::new(info.code);
            if !delivered(code) {
                return Plan::default();
            }
            let concerned: Vec<_> = roots
                .iter()
                .copied()
                .filter(|root| root.codes.contains(code.number()))
                .collect();
            plan(graph, &mut program, &concerned, code)
        })
        .collect();
    program.finish();
    (plans, program)
}

/// Whether rules ever see this type: old types are converted before, and entries of system calls
/// only serve the state.
fn delivered(code: EventCode) -> bool {
    code.info().is_some_and(|info| {
        let gone = info
            .flags
            .intersects(EventFlags::OLD_VERSION | EventFlags::UNUSED);
        let entry = info.source == Source::Syscall && info.is_enter();
        !gone && !entry
    })
}

fn plan(graph: &mut Graph, program: &mut Program, roots: &[Root], code: EventCode) -> Plan {
    let mut plan = Plan::default();
    if roots.is_empty() {
        return plan;
    }
    let nodes: Vec<NodeId> = roots.iter().map(|root| root.node).collect();
    let folded = graph.fold(&nodes, |graph, id, predicate| {
        by_type(graph, id, predicate, code)
    });
    for (&Root { rule, part, .. }, folded) in roots.iter().zip(folded) {
        let node = match folded {
            Folded::Never => continue,
            Folded::Always => None,
            Folded::Node(id) => Some(id),
        };
        let root = node.map(|node| program.add(graph, node));
        plan.entries.push(Entry {
            rule,
            root,
            node,
            part,
        });
    }
    let parts = plan.entries.iter().position(|entry| entry.part.is_some());
    plan.parts = parts.unwrap_or(plan.entries.len()) as u32;
    let covers: Vec<Option<Cover>> = plan
        .entries
        .iter()
        .map(|entry| cover::of(graph, entry.node?))
        .collect();
    let worth = covers.iter().flatten().count() >= WORTH_AN_INDEX;
    for (position, cover) in covers.into_iter().enumerate() {
        let position = u32::try_from(position).expect("fewer than 2^32 rules");
        match cover {
            Some(cover) if worth => plan.index.file(&cover, position),
            _ => plan.always.push(position),
        }
    }
    if plan.entries.len() <= FEW {
        plan.always_bits = plan.always.iter().fold(0, |bits, one| bits | 1 << one);
    }
    plan
}

/// Result of a check that the event type alone decides.
pub(crate) fn by_type(
    graph: &Graph,
    id: NodeId,
    predicate: &Predicate,
    code: EventCode,
) -> Option<bool> {
    let field = predicate.left.as_ref()?;
    if predicate.fields.len() > 1 {
        return None;
    }
    let info = code.info()?;
    // Generic calls, meta events and plugins take their name from the record.
    let fixed = match info.source {
        Source::Syscall => info.name != "syscall",
        Source::Tracepoint => true,
        _ => false,
    };
    if !fixed {
        return None;
    }
    let value = match field.name.as_str() {
        "evt.type" => Value::Bytes(info.name.as_bytes()),
        _ => return None,
    };
    graph.check_value(id, &value, &Bump::new())
}
