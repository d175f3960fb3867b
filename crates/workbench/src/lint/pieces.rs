//! The conditions of rule files as they are written, with their places.

use diag::{SourceId, Span};
use filter::Ast;
use rules::yaml::{self, Kind, Limits, NodeId, ScalarPlace, Tree};

/// A file.
pub struct File<'t> {
    /// Its number among the sources that diagnostics point into.
    pub id: SourceId,
    /// What it holds.
    pub text: &'t str,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A list.
    List,
    /// A macro.
    Macro,
    /// A rule.
    Rule,
}

/// An item of a rule file.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub thing: Thing,
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The whole item.
    pub span: Span,
    /// Its condition.
    pub condition: Option<Written>,
    /// The conditions of its steps, and what ends them.
    pub steps: Vec<Written>,
    /// Its output.
    pub output: Option<Written>,
    /// The items of a list, with their places.
    pub items: Vec<(String, Span)>,
    /// Whether it changes something that is defined elsewhere.
    pub changes: bool,
    /// Codes that a comment says are to be left alone here.
    pub allowed: Vec<String>,
}

/// A text of an item.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its value.
    pub value: String,
    place: ScalarPlace,
    file: SourceId,
}

impl Written {
    /// Bytes of the value as bytes of the file.
    #[must_use]
    pub fn span(&self, text: &str, start: usize, end: usize) -> Span {
        let from = self.place.source_offset(text, &self.value, start);
        // The end of the last byte, so that what stands between lines is left out.
        let to = match end.checked_sub(1).filter(|&last| last >= start) {
            Some(last) => {
                let last = (0..=last)
                    .rev()
                    .find(|&at| self.value.is_char_boundary(at))
                    .unwrap_or(0);
                let width = self.value[last..].chars().next().map_or(1, char::len_utf8);
                self.place.source_offset(text, &self.value, last) + width
            }
            None => from,
        };
        Span::new(self.file, from, to.clamp(from, text.len().max(from)))
    }

    /// Bytes of the file from the first to the last of the value.
    #[must_use]
    pub fn whole(&self) -> Span {
        Span::new(self.file, self.place.start, self.place.end)
    }

    /// The byte of the value that a byte of the file became, if it is inside.
    #[must_use]
    pub fn offset_of(&self, text: &str, at: usize) -> Option<usize> {
        if at < self.place.start || at > self.place.end {
            return None;
        }
        // Offsets grow with each other.
        let (mut low, mut high) = (0, self.value.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.place.source_offset(text, &self.value, middle) < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    /// The condition as it is written: lists and macros are names. With an appended part it begins somewhere; `shift` is
    /// where the text begins in what was parsed.
    #[must_use]
    pub fn parse(&self) -> Option<(Ast, usize)> {
        let options = filter::ParseOptions::for_rules(filter::SourceId(0));
        if let Ok(ast) = filter::parse_with(&self.value, options) {
            return Some((ast, 0));
        }
        let begin = "appended ";
        let ast = filter::parse_with(&format!("{begin}{}", self.value), options).ok()?;
        Some((ast, begin.len()))
    }
}

/// The items of a file; none if it is no YAML.
#[must_use]
pub fn items(file: &File<'_>) -> Vec<Item> {
    let Ok(tree) = yaml::parse(file.text, &Limits::default()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut before = 0;
    for &document in &tree.documents {
        let Kind::Sequence(all) = &tree.node(document).kind else {
            continue;
        };
        for &id in all {
            found.extend(item(file, &tree, id, before));
            before = tree.node(id).end;
        }
    }
    found
}

fn item(file: &File<'_>, tree: &Tree<'_>, id: NodeId, before: usize) -> Option<Item> {
    let (thing, name) = [
        ("list", Thing::List),
        ("macro", Thing::Macro),
        ("rule", Thing::Rule),
    ]
    .into_iter()
    .find_map(|(key, thing)| Some((thing, tree.value(id, key)?)))?;
    let node = tree.node(id);
    let span = |node: NodeId| Span::new(file.id, tree.node(node).start, tree.node(node).end);
    let written_in = |id: NodeId, key: &str| {
        let node = tree.value(id, key)?;
        Some(Written {
            value: tree.text(node)?.to_owned(),
            place: ScalarPlace::of(tree, node),
            file: file.id,
        })
    };
    let written = |key: &str| written_in(id, key);
    let mut steps = Vec::new();
    if let Some(sequence) = tree.value(id, "sequence") {
        if let Some(Kind::Sequence(all)) = tree
            .value(sequence, "steps")
            .map(|all| &tree.node(all).kind)
        {
            let each = all.iter();
            steps.extend(each.filter_map(|&step| written_in(step, "condition")));
        }
        steps.extend(written_in(sequence, "until"));
    }
    let items = match tree.value(id, "items").map(|items| &tree.node(items).kind) {
        Some(Kind::Sequence(all)) => all
            .iter()
            .filter_map(|&one| Some((tree.text(one)?.to_owned(), span(one))))
            .collect(),
        _ => Vec::new(),
    };
    let around = file
        .text
        .get(before.min(node.start)..node.end)
        .unwrap_or_default();
    Some(Item {
        thing,
        name: tree.text(name)?.to_owned(),
        name_span: span(name),
        span: span(id),
        condition: written("condition"),
        steps,
        output: written("output"),
        items,
        changes: ["append", "override"]
            .iter()
            .any(|key| tree.value(id, key).is_some()),
        allowed: allowed(around),
    })
}

/// The codes behind `# peregrine: allow`.
fn allowed(text: &str) -> Vec<String> {
    let comments = text
        .lines()
        .filter_map(|line| line.split_once("# peregrine: allow"));
    comments
        .flat_map(|(_, codes)| {
            codes
                .split([' ', ','])
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|code| code.starts_with('P'))
        .collect()
}
