//! A YAML text as a tree whose nodes know the bytes they came from.
//!
//! The events come from `granit-parser`: of the kept parsers it is the one that gives byte offsets
//! for everything, takes every rule file that people have (`saphyr-parser` stops at indentation
//! that the stock rules of 2020 contain), and bounds nesting itself. On top of it stand limits on
//! size, number of nodes and what aliases expand to, so that no text takes more than it weighs.
//!
//! Nodes live in one vector and refer to each other by number. An alias is the number of its
//! target, so nothing is ever copied.

pub mod parse;
pub mod scalar;
pub mod trace;

use std::borrow::Cow;

pub use parse::{Fault, FaultKind, Limits, parse};
pub use trace::ScalarPlace;

/// Number of a node in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// All documents of a text.
#[derive(Debug, Default)]
pub struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    /// Root of each document, in order.
    pub documents: Vec<NodeId>,
}

/// A node with its place.
#[derive(Debug)]
pub struct Node<'t> {
    /// What it is.
    pub kind: Kind<'t>,
    /// Byte at which it begins: the first key of a block mapping, the `>` of a folded scalar.
    pub start: usize,
    /// One past its last byte; for a mapping or sequence the end of its last child.
    pub end: usize,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind<'t> {
    /// Nothing, `~` or `null`.
    Null,
    /// Any text.
    Scalar(Scalar<'t>),
    /// Nodes in order.
    Sequence(Vec<NodeId>),
    /// Keys and values in order of the text; keys may repeat.
    Mapping(Vec<(NodeId, NodeId)>),
}

/// A scalar.
#[derive(Debug)]
pub struct Scalar<'t> {
    /// The text after unescaping and folding.
    pub value: Cow<'t, str>,
    /// How it was written.
    pub style: Style,
    /// Byte at which its content begins; after the header line for block scalars.
    pub content: usize,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'...'`
    Single,
    /// `"..."`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

impl<'t> Tree<'t> {
    /// The node behind a number of this tree.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node<'t> {
        &self.nodes[id.0 as usize]
    }

    /// The value of a key of a mapping: the first one where keys repeat. `None` for other nodes.
    #[must_use]
    pub fn value(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        self.entries(mapping)
            .iter()
            .find(|(k, _)| self.text(*k) == Some(key))
            .map(|&(_, v)| v)
    }

    /// Keys and values of a mapping; nothing for other nodes.
    #[must_use]
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(id).kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar; `None` for other nodes and null.
    #[must_use]
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).kind {
            Kind::Scalar(scalar) => Some(&scalar.value),
            _ => None,
        }
    }

    /// Whether the node is null.
    #[must_use]
    pub fn is_null(&self, id: NodeId) -> bool {
        matches!(self.node(id).kind, Kind::Null)
    }
}
