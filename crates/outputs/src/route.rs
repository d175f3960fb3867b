//! Which output takes which alerts. Decided once for each rule, not for each alert.

use rules::Priority;

/// What an alert is about, as far as outputs choose by it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its priority.
    pub priority: Priority,
    /// Source of the event; `internal` for alerts that no rule raised.
    pub source: &'a str,
    /// Name of the rule.
    pub rule: &'a str,
    /// The rule's tags.
    pub tags: &'a [String],
}

/// What an output takes. An empty list takes everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Least urgent priority that is taken.
    pub priority: Priority,
    /// Alerts of rules with at least one of these tags.
    pub tags: Vec<String>,
    /// Alerts of these sources.
    pub sources: Vec<String>,
    /// Alerts of rules whose name fits one of these; `*` stands for any text.
    pub rules: Vec<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            priority: Priority::Debug,
            tags: Vec::new(),
            sources: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Filter {
    /// Whether an alert is taken.
    #[must_use]
    pub fn takes(&self, subject: &Subject<'_>) -> bool {
        subject.priority <= self.priority
            && (self.tags.is_empty() || self.tags.iter().any(|tag| subject.tags.contains(tag)))
            && (self.sources.is_empty() || self.sources.iter().any(|name| name == subject.source))
            && (self.rules.is_empty() || self.rules.iter().any(|rule| fits(rule, subject.rule)))
    }
}

/// Whether the whole of `text` fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// A set of outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route(u64);

impl Route {
    pub(crate) fn add(&mut self, output: usize) {
        self.0 |= 1 << output;
    }

    pub(crate) fn has(self, output: usize) -> bool {
        self.0 >> output & 1 == 1
    }

    /// Whether nobody takes it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let tags = ["container".to_owned(), "network".to_owned()];
        let subject = Subject {
            priority: Priority::Warning,
            source: "syscall",
            rule: "Shell in container",
            tags: &tags,
        };
        let takes = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.takes(&subject)
        };
        assert!(takes(|_| {}));
        assert!(takes(|filter| filter.priority = Priority::Warning));
        assert!(!takes(|filter| filter.priority = Priority::Error));
        assert!(takes(
            |filter| filter.tags = vec!["x".into(), "network".into()]
        ));
        assert!(!takes(|filter| filter.tags = vec!["host".into()]));
        assert!(!takes(|filter| filter.sources = vec!["internal".into()]));
        assert!(takes(|filter| filter.rules = vec!["Shell*".into()]));
        assert!(!takes(|filter| filter.rules = vec!["Shell".into()]));
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "a", false),
            ("ab*bc", "abc", false),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
