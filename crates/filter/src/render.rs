//! Values as the text of an output.
//!
//! Byte buffers print with a dot for each byte that is not printable ASCII, cut to 1,021 bytes as
//! recorded alerts show, or in base64; lists are cut to 1,023. Strings are copied as they are:
//! what an attacker put into them is made harmless by [`sanitize`], value by value, so that
//! the rule author's own text stays as it was written.

use std::net::IpAddr;

use bumpalo::collections::Vec as BumpVec;

use crate::schema::{FieldDef, Format};
use crate::value::{Type, Value};

/// Longest text of a buffer or a list.
pub const LONGEST: usize = 1023;

/// Longest text of a buffer that is shown as such; the original loses two bytes of its own buffer.
const LONGEST_BUFFER: usize = LONGEST - 2;

/// How buffers print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Buffers {
    /// Printable ASCII, dots for the rest.
    #[default]
    Text,
    /// Base64 of the bytes.
    Base64,
}

/// Something that bytes are added to.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for BumpVec<'_, u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Adds the text of a field's value.
pub fn text(def: &FieldDef, value: &Value<'_>, buffers: Buffers, out: &mut Vec<u8>) {
    typed_text(def.ty, def.format, value, buffers, out);
}

pub(crate) fn typed_text(
    ty: Type,
    format: Format,
    value: &Value<'_>,
    buffers: Buffers,
    out: &mut Vec<u8>,
) {
    match value {
        Value::List(all) => {
            let start = out.len();
            out.push(b'(');
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                typed_text(ty, format, one, buffers, out);
                if out.len() - start > LONGEST {
                    break;
                }
            }
            out.push(b')');
            out.truncate(start + LONGEST);
        }
        Value::Bytes(bytes) if ty == Type::ByteBuf => buffer(bytes, buffers, out),
        Value::Ip(_) if ty == Type::IpNet => out.extend_from_slice(b"<IPNET>"),
        Value::Signed(number) => match format {
            Format::Decimal => bare_text(value, out),
            _ => unsigned(format, width_cut(ty, *number), out),
        },
        Value::Unsigned(number) => unsigned(format, *number, out),
        _ => bare_text(value, out),
    }
}

/// A negative number in the width of its type, for hexadecimal and octal.
fn width_cut(ty: Type, number: i64) -> u64 {
    match ty {
        Type::Int8 => u64::from(number as u8),
        Type::Int16 => u64::from(number as u16),
        Type::Int32 => u64::from(number as u32),
        _ => number as u64,
    }
}

fn unsigned(format: Format, number: u64, out: &mut Vec<u8>) {
    match format {
        Format::Decimal => digits(number, 10, 1, out),
        Format::Padded => digits(number, 10, 9, out),
        Format::Hex => digits(number, 16, 1, out),
        Format::Octal => digits(number, 8, 1, out),
    }
}

fn digits(mut number: u64, base: u64, fewest: usize, out: &mut impl Sink) {
    let mut text = [b'0'; 24];
    let mut start = text.len();
    while number > 0 {
        start -= 1;
        // The remainder is below 16.
        text[start] = b"0123456789ABCDEF"[(number % base) as usize];
        number /= base;
    }
    out.put(&text[start.min(text.len() - fewest)..]);
}

/// The plain form that needs no type: decimal numbers, bytes as they are.
pub(crate) fn bare_text(value: &Value<'_>, out: &mut impl Sink) {
    match value {
        Value::Signed(number) => {
            if *number < 0 {
                out.put(b"-");
            }
            digits(number.unsigned_abs(), 10, 1, out);
        }
        Value::Unsigned(number) => digits(*number, 10, 1, out),
        Value::Double(number) => out.put(format!("{number:.1}").as_bytes()),
        Value::Bool(true) => out.put(b"true"),
        Value::Bool(false) => out.put(b"false"),
        Value::Bytes(bytes) => out.put(bytes),
        Value::Ip(IpAddr::V4(ip)) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    out.put(b".");
                }
                digits(u64::from(octet), 10, 1, out);
            }
        }
        Value::Ip(IpAddr::V6(ip)) => out.put(ip.to_string().as_bytes()),
        Value::List(all) => {
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    out.put(b",");
                }
                bare_text(one, out);
            }
        }
    }
}

fn buffer(bytes: &[u8], buffers: Buffers, out: &mut Vec<u8>) {
    let start = out.len();
    match buffers {
        Buffers::Text => {
            let shown = &bytes[..bytes.len().min(LONGEST_BUFFER)];
            out.extend(shown.iter().map(|byte| match byte {
                b' '..=b'~' => *byte,
                _ => b'.',
            }));
        }
        Buffers::Base64 => {
            // Whole groups only, so that the text decodes.
            let most = LONGEST / 4 * 3;
            for group in bytes[..bytes.len().min(most)].chunks(3) {
                let mut bits = [0; 4];
                bits[1..=group.len()].copy_from_slice(group);
                let bits = u32::from_be_bytes(bits);
                for place in 0..4 {
                    const ALPHABET: &[u8; 64] =
                        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                    let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
                    out.push(if place <= group.len() { digit } else { b'=' });
                }
            }
        }
    }
    out.truncate(start + LONGEST);
}

/// Adds `bytes` so that they cannot pretend to be another line or steer a terminal.
///
/// Exactly: each control character (U+0000 to U+001F, U+007F to U+009F) and each longest invalid UTF-8
/// sequence becomes U+FFFD, as in the original's outputs; all else is copied.
///
/// It is to be used on field values, not on the author's own template text.
pub fn sanitize(bytes: &[u8], out: &mut Vec<u8>) {
    let harmless = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if harmless {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let c = if c.is_control() { '\u{fffd}' } else { c };
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

pub(crate) fn escape_control(c: char, out: &mut Vec<u8>) {
    let short = match c {
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let code = c as u32 as usize;
            let digit = |shift: usize| HEX[code >> shift & 15];
            out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ty: Type, format: Format, value: Value<'_>) -> String {
        let mut out = Vec::new();
        typed_text(ty, format, &value, Buffers::Text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(
            shown(Type::Int64, Format::Decimal, Value::Signed(i64::MIN)),
            "-9223372036854775808"
        );
        assert_eq!(
            shown(Type::Uint64, Format::Decimal, Value::Unsigned(0)),
            "0"
        );
        assert_eq!(
            shown(Type::Uint64, Format::Decimal, Value::Unsigned(u64::MAX)),
            u64::MAX.to_string()
        );
        assert_eq!(
            shown(Type::Uint32, Format::Hex, Value::Unsigned(0xfd01)),
            "FD01"
        );
        assert_eq!(
            shown(Type::Int32, Format::Hex, Value::Signed(-1)),
            "FFFFFFFF"
        );
        assert_eq!(
            shown(Type::Uint32, Format::Octal, Value::Unsigned(0o755)),
            "755"
        );
        assert_eq!(
            shown(Type::RelTime, Format::Padded, Value::Unsigned(42)),
            "000000042"
        );
        assert_eq!(
            shown(Type::Double, Format::Decimal, Value::Double(2.25)),
            "2.2"
        );
        let ip = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(
            shown(Type::IpAddr, Format::Decimal, Value::Ip(ip)),
            "10.0.0.1"
        );
        assert_eq!(
            shown(Type::IpNet, Format::Decimal, Value::Ip(ip)),
            "<IPNET>"
        );
    }

    #[test]
    fn buffers_and_lists_are_bounded() {
        assert_eq!(
            shown(Type::ByteBuf, Format::Decimal, Value::Bytes(b"a\n\xff~")),
            "a..~"
        );
        let long = vec![b'x'; 5000];
        assert_eq!(
            shown(Type::ByteBuf, Format::Decimal, Value::Bytes(&long)).len(),
            LONGEST_BUFFER
        );
        let many = vec![Value::Bytes(&long); 1000];
        assert_eq!(
            shown(Type::CharBuf, Format::Decimal, Value::List(&many)).len(),
            LONGEST
        );
        let two = [Value::Bytes(b"a"), Value::Bytes(b"b")];
        assert_eq!(
            shown(Type::CharBuf, Format::Decimal, Value::List(&two)),
            "(a,b)"
        );
        for (bytes, expected) in [
            (&b"f"[..], "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"", ""),
        ] {
            let mut out = Vec::new();
            buffer(bytes, Buffers::Base64, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn nothing_hostile_survives() {
        let mut out = Vec::new();
        sanitize("a\nb\x1b[31m\u{85}\u{7f}\\ é".as_bytes(), &mut out);
        assert_eq!(out, "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}\\ é".as_bytes());
        out.clear();
        sanitize(b"x\xe2\x82y\xff", &mut out);
        assert_eq!(out, "x\u{fffd}y\u{fffd}".as_bytes());
    }
}
