//! Times of alerts: nanoseconds since the epoch into the forms that lines carry.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Formats times. The text of the last second is kept: alerts come in bursts, and finding a time
/// zone's offset costs more than all the rest of the line's head.
#[derive(Debug)]
pub struct Clock {
    /// `None` until it is needed: finding the system's takes a millisecond.
    zone: Option<TimeZone>,
    second: Option<i64>,
    local: [u8; 8],
}

impl Clock {
    /// A clock that shows local times of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone: Some(zone),
            ..Self::system()
        }
    }

    /// A clock that shows local times of the system's zone.
    #[must_use]
    pub fn system() -> Self {
        Self {
            zone: None,
            second: None,
            local: *b"00:00:00",
        }
    }

    /// `HH:MM:SS.nnnnnnnnn`, local time.
    pub fn local(&mut self, time: u64, out: &mut Vec<u8>) {
        let (second, nanos) = split(time);
        if self.second != Some(second) {
            let zone = self.zone.get_or_insert_with(TimeZone::system);
            let offset = Timestamp::from_second(second)
                .map_or(0, |at| i64::from(zone.to_offset(at).seconds()));
            self.local = clock(second.saturating_add(offset));
            self.second = Some(second);
        }
        out.extend_from_slice(&self.local);
        fraction(nanos, out);
    }
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn` and the suffix, which is `+0000` or `Z`; UTC.
pub fn iso8601(time: u64, suffix: &str, out: &mut Vec<u8>) {
    let (second, nanos) = split(time);
    let (year, month, day) = date(second.div_euclid(86_400));
    digits(year, 4, out);
    out.push(b'-');
    digits(month, 2, out);
    out.push(b'-');
    digits(day, 2, out);
    out.push(b'T');
    out.extend_from_slice(&clock(second));
    fraction(nanos, out);
    out.extend_from_slice(suffix.as_bytes());
}

/// A span of nanoseconds for people: `12 ms`, `4.5 s`, `3m 07s`, `2h 05m`, `3d 04h`.
#[must_use]
pub fn span(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0 => format!("{} ms", nanoseconds / 1_000_000),
        1..60 => format!("{seconds}.{} s", nanoseconds / 100_000_000 % 10),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

fn split(time: u64) -> (i64, u64) {
    let second = i64::try_from(time / 1_000_000_000).expect("2^64 ns are fewer than 2^63 seconds");
    (second, time % 1_000_000_000)
}

fn clock(second: i64) -> [u8; 8] {
    let of_day = second.rem_euclid(86_400);
    let pair = |n: i64| [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
    let [a, b] = pair(of_day / 3600);
    let [c, d] = pair(of_day / 60 % 60);
    let [e, f] = pair(of_day % 60);
    [a, b, b':', c, d, b':', e, f]
}

fn fraction(nanos: u64, out: &mut Vec<u8>) {
    out.push(b'.');
    digits(nanos, 9, out);
}

fn digits(number: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut number = number;
    for at in (start..start + width).rev() {
        out[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day since the epoch, after Howard Hinnant's `civil_from_days`.
fn date(days: i64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (
        year.unsigned_abs(),
        month.unsigned_abs(),
        day.unsigned_abs(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let mut out = Vec::new();
        iso8601(1_470_327_477_881_730_713, "+0000", &mut out);
        assert_eq!(out, b"2016-08-04T16:17:57.881730713+0000");
        out.clear();
        iso8601(0, "Z", &mut out);
        assert_eq!(out, b"1970-01-01T00:00:00.000000000Z");
        out.clear();
        let mut clock = Clock::new(TimeZone::get("Asia/Kolkata").unwrap_or(TimeZone::UTC));
        clock.local(1_470_327_477_000_000_001, &mut out);
        assert!(out == b"21:47:57.000000001" || out == b"16:17:57.000000001");
    }

    #[test]
    fn dates_agree_with_jiff() {
        for second in (0..5_000_000_000_i64).step_by(86_399 * 17) {
            let mut out = Vec::new();
            iso8601(second as u64 * 1_000_000_000, "Z", &mut out);
            let expected = Timestamp::from_second(second).unwrap().to_string();
            let text = String::from_utf8(out).unwrap().replace(".000000000", "");
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn the_end_of_time() {
        let mut out = Vec::new();
        iso8601(u64::MAX, "Z", &mut out);
        assert_eq!(out, b"2554-07-21T23:34:33.709551615Z");
        Clock::new(TimeZone::UTC).local(u64::MAX, &mut out);
    }
}
