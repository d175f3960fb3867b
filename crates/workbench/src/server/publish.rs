//! Diagnostics, the edits that mend them, and layout.

use diag::{Diagnostic, Severity, SourceId, SourceMap};
use serde_json::{Value, json};

use super::Server;
use super::documents::Document;
use crate::fix;
use crate::layout;
use crate::lint::{self, pieces::File};

/// Everything that is found in a document, with the number of its text.
fn find(
    server: &Server<'_>,
    document: &Document,
) -> (Vec<Diagnostic>, SourceMap, Option<SourceId>) {
    let (loader, outcomes) = server.load(document);
    let map = loader.sources().clone();
    let own = map
        .ids()
        .filter(|&id| map.source(id).name == document.uri)
        .last();
    let mut found: Vec<Diagnostic> = outcomes
        .iter()
        .filter(|outcome| outcome.name == document.uri)
        .flat_map(|outcome| {
            outcome
                .findings
                .iter()
                .map(|finding| finding.diagnostic.clone())
        })
        .collect();
    if outcomes.iter().all(rules::Loaded::successful) {
        let files: Vec<File<'_>> = map
            .ids()
            .map(|id| File {
                id,
                text: &map.source(id).text,
            })
            .collect();
        found.extend(lint::lint(
            &files,
            loader.rule_set(),
            &server.setting.schemas,
        ));
    }
    found.retain(|one| {
        one.primary
            .as_ref()
            .is_none_or(|label| Some(label.span.source) == own)
    });
    (found, map, own)
}

/// As the protocol has them.
pub(super) fn diagnostics(server: &Server<'_>, document: &Document) -> Value {
    let (found, map, _) = find(server, document);
    found
        .iter()
        .map(|one| render(document, &map, one))
        .collect()
}

fn render(document: &Document, map: &SourceMap, one: &Diagnostic) -> Value {
    let severity = match one.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Advice => 3,
    };
    let range = one.primary.as_ref().map_or_else(
        || document.range(0, 0),
        |label| document.range(label.span.start, label.span.end.max(label.span.start)),
    );
    let mut message = one.message.clone();
    for note in &one.notes {
        message.push('\n');
        message.push_str(note);
    }
    let related: Vec<Value> = one
        .labels
        .iter()
        .map(|label| {
            let source = map.source(label.span.source);
            let range = document.range_in(&source.text, label.span.start, label.span.end);
            let text = if label.text.is_empty() {
                "here"
            } else {
                &label.text
            };
            json!({"location": {"uri": source.name, "range": range}, "message": text})
        })
        .collect();
    json!({
        "range": range,
        "severity": severity,
        "code": one.code.id,
        "source": "peregrine",
        "message": message,
        "relatedInformation": related,
    })
}

/// Quick fixes that touch a range.
pub(super) fn actions(server: &Server<'_>, document: &Document, range: &Value) -> Value {
    let (from, to) = (
        document.offset(&range["start"]),
        document.offset(&range["end"]),
    );
    let (found, map, own) = find(server, document);
    let Some(own) = own else { return json!([]) };
    let mut all = Vec::new();
    let mut action = |title: &str, start: usize, end: usize, text: &str, safe: bool| {
        let edit = json!({"range": document.range(start, end), "newText": text});
        all.push(json!({
            "title": title,
            "kind": "quickfix",
            "isPreferred": safe,
            "edit": {"changes": {document.uri.as_str(): [edit]}},
        }));
    };
    for one in &found {
        let Some(label) = &one.primary else { continue };
        if label.span.end < from || label.span.start > to {
            continue;
        }
        for suggestion in one
            .suggestions
            .iter()
            .filter(|suggestion| suggestion.span.source == own)
        {
            action(
                &suggestion.message,
                suggestion.span.start,
                suggestion.span.end,
                &suggestion.replacement,
                suggestion.safe,
            );
        }
    }
    for edit in fix::repairs(&File {
        id: own,
        text: &document.text,
    }) {
        if edit.span.end >= from && edit.span.start <= to {
            let title = map_title(edit.code);
            action(
                title,
                edit.span.start,
                edit.span.end,
                &edit.replacement,
                true,
            );
        }
    }
    let _ = map;
    Value::Array(all)
}

/// What an edit for a code does.
fn map_title(code: &str) -> &'static str {
    match code {
        "P0162" => "write `override` for `append: true`",
        "P0163" => "say that it replaces",
        "P0164" => "remove the clause that always holds",
        "P0165" => "remove %container.info",
        "P0178" => "compare with `=`",
        _ => "write it out",
    }
}

/// The edit that lays a document out.
pub(super) fn format(document: &Document) -> Result<Value, String> {
    let out = layout::format(&document.text).map_err(|refusal| refusal.to_string())?;
    if out == document.text {
        return Ok(json!([]));
    }
    Ok(json!([{"range": document.range(0, document.text.len()), "newText": out}]))
}
