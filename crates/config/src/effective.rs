//! The effective configuration: every key with its value and where that came from.

pub mod table;

use diag::{SourceMap, Span};

use crate::scalar::{truth, whole};
use crate::schema::{SchemaStatus, check_config};
use crate::tree::{Node, Value};
use table::{DEFAULTS, Kind};

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its path, such as `engine.kind` or `rules_files[0]`.
    pub key: String,
    /// Its value, as text.
    pub value: String,
    /// Where that came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing sets it.
    Default,
    /// A file, by name and line.
    File(String, usize),
    /// The command line.
    Option,
    /// What is written in this place cannot be read as such a value: the default holds.
    Unusable(String, usize),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Option => f.write_str("command line"),
            Self::Unusable(file, line) => write!(f, "default; {file}:{line} is of no use"),
        }
    }
}

/// All keys that are set, with values that have an effect, and all others with their defaults; sorted.
#[must_use]
pub fn effective(tree: &Node, sources: &SourceMap) -> Vec<Effective> {
    let mut all = Vec::new();
    walk(tree, "", sources, &mut all);
    let unknown: Vec<String> = match check_config(tree) {
        SchemaStatus::Failed(issues) => issues
            .into_iter()
            .filter(|issue| issue.message.starts_with("unknown key"))
            .map(|issue| issue.path)
            .collect(),
        SchemaStatus::Ok | SchemaStatus::None => Vec::new(),
    };
    let below = |key: &str, path: &str| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    all.retain(|one: &Effective| !unknown.iter().any(|path| below(&one.key, path)));
    for (key, kind, default) in DEFAULTS {
        let Some(one) = all.iter_mut().find(|one| one.key == *key) else {
            if !all.iter().any(|one| below(&one.key, key)) {
                let (key, value) = ((*key).to_owned(), (*default).to_owned());
                all.push(Effective {
                    key,
                    value,
                    origin: Origin::Default,
                });
            }
            continue;
        };
        let usable = match kind {
            Kind::Truth => truth(&one.value).is_some(),
            Kind::Number => whole(&one.value).is_some(),
            Kind::Real => one.value.trim().parse::<f64>().is_ok(),
            Kind::Text => true,
        };
        if !usable {
            (*default).clone_into(&mut one.value);
            one.origin = match &one.origin {
                Origin::File(file, line) => Origin::Unusable(file.clone(), *line),
                _ => Origin::Unusable("command line".to_owned(), 0),
            };
        } else if *kind == Kind::Truth {
            one.value = truth(&one.value).unwrap_or(false).to_string();
        }
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn origin(at: Option<Span>, sources: &SourceMap) -> Origin {
    match at {
        Some(at) => Origin::File(
            sources.source(at.source).name.clone(),
            sources.place(at.source, at.start).line,
        ),
        None => Origin::Option,
    }
}

fn walk(node: &Node, path: &str, sources: &SourceMap, all: &mut Vec<Effective>) {
    let mut leaf = |value: &str| {
        let origin = origin(node.at, sources);
        all.push(Effective {
            key: path.to_owned(),
            value: value.to_owned(),
            origin,
        });
    };
    match &node.value {
        Value::Null => {}
        Value::Scalar(text) => leaf(text),
        Value::Sequence(items) if items.is_empty() => leaf("[]"),
        Value::Map(entries) if entries.is_empty() => leaf("{}"),
        Value::Sequence(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{n}]"), sources, all);
            }
        }
        Value::Map(entries) => {
            for (n, entry) in entries.iter().enumerate() {
                // The first of equal keys counts.
                if entries[..n].iter().any(|earlier| earlier.key == entry.key) {
                    continue;
                }
                let dot = if path.is_empty() { "" } else { "." };
                walk(
                    &entry.value,
                    &format!("{path}{dot}{}", entry.key),
                    sources,
                    all,
                );
            }
        }
    }
}
