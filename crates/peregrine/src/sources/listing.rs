//! Listings of sources beside system calls: their fields, and the plugins.

use std::fmt::Write;

use anyhow::{Context as _, Result};
use fields::Catalogue;
use fields::catalogue::row::{Class, Flags};
use fields::catalogue::{ROWS, Row};
use fields::listing::{self, Form};
use serde_json::{Value, json};

use super::{Plugins, SYSCALL, Sources};

/// Column in which descriptions begin, and columns of a line.
const COLUMN: usize = 30;
const WIDTH: usize = 120;

/// A class of fields.
struct FieldClass {
    name: String,
    text: String,
    sources: Vec<String>,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: &'static str,
    list: bool,
    text: String,
    required: bool,
    /// What may follow it: INDEX, KEY.
    takes: Vec<&'static str>,
}

/// Who a listing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// What reads Falco's listings.
    Falco,
    /// Who writes rules for this program: fields that are ours alone are shown as well.
    Person,
}

/// The fields of a source, or of all, in a form.
pub(crate) fn fields(
    catalogue: &Catalogue,
    sources: &Sources,
    source: Option<&str>,
    form: Form,
    names_only: bool,
    reader: Reader,
) -> String {
    let syscall = source.is_none_or(|source| source == SYSCALL);
    let mut classes = Vec::new();
    if !syscall {
        classes.push(generic(source.unwrap_or_default()));
    }
    if source == Some(audit::SOURCE) || (source.is_none() && sources.has(audit::SOURCE)) {
        classes.push(audit_events());
    }
    if syscall && reader == Reader::Person {
        classes.push(own());
    }
    if syscall && sources.has(audit::SOURCE) {
        classes.push(sessions());
    }
    for plugin in sources.plugins().configured() {
        let fitting = sources
            .names()
            .filter(|name| plugin.info.extracts_from(name));
        let fitting: Vec<String> = fitting.map(str::to_owned).collect();
        let shown = source.is_none_or(|source| fitting.iter().any(|name| name == source));
        if shown && !plugin.info.fields.is_empty() {
            classes.push(of_plugin(&plugin.info, fitting));
        }
    }
    let base = |text: String| if syscall { text } else { String::new() };
    if names_only {
        let names = classes
            .iter()
            .flat_map(|class| &class.fields)
            .map(|field| field.name.as_str());
        if form == Form::Json {
            let mut all = document(
                syscall.then(|| listing::field_names(catalogue, form)),
                "fieldnames",
            );
            if let Some(list) = all["fieldnames"].as_array_mut() {
                list.extend(names.map(Value::from));
            }
            return pretty(&all);
        }
        let mut out = base(listing::field_names(catalogue, form));
        names.for_each(|name| {
            let _ = writeln!(out, "{name}");
        });
        return out;
    }
    match form {
        Form::Json => {
            let mut all = document(
                syscall.then(|| listing::fields(catalogue, form)),
                "fieldclasses",
            );
            if let Some(list) = all["fieldclasses"].as_array_mut() {
                list.extend(classes.iter().map(FieldClass::json));
            }
            pretty(&all)
        }
        Form::Text => {
            let mut out = base(listing::fields(catalogue, form));
            classes.iter().for_each(|class| class.text(&mut out));
            out
        }
        Form::Markdown => {
            let mut out = base(listing::fields(catalogue, form));
            classes.iter().for_each(|class| class.markdown(&mut out));
            out
        }
    }
}

fn document(text: Option<String>, key: &str) -> Value {
    let parsed = text.and_then(|text| serde_json::from_str(&text).ok());
    parsed.unwrap_or_else(|| json!({ key: [] }))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// What Falco has not.
fn own() -> FieldClass {
    let rows = ROWS.iter().filter(|row| row.flags.has(Flags::OWN));
    FieldClass {
        name: "peregrine".to_owned(),
        text: "Fields of system call events that are ours alone: Falco does not know them."
            .to_owned(),
        sources: vec![SYSCALL.to_owned()],
        fields: rows.map(of_row).collect(),
    }
}

fn of_row(row: &Row) -> Field {
    Field {
        name: row.name.to_owned(),
        kind: row.ty.name(),
        list: false,
        text: row.text.to_owned(),
        required: !row.arg.optional(),
        takes: Vec::new(),
    }
}

/// What every event has.
fn generic(source: &str) -> FieldClass {
    let rows = ROWS
        .iter()
        .filter(|row: &&Row| row.class == Class::Generic && row.listed());
    FieldClass {
        name: Class::Generic.name().to_owned(),
        text: Class::Generic.description().to_owned(),
        sources: vec![source.to_owned()],
        fields: rows.map(of_row).collect(),
    }
}

fn audit_events() -> FieldClass {
    use audit::catalogue::{ROWS, Takes};
    let rows = ROWS.iter().filter(|row| !row.deprecated);
    FieldClass {
        name: "k8s_audit".to_owned(),
        text: "Kubernetes audit events: what was asked of the API server, by whom, and how it answered.".to_owned(),
        sources: vec![audit::SOURCE.to_owned()],
        fields: rows
            .map(|row| Field {
                name: row.name.to_owned(),
                kind: "CHARBUF",
                list: row.list,
                text: row.text.to_owned(),
                required: row.takes == Takes::Key,
                takes: match row.takes {
                    Takes::Nothing => Vec::new(),
                    Takes::Index => vec!["INDEX"],
                    Takes::Key => vec!["KEY"],
                },
            })
            .collect(),
    }
}

/// What audit events say about the events of system calls.
fn sessions() -> FieldClass {
    let field = |name: &str, list, text: &str| Field {
        name: name.to_owned(),
        kind: "CHARBUF",
        list,
        text: text.to_owned(),
        required: false,
        takes: Vec::new(),
    };
    FieldClass {
        name: "k8s_user".to_owned(),
        text: "Who works in a pod by way of the API server: known where audit events are taken beside system calls."
            .to_owned(),
        sources: vec![SYSCALL.to_owned()],
        fields: vec![
            field(
                "k8s.user.name",
                false,
                "User whose request to exec or attach the process goes back to.",
            ),
            field("k8s.user.groups", true, "That user's groups."),
        ],
    }
}

fn of_plugin(info: &plugins::Info, sources: Vec<String>) -> FieldClass {
    let kind = |ftype| match ftype {
        8 => "UINT64",
        20 => "RELTIME",
        21 => "ABSTIME",
        25 => "BOOL",
        40 => "IPADDR",
        41 => "IPNET",
        _ => "CHARBUF",
    };
    let fields = info.fields.iter().filter(|field| !field.hidden);
    FieldClass {
        name: info.name.clone(),
        text: info.description.clone(),
        sources,
        fields: fields
            .map(|field| {
                let takes = [(field.index, "INDEX"), (field.key, "KEY")];
                Field {
                    name: field.name.clone(),
                    kind: kind(field.ftype),
                    list: field.list,
                    text: field.text.clone(),
                    required: field.required,
                    takes: takes
                        .into_iter()
                        .filter(|(is, _)| *is)
                        .map(|(_, word)| word)
                        .collect(),
                }
            })
            .collect(),
    }
}

impl FieldClass {
    fn text(&self, out: &mut String) {
        out.push_str("-------------------------------\n");
        let _ = writeln!(out, "{:COLUMN$}{}", "Field Class:", self.name);
        entry("Description:", &self.text, out);
        entry("Event Sources:", &self.sources.join(", "), out);
        out.push('\n');
        for field in &self.fields {
            let mut tags = Vec::new();
            match (field.required, field.takes.is_empty()) {
                (true, _) => tags.push("ARG_REQUIRED"),
                (false, false) => tags.push("ARG_ALLOWED"),
                _ => {}
            }
            if field.list {
                tags.push("EPF_IS_LIST");
            }
            if tags.is_empty() {
                entry(&field.name, &field.text, out);
            } else {
                entry(
                    &field.name,
                    &format!("({}) {}", tags.join(","), field.text),
                    out,
                );
            }
        }
        out.push('\n');
    }

    fn markdown(&self, out: &mut String) {
        let _ = write!(
            out,
            "## Field Class: {}\n\n{}\n\nEvent Sources: {} \n\nName | Type | Description\n:----|:-----|:-----------\n",
            self.name,
            self.text,
            self.sources.join(", ")
        );
        for field in &self.fields {
            let kind = if field.list {
                format!("LIST({})", field.kind)
            } else {
                field.kind.to_owned()
            };
            let _ = writeln!(
                out,
                "`{}` | {kind} | {}",
                field.name,
                field.text.replace('|', "\\|")
            );
        }
        out.push('\n');
    }

    fn json(&self) -> Value {
        let fields = self.fields.iter().map(|field| {
            let argument = match field.takes.is_empty() {
                true => Value::Null,
                false => json!({ "required": field.required, "type": field.takes }),
            };
            json!({
                "name": field.name,
                "type": field.kind,
                "desc": field.text,
                "is_list": field.list,
                "argument": argument,
            })
        });
        json!({
            "name": self.name,
            "desc": self.text,
            "event_sources": self.sources,
            "fields": fields.collect::<Vec<_>>(),
        })
    }
}

/// Writes a name and words in the right column, as many a line as fit with a blank behind each.
fn entry(name: &str, text: &str, out: &mut String) {
    let _ = write!(out, "{name:COLUMN$}");
    if name.len() >= COLUMN {
        let _ = write!(out, "\n{:COLUMN$}", "");
    }
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
    out.push('\n');
}

fn block(info: &plugins::Info) -> String {
    let mut out = format!(
        "Name: {}\nDescription: {}\nContact: {}\nVersion: {}\nCapabilities: \n",
        info.name, info.description, info.contact, info.version
    );
    for line in info.capability_lines() {
        let _ = writeln!(out, "  - {line}");
    }
    out
}

/// What `--list-plugins` prints.
pub(crate) fn plugins(plugins: &Plugins) -> String {
    let mut out = format!("{} Plugins Loaded:\n\n", plugins.infos().count());
    for info in plugins.infos() {
        let _ = writeln!(out, "{}", block(info));
    }
    out
}

/// What `--plugin-info` prints.
///
/// # Errors
/// When no plugin has the name, or it does not start.
pub(crate) fn plugin(plugins: &Plugins, name: &str) -> Result<String> {
    let mut all = plugins.configured().iter();
    let found = all.find(|plugin| plugin.info.name == name);
    let found = found.with_context(|| format!("can't find plugin and print its info: {name}"))?;
    let mut out = block(&found.info);
    match &found.info.init_schema {
        Some(schema) => {
            let _ = writeln!(out, "\nInit config schema type: JSON\n{schema}");
        }
        None => out.push_str("\nNo init config schema available for this plugin\n"),
    }
    let params = found.started()?.open_params();
    if found.info.can(plugins::Capability::Sourcing) {
        out.push_str("\nSuggested open params:\n");
        for (value, text) in params {
            let _ = writeln!(out, "{value}: {text}");
        }
    }
    Ok(out)
}
