//! What keys there are, as a JSON schema (draft 06), and a check of a tree against it.
//!
//! `--config-schema` prints Falco's document; what this program adds to it lies beside it, by
//! definition, and both together are what is checked. Only the words of the draft that such documents use are understood.
//! Typing is weak, as in the original: every scalar counts as text, and a text that reads as a
//! number or a truth value counts as one.

use std::sync::OnceLock;

use diag::Span;
use diag::nearest::nearest;
use serde_json::Value as Json;

use crate::scalar::{truth, whole};
use crate::tree::{Node, Value};

/// The published document.
pub const CONFIG_SCHEMA: &str = include_str!("schema/config.json");

/// What is ours: properties by definition. A key of dots takes over all of another definition's.
const EXTENSIONS: &str = include_str!("schema/extensions.json");

/// Marks properties that are ours. What lies below them is read strictly: no older configuration has
/// it, so nothing is gained by guessing.
const OURS: &str = "x-peregrine";

/// Falco's schema and ours together.
#[must_use]
pub fn full_schema() -> Json {
    let mut schema: Json =
        serde_json::from_str(CONFIG_SCHEMA).expect("the embedded schema is checked by a test");
    let extensions: Json =
        serde_json::from_str(EXTENSIONS).expect("the embedded extensions are checked by a test");
    let all = extensions.as_object().into_iter().flatten();
    for (name, _) in all {
        let mut properties = serde_json::Map::new();
        collect(&extensions, name, &mut properties);
        let definition = &mut schema["definitions"][name];
        if definition.is_null() {
            *definition = serde_json::json!({
                "type": "object", "title": name, "additionalProperties": false, "properties": {},
            });
        }
        if let Some(known) = definition["properties"].as_object_mut() {
            for (key, mut value) in properties {
                value[OURS] = true.into();
                known.entry(key).or_insert(value);
            }
        }
    }
    schema
}

fn collect(extensions: &Json, name: &str, properties: &mut serde_json::Map<String, Json>) {
    for (key, value) in extensions[name].as_object().into_iter().flatten() {
        match value.as_str() {
            Some(other) => collect(extensions, other, properties),
            None => {
                properties.insert(key.clone(), value.clone());
            }
        }
    }
}

/// One place where a tree differs from its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaIssue {
    /// Where.
    pub at: Option<Span>,
    /// The key's path, such as `engine.kind` or `plugins[1].name`; empty for the whole document.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The nearest key that exists, for an unknown one.
    pub suggestion: Option<String>,
    /// It is about a key that only this program has, or about one below such a key.
    pub ours: bool,
}

/// Result of checking one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaStatus {
    /// There was nothing to check.
    None,
    /// It fits.
    Ok,
    /// It does not; the issues are in the order of writing.
    Failed(Vec<SchemaIssue>),
}

impl std::fmt::Display for SchemaStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Ok => f.write_str("ok"),
            Self::Failed(issues) => {
                for (n, issue) in issues.iter().enumerate() {
                    let path = if issue.path.is_empty() {
                        "<root>"
                    } else {
                        &issue.path
                    };
                    let separator = if n == 0 { "" } else { "; " };
                    write!(f, "{separator}failed for {path}: {}", issue.message)?;
                }
                Ok(())
            }
        }
    }
}

/// Checks a configuration document.
#[must_use]
pub fn check_config(tree: &Node) -> SchemaStatus {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    check(tree, SCHEMA.get_or_init(full_schema))
}

fn check(tree: &Node, schema: &Json) -> SchemaStatus {
    if tree.value == Value::Null {
        return SchemaStatus::None;
    }
    let mut check = Check {
        document: schema,
        issues: Vec::new(),
        path: String::new(),
        ours: false,
    };
    check.node(tree, schema);
    if check.issues.is_empty() {
        SchemaStatus::Ok
    } else {
        SchemaStatus::Failed(check.issues)
    }
}

struct Check<'s> {
    document: &'s Json,
    issues: Vec<SchemaIssue>,
    path: String,
    /// A key that is ours led here.
    ours: bool,
}

impl<'s> Check<'s> {
    fn issue(&mut self, at: Option<Span>, message: impl Into<String>) {
        self.issues.push(SchemaIssue {
            at,
            path: self.path.clone(),
            message: message.into(),
            suggestion: None,
            ours: self.ours,
        });
    }

    /// Runs `inner` with `step` appended to the path.
    fn below(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        inner(self);
        self.path.truncate(length);
    }

    fn fits(&self, node: &Node, schema: &'s Json) -> bool {
        let mut trial = Check {
            document: self.document,
            issues: Vec::new(),
            path: String::new(),
            ours: false,
        };
        trial.node(node, schema);
        trial.issues.is_empty()
    }

    fn node(&mut self, node: &Node, schema: &'s Json) {
        // Definitions of such a schema never refer to themselves without a level of the tree
        // between, so following references ends.
        if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
            if let Some(target) = self.document.pointer(target.trim_start_matches('#')) {
                self.node(node, target);
            }
            return;
        }
        if let Some(kind) = schema.get("type").and_then(Json::as_str)
            && !has_type(node, kind)
        {
            self.issue(
                node.at,
                format!(
                    "{} is written where {} belongs",
                    node.shape(),
                    article(kind)
                ),
            );
            return;
        }
        for word in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(word).and_then(Json::as_array)
                && !choices.iter().any(|choice| self.fits(node, choice))
            {
                self.issue(
                    node.at,
                    format!("{} of this form is not possible here", node.shape()),
                );
            }
        }
        if let (Some(words), Some(text)) =
            (schema.get("enum").and_then(Json::as_array), node.text())
            && !words.iter().any(|word| word.as_str() == Some(text))
        {
            let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
            self.issue(
                node.at,
                format!("'{text}' is none of: {}", words.join(", ")),
            );
        }
        if let Some(number) = node.text().and_then(whole) {
            let limit = |word| schema.get(word).and_then(Json::as_i64);
            if limit("minimum").is_some_and(|least| number < i128::from(least)) {
                self.issue(node.at, format!("{number} is too small"));
            }
            if limit("maximum").is_some_and(|most| number > i128::from(most)) {
                self.issue(node.at, format!("{number} is too big"));
            }
        }
        match &node.value {
            Value::Sequence(items) => {
                if let Some(schema) = schema.get("items") {
                    for (n, item) in items.iter().enumerate() {
                        self.below(&format!("[{n}]"), |check| check.node(item, schema));
                    }
                }
            }
            Value::Map(_) => self.map(node, schema),
            Value::Null | Value::Scalar(_) => {}
        }
    }

    fn map(&mut self, node: &Node, schema: &'s Json) {
        let entries = node.entries().unwrap_or_default();
        let least = schema
            .get("minProperties")
            .and_then(Json::as_u64)
            .unwrap_or(0);
        if (entries.len() as u64) < least {
            self.issue(node.at, "the map is empty");
        }
        for name in schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(name) = name.as_str()
                && node.get(name).is_none()
            {
                self.issue(node.at, format!("key '{name}' is missing"));
            }
        }
        let known = schema.get("properties").and_then(Json::as_object);
        for (n, entry) in entries.iter().enumerate() {
            let dot = if self.path.is_empty() { "" } else { "." };
            let step = format!("{dot}{}", entry.key);
            if entries[..n].iter().any(|earlier| earlier.key == entry.key) {
                self.below(&step, |check| {
                    check.issue(entry.key_at, "the key is set twice; the first one counts");
                });
            }
            if let Some(schema) = known.and_then(|known| known.get(&entry.key)) {
                let before = self.ours;
                self.ours |= schema.get(OURS).is_some();
                self.below(&step, |check| check.node(&entry.value, schema));
                self.ours = before;
                continue;
            }
            match schema.get("additionalProperties") {
                Some(Json::Bool(false)) => {
                    let names = known.into_iter().flat_map(|known| known.keys());
                    let suggestion = nearest(&entry.key, names.map(String::as_str));
                    self.below(&step, |check| {
                        check.issue(entry.key_at, format!("unknown key '{}'", entry.key));
                    });
                    if let Some(issue) = self.issues.last_mut() {
                        issue.suggestion = suggestion.map(str::to_owned);
                    }
                }
                Some(schema @ Json::Object(_)) => {
                    self.below(&step, |check| check.node(&entry.value, schema));
                }
                _ => {}
            }
        }
    }
}

fn has_type(node: &Node, kind: &str) -> bool {
    match (&node.value, kind) {
        // Nothing stands for "not set", whatever the type.
        (Value::Null, _)
        | (Value::Scalar(_), "string")
        | (Value::Sequence(_), "array")
        | (Value::Map(_), "object") => true,
        (Value::Scalar(text), "boolean") => truth(text).is_some(),
        (Value::Scalar(text), "integer") => whole(text).is_some(),
        (Value::Scalar(text), "number") => text.trim().parse::<f64>().is_ok(),
        _ => false,
    }
}

fn article(kind: &str) -> &str {
    match kind {
        "string" => "a text",
        "array" => "a sequence",
        "object" => "a map",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(yaml: &str) -> Vec<SchemaIssue> {
        match check_config(&Node::parse(yaml, None).unwrap()) {
            SchemaStatus::Failed(issues) => issues,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn good_documents() {
        let yaml = "json_output: \"true\"\nengine: {kind: replay, replay: {capture_file: x}}\n\
            plugins: [{name: a, library_path: b, init_config: {x: 1}}]\nmetrics: {interval: 1h}\n\
            config_files: [a, {path: b, strategy: override}]\nsyscall_event_drops: {rate: .03}\n";
        assert_eq!(
            check_config(&Node::parse(yaml, None).unwrap()),
            SchemaStatus::Ok
        );
        assert_eq!(
            check_config(&Node::parse("", None).unwrap()),
            SchemaStatus::None
        );
    }

    #[test]
    fn unknown_keys_have_a_place_and_a_neighbour() {
        let issues =
            failed("json_output: true\njson_outptu: true\nengine:\n  kind: replay\n  kindd: x\n");
        assert_eq!(issues.len(), 2);
        assert_eq!(issues[0].path, "json_outptu");
        assert_eq!(issues[0].suggestion.as_deref(), Some("json_output"));
        assert_eq!(issues[1].path, "engine.kindd");
    }

    #[test]
    fn wrong_types() {
        let paths: Vec<String> = failed(
            "json_output: maybe\noutput_timeout: [1]\nplugins: [{name: a}]\ncapture: {mode: some}\n",
        )
        .into_iter()
        .map(|issue| issue.path)
        .collect();
        assert_eq!(
            paths,
            [
                "json_output",
                "output_timeout",
                "plugins[0]",
                "capture.mode"
            ]
        );
    }
}
