//! On which event types a condition can hold at all.
//!
//! Every part of a condition has two sets: the event codes on which it can be true, and those on
//! which its negation can. They follow from the parts' sets without recursion, because the tree
//! lists operands before what uses them. Only comparisons of `evt.type` with constants restrict.

use std::sync::LazyLock;

use event::{EVENTS, Source, codes, syscalls};
use filter::{Ast, Check, Expr, ExprKind, Operand, Operator, Right, Transformer};
use hashbrown::HashMap;

use crate::codes::CodeSet;

/// Sets of codes for one kind of code.
pub(crate) trait Alphabet {
    /// All codes.
    fn all(&self) -> CodeSet;
    /// The codes that a name stands for.
    fn named(&self, name: &str) -> CodeSet;
}

/// Event codes.
pub(crate) struct Events;

/// System call codes.
pub(crate) struct Syscalls;

const EVENT_COUNT: u16 = EVENTS.len() as u16;

impl Alphabet for Events {
    fn all(&self) -> CodeSet {
        CodeSet::up_to(EVENT_COUNT)
    }

    fn named(&self, name: &str) -> CodeSet {
        EVENT_NAMES.get(name).copied().unwrap_or_default()
    }
}

/// Event codes by name.
static EVENT_NAMES: LazyLock<HashMap<&'static str, CodeSet>> = LazyLock::new(|| {
    let mut names: HashMap<&'static str, CodeSet> = HashMap::new();
    for event in &EVENTS {
        names.entry(event.name).or_default().insert(event.code);
    }
    // System calls without an event type of their own come as the generic one.
    for name in syscalls::SYSCALL_NAMES {
        names
            .entry(name)
            .or_insert_with(|| [codes::GENERIC_E, codes::GENERIC_X].into_iter().collect());
    }
    names
});

/// System call codes by the name of the call, and by that of the event type it comes as.
static CALL_NAMES: LazyLock<HashMap<&'static str, CodeSet>> = LazyLock::new(|| {
    let mut names: HashMap<&'static str, CodeSet> = HashMap::new();
    for (code, name) in (0_u16..).zip(syscalls::SYSCALL_NAMES).skip(1) {
        names.entry(name).or_default().insert(code);
    }
    for call in &syscalls::X86_64_SYSCALLS {
        for code in [call.enter, call.exit] {
            let event = EVENTS
                .get(usize::from(code))
                .filter(|e| e.source == Source::Syscall);
            if let Some(event) = event.filter(|e| e.code > codes::GENERIC_X) {
                names.entry(event.name).or_default().insert(call.code);
            }
        }
    }
    names
});

impl Alphabet for Syscalls {
    fn all(&self) -> CodeSet {
        (1..syscalls::SYSCALL_NAMES.len() as u16)
            .filter(|&c| !syscalls::SYSCALL_NAMES[usize::from(c)].is_empty())
            .collect()
    }

    fn named(&self, name: &str) -> CodeSet {
        CALL_NAMES.get(name).copied().unwrap_or_default()
    }
}

/// Why the sets cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswerable {
    /// `evt.type = val(...)`
    RightSide,
    /// `tolower(evt.type) = ...`
    Transformed,
}

/// The codes on which the condition can be true. With `literal`, comparisons of `evt.num` that
/// no event can satisfy count as never true.
pub(crate) fn codes_of(ast: &Ast, alphabet: &dyn Alphabet, literal: bool) -> CodeSet {
    let all = alphabet.all();
    let mut sets: Vec<(CodeSet, CodeSet)> = Vec::with_capacity(ast.exprs().len());
    for (_, expr) in ast.exprs() {
        let operands = || expr.kind.children().iter().map(|id| &sets[id.index()]);
        let pair = match &expr.kind {
            ExprKind::And(_) => operands().fold((all, CodeSet::EMPTY), |(yes, no), (y, n)| {
                (yes.and(y), no.or(n))
            }),
            ExprKind::Or(_) => operands().fold((CodeSet::EMPTY, all), |(yes, no), (y, n)| {
                (yes.or(y), no.and(n))
            }),
            ExprKind::Not(_) => operands().next().map_or((all, all), |(y, n)| (*n, *y)),
            ExprKind::Macro(_) => (all, all),
            ExprKind::Check(check) => check_codes(check, alphabet, &all, literal),
        };
        sets.push(pair);
    }
    sets.last().map_or(all, |(yes, _)| *yes)
}

fn check_codes(
    check: &Check,
    alphabet: &dyn Alphabet,
    all: &CodeSet,
    literal: bool,
) -> (CodeSet, CodeSet) {
    let Operand::Field(field) = &check.left else {
        return (*all, *all);
    };
    if field.argument.is_some() || check.modifier.is_some() {
        return (*all, *all);
    }
    match field.name.as_str() {
        "evt.type" | "syscall.type" => {
            let named = || {
                let mut set = CodeSet::EMPTY;
                for constant in check.right.constants() {
                    set = set.or(&alphabet.named(&String::from_utf8_lossy(&constant.bytes)));
                }
                (set, all.minus(&set))
            };
            match check.operator {
                Operator::Equal | Operator::DoubleEqual | Operator::In => named(),
                Operator::NotEqual => {
                    let (set, rest) = named();
                    (rest, set)
                }
                Operator::Exists => (*all, CodeSet::EMPTY),
                _ => (*all, *all),
            }
        }
        "evt.num" if literal => match constant_truth(check) {
            Some(true) => (*all, CodeSet::EMPTY),
            Some(false) => (CodeSet::EMPTY, *all),
            None => (*all, *all),
        },
        _ => (*all, *all),
    }
}

/// What a comparison of the event number always gives: numbers begin with 1.
fn constant_truth(check: &Check) -> Option<bool> {
    let values: Option<Vec<u64>> = check
        .right
        .constants()
        .iter()
        .map(|c| std::str::from_utf8(&c.bytes).ok()?.parse().ok())
        .collect();
    let values = values?;
    if check.operator == Operator::In && !matches!(check.right, Right::Name(_)) {
        return values.iter().all(|&v| v == 0).then_some(false);
    }
    match (check.operator, values.as_slice()) {
        (Operator::Equal | Operator::DoubleEqual | Operator::LessEqual, [0])
        | (Operator::Less, [0 | 1]) => Some(false),
        (Operator::NotEqual | Operator::Greater, [0]) | (Operator::GreaterEqual, [0 | 1]) => {
            Some(true)
        }
        _ => None,
    }
}

/// Whether the condition consists of nothing but comparisons of `evt.num` whose outcome is known.
pub(crate) fn is_constant(ast: &Ast) -> bool {
    ast.checks().all(|(_, check)| match &check.left {
        Operand::Field(field) => field.name == "evt.num" && constant_truth(check).is_some(),
        Operand::Transformer(_) => false,
    })
}

/// The first comparison of the event type that the analysis does not understand.
pub(crate) fn unanswerable(ast: &Ast) -> Option<(&Expr, Unanswerable)> {
    let is_type = |name: &str| matches!(name, "evt.type" | "syscall.type");
    ast.checks().find_map(|(expr, check)| match &check.left {
        Operand::Field(field)
            if is_type(&field.name)
                && field.argument.is_none()
                && matches!(check.right, Right::Transformer(_)) =>
        {
            Some((expr, Unanswerable::RightSide))
        }
        Operand::Transformer(call) if mentions(call, &is_type) => {
            Some((expr, Unanswerable::Transformed))
        }
        _ => None,
    })
}

fn mentions(call: &Transformer, is_type: &impl Fn(&str) -> bool) -> bool {
    use filter::ast::TransformerArgument as Argument;
    fn argument(a: &Argument, is_type: &impl Fn(&str) -> bool) -> bool {
        match a {
            Argument::Field(field) => is_type(&field.name) && field.argument.is_none(),
            Argument::Transformer(call) => mentions(call, is_type),
            Argument::Literal(_) => false,
            Argument::List(all, _) => all.iter().any(|a| argument(a, is_type)),
        }
    }
    call.arguments.iter().any(|a| argument(a, is_type))
}
