//! The fields of a rule: those of its source, and what it keeps of earlier events.
//!
//! `download.fd.name` is `fd.name` of the event that was the step `download`. What the rule itself
//! measured bears the name of its key: `threshold.value`. All of them are one number with the name as
//! argument ([`KEPT`]); they are looked up when an alert is written or a step compared, never for
//! every event.

use filter::{Argument, FieldDef, FieldRef, Lifetime, Quantifier, ResolveError, Schema, Type};

use super::{KEPT, Kind};
use crate::ruleset::Rule;

/// What a rule measures itself, by key: name, type, meaning.
pub const MEASURED: [(&str, Type, bool, &str); 6] = [
    (
        "sequence.duration",
        Type::RelTime,
        false,
        "Nanoseconds from the first step to the last.",
    ),
    (
        "threshold.value",
        Type::Uint64,
        false,
        "What the window held: events, different values, or the sum.",
    ),
    (
        "threshold.total",
        Type::Uint64,
        false,
        "Events that counted for these `by` values since their last alert.",
    ),
    (
        "threshold.duration",
        Type::RelTime,
        false,
        "Nanoseconds from the first event in the window to the one that fired.",
    ),
    (
        "threshold.values",
        Type::CharBuf,
        true,
        "The latest different values, at most eight.",
    ),
    (
        "first_seen.known",
        Type::Uint64,
        false,
        "Combinations that the rule knows, this one included.",
    ),
];

/// What is known of an alert besides its event: name, type, list, meaning. For outputs only.
pub const TOLD: [(&str, Type, bool, &str); 4] = [
    (
        "alert.id",
        Type::CharBuf,
        false,
        "The alert's id: 16 hexadecimal digits, the same whenever these events are replayed.",
    ),
    (
        "incident.id",
        Type::CharBuf,
        false,
        "Id of the first alert of the process tree that this one belongs to.",
    ),
    (
        "incident.earlier",
        Type::CharBuf,
        true,
        "Ids of the tree's latest alerts before this one, the oldest first.",
    ),
    (
        "incident.number",
        Type::Uint64,
        false,
        "The how manyth alert of its incident this one is.",
    ),
];

/// The fields that a rule's conditions and output may name.
pub struct RuleSchema<'s> {
    inner: &'s dyn Schema,
    steps: Vec<&'s str>,
    key: Option<&'static str>,
    /// Whether it is for outputs.
    whole: bool,
}

impl<'s> RuleSchema<'s> {
    /// Those of a rule of a source with this schema.
    #[must_use]
    pub fn new(rule: &'s Rule, inner: &'s dyn Schema) -> Self {
        let kind = rule.stateful.as_ref().map(|stateful| &stateful.kind);
        let steps = match kind {
            Some(Kind::Sequence { steps, .. }) => {
                steps.iter().map(|step| step.name.as_str()).collect()
            }
            _ => Vec::new(),
        };
        let key = rule.stateful.as_ref().map(super::Stateful::key);
        Self {
            whole: true,
            ..Self::of(inner, key, steps)
        }
    }

    /// Those of a step that comes after these.
    #[must_use]
    pub fn of(inner: &'s dyn Schema, key: Option<&'static str>, steps: Vec<&'s str>) -> Self {
        Self {
            inner,
            steps,
            key,
            whole: false,
        }
    }
}

/// A name of a step, and the field behind it.
#[must_use]
pub fn split<'t>(text: &'t str, steps: &[&str]) -> Option<(usize, &'t str)> {
    let (step, field) = text.split_once('.')?;
    Some((steps.iter().position(|name| *name == step)?, field))
}

impl Schema for RuleSchema<'_> {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let kept = FieldRef {
            id: KEPT,
            arg: Argument::Key(text.into()),
        };
        if let Some((_, field)) = split(text, &self.steps) {
            let def = self.inner.resolve(field)?;
            if def.filter_only || def.quantifier != Quantifier::One {
                return Err(ResolveError::Argument(format!(
                    "`{field}` has no single value that could be kept from an earlier step"
                )));
            }
            return Ok(FieldDef {
                name: text.to_owned(),
                field: kept,
                lifetime: Lifetime::Event,
                ..def
            });
        }
        let own = self.key.and_then(|key| {
            let mut all = MEASURED.iter();
            all.find(|(name, ..)| *name == text && name.split('.').next() == Some(key))
        });
        let told = || TOLD.iter().find(|(name, ..)| self.whole && *name == text);
        match own.or_else(told) {
            Some(&(name, ty, list, _)) => Ok(FieldDef {
                list,
                ..FieldDef::new(name, kept, ty)
            }),
            None => self.inner.resolve(text),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.inner.names()
    }

    fn check_constant(&self, field: &FieldDef, value: &[u8]) -> Result<(), String> {
        if field.field.id == KEPT {
            return Ok(());
        }
        self.inner.check_constant(field, value)
    }

    fn as_text(&self, list: &FieldDef) -> Option<FieldDef> {
        if list.field.id == KEPT {
            return None;
        }
        self.inner.as_text(list)
    }

    fn service_port(&self, name: &str) -> Option<u16> {
        self.inner.service_port(name)
    }
}
