//! What each event type does: its rules, folded and filed.
//!
//! Where a type has few rules, those that an event can fire are found in the order of what it costs:
//! the thread's [screen](filter::screen) leaves out what the thread can never fire, a gate what fails
//! by a cheap check that several rules share, the index what asks for other values. Only what is left
//! is evaluated.

use std::collections::{BTreeMap, BTreeSet};

use bumpalo::Bump;
use event::{EVENTS, EventCode, EventFlags, Source};
use filter::{
    FieldSource, Folded, Graph, Keep, Lifetime, Node, NodeId, Predicate, Program, ProgramOperand,
    ScreenId, Type, Value, Workspace,
};
use hashbrown::HashMap;

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
    /// All entries as bits, under the same condition.
    all_bits: u64,
    screen: Option<ScreenId>,
    gates: Vec<Gate>,
    index: Index,
}

/// A cheap check that several entries require.
#[derive(Clone, Copy, Debug)]
struct Gate {
    check: ProgramOperand,
    entries: u64,
}

/// Up to so many entries, a set of them is a word.
const FEW: usize = 64;

/// Most gates of a plan: those that most entries share.
const MOST_GATES: usize = 4;

/// Fewer entries than this cost less than a gate.
const WORTH_A_GATE: u32 = 4;

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

    /// Whether it is known that the thread can fire none of the rules.
    #[inline]
    pub fn is_ruled_out(&self, program: &Program, keep: Keep, workspace: &mut Workspace) -> bool {
        self.screen.is_some_and(|screen| {
            self.all_bits & !program.known_ruled_out(screen, keep, workspace) == 0
        })
    }

    /// Entries that can match the event, as bits; `None` where there are too many for that.
    #[inline]
    pub fn few_candidates<S: FieldSource>(
        &self,
        program: &Program,
        graph: &Graph,
        source: &S,
        workspace: &mut Workspace,
    ) -> Option<u64> {
        if self.entries.len() > FEW {
            return None;
        }
        let mut left = self.all_bits;
        if let Some(screen) = self.screen {
            left &= !program.ruled_out(graph, screen, source, workspace);
        }
        for gate in &self.gates {
            if (left & gate.entries).count_ones() >= WORTH_A_GATE
                && !program.evaluate(graph, gate.check, source, workspace)
            {
                left &= !gate.entries;
            }
        }
        let asked = left & !self.always_bits;
        if asked != 0 {
            let mut found = self.always_bits;
            let scratch = workspace.scratch();
            self.index
                .candidates(source, scratch, asked, &mut |entry| found |= 1 << entry);
            left &= found;
        }
        Some(left)
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
            .candidates(source, scratch, u64::MAX, &mut |entry| out.push(entry));
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
        plan.all_bits = (0..plan.entries.len()).fold(0, |bits, one| bits | 1 << one);
        let roots: Vec<_> = plan.entries.iter().map(|entry| entry.root).collect();
        plan.screen = program.screen(&roots);
        plan.gates = gates(graph, program, &plan.entries);
    }
    plan
}

/// Cheap checks that several entries require, those of most entries first.
fn gates(graph: &Graph, program: &mut Program, entries: &[Entry]) -> Vec<Gate> {
    let mut shared: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut known = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let Some(node) = entry.node else { continue };
        for check in required(graph, node, &mut known) {
            *shared.entry(check).or_default() |= 1 << position;
        }
    }
    let mut shared: Vec<_> = shared
        .into_iter()
        .filter(|(_, entries)| entries.count_ones() >= WORTH_A_GATE)
        .collect();
    shared.sort_by_key(|(_, entries)| std::cmp::Reverse(entries.count_ones()));
    shared.truncate(MOST_GATES);
    let gate = |(check, entries)| Gate {
        check: program.add(graph, check),
        entries,
    };
    shared.into_iter().map(gate).collect()
}

/// Cheap checks without which the condition cannot hold. Conditions share parts: what is `known` of one
/// is not looked for again.
fn required(
    graph: &Graph,
    id: NodeId,
    known: &mut HashMap<NodeId, BTreeSet<NodeId>>,
) -> BTreeSet<NodeId> {
    if let Some(found) = known.get(&id) {
        return found.clone();
    }
    let found = match graph.node(id) {
        Node::And(all) => {
            let each = all.iter().flat_map(|&one| required(graph, one, known));
            each.collect()
        }
        Node::Or(all) => {
            let mut each = all.iter().map(|&one| required(graph, one, known));
            let first = each.next().unwrap_or_default();
            each.fold(first, |common, one| &common & &one)
        }
        Node::Check(predicate) if is_cheap(predicate) => BTreeSet::from([id]),
        Node::Not(inner) => match graph.node(inner) {
            Node::Check(predicate) if is_cheap(predicate) => BTreeSet::from([id]),
            _ => BTreeSet::new(),
        },
        Node::Check(_) => BTreeSet::new(),
    };
    known.insert(id, found.clone());
    found
}

/// Whether a check is of the event itself, costs little, and fails often: yes or no. That a call
/// succeeded, or that a descriptor is a file's, nearly always holds.
fn is_cheap(predicate: &Predicate) -> bool {
    let left = predicate.left.as_ref();
    predicate.lifetime >= Lifetime::Descriptor && left.is_some_and(|field| field.ty == Type::Bool)
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
