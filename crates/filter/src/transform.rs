//! Transformers at work. What they make lives in the scratch arena of the event.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::operator::Function;
use crate::render;
use crate::schema::{FieldSource, Purpose};
use crate::term::{Call, Term};
use crate::value::Value;

/// The value of a term; missing if anything that it needs is missing or cannot be transformed.
pub(crate) fn value<'a, S: FieldSource>(
    term: &'a Term,
    source: &'a S,
    scratch: &'a Bump,
) -> Option<Value<'a>> {
    match term {
        Term::Field(field) => source.extract(field, Purpose::Compare, scratch),
        Term::Text(bytes) => Some(Value::Bytes(bytes)),
        Term::Items(items) => {
            let mut all = BumpVec::with_capacity_in(items.len(), scratch);
            for item in items {
                match value(item, source, scratch)? {
                    Value::List(inner) => all.extend_from_slice(inner),
                    one => all.push(one),
                }
            }
            Some(Value::List(all.into_bump_slice()))
        }
        Term::Call(call) => self::call(call, source, scratch),
    }
}

fn call<'a, S: FieldSource>(call: &'a Call, source: &'a S, scratch: &'a Bump) -> Option<Value<'a>> {
    let first = value(call.arguments.first()?, source, scratch)?;
    match call.function {
        Function::Val => Some(first),
        Function::ToLower => each(first, scratch, |bytes| {
            let own = scratch.alloc_slice_copy(bytes);
            own.make_ascii_lowercase();
            Some(own)
        }),
        Function::ToUpper => each(first, scratch, |bytes| {
            let own = scratch.alloc_slice_copy(bytes);
            own.make_ascii_uppercase();
            Some(own)
        }),
        Function::Basename => each(first, scratch, |bytes| {
            let start = memchr::memrchr(b'/', bytes).map_or(0, |at| at + 1);
            Some(&bytes[start..])
        }),
        Function::B64 => each(first, scratch, |bytes| decode_base64(bytes, scratch)),
        Function::Len => Some(Value::Unsigned(match first {
            Value::List(all) => all.len() as u64,
            Value::Bytes(bytes) if call.text => {
                memchr::memchr(0, bytes).unwrap_or(bytes.len()) as u64
            }
            Value::Bytes(bytes) => bytes.len() as u64,
            _ => return None,
        })),
        Function::Concat => {
            let mut out = BumpVec::new_in(scratch);
            render::bare_text(&first, &mut out);
            for argument in &call.arguments[1..] {
                render::bare_text(&value(argument, source, scratch)?, &mut out);
            }
            Some(Value::Bytes(out.into_bump_slice()))
        }
        Function::Join => {
            let list = value(call.arguments.get(1)?, source, scratch)?;
            let Value::List(all) = list else { return None };
            let mut out = BumpVec::new_in(scratch);
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    render::bare_text(&first, &mut out);
                }
                render::bare_text(one, &mut out);
            }
            Some(Value::Bytes(out.into_bump_slice()))
        }
        Function::Getopt => {
            let options = value(call.arguments.get(1)?, source, scratch)?;
            match (first, options) {
                (Value::List(words), Value::Bytes(options)) => {
                    getopt(words, options, call.selector, scratch)
                }
                _ => None,
            }
        }
    }
}

/// The same for one text or for each of a list.
fn each<'a>(
    value: Value<'a>,
    scratch: &'a Bump,
    change: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<Value<'a>> {
    match value {
        Value::Bytes(bytes) => change(bytes).map(Value::Bytes),
        Value::List(all) => {
            let mut out = BumpVec::with_capacity_in(all.len(), scratch);
            for one in all {
                match one {
                    Value::Bytes(bytes) => out.push(Value::Bytes(change(bytes)?)),
                    _ => return None,
                }
            }
            Some(Value::List(out.into_bump_slice()))
        }
        _ => None,
    }
}

/// Standard alphabet; padding may be there or not; anything else makes the value missing.
fn decode_base64<'a>(text: &[u8], scratch: &'a Bump) -> Option<&'a [u8]> {
    let digits = match text {
        [digits @ .., b'=', b'='] | [digits @ .., b'='] if text.len().is_multiple_of(4) => digits,
        _ => text,
    };
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = BumpVec::with_capacity_in(digits.len() / 4 * 3 + 2, scratch);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(out.into_bump_slice())
}

/// The walk over a command line that C's `getopt` does, without its permutation.
fn getopt<'a>(
    words: &'a [Value<'a>],
    options: &'a [u8],
    selector: Option<u8>,
    scratch: &'a Bump,
) -> Option<Value<'a>> {
    const COLON: u8 = b':';
    let options = options.strip_prefix(b":").unwrap_or(options);
    let mut found = BumpVec::new_in(scratch);
    let mut selected = None;
    let mut rest = words.iter();
    'words: while let Some(Value::Bytes(word)) = rest.next() {
        let cluster = match *word {
            b"--" => break,
            [b'-', b'-', _, ..] => continue,
            [b'-', cluster @ ..] if !cluster.is_empty() => cluster,
            _ => break,
        };
        for (index, option) in cluster.iter().enumerate() {
            let name = &cluster[index..=index];
            let known = options
                .iter()
                .position(|own| own == option && *own != COLON);
            let Some(at) = known else {
                found.push(Value::Bytes(b"?"));
                continue;
            };
            if options.get(at + 1) != Some(&COLON) {
                found.push(Value::Bytes(name));
                if selector == Some(*option) {
                    selected = Some(Value::Bytes(name));
                }
                continue;
            }
            let attached = &cluster[index + 1..];
            let argument = if attached.is_empty() {
                rest.next().copied()
            } else {
                Some(Value::Bytes(attached))
            };
            match argument {
                Some(argument) => {
                    found.push(Value::Bytes(name));
                    found.push(argument);
                    if selector == Some(*option) {
                        selected = Some(argument);
                    }
                }
                None => {
                    found.push(Value::Bytes(b""));
                    if selector == Some(*option) {
                        selected = Some(Value::Bytes(b""));
                    }
                }
            }
            continue 'words;
        }
    }
    match selector {
        Some(_) => selected,
        None => Some(Value::List(found.into_bump_slice())),
    }
}
