//! A text put together from pieces that remember where they were written.

use diag::{SourceMap, Span};

use crate::context::Written;

/// A condition as the parser sees it: appended parts joined, exceptions translated, lists
/// inserted. Each byte leads back to the files.
#[derive(Clone, Debug)]
pub(crate) struct Assembled {
    /// The text.
    pub(crate) text: String,
    /// What its pieces come from; each reaches to the next one's start.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    start: usize,
    origin: Origin,
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// Byte for byte from a part of the condition, from this byte of it on.
    Part { part: usize, offset: usize },
    /// Items of a list; the name that they replaced stands in a part.
    Item { part: usize, start: usize, end: usize, list: usize },
    /// Made from something in a file, such as an exception.
    Made(Span),
}

/// Where some bytes come from, for people.
pub(crate) struct Found {
    /// The place.
    pub(crate) span: Span,
    /// The list whose items they are.
    pub(crate) list: Option<usize>,
}

/// A replacement of some bytes.
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What goes there.
    pub(crate) text: String,
    /// The bytes of the old text that it stands for.
    pub(crate) name: std::ops::Range<usize>,
    pub(crate) list: usize,
}

impl Assembled {
    /// The parts of a condition, joined by blanks.
    pub(crate) fn new(parts: &[Written]) -> Self {
        let mut all = Self { text: String::new(), pieces: Vec::with_capacity(parts.len()) };
        for (part, written) in parts.iter().enumerate() {
            let origin = Origin::Part { part, offset: 0 };
            if part > 0 {
                let end = parts[part - 1].value.len();
                all.push(" ", Origin::Part { part: part - 1, offset: end });
            }
            all.push(&written.value, origin);
        }
        all
    }

    /// Adds to the end.
    pub(crate) fn push(&mut self, text: &str, origin: Origin) {
        self.pieces.push(Piece { start: self.text.len(), origin });
        self.text.push_str(text);
    }

    /// Puts parentheses around what is there.
    pub(crate) fn parenthesise(&mut self) {
        let first = self.pieces.first().map_or(Origin::Part { part: 0, offset: 0 }, |p| p.origin);
        self.text.insert(0, '(');
        for piece in &mut self.pieces {
            piece.start += 1;
        }
        self.pieces.insert(0, Piece { start: 0, origin: first });
        let last = match self.pieces.last().map(|p| (p.start, p.origin)) {
            Some((start, Origin::Part { part, offset })) => {
                Origin::Part { part, offset: offset + self.text.len() - start }
            }
            Some((_, origin)) => origin,
            None => first,
        };
        self.push(")", last);
    }

    /// Replaces bytes; the edits are in order and apart.
    pub(crate) fn apply(&mut self, edits: &[Edit]) {
        let mut text = String::with_capacity(self.text.len() + edits.iter().map(|e| e.text.len()).sum::<usize>());
        let mut pieces = Vec::with_capacity(self.pieces.len() + 2 * edits.len());
        let mut at = 0;
        for edit in edits {
            self.copy(at, edit.start, &mut text, &mut pieces);
            let origin = match self.origin(edit.name.start) {
                Origin::Part { part, offset } => {
                    let end = offset + edit.name.len();
                    Origin::Item { part, start: offset, end, list: edit.list }
                }
                Origin::Item { part, start, end, .. } => {
                    Origin::Item { part, start, end, list: edit.list }
                }
                made @ Origin::Made(_) => made,
            };
            pieces.push(Piece { start: text.len(), origin });
            text.push_str(&edit.text);
            at = edit.end;
        }
        self.copy(at, self.text.len(), &mut text, &mut pieces);
        self.text = text;
        self.pieces = pieces;
    }

    fn copy(&self, from: usize, to: usize, text: &mut String, pieces: &mut Vec<Piece>) {
        if from >= to {
            return;
        }
        pieces.push(Piece { start: text.len(), origin: self.origin(from) });
        let first = self.pieces.partition_point(|p| p.start <= from);
        for piece in self.pieces[first..].iter().take_while(|p| p.start < to) {
            let start = text.len() + piece.start - from;
            pieces.push(Piece { start, origin: piece.origin });
        }
        text.push_str(&self.text[from..to]);
    }

    /// Where a byte comes from.
    fn origin(&self, at: usize) -> Origin {
        let index = self.pieces.partition_point(|p| p.start <= at).saturating_sub(1);
        match self.pieces.get(index) {
            Some(Piece { start, origin: Origin::Part { part, offset } }) => {
                Origin::Part { part: *part, offset: offset + (at - start.min(&at)) }
            }
            Some(piece) => piece.origin,
            None => Origin::Part { part: 0, offset: 0 },
        }
    }

    /// Where some bytes were written.
    pub(crate) fn find(
        &self,
        parts: &[Written],
        sources: &SourceMap,
        start: usize,
        end: usize,
    ) -> Option<Found> {
        let last = end.max(start + 1) - 1;
        match (self.origin(start), self.origin(last)) {
            (Origin::Part { part, offset }, Origin::Part { part: other, offset: until })
                if part == other =>
            {
                let end = if end > start { until + 1 } else { offset };
                Some(Found { span: parts.get(part)?.span(sources, offset, end), list: None })
            }
            (Origin::Part { part, offset }, _) => {
                // It runs into inserted text: show it up to there.
                let index = self.pieces.partition_point(|p| p.start <= start);
                let stop = self.pieces.get(index).map_or(end, |p| p.start);
                let end = offset + stop.saturating_sub(start);
                Some(Found { span: parts.get(part)?.span(sources, offset, end), list: None })
            }
            (Origin::Item { part, start, end, list }, _) => {
                let span = parts.get(part)?.span(sources, start, end);
                Some(Found { span, list: Some(list) })
            }
            (Origin::Made(span), _) => Some(Found { span, list: None }),
        }
    }
}
