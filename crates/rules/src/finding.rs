//! Findings of a load: diagnostics together with what Falco's result says of them.

use diag::{Code, Diagnostic, Severity, SourceMap, Span};

use crate::context::Context;

/// Falco's names of the classes of findings, and their descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum Class {
    ErrFileRead,
    ErrYamlParse,
    ErrYamlValidate,
    ErrCompileCondition,
    ErrCompileOutput,
    ErrValidate,
    UnknownSource,
    UnsafeNaCheck,
    NoEvtType,
    UnknownFilter,
    UnusedMacro,
    UnusedList,
    UnknownItem,
    DeprecatedItem,
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    CompileCondition,
    UnknownKey,
}

impl Class {
    /// `LOAD_...`
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.texts().0
    }

    /// What the class is about, in a few words.
    #[must_use]
    pub const fn short(self) -> &'static str {
        self.texts().1
    }

    /// `codedesc` of results: the short text for errors, a sentence for warnings.
    #[must_use]
    pub const fn long(self) -> &'static str {
        self.texts().2
    }

    /// Whether the class refuses the file.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Self::ErrFileRead
                | Self::ErrYamlParse
                | Self::ErrYamlValidate
                | Self::ErrCompileCondition
                | Self::ErrCompileOutput
                | Self::ErrValidate
        )
    }

    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ErrFileRead => (
                "LOAD_ERR_FILE_READ",
                "cannot read the file",
                "cannot read the file",
            ),
            Self::ErrYamlParse => ("LOAD_ERR_YAML_PARSE", "not YAML", "not YAML"),
            Self::ErrYamlValidate => (
                "LOAD_ERR_YAML_VALIDATE",
                "an item of the wrong form",
                "an item of the wrong form",
            ),
            Self::ErrCompileCondition => (
                "LOAD_ERR_COMPILE_CONDITION",
                "a condition that does not compile",
                "a condition that does not compile",
            ),
            Self::ErrCompileOutput => (
                "LOAD_ERR_COMPILE_OUTPUT",
                "an output that does not compile",
                "an output that does not compile",
            ),
            Self::ErrValidate => (
                "LOAD_ERR_VALIDATE",
                "items that do not fit together",
                "items that do not fit together",
            ),
            Self::UnknownSource => (
                "LOAD_UNKNOWN_SOURCE",
                "unknown event source",
                "The rule belongs to an event source that is not there, for example because a plugin is not loaded; it is left out.",
            ),
            Self::UnsafeNaCheck => (
                "LOAD_UNSAFE_NA_CHECK",
                "comparison with <NA>",
                "A condition compares with <NA>, which is never the value of the field.",
            ),
            Self::NoEvtType => (
                "LOAD_NO_EVTTYPE",
                "no restriction to event types",
                "A condition lets through so many event types that it is tried on nearly every event, which costs time.",
            ),
            Self::UnknownFilter => (
                "LOAD_UNKNOWN_FILTER",
                "unknown field or event type",
                "A rule uses a field or event type that does not exist; as it asks for it by skip-if-unknown-filter, it is left out.",
            ),
            Self::UnusedMacro => (
                "LOAD_UNUSED_MACRO",
                "unused macro",
                "No rule and no macro uses the macro.",
            ),
            Self::UnusedList => (
                "LOAD_UNUSED_LIST",
                "unused list",
                "No rule, macro or list uses the list.",
            ),
            Self::UnknownItem => (
                "LOAD_UNKNOWN_ITEM",
                "unknown kind of item",
                "The rules content has an item of a kind that does not exist; it is ignored.",
            ),
            Self::DeprecatedItem => (
                "LOAD_DEPRECATED_ITEM",
                "deprecated item",
                "A rule, macro or list uses something that will go away.",
            ),
            Self::AppendNoValues => (
                "LOAD_APPEND_NO_VALUES",
                "appended without values",
                "An exception is appended to, or overridden, with no values.",
            ),
            Self::ExceptionNameNotUnique => (
                "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
                "exceptions of the same name",
                "A rule has several exceptions of the same name.",
            ),
            Self::InvalidMacroName => (
                "LOAD_INVALID_MACRO_NAME",
                "invalid macro name",
                "The macro's name cannot be used in conditions.",
            ),
            Self::InvalidListName => (
                "LOAD_INVALID_LIST_NAME",
                "invalid list name",
                "The list's name can be misread in conditions.",
            ),
            Self::CompileCondition => (
                "LOAD_COMPILE_CONDITION",
                "doubtful condition",
                "A condition compiles but probably does not mean what it says.",
            ),
            Self::UnknownKey => (
                "LOAD_UNKNOWN_KEY",
                "unknown key",
                "An item has a key that its kind does not know; it is ignored. It may be misspelt or belong to another item.",
            ),
        }
    }
}

/// A finding of a load.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What people are shown.
    pub diagnostic: Diagnostic,
    /// Falco's class; `None` where Falco says nothing.
    pub class: Option<Class>,
    /// The place as Falco's result tells it.
    pub context: Context,
    /// The field that a deprecation is about.
    pub deprecated_field: Option<String>,
}

impl Finding {
    /// A finding at the innermost place of its context.
    #[must_use]
    pub fn new(
        code: &'static Code,
        class: Class,
        context: &Context,
        message: impl Into<String>,
    ) -> Self {
        let severity = if class.is_error() {
            Severity::Error
        } else {
            Severity::Warning
        };
        let diagnostic = Diagnostic::new(code, severity, message)
            .falco(class.name())
            .at(context.span(), "");
        Self {
            diagnostic,
            class: Some(class),
            context: context.clone(),
            deprecated_field: None,
        }
    }

    /// A warning that Falco does not have.
    #[must_use]
    pub fn own(code: &'static Code, context: &Context, message: impl Into<String>) -> Self {
        let diagnostic = Diagnostic::new(code, Severity::Warning, message).at(context.span(), "");
        Self {
            diagnostic,
            class: None,
            context: context.clone(),
            deprecated_field: None,
        }
    }

    /// Points somewhere else than the context does.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.at(span, text);
        self
    }

    /// Changes the diagnostic.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Diagnostic) -> Diagnostic) -> Self {
        self.diagnostic = change(self.diagnostic);
        self
    }

    /// Whether it refuses the file.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }

    /// As text.
    #[must_use]
    pub fn text(&self, sources: &SourceMap, colour: bool) -> String {
        diag::text::render(sources, &self.diagnostic, colour)
    }
}
