//! The keys of each kind of item, and what is said about others.

use diag::nearest::nearest;

use super::{Reader, Refused, invalid};
use crate::code;
use crate::context::{Context, Item};
use crate::finding::{Class, Finding};
use crate::yaml::NodeId;

/// Keys that say what an item is.
pub(super) const KINDS: &[&str] = &[
    "rule",
    "macro",
    "list",
    "required_engine_version",
    "required_plugin_versions",
];

pub(super) const ENGINE: &[&str] = &["required_engine_version"];
pub(super) const PLUGINS: &[&str] = &["required_plugin_versions"];
pub(super) const LIST: &[&str] = &["list", "items", "append", "override"];
pub(super) const MACRO: &[&str] = &["macro", "condition", "append", "override"];
pub(super) const RULE: &[&str] = &[
    "rule",
    "condition",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "capture_before",
    "append",
    "override",
    // Tests of the rule; nothing here reads them.
    "tests",
    // Ours too; see `stateful`.
    "sequence",
    "threshold",
    "first_seen",
];

/// Keys that make a rule remember; a rule has one of them at most.
pub(super) const STATEFUL: &[&str] = &["sequence", "threshold", "first_seen"];
pub(super) const SEQUENCE: &[&str] = &["by", "within", "steps", "until"];
pub(super) const STEP: &[&str] = &["step", "condition", "by"];
pub(super) const THRESHOLD: &[&str] = &["at_least", "distinct", "sum", "by", "within"];
pub(super) const FIRST_SEEN: &[&str] = &["fields", "per", "learn"];

pub(super) const LIST_OVERRIDES: &[&str] = &["items"];
pub(super) const MACRO_OVERRIDES: &[&str] = &["condition"];
pub(super) const RULE_APPENDS: &[&str] = &["condition", "output", "desc", "tags", "exceptions"];
pub(super) const RULE_REPLACES: &[&str] = &[
    "condition",
    "output",
    "desc",
    "priority",
    "tags",
    "exceptions",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "capture_before",
    "sequence",
    "threshold",
    "first_seen",
];

/// What `override` asks for.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// Keys to append to.
    pub(crate) append: Vec<String>,
    /// Keys to replace.
    pub(crate) replace: Vec<String>,
}

impl Overrides {
    pub(crate) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.append.iter().chain(&self.replace).any(|k| k == key)
    }
}

/// A word that a condition can use for a macro.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A word that stands for itself in a condition.
pub(super) fn is_bare(name: &str) -> bool {
    !name.contains(|c: char| "()\"'=,".contains(c) || c.is_ascii_whitespace() || c == '\u{b}')
}

impl Reader<'_, '_> {
    /// Warns of keys that stand twice.
    pub(super) fn warn_repeated(&mut self, item: NodeId, file: &Context) {
        let entries = self.tree.entries(item);
        for (n, &(key, _)) in entries.iter().enumerate() {
            let Some(name) = self.tree.text(key) else {
                continue;
            };
            let first = entries[..n]
                .iter()
                .find(|(k, _)| self.tree.text(*k) == Some(name));
            if let Some(&(first, _)) = first {
                let (here, there) = (self.span(key), self.span(first));
                self.findings.push(
                    Finding::own(
                        &code::REPEATED_KEY,
                        file,
                        format!("key `{name}` stands twice"),
                    )
                    .at(here, "ignored")
                    .with(|d| d.label(there, "this one counts")),
                );
            }
        }
    }

    /// Warns of keys that the kind of item does not know.
    pub(super) fn warn_unknown(&mut self, item: NodeId, known: &[&str], context: &Context) {
        for &(key, _) in self.tree.entries(item) {
            let name = self.tree.text(key).unwrap_or_default();
            if known.contains(&name) {
                continue;
            }
            let span = self.span(key);
            let mut finding = Finding::new(
                &code::UNKNOWN_KEY,
                Class::UnknownKey,
                context,
                format!("unknown key `{name}`; it is ignored"),
            )
            .at(span, "");
            if let Some(near) = nearest(name, known.iter().copied()) {
                finding =
                    finding.with(|d| d.suggest(span, near, format!("there is a key `{near}`")));
            }
            self.findings.push(finding);
        }
    }

    /// `append`, with the warning that it is old.
    pub(super) fn append_flag(&mut self, item: NodeId, context: &Context) -> Refused<bool> {
        let append = self.boolean(item, "append", context)?.unwrap_or(false);
        if append {
            let span = self.key_span(item, "append");
            self.findings.push(
                Finding::new(
                    &code::OLD_APPEND,
                    Class::DeprecatedItem,
                    context,
                    "`append: true` is deprecated",
                )
                .at(span, "")
                .with(|d| d.note("say what is appended: `override: {condition: append}`")),
            );
        }
        Ok(append)
    }

    pub(super) fn not_both(
        &self,
        append: bool,
        overrides: &Overrides,
        context: &Context,
    ) -> Refused<()> {
        if append && !overrides.is_empty() {
            return Err(invalid(
                &code::APPEND_AND_OVERRIDE,
                context,
                "`append: true` and `override` cannot stand in one item",
            ));
        }
        Ok(())
    }

    /// `override`. Anything but a mapping with entries counts as absent.
    pub(super) fn overrides(
        &self,
        item: NodeId,
        appends: &[&str],
        replaces: &[&str],
        context: &Context,
    ) -> Refused<Overrides> {
        let mut overrides = Overrides::default();
        let Some(value) = self.tree.value(item, "override") else {
            return Ok(overrides);
        };
        let step = self.step(context, Item::Overrides, "", item);
        for &(key, operation) in self.tree.entries(value) {
            let (name, text) = (
                self.tree.text(key).unwrap_or_default(),
                self.tree.text(operation).unwrap_or_default(),
            );
            let refuse = |node, message: String| {
                let mut finding = invalid(&code::BAD_OVERRIDE, &step, message);
                finding.diagnostic = finding.diagnostic.at(self.span(node), "");
                Err(finding)
            };
            let (allowed, list) = match text {
                "append" => (appends, &mut overrides.append),
                "replace" => (replaces, &mut overrides.replace),
                _ => {
                    let allowed = if appends.contains(&name) {
                        "`append` and `replace`"
                    } else {
                        "`replace`"
                    };
                    return refuse(
                        operation,
                        format!("`{text}` cannot be done to `{name}`; possible: {allowed}"),
                    );
                }
            };
            if !allowed.contains(&name) {
                let way = if text == "append" && replaces.contains(&name) {
                    format!("`{name}` can only be replaced, not appended to")
                } else if text == "append" {
                    format!("`{name}` cannot be appended to")
                } else {
                    format!("`{name}` cannot be replaced")
                };
                return refuse(key, way);
            }
            if !list.iter().any(|k| k == name) {
                list.push(name.to_owned());
            }
        }
        Ok(overrides)
    }
}
