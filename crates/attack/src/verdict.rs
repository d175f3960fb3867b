//! What the monitor said beside what it should have said.

use std::fmt::Write as _;

use crate::case::{Case, Line};
use crate::monitor::Alerts;
use crate::performance::token;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule fired and should have.
    Fired,
    /// It was silent and should have been.
    Silent,
    /// It should have fired.
    Missed,
    /// It should have been silent.
    False,
    /// Not everything could be done on this machine, or none of what goes through io_uring is seen on it, so silence says
    /// nothing.
    Impossible,
}

impl Outcome {
    /// True unless the rule did what it should not.
    #[must_use]
    pub fn is_right(self) -> bool {
        !matches!(self, Self::Missed | Self::False)
    }
}

/// How each case ended; `complete` says whether all of it could be done.
#[must_use]
pub fn judge(cases: &[Case], complete: &[bool], alerts: &Alerts) -> Vec<Outcome> {
    let through_ring = |case: &Case| goes_through_ring(&case.does);
    // Old kernels have no tracepoint that tells of it; then no rule of any kind fires on it.
    let ring_is_seen = cases.iter().enumerate().any(|(index, case)| {
        let fired = alerts.get(&token(index));
        case.fires && through_ring(case) && fired.is_some_and(|rules| rules.contains(&case.rule))
    });
    cases
        .iter()
        .enumerate()
        .map(|(index, case)| {
            let fired = alerts
                .get(&token(index))
                .is_some_and(|rules| crate::concerns(rules, case));
            match (case.fires, fired, complete[index]) {
                (true, true, _) => Outcome::Fired,
                (false, true, _) => Outcome::False,
                (_, false, false) => Outcome::Impossible,
                (true, false, true) if through_ring(case) && !ring_is_seen => Outcome::Impossible,
                (true, false, true) => Outcome::Missed,
                (false, false, true) => Outcome::Silent,
            }
        })
        .collect()
}

fn goes_through_ring(lines: &[Line]) -> bool {
    lines.iter().any(|line| {
        line.words.iter().any(|word| word.starts_with("ring-")) || goes_through_ring(&line.inner)
    })
}

/// A line for each case that is not as it should be, and a last one with the counts.
#[must_use]
pub fn report(cases: &[Case], outcomes: &[Outcome], alerts: &Alerts, everything: bool) -> String {
    let mut text = String::new();
    let count = |wanted: Outcome| {
        outcomes
            .iter()
            .filter(|&&outcome| outcome == wanted)
            .count()
    };
    for (index, (case, &outcome)) in cases.iter().zip(outcomes).enumerate() {
        if !everything && matches!(outcome, Outcome::Fired | Outcome::Silent) {
            continue;
        }
        let word = format!("{outcome:?}").to_lowercase();
        let _ = writeln!(
            text,
            "{word:<10} {} ({}): {}",
            case.rule, case.place, case.title
        );
        if !outcome.is_right() {
            let other: Vec<&str> = alerts
                .get(&token(index))
                .into_iter()
                .flatten()
                .map(String::as_str)
                .filter(|rule| *rule != case.rule)
                .collect();
            if !other.is_empty() {
                let _ = writeln!(text, "{:<10} (others that fired: {})", "", other.join(", "));
            }
        }
    }
    let _ = writeln!(
        text,
        "{} cases: {} fired and {} silent as they should, {} missed, {} false, {} impossible here",
        cases.len(),
        count(Outcome::Fired),
        count(Outcome::Silent),
        count(Outcome::Missed),
        count(Outcome::False),
        count(Outcome::Impossible),
    );
    text
}
