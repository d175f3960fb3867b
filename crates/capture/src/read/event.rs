//! Brings an event into today's layout, in place: little-endian, with the number of parameters
//! in its header.
//!
//! ```text
//! old:      | ts | tid | len | code | lengths, parameters ...
//! new:  | ts | tid | len | code | count | lengths, parameters ...
//! ```
//!
//! The header moves four bytes to the left, over what stood before the event in its block; the
//! parameters, most of the bytes, stay where they are.

use event::info::ParamInfo;
use event::record::HEADER_LEN;
use event::table::events::EVENTS;
use event::types::ParamType;
use event::{EventFlags, sock};

use crate::cursor::Order;

/// Bytes of the old header.
pub(crate) const OLD_HEADER_LEN: usize = 22;
/// Bytes by which the new header is longer.
const GROWTH: usize = HEADER_LEN - OLD_HEADER_LEN;
/// Types whose length old writers stored 3 too large: notifications and infrastructure events.
const OVERSTATED: [u16; 2] = [280, 286];

/// An old event that fits no number of parameters.
pub(crate) struct NoCount {
    pub(crate) code: u16,
    pub(crate) len: u32,
}

/// Where a field of the header lies, from the event's first byte.
const TS: std::ops::Range<usize> = 0..8;
const TID: std::ops::Range<usize> = 8..16;
const LEN: std::ops::Range<usize> = 16..20;
const CODE: std::ops::Range<usize> = 20..22;
const COUNT: std::ops::Range<usize> = 22..26;

/// Type of the event whose header `event` begins with, in byte order `order`.
#[inline]
pub(crate) fn code(event: &[u8], order: Order) -> Option<u16> {
    let bytes = *event.get(CODE)?.first_chunk::<2>()?;
    Some(match order {
        Order::Little => u16::from_le_bytes(bytes),
        Order::Big => u16::from_be_bytes(bytes),
    })
}

/// Makes the event at `block[at..]` little-endian with a new header, and returns where it begins.
/// An event that is too short for its header is left as it is: whoever parses it says so.
pub(crate) fn modernise(
    block: &mut [u8],
    at: usize,
    old_header: bool,
    order: Order,
) -> Result<usize, NoCount> {
    let header = if old_header {
        OLD_HEADER_LEN
    } else {
        HEADER_LEN
    };
    if block.len() < at + header {
        return Ok(at);
    }
    if order == Order::Big {
        let event = &mut block[at..];
        event[TS].reverse();
        event[TID].reverse();
        event[LEN].reverse();
        event[CODE].reverse();
        if !old_header {
            event[COUNT].reverse();
        }
    }
    let start = if old_header {
        grow_header(block, at, order)?
    } else {
        at
    };
    if order == Order::Big {
        swap_parameters(&mut block[start..]);
    }
    Ok(start)
}

fn grow_header(block: &mut [u8], at: usize, order: Order) -> Result<usize, NoCount> {
    let event = &mut block[at..];
    let code = u16::from_le_bytes([event[20], event[21]]);
    let mut len = u32::from_le_bytes([event[16], event[17], event[18], event[19]]);
    if OVERSTATED.contains(&code) {
        len = len.saturating_sub(3);
    }
    let no_count = NoCount { code, len };
    let known = EVENTS
        .get(usize::from(code))
        .map_or(0, |info| info.params.len());
    let count = count_parameters(&event[OLD_HEADER_LEN..], len, known, order).ok_or(no_count)?;
    let start = at - GROWTH;
    block.copy_within(at..at + OLD_HEADER_LEN, start);
    let event = &mut block[start..];
    event[LEN].copy_from_slice(&(len + GROWTH as u32).to_le_bytes());
    event[COUNT].copy_from_slice(&count.to_le_bytes());
    Ok(start)
}

/// The number of parameters, not above `known`, whose lengths add up to `len` exactly. There is
/// at most one: every further parameter adds at least its length field.
fn count_parameters(lengths: &[u8], len: u32, known: usize, order: Order) -> Option<u32> {
    let mut sum = OLD_HEADER_LEN as u64;
    let mut count = 0;
    while sum < u64::from(len) && count < known {
        let bytes = *lengths.get(2 * count..)?.first_chunk::<2>()?;
        let length = match order {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        };
        sum += 2 + u64::from(length);
        count += 1;
    }
    (sum == u64::from(len)).then_some(count as u32)
}

/// Swaps lengths and values of an event whose header is little-endian already. What doesn't fit
/// is left alone: whoever parses it finds the same.
fn swap_parameters(event: &mut [u8]) {
    let code = u16::from_le_bytes([event[20], event[21]]);
    let count = u32::from_le_bytes([event[22], event[23], event[24], event[25]]) as usize;
    let Some(info) = EVENTS.get(usize::from(code)) else {
        return;
    };
    let width = if info.flags.contains(EventFlags::LARGE_PAYLOAD) {
        4
    } else {
        2
    };
    let Some(lengths_end) = count
        .checked_mul(width)
        .and_then(|n| n.checked_add(HEADER_LEN))
    else {
        return;
    };
    let Some((head, mut data)) = event.split_at_mut_checked(lengths_end) else {
        return;
    };
    for (i, length) in head[HEADER_LEN..].chunks_exact_mut(width).enumerate() {
        length.reverse();
        let length = match *length {
            [a, b] => usize::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => return,
        };
        let Some((value, rest)) = data.split_at_mut_checked(length) else {
            return;
        };
        data = rest;
        if let Some(param) = info.params.get(i) {
            swap_value(param.ty, Some(param), value);
        }
    }
}

fn swap_value(ty: ParamType, param: Option<&ParamInfo>, value: &mut [u8]) {
    let first = value.first().copied();
    match ty {
        ParamType::Ipv4Addr | ParamType::Ipv6Addr => {}
        ParamType::SockAddr => match first {
            Some(sock::AF_INET) => swap(value, &[(5, 7)]),
            Some(sock::AF_INET6) => swap(value, &[(17, 19)]),
            _ => {}
        },
        ParamType::SockTuple => match first {
            Some(sock::AF_INET) => swap(value, &[(5, 7), (11, 13)]),
            Some(sock::AF_INET6) => swap(value, &[(17, 19), (35, 37)]),
            Some(sock::AF_UNIX) => swap(value, &[(1, 9), (9, 17)]),
            _ => {}
        },
        ParamType::FdList => {
            swap(value, &[(0, 2)]);
            for pair in value.get_mut(2..).unwrap_or_default().chunks_mut(10) {
                swap(pair, &[(0, 8), (8, 10)]);
            }
        }
        ParamType::Dyn => {
            let Some((&mut index, rest)) = value.split_first_mut() else {
                return;
            };
            let variants = param.map_or(&[][..], |p| p.variants);
            if let Some(variant) = variants.get(usize::from(index)) {
                swap_value(variant.ty, None, rest);
            }
        }
        // A number may have been of another width when it was recorded.
        _ if ty.width().is_some() && value.len() <= 8 => value.reverse(),
        _ => {}
    }
}

/// Swaps the numbers that lie from the first to before the second index of each pair.
fn swap(value: &mut [u8], numbers: &[(usize, usize)]) {
    for &(from, to) in numbers {
        if let Some(number) = value.get_mut(from..to) {
            number.reverse();
        }
    }
}
