//! What became of alerts that repeat themselves.

use metrics::Metric;
use outputs::Repeats;

/// The rows.
pub(super) fn repeats(repeats: &Repeats) -> [Metric; 4] {
    let own = |name: &str, value, help| Metric::own(name, true, value, help);
    [
        own(
            "alerts_grouped",
            repeats.grouped,
            "Alerts that were counted to a group of others like them.",
        ),
        own(
            "alerts_limited",
            repeats.limited,
            "Alerts that the limit of their rule held back.",
        ),
        own(
            "alert_groups_crowded",
            repeats.crowded,
            "Groups that ended early because too many were open.",
        ),
        own(
            "alert_lines_for_many",
            repeats.told,
            "Lines that told of groups and limits.",
        ),
    ]
}
