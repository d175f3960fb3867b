//! What the loaded rules and the state need of the kernel's events, and which events it may leave out.
//!
//! An event may be left out if that changes no alert and no state. Of the kernel's knowledge three
//! things are used, each as an assumption under which all conditions of the event's type are folded:
//!
//! - the call failed: its result is negative, fields of what it would have made are missing; or it
//!   succeeded; or it failed to open a file for some access;
//! - the descriptor is of a kind: the type fields are known, or missing where the descriptor is not known;
//! - a predicate that hangs on the process's own image is false for the calling process.
//!
//! Where nothing is left of any condition, and the state takes nothing from such an event, no rule can
//! fire on it and nothing is missed. What cannot be decided counts as possible, so the answer errs
//! towards capturing. Two things do change and are admitted: `evt.num` counts fewer events, and the
//! time since the previous event is that since the previous captured one.

use bumpalo::Bump;
use event::{EVENTS, EventCode, EventFlags};
use fields::reach;
use filter::{Folded, Graph, Lifetime, Node, NodeId, Operator, Predicate, Schema, Template, Value};
use rules::RuleSet;
use state::needs::{self as state_needs, Effect};

use crate::{Engine, RuleIndex};

/// What is needed of the events of one type.
#[derive(Clone, Debug)]
pub struct Need {
    /// The type.
    pub code: EventCode,
    /// Rules that may fire on it; none: only the state wants it.
    pub rules: Vec<RuleIndex>,
    /// What the state takes from it.
    pub effect: Effect,
    /// Parameters that a condition may look at, one bit each.
    pub conditions: u32,
    /// Parameters that an output may show, one bit each.
    pub outputs: u32,
    /// Parameters that the state may read, one bit each.
    pub state: u32,
    /// What may be left out.
    pub filters: Vec<Filter>,
    /// Why more may not be left out.
    pub kept: Vec<Kept>,
}

impl Need {
    /// All parameters that anybody may look at.
    #[must_use]
    pub const fn parameters(&self) -> u32 {
        self.conditions | self.outputs | self.state
    }
}

/// Events that may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The call failed.
    Failed {
        /// The call is under way: that is no failure.
        except_pending: bool,
    },
    /// The call succeeded.
    Succeeded,
    /// The call failed to open a file for this access.
    FailedOpen(Access),
    /// The descriptor is of this kind.
    Descriptor(&'static str),
    /// All of these are false for the process: conditions that hang on its own image, of which each rule
    /// requires one.
    Process(Vec<String>),
    /// The path of the call begins with none of these. Only for paths that are absolute and normal.
    Path(Vec<Vec<u8>>),
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read.
    Read,
    /// To be written.
    Write,
    /// Both.
    Both,
}

impl Access {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Both];
}

/// Why events of a kind may not be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Failed ones: this rule may fire on them.
    FailedByRule(RuleIndex),
    /// Any: the state takes something from them.
    ByState,
}

/// Types of a descriptor, as `fd.type` and `fd.typechar` have them.
const FILE: (&str, &str) = ("file", "f");
const DIRECTORY: (&str, &str) = ("directory", "d");
const PIPE: (&str, &str) = ("pipe", "p");
/// Kinds of descriptors that the kernel side tells apart, and what they may be known as: what was opened
/// by its name is a file unless the call said otherwise.
const KINDS: [(&str, &[(&str, &str)]); 3] = [
    ("file", &[FILE]),
    ("directory", &[DIRECTORY, FILE]),
    ("pipe", &[PIPE, FILE]),
];
/// Fields that only an exec, a change of user or of name by the thread itself changes.
const IMAGE: [&str; 12] = [
    "proc.name",
    "proc.exe",
    "proc.exepath",
    "proc.args",
    "proc.cmdline",
    "proc.exeline",
    "proc.is_exe_writable",
    "proc.is_exe_upper_layer",
    "proc.is_exe_lower_layer",
    "proc.is_exe_from_memfd",
    "user.uid",
    "group.gid",
];
/// More prefixes than this are no filter.
const MOST_PREFIXES: usize = 64;

impl Engine {
    /// What the rules and the state need, for each event type of today that is captured at all.
    /// Types that neither needs are not in the list.
    #[must_use]
    pub fn needs(&self, rules: &RuleSet, schema: &dyn Schema) -> Vec<Need> {
        let mut graph = Graph::new();
        let mut roots: Vec<Option<NodeId>> = vec![None; rules.rules.len()];
        for plan in &self.plans {
            for entry in &plan.entries {
                let root = &mut roots[entry.rule as usize];
                if root.is_none() {
                    let ast = &rules.rules[entry.rule as usize].ast;
                    *root = graph.add(ast, schema).ok().map(|(root, _)| root);
                }
            }
        }
        EVENTS
            .iter()
            .filter(|info| {
                let gone = EventFlags::OLD_VERSION | EventFlags::UNUSED;
                let entry = info.source == event::Source::Syscall && info.is_enter();
                !info.flags.intersects(gone) && !entry
            })
            .filter_map(|info| {
                let code = EventCode::new(info.code);
                let plan = &self.plans[usize::from(info.code)];
                let effect = state_needs::effect(code);
                if plan.is_empty() && effect == Effect::None {
                    return None;
                }
                let (rules_of, whole): (Vec<RuleIndex>, Vec<NodeId>) = plan
                    .entries
                    .iter()
                    .filter_map(|entry| Some((entry.rule, roots[entry.rule as usize]?)))
                    .unzip();
                let folded = graph.fold(&whole, |graph, id, predicate| {
                    crate::plan::by_type(graph, id, predicate, code)
                });
                // A condition that does not compile under this schema may be true.
                let unknown = plan.entries.iter().filter_map(|entry| {
                    roots[entry.rule as usize]
                        .is_none()
                        .then_some((entry.rule, None))
                });
                let left: Vec<(RuleIndex, Option<NodeId>)> = rules_of
                    .into_iter()
                    .zip(folded)
                    .filter_map(|(rule, folded)| match folded {
                        Folded::Never => None,
                        Folded::Always => Some((rule, None)),
                        Folded::Node(node) => Some((rule, Some(node))),
                    })
                    .chain(unknown)
                    .collect();
                // A rule that remembers has an entry for each of its steps.
                let mut left = left;
                let mut seen = Vec::new();
                left.retain(|&(rule, _)| {
                    let new = !seen.contains(&rule);
                    seen.push(rule);
                    new
                });
                Some(need(&mut graph, rules, schema, code, effect, &left))
            })
            .collect()
    }
}

fn need(
    graph: &mut Graph,
    rules: &RuleSet,
    schema: &dyn Schema,
    code: EventCode,
    effect: Effect,
    left: &[(RuleIndex, Option<NodeId>)],
) -> Need {
    let mut conditions = 0;
    let mut outputs = 0;
    for &(rule, node) in left {
        if let Some(node) = node {
            conditions |= reached(graph, node, code);
        }
        let rule = &rules.rules[rule as usize];
        if rule.stateful.is_some() {
            // Keys, links and what is kept of each step may be anything.
            outputs = u32::MAX;
            continue;
        }
        let output = &rule.output;
        let template = Template::parse(output, schema);
        outputs |= template.map_or(u32::MAX, |template| {
            let fields = template.fields().iter();
            fields.fold(0, |bits, field| bits | reach::parameters(field, code))
        });
    }
    let all = code
        .info()
        .map_or(0, |info| ((1u64 << info.params.len()) - 1) as u32);
    let mut need = Need {
        code,
        rules: left.iter().map(|&(rule, _)| rule).collect(),
        effect,
        conditions: conditions & all,
        outputs: outputs & all,
        state: state_needs::parameters(code),
        filters: Vec::new(),
        kept: Vec::new(),
    };
    filters(graph, code, left, &mut need);
    need
}

/// Bits of the parameters that any check below a node may look at.
fn reached(graph: &Graph, node: NodeId, code: EventCode) -> u32 {
    checks(graph, node).iter().fold(0, |bits, check| {
        let fields = check.fields.iter();
        fields.fold(bits, |bits, field| bits | reach::parameters(field, code))
    })
}

fn checks(graph: &Graph, node: NodeId) -> Vec<&Predicate> {
    let (mut found, mut open, mut seen) = (Vec::new(), vec![node], Vec::new());
    while let Some(id) = open.pop() {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        match graph.node(id) {
            Node::And(all) | Node::Or(all) => open.extend(all),
            Node::Not(inner) => open.push(inner),
            Node::Check(predicate) => found.push(predicate),
        }
    }
    found
}

fn filters(
    graph: &mut Graph,
    code: EventCode,
    left: &[(RuleIndex, Option<NodeId>)],
    need: &mut Need,
) {
    let Some(info) = code.info() else { return };
    let has_result = info.has_result();
    // The rule that may fire under an assumption.
    let mut survivor = |decide: &dyn Fn(&Graph, NodeId, &Predicate) -> Option<bool>| {
        left.iter().find_map(|&(rule, node)| {
            let Some(node) = node else { return Some(rule) };
            let folded = graph.fold(&[node], |graph, id, predicate| decide(graph, id, predicate));
            (folded[0] != Folded::Never).then_some(rule)
        })
    };
    if has_result && need.effect.ends_with_failure() {
        match survivor(&|graph, id, predicate| if_failed(graph, id, predicate, info.flags)) {
            None => need.filters.push(Filter::Failed {
                except_pending: need.effect == Effect::SuccessOrPending,
            }),
            Some(rule) => {
                need.kept.push(Kept::FailedByRule(rule));
                if code.number() == event::codes::SYSCALL_OPENAT_2_X {
                    for access in Access::ALL {
                        let open = |graph: &Graph, id, predicate: &Predicate| {
                            if_failed(graph, id, predicate, info.flags)
                                .or_else(|| if_for(graph, id, predicate, access))
                        };
                        if survivor(&open).is_none() {
                            need.filters.push(Filter::FailedOpen(access));
                        }
                    }
                }
            }
        }
    }
    let free = matches!(need.effect, Effect::None);
    if has_result && free && survivor(&if_succeeded).is_none() {
        need.filters.push(Filter::Succeeded);
    }
    if info.fd_param.is_some() && matches!(need.effect, Effect::None | Effect::SuccessOnSocket) {
        for (name, types) in KINDS {
            let mut never = |known: Option<(&str, &str)>| {
                survivor(&|graph, id, predicate| of_kind(graph, id, predicate, known)).is_none()
            };
            if never(None) && types.iter().all(|known| never(Some(*known))) {
                need.filters.push(Filter::Descriptor(name));
            }
        }
    }
    if !free {
        need.kept.push(Kept::ByState);
        return;
    }
    if let Some(all) = each(left, |node| process_part(graph, node)) {
        need.filters.push(Filter::Process(all));
    }
    if let Some(all) = each(left, |node| path_part(graph, node)) {
        let mut all: Vec<Vec<u8>> = all.into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() <= MOST_PREFIXES {
            need.filters.push(Filter::Path(all));
        }
    }
}

/// Something of every rule's condition; `None` if one has nothing of the kind, or there is no rule.
fn each<T>(
    left: &[(RuleIndex, Option<NodeId>)],
    part: impl Fn(NodeId) -> Option<T>,
) -> Option<Vec<T>> {
    if left.is_empty() {
        return None;
    }
    left.iter().map(|&(_, node)| part(node?)).collect()
}

/// Result of a check where the call failed.
fn if_failed(graph: &Graph, id: NodeId, predicate: &Predicate, flags: EventFlags) -> Option<bool> {
    let field = predicate.left.as_ref()?;
    if predicate.fields.len() != 1 || predicate.against_field {
        return None;
    }
    match field.name.as_str() {
        "evt.failed" => graph.check_value(id, &Value::Bool(true), &Bump::new()),
        "evt.rawres" => negative(predicate),
        "evt.res" => {
            // Any name of an error, so only what is said of success is decided.
            let success = predicate.constants.iter().all(|c| c == b"SUCCESS");
            match predicate.operator {
                Operator::Equal | Operator::DoubleEqual | Operator::In if success => Some(false),
                Operator::NotEqual if success => Some(true),
                _ => None,
            }
        }
        "fd.num" if flags.contains(EventFlags::CREATES_FD) => {
            graph.check_value(id, &Value::Signed(-1), &Bump::new())
        }
        // They are missing, and a missing value makes its check false.
        name if name.starts_with("fs.path.") => Some(false),
        _ => None,
    }
}

/// Result of a check where the call succeeded.
fn if_succeeded(graph: &Graph, id: NodeId, predicate: &Predicate) -> Option<bool> {
    let field = predicate.left.as_ref()?;
    match field.name.as_str() {
        "evt.failed" => graph.check_value(id, &Value::Bool(false), &Bump::new()),
        "evt.res" => graph.check_value(id, &Value::Bytes(b"SUCCESS"), &Bump::new()),
        _ => None,
    }
}

/// Result of a check where a file is opened for this access.
fn if_for(graph: &Graph, id: NodeId, predicate: &Predicate, access: Access) -> Option<bool> {
    let holds = match predicate.left.as_ref()?.name.as_str() {
        "evt.is_open_read" => access != Access::Write,
        "evt.is_open_write" => access != Access::Read,
        _ => return None,
    };
    graph.check_value(id, &Value::Bool(holds), &Bump::new())
}

/// A comparison of a negative number, if its size does not matter.
fn negative(predicate: &Predicate) -> Option<bool> {
    let mut constants = Vec::new();
    for constant in &predicate.constants {
        constants.push(std::str::from_utf8(constant).ok()?.parse::<i64>().ok()?);
    }
    if predicate.modifier.is_some() || constants.is_empty() {
        return None;
    }
    let all = |holds: &dyn Fn(i64) -> bool| constants.iter().all(|&c| holds(c));
    match predicate.operator {
        Operator::Equal | Operator::DoubleEqual | Operator::In if all(&|c| c >= 0) => Some(false),
        Operator::NotEqual if all(&|c| c >= 0) => Some(true),
        Operator::GreaterEqual if all(&|c| c >= 0) => Some(false),
        Operator::Greater if all(&|c| c >= -1) => Some(false),
        Operator::Less if all(&|c| c >= 0) => Some(true),
        Operator::LessEqual if all(&|c| c >= -1) => Some(true),
        _ => None,
    }
}

/// Result of a check where the descriptor is known to be of a type, or not known.
fn of_kind(
    graph: &Graph,
    id: NodeId,
    predicate: &Predicate,
    known: Option<(&str, &str)>,
) -> Option<bool> {
    let letter = match predicate.left.as_ref()?.name.as_str() {
        "fd.type" => false,
        "fd.typechar" => true,
        _ => return None,
    };
    // A missing value makes its check false.
    let Some((name, short)) = known else {
        return (!predicate.against_field).then_some(false);
    };
    let value = if letter { short } else { name };
    graph.check_value(id, &Value::Bytes(value.as_bytes()), &Bump::new())
}

/// The operands that a condition requires all of.
fn required(graph: &Graph, node: NodeId) -> Vec<NodeId> {
    match graph.node(node) {
        Node::And(all) => all.iter().flat_map(|&one| required(graph, one)).collect(),
        _ => vec![node],
    }
}

/// What a condition requires of the process's own image, as a condition.
fn process_part(graph: &Graph, node: NodeId) -> Option<String> {
    let own = |check: &&Predicate| {
        let mut fields = check.fields.iter();
        fields.all(|field| IMAGE.contains(&field.name.as_str()))
    };
    let parts: Vec<String> = required(graph, node)
        .into_iter()
        .filter(|&one| graph.lifetime(one) <= Lifetime::Lineage)
        .filter(|&one| checks(graph, one).iter().all(own))
        .map(|one| text(graph, one))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// Prefixes of which a condition requires one of the call's path.
fn path_part(graph: &Graph, node: NodeId) -> Option<Vec<Vec<u8>>> {
    const PATHS: [&str; 3] = ["fs.path.name", "evt.arg.path", "evt.arg.name"];
    let prefixes = |one: NodeId| {
        let Node::Check(predicate) = graph.node(one) else {
            return None;
        };
        let field = predicate.left.as_ref()?;
        let fits = PATHS.contains(&field.name.as_str())
            && predicate.modifier.is_none()
            && !predicate.against_field
            && matches!(
                predicate.operator,
                Operator::Equal | Operator::DoubleEqual | Operator::In | Operator::StartsWith
            );
        let absolute = predicate.constants.iter().all(|c| c.starts_with(b"/"));
        (fits && absolute && !predicate.constants.is_empty()).then(|| predicate.constants.clone())
    };
    required(graph, node).into_iter().find_map(prefixes)
}

fn text(graph: &Graph, node: NodeId) -> String {
    let joined = |all: &[NodeId], word: &str| {
        let all: Vec<String> = all.iter().map(|&one| text(graph, one)).collect();
        format!("({})", all.join(word))
    };
    match graph.node(node) {
        Node::And(all) => joined(all, " and "),
        Node::Or(all) => joined(all, " or "),
        Node::Not(inner) => format!("not {}", text(graph, inner)),
        Node::Check(predicate) => predicate.text.clone(),
    }
}
