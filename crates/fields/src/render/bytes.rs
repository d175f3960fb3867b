//! Bytes that a stranger chose, as text.

use super::Out;

/// Copies `text` with U+FFFD for every control character and every sequence that is no UTF-8.
#[inline]
pub fn clean(text: &[u8], out: &mut Out<'_>) {
    if text.iter().all(|b| b.is_ascii() && !b.is_ascii_control()) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        for part in chunk.valid().split_inclusive(|c: char| c.is_control()) {
            match part.strip_suffix(|c: char| c.is_control()) {
                Some(clean) => {
                    out.extend_from_slice(clean.as_bytes());
                    out.extend_from_slice(REPLACEMENT);
                }
                None => out.extend_from_slice(part.as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT);
        }
    }
}

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Every byte that is no printable ASCII as a dot.
pub fn dotted(bytes: &[u8], out: &mut Out<'_>) {
    out.extend(bytes.iter().map(|&b| {
        if b == b' ' || b.is_ascii_graphic() {
            b
        } else {
            b'.'
        }
    }));
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
pub fn base64(bytes: &[u8], out: &mut Out<'_>) {
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            if digit > group.len() {
                out.push(b'=');
            } else {
                out.push(ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    #[test]
    fn forms() {
        let bump = Bump::new();
        let run = |write: fn(&[u8], &mut Out<'_>), bytes: &[u8]| {
            let mut out = Out::new_in(&bump);
            write(bytes, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(
            run(clean, b"a\x1b[0m\nb\x7f\xff"),
            "a\u{fffd}[0m\u{fffd}b\u{fffd}\u{fffd}"
        );
        assert_eq!(run(clean, "\u{e9}t\u{e9}".as_bytes()), "\u{e9}t\u{e9}");
        assert_eq!(run(dotted, b"a b\0\n\xff"), "a b...");
        assert_eq!(run(base64, b""), "");
        assert_eq!(run(base64, b"f"), "Zg==");
        assert_eq!(run(base64, b"fo"), "Zm8=");
        assert_eq!(run(base64, b"foo"), "Zm9v");
        assert_eq!(run(base64, b"foob\xff"), "Zm9vYv8=");
    }
}
