//! What fired, counted: the block at the end of a run.

use std::fmt;

use rules::Priority;

/// Counts of alerts by priority and rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    by_priority: [u64; 8],
    /// In order of definition.
    by_rule: Vec<(String, u64)>,
    /// What of it was not sent one by one.
    pub repeats: Repeats,
}

/// Alerts that were counted and told by a line for many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// They joined a group.
    pub grouped: u64,
    /// The limit of their rule held them back.
    pub limited: u64,
    /// Lines that told of groups and limits.
    pub told: u64,
    /// Groups that ended before their time because there were too many.
    pub crowded: u64,
}

impl Statistics {
    /// Counts for rules of these names, in order of definition.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = String>) -> Self {
        let by_rule = rules.into_iter().map(|name| (name, 0)).collect();
        Self {
            by_priority: [0; 8],
            by_rule,
            repeats: Repeats::default(),
        }
    }

    /// Counts a match of the rule with this number.
    pub fn count(&mut self, rule: usize, priority: Priority) {
        self.by_priority[priority as usize] += 1;
        if let Some((_, count)) = self.by_rule.get_mut(rule) {
            *count += 1;
        }
    }

    /// Adds the counts of another run over the same rules.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.by_priority.iter_mut().zip(other.by_priority) {
            *count += more;
        }
        for ((_, count), (_, more)) in self.by_rule.iter_mut().zip(&other.by_rule) {
            *count += more;
        }
        self.repeats.grouped += other.repeats.grouped;
        self.repeats.limited += other.repeats.limited;
        self.repeats.told += other.repeats.told;
        self.repeats.crowded += other.repeats.crowded;
    }

    /// Goes over to other rules. Counts stay with their names; those of rules that are gone are kept
    /// behind the others.
    pub fn carry_over<'r>(&mut self, rules: impl IntoIterator<Item = &'r str>) {
        let mut old: Vec<(String, u64)> = std::mem::take(&mut self.by_rule);
        old.retain(|(_, count)| *count > 0);
        for rule in rules {
            let at = old.iter().position(|(name, _)| name == rule);
            let count = at.map_or(0, |at| old.swap_remove(at).1);
            self.by_rule.push((rule.to_owned(), count));
        }
        self.by_rule.append(&mut old);
    }

    /// All matches.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_priority.iter().sum()
    }

    /// Priorities that occurred, most urgent first.
    pub fn priorities(&self) -> impl Iterator<Item = (Priority, u64)> + '_ {
        Priority::ALL
            .into_iter()
            .zip(self.by_priority)
            .filter(|(_, count)| *count > 0)
    }

    /// Rules that fired, in order of definition.
    pub fn rules(&self) -> impl Iterator<Item = (&str, u64)> + '_ {
        self.by_rule
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, n)| (name.as_str(), *n))
    }
}

/// The block that Falco prints on standard output.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Events detected: {}", self.total())?;
        writeln!(f, "Rule counts by severity:")?;
        for (priority, count) in self.priorities() {
            writeln!(
                f,
                "   {}: {count}",
                priority.short_name().to_ascii_uppercase()
            )?;
        }
        writeln!(f, "Triggered rules by rule name:")?;
        for (rule, count) in self.rules() {
            writeln!(f, "   {rule}: {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_with_their_names() {
        let mut statistics = Statistics::new(["A".into(), "B".into(), "C".into()]);
        statistics.count(0, Priority::Notice);
        statistics.count(1, Priority::Notice);
        statistics.carry_over(["D", "B"]);
        statistics.count(1, Priority::Notice);
        let counts: Vec<(&str, u64)> = statistics.rules().collect();
        assert_eq!(counts, [("B", 2), ("A", 1)]);
        assert_eq!(statistics.total(), 3);
    }

    #[test]
    fn the_block() {
        let mut statistics = Statistics::new(["B".into(), "A".into(), "C".into()]);
        statistics.count(1, Priority::Informational);
        statistics.count(0, Priority::Notice);
        statistics.count(1, Priority::Informational);
        assert_eq!(
            statistics.to_string(),
            "Events detected: 3\nRule counts by severity:\n   NOTICE: 1\n   INFO: 2\n\
             Triggered rules by rule name:\n   B: 1\n   A: 2\n"
        );
        let mut twice = statistics.clone();
        twice.add(&statistics);
        assert_eq!(twice.total(), 6);
        assert_eq!(twice.rules().collect::<Vec<_>>(), [("B", 2), ("A", 4)]);
        assert_eq!(
            Statistics::default().to_string(),
            "Events detected: 0\nRule counts by severity:\nTriggered rules by rule name:\n"
        );
    }
}
