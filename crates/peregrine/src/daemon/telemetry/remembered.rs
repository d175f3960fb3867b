//! What rules that remember hold, rule by rule.

use metrics::Metric;

use super::Look;

/// Adds the rows of each rule.
pub(super) fn remembered(look: &Look<'_>, out: &mut Vec<Metric>) {
    for memory in &look.remembered {
        let Some(subject) = look.subjects.get(memory.rule as usize) else {
            continue;
        };
        let mut own = |name: &str, monotonic, value: u64, help| {
            let metric = Metric::own(&format!("rule_memory_{name}"), monotonic, value, help);
            out.push(metric.label("rule_name", &subject.rule));
        };
        own(
            "keys",
            false,
            memory.keys as u64,
            "Keys of which a rule that remembers knows something.",
        );
        own(
            "bytes",
            false,
            memory.bytes as u64,
            "Bytes that a rule that remembers holds.",
        );
        own(
            "evicted",
            true,
            memory.evicted,
            "Keys that a rule forgot for want of room.",
        );
        own(
            "crowded",
            true,
            memory.crowded,
            "Partial matches that a rule forgot because their key had too many.",
        );
    }
}
