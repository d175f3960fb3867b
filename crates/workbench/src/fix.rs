//! Edits that change no meaning, and the making of edits.

use diag::{SourceId, Span, Suggestion};
use rules::yaml::{self, Kind, Limits, NodeId, Style, Tree};

use crate::lint::pieces::{self, File};
use crate::words::{Role, Word, words};

/// Replaces bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What it replaces.
    pub span: Span,
    /// By what.
    pub replacement: String,
    /// The code of what it mends.
    pub code: &'static str,
}

/// Applies edits to a text. Of two that overlap the first counts.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits
        .iter()
        .filter(|edit| {
            edit.span.start <= edit.span.end && text.get(edit.span.start..edit.span.end).is_some()
        })
        .collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        if edit.span.start < at {
            continue;
        }
        out.push_str(&text[at..edit.span.start]);
        out.push_str(&edit.replacement);
        at = edit.span.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The safe one among what a finding suggests.
#[must_use]
pub fn of_suggestions(code: &'static str, suggestions: &[Suggestion]) -> Option<Edit> {
    let safe = suggestions.iter().find(|one| one.safe)?;
    Some(Edit {
        span: safe.span,
        replacement: safe.replacement.clone(),
        code,
    })
}

/// The edits that mend what loading warns of: old forms of items, clauses that always hold, patterns without need.
#[must_use]
pub fn repairs(file: &File<'_>) -> Vec<Edit> {
    let Ok(tree) = yaml::parse(file.text, &Limits::default()) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    for &document in &tree.documents {
        let Kind::Sequence(items) = &tree.node(document).kind else {
            continue;
        };
        for &item in items {
            old_append(file, &tree, item, &mut edits);
            old_enabled(file, &tree, item, &mut edits);
            priority(file, &tree, item, &mut edits);
        }
    }
    for item in pieces::items(file) {
        if let Some(condition) = &item.condition {
            old_direction(file, condition, &mut edits);
            needless_regex(file, condition, &mut edits);
        }
        if let Some(output) = &item.output {
            const NOTHING: &str = "%container.info";
            for (at, _) in output.value.match_indices(NOTHING) {
                let span = output.span(file.text, at, at + NOTHING.len());
                // An output must say something.
                if output.value.trim() != NOTHING
                    && file.text.get(span.start..span.end) == Some(NOTHING)
                {
                    edits.push(Edit {
                        span,
                        replacement: String::new(),
                        code: "P0165",
                    });
                }
            }
        }
    }
    edits
}

/// The bytes to be removed so that no line is left that holds nothing, or begins further right than it did.
pub(crate) fn removal(text: &str, span: Span) -> Span {
    let line = text[..span.start].rfind('\n').map_or(0, |n| n + 1);
    let rest = &text[span.end..];
    let end_of_line = span.end + rest.find('\n').unwrap_or(rest.len());
    let first = text[line..span.start].trim().is_empty();
    let last = text[span.end..end_of_line].trim().is_empty();
    match (first, last) {
        (true, true) => Span::new(span.source, line, (end_of_line + 1).min(text.len())),
        (false, true) => {
            let kept = text[line..span.start].trim_end().len();
            Span::new(span.source, line + kept, end_of_line)
        }
        (true, false) => Span::new(
            span.source,
            span.start,
            span.end + (rest.len() - rest.trim_start().len()),
        ),
        (false, false) => span,
    }
}

fn span(file: SourceId, tree: &Tree<'_>, from: NodeId, to: NodeId) -> Span {
    Span::new(file, tree.node(from).start, tree.node(to).end)
}

fn entry(tree: &Tree<'_>, item: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
    tree.entries(item)
        .iter()
        .find(|(name, _)| tree.text(*name) == Some(key))
        .copied()
}

/// `append: true` becomes `override`, if the item has no keys that the old way ignores.
fn old_append(file: &File<'_>, tree: &Tree<'_>, item: NodeId, edits: &mut Vec<Edit>) {
    let Some((key, value)) = entry(tree, item, "append") else {
        return;
    };
    if !matches!(tree.text(value), Some("true")) {
        return;
    }
    let changed: &[&str] = match tree
        .entries(item)
        .first()
        .and_then(|(first, _)| tree.text(*first))
    {
        Some("list") => &["items"],
        Some("macro") => &["condition"],
        Some("rule") => &["condition", "exceptions"],
        _ => return,
    };
    let names: Vec<&str> = tree
        .entries(item)
        .iter()
        .filter_map(|(name, _)| tree.text(*name))
        .collect();
    let known = |name: &&&str| {
        matches!(**name, "list" | "macro" | "rule" | "append" | "source") || changed.contains(*name)
    };
    let present: Vec<&str> = changed
        .iter()
        .copied()
        .filter(|name| names.contains(name))
        .collect();
    if names.iter().filter(known).count() != names.len()
        || present.is_empty()
        || names.len() != tree.entries(item).len()
    {
        return;
    }
    let parts: Vec<String> = present
        .iter()
        .map(|name| format!("{name}: append"))
        .collect();
    edits.push(Edit {
        span: span(file.id, tree, key, value),
        replacement: format!("override: {{{}}}", parts.join(", ")),
        code: "P0162",
    });
}

/// An item that only switches says that it replaces.
fn old_enabled(file: &File<'_>, tree: &Tree<'_>, item: NodeId, edits: &mut Vec<Edit>) {
    let entries = tree.entries(item);
    let names: Vec<&str> = entries
        .iter()
        .filter_map(|(name, _)| tree.text(*name))
        .collect();
    let (["rule", "enabled"], Some((key, value))) = (&names[..], entry(tree, item, "enabled"))
    else {
        return;
    };
    let start = tree.node(key).start;
    let line = file.text[..start].rfind('\n').map_or(0, |n| n + 1);
    let indent = &file.text[line..start];
    let plain =
        matches!(&tree.node(value).kind, Kind::Scalar(scalar) if scalar.style == Style::Plain);
    if !indent.bytes().all(|b| b == b' ') || !plain || entries.len() != 2 {
        return;
    }
    let end = tree.node(value).end;
    edits.push(Edit {
        span: Span::new(file.id, end, end),
        replacement: format!("\n{indent}override: {{enabled: replace}}"),
        code: "P0163",
    });
}

/// A priority is written out.
fn priority(file: &File<'_>, tree: &Tree<'_>, item: NodeId, edits: &mut Vec<Edit>) {
    const ALL: [&str; 8] = [
        "EMERGENCY",
        "ALERT",
        "CRITICAL",
        "ERROR",
        "WARNING",
        "NOTICE",
        "INFORMATIONAL",
        "DEBUG",
    ];
    let Some((_, value)) = entry(tree, item, "priority") else {
        return;
    };
    let Kind::Scalar(scalar) = &tree.node(value).kind else {
        return;
    };
    let text = scalar.value.to_ascii_uppercase();
    if scalar.style != Style::Plain
        || ALL.contains(&text.as_str())
        || text == "INFO"
        || text.is_empty()
    {
        return;
    }
    let mut found = ALL.iter().filter(|name| name.starts_with(&text));
    // The first in order is what an old version took.
    if let Some(whole) = found.next() {
        edits.push(Edit {
            span: span(file.id, tree, value, value),
            replacement: (*whole).to_owned(),
            code: "P0181",
        });
    }
}

/// `evt.dir = <` always holds: events have no direction any more.
fn old_direction(file: &File<'_>, condition: &pieces::Written, edits: &mut Vec<Edit>) {
    let value = &condition.value;
    let all = words(value);
    let text = |word: &Word| &value[word.start..word.end];
    for (at, three) in all.windows(3).enumerate() {
        if three[0].role != Role::Field || text(&three[0]) != "evt.dir" {
            continue;
        }
        let holds = matches!(text(&three[1]), "=" | "==")
            && text(&three[2]).trim_matches(['"', '\'']) == "<";
        let before = at.checked_sub(1).map(|at| text(&all[at]));
        let behind = all.get(at + 3).map(text);
        if !holds || before == Some("not") {
            continue;
        }
        let (start, end) = match (before, behind) {
            (None | Some("("), Some("and")) => (three[0].start, all[at + 3].end),
            (Some("and"), None | Some(")" | "and" | "or")) => (all[at - 1].start, three[2].end),
            _ => continue,
        };
        let span = removal(file.text, condition.span(file.text, start, end));
        edits.push(Edit {
            span,
            replacement: String::new(),
            code: "P0164",
        });
        return;
    }
}

/// A pattern without a special character, compared as a whole, is an equality.
fn needless_regex(file: &File<'_>, condition: &pieces::Written, edits: &mut Vec<Edit>) {
    let value = &condition.value;
    let all = words(value);
    for pair in all.windows(2) {
        let (operator, pattern) = (
            &value[pair[0].start..pair[0].end],
            &value[pair[1].start..pair[1].end],
        );
        let plain = !pattern.is_empty()
            && pattern
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b':'));
        let usual = !["oneof", "anyof", "allof"].contains(&pattern);
        if pair[0].role == Role::Operator
            && operator == "regex"
            && pair[1].role == Role::Value
            && plain
            && usual
        {
            edits.push(Edit {
                span: condition.span(file.text, pair[0].start, pair[0].end),
                replacement: "=".to_owned(),
                code: "P0178",
            });
        }
    }
}
