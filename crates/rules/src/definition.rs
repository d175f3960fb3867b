//! Definitions as read from the files, before anything is expanded or checked against fields.

use diag::Span;

use crate::context::{Context, Written};
use crate::priority::Priority;
use crate::stateful::definition::StatefulDef;

/// Where in the order of things a definition stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Order {
    /// Counts first definitions: the order of evaluation.
    pub index: u32,
    /// Counts all changes: what was first defined before it can be seen.
    pub visibility: u32,
}

/// A text of the files and its place.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// A list.
#[derive(Clone, Debug)]
pub struct ListDef {
    /// Its name.
    pub name: String,
    /// Its items.
    pub items: Vec<Text>,
    /// Where it is defined.
    pub context: Context,
    /// Its order.
    pub order: Order,
}

/// A condition: one text, and those that were appended.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The texts; a blank joins them.
    pub parts: Vec<Written>,
    /// Where the first one stands.
    pub context: Context,
}

impl Condition {
    /// The whole.
    #[must_use]
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|p| p.value.as_str()).collect();
        parts.join(" ")
    }
}

/// A macro.
#[derive(Clone, Debug)]
pub struct MacroDef {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub condition: Condition,
    /// Where it is defined.
    pub context: Context,
    /// Its order.
    pub order: Order,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct RuleDef {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub context: Context,
    /// Its order.
    pub order: Order,
    /// Its condition.
    pub condition: Condition,
    /// Its output.
    pub output: String,
    /// Where the output stands.
    pub output_context: Context,
    /// The output as written, to point into it; several when appended to.
    pub output_parts: Vec<Written>,
    /// Its description.
    pub description: String,
    /// Its priority.
    pub priority: Priority,
    /// Its event source.
    pub source: String,
    /// Whether that source is not there.
    pub unknown_source: bool,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether to warn when it lets through too many event types.
    pub warn_evttypes: bool,
    /// Whether to leave it out when it uses unknown fields.
    pub skip_if_unknown: bool,
    /// Whether a match starts a capture.
    pub capture: bool,
    /// For how many milliseconds.
    pub capture_duration: u32,
    /// And for how many before it.
    pub capture_before: u32,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Its exceptions.
    pub exceptions: Vec<ExceptionDef>,
    /// What it remembers.
    pub stateful: Option<StatefulDef>,
}

/// What an item with `append` or `override` changes in a rule.
#[derive(Clone, Debug)]
pub struct RuleUpdate {
    /// The rule's name.
    pub name: String,
    /// Where the item stands.
    pub context: Context,
    /// The source, if it names one.
    pub source: Option<String>,
    /// Its condition.
    pub condition: Option<Condition>,
    /// Its output and where it stands.
    pub output: Option<(Written, Context)>,
    /// Its description.
    pub description: Option<String>,
    /// Its priority.
    pub priority: Option<Priority>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// Its exceptions.
    pub exceptions: Option<Vec<ExceptionDef>>,
    /// `enabled`
    pub enabled: Option<bool>,
    /// `warn_evttypes`
    pub warn_evttypes: Option<bool>,
    /// `skip-if-unknown-filter`
    pub skip_if_unknown: Option<bool>,
    /// `capture`
    pub capture: Option<bool>,
    /// `capture_duration`
    pub capture_duration: Option<u32>,
    /// `capture_before`
    pub capture_before: Option<u32>,
    /// `sequence`, `threshold` or `first_seen`
    pub stateful: Option<StatefulDef>,
}

impl RuleUpdate {
    /// An update that changes nothing yet.
    #[must_use]
    pub fn new(name: &str, context: &Context) -> Self {
        Self {
            name: name.to_owned(),
            context: context.clone(),
            source: None,
            condition: None,
            output: None,
            description: None,
            priority: None,
            tags: None,
            exceptions: None,
            enabled: None,
            warn_evttypes: None,
            skip_if_unknown: None,
            capture: None,
            capture_duration: None,
            capture_before: None,
            stateful: None,
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.condition.is_none()
            && self.output.is_none()
            && self.description.is_none()
            && self.priority.is_none()
            && self.tags.is_none()
            && self.exceptions.is_none()
            && self.enabled.is_none()
            && self.warn_evttypes.is_none()
            && self.skip_if_unknown.is_none()
            && self.capture.is_none()
            && self.capture_duration.is_none()
            && self.capture_before.is_none()
            && self.stateful.is_none()
    }
}

/// An exception as written.
#[derive(Clone, Debug)]
pub struct ExceptionDef {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub context: Context,
    /// `fields`
    pub fields: Option<Entry>,
    /// `comps`
    pub comparisons: Option<Entry>,
    /// `values`
    pub values: Vec<Entry>,
}

/// A text, or a list of such.
#[derive(Clone, Debug)]
pub enum Entry {
    /// One text.
    One(Text),
    /// Several, possibly lists again.
    Many(Vec<Entry>, Span),
}

impl Entry {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::One(text) => text.span,
            Self::Many(_, span) => *span,
        }
    }

    /// The elements of a list; nothing for a single text.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::One(_) => &[],
            Self::Many(all, _) => all,
        }
    }

    /// The single text; an empty one for a list.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::One(text) => &text.value,
            Self::Many(..) => "",
        }
    }
}

/// A group of plugins of which one must be there.
#[derive(Clone, Debug)]
pub struct PluginGroup {
    /// The plugins, preferred first: name and least version.
    pub alternatives: Vec<(String, Version)>,
    /// Where it is asked for.
    pub context: Context,
}

/// Three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// Compatible ones.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

impl Version {
    /// A version of three numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads `x.y.z`; a suffix after `-` or `+`, as semantic versions may have one, is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.split(['-', '+']).next()?;
        let mut parts = core.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        });
        let version = Self::new(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }

    /// Whether this version serves where `required` is asked for.
    #[must_use]
    pub fn serves(self, required: Self) -> bool {
        self.major == required.major && self >= required
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
