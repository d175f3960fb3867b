//! Cuts a stream of bytes into JSON documents: one a line, or spread over several lines.
//!
//! A document ends where its outermost bracket closes; a line that begins no object or array is a document of its own.
//! What is plainly broken ends at once: a string that goes over a line's end, a bracket that no value can begin with. A
//! reader to whom a piece of several lines makes no sense takes it line by line ([`lines`]), so that a broken line costs
//! itself and not its neighbours.

use memchr::memchr;

/// Gathers bytes and hands out documents.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were looked at.
    seen: usize,
    depth: usize,
    string: bool,
    escape: bool,
    /// The last byte that is no blank.
    last: u8,
    limit: usize,
    /// The document grew beyond the limit: the rest of its line is thrown away.
    skipping: bool,
    line: u64,
    /// Line on which the document in the buffer begins.
    first: u64,
}

/// What the splitter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that ought to be a document, and the line on which they begin, counted from 1.
    Document(u64, Vec<u8>),
    /// A document that is larger than the limit, by its first line.
    TooLarge(u64),
}

impl Splitter {
    /// A splitter for documents of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            seen: 0,
            depth: 0,
            string: false,
            escape: false,
            last: 0,
            limit,
            skipping: false,
            line: 1,
            first: 1,
        }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete document.
    pub fn next_piece(&mut self) -> Option<Piece> {
        while self.seen < self.buffer.len() {
            if self.skipping {
                let end = memchr(b'\n', &self.buffer)?;
                self.drop_front(end);
                self.skipping = false;
                continue;
            }
            let byte = self.buffer[self.seen];
            if self.seen == 0 && byte.is_ascii_whitespace() {
                self.line += u64::from(byte == b'\n');
                let blanks = self.buffer.iter().take_while(|b| b.is_ascii_whitespace());
                let (mut count, mut lines) = (0, 0);
                for &blank in blanks {
                    count += 1;
                    lines += u64::from(blank == b'\n');
                }
                self.line += lines - u64::from(byte == b'\n');
                self.buffer.drain(..count);
                self.first = self.line;
                continue;
            }
            self.seen += 1;
            if self.seen > self.limit {
                let line = self.first;
                self.reset();
                self.skipping = true;
                let kept = self.buffer.len();
                if memchr(b'\n', &self.buffer).is_none() {
                    self.drop_front(kept);
                }
                return Some(Piece::TooLarge(line));
            }
            if let Some(piece) = self.byte(byte) {
                return Some(piece);
            }
        }
        if self.skipping {
            // Nothing of an oversized line is kept.
            self.buffer.clear();
            self.seen = 0;
        }
        None
    }

    /// What is left at the end of the stream.
    pub fn finish(&mut self) -> Option<Piece> {
        if let Some(piece) = self.next_piece() {
            return Some(piece);
        }
        let rest = self.buffer.len();
        self.cut(rest)
    }

    fn byte(&mut self, byte: u8) -> Option<Piece> {
        if byte == b'\n' {
            self.line += 1;
            // No string goes over a line's end.
            if self.string || self.depth == 0 {
                return self.cut(self.seen);
            }
            return None;
        }
        if self.string {
            match byte {
                _ if self.escape => self.escape = false,
                b'\\' => self.escape = true,
                b'"' => self.string = false,
                _ => {}
            }
            return None;
        }
        let last = self.last;
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        match byte {
            b'"' => self.string = true,
            b'{' | b'[' if self.depth > 0 && !matches!(last, b'[' | b',' | b':') => {
                return self.cut(self.seen - 1);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 && matches!(self.buffer[0], b'{' | b'[') && !self.line_goes_on()
                {
                    return self.cut(self.seen);
                }
            }
            _ => {}
        }
        None
    }

    /// Whether something else than a bracket of a new document follows on the line: it belongs to this one, which is broken.
    fn line_goes_on(&self) -> bool {
        let rest = &self.buffer[self.seen..];
        let next = rest.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        next.is_some_and(|b| !matches!(b, b'\n' | b'{' | b'['))
    }

    fn reset(&mut self) {
        (self.seen, self.depth, self.string, self.escape, self.last) = (0, 0, false, false, 0);
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.seen = 0;
    }

    /// The first `end` bytes as a document, if they are more than blanks.
    fn cut(&mut self, end: usize) -> Option<Piece> {
        let line = self.first;
        let mut document: Vec<u8> = self.buffer.drain(..end).collect();
        self.reset();
        self.first = self.line;
        let blanks = document
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        document.truncate(document.len() - blanks);
        (!document.is_empty()).then_some(Piece::Document(line, document))
    }
}

/// The lines of a piece that begins on line `first`, each a document perhaps.
pub fn lines(first: u64, piece: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let lines = piece.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    (first..).zip(lines).filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(chunks: &[&str], limit: usize) -> Vec<String> {
        let mut splitter = Splitter::new(limit);
        let mut out = Vec::new();
        let mut note = |piece| {
            out.push(match piece {
                Piece::Document(line, text) => format!("{line}:{}", String::from_utf8_lossy(&text)),
                Piece::TooLarge(line) => format!("{line}!"),
            });
        };
        for chunk in chunks {
            splitter.push(chunk.as_bytes());
            while let Some(piece) = splitter.next_piece() {
                note(piece);
            }
        }
        while let Some(piece) = splitter.finish() {
            note(piece);
        }
        out
    }

    #[test]
    fn lines_and_spread_documents() {
        let text = "{\"a\":\"}\\\"\"}\n\n{\n \"b\": [\n1]}\n5E5555\n{\"c\":1} {\"d\":2}\n";
        let wanted = [
            "1:{\"a\":\"}\\\"\"}",
            "3:{\n \"b\": [\n1]}",
            "6:5E5555",
            "7:{\"c\":1}",
            "7:{\"d\":2}",
        ];
        assert_eq!(pieces(&[text], 100), wanted);
        for cut in 1..text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(
                pieces(&[a, b], 100).concat().replace("7:{", "{"),
                wanted.concat().replace("7:{", "{")
            );
        }
    }

    #[test]
    fn a_broken_line_costs_itself() {
        let text = "{\"kind\":1\n{\"kind\":1}\n\"unclosed\n{\"kind\":2}\n";
        assert_eq!(
            pieces(&[text], 100),
            [
                "1:{\"kind\":1",
                "2:{\"kind\":1}",
                "3:\"unclosed",
                "4:{\"kind\":2}"
            ]
        );
        let split: Vec<_> = lines(4, b"{\"a\":\n \n{\"b\":1}").collect();
        assert_eq!(split, [(4, &b"{\"a\":"[..]), (6, b"{\"b\":1}")]);
    }

    #[test]
    fn oversized_documents_are_passed_over() {
        let long = format!("[{}]\n{{\"a\":1}}\n", "1,".repeat(100));
        assert_eq!(pieces(&[&long], 20), ["1!", "2:{\"a\":1}"]);
        let halves = long.split_at(150);
        assert_eq!(pieces(&[halves.0, halves.1], 20), ["1!", "2:{\"a\":1}"]);
    }

    #[test]
    fn the_end_without_newline() {
        assert_eq!(pieces(&["{\"kind\": 0}"], 100), ["1:{\"kind\": 0}"]);
        assert_eq!(pieces(&["{\"kind\": 0"], 100), ["1:{\"kind\": 0"]);
    }
}
