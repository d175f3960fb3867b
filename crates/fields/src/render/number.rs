//! Numbers as text, without the formatting machinery and its virtual calls.

use super::Out;

/// Decimal digits.
#[inline]
pub fn unsigned(value: u64, out: &mut Out<'_>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Decimal digits behind a minus where needed.
#[inline]
pub fn signed(value: i64, out: &mut Out<'_>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

/// Digits of a base that is a power of two, `bits` per digit.
fn binary(value: u64, bits: u32, digits: &[u8; 16], out: &mut Out<'_>) {
    let mut text = [0u8; 22];
    let mut at = text.len();
    let mut rest = value;
    loop {
        at -= 1;
        text[at] = digits[(rest & ((1 << bits) - 1)) as usize];
        rest >>= bits;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

/// Upper-case hexadecimal digits.
pub fn hex(value: u64, out: &mut Out<'_>) {
    binary(value, 4, b"0123456789ABCDEF", out);
}

/// Lower-case hexadecimal digits.
pub fn hex_lower(value: u64, out: &mut Out<'_>) {
    binary(value, 4, b"0123456789abcdef", out);
}

/// Octal digits behind a 0; the number 0 is one digit.
pub fn octal(value: u64, out: &mut Out<'_>) {
    if value != 0 {
        out.push(b'0');
    }
    binary(value, 3, b"0123456789abcdef", out);
}

/// Decimal digits, at least nine.
pub fn padded(value: u64, out: &mut Out<'_>) {
    let mut limit = 100_000_000;
    while limit > value.max(1) {
        out.push(b'0');
        limit /= 10;
    }
    unsigned(value, out);
}

/// Six significant digits in the shorter of plain and scientific notation: `%g` of C.
pub fn general(value: f64, out: &mut Out<'_>) {
    if value == 0.0 || !value.is_finite() {
        return out.push(b'0');
    }
    // Rust's scientific form rounds to six digits and tells the exponent of the rounded number.
    let text = format!("{value:.5e}");
    let (mantissa, exponent) = text
        .split_once('e')
        .expect("scientific form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if (-4..6).contains(&exponent) {
        let places = usize::try_from(5 - exponent).unwrap_or(0);
        let plain = format!("{value:.places$}");
        out.extend_from_slice(trimmed(&plain).as_bytes());
        return;
    }
    out.extend_from_slice(trimmed(mantissa).as_bytes());
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.push(b'0');
    }
    unsigned(u64::from(exponent.unsigned_abs()), out);
}

/// Without zeros at the end of the fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    fn text(write: impl FnOnce(&mut Out<'_>)) -> String {
        let bump = Bump::new();
        let mut out = Out::new_in(&bump);
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn integers() {
        assert_eq!(text(|o| signed(i64::MIN, o)), i64::MIN.to_string());
        assert_eq!(text(|o| unsigned(u64::MAX, o)), u64::MAX.to_string());
        assert_eq!(text(|o| unsigned(0, o)), "0");
        assert_eq!(text(|o| hex(0xCA01, o)), "CA01");
        assert_eq!(text(|o| hex_lower(0xffff_8800, o)), "ffff8800");
        assert_eq!(text(|o| octal(0o4755, o)), "04755");
        assert_eq!(text(|o| octal(0, o)), "0");
        for value in [
            0,
            1,
            9,
            10,
            99_999_999,
            100_000_000,
            999_999_999,
            1_234_567_890,
        ] {
            assert_eq!(text(|o| padded(value, o)), format!("{value:09}"));
        }
    }

    #[test]
    fn shortest_decimals() {
        for (value, expected) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (1.0, "1"),
            (2.5, "2.5"),
            (0.003, "0.003"),
            (1e-6, "1e-06"),
            (1.7e-8, "1.7e-08"),
            (1.844_674_4e10, "1.84467e+10"),
            (123_456.7, "123457"),
            (999_999.9, "1e+06"),
            (0.0001, "0.0001"),
            (86400.0, "86400"),
        ] {
            assert_eq!(text(|o| general(value, o)), expected);
        }
    }
}
