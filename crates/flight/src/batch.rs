//! Records on their way to the press: copied once, one behind the other.
//!
//! ```text
//! u32 length of the record | u32 flags | u16 CPU | 6 bytes of nothing | record's bytes
//! ```

use event::{Record, RecordFlags};

/// Of a length that is one store to the compiler.
const HEAD: usize = 16;

/// Records, and what is to be known of them without looking.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    pub(crate) events: u64,
    /// Times of the earliest and the latest, nanoseconds since the epoch.
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Batch {
    /// An empty one, in a buffer that may have been used before.
    pub(crate) fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            bytes: buffer,
            events: 0,
            first: u64::MAX,
            last: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Adds a record with these flags in the place of its own.
    #[inline]
    pub(crate) fn push(&mut self, record: &Record<'_>, flags: RecordFlags) {
        let bytes = record.bytes();
        // A record of 4 GiB was never made: readers refuse far shorter ones.
        let Ok(length) = u32::try_from(bytes.len()) else {
            return;
        };
        let head =
            u128::from(length) | u128::from(flags.bits()) << 32 | u128::from(record.cpu) << 64;
        let head: [u8; HEAD] = head.to_le_bytes();
        self.bytes.reserve(HEAD + bytes.len());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(bytes);
        self.events += 1;
        // A time of all ones is none.
        if record.ts != u64::MAX {
            self.first = self.first.min(record.ts);
            self.last = self.last.max(record.ts);
        }
    }

    /// The records in their order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<HEAD>()?;
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let (bytes, behind) = behind.split_at_checked(length)?;
            rest = behind;
            let flags = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            let cpu = u16::from_le_bytes([head[8], head[9]]);
            Record::parse(bytes, cpu, RecordFlags::from_bits_truncate(flags)).ok()
        })
    }

    /// The buffer, to be used again.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
