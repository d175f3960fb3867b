//! Reads typed values out of a tree and collects what is wrong with them.

use diag::{Diagnostic, Severity, Span};
use rules::Priority;

use crate::code;
use crate::scalar::{truth, whole};
use crate::tree::{Node, Value};

/// Collects problems while settings are read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) problems: Vec<Diagnostic>,
}

impl Reader {
    /// Reports a value that cannot be used; `key` leads to it.
    pub(crate) fn fatal(&mut self, tree: &Node, key: &str, message: String, help: &str) {
        let node = tree
            .path(key)
            .or_else(|| tree.path(key.rsplit_once('.').map_or(key, |k| k.0)));
        self.fatal_at(node.and_then(|node| node.at), key, message, help);
    }

    /// The same with a place of its own.
    pub(crate) fn fatal_at(&mut self, at: Option<Span>, key: &str, message: String, help: &str) {
        let mut problem = Diagnostic::new(&code::VALUE, Severity::Error, message);
        match at {
            Some(at) => problem = problem.at(at, ""),
            None => problem = problem.note(format!("key '{key}'")),
        }
        if !help.is_empty() {
            problem = problem.note(help);
        }
        self.problems.push(problem);
    }

    /// Reports something that works, but hardly as meant.
    pub(crate) fn warning_at(&mut self, at: Option<Span>, message: String) {
        let mut problem = Diagnostic::new(&code::DOUBTFUL, Severity::Warning, message);
        if let Some(at) = at {
            problem = problem.at(at, "");
        }
        self.problems.push(problem);
    }

    pub(crate) fn truth(&mut self, tree: &Node, key: &str, default: bool) -> bool {
        tree.path(key)
            .and_then(Node::text)
            .and_then(truth)
            .unwrap_or(default)
    }

    pub(crate) fn text(&mut self, tree: &Node, key: &str, default: &str) -> String {
        tree.path(key)
            .and_then(Node::text)
            .unwrap_or(default)
            .to_owned()
    }

    /// A whole number that fits its type.
    pub(crate) fn number<T: TryFrom<i128>>(&mut self, tree: &Node, key: &str, default: T) -> T {
        let number = tree.path(key).and_then(Node::text).and_then(whole);
        number
            .and_then(|number| T::try_from(number).ok())
            .unwrap_or(default)
    }

    pub(crate) fn float(&mut self, tree: &Node, key: &str, default: f64) -> f64 {
        let number = tree
            .path(key)
            .and_then(Node::text)
            .and_then(|text| text.trim().parse().ok());
        number
            .filter(|number: &f64| number.is_finite())
            .unwrap_or(default)
    }

    pub(crate) fn priority(&mut self, tree: &Node, key: &str, default: Priority) -> Priority {
        let Some(text) = tree.path(key).and_then(Node::text) else {
            return default;
        };
        Priority::parse(text).unwrap_or_else(|| {
            let names = Priority::ALL.map(|priority| priority.name().to_ascii_lowercase());
            let help = format!("the priorities are {}", names.join(", "));
            self.fatal(
                tree,
                key,
                format!("priority '{text}' does not exist"),
                &help,
            );
            default
        })
    }

    /// A sequence of texts; a single scalar counts as a sequence of one.
    pub(crate) fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        match node.map(|node| &node.value) {
            Some(Value::Scalar(text)) if !text.is_empty() => vec![text.clone()],
            Some(Value::Sequence(items)) => items
                .iter()
                .filter_map(Node::text)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The items of a sequence of structures, where another shape is fatal.
    pub(crate) fn sequence(&mut self, tree: &Node, key: &str) -> Vec<Node> {
        let Some(node) = tree.get(key) else {
            return Vec::new();
        };
        match &node.value {
            Value::Sequence(items) => items.clone(),
            Value::Null => Vec::new(),
            _ => {
                let message = format!("'{key}' must be a sequence, not {}", node.shape());
                self.fatal_at(node.at, key, message, "");
                Vec::new()
            }
        }
    }

    /// The entries of a map of scalars.
    pub(crate) fn pairs(&mut self, node: Option<&Node>) -> Vec<(String, String)> {
        let entries = node.and_then(Node::entries).unwrap_or_default();
        entries
            .iter()
            .map(|e| (e.key.clone(), e.value.text().unwrap_or_default().to_owned()))
            .collect()
    }
}
