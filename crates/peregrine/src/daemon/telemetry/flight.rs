//! What the flight recorder did.

use flight::Counts;
use metrics::Metric;

use super::Look;

/// Adds its rows, where there is one.
pub(super) fn flight(look: &Look<'_>, out: &mut Vec<Metric>) {
    let Some(counts) = &look.flight else { return };
    let Counts {
        events,
        lost,
        held,
        segments,
        span,
        faults,
        saved,
        not_saved,
        joined,
        refused,
        short,
        ..
    } = *counts;
    let rows = [
        (
            "events",
            true,
            events,
            "Events that went into the flight recorder's ring.",
        ),
        (
            "events_lost",
            true,
            lost,
            "Events that are missing in the ring.",
        ),
        (
            "bytes",
            false,
            held,
            "Bytes that the ring holds, compressed.",
        ),
        ("segments", false, segments, "Segments that the ring holds."),
        (
            "seconds",
            false,
            span / 1_000_000_000,
            "Seconds that the ring reaches back.",
        ),
        (
            "faults",
            true,
            faults,
            "Times that the ring's disk failed or was full.",
        ),
        (
            "captures",
            true,
            saved,
            "Captures of alerts that were completed.",
        ),
        (
            "captures_failed",
            true,
            not_saved,
            "Captures of alerts that could not be written.",
        ),
        (
            "captures_shared",
            true,
            joined,
            "Alerts that share the capture of an earlier one.",
        ),
        (
            "captures_refused",
            true,
            refused,
            "Alerts without a capture, as there were capture.max_files.",
        ),
        (
            "captures_short",
            true,
            short,
            "Captures for which the ring did not reach back far enough.",
        ),
    ];
    for (name, monotonic, value, help) in rows {
        out.push(Metric::own(
            &format!("flight_{name}"),
            monotonic,
            value,
            help,
        ));
    }
}
