//! A finding in something that a person wrote.

use crate::code::Code;
use crate::source::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The input is refused.
    Error,
    /// The input works, but probably not as meant.
    Warning,
    /// The input works as it says; there is a better way to say it.
    Advice,
}

impl Severity {
    /// `error`, `warning` or `advice`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// A finding: data, not text. [`crate::text`] and [`crate::json`] render it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Our stable code.
    pub code: &'static Code,
    /// The name that Falco gives to the class of the finding, such as `LOAD_ERR_VALIDATE`.
    pub falco_code: Option<&'static str>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one lower-case sentence without a full stop.
    pub message: String,
    /// Where it is wrong, and what to write beneath it.
    pub primary: Option<Label>,
    /// Other places that explain it: the definition of a macro, the first of two equal names.
    pub labels: Vec<Label>,
    /// Further sentences.
    pub notes: Vec<String>,
    /// Edits that would mend it.
    pub suggestions: Vec<Suggestion>,
}

/// A place with a word about it.
#[derive(Clone, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The word; may be empty.
    pub text: String,
}

/// An edit that a tool can make.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// What the edit does.
    pub message: String,
    /// What it replaces.
    pub span: Span,
    /// By what.
    pub replacement: String,
    /// Whether it changes no meaning, so that a tool may make it unasked.
    pub safe: bool,
}

impl Diagnostic {
    /// A finding without a place.
    #[must_use]
    pub fn new(code: &'static Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            falco_code: None,
            severity,
            message: message.into(),
            primary: None,
            labels: Vec::new(),
            notes: Vec::new(),
            suggestions: Vec::new(),
        }
    }

    /// Sets Falco's name of the class.
    #[must_use]
    pub fn falco(mut self, code: &'static str) -> Self {
        self.falco_code = Some(code);
        self
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a sentence.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds an edit.
    #[must_use]
    pub fn suggest(
        mut self,
        span: Span,
        replacement: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let replacement = replacement.into();
        self.suggestions.push(Suggestion {
            message: message.into(),
            span,
            replacement,
            safe: false,
        });
        self
    }

    /// Adds an edit that changes no meaning.
    #[must_use]
    pub fn fix(
        mut self,
        span: Span,
        replacement: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self = self.suggest(span, replacement, message);
        if let Some(last) = self.suggestions.last_mut() {
            last.safe = true;
        }
        self
    }
}
