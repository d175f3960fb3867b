//! Scalars as truth values and numbers, as today's rule files rely on it.
//!
//! These are the conversions of the library that reads rule files today, which are those of YAML
//! 1.1 for truth and of C for numbers; quoted scalars convert like plain ones.

/// Whether a plain scalar without a tag is null.
#[must_use]
pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A truth value: y, yes, true, on and their opposites, in lower case, capitalised or upper case.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    if text.len() > 5 || !one_case(text) {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Lower case, upper case, or upper case at the beginning only.
fn one_case(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let lower = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase());
    let upper = |s: &str| s.bytes().all(|b| b.is_ascii_uppercase());
    lower(rest) || upper(text)
}

/// An unsigned number: decimal, `0x` hexadecimal or `0` octal; nothing before or after it.
#[must_use]
pub fn unsigned(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.bytes().next()?.is_ascii_digit() {
        return None;
    }
    if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        return u32::from_str_radix(hex, 16)
            .ok()
            .filter(|_| !hex.starts_with('+'));
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return u32::from_str_radix(digits, 8).ok();
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{boolean, unsigned};

    #[test]
    fn truth() {
        for yes in [
            "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON",
        ] {
            assert_eq!(boolean(yes), Some(true), "{yes}");
        }
        for no in [
            "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF",
        ] {
            assert_eq!(boolean(no), Some(false), "{no}");
        }
        for neither in ["", "yEs", "tRUE", "1", "0", "truee", " true", "é"] {
            assert_eq!(boolean(neither), None, "{neither}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(unsigned("7"), Some(7));
        assert_eq!(unsigned("0x10"), Some(16));
        assert_eq!(unsigned("010"), Some(8));
        assert_eq!(unsigned("0"), Some(0));
        for none in [
            "",
            "-1",
            "1.5",
            "7 ",
            " 7",
            "4294967296",
            "seven",
            "0x",
            "0x+1",
            "+",
        ] {
            assert_eq!(unsigned(none), None, "{none}");
        }
    }
}
