//! The checked rule set: what the engine runs and the listings show.

use diag::Span;
use filter::Ast;

use crate::codes::CodeSet;
use crate::priority::Priority;
use crate::stateful::Stateful;

/// Everything that was loaded, in order of first definition.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Rules that compiled, enabled or not. Rules of unknown sources are not among them.
    pub rules: Vec<Rule>,
    /// Macros.
    pub macros: Vec<Macro>,
    /// Lists.
    pub lists: Vec<List>,
    /// The greatest engine version that any file asked for.
    pub required_engine_version: Option<String>,
    /// Plugins that the files ask for.
    pub required_plugin_versions: Vec<PluginRequirement>,
}

/// A rule whose lists, macros and exceptions are expanded and which compiles.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the set.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The condition as written, appended parts included.
    pub condition: String,
    /// The condition with lists, macros and exceptions inserted. The source numbers of its parts
    /// say where they come from: number `n` is the `n`-th of [`RuleSet::macros`]; numbers from
    /// their count on are the rule's own text.
    pub ast: Ast,
    /// The output as written, appended parts of rule files included.
    pub output: String,
    /// The template to render: [`output`](Self::output) with what the configuration appends.
    pub output_template: String,
    /// Fields that JSON alerts carry besides those of the template.
    pub extra_fields: Vec<ExtraField>,
    /// Its urgency.
    pub priority: Priority,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// The event source.
    pub source: String,
    /// Whether the rule files enable it; selection may change it.
    pub enabled: bool,
    /// Whether a match starts a capture.
    pub capture: bool,
    /// How long that capture lasts, in milliseconds; 0 leaves it to the configuration.
    pub capture_duration: u32,
    /// How many milliseconds from before the match belong to it; 0 leaves it to the configuration.
    pub capture_before: u32,
    /// Exceptions, as translated into the condition.
    pub exceptions: Vec<Exception>,
    /// Event codes on which the condition can hold; all of them where nothing restricts it.
    pub event_codes: CodeSet,
    /// System calls that must be collected for it.
    pub syscall_codes: CodeSet,
    /// What the files did to it, in their order; the first definition comes first.
    pub origins: Vec<Origin>,
    /// What it remembers from event to event. [`ast`](Self::ast) then says which events can matter to
    /// it at all; one that meets it has not fired the rule yet.
    pub stateful: Option<Stateful>,
}

impl Rule {
    /// Whether its condition, its output or what it remembers speaks of one of these fields, or of one whose name
    /// has theirs in it. A text of the output that looks like one counts.
    #[must_use]
    pub fn speaks_of(&self, fields: &[&str]) -> bool {
        let named = |text: &str| fields.iter().any(|field| text.contains(field));
        let checks = self.ast.checks().map(|(_, check)| check);
        let mut checked = checks.flat_map(|check| check.fields());
        checked.any(|field| named(&field.text()))
            || named(&self.output_template)
            || named(&self.output)
            || self
                .extra_fields
                .iter()
                .any(|extra| named(&extra.key) || extra.format.as_deref().is_some_and(named))
            || self
                .stateful
                .as_ref()
                .is_some_and(|stateful| named(&stateful.identity()))
    }
}

/// An item of a rule file that made or changed a rule, macro or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The item.
    pub span: Span,
    /// What it did.
    pub change: Change,
}

/// What an item did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Defined it, for the first time or anew: what was before does not count any more.
    Defined,
    /// Appended to these keys.
    Appended(Vec<&'static str>),
    /// Replaced these keys.
    Replaced(Vec<&'static str>),
    /// Switched it on or off, and nothing else.
    Switched(bool),
}

/// A field of JSON alerts that the configuration adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraField {
    /// Key in `output_fields`.
    pub key: String,
    /// Template whose text is the value; `None` for the typed value of the field `key`.
    pub format: Option<String>,
}

/// A named exception of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its name.
    pub name: String,
    /// Left sides of its comparisons.
    pub fields: Vec<String>,
    /// Their operators, one for each field.
    pub comparisons: Vec<String>,
    /// Whether it has values, without which it adds nothing to the condition.
    pub used: bool,
}

/// A macro.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Its name.
    pub name: String,
    /// The condition as written.
    pub condition: String,
    /// The condition with lists inserted, macros not.
    pub parsed: Option<Ast>,
    /// The condition with lists and macros inserted; `None` if it does not compile.
    pub ast: Option<Ast>,
    /// Whether anything refers to it.
    pub used: bool,
    /// What the files did to it.
    pub origins: Vec<Origin>,
}

/// A list.
#[derive(Clone, Debug)]
pub struct List {
    /// Its name.
    pub name: String,
    /// Its items as written.
    pub items: Vec<String>,
    /// Its items with references to other lists resolved one level deep.
    pub expanded: Vec<String>,
    /// Whether anything refers to it.
    pub used: bool,
    /// What the files did to it.
    pub origins: Vec<Origin>,
}

/// One of several plugins must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRequirement {
    /// Accepted plugins, preferred first.
    pub alternatives: Vec<PluginVersion>,
}

/// A plugin and its least version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// Its name.
    pub name: String,
    /// The version, `x.y.z`.
    pub version: String,
}
