//! From files to settings.
//!
//! ```text
//! main file ─► expand ${..} ─► schema ─► -o config_files.. ─► included files, each expanded and
//! checked, merged by its strategy ─► all -o ─► settings and fatal checks
//! ```
//!
//! Merging looks at top-level keys only: an included `engine:` replaces the whole of the main
//! file's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use diag::{Diagnostic, Severity, SourceMap, Span};

use crate::code;
use crate::expand::expand;
use crate::option::Override;
use crate::past;
use crate::read::Reader;
use crate::schema::{SchemaStatus, check_config};
use crate::settings::Settings;
use crate::tree::{Entry, Node, Value};

/// Size a configuration file may have.
const MAX_SIZE: u64 = 16 << 20;

/// Looks up a variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is loaded, and how.
#[derive(Default)]
pub struct Request<'a> {
    /// The main file; `None`: only defaults and overrides.
    pub path: Option<&'a Path>,
    /// Contents to take instead of reading the file.
    pub base: Option<&'a str>,
    /// `-o`, in order.
    pub overrides: &'a [Override],
    /// Environment.
    pub variable: Option<Variables<'a>>,
}

/// A loaded configuration.
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The merged tree they were read from.
    pub tree: Node,
    /// Each file with the result of its schema check.
    pub files: Vec<(PathBuf, SchemaStatus)>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// Texts that the warnings point into.
    pub sources: SourceMap,
}

/// A configuration that must not be used.
#[derive(Debug)]
pub struct Rejected {
    /// All findings, at least one of them an error.
    pub findings: Vec<Diagnostic>,
    /// Texts that they point into.
    pub sources: SourceMap,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut errors = self
            .findings
            .iter()
            .filter(|found| found.severity == Severity::Error);
        write!(
            f,
            "{}",
            errors
                .next()
                .map_or("configuration refused", |found| &found.message)
        )
    }
}

impl std::error::Error for Rejected {}

/// How an included file joins what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Append,
    Override,
    AddOnly,
}

/// Loads a configuration.
///
/// # Errors
/// [`Rejected`] with every finding when at least one of them is fatal.
pub fn load(request: &Request<'_>) -> Result<Loaded, Box<Rejected>> {
    let mut loader = Loader {
        variable: request.variable,
        sources: SourceMap::new(),
        files: Vec::new(),
        findings: Vec::new(),
    };
    let mut tree = match (request.base, request.path) {
        (Some(text), path) => loader.tree(path.unwrap_or(Path::new("(built in)")), text.to_owned()),
        (None, Some(path)) => loader.file(path, true),
        (None, None) => Node::null(),
    };
    loader.apply(
        &mut tree,
        request
            .overrides
            .iter()
            .filter(|o| o.concerns("config_files")),
    );
    loader.includes(&mut tree, request.path);
    loader.apply(&mut tree, request.overrides.iter());
    if !request.overrides.is_empty() {
        loader.check_overrides(&tree);
    }
    loader.finish(tree)
}

struct Loader<'a> {
    variable: Option<Variables<'a>>,
    sources: SourceMap,
    files: Vec<(PathBuf, SchemaStatus)>,
    findings: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn error(&mut self, code: &'static diag::Code, at: Option<Span>, message: String) {
        let found = Diagnostic::new(code, Severity::Error, message);
        self.findings.push(match at {
            Some(at) => found.at(at, ""),
            None => found,
        });
    }

    /// Reads a file; an empty tree where that fails.
    fn file(&mut self, path: &Path, main: bool) -> Node {
        match read(path) {
            Ok(text) => self.tree(path, text),
            Err(reason) => {
                let message = format!(
                    "cannot read the configuration file {}: {reason}",
                    path.display()
                );
                let mut found = Diagnostic::new(&code::UNREADABLE, Severity::Error, message);
                if main {
                    found = found.note("name another file with -c PATH");
                }
                self.findings.push(found);
                Node::null()
            }
        }
    }

    /// Parses, expands and checks one document.
    fn tree(&mut self, path: &Path, text: String) -> Node {
        let id = self.sources.add(path.display().to_string(), text);
        let mut tree = match Node::parse(&self.sources.source(id).text, Some(id)) {
            Ok(tree) => tree,
            Err(error) => {
                let message = format!("{}: {}", path.display(), error.message);
                self.error(&code::NOT_YAML, error.at, message);
                return Node::null();
            }
        };
        if !matches!(tree.value, Value::Map(_) | Value::Null) {
            let message = format!(
                "{}: a map of keys is expected, not {}",
                path.display(),
                tree.shape()
            );
            self.error(&code::NOT_YAML, tree.at, message);
            return Node::null();
        }
        if let Some(variable) = self.variable {
            expand(&mut tree, variable);
        }
        let status = check_config(&tree);
        let mut past = Vec::new();
        if let SchemaStatus::Failed(issues) = &status {
            for issue in issues {
                if let Some((key, fate)) = past::fate(&issue.path) {
                    let path = issue.path.clone();
                    past.push((path, key, fate));
                    continue;
                }
                let message = match &issue.path {
                    path if path.is_empty() => issue.message.clone(),
                    path => format!("{path}: {}", issue.message),
                };
                let severity = if issue.ours {
                    Severity::Error
                } else {
                    Severity::Warning
                };
                let mut found = Diagnostic::new(&code::KEY, severity, message);
                if let Some(at) = issue.at {
                    found = found.at(at, "");
                    if let Some(name) = &issue.suggestion {
                        found = found.suggest(at, name, "a key of a similar name exists");
                    }
                }
                self.findings.push(found);
            }
        }
        for (path, key, fate) in past {
            self.past(&tree, &path, key, fate);
        }
        self.files.push((path.to_owned(), status));
        tree
    }

    /// Tells what became of an old key; of a section, what became of each key in it.
    fn past(&mut self, tree: &Node, path: &str, key: &'static str, fate: past::Fate) {
        let mut keys = vec![(key, fate)];
        if key != path && !path.starts_with(key) {
            let inside = past::PAST.iter().copied();
            keys = inside
                .filter(|(key, _)| key.split_once('.').is_some_and(|(s, _)| s == path))
                .filter(|(key, _)| tree.path(key).is_some())
                .collect();
        }
        for (key, fate) in keys {
            let text = past::sentence(key, fate);
            let found = Diagnostic::new(&code::PAST, Severity::Warning, text);
            self.findings
                .push(match tree.path(key).and_then(|node| node.at) {
                    Some(at) => found.at(at, ""),
                    None => found,
                });
        }
    }

    fn apply<'o>(&mut self, tree: &mut Node, overrides: impl Iterator<Item = &'o Override>) {
        for item in overrides {
            if let Err(error) = item.apply(tree) {
                self.error(&code::OPTION, None, error.to_string());
            }
        }
    }

    /// What overrides set of our own keys is as strict as in a file.
    fn check_overrides(&mut self, tree: &Node) {
        let SchemaStatus::Failed(issues) = check_config(tree) else {
            return;
        };
        for issue in issues
            .iter()
            .filter(|issue| issue.ours && issue.at.is_none())
        {
            let message = format!("-o {}: {}", issue.path, issue.message);
            self.error(&code::KEY, None, message);
        }
    }

    fn includes(&mut self, tree: &mut Node, main: Option<&Path>) {
        let Some(list) = tree.get("config_files").cloned() else {
            return;
        };
        let main = main.and_then(|path| path.canonicalize().ok());
        for item in list.items().unwrap_or(std::slice::from_ref(&list)) {
            let (path, strategy) = match (&item.value, item.get("path").and_then(Node::text)) {
                (Value::Scalar(path), _) => (path.as_str(), Strategy::Append),
                (_, Some(path)) => match item.get("strategy").and_then(Node::text) {
                    Some("override") => (path, Strategy::Override),
                    Some("add-only") => (path, Strategy::AddOnly),
                    _ => (path, Strategy::Append),
                },
                _ => continue,
            };
            for file in included_files(Path::new(path)) {
                if main.is_some() && file.canonicalize().ok() == main {
                    let message =
                        format!("{} includes itself through config_files", file.display());
                    self.error(&code::INCLUDE, item.at, message);
                    continue;
                }
                let included = self.file(&file, false);
                if let Some(further) = included.get("config_files") {
                    let message = format!(
                        "{} is included and must not have config_files itself",
                        file.display()
                    );
                    self.error(&code::INCLUDE, further.at, message);
                    continue;
                }
                merge(tree, included, strategy);
            }
        }
    }

    fn finish(mut self, mut tree: Node) -> Result<Loaded, Box<Rejected>> {
        if let Some(old) = tree.get("rules_file")
            && tree.get("rules_files").is_some()
        {
            let message = "both rules_file and rules_files are set; remove rules_file";
            self.error(&code::VALUE, old.at, message.to_owned());
        }
        past::translate(&mut tree);
        let mut reader = Reader::default();
        let settings = Settings::read(&tree, &mut reader);
        self.findings.append(&mut reader.problems);
        if self
            .findings
            .iter()
            .any(|found| found.severity == Severity::Error)
        {
            return Err(Box::new(Rejected {
                findings: self.findings,
                sources: self.sources,
            }));
        }
        Ok(Loaded {
            settings,
            tree,
            files: self.files,
            warnings: self.findings,
            sources: self.sources,
        })
    }
}

fn read(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(format!("it is larger than {} MB", MAX_SIZE >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// The file itself, or the regular files of a directory in sorted order; nothing where the path
/// does not exist.
fn included_files(path: &Path) -> BTreeSet<PathBuf> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect()
    } else {
        path.exists().then(|| path.to_owned()).into_iter().collect()
    }
}

fn merge(tree: &mut Node, included: Node, strategy: Strategy) {
    let Value::Map(added) = included.value else {
        return;
    };
    if tree.value == Value::Null {
        tree.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut tree.value else {
        return;
    };
    for entry in added {
        let Some(existing) = entries.iter_mut().find(|e| e.key == entry.key) else {
            entries.push(entry);
            continue;
        };
        match strategy {
            Strategy::AddOnly => {}
            Strategy::Override => *existing = entry,
            Strategy::Append => append(existing, entry),
        }
    }
}

fn append(existing: &mut Entry, entry: Entry) {
    match (&mut existing.value.value, entry.value.value) {
        (Value::Sequence(items), Value::Sequence(more)) => items.extend(more),
        (_, value) => {
            existing.key_at = entry.key_at;
            existing.value = Node {
                value,
                at: entry.value.at,
            };
        }
    }
}
