//! The texts that are edited, and positions in them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A text that is edited.
pub(super) struct Document {
    pub(super) uri: String,
    pub(super) text: String,
    pub(super) version: Value,
    /// Columns count bytes instead of UTF-16's units.
    bytes: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Documents {
    all: BTreeMap<String, Document>,
    bytes: bool,
}

impl Documents {
    /// Takes the client's offer of how columns are counted.
    pub(super) fn agree(&mut self, params: &Value) {
        let offered = params["capabilities"]["general"]["positionEncodings"].as_array();
        self.bytes = offered.is_some_and(|all| all.iter().any(|one| one == "utf-8"));
    }

    pub(super) fn encoding(&self) -> &'static str {
        if self.bytes { "utf-8" } else { "utf-16" }
    }

    pub(super) fn put(&mut self, uri: &str, text: String, version: &Value) {
        let document = Document {
            uri: uri.to_owned(),
            text,
            version: version.clone(),
            bytes: self.bytes,
        };
        self.all.insert(uri.to_owned(), document);
    }

    /// The text after a part of it is replaced.
    pub(super) fn replaced(&self, uri: &str, range: &Value, by: &str) -> Option<String> {
        let document = self.all.get(uri)?;
        let (start, end) = (
            document.offset(&range["start"]),
            document.offset(&range["end"]),
        );
        let mut text = document.text.clone();
        text.replace_range(start..end.max(start), by);
        Some(text)
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.all.remove(uri);
    }

    pub(super) fn find(&self, uri: &str) -> Option<&Document> {
        self.all.get(uri)
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Document> {
        self.all.values()
    }
}

impl Document {
    /// The byte of a position; positions past an end count as the end.
    pub(super) fn offset(&self, position: &Value) -> usize {
        let number =
            |key: &str| usize::try_from(position[key].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        let (line, column) = (number("line"), number("character"));
        let mut start = 0;
        for _ in 0..line {
            match self.text[start..].find('\n') {
                Some(end) => start += end + 1,
                None => return self.text.len(),
            }
        }
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |n| start + n);
        let mut units = 0;
        for (at, letter) in self.text[start..end].char_indices() {
            if units >= column {
                return start + at;
            }
            units += if self.bytes {
                letter.len_utf8()
            } else {
                letter.len_utf16()
            };
        }
        end
    }

    /// The position of a byte.
    pub(super) fn position(&self, at: usize) -> Value {
        position(&self.text, at, self.bytes)
    }

    /// The range of some bytes.
    pub(super) fn range(&self, start: usize, end: usize) -> Value {
        json!({"start": self.position(start), "end": self.position(end)})
    }

    /// The range of bytes of another text, counted as in this one.
    pub(super) fn range_in(&self, text: &str, start: usize, end: usize) -> Value {
        json!({"start": position(text, start, self.bytes), "end": position(text, end, self.bytes)})
    }
}

fn position(text: &str, at: usize, bytes: bool) -> Value {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count();
    let column = if bytes {
        at - start
    } else {
        before[start..].encode_utf16().count()
    };
    json!({"line": line, "character": column})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_as_editors_do() {
        let mut documents = Documents::default();
        documents.put("a", "x\n😀é y\n".to_owned(), &Value::Null);
        let document = documents.find("a").unwrap();
        assert_eq!(document.offset(&json!({"line": 1, "character": 2})), 6);
        assert_eq!(document.position(8), json!({"line": 1, "character": 3}));
        assert_eq!(
            document.offset(&json!({"line": 9, "character": 2})),
            document.text.len()
        );
        let range =
            json!({"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}});
        assert_eq!(documents.replaced("a", &range, "z").unwrap(), "x\nz y\n");
        documents.agree(
            &json!({"capabilities": {"general": {"positionEncodings": ["utf-8", "utf-16"]}}}),
        );
        documents.put("a", "é y".to_owned(), &Value::Null);
        assert_eq!(
            documents.find("a").unwrap().position(2),
            json!({"line": 0, "character": 2})
        );
    }
}
