//! Events into a tree, within limits.

use granit_parser::{Event, Parser, ScalarStyle, ScanError};
use hashbrown::HashMap;

use super::{Kind, Node, NodeId, Scalar, Style, Tree, scalar};

/// How much a text may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the text.
    pub bytes: usize,
    /// Nodes written in it.
    pub nodes: usize,
    /// Nodes after aliases are followed.
    pub expanded: u64,
    /// Nesting.
    pub depth: usize,
}

impl Default for Limits {
    /// Far above any rule file: a hundred thousand rules pass.
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            nodes: 4_000_000,
            expanded: 8_000_000,
            depth: 200,
        }
    }
}

/// Why a text is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The sentence.
    pub message: String,
    /// The byte.
    pub offset: usize,
}

/// Class of a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not YAML.
    Syntax,
    /// It is not text.
    Encoding,
    /// It asks for too much.
    Limit,
}

/// Reads all documents.
///
/// # Errors
/// The first [`Fault`]; YAML allows no reliable recovery.
pub fn parse<'t>(text: &'t str, limits: &Limits) -> Result<Tree<'t>, Fault> {
    if text.len() > limits.bytes {
        return Err(limit(
            format!(
                "the text has {} bytes, more than the {} allowed",
                text.len(),
                limits.bytes
            ),
            0,
        ));
    }
    if let Some(offset) = text.bytes().position(|b| b == 0) {
        let message = "a zero byte: this is a binary file, not YAML".to_owned();
        return Err(Fault {
            kind: FaultKind::Encoding,
            message,
            offset,
        });
    }
    let mut options = granit_parser::options! {
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
        simple_key_max_lookahead: 64 << 10,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::new(text, limits);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|e| syntax(&e, text))?;
        let range = span.byte_range().unwrap_or(0..0);
        builder.take(event, range.start, range.end)?;
    }
    Ok(builder.tree)
}

fn limit(message: String, offset: usize) -> Fault {
    Fault {
        kind: FaultKind::Limit,
        message,
        offset,
    }
}

fn syntax(error: &ScanError, text: &str) -> Fault {
    let offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let message = error.info();
    if message.contains("recursion") || message.contains("nesting") {
        return limit("collections are nested too deep".to_owned(), offset);
    }
    Fault {
        kind: FaultKind::Syntax,
        message: message.to_owned(),
        offset,
    }
}

struct Builder<'t, 'l> {
    text: &'t str,
    limits: &'l Limits,
    tree: Tree<'t>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    /// Nodes that each node stands for when its aliases are followed.
    weight: Vec<u64>,
    /// End of the last event, from which the header of a block scalar is looked for.
    last: usize,
}

struct Open {
    node: NodeId,
    key: Option<NodeId>,
}

impl<'t, 'l> Builder<'t, 'l> {
    fn new(text: &'t str, limits: &'l Limits) -> Self {
        Self {
            text,
            limits,
            tree: Tree::default(),
            open: Vec::new(),
            anchors: HashMap::new(),
            weight: Vec::new(),
            last: 0,
        }
    }

    fn take(&mut self, event: Event<'t>, start: usize, end: usize) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(value, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let begin = match style {
                    Style::Literal | Style::Folded => self.block_header(start),
                    _ => start,
                };
                let kind = if style == Style::Plain && tag.is_none() && scalar::is_null(&value) {
                    Kind::Null
                } else {
                    Kind::Scalar(Scalar {
                        value,
                        style,
                        content: start,
                    })
                };
                let end = self.without_blanks(start, end);
                let id = self.push(
                    Node {
                        kind,
                        start: begin,
                        end,
                    },
                    anchor,
                )?;
                self.attach(id, 1)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                let id = self.push(
                    Node {
                        kind: Kind::Sequence(Vec::new()),
                        start,
                        end,
                    },
                    0,
                )?;
                self.begin(id, anchor)?;
            }
            Event::MappingStart(_, anchor, _) => {
                let id = self.push(
                    Node {
                        kind: Kind::Mapping(Vec::new()),
                        start,
                        end,
                    },
                    0,
                )?;
                self.begin(id, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let node = &mut self.tree.nodes[open.node.0 as usize];
                    // A flow collection ends at its bracket, a block one at its last child.
                    if end > start {
                        node.end = end;
                    }
                    let weight = self.weight[open.node.0 as usize];
                    self.attach(open.node, weight)?;
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&id) if !self.open.iter().any(|o| o.node == id) => {
                    let weight = self.weight[id.0 as usize];
                    self.attach(id, weight)?;
                }
                _ => {
                    let message = "an alias inside the node it stands for".to_owned();
                    return Err(Fault {
                        kind: FaultKind::Syntax,
                        message,
                        offset: start,
                    });
                }
            },
            _ => {}
        }
        self.last = self.last.max(end);
        Ok(())
    }

    fn push(&mut self, node: Node<'t>, anchor: usize) -> Result<NodeId, Fault> {
        if self.tree.nodes.len() >= self.limits.nodes {
            let message = format!("more than {} values in one text", self.limits.nodes);
            return Err(limit(message, node.start));
        }
        let id = NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        self.tree.nodes.push(node);
        self.weight.push(1);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn begin(&mut self, id: NodeId, anchor: usize) -> Result<(), Fault> {
        if self.open.len() >= self.limits.depth {
            let start = self.tree.node(id).start;
            let message = format!("nested more than {} levels deep", self.limits.depth);
            return Err(limit(message, start));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.open.push(Open {
            node: id,
            key: None,
        });
        Ok(())
    }

    /// Puts a finished node into the collection that is open, or makes it a document.
    fn attach(&mut self, id: NodeId, weight: u64) -> Result<(), Fault> {
        let (start, end) = (self.tree.node(id).start, self.tree.node(id).end);
        let Some(open) = self.open.last_mut() else {
            self.tree.documents.push(id);
            return Ok(());
        };
        let parent = open.node.0 as usize;
        self.weight[parent] = self.weight[parent].saturating_add(weight);
        if self.weight[parent] > self.limits.expanded {
            let message = format!(
                "aliases expand to more than {} values; this is no rule file",
                self.limits.expanded
            );
            return Err(limit(message, start));
        }
        let node = &mut self.tree.nodes[parent];
        // An aliased child lies elsewhere; only those behind its start make a node longer.
        if start >= node.start {
            node.end = node.end.max(end);
        }
        match &mut node.kind {
            Kind::Sequence(items) => items.push(id),
            Kind::Mapping(entries) => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => entries.push((key, id)),
            },
            Kind::Null | Kind::Scalar(_) => {}
        }
        Ok(())
    }

    /// The `|` or `>` of a block scalar whose content begins at `content`. Between the last event
    /// and it stand blanks, the indicators of the collection, properties and comments.
    fn block_header(&self, content: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = self.last.min(content);
        while at < content {
            match bytes[at] {
                b'|' | b'>' => return at,
                b'#' => at = self.skip(at, content, |b| b != b'\n'),
                b'!' | b'&' => at = self.skip(at, content, |b| !b.is_ascii_whitespace()),
                _ => at += 1,
            }
        }
        content
    }

    fn skip(&self, from: usize, to: usize, inside: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..to];
        from + rest.iter().position(|&b| !inside(b)).unwrap_or(rest.len())
    }

    /// The end of a scalar without the blanks behind it.
    fn without_blanks(&self, start: usize, end: usize) -> usize {
        self.text
            .get(start..end)
            .map_or(end, |s| start + s.trim_end().len())
    }
}
