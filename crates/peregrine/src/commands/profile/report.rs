//! What was measured, in words and as JSON.

use std::fmt::Write as _;

use filter::{Operator, Predicate};
use serde_json::{Value, json};

use super::measure::Meter;

/// A comparison that was evaluated.
struct Clause {
    text: String,
    users: u32,
    evaluated: u64,
    held: u64,
    nanoseconds: u64,
    advice: Option<String>,
}

/// Comparisons by what they cost, the dearest first.
fn clauses(meter: &Meter<'_>) -> Vec<Clause> {
    let mut all: Vec<Clause> = meter
        .graph
        .nodes()
        .filter_map(|(id, node)| {
            let filter::Node::Check(predicate) = node else {
                return None;
            };
            let count = &meter.clauses[id.index()];
            (count.evaluated > 0).then(|| Clause {
                text: cut(&predicate.text),
                users: meter.users[id.index()],
                evaluated: count.evaluated,
                held: count.held,
                nanoseconds: count.nanoseconds,
                advice: advice(predicate),
            })
        })
        .collect();
    all.sort_by(|a, b| b.nanoseconds.cmp(&a.nanoseconds).then(a.text.cmp(&b.text)));
    all
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 90;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}...")
}

/// A cheaper way to ask the same, where one is known.
fn advice(predicate: &Predicate) -> Option<String> {
    let field = &predicate.left.as_ref()?.name;
    let [one] = &predicate.constants[..] else {
        return None;
    };
    if predicate.modifier.is_some() || predicate.against_field {
        return None;
    }
    cheaper(predicate.operator, field, std::str::from_utf8(one).ok()?)
}

/// See [`advice`].
fn cheaper(operator: Operator, field: &str, one: &str) -> Option<String> {
    let plain = |text: &str, special: &str| {
        !text.is_empty() && !text.contains(|c: char| special.contains(c))
    };
    const GLOB: &str = "*?[\\";
    const REGEX: &str = ".+*?^$()[]{}|\\";
    match operator {
        Operator::Glob => {
            let (open, close) = (one.starts_with('*'), one.ends_with('*'));
            let middle = one.trim_matches('*');
            let word = match (open, close) {
                (true, true) => "contains",
                (true, false) => "endswith",
                (false, true) => "startswith",
                (false, false) => "=",
            };
            (plain(middle, GLOB) && one.len() - middle.len() <= 2)
                .then(|| format!("{field} {word} {}", quoted(middle)))
        }
        Operator::Regex => {
            let open = one.starts_with(".*");
            let close = one.ends_with(".*");
            let middle = one.trim_start_matches('^').trim_end_matches('$');
            let middle = middle.strip_prefix(".*").unwrap_or(middle);
            let middle = middle.strip_suffix(".*").unwrap_or(middle);
            let word = match (open, close) {
                (true, true) => "contains",
                (true, false) => "endswith",
                (false, true) => "startswith",
                (false, false) => "=",
            };
            if plain(middle, REGEX) {
                return Some(format!("{field} {word} {}", quoted(middle)));
            }
            // a|b|c between the ends
            let inner = middle
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')'))
                .unwrap_or(middle);
            let words: Vec<&str> = inner.split('|').collect();
            let list = words.len() > 1 && words.iter().all(|word| plain(word, REGEX));
            list.then(|| {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                match word {
                    "=" => format!("{field} in ({})", words.join(", ")),
                    word => format!("{field} {word} anyof ({})", words.join(", ")),
                }
            })
        }
        Operator::IContains if !one.bytes().any(|b| b.is_ascii_alphabetic()) => {
            Some(format!("{field} contains {}", quoted(one)))
        }
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    if text.contains(|c: char| c.is_whitespace() || "()\"'=,".contains(c)) {
        format!("{text:?}")
    } else {
        text.to_owned()
    }
}

/// The tables.
pub(super) fn text(meter: &Meter<'_>, top: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} events, {} rules, {} different comparisons; {:.1} ms in comparisons",
        meter.events,
        meter.order.len(),
        meter.graph.predicates(),
        meter.total as f64 / 1e6
    );
    rules(meter, top, &mut out);
    let clauses = clauses(meter);
    let _ = writeln!(
        out,
        "\nComparisons, the dearest first\n  {:>10} {:>10} {:>7} {:>6}  comparison (rules that use it)",
        "evaluated", "held", "ns each", "% time"
    );
    for clause in clauses.iter().take(top) {
        let _ = writeln!(
            out,
            "  {:>10} {:>10} {:>7} {:>6.1}  {} ({})",
            clause.evaluated,
            clause.held,
            clause.nanoseconds / clause.evaluated.max(1),
            clause.nanoseconds as f64 * 100.0 / meter.total.max(1) as f64,
            clause.text,
            clause.users
        );
    }
    let cheaper: Vec<&Clause> = clauses
        .iter()
        .filter(|clause| clause.advice.is_some())
        .take(top)
        .collect();
    if !cheaper.is_empty() {
        out.push_str("\nCheaper ways to ask the same\n");
        for clause in cheaper {
            let _ = writeln!(
                out,
                "  {}\n    {}",
                clause.text,
                clause.advice.as_deref().unwrap_or_default()
            );
        }
    }
    shadows(meter, &mut out);
    dead(meter, &mut out);
    out
}

fn rules(meter: &Meter<'_>, top: usize, out: &mut String) {
    let mut order: Vec<usize> = (0..meter.rules.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(meter.rules[at].nanoseconds));
    let _ = writeln!(
        out,
        "\nRules, the dearest first\n  {:>10} {:>9} {:>9} {:>7} {:>6}  rule",
        "evaluated", "held", "alerts", "ns each", "% time"
    );
    for &at in order.iter().take(top) {
        let count = &meter.rules[at];
        let _ = writeln!(
            out,
            "  {:>10} {:>9} {:>9} {:>7} {:>6.1}  {}",
            count.asked,
            count.held,
            count.fired,
            count.nanoseconds / count.asked.max(1),
            count.nanoseconds as f64 * 100.0 / meter.total.max(1) as f64,
            name(meter, at)
        );
    }
}

fn name<'m>(meter: &'m Meter<'_>, at: usize) -> &'m str {
    &meter.set.rules[meter.order[at]].name
}

/// Rules that others are tried before, where both match.
fn shadows(meter: &Meter<'_>, out: &mut String) {
    if meter.taken.is_empty() {
        return;
    }
    out.push_str("\nRules that shadow others (only the first match raises an alert)\n");
    for (&(winner, loser), &count) in &meter.taken {
        let held = meter.rules[loser].held;
        let all = if count == held { ", every one" } else { "" };
        let _ = writeln!(
            out,
            "  \"{}\" takes {count} of {held} matches of \"{}\"{all}",
            name(meter, winner),
            name(meter, loser)
        );
    }
}

/// Rules that never held.
fn dead(meter: &Meter<'_>, out: &mut String) {
    let (unasked, silent): (Vec<usize>, Vec<usize>) = (0..meter.rules.len())
        .filter(|&at| meter.rules[at].held == 0)
        .partition(|&at| meter.rules[at].asked == 0);
    if !silent.is_empty() {
        let _ = writeln!(
            out,
            "\nRules that held on none of the events of their types: {}",
            silent.len()
        );
        silent.iter().for_each(|&at| {
            let _ = writeln!(out, "  {:>10}  {}", meter.rules[at].asked, name(meter, at));
        });
    }
    if !unasked.is_empty() {
        let _ = writeln!(
            out,
            "\nRules of whose types no event came: {}",
            unasked.len()
        );
        for &at in &unasked {
            let types = meter.set.rules[meter.order[at]].event_codes;
            let never = types.iter().all(|code| code == event::codes::ASYNCEVENT_E);
            let note = if never {
                "  (its condition can hold on no type of event)"
            } else {
                ""
            };
            let _ = writeln!(out, "              {}{note}", name(meter, at));
        }
    }
}

/// The same for tools.
pub(super) fn json(meter: &Meter<'_>) -> Value {
    let rules = (0..meter.rules.len()).map(|at| {
        let count = &meter.rules[at];
        json!({"rule": name(meter, at), "evaluated": count.asked, "held": count.held, "alerts": count.fired, "nanoseconds": count.nanoseconds})
    });
    let clauses = clauses(meter);
    let clauses = clauses.iter().map(|clause| {
        json!({
            "comparison": clause.text,
            "rules": clause.users,
            "evaluated": clause.evaluated,
            "held": clause.held,
            "nanoseconds": clause.nanoseconds,
            "cheaper": clause.advice,
        })
    });
    let shadows = meter.taken.iter().map(|(&(winner, loser), &count)| {
        json!({"by": name(meter, winner), "rule": name(meter, loser), "events": count, "of": meter.rules[loser].held})
    });
    let dead = (0..meter.rules.len())
        .filter(|&at| meter.rules[at].held == 0)
        .map(|at| name(meter, at));
    json!({
        "events": meter.events,
        "nanoseconds": meter.total,
        "rules": rules.collect::<Vec<_>>(),
        "comparisons": clauses.collect::<Vec<_>>(),
        "shadows": shadows.collect::<Vec<_>>(),
        "never_held": dead.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use filter::Operator;

    use super::cheaper;

    fn of(operator: Operator, one: &str) -> Option<String> {
        cheaper(operator, "f.n", one)
    }

    #[test]
    fn patterns_that_are_none() {
        let glob = |one| of(Operator::Glob, one);
        let regex = |one| of(Operator::Regex, one);
        assert_eq!(glob("/tmp/*").as_deref(), Some("f.n startswith /tmp/"));
        assert_eq!(glob("*.so").as_deref(), Some("f.n endswith .so"));
        assert_eq!(glob("/a/*/b"), None);
        assert_eq!(regex("(nc|ncat)").as_deref(), Some("f.n in (nc, ncat)"));
        assert_eq!(regex(".*foo.*").as_deref(), Some("f.n contains foo"));
        assert_eq!(regex("a[bc]"), None);
    }
}
