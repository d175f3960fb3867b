//! Moments and spans as text.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Out, number};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Which parts of a moment are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `HH:MM:SS.nnnnnnnnn`
    Time,
    /// `HH:MM:SS`
    TimeSeconds,
    /// `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`
    DateTime,
    /// `YYYY-MM-DD HH:MM:SS`
    DateTimeSeconds,
    /// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`, always UTC.
    Iso8601,
}

/// Writes the moment `ts` (nanoseconds since the epoch) as it is called in `zone`.
pub fn moment(ts: u64, shape: Shape, zone: &TimeZone, out: &mut Out<'_>) {
    let seconds = i64::try_from(ts / SECOND).unwrap_or(i64::MAX);
    let stamp = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let civil = match shape {
        Shape::Iso8601 => TimeZone::UTC.to_datetime(stamp),
        _ => zone.to_datetime(stamp),
    };
    if !matches!(shape, Shape::Time | Shape::TimeSeconds) {
        date(civil, out);
        out.push(if shape == Shape::Iso8601 { b'T' } else { b' ' });
    }
    digits(civil.hour() as u32, 2, out);
    out.push(b':');
    digits(civil.minute() as u32, 2, out);
    out.push(b':');
    digits(civil.second() as u32, 2, out);
    if !matches!(shape, Shape::TimeSeconds | Shape::DateTimeSeconds) {
        out.push(b'.');
        number::padded(ts % SECOND, out);
    }
    if shape == Shape::Iso8601 {
        out.extend_from_slice(b"+0000");
    }
}

fn date(civil: DateTime, out: &mut Out<'_>) {
    digits(u32::from(civil.year().unsigned_abs()), 4, out);
    out.push(b'-');
    digits(civil.month() as u32, 2, out);
    out.push(b'-');
    digits(civil.day() as u32, 2, out);
}

fn digits(value: u32, count: u32, out: &mut Out<'_>) {
    for place in (0..count).rev() {
        out.push(b'0' + (value / 10u32.pow(place) % 10) as u8);
    }
}

/// A span in seconds, as short as possible: `0.5s`.
pub fn span(ns: u64, out: &mut Out<'_>) {
    number::general(ns as f64 / SECOND as f64, out);
    out.push(b's');
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    #[test]
    fn shapes() {
        let bump = Bump::new();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let text = |shape| {
            let mut out = Out::new_in(&bump);
            moment(1_700_000_000_000_000_001, shape, &zone, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(text(Shape::Time), "00:13:20.000000001");
        assert_eq!(text(Shape::TimeSeconds), "00:13:20");
        assert_eq!(text(Shape::DateTime), "2023-11-15 00:13:20.000000001");
        assert_eq!(text(Shape::DateTimeSeconds), "2023-11-15 00:13:20");
        assert_eq!(text(Shape::Iso8601), "2023-11-14T22:13:20.000000001+0000");
    }

    #[test]
    fn the_end_of_time_does_no_harm() {
        let bump = Bump::new();
        let mut out = Out::new_in(&bump);
        moment(u64::MAX, Shape::DateTime, &TimeZone::UTC, &mut out);
        assert!(out.starts_with(b"2554-"));
    }
}
