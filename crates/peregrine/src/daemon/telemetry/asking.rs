//! How the questions to runtimes and orchestrators went.

use metrics::Metric;

/// What runtimes and orchestrators were asked, and what came of it.
pub(super) fn asking(counters: &containers::Counters) -> [Metric; 11] {
    let own = |name: &str, value: u64, help| Metric::own(name, true, value, help);
    [
        own(
            "container_lookups",
            counters.lookups,
            "Containers that runtimes were asked about.",
        ),
        own(
            "container_found",
            counters.found,
            "Containers that a runtime knew when asked.",
        ),
        own(
            "container_unknown",
            counters.unknown,
            "Containers that no runtime knew.",
        ),
        own(
            "container_events",
            counters.events,
            "Events of runtimes and of Kubernetes' API server.",
        ),
        own(
            "container_connections",
            counters.connections,
            "Event streams that were opened.",
        ),
        own(
            "container_timeouts",
            counters.timeouts,
            "Questions that no runtime answered in time.",
        ),
        own(
            "container_broken",
            counters.broken,
            "Sockets that refused, connections that broke.",
        ),
        own(
            "container_too_large",
            counters.too_large,
            "Answers that were longer than any is read.",
        ),
        own(
            "container_malformed",
            counters.malformed,
            "Answers that made no sense.",
        ),
        own(
            "container_dropped",
            counters.dropped,
            "Questions and answers that a full queue dropped.",
        ),
        own(
            "container_accounts",
            counters.accounts,
            "Containers whose users and groups were read.",
        ),
    ]
}
