//! Spans of time as people write them: `500ms`, `30s`, `5m`, `2h`, `7d`.

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Longest span: a hundred years.
const LONGEST: u64 = 100 * 365 * 86_400_000_000_000;

/// Nanoseconds; `None` for anything but a whole number and a unit.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.checked_mul(*factor).filter(|&ns| ns <= LONGEST)
}

/// The shortest form that says the same.
#[must_use]
pub fn text(nanoseconds: u64) -> String {
    let (name, factor) = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| nanoseconds != 0 && nanoseconds.is_multiple_of(*factor))
        .unwrap_or(&UNITS[2]);
    format!("{}{name}", nanoseconds / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        for (written, expected) in [
            ("500ms", Some(500_000_000)),
            ("30s", Some(30_000_000_000)),
            ("5 m", Some(300_000_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("1.5h", None),
            ("99999999999999999999s", None),
            ("300000d", None),
        ] {
            assert_eq!(parse(written), expected, "{written}");
        }
        assert_eq!(text(90_000_000_000), "90s");
        assert_eq!(text(3_600_000_000_000), "1h");
        assert_eq!(text(0), "0s");
        assert_eq!(text(1_500_000_000), "1500ms");
    }
}
