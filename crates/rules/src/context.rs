//! Where in the rule files an item, key or expression stands, as Falco's results tell it.
//!
//! A context is a path from the file down to the smallest part: `rules content`, `rule`,
//! `rule condition`, `condition expression`. Lines and columns count from 0, and the place inside
//! a condition counts from the condition's beginning as if it had no line breaks or indentation;
//! tools rely on these numbers. The places that people are shown are spans of [`diag`].

use diag::{SourceId, SourceMap, Span};
use serde::Serialize;

use crate::yaml::ScalarPlace;

/// What a step of the path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the results")]
pub enum Item {
    ValueFor,
    Exceptions,
    Exception,
    ExceptionValues,
    ExceptionValue,
    RulesContent,
    RulesContentItem,
    RequiredEngineVersion,
    RequiredPluginVersions,
    RequiredPluginVersionsEntry,
    RequiredPluginVersionsAlternative,
    List,
    ListItem,
    Macro,
    MacroCondition,
    Rule,
    RuleCondition,
    ConditionExpression,
    RuleOutput,
    RulePriority,
    Overrides,
}

impl Item {
    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ValueFor => "value for",
            Self::Exceptions => "exceptions",
            Self::Exception => "exception",
            Self::ExceptionValues => "exception values",
            Self::ExceptionValue => "exception value",
            Self::RulesContent => "rules content",
            Self::RulesContentItem => "rules content item",
            Self::RequiredEngineVersion => "required_engine_version",
            Self::RequiredPluginVersions => "required plugin versions",
            Self::RequiredPluginVersionsEntry => "required plugin versions entry",
            Self::RequiredPluginVersionsAlternative => "required plugin versions alternative",
            Self::List => "list",
            Self::ListItem => "list item",
            Self::Macro => "macro",
            Self::MacroCondition => "macro condition",
            Self::Rule => "rule",
            Self::RuleCondition => "rule condition",
            Self::ConditionExpression => "condition expression",
            Self::RuleOutput => "rule output",
            Self::RulePriority => "rule priority",
            Self::Overrides => "overrides",
        }
    }
}

/// A path to a place.
#[derive(Clone, Debug)]
pub struct Context {
    /// The file.
    pub source: SourceId,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    item: Item,
    name: String,
    place: StepPlace,
}

#[derive(Clone, Debug)]
enum StepPlace {
    /// A byte of the file.
    File { start: usize, end: usize },
    /// A place in a condition.
    Condition(Box<InCondition>),
}

/// A place in a condition: the condition's own text, and the position found by adding the parser's
/// to that of the step above.
#[derive(Clone, Debug)]
struct InCondition {
    text: String,
    offset: usize,
    line: usize,
    column: usize,
}

/// One step, as results print it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The kind of thing.
    pub item_type: &'static str,
    /// Its name, if it has one.
    pub item_name: String,
    /// Where it stands.
    pub position: Position,
}

/// A place, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The file, or the condition in quotes.
    pub name: String,
    /// The line.
    pub line: usize,
    /// The byte in the line.
    pub column: usize,
    /// The byte.
    pub offset: usize,
}

/// Longest excerpt in a result.
const SNIPPET_WIDTH: usize = 160;
const ELLIPSIS: &str = "...";

impl Context {
    /// The whole of a file.
    #[must_use]
    pub fn file(source: SourceId) -> Self {
        let place = StepPlace::File { start: 0, end: 0 };
        Self {
            source,
            steps: vec![Step {
                item: Item::RulesContent,
                name: String::new(),
                place,
            }],
        }
    }

    /// A part of it.
    #[must_use]
    pub fn step(&self, item: Item, name: &str, start: usize, end: usize) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step {
            item,
            name: name.to_owned(),
            place: StepPlace::File { start, end },
        });
        Self {
            source: self.source,
            steps,
        }
    }

    /// A place in a condition. `at` is what the parser says: byte, line and column, the latter two
    /// from 1, or all 0 where a finding is about the whole.
    #[must_use]
    pub fn expression(&self, sources: &SourceMap, text: &str, at: (usize, usize, usize)) -> Self {
        let parent = self.locations(sources).pop().map(|l| l.position);
        let (offset, line, column) = parent.map_or((0, 0, 0), |p| (p.offset, p.line, p.column));
        let mut steps = self.steps.clone();
        steps.push(Step {
            item: Item::ConditionExpression,
            name: String::new(),
            place: StepPlace::Condition(Box::new(InCondition {
                text: text.to_owned(),
                offset: offset + at.0,
                line: line + at.1,
                column: column + at.2,
            })),
        });
        Self {
            source: self.source,
            steps,
        }
    }

    /// The bytes of the innermost step that lies in the file.
    #[must_use]
    pub fn span(&self) -> Span {
        let (start, end) = self
            .steps
            .iter()
            .rev()
            .find_map(|s| match s.place {
                StepPlace::File { start, end } => Some((start, end)),
                StepPlace::Condition(_) => None,
            })
            .unwrap_or((0, 0));
        Span::new(self.source, start, end)
    }

    /// The path as results print it.
    #[must_use]
    pub fn locations(&self, sources: &SourceMap) -> Vec<Location> {
        let source = sources.source(self.source);
        self.steps
            .iter()
            .map(|step| {
                let position = match &step.place {
                    StepPlace::File { start, .. } => {
                        let (line, column) = source.line_and_byte(*start);
                        Position {
                            name: source.name.clone(),
                            line,
                            column,
                            offset: *start,
                        }
                    }
                    StepPlace::Condition(at) => Position {
                        name: abbreviated(&at.text),
                        line: at.line,
                        column: at.column,
                        offset: at.offset,
                    },
                };
                Location {
                    item_type: step.item.name(),
                    item_name: step.name.clone(),
                    position,
                }
            })
            .collect()
    }

    /// The line of the innermost step and a mark below it.
    #[must_use]
    pub fn snippet(&self, sources: &SourceMap) -> String {
        let source = sources.source(self.source);
        match self.steps.last().map(|s| &s.place) {
            Some(StepPlace::Condition(at)) => snippet(&at.text, at.offset),
            Some(StepPlace::File { start, .. }) => snippet(&source.text, *start),
            None => String::new(),
        }
    }
}

/// A condition as the name of a place: in quotes, cut where it is long.
fn abbreviated(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.len() > 20 {
        let mut cut = 17;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        format!("\"{}...\"", &text[..cut])
    } else {
        format!("\"{text}\"")
    }
}

/// The line around a byte, cut to a width, with a mark below. A byte behind the end counts as the
/// last one that is no line break: the numbers of condition expressions regularly point there.
fn snippet(text: &str, offset: usize) -> String {
    let bytes = text.as_bytes();
    let Some(last) = bytes.iter().rposition(|&b| b != b'\n') else {
        return String::new();
    };
    let at = offset.min(last);
    let from = bytes[..at]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |n| n + 1);
    let to = bytes[at..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(bytes.len(), |n| at + n);
    let half = SNIPPET_WIDTH / 2;
    let cut_left = at - from > half;
    let cut_right = to.saturating_sub(at + 1) > half;
    let left = if cut_left {
        at - (half - ELLIPSIS.len())
    } else {
        from
    };
    let right = if cut_right {
        at + 1 + (half - ELLIPSIS.len())
    } else {
        to
    };
    let head = if cut_left { ELLIPSIS } else { "" };
    let tail = if cut_right { ELLIPSIS } else { "" };
    let line = String::from_utf8_lossy(&bytes[left..right.max(left)]);
    format!(
        "{head}{line}{tail}\n{}^\n",
        " ".repeat(at - left + head.len())
    )
}

/// A scalar of a file, with its value: a condition, an output or a part of one.
#[derive(Clone, Debug)]
pub struct Written {
    /// The file.
    pub source: SourceId,
    /// Where in it.
    pub place: ScalarPlace,
    /// The value.
    pub value: String,
}

impl Written {
    /// The bytes of the file behind some bytes of the value.
    #[must_use]
    pub fn span(&self, sources: &SourceMap, start: usize, end: usize) -> Span {
        let text = &sources.source(self.source).text;
        let from = self.place.source_offset(text, &self.value, start);
        let to = if end > start {
            // The end of the last character, not the beginning of the next: between the two may
            // lie a line break and the next line's indentation.
            let last = (start..end).rev().find(|&n| self.value.is_char_boundary(n));
            let at = self
                .place
                .source_offset(text, &self.value, last.unwrap_or(start));
            text.get(at..)
                .and_then(|t| t.chars().next())
                .map_or(at, |c| at + c.len_utf8())
        } else {
            from
        };
        Span::new(self.source, from, to.max(from))
    }
}
