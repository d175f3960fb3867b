//! A stretch of the stream held in memory, so that blocks are read where they lie.
//!
//! ```text
//! buffer: | passed ... | start .. end: held | free ... |
//! ```
//!
//! It is refilled when a block does not fit the rest, grows only as far as data really arrives,
//! and never beyond what a caller asks for.

use std::io::{self, Read};

/// Bytes held ordinarily: fits the second-level cache of today's processors.
const ORDINARY: usize = 512 * 1024;

pub(crate) struct Window<S> {
    source: S,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of the buffer's first byte.
    base: u64,
}

impl<S: Read> Window<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            buffer: vec![0; ORDINARY],
            start: 0,
            end: 0,
            base: 0,
        }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// Offset in the stream of the first byte held.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Offset in the stream behind the last byte held.
    pub(crate) fn end_offset(&self) -> u64 {
        self.base + self.end as u64
    }

    /// All bytes held.
    #[inline]
    pub(crate) fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// All bytes held.
    #[inline]
    pub(crate) fn held_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// Tries to hold `wanted` bytes and returns how many are held, at most `wanted`. Fewer means
    /// that the stream ends there.
    #[inline]
    pub(crate) fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        if self.end - self.start >= wanted {
            return Ok(wanted);
        }
        self.refill(wanted)
    }

    #[cold]
    fn refill(&mut self, wanted: usize) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < wanted {
            if self.end == self.buffer.len() {
                let len = (self.buffer.len() * 2).min(wanted);
                self.buffer.resize(len, 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok((self.end - self.start).min(wanted))
    }

    /// Passes over bytes that are held.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
    }

    /// Passes over `count` bytes and returns how many there were.
    #[inline]
    pub(crate) fn pass(&mut self, count: u64) -> io::Result<u64> {
        if count <= (self.end - self.start) as u64 {
            self.start += count as usize;
            return Ok(count);
        }
        self.pass_far(count)
    }

    #[cold]
    fn pass_far(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        loop {
            let step = left.min((self.end - self.start) as u64);
            self.start += step as usize;
            left -= step;
            if left == 0 || self.fill(1)? == 0 {
                return Ok(count - left);
            }
        }
    }
}
