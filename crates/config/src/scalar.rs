//! How the text of a scalar is read as a truth value, a number or a span of time.

/// The forms of truth values: y/n, yes/no, true/false, on/off, in lower, Capitalised or UPPER
/// case.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capital = || {
        let mut chars = lower.chars();
        chars
            .next()
            .map(|c| format!("{}{}", c.to_ascii_uppercase(), chars.as_str()))
    };
    if text != lower && text != lower.to_ascii_uppercase() && Some(text) != capital().as_deref() {
        return None;
    }
    match lower.as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number: decimal, or hexadecimal with `0x`.
#[must_use]
pub fn whole(text: &str) -> Option<i128> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok().map(i128::from),
        None => text.parse().ok(),
    }
}

/// A span of time as Prometheus writes it, in milliseconds: `1h30m`, units `y w d h m s ms` in
/// falling order, each at most once.
#[must_use]
pub fn milliseconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut next = 0;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let unit = &rest[digits..digits + letters];
        let number: u64 = rest[..digits].parse().ok()?;
        let place = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .filter(|at| *at >= next)?;
        total = total.checked_add(number.checked_mul(UNITS[place].1)?)?;
        next = place + 1;
        rest = &rest[digits + letters..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths() {
        for text in [
            "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On",
        ] {
            assert_eq!(truth(text), Some(true), "{text}");
        }
        for text in ["n", "No", "FALSE", "off"] {
            assert_eq!(truth(text), Some(false), "{text}");
        }
        for text in ["", "tRUE", "1", "0", "maybe", "yES"] {
            assert_eq!(truth(text), None, "{text}");
        }
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(milliseconds("1h"), Some(3_600_000));
        assert_eq!(milliseconds("1h30m5s10ms"), Some(5_405_010));
        assert_eq!(milliseconds("100ms"), Some(100));
        for bad in [
            "",
            "5000",
            "1m1h",
            "1s1s",
            "h",
            "1x",
            "-1s",
            "99999999999999999999y",
        ] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
    }
}
