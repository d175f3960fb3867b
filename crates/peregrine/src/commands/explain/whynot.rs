//! Why a rule raised no alert: the survey of a source in words, the likely cause first.

use std::fmt::Write as _;

use filter::trace::Left;
use filter::{ExprId, ExprKind};
use rules::Change;

use super::event::cut;
use super::hint::hint;
use super::rule::{change, events};
use super::survey::{Survey, Values};
use super::tree::{Subject, phrase, short};

/// Values of a clause that are shown.
const SHOWN: usize = 5;

/// What is known about a rule beside the events.
pub(super) struct Standing {
    /// It takes part.
    pub(super) runs: bool,
    /// The rule files enable it.
    pub(super) enabled: bool,
    /// Its priority is below the configured one.
    pub(super) too_low: Option<&'static str>,
}

/// The text.
pub(super) fn text(subject: &Subject<'_>, standing: &Standing, survey: &Survey<'_>) -> String {
    let rule = subject.rule;
    let mut out = String::new();
    let raised = survey.matched - survey.taken.values().sum::<u64>();
    let raised = if standing.runs { raised } else { 0 };
    let _ = writeln!(
        out,
        "Rule \"{}\": its condition holds on {} of {} events; alerts: {raised}",
        rule.name, survey.matched, survey.events
    );
    let causes = causes(subject, standing, survey);
    if !causes.is_empty() {
        out.push('\n');
    }
    for cause in causes {
        let _ = writeln!(out, "  {cause}");
    }
    if survey.losses > 0 {
        let _ = writeln!(
            out,
            "  The capture notes {} times that events were lost; the one in question may be among them.",
            survey.losses
        );
    }
    if survey.of_types > 0 {
        steps(subject, survey, &mut out);
        closest(subject, survey, &mut out);
    }
    out
}

/// The reasons, the most decisive first.
fn causes(subject: &Subject<'_>, standing: &Standing, survey: &Survey<'_>) -> Vec<String> {
    let rule = subject.rule;
    let mut causes = Vec::new();
    if !standing.enabled {
        let by = rule.origins.iter().rev().find(|origin| {
            let keys = match &origin.change {
                Change::Switched(on) => return !on,
                Change::Replaced(keys) => keys,
                Change::Defined => return true,
                Change::Appended(_) => return false,
            };
            keys.contains(&"enabled")
        });
        let by = by.map_or_else(String::new, |origin| {
            format!(
                " at {} ({})",
                subject.place(origin.span),
                change(&origin.change)
            )
        });
        causes.push(format!("Cause: the rule is disabled{by}."));
    } else if let Some(least) = standing.too_low {
        causes.push(format!(
            "Cause: its priority {} is below {least}, the least that the configuration lets run.",
            rule.priority.name()
        ));
    } else if !standing.runs {
        causes.push("Cause: the configuration's selection of rules leaves it out.".to_owned());
    }
    if let (Some(stateful), true) = (&rule.stateful, survey.matched > 0) {
        causes.push(format!(
            "It remembers: {} events matter to it, and it fires on {}. Which of its steps an event is, \
             `explain --event` shows.",
            survey.matched,
            stateful.summary()
        ));
        return causes;
    }
    if survey.matched > 0 {
        let mut taken: Vec<_> = survey.taken.iter().collect();
        taken.sort_by_key(|(rule, count)| (std::cmp::Reverse(**count), **rule));
        for (&other, count) in taken {
            let name = &subject.set.rules[other as usize].name;
            causes.push(format!(
                "Cause: on {count} of them the rule \"{name}\" is tried before it and matches; only the first \
                 match raises an alert (rule_matching: all lets every one)."
            ));
        }
        return causes;
    }
    if rule.event_codes.len() <= 1 {
        causes.push(
            "Cause: the condition can hold on no type of event: what it asks of evt.type excludes itself."
                .to_owned(),
        );
    } else if survey.of_types == 0 {
        let types = format!(
            "Cause: no event is of its types ({}){}.",
            events(rule),
            relatives(subject, survey)
        );
        causes.push(types);
    } else {
        let blamed = blocking(survey).into_iter().enumerate();
        causes.extend(blamed.map(|(nth, step)| {
            let word = if nth == 0 { "Cause" } else { "Or" };
            format!("{word}: {}", blocked(subject, survey, step))
        }));
    }
    causes
}

/// The steps to blame: those that alone keep events from matching. Exclusions come first, as their
/// events are all that was asked for otherwise; then the rarest. If no event fails on one step alone,
/// the first that nothing passes.
fn blocking(survey: &Survey<'_>) -> Vec<usize> {
    /// More would hide the likely one.
    const MOST: usize = 3;
    let ast = survey.tracer.ast();
    let mut alone: Vec<usize> = (0..survey.only.len())
        .filter(|&step| survey.only[step] > 0)
        .collect();
    alone.sort_by_key(|&step| {
        let id = survey.tracer.steps()[step];
        let excludes = matches!(ast.expr(id).kind, ExprKind::Not(_));
        (!excludes, survey.only[step])
    });
    alone.truncate(MOST);
    if alone.is_empty() {
        alone.extend(survey.reached.iter().position(|&count| count == 0));
    }
    alone
}

fn blocked(subject: &Subject<'_>, survey: &Survey<'_>, step: usize) -> String {
    let ast = survey.tracer.ast();
    let id = survey.tracer.steps()[step];
    let origin = subject.origin(id);
    let origin = origin.map(|text| format!(" [{text}]")).unwrap_or_default();
    let alone = survey.only[step];
    let extent = if alone > 0 {
        format!("{alone} events fail on this clause and on no other")
    } else {
        format!(
            "no event that came so far fulfils it ({} fail)",
            survey.failed[step]
        )
    };
    let clause = phrase(ast, id);
    let mut text = format!("{clause}{origin}: {extent}.");
    for (check_id, values) in clauses_of(subject, survey, id) {
        let ExprKind::Check(check) = &ast.expr(check_id).kind else {
            continue;
        };
        let top = values.top();
        let _ = write!(text, "\n    {}: {}", short(check), shown(values));
        if values.missing_in_container > 0 && is_metadata(check) {
            let _ = write!(
                text,
                "\n    The container's metadata was not there on {} of them.",
                values.missing_in_container
            );
        } else if let Some(hint) = hint(check, &top, values.missing > 0) {
            let _ = write!(text, "\n    Hint: {hint}.");
        }
    }
    text
}

/// The comparisons below an expression whose values were noted.
fn clauses_of<'s>(
    subject: &Subject<'_>,
    survey: &'s Survey<'_>,
    id: ExprId,
) -> Vec<(ExprId, &'s Values)> {
    let ast = &subject.rule.ast;
    let mut found = Vec::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        open.extend(ast.expr(id).kind.children().iter().rev());
        if let Some(values) = survey.values.get(&id) {
            found.push((id, values));
        }
    }
    found.truncate(SHOWN);
    found
}

fn is_metadata(check: &filter::Check) -> bool {
    let filter::Operand::Field(field) = &check.left else {
        return false;
    };
    field.name.starts_with("k8s.")
        || (field.name.starts_with("container.") && field.name != "container.id")
}

/// Values with their counts.
fn shown(values: &Values) -> String {
    let top = values.top();
    let mut parts: Vec<String> = top
        .iter()
        .take(SHOWN)
        .map(|(text, count)| format!("{} ({count})", cut(text)))
        .collect();
    if values.missing > 0 {
        parts.push(format!("no value ({})", values.missing));
    }
    let more = top.len().saturating_sub(SHOWN) as u64 + values.others;
    if more > 0 {
        parts.push(format!("{more} other values"));
    }
    parts.join(", ")
}

/// Types of events in the source that are called much like those of the rule.
fn relatives(subject: &Subject<'_>, survey: &Survey<'_>) -> String {
    let name = |code: u16| event::EVENTS.get(usize::from(code)).map(|info| info.name);
    let wanted: Vec<&str> = subject.rule.event_codes.iter().filter_map(name).collect();
    let mut found: Vec<&str> = survey
        .types
        .iter()
        .filter_map(name)
        .filter(|seen| {
            wanted
                .iter()
                .any(|own| *own != "asyncevent" && (seen.starts_with(own) || own.starts_with(seen)))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        String::new()
    } else {
        format!("; there are events of {}", found.join(", "))
    }
}

/// How far the events came.
fn steps(subject: &Subject<'_>, survey: &Survey<'_>, out: &mut String) {
    let ast = survey.tracer.ast();
    let _ = writeln!(
        out,
        "\nHow far the {} events of its types came (those that fulfil a clause and all above it)",
        survey.of_types
    );
    for (at, &id) in survey.tracer.steps().iter().enumerate() {
        let origin = subject.origin(id);
        let origin = origin.map(|text| format!("  [{text}]")).unwrap_or_default();
        let only = match survey.only[at] {
            0 => String::new(),
            n => format!("  <- alone fails {n}"),
        };
        let clause = phrase(ast, id);
        let _ = writeln!(out, "  {:>10}  {clause}{origin}{only}", survey.reached[at]);
    }
}

/// The events that came closest.
fn closest(subject: &Subject<'_>, survey: &Survey<'_>, out: &mut String) {
    if survey.closest.is_empty() {
        return;
    }
    let ast = &subject.rule.ast;
    out.push_str("\nClosest misses\n");
    for miss in &survey.closest {
        let more = match miss.failing.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = writeln!(out, "  event {} ({}) fails{more}:", miss.number, miss.who);
        for (id, left) in &miss.clauses {
            let value = match left {
                Left::Missing => "has no value".to_owned(),
                Left::Text(text) => format!("= {}", cut(text)),
            };
            let _ = writeln!(out, "    {}  {value}", phrase(ast, *id));
        }
    }
    let _ = writeln!(
        out,
        "\n`--rule NAME --event N` shows all clauses on one event."
    );
}
