//! Events that are taken out of the kernel's buffers while nobody can look at them yet.

use event::{Record, RecordFlags};
use probe::Probe;

use crate::Event;

/// Bytes that may wait. What is more stays in the kernel's buffers, which count what they lose.
const MOST: usize = 256 << 20;

/// First in, first out. Each entry: cpu u16, flags u32, length u32, the record.
#[derive(Debug, Default)]
pub(crate) struct Spill {
    bytes: Vec<u8>,
    at: usize,
}

const HEAD: usize = 10;

impl Spill {
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes what there is, as far as there is room; the number of events.
    pub(crate) fn take(&mut self, probe: &mut Probe) -> u64 {
        let mut taken = 0;
        while self.bytes.len() < MOST
            && let Some(event) = probe.next()
        {
            self.push(&event.record);
            taken += 1;
        }
        taken
    }

    fn push(&mut self, record: &Record<'_>) {
        let bytes = record.bytes();
        let Ok(length) = u32::try_from(bytes.len()) else {
            return;
        };
        self.bytes.extend_from_slice(&record.cpu.to_le_bytes());
        self.bytes
            .extend_from_slice(&record.flags.bits().to_le_bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn next(&mut self) -> Option<Event<'_>> {
        // The memory is given back only after the last record was looked at.
        if self.is_empty() {
            self.bytes = Vec::new();
            self.at = 0;
            return None;
        }
        let head: &[u8; HEAD] = self.bytes[self.at..].first_chunk()?;
        let cpu = u16::from_le_bytes([head[0], head[1]]);
        let flags = u32::from_le_bytes([head[2], head[3], head[4], head[5]]);
        let length = u32::from_le_bytes([head[6], head[7], head[8], head[9]]) as usize;
        let start = self.at + HEAD;
        self.at = start + length;
        let bytes = self.bytes.get(start..self.at)?;
        let record = Record::parse(bytes, cpu, RecordFlags::from_bits_retain(flags)).ok()?;
        Some(Event { record })
    }
}

#[cfg(test)]
mod tests {
    use event::{EventCode, RecordBuilder, codes};

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut spill = Spill::default();
        for n in 0..3u16 {
            let close = EventCode::new(codes::SYSCALL_CLOSE_X);
            let bytes = RecordBuilder::new(close, u64::from(n), 7)
                .i64(0)
                .i64(3)
                .finish();
            let mut flags = RecordFlags::empty();
            flags.set(RecordFlags::IO_URING, n == 1);
            spill.push(&Record::parse(&bytes, n, flags).unwrap());
        }
        for n in 0..3u16 {
            let event = spill.next().unwrap();
            assert_eq!((event.record.ts, event.record.cpu), (u64::from(n), n));
            let marked = event.record.flags.contains(RecordFlags::IO_URING);
            assert_eq!(marked, n == 1);
        }
        assert!(spill.is_empty() && spill.next().is_none());
    }
}
