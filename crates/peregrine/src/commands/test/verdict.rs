//! What came of a test against what was wanted.

use filter::Tracer;
use filter::trace::Left;
use workbench::scenario::{AlertWanted, Test};

use super::super::explain::clause;
use super::stage::{Alert, Played, Stage};
use crate::sources::SourceView;

/// The differences, as lines of a diff: `-` was wanted, `+` came. None: the test is passed.
pub(super) fn compare(test: &Test, played: &Played, stage: &mut Stage<'_>) -> Vec<String> {
    let _ = stage;
    let mut faults = Vec::new();
    let wanted = &test.wanted;
    if let (Some(fires), Some(rule)) = (wanted.fires, &test.rule) {
        let own: Vec<&Alert> = played
            .alerts
            .iter()
            .filter(|alert| alert.name == *rule)
            .collect();
        match (fires, own.first()) {
            (true, None) => missing(rule, played, &mut faults),
            (false, Some(alert)) => unwanted(alert, &mut faults),
            _ => {}
        }
    }
    for rule in &wanted.silent {
        played
            .alerts
            .iter()
            .filter(|alert| alert.name == *rule)
            .for_each(|alert| unwanted(alert, &mut faults));
    }
    if let Some(alerts) = &wanted.alerts {
        let counts = |alert: &&Alert| {
            test.rule.as_ref().is_none_or(|rule| {
                *rule == alert.name || alerts.iter().any(|wanted| wanted.rule == alert.name)
            })
        };
        let came: Vec<&Alert> = played.alerts.iter().filter(counts).collect();
        sequence(alerts, &came, played, &mut faults);
    }
    faults
}

fn missing(rule: &str, played: &Played, faults: &mut Vec<String>) {
    faults.push(format!("- alert \"{rule}\""));
    match played.misses.get(rule) {
        Some(misses) => faults.extend(misses.iter().map(|miss| format!("    {miss}"))),
        None => faults.push("    no event is of a type that its condition lets through".to_owned()),
    }
}

fn unwanted(alert: &Alert, faults: &mut Vec<String>) {
    faults.push(format!(
        "+ alert \"{}\" on event {}: {}",
        alert.name,
        alert.event,
        alert.output.trim_end()
    ));
}

/// Compares in order; what stands in both is left out.
fn sequence(wanted: &[AlertWanted], came: &[&Alert], played: &Played, faults: &mut Vec<String>) {
    let mut rest = came
        .iter()
        .copied()
        .collect::<std::collections::VecDeque<_>>();
    for want in wanted {
        let at = rest.iter().position(|alert| {
            alert.name == want.rule && want.event.is_none_or(|event| event == alert.event)
        });
        let Some(at) = at else {
            missing(&want.rule, played, faults);
            continue;
        };
        for before in rest.drain(..at) {
            unwanted(before, faults);
        }
        let Some(alert) = rest.pop_front() else {
            continue;
        };
        if let Some(part) = want
            .output
            .as_ref()
            .filter(|part| !alert.output.contains(part.as_str()))
        {
            faults.push(format!(
                "  alert \"{}\" on event {}, its output",
                alert.name, alert.event
            ));
            faults.push(format!("-   {part}"));
            faults.push(format!("+   {}", alert.output.trim_end()));
        }
        for (name, value) in &want.fields {
            let is = alert.fields.get(name).map_or("<NA>", String::as_str);
            if is != value {
                faults.push(format!(
                    "  alert \"{}\" on event {}, {name}",
                    alert.name, alert.event
                ));
                faults.push(format!("-   {value}"));
                faults.push(format!("+   {is}"));
            }
        }
    }
    rest.iter().for_each(|alert| unwanted(alert, faults));
}

/// Which clauses kept a rule from matching, with the values that they met.
pub(super) fn why(tracer: &mut Tracer, view: &SourceView<'_>) -> String {
    let deciders = tracer.deciders(tracer.ast().root(), view);
    let shown: Vec<String> = deciders
        .iter()
        .take(3)
        .map(|&id| {
            let value = match tracer.left(id, view) {
                Some(Left::Text(text)) => format!("it is \"{}\"", String::from_utf8_lossy(&text)),
                _ => "there is no such value".to_owned(),
            };
            let holds = if tracer.holds(id, view) {
                "holds"
            } else {
                "does not hold"
            };
            format!("`{}` {holds}, {value}", clause(tracer.ast(), id))
        })
        .collect();
    let more = if deciders.len() > shown.len() {
        format!("; {} more", deciders.len() - shown.len())
    } else {
        String::new()
    };
    format!("{}{more}", shown.join("; "))
}
