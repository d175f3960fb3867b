//! Lists of fields: `--list` and `peregrine list fields`.

use fields::Catalogue;
use fields::catalogue::row::{Arg, Class, Flags, Row};
use fields::catalogue::table::ROWS;
use serde_json::{Value, json};

use super::Form;
use super::wrap::column;

/// The only source that has fields without plugins.
const SOURCE: &str = "syscall";

/// A field of a list.
struct Entry<'a> {
    name: &'a str,
    row: Option<&'static Row>,
}

impl Entry<'_> {
    fn text(&self) -> &str {
        self.row.map_or("A constant of the configuration.", |row| row.text)
    }

    fn type_name(&self) -> &'static str {
        self.row.map_or("CHARBUF", |row| row.ty.name())
    }

    fn has(&self, flag: u16) -> bool {
        self.row.is_some_and(|row| row.flags.has(flag))
    }

    /// `None`: takes no argument; else whether it must have one.
    fn argument(&self) -> Option<bool> {
        let row = self.row?;
        match row.arg {
            Arg::None => None,
            // The side of a path may be left out, yet the original lists it as required.
            Arg::PathSide => Some(true),
            arg => Some(!arg.optional()),
        }
    }

    /// `(ARG_REQUIRED,EPF_NO_RHS)` or nothing.
    fn tags(&self) -> String {
        let mut tags = Vec::new();
        match self.argument() {
            Some(true) => tags.push("ARG_REQUIRED"),
            Some(false) => tags.push("ARG_ALLOWED"),
            None => {}
        }
        for (flag, tag) in [
            (Flags::LIST, "EPF_IS_LIST"),
            (Flags::NO_RHS, "EPF_NO_RHS"),
            (Flags::NO_TRANSFORMER, "EPF_NO_TRANSFORMER"),
            (Flags::FILTER_ONLY, "FILTER_ONLY"),
        ] {
            if self.has(flag) {
                tags.push(tag);
            }
        }
        if tags.is_empty() { String::new() } else { format!("({}) ", tags.join(",")) }
    }

    fn json(&self) -> Value {
        let argument =
            self.argument().map_or(Value::Null, |required| json!({"required": required, "type": []}));
        json!({
            "name": self.name,
            "type": self.type_name(),
            "desc": self.text(),
            "is_list": self.has(Flags::LIST),
            "argument": argument,
        })
    }
}

/// The list in the form asked for; `None` when there is no source of this name.
pub fn list(
    catalogue: &Catalogue,
    source: Option<&str>,
    names_only: bool,
    form: Form,
) -> Option<String> {
    if source.is_some_and(|source| source != SOURCE) {
        return None;
    }
    let classes = classes(catalogue);
    let all = || classes.iter().flat_map(|(_, entries)| entries);
    Some(match form {
        Form::Json if names_only => {
            let names: Vec<&str> = all().map(|entry| entry.name).collect();
            pretty(&json!({ "fieldnames": names }))
        }
        _ if names_only => all().map(|entry| format!("{}\n", entry.name)).collect(),
        Form::Json => pretty(&json!({ "fieldclasses": classes.iter().map(json_class).collect::<Vec<_>>() })),
        Form::Text => classes.iter().map(text_class).collect(),
        Form::Markdown => classes.iter().map(markdown_class).collect(),
    })
}

/// Classes with their listed fields, in the order of the listings.
fn classes(catalogue: &Catalogue) -> Vec<(Class, Vec<Entry<'_>>)> {
    let mut classes = Vec::new();
    for class in Class::ALL {
        let rows = ROWS.iter().filter(|row| row.class == class && row.listed());
        let entries: Vec<Entry> =
            rows.map(|row| Entry { name: row.name, row: Some(row) }).collect();
        if !entries.is_empty() {
            classes.push((class, entries));
        }
    }
    let statics: Vec<Entry> =
        catalogue.statics().iter().map(|(name, _)| Entry { name, row: None }).collect();
    if !statics.is_empty() {
        classes.push((Class::Static, statics));
    }
    classes
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn json_class((class, entries): &(Class, Vec<Entry<'_>>)) -> Value {
    json!({
        "name": class.name(),
        "desc": class.description(),
        "event_sources": [SOURCE],
        "fields": entries.iter().map(Entry::json).collect::<Vec<_>>(),
    })
}

fn text_class((class, entries): &(Class, Vec<Entry<'_>>)) -> String {
    let mut out = String::from("\n-------------------------------\n");
    let name = match class.qualifier() {
        Some(qualifier) => format!("{} ({qualifier})", class.name()),
        None => class.name().to_owned(),
    };
    out.push_str(&format!("{:<30}{name}\n", "Field Class:"));
    column("Description:", class.description(), 30, 120, &mut out);
    out.push_str(&format!("{:<30}{SOURCE} \n\n", "Event Sources:"));
    for entry in entries {
        column(entry.name, &format!("{}{}", entry.tags(), entry.text()), 30, 120, &mut out);
    }
    out
}

fn markdown_class((class, entries): &(Class, Vec<Entry<'_>>)) -> String {
    let mut out = format!(
        "## Field Class: {}\n\n{}\n\nEvent Sources: {SOURCE} \n\nName | Type | Description\n\
         :----|:-----|:-----------\n",
        class.name(),
        class.description()
    );
    for entry in entries {
        let name = entry.type_name();
        let kind = if entry.has(Flags::LIST) { format!("LIST({name})") } else { name.to_owned() };
        let text = entry.text().replace('|', "\\|");
        out.push_str(&format!("`{}` | {kind} | {text}\n", entry.name));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_every_field() {
        let catalogue = Catalogue::new([("site".to_owned(), "north".to_owned())]);
        let names = list(&catalogue, Some("syscall"), true, Form::Text).unwrap();
        assert!(names.lines().count() > 150 && names.contains("\nstatic.site\n"));
        let json = list(&catalogue, None, false, Form::Json).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["fieldclasses"][0]["fields"][0]["name"], "evt.num");
        for form in [Form::Text, Form::Markdown] {
            let text = list(&catalogue, None, false, form).unwrap();
            assert!(names.lines().all(|name| text.contains(name)), "{form:?}");
        }
        assert!(list(&catalogue, Some("k8s_audit"), true, Form::Text).is_none());
    }
}
