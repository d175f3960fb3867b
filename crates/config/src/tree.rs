//! A configuration file as a tree that knows where each node was written.
//!
//! The tree is untyped on purpose: environment expansion, merging of included files and `-o`
//! overrides all work on it before anything is read as a number or a truth value. Aliases are
//! copied, so depth and size are limited: a few lines of aliases can otherwise unfold into
//! gigabytes.

use std::collections::HashMap;

use diag::{SourceId, Span};
use granit_parser::{Event, Parser, ScalarStyle, ScanError};

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 128;
/// A tree of more nodes than this is refused.
const MAX_NODES: usize = 200_000;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where it was written; `None` for what was not written in a file.
    pub at: Option<Span>,
}

/// The shapes a value can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~`, `null`.
    Null,
    /// Any scalar, as text: what it means depends on who reads it.
    Scalar(String),
    /// `[a, b]`
    Sequence(Vec<Node>),
    /// `{a: b}` in the order of writing.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_at: Option<Span>,
    /// Its value.
    pub value: Node,
}

/// Why a text is no tree.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct TreeError {
    /// Where.
    pub at: Option<Span>,
    /// What is wrong.
    pub message: String,
}

impl Node {
    /// A scalar that was not written in a file.
    #[must_use]
    pub fn scalar(text: impl Into<String>) -> Self {
        Self {
            value: Value::Scalar(text.into()),
            at: None,
        }
    }

    /// A null that was not written in a file.
    #[must_use]
    pub fn null() -> Self {
        Self {
            value: Value::Null,
            at: None,
        }
    }

    /// Parses the first document of `text`; an empty text is null.
    ///
    /// # Errors
    /// [`TreeError`] when the text is not YAML or exceeds the limits.
    pub fn parse(text: &str, file: Option<SourceId>) -> Result<Self, TreeError> {
        Builder {
            file,
            length: text.len(),
            nodes: 0,
            anchors: HashMap::new(),
        }
        .document(text)
    }

    /// The value of `key`, if this is a map that has it. The first of equal keys counts.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    /// Follows keys separated by dots; only for keys known to hold no dot themselves.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The scalar's text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a sequence.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// What shape this is, for messages.
    #[must_use]
    pub fn shape(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a scalar",
            Value::Sequence(_) => "a sequence",
            Value::Map(_) => "a map",
        }
    }

    /// As JSON; scalars that read as numbers or truth values become such.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar(text) => match text.as_str() {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                text => text
                    .parse::<i64>()
                    .ok()
                    .filter(|n| n.to_string() == text)
                    .map_or_else(|| Json::String(text.to_owned()), Json::from),
            },
            Value::Sequence(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Whether a plain scalar stands for nothing.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

struct Builder {
    file: Option<SourceId>,
    length: usize,
    nodes: usize,
    anchors: HashMap<usize, (Node, usize)>,
}

impl Builder {
    fn at(&self, span: &granit_parser::Span) -> Option<Span> {
        let start = span.start.byte_offset()?.min(self.length);
        let end = span.end.byte_offset()?.clamp(start, self.length);
        self.file.map(|file| Span::new(file, start, end))
    }

    fn scan_error(&self, error: &ScanError) -> TreeError {
        let at = error.marker().byte_offset().map(|at| at.min(self.length));
        TreeError {
            at: self.file.zip(at).map(|(file, at)| Span::new(file, at, at)),
            message: format!("not YAML: {}", error.info()),
        }
    }

    fn document(mut self, text: &str) -> Result<Node, TreeError> {
        let mut parser = Parser::new_from_str(text);
        loop {
            let Some((event, span)) = self.next(&mut parser)? else {
                return Ok(Node::null());
            };
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(Node::null()),
                event => return self.node(&mut parser, event, &span, 0),
            }
        }
    }

    /// The next event.
    fn next<'i, T: granit_parser::BorrowedInput<'i>>(
        &self,
        parser: &mut Parser<'i, T>,
    ) -> Result<Option<(Event<'i>, granit_parser::Span)>, TreeError> {
        parser
            .next_event()
            .transpose()
            .map_err(|error| self.scan_error(&error))
    }

    fn grow(&mut self, by: usize, at: Option<Span>) -> Result<(), TreeError> {
        self.nodes = self.nodes.saturating_add(by);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases counted as often as used");
            return Err(TreeError { at, message });
        }
        Ok(())
    }

    fn node<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        event: Event<'i>,
        span: &granit_parser::Span,
        depth: usize,
    ) -> Result<Node, TreeError> {
        let at = self.at(span);
        let before = self.nodes;
        self.grow(1, at)?;
        if depth > MAX_DEPTH {
            return Err(TreeError {
                at,
                message: format!("nested deeper than {MAX_DEPTH}"),
            });
        }
        let (value, anchor) = match event {
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(TreeError {
                        at,
                        message: "alias inside its own anchor".into(),
                    });
                };
                self.grow(size, at)?;
                return Ok(Node {
                    value: node.value,
                    at,
                });
            }
            Event::Scalar(text, style, anchor, _) => {
                let value = if style == ScalarStyle::Plain && is_null(&text) {
                    Value::Null
                } else {
                    Value::Scalar(text.into_owned())
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.next(parser)? {
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, &span, depth + 1)?);
                }
                (Value::Sequence(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let mut entries = Vec::new();
                while let Some((event, span)) = self.next(parser)? {
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    let key = self.node(parser, event, &span, depth + 1)?;
                    let key_at = key.at;
                    let key = match key.value {
                        Value::Scalar(text) => text,
                        Value::Null => String::new(),
                        _ => {
                            let message = "a key must be a plain word".into();
                            return Err(TreeError {
                                at: key_at,
                                message,
                            });
                        }
                    };
                    let Some((event, span)) = self.next(parser)? else {
                        break;
                    };
                    let value = self.node(parser, event, &span, depth + 1)?;
                    entries.push(Entry { key, key_at, value });
                }
                (Value::Map(entries), anchor)
            }
            _ => {
                return Err(TreeError {
                    at,
                    message: "unexpected end".into(),
                });
            }
        };
        let node = Node { value, at };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_place() {
        let file = diag::SourceMap::new().add("f", "");
        let tree = Node::parse("a: 1\nb:\n  - x\n  - {c: \"~\"}\nd: ~\n", Some(file)).unwrap();
        assert_eq!(tree.get("a").and_then(Node::text), Some("1"));
        let item = &tree.get("b").unwrap().items().unwrap()[1];
        assert_eq!(item.at.map(|at| at.start), Some(18));
        assert_eq!(item.get("c").unwrap().text(), Some("~"));
        assert_eq!(tree.get("d").unwrap().value, Value::Null);
    }

    #[test]
    fn an_empty_text_is_null() {
        for text in ["", "---\n", "# only a comment\n", "~"] {
            assert_eq!(
                Node::parse(text, None).unwrap().value,
                Value::Null,
                "{text:?}"
            );
        }
    }

    #[test]
    fn aliases_are_copied_and_bombs_refused() {
        let tree = Node::parse("a: &x [1, 2]\nb: *x\n", None).unwrap();
        assert_eq!(tree.get("b").unwrap().items().unwrap().len(), 2);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let of = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![of; 10].join(", ")));
        }
        assert!(
            Node::parse(&bomb, None)
                .unwrap_err()
                .message
                .contains("aliases")
        );
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(20_000);
        assert!(Node::parse(&deep, None).is_err());
    }
}
