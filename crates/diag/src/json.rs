//! Findings as JSON, for editors and build servers.

use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::source::{SourceMap, Span};

/// One finding as an object: `code`, `falco_code`, `severity`, `message`, `primary`, `labels`,
/// `notes`, `suggestions`. Lines and columns count from 1, offsets are bytes from 0.
#[must_use]
pub fn render(sources: &SourceMap, diagnostic: &Diagnostic) -> Value {
    let label = |l: &crate::diagnostic::Label| {
        let mut value = span(sources, l.span);
        value["label"] = json!(l.text);
        value
    };
    json!({
        "code": diagnostic.code.id,
        "title": diagnostic.code.title,
        "falco_code": diagnostic.falco_code,
        "severity": diagnostic.severity.name(),
        "message": diagnostic.message,
        "primary": diagnostic.primary.as_ref().map(label),
        "labels": diagnostic.labels.iter().map(label).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "suggestions": diagnostic.suggestions.iter().map(|s| {
            let mut value = span(sources, s.span);
            value["message"] = json!(s.message);
            value["replacement"] = json!(s.replacement);
            value["safe"] = json!(s.safe);
            value
        }).collect::<Vec<_>>(),
    })
}

fn span(sources: &SourceMap, span: Span) -> Value {
    let source = sources.source(span.source);
    let (start, end) = (source.place(span.start), source.place(span.end));
    json!({
        "file": source.name,
        "start": { "line": start.line, "column": start.column, "offset": span.start },
        "end": { "line": end.line, "column": end.column, "offset": span.end },
    })
}
