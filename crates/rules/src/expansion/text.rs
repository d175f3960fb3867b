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
    Item {
        part: usize,
        start: usize,
        end: usize,
        list: usize,
    },
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

impl Assembled {
    /// The parts of a condition, joined by blanks.
    pub(crate) fn new(parts: &[Written]) -> Self {
        let mut all = Self {
            text: String::new(),
            pieces: Vec::with_capacity(parts.len()),
        };
        for (part, written) in parts.iter().enumerate() {
            let origin = Origin::Part { part, offset: 0 };
            if part > 0 {
                let end = parts[part - 1].value.len();
                all.push(
                    " ",
                    Origin::Part {
                        part: part - 1,
                        offset: end,
                    },
                );
            }
            all.push(&written.value, origin);
        }
        all
    }

    /// Adds to the end.
    pub(crate) fn push(&mut self, text: &str, origin: Origin) {
        self.pieces.push(Piece {
            start: self.text.len(),
            origin,
        });
        self.text.push_str(text);
    }

    /// Puts parentheses around what is there.
    pub(crate) fn parenthesise(&mut self) {
        let first = self
            .pieces
            .first()
            .map_or(Origin::Part { part: 0, offset: 0 }, |p| p.origin);
        self.text.insert(0, '(');
        for piece in &mut self.pieces {
            piece.start += 1;
        }
        self.pieces.insert(
            0,
            Piece {
                start: 0,
                origin: first,
            },
        );
        let last = match self.pieces.last().map(|p| (p.start, p.origin)) {
            Some((start, Origin::Part { part, offset })) => Origin::Part {
                part,
                offset: offset + self.text.len() - start,
            },
            Some((_, origin)) => origin,
            None => first,
        };
        self.push(")", last);
    }

    /// Where a byte comes from.
    fn origin(&self, at: usize) -> Origin {
        let index = self
            .pieces
            .partition_point(|p| p.start <= at)
            .saturating_sub(1);
        match self.pieces.get(index) {
            Some(Piece {
                start,
                origin: Origin::Part { part, offset },
            }) => Origin::Part {
                part: *part,
                offset: offset + (at - start.min(&at)),
            },
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
            (
                Origin::Part { part, offset },
                Origin::Part {
                    part: other,
                    offset: until,
                },
            ) if part == other => {
                let end = if end > start { until + 1 } else { offset };
                Some(Found {
                    span: parts.get(part)?.span(sources, offset, end),
                    list: None,
                })
            }
            (Origin::Part { part, offset }, _) => {
                // It runs into inserted text: show it up to there.
                let index = self.pieces.partition_point(|p| p.start <= start);
                let stop = self.pieces.get(index).map_or(end, |p| p.start);
                let end = offset + stop.saturating_sub(start);
                Some(Found {
                    span: parts.get(part)?.span(sources, offset, end),
                    list: None,
                })
            }
            (
                Origin::Item {
                    part,
                    start,
                    end,
                    list,
                },
                _,
            ) => {
                let span = parts.get(part)?.span(sources, start, end);
                Some(Found {
                    span,
                    list: Some(list),
                })
            }
            (Origin::Made(span), _) => Some(Found { span, list: None }),
        }
    }
}

/// A text that is made from another one by inserting lists.
pub(crate) struct Rewrite<'t> {
    from: &'t Assembled,
    to: Assembled,
}

impl<'t> Rewrite<'t> {
    /// Nothing yet.
    pub(crate) fn new(from: &'t Assembled) -> Self {
        let to = Assembled {
            text: String::with_capacity(from.text.len()),
            pieces: Vec::new(),
        };
        Self { from, to }
    }

    /// What is there so far.
    pub(crate) fn text(&self) -> &str {
        &self.to.text
    }

    /// Copies bytes of the old text.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let pieces = &self.from.pieces;
        let shift = self.to.text.len();
        self.to.pieces.push(Piece {
            start: shift,
            origin: self.from.origin(from),
        });
        let first = pieces.partition_point(|p| p.start <= from);
        for piece in pieces[first..].iter().take_while(|p| p.start < to) {
            let start = shift + piece.start - from;
            self.to.pieces.push(Piece {
                start,
                origin: piece.origin,
            });
        }
        self.to.text.push_str(&self.from.text[from..to]);
    }

    /// Takes bytes away from the end.
    pub(crate) fn cut(&mut self, length: usize) {
        self.to.text.truncate(length);
        while self.to.pieces.last().is_some_and(|p| p.start > length) {
            self.to.pieces.pop();
        }
    }

    /// Inserts what stands for a name of the old text.
    pub(crate) fn insert(&mut self, text: &str, name: std::ops::Range<usize>, list: usize) {
        let origin = match self.from.origin(name.start) {
            Origin::Part { part, offset } => Origin::Item {
                part,
                start: offset,
                end: offset + name.len(),
                list,
            },
            Origin::Item {
                part, start, end, ..
            } => Origin::Item {
                part,
                start,
                end,
                list,
            },
            made @ Origin::Made(_) => made,
        };
        self.to.push(text, origin);
    }

    /// The new text.
    pub(crate) fn finish(self) -> Assembled {
        self.to
    }
}
