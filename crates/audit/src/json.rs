//! A JSON document as a flat tree over its compact text.
//!
//! Reading and compacting are one pass without recursion. Nodes lie in the order of the text; each knows
//! where its successor on the same level lies, so that skipping a subtree is one step:
//!
//! ```text
//!   {"a":[1,2],"b":null}
//!   ^    ^ ^ ^     ^        nodes: {  "a"  [  1  2  "b"  null
//!                           next:  7   2   5  4  5   6    7
//! ```
//!
//! Strings keep their quotes and escapes until someone asks for the text. *Invariant:* the compact text is valid JSON
//! and valid UTF-8, whatever came in.

use std::borrow::Cow;

use memchr::memchr2;

/// What is wrong with a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Offset in the text that was given.
    pub offset: usize,
}

/// What can be wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// The text ends inside a value, or holds none.
    #[error("the text ends too early")]
    End,
    /// A byte that cannot stand here.
    #[error("unexpected byte")]
    Unexpected,
    /// A number out of form.
    #[error("malformed number")]
    Number,
    /// An unknown escape, or half a surrogate pair.
    #[error("malformed escape")]
    Escape,
    /// A control character inside a string.
    #[error("control character in a string")]
    Control,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// Something stands behind the value.
    #[error("text behind the value")]
    Trailing,
    /// Deeper than allowed.
    #[error("nested too deeply")]
    Depth,
    /// More values than allowed.
    #[error("too many values")]
    Nodes,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{}`
    Object,
    /// `[]`
    Array,
    /// A string; whether it holds escapes.
    String(bool),
    /// A number.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    next: u32,
    kind: Kind,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    text: Vec<u8>,
    nodes: Vec<Entry>,
}

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    document: &'d Document,
    at: usize,
}

impl Document {
    /// Reads a document of at most `depth` levels and `nodes` values; keys count as values.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &[u8], depth: usize, nodes: usize) -> Result<Self, Fault> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if let Err(error) = std::str::from_utf8(text) {
            return Err(Fault {
                kind: FaultKind::Encoding,
                offset: error.valid_up_to(),
            });
        }
        if u32::try_from(text.len()).is_err() {
            return Err(Fault {
                kind: FaultKind::Nodes,
                offset: 0,
            });
        }
        let mut parser = Parser {
            input: text,
            at: 0,
            document: Self {
                text: Vec::with_capacity(text.len()),
                nodes: Vec::new(),
            },
            open: Vec::new(),
            depth,
            most: nodes.min(u32::MAX as usize),
        };
        parser.document()?;
        Ok(parser.document)
    }

    /// The whole value.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node {
            document: self,
            at: 0,
        }
    }

    /// The compact text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Position of a node, for [`Document::node`].
    #[must_use]
    pub fn node(&self, position: usize) -> Option<Node<'_>> {
        (position < self.nodes.len()).then_some(Node {
            document: self,
            at: position,
        })
    }
}

struct Parser<'t> {
    input: &'t [u8],
    at: usize,
    document: Document,
    /// Nodes of the containers that are open.
    open: Vec<u32>,
    depth: usize,
    most: usize,
}

impl Parser<'_> {
    fn fault<T>(&self, kind: FaultKind) -> Result<T, Fault> {
        Err(Fault {
            kind,
            offset: self.at,
        })
    }

    /// The next byte that is no blank, not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.input.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn document(&mut self) -> Result<(), Fault> {
        loop {
            self.value()?;
            loop {
                let Some(&innermost) = self.open.last() else {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => self.fault(FaultKind::Trailing),
                    };
                };
                let object = self.document.nodes[innermost as usize].kind == Kind::Object;
                let first = innermost as usize + 1 == self.document.nodes.len();
                match self.peek() {
                    Some(b'}') if object => self.close(b'}'),
                    Some(b']') if !object => self.close(b']'),
                    Some(b',') if !first => {
                        self.take(b',');
                        if matches!(self.peek(), Some(b'}' | b']')) {
                            return self.fault(FaultKind::Unexpected);
                        }
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(_) if first => {
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(_) => return self.fault(FaultKind::Unexpected),
                    None => return self.fault(FaultKind::End),
                }
            }
        }
    }

    fn take(&mut self, byte: u8) {
        self.document.text.push(byte);
        self.at += 1;
    }

    fn key(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(_) => return self.fault(FaultKind::Unexpected),
            None => return self.fault(FaultKind::End),
        }
        match self.peek() {
            Some(b':') => self.take(b':'),
            Some(_) => return self.fault(FaultKind::Unexpected),
            None => return self.fault(FaultKind::End),
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, start: usize) -> Result<(), Fault> {
        let nodes = &mut self.document.nodes;
        if nodes.len() >= self.most {
            return self.fault(FaultKind::Nodes);
        }
        let next = nodes.len() as u32 + 1;
        nodes.push(Entry {
            start: start as u32,
            end: self.document.text.len() as u32,
            next,
            kind,
        });
        Ok(())
    }

    fn close(&mut self, byte: u8) {
        self.take(byte);
        if let Some(node) = self.open.pop() {
            let next = self.document.nodes.len() as u32;
            let entry = &mut self.document.nodes[node as usize];
            entry.end = self.document.text.len() as u32;
            entry.next = next;
        }
    }

    /// A scalar, or the begin of a container.
    fn value(&mut self) -> Result<(), Fault> {
        let Some(byte) = self.peek() else {
            return self.fault(FaultKind::End);
        };
        match byte {
            b'{' | b'[' => {
                if self.open.len() >= self.depth {
                    return self.fault(FaultKind::Depth);
                }
                let start = self.document.text.len();
                self.open.push(self.document.nodes.len() as u32);
                self.take(byte);
                self.push(
                    if byte == b'{' {
                        Kind::Object
                    } else {
                        Kind::Array
                    },
                    start,
                )
            }
            b'"' => self.string(),
            b't' => self.word(b"true", Kind::Bool),
            b'f' => self.word(b"false", Kind::Bool),
            b'n' => self.word(b"null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.fault(FaultKind::Unexpected),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), Fault> {
        if !self.input[self.at..].starts_with(word) {
            return self.fault(FaultKind::Unexpected);
        }
        let start = self.document.text.len();
        self.document.text.extend_from_slice(word);
        self.at += word.len();
        self.push(kind, start)
    }

    fn digits(&mut self) -> usize {
        let rest = &self.input[self.at..];
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        self.at += usize::from(self.input[self.at] == b'-');
        let zero = self.input.get(self.at) == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return self.fault(FaultKind::Number);
        }
        if self.input.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.fault(FaultKind::Number);
            }
        }
        if matches!(self.input.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.input.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.fault(FaultKind::Number);
            }
        }
        let start = self.document.text.len();
        self.document
            .text
            .extend_from_slice(&self.input[begin..self.at]);
        self.push(Kind::Number, start)
    }

    fn string(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            let rest = &self.input[self.at..];
            let Some(length) = memchr2(b'"', b'\\', rest) else {
                self.at = self.input.len();
                return self.fault(FaultKind::End);
            };
            if let Some(control) = rest[..length].iter().position(|&b| b < 0x20) {
                self.at += control;
                return self.fault(FaultKind::Control);
            }
            self.at += length + 1;
            if rest[length] == b'"' {
                break;
            }
            escaped = true;
            self.escape()?;
        }
        let start = self.document.text.len();
        self.document
            .text
            .extend_from_slice(&self.input[begin..self.at]);
        self.push(Kind::String(escaped), start)
    }

    /// Behind the backslash.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.input.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let first = self.unit()?;
                match first {
                    0xD800..=0xDBFF => {
                        if !self.input[self.at..].starts_with(b"\\u") {
                            return self.fault(FaultKind::Escape);
                        }
                        self.at += 1;
                        if !(0xDC00..=0xDFFF).contains(&self.unit()?) {
                            return self.fault(FaultKind::Escape);
                        }
                    }
                    0xDC00..=0xDFFF => return self.fault(FaultKind::Escape),
                    _ => {}
                }
            }
            Some(_) => return self.fault(FaultKind::Escape),
            None => return self.fault(FaultKind::End),
        }
        Ok(())
    }

    /// `uXXXX`
    fn unit(&mut self) -> Result<u16, Fault> {
        let Some(unit) = self.input.get(self.at + 1..self.at + 5).and_then(hex) else {
            return self.fault(FaultKind::Escape);
        };
        self.at += 5;
        Ok(unit)
    }
}

fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |all, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(all << 4 | digit as u16)
    })
}

impl<'d> Node<'d> {
    fn entry(&self) -> &'d Entry {
        &self.document.nodes[self.at]
    }

    /// Position in the document.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.entry().kind
    }

    /// Its compact JSON.
    #[must_use]
    pub fn json(&self) -> &'d [u8] {
        let entry = self.entry();
        &self.document.text[entry.start as usize..entry.end as usize]
    }

    /// A string without quotes and escapes; nothing else has one.
    #[must_use]
    pub fn string(&self) -> Option<Cow<'d, [u8]>> {
        let Kind::String(escaped) = self.kind() else {
            return None;
        };
        let json = self.json();
        let inner = &json[1..json.len() - 1];
        Some(if escaped {
            Cow::Owned(unescape(inner))
        } else {
            Cow::Borrowed(inner)
        })
    }

    /// Whether it is this string.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.string().is_some_and(|s| *s == *text.as_bytes())
    }

    fn end(&self) -> usize {
        self.entry().next as usize
    }

    /// Elements of an array; nothing else has any.
    pub fn elements(&self) -> impl Iterator<Item = Node<'d>> + use<'d> {
        let (document, end) = (self.document, self.end());
        let mut at = if self.kind() == Kind::Array {
            self.at + 1
        } else {
            end
        };
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let node = Node { document, at };
                at = node.end();
                node
            })
        })
    }

    /// Keys and values of an object; nothing else has any.
    pub fn members(&self) -> impl Iterator<Item = (Node<'d>, Node<'d>)> + use<'d> {
        let (document, end) = (self.document, self.end());
        let mut at = if self.kind() == Kind::Object {
            self.at + 1
        } else {
            end
        };
        std::iter::from_fn(move || {
            (at + 1 < end).then(|| {
                let (key, value) = (
                    Node { document, at },
                    Node {
                        document,
                        at: at + 1,
                    },
                );
                at = value.end();
                (key, value)
            })
        })
    }

    /// The value of a key; of several with one name the last counts, as in most readers.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Node<'d>> {
        self.members()
            .filter(|(name, _)| name.is(key))
            .last()
            .map(|(_, value)| value)
    }

    /// What a JSON pointer (RFC 6901) points at. The leading slash may be missing; an empty pointer is the
    /// value itself.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<Node<'d>> {
        if pointer.is_empty() {
            return Some(*self);
        }
        let steps = pointer.strip_prefix('/').unwrap_or(pointer);
        steps
            .split('/')
            .try_fold(*self, |node, step| match node.kind() {
                Kind::Array => {
                    let number = step.bytes().all(|b| b.is_ascii_digit());
                    let index = (number && (step == "0" || !step.starts_with('0')))
                        .then(|| step.parse().ok())
                        .flatten()?;
                    node.elements().nth(index)
                }
                Kind::Object if step.contains('~') => {
                    node.get(&step.replace("~1", "/").replace("~0", "~"))
                }
                Kind::Object => node.get(step),
                _ => None,
            })
    }

    /// Appends the value with line breaks and two blanks for each level.
    pub fn pretty(&self, out: &mut Vec<u8>) {
        let json = self.json();
        let mut level = 0_usize;
        let mut at = 0;
        let line = |level: usize, out: &mut Vec<u8>| {
            out.push(b'\n');
            out.extend(std::iter::repeat_n(b' ', 2 * level));
        };
        while let Some(&byte) = json.get(at) {
            match byte {
                b'"' => {
                    let length = string_length(&json[at..]);
                    out.extend_from_slice(&json[at..at + length]);
                    at += length;
                    continue;
                }
                b'{' | b'[' => {
                    out.push(byte);
                    if matches!(json.get(at + 1), Some(b'}' | b']')) {
                        out.push(json[at + 1]);
                        at += 2;
                        continue;
                    }
                    level += 1;
                    line(level, out);
                }
                b'}' | b']' => {
                    level = level.saturating_sub(1);
                    line(level, out);
                    out.push(byte);
                }
                b',' => {
                    out.push(b',');
                    line(level, out);
                }
                b':' => out.extend_from_slice(b": "),
                _ => out.push(byte),
            }
            at += 1;
        }
    }
}

/// Length of a well-formed string with its quotes.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if json[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    json.len()
}

/// Resolves escapes that were checked before.
fn unescape(inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        if inner[at] != b'\\' {
            out.push(inner[at]);
            at += 1;
            continue;
        }
        let plain = match inner.get(at + 1) {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let unit = |at: usize| inner.get(at + 2..at + 6).and_then(hex).unwrap_or(0xFFFD);
                let mut units = vec![unit(at)];
                at += 6;
                if (0xD800..=0xDBFF).contains(&units[0]) {
                    units.push(unit(at));
                    at += 6;
                }
                for c in char::decode_utf16(units) {
                    let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                continue;
            }
            Some(&other) => other,
            None => b'\\',
        };
        out.push(plain);
        at += 2;
    }
    out
}

#[cfg(test)]
mod tests;
