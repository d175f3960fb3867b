//! Settings of alerts that repeat themselves: `alert_grouping` and `alert_limits`.
//!
//! Both choose alerts by the words of an output's `filter`; of several entries the first one that fits counts.

use rules::Priority;

use crate::read::Reader;
use crate::scalar::{milliseconds, whole};
use crate::tree::Node;

/// Which alerts an entry is about. An empty list takes everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertMatch {
    /// Least urgent priority that is taken.
    pub priority: Priority,
    /// Alerts of rules with at least one of these tags.
    pub tags: Vec<String>,
    /// Alerts of these sources.
    pub sources: Vec<String>,
    /// Alerts of rules whose names fit one of these; `*` stands for any text.
    pub rules: Vec<String>,
}

/// How alerts are grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Whether they are.
    pub enabled: bool,
    /// Nanoseconds from the first alert of a group to its end.
    pub window: u64,
    /// Fields in which alerts of a group agree; empty: the whole message.
    pub fields: Vec<String>,
    /// Different messages that a summary shows besides the first.
    pub examples: usize,
}

/// Key `alert_grouping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertGrouping {
    /// Whether anything is grouped.
    pub enabled: bool,
    /// What holds where no entry fits.
    pub policy: GroupPolicy,
    /// Entries of `alerts`, in order.
    pub entries: Vec<(AlertMatch, GroupPolicy)>,
    /// Groups that are open at a time.
    pub max_groups: usize,
}

/// One entry of `alert_limits`: each rule that it takes has a limit of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertLimit {
    /// Which alerts.
    pub of: AlertMatch,
    /// Alerts a second.
    pub rate: f64,
    /// Alerts at once.
    pub burst: f64,
    /// The rate as it was written.
    pub text: String,
    /// Nanoseconds after which what is held back is told, at the latest.
    pub tell: u64,
}

const MILLISECOND: u64 = 1_000_000;

impl AlertGrouping {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let key = "alert_grouping";
        let none = Node::null();
        let section = tree.get(key).unwrap_or(&none);
        let before = GroupPolicy {
            enabled: true,
            window: 300_000 * MILLISECOND,
            fields: Vec::new(),
            examples: 3,
        };
        let mut policy = policy(section, key, &before, reader);
        let enabled = reader.truth(section, "enabled", false);
        policy.enabled = true;
        let items = reader.sequence(section, "alerts");
        let entries = items.iter().enumerate().map(|(n, item)| {
            let key = format!("{key}.alerts[{n}]");
            (
                which(item, &key, reader),
                self::policy(item, &key, &policy, reader),
            )
        });
        Self {
            enabled,
            entries: entries.collect(),
            policy,
            max_groups: usize::clamp(reader.number(section, "max_groups", 10_000), 1, 1_000_000),
        }
    }
}

fn policy(node: &Node, key: &str, before: &GroupPolicy, reader: &mut Reader) -> GroupPolicy {
    GroupPolicy {
        enabled: reader.truth(node, "enabled", before.enabled),
        window: span(node, key, "window", before.window, reader),
        fields: match node.get("fields") {
            Some(fields) => reader.texts(Some(fields)),
            None => before.fields.clone(),
        },
        examples: usize::clamp(reader.number(node, "examples", before.examples), 0, 20),
    }
}

/// A span of time in nanoseconds, at least a millisecond.
fn span(node: &Node, key: &str, name: &str, default: u64, reader: &mut Reader) -> u64 {
    let Some(text) = node.get(name).and_then(Node::text) else {
        return default;
    };
    match milliseconds(text).filter(|ms| *ms > 0) {
        Some(ms) => ms.saturating_mul(MILLISECOND),
        None => {
            let message = format!("{key}.{name} '{text}' is no span of time");
            let at = node.get(name).and_then(|node| node.at);
            reader.fatal_at(at, key, message, "write it like 500ms, 30s or 5m");
            default
        }
    }
}

fn which(item: &Node, key: &str, reader: &mut Reader) -> AlertMatch {
    let node = item.get("match");
    if node.is_none() {
        let message = format!("{key} does not say which alerts it is about");
        let help = "write `match: {rules: [NAME]}`; tags, sources and priority choose, too";
        reader.fatal_at(item.at, key, message, help);
    }
    let priority = item.path("match.priority");
    AlertMatch {
        priority: match priority.and_then(Node::text) {
            None => Priority::Debug,
            Some(text) => Priority::parse(text).unwrap_or_else(|| {
                let message = format!("priority '{text}' does not exist");
                reader.fatal_at(priority.and_then(|node| node.at), key, message, "");
                Priority::Debug
            }),
        },
        tags: reader.texts(item.path("match.tags")),
        sources: reader.texts(item.path("match.sources")),
        rules: reader.texts(item.path("match.rules")),
    }
}

pub(super) fn limits(tree: &Node, reader: &mut Reader) -> Vec<AlertLimit> {
    let items = reader.sequence(tree, "alert_limits");
    let limits = items.iter().enumerate().map(|(n, item)| {
        let key = format!("alert_limits[{n}]");
        let text = reader.text(item, "rate", "");
        let rate = rate(&text).unwrap_or_else(|| {
            let message = format!("{key}.rate '{text}' is no rate");
            let at = item.get("rate").and_then(|node| node.at).or(item.at);
            reader.fatal_at(at, &key, message, "write it like 10/m, 1/s or 100/1h30m");
            1.0
        });
        AlertLimit {
            of: which(item, &key, reader),
            rate,
            burst: reader.float(item, "burst", 10.0).clamp(1.0, 1e9),
            text,
            tell: span(item, &key, "tell", 60_000 * MILLISECOND, reader),
        }
    });
    limits.collect()
}

/// A number and, behind a slash, a span of time or its unit: so many in that time, a second without it.
fn rate(text: &str) -> Option<f64> {
    let (number, span) = text.split_once('/').unwrap_or((text, "s"));
    let number = u32::try_from(whole(number)?).ok().filter(|n| *n > 0)?;
    let span = span.trim();
    let ms = milliseconds(span).or_else(|| milliseconds(&format!("1{span}")));
    let ms = ms.filter(|ms| *ms > 0)?;
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let seconds = ms as f64 / 1e3;
    Some(f64::from(number) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("10/s", Some(10.0)),
            ("5", Some(5.0)),
            ("6/m", Some(0.1)),
            ("90 / 1h30m", Some(1.0 / 60.0)),
            ("0/s", None),
            ("-1/s", None),
            ("", None),
            ("10/", None),
            ("10/0s", None),
            ("many/s", None),
        ] {
            assert_eq!(rate(text), expected, "{text}");
        }
    }

    fn read(yaml: &str) -> (AlertGrouping, Vec<AlertLimit>, Vec<String>) {
        let tree = Node::parse(yaml, None).unwrap();
        let mut reader = Reader::default();
        let read = (
            AlertGrouping::read(&tree, &mut reader),
            limits(&tree, &mut reader),
        );
        let problems = reader.problems.iter().map(|one| one.message.clone());
        (read.0, read.1, problems.collect())
    }

    #[test]
    fn entries_take_from_the_section_what_they_do_not_say() {
        let (grouping, limits, problems) = read(
            "alert_grouping:
  enabled: true
  fields: [proc.name]
  alerts:
    - match: {rules: ['Shell*'], priority: error}
      window: 1m
    - match: {tags: [noise]}
      enabled: false
alert_limits:
  - {match: {sources: k8s_audit}, rate: 30/m, burst: 5, tell: 10s}
",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert!(grouping.enabled && grouping.policy.window == 300_000_000_000);
        let (of, policy) = &grouping.entries[0];
        assert_eq!(
            (of.priority, of.rules[0].as_str()),
            (Priority::Error, "Shell*")
        );
        assert_eq!(
            (policy.window, policy.fields[0].as_str()),
            (60_000_000_000, "proc.name")
        );
        assert!(policy.enabled && !grouping.entries[1].1.enabled);
        assert_eq!(
            (limits[0].rate, limits[0].burst, limits[0].tell),
            (0.5, 5.0, 10_000_000_000)
        );
        assert_eq!(limits[0].of.sources, ["k8s_audit"]);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let (.., problems) = read(
            "alert_grouping: {window: soon, alerts: [{window: 0s}]}
alert_limits: [{rate: often}, {match: {priority: huge}, rate: 1}]
",
        );
        let holds = |text: &str| problems.iter().any(|one| one.contains(text));
        for text in [
            "window 'soon'",
            "window '0s'",
            "alerts[0] does not say",
            "rate 'often'",
            "'huge'",
        ] {
            assert!(holds(text), "no {text} in {problems:?}");
        }
        let (off, ..) = read("{}");
        assert!(!off.enabled);
    }
}
