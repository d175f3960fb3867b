//! One event's bytes, read in place.
//!
//! ```text
//! 0        8        16    20     22         26
//! | ts u64 | tid i64 | len u32 | code u16 | nparams u32 | lengths | parameter bytes, back to back |
//! ```
//!
//! Lengths are u16, or u32 for types with [`EventFlags::LARGE_PAYLOAD`]. All is little-endian and
//! unaligned. A record is checked once, when its view is made; reading a parameter cannot fail
//! after that. Parameters beyond those the table knows are ignored.

use crate::info::{EventFlags, EventInfo};
use crate::table::events::EVENTS;

/// Bytes before the lengths.
pub const HEADER_LEN: usize = 26;
/// Most parameters an event may have.
pub const MAX_PARAMS: usize = 32;

/// Number of an event type. It may be one the table does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventCode(u16);

impl EventCode {
    /// Wraps a number.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Its row, if the table has one.
    #[must_use]
    pub fn info(self) -> Option<&'static EventInfo> {
        EVENTS.get(usize::from(self.0))
    }

    /// Whether this is an entry, not a return.
    #[must_use]
    pub const fn is_enter(self) -> bool {
        self.0 & 1 == 0
    }
}

bitflags::bitflags! {
    /// Flags that travel beside an event in a capture.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RecordFlags: u32 {
        /// Only the state may look at it; no rule and no output does.
        const STATE_ONLY = 1;
        /// io_uring did it on behalf of the thread; no system call was made. Other readers of
        /// captures ignore this bit.
        const IO_URING = 8;
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer bytes than a header.
    Short,
    /// The length field says less than a header or more than there is.
    Length,
    /// The table has no such event type.
    UnknownType(u16),
    /// More parameters than any event has.
    ParamCount(u32),
    /// The lengths or the parameters reach beyond the end.
    Params,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("event is shorter than its header"),
            Self::Length => f.write_str("event's length field does not fit its block"),
            Self::UnknownType(code) => write!(f, "event type {code} is unknown"),
            Self::ParamCount(n) => write!(f, "event claims {n} parameters"),
            Self::Params => f.write_str("event's parameters reach beyond its end"),
        }
    }
}

impl std::error::Error for RecordError {}

/// A checked view of one event.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Nanoseconds since the epoch.
    pub ts: u64,
    /// Thread in the host's pid namespace; -1 where there is none.
    pub tid: i64,
    /// Type.
    pub code: EventCode,
    /// Row of the type.
    pub info: &'static EventInfo,
    /// CPU that saw it.
    pub cpu: u16,
    /// Flags of the capture block.
    pub flags: RecordFlags,
    bytes: &'a [u8],
    /// Where the parameters begin in `bytes`.
    start: u32,
    count: u8,
    wide: bool,
}

impl<'a> Record<'a> {
    /// Checks `bytes` (header first; trailing bytes beyond the length field are ignored).
    ///
    /// # Errors
    /// [`RecordError`] when a length does not fit or the type is unknown.
    // What is made here must lie at once where it is used: handed on as one piece it would be loaded
    // sooner than its parts are stored, which costs more than all the checks.
    #[inline(always)]
    pub fn parse(bytes: &'a [u8], cpu: u16, flags: RecordFlags) -> Result<Self, RecordError> {
        let head: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(RecordError::Short)?;
        let ts = u64::from_le_bytes(*head.first_chunk::<8>().expect("26 bytes"));
        let tid = i64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
        let len = u32::from_le_bytes(head[16..20].try_into().expect("4 bytes")) as usize;
        let number = u16::from_le_bytes(head[20..22].try_into().expect("2 bytes"));
        let stored = u32::from_le_bytes(head[22..26].try_into().expect("4 bytes"));
        if len < HEADER_LEN || len > bytes.len() {
            return Err(RecordError::Length);
        }
        let code = EventCode(number);
        let info = code.info().ok_or(RecordError::UnknownType(number))?;
        if stored as usize > MAX_PARAMS {
            return Err(RecordError::ParamCount(stored));
        }
        let stored = stored as usize;
        let wide = info.flags.contains(EventFlags::LARGE_PAYLOAD);
        let bytes = &bytes[..len];
        let start = HEADER_LEN + stored * if wide { 4 } else { 2 };
        if start > len || sum(&bytes[HEADER_LEN..], stored, wide) > (len - start) as u64 {
            return Err(RecordError::Params);
        }
        let count = stored.min(info.params.len()) as u8;
        Ok(Self {
            ts,
            tid,
            code,
            info,
            cpu,
            flags,
            bytes,
            start: start as u32,
            count,
            wide,
        })
    }

    /// The whole record as it was stored, header included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of parameters that both the record and the table have.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of its parameters, as far as the table knows them.
    #[must_use]
    pub fn param_count(&self) -> usize {
        usize::from(self.count)
    }

    /// Bytes of parameter `index`: empty where it is absent or beyond the end.
    #[must_use]
    #[inline(always)]
    pub fn param(&self, index: usize) -> &'a [u8] {
        if index >= usize::from(self.count) {
            return &[];
        }
        // Nearly always one of the first four: their lengths fit a word.
        if index < 4
            && !self.wide
            && let Some(lengths) = self.bytes[HEADER_LEN..].first_chunk()
        {
            let lengths = u64::from_le_bytes(*lengths);
            let len = usize::from((lengths >> (16 * index)) as u16);
            let from = add_up(lengths & ((1 << (16 * index)) - 1)) as usize;
            return &self.bytes[self.start as usize + from..][..len];
        }
        self.far_param(index)
    }

    #[inline(never)]
    fn far_param(&self, index: usize) -> &'a [u8] {
        // Summing a few lengths is cheaper than keeping 33 offsets with every record: most
        // parameters that anyone asks for are among the first.
        let lengths = &self.bytes[HEADER_LEN..];
        if index < 8
            && !self.wide
            && let Some(lengths) = lengths.first_chunk::<16>()
        {
            let first = u64::from_le_bytes(*lengths.first_chunk().expect("16 bytes"));
            let second = u64::from_le_bytes(*lengths.last_chunk().expect("16 bytes"));
            let shift = 16 * (index & 3);
            let (before, word) = match index {
                0..4 => (0, first),
                _ => (add_up(first), second),
            };
            let from = (before + add_up(word & ((1 << shift) - 1))) as usize;
            let len = usize::from((word >> shift) as u16);
            return &self.bytes[self.start as usize + from..][..len];
        }
        let (from, len) = if self.wide {
            let lengths = lengths.as_chunks::<4>().0;
            (
                sum_wide(&lengths[..index]) as usize,
                u32::from_le_bytes(lengths[index]) as usize,
            )
        } else {
            let len = [lengths[index * 2], lengths[index * 2 + 1]];
            (
                sum_first(lengths, index) as usize,
                usize::from(u16::from_le_bytes(len)),
            )
        };
        &self.bytes[self.start as usize + from..][..len]
    }

    /// All parameters, each found at once: for those who want many of them.
    #[must_use]
    pub fn spread(&self) -> Spread<'a> {
        let mut ends = [self.start; MAX_PARAMS + 1];
        let mut end = self.start;
        let lengths = &self.bytes[HEADER_LEN..self.start as usize];
        let count = usize::from(self.count);
        if self.wide {
            for (slot, length) in ends[1..=count].iter_mut().zip(lengths.as_chunks().0) {
                end += u32::from_le_bytes(*length);
                *slot = end;
            }
        } else {
            for (slot, length) in ends[1..=count].iter_mut().zip(lengths.as_chunks().0) {
                end += u32::from(u16::from_le_bytes(*length));
                *slot = end;
            }
        }
        // Absent parameters are empty: they begin and end where the last one ends.
        ends[count + 1..].fill(end);
        Spread {
            bytes: self.bytes,
            ends,
        }
    }

    /// Bytes of the parameter with this name.
    #[must_use]
    pub fn param_named(&self, name: &str) -> Option<&'a [u8]> {
        let index = self.info.param_index(name)?;
        (index < self.len()).then(|| self.param(index))
    }

    /// An 8-byte signed value; `None` for any other width.
    #[must_use]
    #[inline(always)]
    pub fn i64(&self, index: usize) -> Option<i64> {
        self.param(index).try_into().ok().map(i64::from_le_bytes)
    }

    /// An 8-byte unsigned value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u64(&self, index: usize) -> Option<u64> {
        self.param(index).try_into().ok().map(u64::from_le_bytes)
    }

    /// A 4-byte unsigned value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u32(&self, index: usize) -> Option<u32> {
        self.param(index).try_into().ok().map(u32::from_le_bytes)
    }

    /// A 4-byte signed value; `None` for any other width.
    #[must_use]
    #[inline(always)]
    pub fn i32(&self, index: usize) -> Option<i32> {
        self.param(index).try_into().ok().map(i32::from_le_bytes)
    }

    /// A 2-byte unsigned value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u16(&self, index: usize) -> Option<u16> {
        self.param(index).try_into().ok().map(u16::from_le_bytes)
    }

    /// A 1-byte value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u8(&self, index: usize) -> Option<u8> {
        match self.param(index) {
            [b] => Some(*b),
            _ => None,
        }
    }

    /// Text up to its first NUL; absent or `(NULL)` reads as `<NA>`.
    #[must_use]
    #[inline]
    pub fn text(&self, index: usize) -> &'a [u8] {
        text(self.param(index))
    }

    /// Return value: parameter 0 of a system call's exit, 32 or 64 bits wide, if it is a result.
    #[must_use]
    #[inline(always)]
    pub fn result(&self) -> Option<i64> {
        match self.info.result_width {
            8 => self.i64(0),
            4 => self.i32(0).map(i64::from),
            _ => None,
        }
    }
}

/// The parameters of a record, each found in constant time. Reads like [`Record`].
#[derive(Clone, Debug)]
pub struct Spread<'a> {
    bytes: &'a [u8],
    /// Where each parameter begins in `bytes`, and where the last one ends.
    ends: [u32; MAX_PARAMS + 1],
}

impl<'a> Spread<'a> {
    /// Bytes of parameter `index`: empty where it is absent or beyond the end.
    #[must_use]
    #[inline]
    pub fn param(&self, index: usize) -> &'a [u8] {
        match self.ends.get(index..=index + 1) {
            Some(&[from, to]) => &self.bytes[from as usize..to as usize],
            _ => &[],
        }
    }

    /// An 8-byte signed value; `None` for any other width.
    #[must_use]
    #[inline(always)]
    pub fn i64(&self, index: usize) -> Option<i64> {
        self.param(index).try_into().ok().map(i64::from_le_bytes)
    }

    /// An 8-byte unsigned value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u64(&self, index: usize) -> Option<u64> {
        self.param(index).try_into().ok().map(u64::from_le_bytes)
    }

    /// A 4-byte unsigned value; `None` for any other width.
    #[must_use]
    #[inline]
    pub fn u32(&self, index: usize) -> Option<u32> {
        self.param(index).try_into().ok().map(u32::from_le_bytes)
    }

    /// Text up to its first NUL; absent or `(NULL)` reads as `<NA>`.
    #[must_use]
    #[inline]
    pub fn text(&self, index: usize) -> &'a [u8] {
        text(self.param(index))
    }
}

/// The text of a parameter.
#[inline]
fn text(raw: &[u8]) -> &[u8] {
    if raw.is_empty() || raw == b"(NULL)\0" {
        return b"<NA>";
    }
    &raw[..first_nul(raw)]
}

/// Position of the first NUL, the length if there is none: eight bytes at a time, for most texts
/// are a few dozen bytes long and end with the only one.
#[inline]
fn first_nul(raw: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = raw.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let nul = word.wrapping_sub(LOW) & !word & HIGH;
        if nul != 0 {
            return at * 8 + (nul.trailing_zeros() / 8) as usize;
        }
    }
    let at = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
    raw.len() - rest.len() + at
}

#[inline]
fn sum(lengths: &[u8], count: usize, wide: bool) -> u64 {
    if wide {
        sum_wide(&lengths.as_chunks().0[..count])
    } else {
        u64::from(sum_first(lengths, count))
    }
}

/// Sum of the first `count` lengths of 16 bits, at most 32 of them: no overflow. Four at a time,
/// and what lies behind the last one masked away: how many there are differs from event to event,
/// and a loop over single ones would be guessed wrong each time.
#[inline]
fn sum_first(lengths: &[u8], count: usize) -> u32 {
    let fours = count / 4;
    let mut total = 0;
    let (words, _) = lengths.as_chunks::<8>();
    let Some(last) = words.get(fours) else {
        return sum_narrow(&lengths.as_chunks().0[..count]);
    };
    for word in &words[..fours] {
        total += add_up(u64::from_le_bytes(*word));
    }
    total + add_up(u64::from_le_bytes(*last) & ((1 << (16 * (count % 4))) - 1))
}

/// Sum of four lengths of 16 bits.
#[inline]
fn add_up(lengths: u64) -> u32 {
    const EVEN: u64 = 0x0000_ffff_0000_ffff;
    let pairs = (lengths & EVEN) + (lengths >> 16 & EVEN);
    (pairs + (pairs >> 32)) as u32
}

/// The same where the record ends soon after.
#[cold]
fn sum_narrow(lengths: &[[u8; 2]]) -> u32 {
    lengths
        .iter()
        .map(|&length| u32::from(u16::from_le_bytes(length)))
        .sum()
}

#[inline]
fn sum_wide(lengths: &[[u8; 4]]) -> u64 {
    lengths
        .iter()
        .map(|&length| u64::from(u32::from_le_bytes(length)))
        .sum()
}

/// The record is handed around by value; a larger one shows in every stage's figures.
const _: () = assert!(size_of::<Record<'_>>() <= 64);
