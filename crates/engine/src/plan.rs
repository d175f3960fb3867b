//! What each event type does: its rules, folded and filed.

use bumpalo::Bump;
use event::{EVENTS, EventCode, EventFlags, Source};
use filter::{FieldSource, Folded, Graph, NodeId, Predicate, Value};

use crate::RuleIndex;
use crate::cover::{self, Cover};
use crate::index::Index;

/// A rule in the plan of an event type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Position in the rule set.
    pub rule: RuleIndex,
    /// What is left of its condition; nothing where the type alone decides.
    pub root: Option<NodeId>,
}

/// The rules of one event type, in order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Rules that can match this type.
    pub entries: Vec<Entry>,
    /// Entries that must be evaluated whatever the values are, ascending.
    always: Vec<u32>,
    index: Index,
}

/// Below this number of entries that could be filed, looking values up costs more than it saves.
const WORTH_AN_INDEX: usize = 1;

impl Plan {
    /// Whether no rule can match this type.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that no index can spare.
    #[must_use]
    pub fn always(&self) -> &[u32] {
        &self.always
    }

    /// Entries that can match the event, ascending, into `out`.
    #[inline]
    pub fn candidates<S: FieldSource>(&self, source: &S, scratch: &Bump, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        if self.index.is_empty() {
            return;
        }
        self.index.candidates(source, scratch, out);
        if out.len() > self.always.len() {
            out.sort_unstable();
            out.dedup();
        }
    }
}

/// Plans of all event types. `possible` says whether a rule's event codes hold the code.
pub fn build(
    graph: &mut Graph,
    roots: &[(RuleIndex, NodeId)],
    possible: impl Fn(RuleIndex, EventCode) -> bool,
) -> Vec<Plan> {
    EVENTS
        .iter()
        .map(|info| {
            let code = EventCode::new(info.code);
            if !delivered(code) {
                return Plan::default();
            }
            let concerned: Vec<_> = roots
                .iter()
                .copied()
                .filter(|&(rule, _)| possible(rule, code))
                .collect();
            plan(graph, &concerned, code)
        })
        .collect()
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

fn plan(graph: &mut Graph, roots: &[(RuleIndex, NodeId)], code: EventCode) -> Plan {
    let mut plan = Plan::default();
    if roots.is_empty() {
        return plan;
    }
    let nodes: Vec<NodeId> = roots.iter().map(|&(_, root)| root).collect();
    let folded = graph.fold(&nodes, |graph, id, predicate| {
        by_type(graph, id, predicate, code)
    });
    for (&(rule, _), folded) in roots.iter().zip(folded) {
        let root = match folded {
            Folded::Never => continue,
            Folded::Always => None,
            Folded::Node(id) => Some(id),
        };
        plan.entries.push(Entry { rule, root });
    }
    let covers: Vec<Option<Cover>> = plan
        .entries
        .iter()
        .map(|entry| cover::of(graph, entry.root?))
        .collect();
    let worth = covers.iter().flatten().count() >= WORTH_AN_INDEX;
    for (position, cover) in covers.into_iter().enumerate() {
        let position = u32::try_from(position).expect("fewer than 2^32 rules");
        match cover {
            Some(cover) if worth => plan.index.file(&cover, position),
            _ => plan.always.push(position),
        }
    }
    plan
}

/// Result of a check that the event type alone decides.
fn by_type(graph: &Graph, id: NodeId, predicate: &Predicate, code: EventCode) -> Option<bool> {
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
