//! Rules that remember: what `sequence`, `threshold` and `first_seen` are once they are checked.
//!
//! Nothing here keeps anything; the engine does. What it needs to know is which events can matter
//! ([`Part::filter`], which the event alone decides), what is compared with events that came before
//! ([`Part::links`]), what events have in common ([`Stateful::by`]), and which values are kept of
//! them ([`Stateful::slots`]).
//!
//! Modules: [`definition`] as written, [`duration`] spans of time, [`schema`] the names under which
//! conditions and outputs find what was kept.

pub mod definition;
pub mod duration;
pub mod schema;

use filter::Ast;

pub use schema::RuleSchema;

/// Number of all fields that are kept values; their argument is the whole name.
pub const KEPT: u16 = u16::MAX;

/// Most steps of a sequence.
pub const MOST_STEPS: usize = 16;

/// Most events, or different values, that a threshold may wait for: it keeps the time of each.
pub const MOST_COUNTED: u64 = 10_000;

/// Most different values that a threshold may wait for.
pub const MOST_DISTINCT: u64 = 1_000;

/// What a rule remembers from event to event.
#[derive(Clone, Debug)]
pub struct Stateful {
    /// What it waits for.
    pub kind: Kind,
    /// Fields in which events that belong together agree; empty: all do.
    pub by: Vec<String>,
    /// Values that are kept, for later conditions and for the output.
    pub slots: Vec<Slot>,
    /// The rule's condition, which all its events must meet; a sequence may have none.
    pub condition: Option<Ast>,
}

/// The kinds of memory.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Events in order.
    Sequence {
        /// At least two.
        steps: Vec<Part>,
        /// What ends the waiting.
        until: Option<Part>,
        /// Longest time from the first to the last, in nanoseconds.
        within: u64,
    },
    /// Many events.
    Threshold {
        /// What is counted.
        measure: Measure,
        /// How much it must reach.
        at_least: u64,
        /// The window, in nanoseconds.
        within: u64,
    },
    /// A combination of values that was not there before.
    FirstSeen {
        /// The combination.
        fields: Vec<String>,
        /// How long everything is new, in nanoseconds, from the first event of a group on.
        learn: u64,
    },
}

/// What a threshold measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Events.
    Count,
    /// Different values of a field.
    Distinct(String),
    /// The sum of a field.
    Sum(String),
}

/// A condition of a sequence.
#[derive(Clone, Debug)]
pub struct Part {
    /// The step's name; `until` for what ends it.
    pub name: String,
    /// Its condition as written.
    pub condition: String,
    /// The condition, lists and macros inserted.
    pub ast: Ast,
    /// What of it the event alone decides: what must hold whatever came before.
    pub filter: Ast,
    /// What compares with earlier steps.
    pub links: Option<Ast>,
    /// The fields that stand for those of [`Stateful::by`] here, one for each; `None`: the same.
    pub by: Option<Vec<String>>,
}

/// A value that is kept of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name in conditions and outputs: `download.fd.name`.
    pub name: String,
    /// The step.
    pub step: usize,
    /// The field as the event knows it.
    pub field: String,
    /// Whether later conditions compare with it; otherwise it is only shown.
    pub linked: bool,
}

impl Stateful {
    /// The key in rule files.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self.kind {
            Kind::Sequence { .. } => "sequence",
            Kind::Threshold { .. } => "threshold",
            Kind::FirstSeen { .. } => "first_seen",
        }
    }

    /// Its conditions in order, that of `until` last.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let (steps, until) = match &self.kind {
            Kind::Sequence { steps, until, .. } => (steps.as_slice(), until.as_ref()),
            _ => (&[][..], None),
        };
        steps.iter().chain(until)
    }

    /// The window in nanoseconds; `None` where nothing passes.
    #[must_use]
    pub const fn within(&self) -> Option<u64> {
        match self.kind {
            Kind::Sequence { within, .. } | Kind::Threshold { within, .. } => Some(within),
            Kind::FirstSeen { .. } => None,
        }
    }

    /// One sentence that says what the rule waits for.
    #[must_use]
    pub fn summary(&self) -> String {
        let by = if self.by.is_empty() {
            String::new()
        } else {
            format!(" with the same {}", self.by.join(", "))
        };
        match &self.kind {
            Kind::Sequence {
                steps,
                until,
                within,
            } => {
                let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
                let until = if until.is_some() {
                    ", unless `until` comes between"
                } else {
                    ""
                };
                let within = duration::text(*within);
                format!("{}{by} within {within}{until}", names.join(", then "))
            }
            Kind::Threshold {
                measure,
                at_least,
                within,
            } => {
                let within = duration::text(*within);
                match measure {
                    Measure::Count => format!("{at_least} events{by} within {within}"),
                    Measure::Distinct(field) => {
                        format!("{at_least} different {field}{by} within {within}")
                    }
                    Measure::Sum(field) => {
                        format!("events{by} whose {field} is {at_least} in sum within {within}")
                    }
                }
            }
            Kind::FirstSeen { fields, learn } => {
                let fields = fields.join(", ");
                let per = if self.by.is_empty() {
                    "this host".to_owned()
                } else {
                    format!("the same {}", self.by.join(", "))
                };
                let learn = if *learn == 0 {
                    String::new()
                } else {
                    format!(", after {} of learning", duration::text(*learn))
                };
                format!("the first {fields} for {per}{learn}")
            }
        }
    }

    /// What tells one definition from another: two rules with the same text remember the same.
    #[must_use]
    pub fn identity(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        if let Some(condition) = &self.condition {
            let _ = write!(text, "{condition}|");
        }
        for part in self.parts() {
            let _ = write!(text, "{}:{}|", part.name, part.ast);
            if let Some(by) = &part.by {
                let _ = write!(text, "by {}|", by.join(","));
            }
        }
        let slots: Vec<&str> = self.slots.iter().map(|slot| slot.name.as_str()).collect();
        let numbers = match &self.kind {
            Kind::Sequence { within, .. } => format!("{within}"),
            Kind::Threshold {
                measure,
                at_least,
                within,
            } => format!("{measure:?} {at_least} {within}"),
            Kind::FirstSeen { fields, learn } => format!("{} {learn}", fields.join(",")),
        };
        let _ = write!(
            text,
            "{} by {} {numbers} keeps {}",
            self.key(),
            self.by.join(","),
            slots.join(",")
        );
        text
    }
}
