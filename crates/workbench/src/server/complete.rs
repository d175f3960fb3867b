//! What may come next where somebody writes.
//!
//! A text in which somebody writes is seldom well-formed, so nothing is parsed: the key that is being filled is found by
//! indentation, and what stands behind it, up to the cursor, tells what may follow.

use event::EVENTS;
use filter::{Function, Operator};
use rules::stateful::definition::SHORTHANDS;
use serde_json::{Value, json};

use super::Server;
use super::documents::Document;
use super::symbols;
use crate::lint::pieces::Thing;
use crate::words::{Expected, Role, expected, words};

/// Kinds of the protocol.
const FIELD: u8 = 5;
const FUNCTION: u8 = 3;
const VALUE: u8 = 12;
const KEYWORD: u8 = 14;
const LIST: u8 = 18;
const MACRO: u8 = 21;

/// Keys of items, and what they are for.
const KEYS: [(&str, &str); 33] = [
    ("rule", "a condition with an output"),
    ("macro", "a condition that has a name"),
    ("list", "values that have a name"),
    ("condition", "when it holds"),
    ("output", "what an alert says"),
    ("desc", "what it is for"),
    ("priority", "how urgent it is"),
    ("tags", "words to select it by"),
    ("source", "the source of events; syscall if left out"),
    ("enabled", "whether it is on"),
    ("exceptions", "what is let through, by name"),
    ("items", "the values of a list"),
    ("override", "which keys are appended to or replaced"),
    ("warn_evttypes", "whether to warn of too many event types"),
    (
        "skip-if-unknown-filter",
        "whether to leave it out where a field is unknown",
    ),
    ("capture", "whether a match starts a capture"),
    ("capture_duration", "milliseconds of that capture"),
    ("capture_before", "milliseconds from before the match"),
    ("tests", "tests of the rule"),
    ("sequence", "events in order"),
    ("threshold", "many events in a window"),
    ("first_seen", "values that were not there before"),
    ("steps", "the events of a sequence"),
    ("step", "the name of an event of a sequence"),
    ("until", "what ends the waiting of a sequence"),
    ("within", "a span of time, such as 5m"),
    ("by", "fields in which events that belong together agree"),
    ("at_least", "how much a threshold must reach"),
    ("distinct", "the field whose different values count"),
    ("sum", "the field that is summed up"),
    ("per", "fields of a group that learns for itself"),
    ("learn", "how long a group learns, such as 7d"),
    ("required_engine_version", "the engine that the file needs"),
];

const PRIORITIES: [&str; 8] = [
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFORMATIONAL",
    "DEBUG",
];

/// A key's value up to the cursor.
struct Place<'t> {
    key: &'t str,
    value: &'t str,
}

/// The list of what may stand at a byte.
pub(super) fn at(server: &Server<'_>, document: &Document, at: usize) -> Value {
    let mut found = Vec::new();
    let before = &document.text[..at];
    match place(before) {
        None => {
            for (key, text) in KEYS {
                push(&mut found, key, KEYWORD, text, Some(format!("{key}: ")));
            }
        }
        Some(Place {
            key: "condition" | "until",
            value,
        }) => condition(server, document, value, &mut found),
        Some(Place {
            key: "output",
            value,
        }) => {
            let word = value.rsplit([' ', '(', ',']).next().unwrap_or_default();
            if word.contains('%') {
                fields(server, &mut found);
            }
        }
        Some(Place {
            key: "items" | "values",
            ..
        }) => lists(server, &mut found),
        Some(Place {
            key: "by" | "per", ..
        }) => {
            for (word, of) in SHORTHANDS {
                push(&mut found, word, KEYWORD, &of.join(", "), None);
            }
            fields(server, &mut found);
        }
        Some(Place {
            key: "fields" | "distinct" | "sum",
            ..
        }) => fields(server, &mut found),
        Some(Place {
            key: "priority", ..
        }) => {
            PRIORITIES
                .iter()
                .for_each(|name| push(&mut found, name, VALUE, "priority", None));
        }
        Some(Place {
            key: "enabled" | "capture" | "warn_evttypes" | "skip-if-unknown-filter",
            ..
        }) => {
            ["true", "false"]
                .iter()
                .for_each(|name| push(&mut found, name, VALUE, "", None));
        }
        Some(Place { key: "source", .. }) => {
            server
                .setting
                .schemas
                .iter()
                .for_each(|(name, _)| push(&mut found, name, VALUE, "event source", None));
        }
        Some(_) => {}
    }
    json!({"isIncomplete": false, "items": found})
}

/// The key that the end of a text belongs to, and what of its value is written.
fn place(before: &str) -> Option<Place<'_>> {
    let line = before.rfind('\n').map_or(0, |n| n + 1);
    let own = indent(&before[line..]);
    if let Some(place) = key_of(before, line) {
        return Some(place);
    }
    // A line of a longer value lies further right than its key.
    let mut start = line;
    while start > 0 {
        let above = before[..start - 1].rfind('\n').map_or(0, |n| n + 1);
        let text = &before[above..start];
        start = above;
        if text.trim().is_empty() {
            continue;
        }
        let width = indent(text);
        let is_element = text.trim_start().starts_with("- ")
            && key_of(&before[..start + text.trim_end().len()], start).is_none();
        if width < own && !is_element {
            return key_of(before, start);
        }
        // A list may lie right below its key.
        if width == own
            && before[line..].trim_start().starts_with('-')
            && !text.trim_start().starts_with('-')
        {
            return key_of(before, start);
        }
    }
    None
}

/// The key in the line that begins at a byte; a dash before it counts as indentation.
fn key_of(before: &str, start: usize) -> Option<Place<'_>> {
    let end = before[start..]
        .find('\n')
        .map_or(before.len(), |n| start + n);
    let line = &before[start..end];
    let text = line.trim_start_matches([' ', '-']);
    let (key, _) = text.split_once(':')?;
    let known = KEYS.iter().any(|(name, _)| *name == key)
        || matches!(key, "fields" | "values" | "comps" | "name" | "append");
    let value = &before[start + (line.len() - text.len()) + key.len() + 1..];
    known.then_some(Place { key, value })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn condition(server: &Server<'_>, document: &Document, value: &str, found: &mut Vec<Value>) {
    let value = value.trim_start();
    let value = match value.strip_prefix(['>', '|']) {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => value.trim_start_matches(['"', '\'']),
    };
    // The word that is being written is not there yet.
    let cut = value
        .rfind(|c: char| {
            !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '/' | '-'))
        })
        .map_or(0, |at| {
            at + value[at..].chars().next().map_or(1, char::len_utf8)
        });
    let head = &value[..cut];
    match expected(head) {
        Expected::Check => {
            macros(server, document, found);
            fields(server, found);
            Function::LEFT
                .iter()
                .for_each(|one| push(found, one.text(), FUNCTION, "transformer", None));
            push(found, "not", KEYWORD, "", None);
        }
        Expected::Argument => fields(server, found),
        Expected::Operator => {
            // `==` is `=` once more.
            let all = Operator::ALL.iter();
            all.filter(|one| **one != Operator::DoubleEqual)
                .for_each(|one| push(found, one.text(), KEYWORD, "operator", None));
        }
        Expected::Joint => {
            ["and", "or"]
                .iter()
                .for_each(|name| push(found, name, KEYWORD, "", None));
        }
        kind @ (Expected::Value | Expected::Items) => {
            let all = words(head);
            let field = all
                .iter()
                .rev()
                .find(|word| word.role == Role::Field)
                .map(|word| &head[word.start..word.end]);
            if matches!(field, Some("evt.type" | "syscall.type")) {
                let mut names: Vec<&str> = EVENTS
                    .iter()
                    .filter(|info| info.code & 1 == 1 && info.name != "NA")
                    .map(|info| info.name)
                    .collect();
                names.sort_unstable();
                names.dedup();
                names
                    .into_iter()
                    .for_each(|name| push(found, name, VALUE, "type of event", None));
            }
            if kind == Expected::Items {
                lists(server, found);
            } else {
                ["anyof", "oneof", "allof"].iter().for_each(|name| {
                    push(
                        found,
                        name,
                        KEYWORD,
                        "any, one or all of several values",
                        None,
                    );
                });
            }
        }
    }
}

fn fields(server: &Server<'_>, found: &mut Vec<Value>) {
    let mut seen = std::collections::BTreeSet::new();
    for (source, schema) in &server.setting.schemas {
        for name in schema.names() {
            if seen.insert(name.to_owned()) {
                push(found, name, FIELD, &format!("field of {source}"), None);
            }
        }
    }
}

fn named(server: &Server<'_>, thing: Thing) -> std::collections::BTreeMap<String, String> {
    let mut all = std::collections::BTreeMap::new();
    for text in server.everything().values() {
        for item in symbols::items(text)
            .into_iter()
            .filter(|item| item.thing == thing)
        {
            let detail = match thing {
                Thing::List => {
                    let values: Vec<&str> = item
                        .items
                        .iter()
                        .take(6)
                        .map(|(value, _)| value.as_str())
                        .collect();
                    values.join(", ")
                }
                _ => item
                    .condition
                    .as_ref()
                    .map_or_else(String::new, |condition| {
                        crate::words::joined(&condition.value)
                            .chars()
                            .take(80)
                            .collect()
                    }),
            };
            all.entry(item.name).or_insert(detail);
        }
    }
    all
}

fn macros(server: &Server<'_>, _document: &Document, found: &mut Vec<Value>) {
    named(server, Thing::Macro)
        .iter()
        .for_each(|(name, detail)| push(found, name, MACRO, detail, None));
}

fn lists(server: &Server<'_>, found: &mut Vec<Value>) {
    named(server, Thing::List)
        .iter()
        .for_each(|(name, detail)| push(found, name, LIST, detail, None));
}

fn push(found: &mut Vec<Value>, label: &str, kind: u8, detail: &str, insert: Option<String>) {
    let mut item = json!({"label": label, "kind": kind});
    if !detail.is_empty() {
        item["detail"] = json!(detail);
    }
    if let Some(insert) = insert {
        item["insertText"] = json!(insert);
    }
    found.push(item);
}

#[cfg(test)]
mod tests {
    use super::place;

    fn key(text: &str) -> Option<(&str, &str)> {
        place(text).map(|place| (place.key, place.value.trim()))
    }

    #[test]
    fn the_key_that_is_filled() {
        assert_eq!(
            key("- rule: x\n  condition: spawned and pr"),
            Some(("condition", "spawned and pr"))
        );
        assert_eq!(
            key("- rule: x\n  condition: >\n    spawned\n    and "),
            Some(("condition", ">\n    spawned\n    and"))
        );
        assert_eq!(key("- rule: x\n  condition: a\n  "), None);
        assert_eq!(key("- list: x\n  items: [a, "), Some(("items", "[a,")));
        assert_eq!(
            key("- list: x\n  items:\n    - a\n    - "),
            Some(("items", "- a\n    -"))
        );
        assert_eq!(
            key("- rule: x\n  output: a %pro"),
            Some(("output", "a %pro"))
        );
        assert_eq!(key(""), None);
    }
}
