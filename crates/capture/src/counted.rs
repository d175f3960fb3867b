//! How much went through a stream: for limits of size and for progress, also where compression lies between.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An input or output that counts its bytes.
#[derive(Debug)]
pub struct Counted<S> {
    inner: S,
    bytes: Arc<AtomicU64>,
}

impl<S> Counted<S> {
    /// Counts from here on into `bytes`, which somebody else reads.
    pub fn new(inner: S, bytes: &Arc<AtomicU64>) -> Self {
        Self {
            inner,
            bytes: Arc::clone(bytes),
        }
    }

    fn count(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        bytes
    }
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        Ok(self.count(length))
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        Ok(self.count(written))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
