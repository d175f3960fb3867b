//! What stands somewhere, in words.

use fields::catalogue::Id;
use filter::Schema;
use rules::RuleSet;
use serde_json::{Value, json};

use super::Server;
use super::documents::Document;
use super::symbols;
use crate::lint::pieces::Thing;
use crate::words::{Role, joined, words};

/// What is shown of what stands at a byte.
pub(super) fn hover(server: &Server<'_>, document: &Document, at: usize) -> Value {
    if let Some((text, start, end)) = field_at(server, document, at) {
        return shown(document, &text, start, end);
    }
    let Some(found) = symbols::name_at(server, document, at) else {
        return Value::Null;
    };
    let (loader, _) = server.load(document);
    let set = loader.rule_set();
    let text = match found.name.thing {
        Thing::Macro => of_macro(set, &found.name.text),
        Thing::List => of_list(set, &found.name.text),
        Thing::Rule => of_rule(set, &found.name.text),
    };
    match text {
        Some(text) => shown(document, &text, found.start, found.end),
        None => Value::Null,
    }
}

fn shown(document: &Document, text: &str, start: usize, end: usize) -> Value {
    json!({"contents": {"kind": "markdown", "value": text}, "range": document.range(start, end)})
}

/// A field in a condition or an output.
fn field_at(server: &Server<'_>, document: &Document, at: usize) -> Option<(String, usize, usize)> {
    let text = &document.text;
    let item = symbols::items(text)
        .into_iter()
        .find(|item| (item.span.start..=item.span.end).contains(&at))?;
    for condition in item.condition.iter().chain(&item.steps) {
        let Some(offset) = condition.offset_of(text, at) else {
            continue;
        };
        let word = words(&condition.value)
            .into_iter()
            .find(|word| word.role == Role::Field && (word.start..=word.end).contains(&offset))?;
        let span = condition.span(text, word.start, word.end);
        return Some((
            describe(server, &condition.value[word.start..word.end])?,
            span.start,
            span.end,
        ));
    }
    let output = item.output.as_ref()?;
    let offset = output.offset_of(text, at)?;
    let percent = output.value[..offset.min(output.value.len())].rfind('%')?;
    let rest = &output.value[percent + 1..];
    let length = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '[' | ']')))
        .unwrap_or(rest.len());
    let name = rest[..length].trim_end_matches('.');
    let (start, end) = (percent, percent + 1 + name.len());
    if offset > end {
        return None;
    }
    let span = output.span(text, start, end);
    Some((describe(server, name)?, span.start, span.end))
}

fn describe(server: &Server<'_>, name: &str) -> Option<String> {
    let (source, def) =
        server
            .setting
            .schemas
            .iter()
            .find_map(|(source, schema): &(&str, &dyn Schema)| {
                Some((*source, schema.resolve(name).ok()?))
            })?;
    let list = if def.list { ", a list" } else { "" };
    let mut text = format!("**{name}** — {}{list}, of {source} events", def.ty.name());
    if let Some(row) = Id::from_number(def.field.id)
        .map(Id::row)
        .filter(|_| source == "syscall")
    {
        text.push_str("\n\n");
        text.push_str(row.text);
    }
    if def.filter_only {
        text.push_str("\n\nIt can be compared, but has no text in outputs.");
    }
    if def.deprecated {
        text.push_str("\n\nIt is deprecated.");
    }
    Some(text)
}

fn of_macro(set: &RuleSet, name: &str) -> Option<String> {
    let one = set.macros.iter().find(|one| one.name == name)?;
    Some(format!(
        "macro **{name}**\n\n```\n{}\n```",
        joined(&one.condition)
    ))
}

fn of_list(set: &RuleSet, name: &str) -> Option<String> {
    const MOST: usize = 60;
    let one = set.lists.iter().find(|one| one.name == name)?;
    let more = if one.items.len() > MOST {
        format!(", ... {} in all", one.items.len())
    } else {
        String::new()
    };
    let items: Vec<&str> = one.items.iter().take(MOST).map(String::as_str).collect();
    Some(format!(
        "list **{name}**\n\n```\n{}{more}\n```",
        items.join(", ")
    ))
}

fn of_rule(set: &RuleSet, name: &str) -> Option<String> {
    let rule = set.rules.iter().find(|rule| rule.name == name)?;
    let state = if rule.enabled { "enabled" } else { "disabled" };
    Some(format!(
        "rule **{name}** — {}, {state}, source {}\n\n{}\n\n```\n{}\n```",
        rule.priority.name(),
        rule.source,
        rule.description,
        joined(&rule.condition)
    ))
}
