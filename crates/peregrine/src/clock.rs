//! The time of day.

/// Nanoseconds since the epoch, now.
pub(crate) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}
