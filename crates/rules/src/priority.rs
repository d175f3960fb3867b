//! How urgent a rule is: eight levels, as syslog has them.

/// Urgency of a rule; a smaller number is more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of the rule files")]
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Priority {
    /// All levels, most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The full name, as alerts carry it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// The short name of statistics and of the short form: `Info` where [`name`](Self::name) says
    /// `Informational`.
    #[must_use]
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Informational => "Info",
            other => other.name(),
        }
    }

    /// Reads a full name in any case; `info` is another word for informational.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(text))
    }

    /// Reads the beginning of a name, as rule files of Falco 0.15 may have it (`warn`, `crit`).
    /// The most urgent level wins where several begin so.
    #[must_use]
    pub fn parse_prefix(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        Self::ALL.into_iter().find(|p| {
            p.name()
                .get(..text.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(text))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Priority;

    #[test]
    fn names_in_any_case() {
        assert_eq!(Priority::parse("WARNING"), Some(Priority::Warning));
        assert_eq!(Priority::parse("Info"), Some(Priority::Informational));
        assert_eq!(
            Priority::parse("informational"),
            Some(Priority::Informational)
        );
        assert_eq!(Priority::parse("warn"), None);
        assert_eq!(Priority::parse(" error"), None);
        assert!(Priority::Emergency < Priority::Debug);
    }

    #[test]
    fn beginnings_of_names() {
        assert_eq!(Priority::parse_prefix("WARN"), Some(Priority::Warning));
        assert_eq!(Priority::parse_prefix("crit"), Some(Priority::Critical));
        assert_eq!(Priority::parse_prefix("e"), Some(Priority::Emergency));
        assert_eq!(Priority::parse_prefix(""), None);
        assert_eq!(Priority::parse_prefix("warningly"), None);
    }
}
