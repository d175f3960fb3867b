//! Known differences: cases in which we differ from the recorded result, each with its reason.
//!
//! They lie in `tests/known-differences/KIND.txt`. A line that starts in the first column is the id
//! of a case, in which `*` stands for any text; the indented lines below it are the reason. Lines
//! that start with `#`, and empty ones, say nothing:
//!
//! ```text
//! # How the original prints a bare flag.
//! libs-sample/evt.args
//!     The original prints left-over bytes after an empty data parameter.
//! ```
//!
//! An entry that meets cases, none of which differs any more, is stale, and [`crate::Tally`] counts it
//! as a failure. An entry that meets no case at all says nothing: the corpus at hand has no such case.

use std::path::Path;

use crate::corpus;

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDifference {
    /// Id of the case; `*` stands for any text.
    pub pattern: String,
    /// Why the difference is right, or cannot be known.
    pub reason: String,
}

/// The list of one kind of cases.
#[derive(Clone, Debug, Default)]
pub struct KnownDifferences {
    entries: Vec<KnownDifference>,
}

impl KnownDifferences {
    /// The list `tests/known-differences/KIND.txt` of this workspace; empty if there is none.
    ///
    /// # Panics
    /// When the list is not well-formed: a mistake in it must not hide a failure.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        let file = format!("tests/known-differences/{kind}.txt");
        Self::read(&corpus::workspace_root().join(file))
    }

    /// The list in a file; empty if there is no such file.
    ///
    /// # Panics
    /// When the list is not well-formed.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let Ok(text) = std::fs::read_to_string(path) else {
            return Self::default();
        };
        match Self::parse(&text) {
            Ok(list) => list,
            Err(fault) => panic!("{}: {fault}", path.display()),
        }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// An entry without a reason, or a reason without an entry.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<KnownDifference> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let words = line.trim();
            if words.is_empty() || line.starts_with('#') {
                continue;
            }
            if !line.starts_with([' ', '\t']) {
                entries.push(KnownDifference {
                    pattern: words.to_owned(),
                    reason: String::new(),
                });
                continue;
            }
            let Some(entry) = entries.last_mut() else {
                return Err(format!("line {}: a reason without a case", number + 1));
            };
            if !entry.reason.is_empty() {
                entry.reason.push(' ');
            }
            entry.reason.push_str(words);
        }
        // Several cases in a row share the reason below them.
        let mut shared = String::new();
        for entry in entries.iter_mut().rev() {
            if entry.reason.is_empty() {
                entry.reason.clone_from(&shared);
            } else {
                shared.clone_from(&entry.reason);
            }
            if entry.reason.is_empty() {
                return Err(format!("`{}` has no reason", entry.pattern));
            }
        }
        Ok(Self { entries })
    }

    /// The entries, in the list's order.
    #[must_use]
    pub fn entries(&self) -> &[KnownDifference] {
        &self.entries
    }

    /// The place of the first entry that meets a case.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|e| matches(&e.pattern, id))
    }
}

/// True if `text` is `pattern`, in which `*` stands for any text.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().expect("split gives at least one part");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else {
                return false;
            };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn cases_in_a_row_share_a_reason() {
        let list = KnownDifferences::parse("# x\none\ntwo/*\n  because\n  of that\n").unwrap();
        assert_eq!(list.entries().len(), 2);
        assert_eq!(list.entries()[0].reason, "because of that");
        assert_eq!(list.position("two/three"), Some(1));
        assert_eq!(list.position("three"), None);
    }

    #[test]
    fn an_entry_needs_a_reason() {
        KnownDifferences::parse("one\n").unwrap_err();
        KnownDifferences::parse("  because\n").unwrap_err();
    }
}
