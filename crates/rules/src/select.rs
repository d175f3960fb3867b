//! Switching rules on and off after all files are loaded.

use crate::ruleset::{Rule, RuleSet};

/// One entry of the configuration's `rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// On or off.
    pub enable: bool,
    /// Which rules.
    pub by: By,
}

/// Which rules a selection is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Those whose whole name fits the pattern, in which `*` stands for any text.
    Rule(String),
    /// Those that have exactly this tag.
    Tag(String),
}

/// The switches of Falco 0.15 to 0.39.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldSwitches {
    /// `-D`: off, where the name contains the text.
    pub disabled: Vec<String>,
    /// `-T`: off, where the rule has the tag.
    pub disabled_tags: Vec<String>,
    /// `-t`: only those with one of these tags.
    pub tags: Vec<String>,
}

/// Which switches exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// `-t` with `-D`.
    TagsWithNames,
    /// `-t` with `-T`.
    TagsWithTags,
    /// Any of them with `rules` of the configuration.
    WithConfiguration,
}

impl OldSwitches {
    /// Whether none is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disabled.is_empty() && self.disabled_tags.is_empty() && self.tags.is_empty()
    }

    /// The first contradiction among the switches and with the configuration's selections.
    #[must_use]
    pub fn conflict(&self, selections: &[Selection]) -> Option<Conflict> {
        if !self.tags.is_empty() && !self.disabled.is_empty() {
            return Some(Conflict::TagsWithNames);
        }
        if !self.tags.is_empty() && !self.disabled_tags.is_empty() {
            return Some(Conflict::TagsWithTags);
        }
        (!self.is_empty() && !selections.is_empty()).then_some(Conflict::WithConfiguration)
    }
}

impl RuleSet {
    /// Applies selections in order. The result lists the rules that are on, in the order in which
    /// they are tried: first those on from the beginning, in order of definition; a rule that is
    /// switched on later comes last.
    ///
    /// The flags of the rules are set as well.
    pub fn select(&mut self, selections: &[Selection]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rules.len())
            .filter(|&n| self.rules[n].enabled)
            .collect();
        for selection in selections {
            self.switch(&mut order, selection.enable, |rule| match &selection.by {
                By::Rule(pattern) => fits(&rule.name, pattern),
                By::Tag(tag) => rule.tags.iter().any(|t| t == tag),
            });
        }
        order
    }

    /// Applies the old switches; the result is as that of [`select`](Self::select).
    pub fn select_old(&mut self, switches: &OldSwitches) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rules.len())
            .filter(|&n| self.rules[n].enabled)
            .collect();
        for text in &switches.disabled {
            self.switch(&mut order, false, |rule| rule.name.contains(text.as_str()));
        }
        let tagged = |rule: &Rule, tags: &[String]| rule.tags.iter().any(|t| tags.contains(t));
        if !switches.disabled_tags.is_empty() {
            self.switch(&mut order, false, |rule| {
                tagged(rule, &switches.disabled_tags)
            });
        }
        if !switches.tags.is_empty() {
            self.switch(&mut order, false, |_| true);
            self.switch(&mut order, true, |rule| tagged(rule, &switches.tags));
        }
        order
    }

    fn switch(&mut self, order: &mut Vec<usize>, enable: bool, which: impl Fn(&Rule) -> bool) {
        for (n, rule) in self.rules.iter_mut().enumerate() {
            if rule.enabled != enable && which(rule) {
                rule.enabled = enable;
                if enable {
                    order.push(n);
                }
            }
        }
        if !enable {
            order.retain(|&n| self.rules[n].enabled);
        }
    }
}

/// Whether a name fits a pattern in which `*` stands for any text.
#[must_use]
pub fn fits(name: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut pieces: Vec<&str> = pieces.collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        assert!(fits("open_from_cat", "open_from_cat"));
        assert!(!fits("open_from_cat", "open_from"));
        assert!(fits("open_from_cat", "*"));
        assert!(fits("open_from_cat", "open*"));
        assert!(fits("open_from_cat", "*from*"));
        assert!(fits("open_from_cat", "o*_*cat"));
        assert!(!fits("open_from_cat", "*From*"));
        assert!(!fits("ab", "ab*b"));
        assert!(fits("abab", "ab*ab"));
        assert!(fits("", "*"));
        assert!(!fits("", "a*"));
    }
}
