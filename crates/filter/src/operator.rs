//! The words of the language: operators, modifiers, transformers.

use std::fmt;

/// What a check does with its left side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `exists`
    Exists,
    /// `=`
    Equal,
    /// `==`, the same as `=` but for its spelling.
    DoubleEqual,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `glob`
    Glob,
    /// `iglob`
    IGlob,
    /// `contains`
    Contains,
    /// `icontains`
    IContains,
    /// `bcontains`
    BContains,
    /// `startswith`
    StartsWith,
    /// `bstartswith`
    BStartsWith,
    /// `endswith`
    EndsWith,
    /// `regex`
    Regex,
    /// `intersects`
    Intersects,
    /// `in`
    In,
    /// `pmatch`
    PMatch,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Exists,
        Self::Equal,
        Self::DoubleEqual,
        Self::NotEqual,
        Self::Less,
        Self::LessEqual,
        Self::Greater,
        Self::GreaterEqual,
        Self::Glob,
        Self::IGlob,
        Self::Contains,
        Self::IContains,
        Self::BContains,
        Self::StartsWith,
        Self::BStartsWith,
        Self::EndsWith,
        Self::Regex,
        Self::Intersects,
        Self::In,
        Self::PMatch,
    ];

    /// The one that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.text() == text)
    }

    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Equal => "=",
            Self::DoubleEqual => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Glob => "glob",
            Self::IGlob => "iglob",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::BContains => "bcontains",
            Self::StartsWith => "startswith",
            Self::BStartsWith => "bstartswith",
            Self::EndsWith => "endswith",
            Self::Regex => "regex",
            Self::Intersects => "intersects",
            Self::In => "in",
            Self::PMatch => "pmatch",
        }
    }

    /// Whether it takes a list on its right side without a modifier.
    #[must_use]
    pub const fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Intersects | Self::PMatch)
    }

    /// Whether a modifier (`anyof`) and a list may stand on its right side.
    #[must_use]
    pub const fn takes_modifier(self) -> bool {
        !self.takes_list()
            && !matches!(
                self,
                Self::Exists | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual
            )
    }

    /// `=` or `==`.
    #[must_use]
    pub const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::DoubleEqual)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How many elements of a right-side list must satisfy the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Modifier {
    /// Exactly one; equal elements count each.
    OneOf,
    /// At least one.
    AnyOf,
    /// All, and there is at least one.
    AllOf,
}

impl Modifier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneOf, Self::AnyOf, Self::AllOf];

    /// The one that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.text() == text)
    }

    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        }
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A transformer: a function of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// The field itself; only directly on the right side.
    Val,
    /// ASCII lower case.
    ToLower,
    /// ASCII upper case.
    ToUpper,
    /// Decodes base64.
    B64,
    /// Text after the last slash.
    Basename,
    /// Number of elements or bytes.
    Len,
    /// Elements joined by a separator.
    Join,
    /// Texts one after the other.
    Concat,
    /// Options of a command line.
    Getopt,
}

impl Function {
    /// All but `val`, in the order in which the lexer tries them.
    pub const LEFT: [Self; 8] = [
        Self::ToLower,
        Self::ToUpper,
        Self::B64,
        Self::Basename,
        Self::Len,
        Self::Join,
        Self::Concat,
        Self::Getopt,
    ];

    /// The one that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let all = Self::LEFT.into_iter().chain([Self::Val]);
        all.into_iter().find(|one| one.text() == text)
    }

    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::B64 => "b64",
            Self::Basename => "basename",
            Self::Len => "len",
            Self::Join => "join",
            Self::Concat => "concat",
            Self::Getopt => "getopt",
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
