//! A file written anew from its tree.

use rules::yaml::{Kind, NodeId, Style, Tree};

use super::comments::Comment;
use super::{WIDTH, condition};

/// See the module.
pub(super) struct Writer<'t> {
    text: &'t str,
    tree: &'t Tree<'t>,
    comments: &'t [Comment],
    /// The next comment.
    next: usize,
    out: String,
    /// End of what was written last, in the old text.
    last: usize,
    /// Columns of the collections that were open last: in the old text and in the new.
    columns: Vec<(usize, usize)>,
    /// Condition of a rule or macro: its words may be laid out.
    in_item: bool,
    /// The bytes of all scalars.
    scalars: Vec<(usize, usize)>,
}

/// What cannot be written anew; the item stays as it was.
struct Rare;

type Written = Result<(), Rare>;

impl<'t> Writer<'t> {
    pub(super) fn new(text: &'t str, tree: &'t Tree<'t>, comments: &'t [Comment]) -> Self {
        Self {
            text,
            tree,
            comments,
            next: 0,
            out: String::with_capacity(text.len()),
            last: 0,
            columns: Vec::new(),
            in_item: false,
            scalars: super::comments::scalars(tree),
        }
    }

    /// The whole file.
    pub(super) fn file(mut self, root: NodeId) -> Option<String> {
        let head = self.text.trim_start_matches('\u{feff}');
        if head.len() != self.text.len() {
            return None;
        }
        // A marker before the first document stays; any other is beyond this.
        let start = self.tree.node(root).start;
        let marks = self
            .text
            .lines()
            .filter(|line| {
                line.starts_with("---") || line.starts_with("...") || line.starts_with('%')
            })
            .count();
        let marked = self
            .text
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let marked = marked.is_some_and(|line| line.trim_end() == "---");
        if marks > usize::from(marked) {
            // Inside of a block scalar it would be a text, which is rare enough.
            return None;
        }
        if marked {
            self.comments_before(self.text.find("---")?, 0, 0, false);
            self.out.push_str("---\n");
            self.last = self.text.find("---")? + 3;
        }
        match &self.tree.node(root).kind {
            Kind::Sequence(items) if self.is_block(root) => {
                for &item in items {
                    self.item(item)?;
                }
            }
            Kind::Mapping(entries) if self.is_block(root) => {
                self.columns = vec![(self.column(start), 0)];
                let saved = self.next;
                if self.mapping(entries, 0, false).is_err() {
                    self.next = saved;
                    return None;
                }
            }
            _ => return None,
        }
        self.comments_before(self.text.len(), 0, 0, true);
        while self.out.ends_with("\n\n") {
            self.out.pop();
        }
        Some(self.out)
    }

    fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |n| n + 1)
    }

    fn is_block(&self, id: NodeId) -> bool {
        let start = self.tree.node(id).start;
        !self.text[start..].starts_with(['[', '{'])
    }

    /// An element of the file's list.
    fn item(&mut self, item: NodeId) -> Option<()> {
        let (start, end) = (self.tree.node(item).start, self.tree.node(item).end);
        // The dash stands before the node, and comments may stand between.
        let dash = self.last + self.text[self.last..start].rfind('-')?;
        let first = self.out.is_empty() || self.out == "---\n";
        let said = self.comments_before(dash, self.column(dash), 0, !first);
        if !first && !said && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
        let (saved, length) = (self.next, self.out.len());
        let written = match &self.tree.node(item).kind {
            Kind::Mapping(entries) if self.is_block(item) && !self.is_rare(dash + 1, end) => {
                self.out.push_str("- ");
                self.in_item = true;
                self.columns = vec![(self.column(dash), 0), (self.column(start), 2)];
                self.mapping(entries, 2, true)
            }
            _ => Err(Rare),
        };
        if written.is_err() {
            self.next = saved;
            self.out.truncate(length);
            self.as_it_was(dash, end);
        }
        Some(())
    }

    /// Whether something else than blanks, commas, colons, dashes and brackets stands between the values and comments.
    fn is_rare(&self, start: usize, end: usize) -> bool {
        let mut at = start;
        let within = |all: &[(usize, usize)]| -> Vec<(usize, usize)> {
            let first = all.partition_point(|&(from, _)| from < start);
            all[first..]
                .iter()
                .take_while(|&&(from, _)| from < end)
                .copied()
                .collect()
        };
        let mut spans = within(&self.scalars);
        let first = self
            .comments
            .partition_point(|comment| comment.start < start);
        spans.extend(
            self.comments[first..]
                .iter()
                .take_while(|comment| comment.start < end)
                .map(|comment| (comment.start, comment.end)),
        );
        spans.sort_unstable();
        for (from, to) in spans.into_iter().chain([(end, end)]) {
            if from > at
                && self.text[at..from]
                    .contains(|c: char| !c.is_ascii_whitespace() && !"-:,[]{}~".contains(c))
            {
                let gap = self.text[at..from].trim();
                if !matches!(gap, ": null" | ": Null" | ": NULL") {
                    return true;
                }
            }
            at = at.max(to);
        }
        false
    }

    /// The old lines, without blanks at their ends where that is no part of a value.
    fn as_it_was(&mut self, start: usize, end: usize) {
        let column = self.column(start);
        let mut end = end.max(start);
        // The rest of the line, a comment perhaps.
        end += self.text[end..].find('\n').unwrap_or(self.text.len() - end);
        // An item that was indented moves to the left with all its lines.
        for (number, line) in self.text[start..end].split('\n').enumerate() {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let line = if number == 0 {
                line
            } else {
                &line[column.min(blanks)..]
            };
            self.out.push_str(line.trim_end_matches('\r'));
            self.out.push('\n');
        }
        while self
            .comments
            .get(self.next)
            .is_some_and(|comment| comment.start < end)
        {
            self.next += 1;
        }
        self.last = end;
        self.columns.truncate(1);
    }

    /// Writes the comments that stand alone before a byte, at which something of `column` begins that is now indented by
    /// `indent`. A blank line before each is kept; `apart` asks for one before the first. Whether there was any.
    fn comments_before(&mut self, at: usize, column: usize, indent: usize, apart: bool) -> bool {
        let mut any = false;
        while let Some(&comment) = self
            .comments
            .get(self.next)
            .filter(|comment| comment.start < at)
        {
            let own = self.column(comment.start);
            let place = self
                .columns
                .iter()
                .copied()
                .chain([(column, indent)])
                .filter(|&(old, _)| old <= own)
                .max_by_key(|&(old, new)| (old, new))
                .map_or(indent, |(_, new)| new);
            let apart = (apart && !any && place == 0) || self.blank_before(comment.start);
            self.blank_line(apart);
            self.out.extend(std::iter::repeat_n(' ', place));
            self.out
                .push_str(self.text[comment.start..comment.end].trim_end());
            self.out.push('\n');
            self.last = comment.end;
            self.next += 1;
            any = true;
        }
        if any {
            let apart = self.blank_before(at);
            self.blank_line(apart && at < self.text.len());
        }
        any
    }

    fn blank_line(&mut self, wanted: bool) {
        if wanted && !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Whether a blank line stands before the line of a byte.
    fn blank_before(&self, at: usize) -> bool {
        let line = self.text[..at].rfind('\n').unwrap_or(0);
        let before = self.text[..line].rfind('\n').map_or(0, |n| n + 1);
        line > 0 && self.text[before..line].trim().is_empty()
    }

    /// Ends a line, with the comment that stands behind its value.
    fn end_line(&mut self, at: usize) {
        self.last = self.last.max(at);
        if let Some(&comment) = self.comments.get(self.next)
            && !comment.alone
            && comment.start >= at
            && !self.text[at..comment.start].contains('\n')
        {
            self.out.push(' ');
            self.out
                .push_str(self.text[comment.start..comment.end].trim_end());
            self.last = comment.end;
            self.next += 1;
        }
        self.out.push('\n');
    }

    fn raw(&self, id: NodeId) -> &'t str {
        let node = self.tree.node(id);
        self.text.get(node.start..node.end).unwrap_or_default()
    }

    /// Keys and values; the first one in the line that is begun, if `begun`.
    fn mapping(&mut self, entries: &[(NodeId, NodeId)], indent: usize, begun: bool) -> Written {
        for (number, &(key, value)) in entries.iter().enumerate() {
            let start = self.tree.node(key).start;
            let name = self.raw(key);
            if name.contains('\n') || name.is_empty() || !self.is_after(start) {
                return Err(Rare);
            }
            if number > 0 || !begun {
                let column = self.column(start);
                let said = self.comments_before(start, column, indent, false);
                if number > 0 && !said && self.blank_before(start) {
                    self.blank_line(true);
                }
                self.out.extend(std::iter::repeat_n(' ', indent));
            } else if self
                .comments
                .get(self.next)
                .is_some_and(|comment| comment.start < start)
            {
                return Err(Rare);
            }
            self.out.push_str(name);
            self.out.push(':');
            self.last = self.tree.node(key).end;
            let is_condition =
                self.in_item && indent == 2 && self.tree.text(key) == Some("condition");
            self.value(value, indent, is_condition)?;
        }
        Ok(())
    }

    /// A value that stands before what was written comes from elsewhere.
    fn is_after(&self, start: usize) -> bool {
        start >= self.last
    }

    /// What stands behind a key's colon.
    fn value(&mut self, id: NodeId, indent: usize, is_condition: bool) -> Written {
        let node = self.tree.node(id);
        match &node.kind {
            Kind::Null => {
                let raw = self.raw(id);
                if !raw.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(raw);
                }
                let end = if raw.is_empty() {
                    self.last + 1
                } else {
                    node.end
                };
                self.end_line(end.min(self.text.len()));
                Ok(())
            }
            _ if !self.is_after(node.start) => Err(Rare),
            Kind::Scalar(scalar) => {
                let style = scalar.style;
                self.key_comment(node.start)?;
                self.out.push(' ');
                match style {
                    Style::Literal | Style::Folded => {
                        let value = if is_condition {
                            Some(&*scalar.value)
                        } else {
                            None
                        };
                        self.block(id, indent + 2, value)
                    }
                    _ => self.inline(id, indent + 2),
                }
            }
            Kind::Sequence(all) if self.is_block(id) => {
                self.end_line(self.last + 1);
                self.sequence(all, indent + 2)
            }
            Kind::Mapping(all) if self.is_block(id) => {
                self.end_line(self.last + 1);
                self.columns.push((self.column(node.start), indent + 2));
                self.in_item = false;
                let written = self.mapping(all, indent + 2, false);
                self.in_item = true;
                written
            }
            Kind::Sequence(_) | Kind::Mapping(_) => {
                self.key_comment(node.start)?;
                self.out.push(' ');
                self.flow(id)
            }
        }
    }

    /// A comment between a key and its value has no place in the new line.
    fn key_comment(&self, start: usize) -> Written {
        match self.comments.get(self.next) {
            Some(comment) if comment.start < start => Err(Rare),
            _ => Ok(()),
        }
    }

    fn sequence(&mut self, all: &[NodeId], indent: usize) -> Written {
        for (number, &element) in all.iter().enumerate() {
            let node = self.tree.node(element);
            if !self.is_after(node.start) || matches!(node.kind, Kind::Null) {
                return Err(Rare);
            }
            let dash = self.text[self.last..node.start].rfind('-').ok_or(Rare)? + self.last;
            let said = self.comments_before(dash, self.column(dash), indent, false);
            if number == 0 {
                self.columns.push((self.column(dash), indent));
            }
            if !said && self.blank_before(dash) && number > 0 {
                self.blank_line(true);
            }
            self.key_comment(node.start)?;
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.out.push_str("- ");
            match &node.kind {
                Kind::Scalar(scalar) => match scalar.style {
                    Style::Literal | Style::Folded => self.block(element, indent + 2, None)?,
                    _ => self.inline(element, indent + 2)?,
                },
                Kind::Mapping(entries) if self.is_block(element) => {
                    let depth = self.columns.len();
                    self.columns.push((self.column(node.start), indent + 2));
                    let item = std::mem::replace(&mut self.in_item, false);
                    let written = self.mapping(entries, indent + 2, true);
                    self.in_item = item;
                    written?;
                    self.columns.truncate(depth.max(1));
                    self.columns.push((self.column(node.start), indent + 2));
                }
                Kind::Sequence(_) if self.is_block(element) => return Err(Rare),
                _ => self.flow(element)?,
            }
        }
        Ok(())
    }

    /// A plain or quoted text; its further lines are indented.
    fn inline(&mut self, id: NodeId, indent: usize) -> Written {
        let raw = self.raw(id);
        for (number, line) in raw.split('\n').enumerate() {
            let shown = if number == 0 { line } else { line.trim_start() };
            let trimmed = shown.trim_end();
            if number > 0 {
                self.out.push('\n');
                if !trimmed.is_empty() {
                    self.out.extend(std::iter::repeat_n(' ', indent));
                }
            }
            if trimmed.ends_with('\\') && trimmed.len() != shown.len() {
                return Err(Rare);
            }
            self.out.push_str(trimmed);
        }
        self.end_line(self.tree.node(id).end);
        Ok(())
    }

    /// A text behind `|` or `>`.
    fn block(&mut self, id: NodeId, indent: usize, condition: Option<&str>) -> Written {
        let node = self.tree.node(id);
        let raw = self.text.get(node.start..node.end).ok_or(Rare)?;
        let (header, body) = raw.split_once('\n').ok_or(Rare)?;
        let sign = header.split('#').next().unwrap_or_default().trim();
        if sign.contains(|c: char| c.is_ascii_digit() || c == '+') || raw.contains('\r') {
            return Err(Rare);
        }
        self.out.push_str(header.trim_end());
        self.out.push('\n');
        if let Some(lines) = condition.and_then(|text| condition::lines(text, WIDTH - indent)) {
            for line in lines {
                self.out.extend(std::iter::repeat_n(' ', indent));
                self.out.push_str(&line);
                self.out.push('\n');
            }
        } else {
            let first = body
                .lines()
                .find(|line| !line.trim().is_empty())
                .ok_or(Rare)?;
            let old = first.len() - first.trim_start_matches(' ').len();
            for line in body.split('\n') {
                let blanks = line.len() - line.trim_start_matches(' ').len();
                let rest = &line[blanks.min(old)..];
                if !rest.is_empty() {
                    self.out.extend(std::iter::repeat_n(' ', indent));
                    self.out.push_str(rest);
                }
                self.out.push('\n');
            }
        }
        self.last = self.last.max(node.end);
        Ok(())
    }

    /// A list or mapping in brackets: in one line, or filled lines below its first element.
    fn flow(&mut self, id: NodeId) -> Written {
        let node = self.tree.node(id);
        if self
            .comments
            .get(self.next)
            .is_some_and(|comment| comment.start < node.end)
        {
            return Err(Rare);
        }
        let parts = self.parts(id)?;
        let line = self.out.rfind('\n').map_or(0, |n| n + 1);
        let column = self.out.len() - line + 1;
        let (open, close) = if self.text[node.start..].starts_with('{') {
            ('{', '}')
        } else {
            ('[', ']')
        };
        self.out.push(open);
        let mut at = column;
        for (number, part) in parts.iter().enumerate() {
            // The comma or the bracket behind it.
            let needs = part.chars().count() + 1 + usize::from(number > 0);
            if number > 0 && at + needs > WIDTH {
                self.out.push('\n');
                self.out.extend(std::iter::repeat_n(' ', column));
                at = column;
            } else if number > 0 {
                self.out.push(' ');
                at += 1;
            }
            self.out.push_str(part);
            at += part.chars().count();
            if number + 1 < parts.len() {
                self.out.push(',');
                at += 1;
            }
        }
        self.out.push(close);
        self.end_line(node.end);
        Ok(())
    }

    /// The elements of brackets, each in one line.
    fn parts(&self, id: NodeId) -> Result<Vec<String>, Rare> {
        match &self.tree.node(id).kind {
            Kind::Sequence(all) => all.iter().map(|&one| self.part(one)).collect(),
            Kind::Mapping(all) => all
                .iter()
                .map(|&(key, value)| Ok(format!("{}: {}", self.part(key)?, self.part(value)?)))
                .collect(),
            _ => Err(Rare),
        }
    }

    fn part(&self, id: NodeId) -> Result<String, Rare> {
        let raw = self.raw(id);
        match &self.tree.node(id).kind {
            _ if !self.is_after(self.tree.node(id).start) => Err(Rare),
            Kind::Scalar(_) if !raw.contains('\n') && !raw.is_empty() => Ok(raw.to_owned()),
            Kind::Sequence(_) if raw.starts_with('[') => {
                Ok(format!("[{}]", self.parts(id)?.join(", ")))
            }
            Kind::Mapping(_) if raw.starts_with('{') => {
                Ok(format!("{{{}}}", self.parts(id)?.join(", ")))
            }
            _ => Err(Rare),
        }
    }
}
