//! Lists of fields, events and ignored system calls, schemas and flags (`golden/listings`).
//!
//! Descriptions are the original's sentences and not compared; names, types, flags and order are.

use serde_json::{Value, json};

use super::describe::differences;
use super::{Bench, brief};
use crate::{Tally, jsonl};

/// One listing: file, arguments, and what of its text counts.
struct Listing {
    file: &'static str,
    args: &'static [&'static str],
    essence: fn(&str) -> Option<Value>,
}

const LISTINGS: &[Listing] = &[
    Listing {
        file: "fields.json",
        args: &["--list", "--format", "json"],
        essence: fields_json,
    },
    Listing {
        file: "fields.md",
        args: &["--list", "--format", "markdown"],
        essence: fields_markdown,
    },
    Listing {
        file: "fields.txt",
        args: &["--list"],
        essence: fields_text,
    },
    Listing {
        file: "events.json.gz",
        args: &["--list-events", "--format", "json"],
        essence: events_json,
    },
    Listing {
        file: "events.md.gz",
        args: &["--list-events", "--format", "markdown"],
        essence: structure_lines,
    },
    Listing {
        file: "events.txt",
        args: &["--list-events"],
        essence: structure_lines,
    },
    Listing {
        file: "ignored.txt",
        args: &["-i"],
        essence: items,
    },
    Listing {
        file: "config-schema.json",
        args: &["--config-schema"],
        essence: schema,
    },
    Listing {
        file: "rule-schema.json",
        args: &["--rule-schema"],
        essence: schema,
    },
    Listing {
        file: "help.txt",
        args: &["--help"],
        essence: flags,
    },
];

/// Compares all listings that the corpus has.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let mut tally = Tally::new("listings");
    for listing in LISTINGS {
        let relative = format!("golden/listings/{}", listing.file);
        let Some(path) = bench.corpus.existing(&relative) else {
            tally.skip(format!("{relative}: not in this corpus"));
            continue;
        };
        let wanted = jsonl::text(&path)
            .ok()
            .and_then(|text| (listing.essence)(&text));
        let Some(wanted) = wanted else {
            tally.fail(listing.file, "the golden file is not understood");
            continue;
        };
        let config = bench.golden_config();
        let mut args = vec!["-c", config.as_str()];
        args.extend(listing.args);
        let run = bench.program.run(&args);
        let out = run.out();
        let Some(ours) = (listing.essence)(&out).filter(|_| run.code == Some(0)) else {
            tally.fail(listing.file, run.ending());
            continue;
        };
        compare(listing.file, &ours, &wanted, &mut tally);
    }
    tally
}

/// One case for each key of the outermost object, so that a fault does not hide the others.
fn compare(file: &str, ours: &Value, wanted: &Value, tally: &mut Tally) {
    let (Some(a), Some(b)) = (ours.as_object(), wanted.as_object()) else {
        let mut faults = Vec::new();
        differences("", ours, wanted, &mut faults);
        tally.case(file, &faults);
        return;
    };
    for key in a.keys().filter(|key| !b.contains_key(*key)) {
        tally.fail(
            format!("{file}/{key}"),
            brief(&format!("superfluous: {}", a[key])),
        );
    }
    for (key, wanted) in b {
        let mut faults = Vec::new();
        differences("", &ours[key], wanted, &mut faults);
        tally.case(format!("{file}/{key}"), &faults);
    }
}

/// Lists of events; those without parameters of their own sorted, as in [`structure_lines`].
fn events_json(text: &str) -> Option<Value> {
    let mut list: Value = serde_json::from_str(text).ok()?;
    for events in list
        .as_object_mut()?
        .values_mut()
        .filter_map(Value::as_array_mut)
    {
        let is_generic = |event: &Value| event["params"][1]["name"] == "nativeID";
        let (mut generic, rest): (Vec<Value>, Vec<Value>) = events.drain(..).partition(is_generic);
        generic.sort_by_key(Value::to_string);
        *events = rest.into_iter().chain(generic).collect();
    }
    Some(list)
}

/// Field name to type, list-ness, argument, class, place among its class.
fn fields_json(text: &str) -> Option<Value> {
    let list: Value = serde_json::from_str(text).ok()?;
    let mut found = serde_json::Map::new();
    for class in list["fieldclasses"].as_array()? {
        let name = class["name"].as_str()?;
        for (at, field) in class["fields"].as_array()?.iter().enumerate() {
            let entry = json!({
                "type": field["type"], "is_list": field["is_list"], "argument": field["argument"],
                "class": name, "sources": class["event_sources"], "at": at,
            });
            found.insert(field["name"].as_str()?.to_owned(), entry);
        }
    }
    Some(found.into())
}

fn fields_markdown(text: &str) -> Option<Value> {
    let mut found = serde_json::Map::new();
    let mut class = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## Field Class: ") {
            class = name;
        } else if let Some(rest) = line.strip_prefix('`') {
            let mut cells = rest.split(" | ");
            let name = cells.next()?.trim_end_matches('`').to_owned();
            found.insert(name, json!([class, cells.next()?]));
        }
    }
    (!found.is_empty()).then(|| found.into())
}

/// Field name to class and tags such as `(ARG_REQUIRED)`; a class is known by name and sources.
fn fields_text(text: &str) -> Option<Value> {
    let mut found = serde_json::Map::new();
    let mut class = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Field Class:") {
            name.split('(').next()?.trim().clone_into(&mut class);
        } else if let Some(sources) = line.strip_prefix("Event Sources:") {
            class = format!("{class} {}", sources.trim());
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            let column = line.len() - rest.trim_start().len();
            let rest = rest.trim_start();
            let tags = rest
                .strip_prefix('(')
                .and_then(|r| r.split(')').next())
                .unwrap_or("");
            let tags = if tags
                .chars()
                .all(|c| c.is_ascii_uppercase() || "_,".contains(c))
            {
                tags
            } else {
                ""
            };
            let aligned = column == 30 || name.len() >= 29;
            found.insert(name.to_owned(), json!([class, tags, aligned]));
        }
    }
    (!found.is_empty()).then(|| found.into())
}

/// Lines that are no sentences: headings, table rows, one line for each event.
fn structure_lines(text: &str) -> Option<Value> {
    let lines = text.lines().filter(|line| !line.starts_with("The "));
    // System calls without parameters of their own come in the order of a hash table.
    let (mut generic, lines): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.contains("**ID**") && line.contains("**nativeID**"));
    generic.sort_unstable();
    let version = text
        .lines()
        .next()
        .and_then(|line| line.rsplit(' ').next())?;
    Some(json!({ "version": version, "lines": lines, "generic": generic }))
}

/// The items of a list that comes in the order of a hash table.
fn items(text: &str) -> Option<Value> {
    let mut items: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
    items.sort_unstable();
    Some(items.into())
}

/// A JSON schema without its descriptions.
fn schema(text: &str) -> Option<Value> {
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(key, value)| {
                    !(matches!(key.as_str(), "description" | "title" | "$comment")
                        && value.is_string())
                })
                .map(|(key, value)| (key.clone(), bare(value)))
                .collect(),
            Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().into(),
            other => other.clone(),
        }
    }
    serde_json::from_str(text)
        .ok()
        .map(|value: Value| bare(&value))
}

/// Flag to the placeholder of its value.
fn flags(text: &str) -> Option<Value> {
    let mut found = serde_json::Map::new();
    for line in text.lines() {
        let start = line.trim_start();
        if !start.starts_with('-') || line.len() - start.len() > 8 {
            continue;
        }
        let spelled = start.split("  ").next().unwrap_or(start);
        for flag in spelled.split(", ") {
            let flag = flag.split([' ', '=', '[']).next().unwrap_or(flag);
            if flag.len() > 1 {
                found.insert(flag.to_owned(), Value::Bool(true));
            }
        }
    }
    (!found.is_empty()).then(|| found.into())
}
