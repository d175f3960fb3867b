//! One event before one rule: every clause with its value, and the clause that decided.

use std::fmt::Write as _;

use fields::EventView;
use filter::trace::Left;
use filter::{ExprId, Tracer};

use super::tree::Subject;

/// Longest value that is shown.
const LONGEST: usize = 80;

/// The text.
pub(super) fn text(subject: &Subject<'_>, tracer: &mut Tracer, view: &EventView<'_>) -> String {
    let mut out = String::new();
    let holds = tracer.matches(view);
    let verdict = match (&subject.rule.stateful, holds) {
        (None, true) => "matches",
        (None, false) => "does not match",
        (Some(_), true) => "remembers of",
        (Some(_), false) => "has no interest in",
    };
    let _ = writeln!(
        out,
        "Rule \"{}\" {verdict} event {} ({})\n",
        subject.rule.name,
        view.context.number,
        who(view)
    );
    let deciders = tracer.deciders(tracer.ast().root(), view);
    let lines = subject.lines();
    let width = lines
        .iter()
        .map(|line| 2 * line.depth + line.text.chars().count())
        .max()
        .unwrap_or(0)
        .min(70);
    for line in lines {
        let value = line.check.map(|check| value(tracer, check, view));
        let missing = matches!(value, Some(Left::Missing));
        let result = match (tracer.holds(line.id, view), missing) {
            (true, _) => "true",
            (false, true) => "missing",
            (false, false) => "false",
        };
        let indent = 2 * line.depth;
        let pad = width.saturating_sub(indent);
        let _ = write!(out, "  {result:<9}{:indent$}{:<pad$}", "", line.text);
        match &value {
            Some(Left::Text(text)) => {
                let _ = write!(out, "  = {}", cut(text));
            }
            Some(Left::Missing) => out.push_str("  has no value"),
            None => {}
        }
        if let Some(origin) = &line.origin {
            let _ = write!(out, "  [{origin}]");
        }
        let decides = |id: &ExprId| line.check == Some(*id) || line.id == *id;
        if deciders.iter().any(decides) {
            out.push_str("  <- decides");
        }
        while out.ends_with(' ') {
            out.pop();
        }
        out.push('\n');
    }
    if let Some(stateful) = &subject.rule.stateful {
        let _ = writeln!(out, "\n  It fires on {}.", stateful.summary());
    }
    out
}

/// Type, process and thread of an event.
pub(super) fn who(view: &EventView<'_>) -> String {
    let name = view.thread().map_or_else(
        || "an unknown process".to_owned(),
        |thread| String::from_utf8_lossy(thread.comm()).into_owned(),
    );
    format!(
        "{} by {name}, thread {}",
        view.record.info.name, view.record.tid
    )
}

/// The left side of a comparison.
pub(super) fn value(tracer: &Tracer, id: ExprId, view: &EventView<'_>) -> Left {
    tracer.left(id, view).unwrap_or(Left::Missing)
}

/// A value in quotes if it could be misread, cut where it is long.
pub(super) fn cut(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let whole: String = text.chars().take(LONGEST).collect();
    let dots = if text.chars().count() > LONGEST {
        "..."
    } else {
        ""
    };
    let plain = !whole.is_empty() && !whole.contains([' ', '"', '\u{fffd}']);
    if plain {
        format!("{whole}{dots}")
    } else {
        format!("{whole:?}{dots}")
    }
}
