//! A parameter's bytes from a written value.

use event::errno::errno_name;
use event::info::Flag;
use event::{ParamInfo, ParamType as T, Print};

/// A whole number as C writes it: decimal, `0x` hexadecimal, leading 0 octal; with or without a sign.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let number = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(&digits[1..], 8).ok()?
    } else if digits.starts_with('+') {
        return None;
    } else {
        digits.parse().ok()?
    };
    let number = number.cast_signed();
    Some(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// The result of a system call: a number, `SUCCESS`, or the name of an error with or without its minus.
pub(super) fn result(text: &str) -> Option<i64> {
    if let Some(number) = integer(text) {
        return Some(number);
    }
    if text == "SUCCESS" {
        return Some(0);
    }
    let name = text.strip_prefix('-').unwrap_or(text);
    (1..=133)
        .find(|&number| errno_name(number) == Some(name))
        .map(|number| -i64::from(number))
}

/// Names of bits, or of one value, joined by `|`; numbers among them.
pub(super) fn flags(text: &str, table: &[Flag]) -> Option<u64> {
    let mut bits = 0;
    for word in text.split(['|', ' ', ',']).filter(|word| !word.is_empty()) {
        // Outputs write the number behind the names.
        let word = word.split('(').next().unwrap_or(word);
        let found = table.iter().find(|flag| flag.name == word);
        bits |= match found {
            Some(flag) => u64::from(flag.value),
            None => integer(word)?.cast_unsigned(),
        };
    }
    Some(bits)
}

/// An integer in the width of a type.
pub(super) fn fixed(number: u64, width: usize) -> Vec<u8> {
    number.to_le_bytes()[..width.min(8)].to_vec()
}

/// Texts, each with its NUL.
pub(super) fn texts(all: &[String]) -> Vec<u8> {
    all.iter()
        .flat_map(|text| text.bytes().chain([0]))
        .collect()
}

/// The bytes of a parameter that was written down; `None`: the value does not fit its type.
pub(super) fn parameter(info: &ParamInfo, text: &str) -> Option<Vec<u8>> {
    let width = info.ty.width();
    match info.ty {
        T::CharBuf | T::FsPath | T::FsRelPath => Some([text.as_bytes(), b"\0"].concat()),
        T::ByteBuf => Some(text.as_bytes().to_vec()),
        T::Errno => Some(fixed(result(text)?.cast_unsigned(), 8)),
        T::Fd | T::Fd32 if text == "AT_FDCWD" => Some(fixed((-100_i64).cast_unsigned(), width?)),
        _ if !info.flags.is_empty() => Some(fixed(flags(text, info.flags)?, width?)),
        T::SigType => {
            let number = (1..=64).find(|&n| event::signal::signal_name(n) == Some(text));
            Some(fixed(
                number
                    .map_or_else(|| integer(text), |n| Some(i64::from(n)))?
                    .cast_unsigned(),
                1,
            ))
        }
        T::Mode | T::Uint32 if info.print == Print::Oct => Some(fixed(
            u64::from_str_radix(text.trim_start_matches("0o"), 8).ok()?,
            4,
        )),
        T::Bool => Some(fixed(u64::from(text == "true"), 4)),
        _ => Some(fixed(integer(text)?.cast_unsigned(), width?)),
    }
}

/// The bytes of a parameter of which nothing is said.
pub(super) fn absent(info: &ParamInfo) -> Vec<u8> {
    match info.ty {
        T::CharBuf | T::FsPath | T::FsRelPath => vec![0],
        T::Fd | T::Fd32 if info.name.contains("dir") => {
            fixed((-100_i64).cast_unsigned(), info.ty.width().unwrap_or(8))
        }
        T::FdList => vec![0, 0],
        T::Dyn => {
            let width = info
                .variants
                .first()
                .and_then(|variant| variant.ty.width())
                .unwrap_or(8);
            std::iter::once(0)
                .chain(std::iter::repeat_n(0, width))
                .collect()
        }
        _ => info
            .ty
            .width()
            .map_or_else(Vec::new, |width| vec![0; width]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        assert_eq!(integer("0x1F"), Some(31));
        assert_eq!(integer("-17"), Some(-17));
        assert_eq!(integer("0755"), Some(0o755));
        assert_eq!(integer("five"), None);
        assert_eq!(result("ENOENT"), Some(-2));
        assert_eq!(result("-EACCES"), Some(-13));
        assert_eq!(result("SUCCESS"), Some(0));
        let table = [
            Flag {
                name: "A",
                value: 1,
            },
            Flag {
                name: "B",
                value: 4,
            },
        ];
        assert_eq!(flags("A|B(4)|0x10", &table), Some(0x15));
        assert_eq!(flags("A|C", &table), None);
    }
}
