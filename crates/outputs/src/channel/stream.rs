//! Standard output and standard error.

use std::io::{self, Write};

use crate::channel::Channel;
use crate::message::Batch;

/// One of the two standard streams. A batch is one write, unless the kernel takes less.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Channel for Stream {
    fn name(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(batch.lines())?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(batch.lines()),
        }
    }
}
