//! What was learned of addresses and of program files, where rules ask for it.

use metrics::Metric;

use super::Look;

/// Adds the rows; none where nothing asks.
pub(super) fn learned(look: &Look<'_>, out: &mut Vec<Metric>) {
    let counters = look.state.counters();
    let mut own = |name: &str, monotonic, value: u64, help| {
        out.push(Metric::own(name, monotonic, value, help));
    };
    if look.state.names_addresses() {
        own(
            "names_addresses",
            false,
            look.state.named_addresses() as u64,
            "Addresses that have names.",
        );
        own(
            "names_learnt",
            true,
            counters.names_learnt,
            "Answers of name servers that named addresses.",
        );
        own(
            "names_unasked",
            true,
            counters.names_unasked,
            "Answers of name servers to what nobody had asked.",
        );
        own(
            "names_cut",
            true,
            counters.names_cut,
            "Answers of name servers of which only the beginning was captured.",
        );
        own(
            "names_evicted",
            true,
            counters.names_evicted,
            "Names that were forgotten for want of room.",
        );
    }
    if counters.programs_told > 0 {
        own(
            "programs_told",
            true,
            counters.programs_told,
            "Program files of which it was found out what they are, or that it cannot be.",
        );
    }
}
