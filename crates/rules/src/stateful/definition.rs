//! `sequence`, `threshold` and `first_seen` as written.

use crate::context::Context;
use crate::definition::{Condition, Text};

/// One of the three keys.
#[derive(Clone, Debug)]
pub struct StatefulDef {
    /// Where it stands.
    pub context: Context,
    /// What it asks for.
    pub kind: KindDef,
    /// `by`, or `per`: fields and words that stand for fields.
    pub by: Vec<Text>,
}

/// What it asks for.
#[derive(Clone, Debug)]
pub enum KindDef {
    /// `sequence`
    Sequence {
        /// `steps`
        steps: Vec<StepDef>,
        /// `until`
        until: Option<Condition>,
        /// `within`, in nanoseconds.
        within: u64,
    },
    /// `threshold`
    Threshold {
        /// `distinct` or `sum`
        measure: MeasureDef,
        /// `at_least`
        at_least: u64,
        /// `within`, in nanoseconds.
        within: u64,
    },
    /// `first_seen`
    FirstSeen {
        /// `fields`
        fields: Vec<Text>,
        /// `learn`, in nanoseconds.
        learn: u64,
    },
}

/// What a threshold measures.
#[derive(Clone, Debug)]
pub enum MeasureDef {
    /// Events.
    Count,
    /// `distinct`
    Distinct(Text),
    /// `sum`
    Sum(Text),
}

/// A step of a sequence.
#[derive(Clone, Debug)]
pub struct StepDef {
    /// Its name.
    pub name: Text,
    /// Its condition.
    pub condition: Condition,
    /// `by`, where its fields are other ones.
    pub by: Option<Vec<Text>>,
}

/// Words for fields in `by` and `per`.
pub const SHORTHANDS: [(&str, &[&str]); 8] = [
    ("process", &["proc.pid", "proc.pid.ts"]),
    ("process_tree", &["proc.tree"]),
    ("session", &["proc.sid"]),
    ("container", &["container.id"]),
    ("user", &["user.uid"]),
    ("connection", &["fd.l4proto", "fd.name"]),
    ("image", &["container.image"]),
    ("host", &[]),
];

/// The fields that a word of `by` stands for.
#[must_use]
pub fn fields_of(word: &str) -> Vec<String> {
    match SHORTHANDS.iter().find(|(name, _)| *name == word) {
        Some((_, fields)) => fields.iter().map(|&field| field.to_owned()).collect(),
        None => vec![word.to_owned()],
    }
}
