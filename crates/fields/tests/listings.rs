//! Listings against the recorded ones: names, types, arguments, classes and order are equal; texts are our own.

#![allow(clippy::unwrap_used, reason = "a fault in the corpus is a failed test")]

use std::io::Read;
use std::path::{Path, PathBuf};

use fields::Catalogue;
use fields::listing::{self, Form};
use serde_json::Value;

fn golden(name: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("PEREGRINE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let path = root.join("golden/listings").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        assert!(
            std::env::var_os("PEREGRINE_REQUIRE_CORPUS").is_none_or(|v| v != "1"),
            "missing: {}",
            path.display()
        );
        eprintln!("left out: {} is not there", path.display());
        return None;
    };
    if path.extension().is_some_and(|e| e == "gz") {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut out)
            .unwrap();
        return Some(out);
    }
    Some(bytes)
}

/// Classes of the original without a plugin, texts taken out.
fn structure(listing: &[u8]) -> Vec<Value> {
    let mut listing: Value = serde_json::from_slice(listing).unwrap();
    let classes = listing["fieldclasses"].as_array_mut().unwrap();
    classes.retain(|c| c["name"] != "container");
    for class in classes.iter_mut() {
        class["desc"].take();
        for field in class["fields"].as_array_mut().unwrap() {
            field["desc"].take();
        }
    }
    classes.clone()
}

#[test]
fn fields_as_json() {
    let Some(theirs) = golden("fields.json") else {
        return;
    };
    let ours = listing::fields(&Catalogue::new([]), Form::Json);
    for (ours, theirs) in structure(ours.as_bytes()).iter().zip(&structure(&theirs)) {
        let rows = |v: &Value| v["fields"].as_array().unwrap().clone();
        for (o, t) in rows(ours).iter().zip(&rows(theirs)) {
            assert_eq!(o, t);
        }
        assert_eq!(ours, theirs);
    }
    assert_eq!(structure(ours.as_bytes()).len(), structure(&theirs).len());
}

/// First words of lines that begin with one, with the tags behind them.
fn outline(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|l| !l.starts_with(' '));
    let outline = lines.map(|line| {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        match words.next() {
            Some(tag) if tag.starts_with('(') && tag.chars().any(|c| c == '_') => {
                format!("{first} {tag}")
            }
            _ if first == "Field" || first == "##" || first == "Event" => line.to_owned(),
            _ => first.to_owned(),
        }
    });
    outline.collect()
}

/// The outline up to the fields that a plugin adds.
fn built_in(text: &str, first_of_plugins: &str) -> Vec<String> {
    let mut outline = outline(text);
    if let Some(end) = outline.iter().position(|l| l.contains(first_of_plugins)) {
        outline.truncate(end);
    }
    while outline
        .last()
        .is_some_and(|l| l.is_empty() || l.starts_with("---"))
    {
        outline.pop();
    }
    outline
}

#[test]
fn fields_as_text() {
    let Some(theirs) = golden("fields.txt") else {
        return;
    };
    let ours = listing::fields(&Catalogue::new([]), Form::Text);
    let theirs = String::from_utf8(theirs).unwrap();
    assert_eq!(
        built_in(&ours, "   container"),
        built_in(&theirs, "   container")
    );
}

#[test]
fn fields_as_markdown() {
    let Some(theirs) = golden("fields.md") else {
        return;
    };
    let ours = listing::fields(&Catalogue::new([]), Form::Markdown);
    // Name and type of each row, and the headings; prose is ours.
    let rows = |text: &str| -> Vec<String> {
        let rows = text
            .lines()
            .filter(|l| l.starts_with('`') || l.starts_with("## "));
        rows.map(|l| l.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
            .take_while(|l| l != "## Field Class: container")
            .collect()
    };
    assert_eq!(rows(&ours), rows(std::str::from_utf8(&theirs).unwrap()));
}

#[test]
fn events_as_json() {
    let Some(theirs) = golden("events.json.gz") else {
        return;
    };
    let ours: Value = serde_json::from_str(&listing::events(Form::Json)).unwrap();
    let theirs: Value = serde_json::from_slice(&theirs).unwrap();
    for section in [
        "Syscall events",
        "Tracepoint events",
        "Plugin events",
        "Metaevents",
    ] {
        let of = |v: &Value| v[section].as_array().unwrap().clone();
        let (ours, theirs) = (of(&ours), of(&theirs));
        // Calls without a type of their own follow in no order over there.
        let generic = |e: &&Value| e["params"][0]["name"] == "ID";
        let mut ours_generic: Vec<_> = ours.iter().filter(generic).cloned().collect();
        let mut theirs_generic: Vec<_> = theirs.iter().filter(generic).cloned().collect();
        for list in [&mut ours_generic, &mut theirs_generic] {
            list.sort_by_key(|e| (e["name"].to_string(), e["dir"].to_string()));
        }
        let own = |list: &[Value]| -> Vec<Value> {
            list.iter().filter(|e| !generic(e)).cloned().collect()
        };
        for (o, t) in own(&ours).iter().zip(&own(&theirs)) {
            assert_eq!(o, t);
        }
        assert_eq!(own(&ours).len(), own(&theirs).len());
        assert_eq!(ours_generic, theirs_generic);
    }
}

#[test]
fn events_as_text() {
    let (Some(text), Some(markdown)) = (golden("events.txt"), golden("events.md.gz")) else {
        return;
    };
    // The first line names the schema's version, the generic calls come in no order.
    let lines = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let text = String::from_utf8(text).unwrap();
    assert_eq!(lines(&listing::events(Form::Text)), lines(&text));
    let markdown = String::from_utf8(markdown).unwrap();
    assert_eq!(lines(&listing::events(Form::Markdown)), lines(&markdown));
}
