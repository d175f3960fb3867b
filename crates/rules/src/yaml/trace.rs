//! From a byte of a scalar's value back to the byte of the file.
//!
//! ```text
//!   condition: >            value   a and b
//!     a and       ─────►            0123456
//!       b                   byte 6 is the b of the third line
//! ```
//!
//! The way back is computed only when something is to be shown, by walking the source again: a
//! table for every scalar would cost more than all of the loading.

use super::{Kind, NodeId, Style, Tree};

/// Where a scalar was written: all that is needed to lead back, once the tree is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalarPlace {
    /// How it was written.
    pub style: Style,
    /// Its first byte: the quote, the `>` or `|`.
    pub start: usize,
    /// First byte of its content.
    pub content: usize,
    /// One past its last byte.
    pub end: usize,
}

impl ScalarPlace {
    /// The place of a node; a node that is no scalar counts as a plain one.
    #[must_use]
    pub fn of(tree: &Tree<'_>, id: NodeId) -> Self {
        let node = tree.node(id);
        match &node.kind {
            Kind::Scalar(scalar) => Self {
                style: scalar.style,
                start: node.start,
                content: scalar.content,
                end: node.end,
            },
            _ => Self {
                style: Style::Plain,
                start: node.start,
                content: node.start,
                end: node.end,
            },
        }
    }

    /// The byte of `text` that byte `offset` of the scalar's `value` came from. An offset at the
    /// end of the value gives the place just behind its last character.
    #[must_use]
    pub fn source_offset(&self, text: &str, value: &str, offset: usize) -> usize {
        let offset = offset.min(value.len());
        let end = self.end.min(text.len());
        match self.style {
            Style::Literal | Style::Folded => block(text, self, value, offset),
            Style::Plain => flow(text, self.content, end, None, offset),
            Style::Single => flow(text, self.content + 1, end, Some(b'\''), offset),
            Style::Double => flow(text, self.content + 1, end, Some(b'"'), offset),
        }
    }
}

/// Block scalars: each source line without its indentation is a piece of the value; between the
/// pieces the value has line breaks and, when folded, blanks.
fn block(text: &str, place: &ScalarPlace, value: &str, offset: usize) -> usize {
    let (header, end) = (place.start, place.end.min(text.len()));
    let line_start = text
        .get(..place.content)
        .and_then(|t| t.rfind('\n'))
        .map_or(0, |n| n + 1);
    let indent = place.content.saturating_sub(line_start);
    let first = text
        .get(header..)
        .and_then(|t| t.find('\n'))
        .map_or(end, |n| header + n + 1);
    let mut line = first;
    let mut at = 0;
    let mut last = first;
    while line < end {
        let stop = text[line..].find('\n').map_or(text.len(), |n| line + n);
        let whole = text[line..stop].trim_end_matches('\r');
        let blanks = whole.bytes().take_while(|&b| b == b' ').count().min(indent);
        let content = &whole[blanks..];
        if !content.is_empty() {
            let Some(skip) = value.get(at..).and_then(|rest| gap(rest, content)) else {
                break;
            };
            at += skip;
            if offset < at {
                return last;
            }
            if offset < at + content.len() {
                return line + blanks + (offset - at);
            }
            at += content.len();
            last = line + blanks + content.len();
        }
        line = stop + 1;
    }
    last.min(end.max(first))
}

/// How many line breaks and blanks of the value stand before `content`.
fn gap(rest: &str, content: &str) -> Option<usize> {
    let separators = rest
        .bytes()
        .take_while(|&b| b == b'\n' || b == b' ')
        .count();
    (0..=separators).find(|&n| rest.get(n..).is_some_and(|r| r.starts_with(content)))
}

/// Plain and quoted scalars: escapes shrink, line breaks with the blanks around them fold.
fn flow(text: &str, start: usize, end: usize, quote: Option<u8>, offset: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut produced) = (start, 0);
    while at < end {
        let (consumed, produces) = step(bytes, at, end, quote);
        if offset < produced + produces || consumed == 0 {
            return at;
        }
        produced += produces;
        at += consumed;
        if quote.is_some() && at + 1 >= end {
            break;
        }
    }
    at.min(end)
}

/// Bytes of the source and of the value that the next unit takes.
fn step(bytes: &[u8], at: usize, end: usize, quote: Option<u8>) -> (usize, usize) {
    let next = bytes.get(at + 1).copied();
    match (bytes[at], quote) {
        (b'\'', Some(b'\'')) if next == Some(b'\'') => (2, 1),
        (b'\\', Some(b'"')) => escape(bytes, at, end),
        (b' ' | b'\t' | b'\r' | b'\n', _) => {
            let run = bytes[at..end]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            let breaks = bytes[at..at + run].iter().filter(|&&b| b == b'\n').count();
            match breaks {
                0 => (1, 1),
                1 => (run, 1),
                n => (run, n - 1),
            }
        }
        _ => (1, 1),
    }
}

fn escape(bytes: &[u8], at: usize, end: usize) -> (usize, usize) {
    let digits = match bytes.get(at + 1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        // A line break that is escaped vanishes with the blanks behind it.
        Some(b'\n' | b'\r') => {
            let run = bytes[at + 1..end]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            return (1 + run, 0);
        }
        Some(b'_' | b'N') => return (2, 2),
        Some(b'L' | b'P') => return (2, 3),
        _ => return (2, 1),
    };
    let length = bytes
        .get(at + 2..at + 2 + digits)
        .and_then(|d| std::str::from_utf8(d).ok())
        .and_then(|d| u32::from_str_radix(d, 16).ok())
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8);
    (2 + digits, length)
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Tree, parse};
    use super::ScalarPlace;

    /// Each letter of the value must lead back to the same letter of the source.
    fn check(text: &str, value: &str) {
        let tree: Tree<'_> = parse(text, &Limits::default()).unwrap();
        let id = tree.value(tree.documents[0], "k").unwrap();
        assert_eq!(tree.text(id), Some(value), "{text:?}");
        for (offset, letter) in value.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            let at = ScalarPlace::of(&tree, id).source_offset(text, value, offset);
            let found = text[at..].chars().next();
            assert!(
                found == Some(letter) || found == Some('\\'),
                "{text:?} byte {offset}"
            );
        }
        let end = ScalarPlace::of(&tree, id).source_offset(text, value, value.len());
        assert!(end <= text.len());
    }

    #[test]
    fn block_scalars() {
        check(
            "k: >\n  ab cd\n  ef\n\n  gh\n   more\n  ij\nl: x\n",
            "ab cd ef\ngh\n more\nij\n",
        );
        check("k: |\n  ab\n   cd\n\n\n  ef\nl: x\n", "ab\n cd\n\n\nef\n");
        check("k: >-\n\n\n    ab\n    cd", "\n\nab cd");
        check("k: |+ # word\n  ab\r\n  cd\r\n\n", "ab\ncd\n\n");
        check("k: !!str &a >\n  ab\n  cd\n", "ab cd\n");
        check("k: >2\n   ab\n  cd\n", " ab\ncd\n");
        check("k: >\n  äb ab\n  ab äb\n", "äb ab ab äb\n");
    }

    #[test]
    fn flow_scalars() {
        check("k: ab cd\n", "ab cd");
        check("k: ab\n   cd\n\n   ef\n", "ab cd\nef");
        check("k: 'ab''cd\n   ef'\n", "ab'cd ef");
        check(
            "k: \"a\\x41b\\tc\\u00e9d\\\n    e  f\n\n g\"\n",
            "aAb\tcédef\ng".replace("ef", "e  f").as_str(),
        );
    }
}
