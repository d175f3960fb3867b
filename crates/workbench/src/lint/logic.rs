//! What excludes itself, always holds, or stands twice.

use diag::Diagnostic;
use filter::{Check, Expr, ExprId, ExprKind, Operand, Operator, Quantifier, Right};
use hashbrown::HashMap;

use super::pieces::Thing;
use super::{Condition, Subject, advice, code};
use crate::words::{Role, words};

/// An operand of an `and` or `or`.
struct Part<'c> {
    id: ExprId,
    expr: &'c Expr,
    /// Without its negation.
    text: String,
    negated: bool,
    check: Option<&'c Check>,
}

pub(super) fn look(subject: &Subject<'_>, condition: &Condition<'_>, found: &mut Vec<Diagnostic>) {
    no_event_type(subject, condition, found);
    for (_, expr) in condition.ast.exprs() {
        let (all, is_and) = match &expr.kind {
            ExprKind::And(all) => (all, true),
            ExprKind::Or(all) => (all, false),
            ExprKind::Check(check) => {
                always(condition, expr, check, found);
                continue;
            }
            _ => continue,
        };
        let parts: Vec<Part<'_>> = all.iter().map(|&id| part(condition, id)).collect();
        repeated(condition, &parts, is_and, found);
        if is_and {
            values(subject, condition, &parts, found);
            numbers(condition, &parts, found);
        }
    }
}

fn part<'c>(condition: &'c Condition<'_>, id: ExprId) -> Part<'c> {
    let ast = &condition.ast;
    let expr = ast.expr(id);
    let (inner, negated) = match &expr.kind {
        ExprKind::Not(inner) => (*inner, true),
        _ => (id, false),
    };
    let check = match &ast.expr(inner).kind {
        ExprKind::Check(check) => Some(&**check),
        _ => None,
    };
    Part {
        id,
        expr,
        text: ast.text_of(inner),
        negated,
        check,
    }
}

/// The rule as a whole can hold on no type of event.
fn no_event_type(subject: &Subject<'_>, condition: &Condition<'_>, found: &mut Vec<Diagnostic>) {
    if condition.item.thing != Thing::Rule {
        return;
    }
    let Some(rule) = subject
        .rule(&condition.item.name)
        .filter(|rule| rule.source == "syscall")
    else {
        return;
    };
    let types = rule
        .event_codes
        .iter()
        .filter(|&code| code != event::codes::ASYNCEVENT_E)
        .count();
    let on_purpose = rule
        .ast
        .checks()
        .any(|(_, check)| matches!(&check.left, Operand::Field(field) if field.name == "evt.num"));
    if types == 0 && !on_purpose {
        found.push(advice(
            &code::NEVER_TRUE,
            condition.written.whole(),
            format!("rule `{}` can hold on no type of event: what it asks of `evt.type` excludes itself", rule.name),
        ));
    }
}

/// The same twice, or with its opposite.
fn repeated(
    condition: &Condition<'_>,
    parts: &[Part<'_>],
    is_and: bool,
    found: &mut Vec<Diagnostic>,
) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, part) in parts.iter().enumerate() {
        let Some(&first) = seen.get(part.text.as_str()) else {
            seen.insert(&part.text, at);
            continue;
        };
        let (here, there) = (
            condition.span(part.expr.span),
            condition.span(parts[first].expr.span),
        );
        if parts[first].negated == part.negated {
            let mut diagnostic = advice(
                &code::REPEATED_CLAUSE,
                here,
                format!(
                    "`{}` stands twice in one `{}`",
                    shown(&part.text),
                    if is_and { "and" } else { "or" }
                ),
            )
            .label(there, "the first");
            if let Some(span) = removable(condition, part.id) {
                diagnostic = diagnostic.fix(span, "", "the second says nothing and can go");
            }
            found.push(diagnostic);
        } else {
            let (code, message) = if is_and {
                (
                    &code::NEVER_TRUE,
                    "is asked for and excluded at once: this can never hold",
                )
            } else {
                (
                    &code::ALWAYS_TRUE,
                    "or its opposite: one of them always holds",
                )
            };
            found.push(
                advice(code, here, format!("`{}` {message}", shown(&part.text)))
                    .label(there, "and here"),
            );
        }
    }
}

/// The bytes of a part with the `and` or `or` before it.
fn removable(condition: &Condition<'_>, id: ExprId) -> Option<diag::Span> {
    let (start, end) = condition.offsets(condition.ast.expr(id).span);
    let value = &condition.written.value;
    let before = words(value).into_iter().rfind(|word| word.end <= start)?;
    let joins = matches!(value.get(before.start..before.end)?, "and" | "or");
    if before.role != Role::Keyword || !joins || !value.get(before.end..start)?.trim().is_empty() {
        return None;
    }
    // What follows must be another word of the same level, not the rest of this one.
    let rest = value.get(end..)?.trim_start();
    let ends = rest.is_empty()
        || rest.starts_with(')')
        || rest.starts_with("and")
        || rest.starts_with("or");
    ends.then(|| {
        crate::fix::removal(
            condition.text,
            condition.written.span(condition.text, before.start, end),
        )
    })
}

fn single_field(subject: &Subject<'_>, check: &Check) -> Option<String> {
    let Operand::Field(field) = &check.left else {
        return None;
    };
    let text = field.text();
    let def = subject.field(&text)?;
    (!def.list && def.quantifier == Quantifier::One).then_some(text)
}

/// The constants of an equality, lists inserted; `None` for other comparisons.
fn equalities(subject: &Subject<'_>, check: &Check) -> Option<Vec<Vec<u8>>> {
    let equal = matches!(
        check.operator,
        Operator::Equal | Operator::DoubleEqual | Operator::In
    );
    if !equal || check.modifier.is_some() || matches!(check.right, Right::Transformer(_)) {
        return None;
    }
    let mut all = Vec::new();
    for literal in check.right.constants() {
        let list = std::str::from_utf8(&literal.bytes)
            .ok()
            .and_then(|name| subject.list(name));
        match list {
            Some(items) => {
                // Deeper lists would have to be followed too.
                if items.iter().any(|item| subject.list(item).is_some()) {
                    return None;
                }
                all.extend(
                    items
                        .iter()
                        .map(|item| item.trim_matches('"').as_bytes().to_vec()),
                );
            }
            None => all.push(literal.bytes.clone()),
        }
    }
    Some(all)
}

/// Values of one field that exclude each other.
fn values(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    parts: &[Part<'_>],
    found: &mut Vec<Diagnostic>,
) {
    let mut left: HashMap<String, (Vec<Vec<u8>>, ExprId)> = HashMap::new();
    for part in parts.iter().filter(|part| !part.negated) {
        let Some(check) = part.check else { continue };
        let (Some(field), Some(values)) =
            (single_field(subject, check), equalities(subject, check))
        else {
            continue;
        };
        // Ports have names, and addresses have forms: only texts are compared to the letter.
        let numeric = values
            .iter()
            .any(|value| value.iter().any(u8::is_ascii_alphabetic))
            && field.ends_with("port");
        if numeric || values.is_empty() {
            continue;
        }
        match left.get_mut(&field) {
            None => {
                left.insert(field, (values, part.id));
            }
            Some((known, first)) => {
                known.retain(|value| values.contains(value));
                if known.is_empty() {
                    let there = condition.span(condition.ast.expr(*first).span);
                    found.push(
                        advice(
                            &code::NEVER_TRUE,
                            condition.span(part.expr.span),
                            format!("`{field}` cannot have this value and the one asked for before: this can never hold"),
                        )
                        .label(there, "asked for here"),
                    );
                    known.extend(values);
                }
            }
        }
    }
}

/// Numbers that are to be below and above.
fn numbers(condition: &Condition<'_>, parts: &[Part<'_>], found: &mut Vec<Diagnostic>) {
    let mut ranges: HashMap<String, (i128, i128, ExprId)> = HashMap::new();
    for part in parts.iter().filter(|part| !part.negated) {
        let Some(check) = part.check else { continue };
        let (Operand::Field(field), Right::Value(literal)) = (&check.left, &check.right) else {
            continue;
        };
        let number = std::str::from_utf8(&literal.bytes)
            .ok()
            .and_then(|text| text.parse::<i128>().ok());
        let (Some(number), None) = (number, check.modifier) else {
            continue;
        };
        let (low, high) = match check.operator {
            Operator::Less => (i128::MIN, number - 1),
            Operator::LessEqual => (i128::MIN, number),
            Operator::Greater => (number + 1, i128::MAX),
            Operator::GreaterEqual => (number, i128::MAX),
            Operator::Equal | Operator::DoubleEqual => (number, number),
            _ => continue,
        };
        // Ports match at either end.
        if matches!(field.name.as_str(), "fd.port" | "evt.num") || field.name.starts_with("proc.a")
        {
            continue;
        }
        let range = ranges
            .entry(field.text())
            .or_insert((i128::MIN, i128::MAX, part.id));
        let was_empty = range.0 > range.1;
        (range.0, range.1) = (range.0.max(low), range.1.min(high));
        if range.0 > range.1 && !was_empty && range.2 != part.id {
            let both_equal = check.operator == Operator::Equal;
            let first = condition.ast.expr(range.2);
            // Two equalities are told by `values`.
            let other_equal = matches!(&first.kind, ExprKind::Check(other) if matches!(other.operator, Operator::Equal | Operator::In));
            if both_equal && other_equal {
                continue;
            }
            found.push(
                advice(
                    &code::NEVER_TRUE,
                    condition.span(part.expr.span),
                    format!(
                        "no number is both `{}` and within what was asked of `{}` before",
                        shown(&part.text),
                        field.text()
                    ),
                )
                .label(condition.span(first.span), "asked for here"),
            );
        }
    }
}

/// Comparisons that any value fulfils.
fn always(condition: &Condition<'_>, expr: &Expr, check: &Check, found: &mut Vec<Diagnostic>) {
    let any = |wanted: &[&[u8]]| {
        check
            .right
            .constants()
            .iter()
            .any(|literal| wanted.contains(&literal.bytes.as_slice()))
    };
    let holds = match check.operator {
        Operator::Contains | Operator::IContains | Operator::StartsWith | Operator::EndsWith => {
            any(&[b""])
        }
        Operator::Glob | Operator::IGlob => any(&[b"*"]),
        Operator::PMatch => any(&[b"/", b""]),
        _ => false,
    };
    if holds {
        found.push(advice(
            &code::ALWAYS_TRUE,
            condition.span(expr.span),
            format!(
                "`{}` holds for every value; to ask whether there is one, write `{} exists`",
                shown(&check.to_string()),
                operand(&check.left)
            ),
        ));
    }
}

fn operand(left: &Operand) -> String {
    match left {
        Operand::Field(field) => field.text(),
        Operand::Transformer(_) => "the field".to_owned(),
    }
}

/// A clause, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}...")
}
