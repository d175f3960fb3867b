//! Standard output and standard error.

use std::io::{self, Write};

use rules::Priority;

use crate::channel::Channel;
use crate::message::{Batch, Message};

/// One of the two standard streams. A batch is one write, unless the kernel takes less.
#[derive(Debug)]
pub struct Stream {
    name: &'static str,
    /// Lines are coloured by their priority: for terminals.
    colour: bool,
    coloured: Vec<u8>,
}

impl Stream {
    /// Standard output.
    #[must_use]
    pub fn stdout(colour: bool) -> Self {
        Self {
            name: "stdout",
            colour,
            coloured: Vec::new(),
        }
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(colour: bool) -> Self {
        Self {
            name: "stderr",
            colour,
            coloured: Vec::new(),
        }
    }
}

impl Channel for Stream {
    fn name(&self) -> &'static str {
        self.name
    }

    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        let bytes = if self.colour {
            self.coloured.clear();
            batch
                .messages()
                .for_each(|message| paint(message, &mut self.coloured));
            self.coloured.as_slice()
        } else {
            batch.lines()
        };
        if self.name == "stderr" {
            return io::stderr().lock().write_all(bytes);
        }
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }
}

/// A line in the colour of its priority. The line itself holds no control character that could end
/// the colour early.
fn paint(message: Message<'_>, out: &mut Vec<u8>) {
    let colour: &[u8] = match message.priority {
        Priority::Emergency | Priority::Alert | Priority::Critical => b"\x1b[1;31m",
        Priority::Error => b"\x1b[31m",
        Priority::Warning => b"\x1b[33m",
        Priority::Notice => b"\x1b[36m",
        Priority::Informational => b"",
        Priority::Debug => b"\x1b[2m",
    };
    out.extend_from_slice(colour);
    out.extend_from_slice(message.line);
    if !colour.is_empty() {
        out.extend_from_slice(b"\x1b[0m");
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_enclose_the_line() {
        let mut out = Vec::new();
        paint(
            Message {
                priority: Priority::Error,
                line: b"x",
            },
            &mut out,
        );
        paint(
            Message {
                priority: Priority::Informational,
                line: b"y",
            },
            &mut out,
        );
        assert_eq!(out, b"\x1b[31mx\x1b[0m\ny\n");
    }
}
