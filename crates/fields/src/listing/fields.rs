//! Listings of fields.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Form, pretty};
use crate::Catalogue;
use crate::catalogue::{Arg, Class, Flags, ROWS, Row};

/// Column in which descriptions begin.
const COLUMN: usize = 30;
/// Columns of a line.
const WIDTH: usize = 120;
/// Event source of all these fields.
const SOURCE: &str = "syscall";

fn listed(class: Class) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |r| r.class == class && r.listed())
}

fn classes() -> impl Iterator<Item = Class> {
    Class::ALL
        .into_iter()
        .filter(|&class| listed(class).next().is_some())
}

/// Words that say what is special about a field.
fn tags(row: &Row) -> Vec<&'static str> {
    let mut tags = Vec::new();
    let optional = row.arg.optional() && row.arg != Arg::None;
    // The path's side is an argument to us; the original wants it said that there is one.
    if row.arg == Arg::PathSide || (row.arg != Arg::None && !optional) {
        tags.push("ARG_REQUIRED");
    } else if optional {
        tags.push("ARG_ALLOWED");
    }
    for (flag, tag) in [
        (Flags::LIST, "EPF_IS_LIST"),
        (Flags::NO_RHS, "EPF_NO_RHS"),
        (Flags::NO_TRANSFORMER, "EPF_NO_TRANSFORMER"),
        (Flags::FILTER_ONLY, "FILTER_ONLY"),
    ] {
        if row.flags.has(flag) {
            tags.push(tag);
        }
    }
    tags.sort_unstable();
    tags
}

/// Writes words in the right column, as many a line as fit with a blank behind each.
fn wrapped(text: &str, out: &mut String) {
    let mut used = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count() + 1;
        if used + width > WIDTH - COLUMN {
            let _ = write!(out, "\n{:COLUMN$}", "");
            used = 0;
        }
        used += width;
        out.push_str(word);
        out.push(' ');
    }
}

fn entry(name: &str, text: &str, out: &mut String) {
    let _ = write!(out, "{name:COLUMN$}");
    if name.len() >= COLUMN {
        let _ = write!(out, "\n{:COLUMN$}", "");
    }
    wrapped(text, out);
    out.push('\n');
}

fn head(name: &str, class: Class, out: &mut String) {
    out.push_str("-------------------------------\n");
    let _ = write!(out, "{:COLUMN$}{name}", "Field Class:");
    if let Some(qualifier) = class.qualifier() {
        let _ = write!(out, " ({qualifier})");
    }
    out.push('\n');
    entry("Description:", class.description(), out);
    entry("Event Sources:", SOURCE, out);
    out.push('\n');
}

pub(super) fn text(catalogue: &Catalogue) -> String {
    let mut out = String::new();
    for class in classes() {
        head(class.name(), class, &mut out);
        for row in listed(class) {
            let tags = tags(row);
            if tags.is_empty() {
                entry(row.name, row.text, &mut out);
            } else {
                entry(
                    row.name,
                    &format!("({}) {}", tags.join(","), row.text),
                    &mut out,
                );
            }
        }
        out.push('\n');
    }
    if !catalogue.statics().is_empty() {
        head(Class::Static.name(), Class::Static, &mut out);
        for (name, value) in catalogue.statics() {
            entry(name, &static_text(value), &mut out);
        }
        out.push('\n');
    }
    out
}

fn static_text(value: &str) -> String {
    format!("Constant of the configuration: '{value}'.")
}

fn type_name(row: &Row) -> String {
    match row.flags.has(Flags::LIST) {
        true => format!("LIST({})", row.ty.name()),
        false => row.ty.name().to_owned(),
    }
}

pub(super) fn markdown(catalogue: &Catalogue) -> String {
    let mut out = String::new();
    let head = |class: Class, out: &mut String| {
        let _ = write!(
            out,
            "## Field Class: {}\n\n{}\n\nEvent Sources: {SOURCE} \n\nName | Type | Description\n\
             :----|:-----|:-----------\n",
            class.name(),
            class.description()
        );
    };
    for class in classes() {
        head(class, &mut out);
        for row in listed(class) {
            let _ = writeln!(out, "`{}` | {} | {}", row.name, type_name(row), row.text);
        }
        out.push('\n');
    }
    if !catalogue.statics().is_empty() {
        head(Class::Static, &mut out);
        for (name, value) in catalogue.statics() {
            let _ = writeln!(out, "`{name}` | CHARBUF | {}", static_text(value));
        }
        out.push('\n');
    }
    out
}

/// What the argument may be; the original says it for fields of plugins only.
fn argument(row: &Row) -> Value {
    if row.arg == Arg::None {
        return Value::Null;
    }
    let kinds: &[&str] = match (row.class, row.arg) {
        (Class::Container, Arg::EitherRequired | Arg::Either) => &["INDEX", "KEY"],
        (Class::Container, _) => &["KEY"],
        _ => &[],
    };
    json!({ "required": tags(row).contains(&"ARG_REQUIRED"), "type": kinds })
}

pub(super) fn json(catalogue: &Catalogue) -> String {
    let class = |class: Class, fields: Vec<Value>| {
        json!({
            "name": class.name(),
            "desc": class.description(),
            "event_sources": [SOURCE],
            "fields": fields,
        })
    };
    let mut all: Vec<Value> = classes()
        .map(|c| {
            let fields = listed(c).map(|row| {
                json!({
                    "name": row.name,
                    "type": row.ty.name(),
                    "desc": row.text,
                    "is_list": row.flags.has(Flags::LIST),
                    "argument": argument(row),
                })
            });
            class(c, fields.collect())
        })
        .collect();
    if !catalogue.statics().is_empty() {
        let fields = catalogue.statics().iter().map(|(name, value)| {
            json!({
                "name": name,
                "type": "CHARBUF",
                "desc": static_text(value),
                "is_list": false,
                "argument": null,
            })
        });
        all.push(class(Class::Static, fields.collect()));
    }
    pretty(&json!({ "fieldclasses": all }))
}

pub(super) fn names(catalogue: &Catalogue, form: Form) -> String {
    let rows = classes().flat_map(listed).map(|r| r.name);
    let names: Vec<&str> = rows
        .chain(catalogue.statics().iter().map(|s| s.0.as_str()))
        .collect();
    match form {
        Form::Json => pretty(&json!({ "fieldnames": names })),
        Form::Text | Form::Markdown => names.iter().fold(String::new(), |mut out, name| {
            out.push_str(name);
            out.push('\n');
            out
        }),
    }
}
