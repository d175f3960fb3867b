//! A YAML text that is changed in places and else left as it was written, comments included.

use std::ops::Range;

use config::tree::Entry;
use diag::Span;

/// Changes of a text.
pub(super) struct Rewrite<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'t> Rewrite<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            text,
            edits: Vec::new(),
        }
    }

    /// Puts a text in the place of what stands there.
    pub(super) fn replace(&mut self, at: Option<Span>, by: impl Into<String>) {
        if let Some(at) = at {
            self.edits.push((at.start..at.end, by.into()));
        }
    }

    /// Makes comments of a top-level entry's lines, with a reason above them and `after` below.
    pub(super) fn comment_out(&mut self, entry: &Entry, reason: &str, after: &str) {
        let Some(key) = entry.key_at else { return };
        let begin = self.text[..key.start].rfind('\n').map_or(0, |at| at + 1);
        if begin != key.start {
            // A map in one line, or an indented one: the whole is not ours to cut.
            return;
        }
        let mut end = begin;
        let mut kept = begin;
        for (n, line) in self.text[begin..].split_inclusive('\n').enumerate() {
            let belongs = n == 0
                || line.starts_with([' ', '\t'])
                || line.starts_with("- ")
                || line.trim() == "-";
            if !belongs && !line.trim().is_empty() && !line.starts_with('#') {
                break;
            }
            end += line.len();
            if belongs && !line.trim().is_empty() {
                kept = end;
            }
        }
        let mut by: String = reason.lines().map(|line| format!("# {line}\n")).collect();
        for line in self.text[begin..kept].lines() {
            by.push_str(format!("# {line}").trim_end());
            by.push('\n');
        }
        by.push_str(after);
        self.edits.push((begin..kept, by));
    }

    /// The text with all changes; of two that overlap the first one counts.
    pub(super) fn finish(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        for (range, by) in self.edits {
            if range.start < done {
                continue;
            }
            out.push_str(&self.text[done..range.start]);
            out.push_str(&by);
            done = range.end;
        }
        out.push_str(&self.text[done..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use config::Node;

    use super::*;

    #[test]
    fn an_entry_becomes_a_comment_and_the_rest_stays() {
        let text = "# head\na: 1\ngrpc: # why\n  x: 1\n\n  # inside\n  y: [1,\n    2]\n\n# of b\nb:\n- 2\n";
        let mut sources = diag::SourceMap::new();
        let id = sources.add("f", text);
        let tree = Node::parse(text, Some(id)).unwrap();
        let mut rewrite = Rewrite::of(text);
        let entries = tree.entries().unwrap();
        rewrite.comment_out(&entries[1], "no use", "new: 1\n");
        rewrite.replace(entries[0].value.at, "7");
        assert_eq!(
            rewrite.finish(),
            "# head\na: 7\n# no use\n# grpc: # why\n#   x: 1\n#\n#   # inside\n#   y: [1,\n#     2]\nnew: 1\n\n# of b\nb:\n- 2\n"
        );
    }
}
