//! Lists of what there is: fields, events, ignored system calls.

pub mod events;
pub mod fields;
pub mod ignored;
pub mod wrap;

/// Form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

impl Form {
    /// Reads the value of `--format`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}
