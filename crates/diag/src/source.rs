//! Named source texts, spans in them, and lines and columns.

use std::sync::Arc;

/// Number of a text in a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// Bytes `start..end` of a source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A span of a text.
    #[must_use]
    pub const fn new(source: SourceId, start: usize, end: usize) -> Self {
        Self { source, start, end }
    }
}

/// A place as people count: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// The texts that diagnostics point into.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Arc<Source>>,
}

/// A named text.
#[derive(Debug)]
pub struct Source {
    /// What people call it, mostly a path.
    pub name: String,
    /// The text.
    pub text: String,
    line_starts: Vec<usize>,
}

impl SourceMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text. Names need not differ.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).expect("fewer than 2^32 texts"));
        self.sources
            .push(Arc::new(Source::new(name.into(), text.into())));
        id
    }

    /// The text behind a number of this map.
    ///
    /// # Panics
    /// If the number comes from another map.
    #[must_use]
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// The numbers of all texts, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..self.sources.len()).map(|id| SourceId(id as u32))
    }

    /// Line and column of a byte.
    #[must_use]
    pub fn place(&self, id: SourceId, offset: usize) -> Place {
        self.source(id).place(offset)
    }
}

impl Source {
    fn new(name: String, text: String) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(
            text.bytes()
                .enumerate()
                .filter(|&(_, b)| b == b'\n')
                .map(|(offset, _)| offset + 1),
        );
        Self {
            name,
            text,
            line_starts,
        }
    }

    /// Line and column of a byte; bytes past the end count as the end.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place {
        let offset = self.floor(offset);
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts[line - 1];
        Place {
            line,
            column: self.text[start..offset].chars().count() + 1,
        }
    }

    /// Line and byte within the line, both from 0.
    #[must_use]
    pub fn line_and_byte(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start <= offset) - 1;
        (line, offset - self.line_starts[line])
    }

    /// The nearest character boundary at or before `offset`.
    #[must_use]
    pub fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The line that holds a byte, without its end.
    #[must_use]
    pub fn line_at(&self, offset: usize) -> &str {
        let place = self.place(offset);
        let start = self.line_starts[place.line - 1];
        let end = self
            .line_starts
            .get(place.line)
            .map_or(self.text.len(), |&next| next - 1);
        self.text[start..end].trim_end_matches('\r')
    }
}

#[cfg(test)]
mod tests {
    use super::SourceMap;

    #[test]
    fn places() {
        let mut map = SourceMap::new();
        let id = map.add("a", "one\nzwö lf\r\n\nx");
        assert_eq!((map.place(id, 0).line, map.place(id, 0).column), (1, 1));
        assert_eq!((map.place(id, 3).line, map.place(id, 3).column), (1, 4));
        assert_eq!((map.place(id, 4).line, map.place(id, 4).column), (2, 1));
        assert_eq!(map.place(id, 9).column, 5, "columns count characters");
        assert_eq!((map.place(id, 99).line, map.place(id, 99).column), (4, 2));
        assert_eq!(map.source(id).line_at(5), "zwö lf");
        assert_eq!(map.source(id).line_at(13), "");
    }
}
