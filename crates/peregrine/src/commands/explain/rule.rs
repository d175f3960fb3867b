//! The effective rule after all files: its parts, where they come from, what it costs.

use std::fmt::Write as _;

use filter::{ExprKind, Field, Graph, Lifetime, Node, Operator, Schema, Template};
use rules::stateful::{RuleSchema, Stateful};
use rules::{Change, Rule};

use super::code::wrapped;
use super::tree::Subject;

/// The text.
pub(super) fn text(subject: &Subject<'_>, schema: &dyn Schema, runs: bool) -> String {
    let rule = subject.rule;
    let mut out = String::new();
    let state = if runs { "runs" } else { "does not run" };
    let _ = writeln!(out, "Rule \"{}\" {state}", rule.name);
    let _ = writeln!(
        out,
        "  {}, source {}{}{}",
        rule.priority.name(),
        rule.source,
        if rule.tags.is_empty() { "" } else { ", tags " },
        rule.tags.join(" ")
    );
    for line in wrapped(&rule.description).lines() {
        let _ = writeln!(out, "  {line}");
    }
    out.push_str("\nWhere it comes from\n");
    for origin in &rule.origins {
        let place = subject.place(origin.span);
        let _ = writeln!(out, "  {place}  {}", change(&origin.change));
    }
    let parts = used(subject);
    for (name, origins) in parts {
        for origin in origins {
            let place = subject.place(origin.span);
            let _ = writeln!(out, "  {place}  {name} {}", change(&origin.change));
        }
    }
    out.push_str(if rule.stateful.is_some() {
        "\nEvents that matter to it\n"
    } else {
        "\nCondition\n"
    });
    for line in subject.lines() {
        let indent = 2 + 2 * line.depth;
        let _ = write!(out, "{:indent$}{}", "", line.text);
        if let Some(origin) = line.origin {
            let _ = write!(out, "    [{origin}]");
        }
        out.push('\n');
    }
    if let Some(stateful) = &rule.stateful {
        memory(stateful, &mut out);
    }
    let _ = writeln!(out, "\nOutput\n  {}", rule.output);
    let _ = writeln!(out, "\nEvents\n  {}", events(rule));
    let (compared, shown) = fields(rule, schema);
    out.push_str("\nFields\n");
    for (what, names) in [("compared", compared), ("shown", shown)] {
        for (number, line) in wrapped(&names.join(", ")).lines().enumerate() {
            let what = if number == 0 { what } else { "" };
            let _ = writeln!(out, "  {what:<8}  {line}");
        }
    }
    let _ = writeln!(out, "\nCost\n  {}", cost(rule, schema));
    out
}

/// What a rule waits for, and its steps.
fn memory(stateful: &Stateful, out: &mut String) {
    let _ = writeln!(out, "\nFires on ({})", stateful.key());
    for line in wrapped(&stateful.summary()).lines() {
        let _ = writeln!(out, "  {line}");
    }
    for part in stateful.parts() {
        let _ = writeln!(out, "  {}:", part.name);
        for line in wrapped(&part.condition).lines() {
            let _ = writeln!(out, "    {line}");
        }
        if let Some(links) = &part.links {
            for line in wrapped(&format!("compared with earlier steps: {links}")).lines() {
                let _ = writeln!(out, "      {line}");
            }
        }
    }
    if !stateful.slots.is_empty() {
        let kept: Vec<&str> = stateful
            .slots
            .iter()
            .map(|slot| slot.name.as_str())
            .collect();
        let _ = writeln!(out, "  kept of the steps: {}", kept.join(", "));
    }
}

/// What an item of a file did, as a phrase.
pub(super) fn change(change: &Change) -> String {
    match change {
        Change::Defined => "defined".to_owned(),
        Change::Appended(keys) => format!("appended to: {}", keys.join(", ")),
        Change::Replaced(keys) => format!("replaced: {}", keys.join(", ")),
        Change::Switched(true) => "enabled".to_owned(),
        Change::Switched(false) => "disabled".to_owned(),
    }
}

/// The macros that take part, in the order of the set.
fn used<'a>(subject: &Subject<'a>) -> Vec<(String, &'a [rules::Origin])> {
    let mut sources: Vec<u32> = subject
        .rule
        .ast
        .exprs()
        .map(|(_, expr)| expr.source.0)
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources
        .into_iter()
        .filter_map(|number| subject.set.macros.get(number as usize))
        .map(|found| (format!("macro {}", found.name), &found.origins[..]))
        .collect()
}

/// Names of the event types on which the rule can hold.
pub(super) fn events(rule: &Rule) -> String {
    /// More names than these are told by their number.
    const MOST: usize = 12;
    let mut names: Vec<&str> = rule
        .event_codes
        .iter()
        .filter(|&code| code != event::codes::ASYNCEVENT_E)
        .filter_map(|code| event::EVENTS.get(usize::from(code)))
        .map(|info| info.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.len() {
        0 => "none: the condition can hold on no type of event".to_owned(),
        n if n > MOST => format!("{n} types of events"),
        _ => names.join(", "),
    }
}

/// The fields that the condition compares, and those that the output shows.
fn fields(rule: &Rule, schema: &dyn Schema) -> (Vec<String>, Vec<String>) {
    let mut graph = Graph::new();
    let mut compared: Vec<String> = Vec::new();
    if graph.add(&rule.ast, schema).is_ok() {
        for (_, node) in graph.nodes() {
            if let Node::Check(predicate) = node {
                compared.extend(predicate.fields.iter().map(|field| field.name.clone()));
            }
        }
    }
    for part in rule.stateful.iter().flat_map(Stateful::parts) {
        let checks = part.ast.checks();
        compared.extend(
            checks
                .flat_map(|(_, check)| check.fields())
                .map(Field::text),
        );
    }
    let fields = RuleSchema::new(rule, schema);
    let mut shown: Vec<String> = Template::parse(&rule.output_template, &fields)
        .map(|template| {
            let fields = template.fields().iter();
            fields.map(|field| field.name.clone()).collect()
        })
        .unwrap_or_default();
    for names in [&mut compared, &mut shown] {
        names.sort_unstable();
        names.dedup();
    }
    (compared, shown)
}

/// How much work the condition is on an event of its types.
fn cost(rule: &Rule, schema: &dyn Schema) -> String {
    let (mut own, mut kept, mut slow) = (0, 0, 0);
    for (_, check) in rule.ast.checks() {
        let field = match &check.left {
            filter::Operand::Field(field) => schema.resolve(&field.text()).ok(),
            filter::Operand::Transformer(_) => None,
        };
        match field.map(|def| def.lifetime) {
            Some(Lifetime::Event) | None => own += 1,
            Some(_) => kept += 1,
        }
        slow += u32::from(matches!(
            check.operator,
            Operator::Regex | Operator::Glob | Operator::IGlob
        ));
    }
    let types = rule.event_codes.len();
    let nodes = rule.ast.exprs().len();
    let class = match (types, slow) {
        (0, _) => "none",
        (1..=40, 0) => "low",
        (41.., _) => "high: no event types restrict it",
        _ => "medium: patterns are matched",
    };
    let groups = rule
        .ast
        .exprs()
        .filter(|(_, expr)| !matches!(expr.kind, ExprKind::Check(_)))
        .count();
    format!(
        "{class}; {} comparisons in {groups} groups ({nodes} nodes): {own} of the event itself, {kept} \
         of process, descriptor, container or host, {slow} with patterns",
        nodes - groups
    )
}
