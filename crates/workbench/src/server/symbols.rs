//! Where names are defined, and where they are used.

use diag::{SourceId, SourceMap};
use rules::yaml::{self, Kind, Limits, NodeId, Tree};
use serde_json::{Value, json};

use super::Server;
use super::documents::Document;
use crate::lint::pieces::{self, File, Item, Thing};
use crate::words::{Role, words};

/// A name that can be defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) thing: Thing,
    pub(super) text: String,
}

/// A place where a name stands.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) name: Name,
    pub(super) start: usize,
    pub(super) end: usize,
    /// It is the name of an item that defines it.
    pub(super) defines: bool,
}

/// The number that a text has while it is looked at alone.
fn alone() -> SourceId {
    SourceMap::new().add("", "")
}

/// The items of a text.
pub(super) fn items(text: &str) -> Vec<Item> {
    pieces::items(&File { id: alone(), text })
}

/// Everything in a text that is the name of something, or may be.
pub(super) fn uses(text: &str) -> Vec<Use> {
    let mut all = Vec::new();
    for item in items(text) {
        let (start, end) = (item.name_span.start, item.name_span.end);
        all.push(Use {
            name: Name {
                thing: item.thing,
                text: item.name.clone(),
            },
            start,
            end,
            defines: !item.changes,
        });
        if let Some(condition) = &item.condition {
            for word in words(&condition.value) {
                let thing = match word.role {
                    Role::Macro => Thing::Macro,
                    Role::Item => Thing::List,
                    _ => continue,
                };
                let span = condition.span(text, word.start, word.end);
                let name = Name {
                    thing,
                    text: condition.value[word.start..word.end].to_owned(),
                };
                all.push(Use {
                    name,
                    start: span.start,
                    end: span.end,
                    defines: false,
                });
            }
        }
        for (value, span) in item.items {
            let name = Name {
                thing: Thing::List,
                text: value,
            };
            all.push(Use {
                name,
                start: span.start,
                end: span.end,
                defines: false,
            });
        }
    }
    exceptions(text, &mut all);
    all
}

/// Names of lists among the values of exceptions.
fn exceptions(text: &str, all: &mut Vec<Use>) {
    let Ok(tree) = yaml::parse(text, &Limits::default()) else {
        return;
    };
    let mut open: Vec<(NodeId, bool)> = tree.documents.iter().map(|&id| (id, false)).collect();
    let mut seen = 0;
    while let Some((id, inside)) = open.pop() {
        seen += 1;
        if seen > 1_000_000 {
            return;
        }
        match &tree.node(id).kind {
            Kind::Sequence(children) => open.extend(children.iter().map(|&child| (child, inside))),
            Kind::Mapping(entries) => {
                for &(key, value) in entries {
                    let values = tree.text(key) == Some("values");
                    let deeper = matches!(tree.text(key), Some("exceptions"));
                    if values || deeper || inside {
                        open.push((value, values));
                    }
                }
            }
            Kind::Scalar(_) if inside => push_value(text, &tree, id, all),
            _ => {}
        }
    }
}

fn push_value(text: &str, tree: &Tree<'_>, id: NodeId, all: &mut Vec<Use>) {
    let node = tree.node(id);
    let Some(raw) = text.get(node.start..node.end) else {
        return;
    };
    // `name` or `(name)`, in quotes or not.
    let name = raw.trim_matches(['"', '\'', '(', ')', ' ']);
    if let Some(at) = raw.find(name).filter(|_| !name.is_empty()) {
        let start = node.start + at;
        let name_of = Name {
            thing: Thing::List,
            text: name.to_owned(),
        };
        all.push(Use {
            name: name_of,
            start,
            end: start + name.len(),
            defines: false,
        });
    }
}

/// The name at a byte. A word that no list has is no name.
pub(super) fn name_at(server: &Server<'_>, document: &Document, at: usize) -> Option<Use> {
    let found = uses(&document.text)
        .into_iter()
        .find(|one| (one.start..=one.end).contains(&at))?;
    let known = found.defines
        || server
            .everything()
            .values()
            .any(|text| items(text).iter().any(|item| is(item, &found.name)));
    known.then_some(found)
}

fn is(item: &Item, name: &Name) -> bool {
    item.thing == name.thing && item.name == name.text
}

/// Where the name at a byte is defined.
pub(super) fn definition(server: &Server<'_>, document: &Document, at: usize) -> Value {
    let Some(found) = name_at(server, document, at) else {
        return Value::Null;
    };
    places(server, document, &found.name, |one| one.defines)
}

/// Where it is used, and defined.
pub(super) fn references(server: &Server<'_>, document: &Document, at: usize) -> Value {
    let Some(found) = name_at(server, document, at) else {
        return Value::Null;
    };
    places(server, document, &found.name, |_| true)
}

fn places(
    server: &Server<'_>,
    document: &Document,
    name: &Name,
    wanted: impl Fn(&Use) -> bool,
) -> Value {
    let mut all = Vec::new();
    for (uri, text) in server.everything() {
        for one in uses(text)
            .into_iter()
            .filter(|one| one.name == *name && wanted(one))
        {
            all.push(json!({"uri": uri, "range": document.range_in(text, one.start, one.end)}));
        }
    }
    Value::Array(all)
}

/// The name that would be renamed, and its bytes.
pub(super) fn renamed(
    server: &Server<'_>,
    document: &Document,
    at: usize,
) -> Result<(Name, (usize, usize)), String> {
    match name_at(server, document, at) {
        Some(found) => Ok((found.name, (found.start, found.end))),
        None => Err("only rules, macros and lists can be renamed".to_owned()),
    }
}

/// Edits of all files that rename what stands at a byte.
pub(super) fn rename(
    server: &Server<'_>,
    document: &Document,
    at: usize,
    new: &str,
) -> Result<Value, String> {
    let (name, _) = renamed(server, document, at)?;
    let word = !new.is_empty()
        && new.starts_with(|c: char| c.is_ascii_alphabetic())
        && new
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let fits = match name.thing {
        Thing::Rule => !new.trim().is_empty() && !new.contains(['\n', '\r']),
        Thing::Macro => word && !new.contains('-') && !matches!(new, "and" | "or" | "not"),
        Thing::List => word,
    };
    if !fits {
        return Err(format!(
            "`{new}` cannot be such a name: it has letters, digits and underscores, and begins with a letter"
        ));
    }
    let taken = server.everything().values().any(|text| {
        items(text)
            .iter()
            .any(|item| item.thing == name.thing && item.name == new)
    });
    if taken {
        return Err(format!("`{new}` exists already"));
    }
    let mut changes = serde_json::Map::new();
    for (uri, text) in server.everything() {
        let edits: Vec<Value> = uses(text)
            .into_iter()
            .filter(|one| one.name == name)
            .map(|one| {
                let quoted = text[one.start..].starts_with(['"', '\'']);
                let plain = name.thing != Thing::Rule || !new.contains([':', '#', '"', '\'']);
                let shown = if quoted || !plain {
                    format!("\"{}\"", new.replace('\\', "\\\\").replace('"', "\\\""))
                } else {
                    new.to_owned()
                };
                json!({"range": document.range_in(text, one.start, one.end), "newText": shown})
            })
            .collect();
        if !edits.is_empty() {
            changes.insert(uri.to_owned(), Value::Array(edits));
        }
    }
    Ok(json!({ "changes": changes }))
}

/// The items of a document.
pub(super) fn outline(document: &Document) -> Value {
    let symbol = |item: Item| {
        // Kinds of the protocol: array, function, event.
        let (kind, detail) = match item.thing {
            Thing::List => (18, "list"),
            Thing::Macro => (12, "macro"),
            Thing::Rule => (24, "rule"),
        };
        json!({
            "name": item.name,
            "detail": detail,
            "kind": kind,
            "range": document.range(item.span.start, item.span.end),
            "selectionRange": document.range(item.name_span.start, item.name_span.end),
        })
    };
    items(&document.text).into_iter().map(symbol).collect()
}
