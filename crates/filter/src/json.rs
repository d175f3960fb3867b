//! Values and texts as JSON, byte for byte as the original's library writes them.
//!
//! Control characters below U+0020 are escaped, the two characters that must be are, nothing else
//! is; invalid UTF-8 becomes U+FFFD. Doubles print in their shortest form, with `.0` if whole and
//! an exponent from 1e15 up and below 1e-4.

use crate::render::{self, Buffers};
use crate::schema::{FieldDef, Format};
use crate::value::{Type, Value};

/// Adds a field's value: a number, a truth value, a string or an array; `null` if it is missing.
pub fn value(def: &FieldDef, value: Option<&Value<'_>>, buffers: Buffers, out: &mut Vec<u8>) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(value) => typed(def.ty, def.format, value, buffers, out),
    }
}

fn typed(ty: Type, format: Format, value: &Value<'_>, buffers: Buffers, out: &mut Vec<u8>) {
    let as_text = |out: &mut Vec<u8>| {
        let mut text = Vec::new();
        render::typed_text(ty, format, value, buffers, &mut text);
        string(&text, out);
    };
    match value {
        Value::Signed(_) | Value::Unsigned(_) if matches!(format, Format::Hex | Format::Octal) => {
            as_text(out);
        }
        Value::Signed(_) | Value::Unsigned(_) | Value::Bool(_) => render::bare_text(value, out),
        Value::Double(number) => double(*number, out),
        Value::Bytes(bytes) if ty != Type::ByteBuf => {
            let mut text = Vec::new();
            render::sanitize(bytes, &mut text);
            string(&text, out);
        }
        Value::Bytes(_) | Value::Ip(_) => as_text(out),
        Value::List(all) => {
            out.push(b'[');
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                typed(ty, format, one, buffers, out);
            }
            out.push(b']');
        }
    }
}

/// Adds a string with its quotes.
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        escape(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..index]);
        copied = index + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => render::escape_control(byte as char, out),
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Adds a number in its shortest form; `null` for what JSON has no number for.
pub fn double(number: f64, out: &mut Vec<u8>) {
    if !number.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..15).contains(&exponent) {
        out.extend_from_slice(format!("{number:?}").as_bytes());
        return;
    }
    out.extend_from_slice(mantissa.as_bytes());
    let sign = if exponent < 0 { '-' } else { '+' };
    out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let shown = |bytes: &[u8]| {
            let mut out = Vec::new();
            string(bytes, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            shown(b"a\"b\\c\n\x01\x7f/"),
            "\"a\\\"b\\\\c\\n\\u0001\x7f/\""
        );
        assert_eq!(shown(b"\xff\xe2\x82"), "\"\u{fffd}\u{fffd}\"");
        assert_eq!(shown("é☃".as_bytes()), "\"é☃\"");
    }

    #[test]
    fn doubles() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (2.5, "2.5"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e14, "100000000000000.0"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NAN, "null"),
        ] {
            let mut out = Vec::new();
            double(number, &mut out);
            assert_eq!(out, expected.as_bytes(), "{number}");
        }
    }
}
