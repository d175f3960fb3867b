//! Whether two rule sets mean the same, and what differs.
//!
//! Conditions are compared by what they say, not by how: both are evaluated on the same made-up events, in which each
//! different comparison is true or false by chance, thousands of times. Equal conditions always agree; different ones
//! agree on all of them only if they differ in a case that is rarer than any chance met.

use filter::{Ast, Check, ExprKind, Operand, Operator, Right};
use hashbrown::HashMap;
use rules::stateful::Stateful;
use rules::{Rule, RuleSet};

/// Made-up events for each pair of conditions.
const TRIES: u64 = 512;

/// What differs in one thing of two rule sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `rule`, `macro` or `list`.
    pub thing: &'static str,
    /// Its name.
    pub name: String,
    /// What: `added`, `removed`, or keys with what was and what is.
    pub what: What,
}

/// See [`Difference`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// Keys, with what was and what is.
    Changed(Vec<(&'static str, String, String)>),
}

/// All differences: rules in the order of the second set, what was removed, then macros and lists.
#[must_use]
pub fn differences(a: &RuleSet, b: &RuleSet) -> Vec<Difference> {
    let mut all = Vec::new();
    compare(
        "rule",
        &a.rules,
        &b.rules,
        |rule| &rule.name,
        rule,
        &mut all,
    );
    compare(
        "macro",
        &a.macros,
        &b.macros,
        |one| &one.name,
        |a, b| {
            let same = match (&a.ast, &b.ast) {
                (Some(a), Some(b)) => same(a, b),
                _ => a.condition == b.condition,
            };
            if same {
                Vec::new()
            } else {
                vec![("condition", tidy(&a.condition), tidy(&b.condition))]
            }
        },
        &mut all,
    );
    compare(
        "list",
        &a.lists,
        &b.lists,
        |one| &one.name,
        |a, b| {
            if a.items == b.items {
                Vec::new()
            } else {
                vec![("items", a.items.join(", "), b.items.join(", "))]
            }
        },
        &mut all,
    );
    all
}

fn compare<T>(
    thing: &'static str,
    a: &[T],
    b: &[T],
    name: impl Fn(&T) -> &String,
    change: impl Fn(&T, &T) -> Vec<(&'static str, String, String)>,
    all: &mut Vec<Difference>,
) {
    let old: HashMap<&String, &T> = a.iter().map(|one| (name(one), one)).collect();
    let new: HashMap<&String, &T> = b.iter().map(|one| (name(one), one)).collect();
    for one in b {
        let what = match old.get(name(one)) {
            None => What::Added,
            Some(before) => match change(before, one) {
                changes if changes.is_empty() => continue,
                changes => What::Changed(changes),
            },
        };
        all.push(Difference {
            thing,
            name: name(one).clone(),
            what,
        });
    }
    for one in a.iter().filter(|one| !new.contains_key(name(one))) {
        all.push(Difference {
            thing,
            name: name(one).clone(),
            what: What::Removed,
        });
    }
}

fn tidy(condition: &str) -> String {
    crate::words::joined(condition)
}

fn rule(a: &Rule, b: &Rule) -> Vec<(&'static str, String, String)> {
    let mut changes = Vec::new();
    let mut note = |key, a: String, b: String| {
        if a != b {
            changes.push((key, a, b));
        }
    };
    note("source", a.source.clone(), b.source.clone());
    note(
        "priority",
        a.priority.name().to_owned(),
        b.priority.name().to_owned(),
    );
    note("enabled", a.enabled.to_string(), b.enabled.to_string());
    note(
        "output",
        a.output.replace("%container.info", ""),
        b.output.replace("%container.info", ""),
    );
    note("desc", a.description.clone(), b.description.clone());
    note("tags", a.tags.join(" "), b.tags.join(" "));
    note("capture", a.capture.to_string(), b.capture.to_string());
    let exceptions = |rule: &Rule| {
        let all: Vec<String> = rule
            .exceptions
            .iter()
            .map(|e| format!("{} ({})", e.name, e.fields.join(", ")))
            .collect();
        all.join("; ")
    };
    note("exceptions", exceptions(a), exceptions(b));
    let memory = |rule: &Rule| {
        let stateful = rule.stateful.as_ref();
        stateful.map_or_else(String::new, Stateful::summary)
    };
    note("memory", memory(a), memory(b));
    let parts = |rule: &Rule| {
        let parts = rule.stateful.iter().flat_map(Stateful::parts);
        let each = parts.map(|part| format!("{}: {}", part.name, part.ast));
        each.collect::<Vec<_>>().join("; ")
    };
    note("steps", parts(a), parts(b));
    if !same(&a.ast, &b.ast) {
        let (was, is) = if tidy(&a.condition) == tidy(&b.condition) {
            // The difference is in a macro, a list or an exception.
            (a.ast.to_string(), b.ast.to_string())
        } else {
            (tidy(&a.condition), tidy(&b.condition))
        };
        changes.push(("condition", was, is));
    }
    changes
}

/// Whether two conditions, macros and lists inserted, say the same.
#[must_use]
pub fn same(a: &Ast, b: &Ast) -> bool {
    if a.to_string() == b.to_string() {
        return true;
    }
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let mut number = |ast: &Ast| -> Vec<Atom> {
        ast.exprs()
            .map(|(_, expr)| match &expr.kind {
                ExprKind::Check(check) => match fixed(check) {
                    Some(truth) => Atom::Fixed(truth),
                    None => {
                        let next = numbers.len() as u64;
                        Atom::Chance(*numbers.entry(key(check)).or_insert(next))
                    }
                },
                ExprKind::Macro(name) => {
                    let next = numbers.len() as u64;
                    Atom::Chance(*numbers.entry(format!("macro {name}")).or_insert(next))
                }
                _ => Atom::Fixed(false),
            })
            .collect()
    };
    let (left, right) = (number(a), number(b));
    (0..TRIES).all(|seed| {
        // Most comparisons of an `and` must hold for the rest to matter, most of an `or` must not.
        let share = [32, 128, 224, 250][(seed % 4) as usize];
        holds(a, &left, seed, share) == holds(b, &right, seed, share)
    })
}

#[derive(Clone, Copy)]
enum Atom {
    Fixed(bool),
    Chance(u64),
}

fn holds(ast: &Ast, atoms: &[Atom], seed: u64, share: u64) -> bool {
    let mut results: Vec<bool> = Vec::with_capacity(atoms.len());
    for ((_, expr), atom) in ast.exprs().zip(atoms) {
        let known = |id: &filter::ExprId| results[id.index()];
        let result = match &expr.kind {
            ExprKind::And(all) => all.iter().all(known),
            ExprKind::Or(all) => all.iter().any(known),
            ExprKind::Not(one) => !known(one),
            ExprKind::Check(_) | ExprKind::Macro(_) => match atom {
                Atom::Fixed(truth) => *truth,
                Atom::Chance(number) => mix(seed, *number) & 0xff < share,
            },
        };
        results.push(result);
    }
    results.last().copied().unwrap_or(false)
}

/// A number by chance that is the same for the same two.
fn mix(seed: u64, number: u64) -> u64 {
    let mut x =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 31;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 29)
}

/// Comparisons whose result is known: events have no direction any more.
fn fixed(check: &Check) -> Option<bool> {
    let Operand::Field(field) = &check.left else {
        return None;
    };
    let Right::Value(literal) = &check.right else {
        return None;
    };
    let equal = matches!(check.operator, Operator::Equal | Operator::DoubleEqual);
    (field.name == "evt.dir" && equal).then(|| literal.bytes == b"<")
}

/// What makes comparisons equal.
fn key(check: &Check) -> String {
    let mut check = check.clone();
    if check.operator == Operator::DoubleEqual {
        check.operator = Operator::Equal;
    }
    if check.operator == Operator::Regex
        && check.right.constants().iter().all(|one| {
            one.bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"/_-:".contains(b))
        })
    {
        check.operator = Operator::Equal;
    }
    check.to_string()
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn conditions_by_what_they_say() {
        let says = |a: &str, b: &str| same(&filter::parse(a).unwrap(), &filter::parse(b).unwrap());
        assert!(says("a.b = c and d.e = f", "d.e = f and (a.b == c)"));
        assert!(says(
            "not (a.b = c or d.e = f)",
            "not a.b = c and not d.e = f"
        ));
        assert!(says("evt.dir = < and a.b = c and a.b = c", "a.b = c"));
        assert!(says("a.b regex /x", "a.b = /x"));
        assert!(!says(
            "a.b = c or d.e = f and g.h = i",
            "(a.b = c or d.e = f) and g.h = i"
        ));
        assert!(!says("a.b = c", "a.b = d"));
        assert!(!says(
            "a.b = c and d.e = f and g.h = i and j.k = l",
            "a.b = c and d.e = f and g.h = i"
        ));
    }
}
