//! Standard output and standard error.

use std::io::{self, Write};
use std::time::Duration;

use rules::Priority;

use crate::channel::{Channel, Failure, Progress, about};
use crate::message::{Batch, Message};

/// One of the two standard streams. A batch is one write, unless the kernel takes less.
#[derive(Debug)]
pub struct Stream {
    name: &'static str,
    /// Lines are coloured by their priority: for terminals.
    colour: bool,
    coloured: Vec<u8>,
    /// Bytes of the next message that were written before the rest was refused.
    begun: usize,
}

impl Stream {
    /// Standard output.
    #[must_use]
    pub fn stdout(colour: bool) -> Self {
        Self {
            name: "stdout",
            colour,
            coloured: Vec::new(),
            begun: 0,
        }
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(colour: bool) -> Self {
        Self {
            name: "stderr",
            colour,
            coloured: Vec::new(),
            begun: 0,
        }
    }
}

impl Channel for Stream {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let first = progress.done();
        let begun = std::mem::take(&mut self.begun);
        let bytes = if self.colour {
            self.coloured.clear();
            let messages = batch.messages().skip(first);
            messages.for_each(|message| paint(message, &mut self.coloured));
            self.coloured.as_slice()
        } else {
            &batch.lines_from(first)[begun..]
        };
        let (written, result) = if self.name == "stderr" {
            whole(&mut io::stderr().lock(), bytes)
        } else {
            whole(&mut io::stdout().lock(), bytes)
        };
        let Err(error) = result else {
            progress.delivered(batch.len() - first);
            return Ok(());
        };
        if error.kind() == io::ErrorKind::BrokenPipe && self.name == "stdout" {
            return Err(Failure::Gone);
        }
        if !self.colour {
            let start = batch.size() - batch.lines_from(first).len();
            let reached = start + begun + written;
            let done = batch
                .ends()
                .skip(first)
                .take_while(|end| *end <= reached)
                .count();
            progress.delivered(done);
            let next = batch.size() - batch.lines_from(progress.done()).len();
            self.begun = reached - next;
        }
        Err(Failure::Again(about(self.name, &error)))
    }
}

/// Writes everything, also to a pipe that somebody made non-blocking; how much of it was written.
fn whole(out: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        let error = match out.write(&bytes[written..]) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(length) => {
                written += length;
                continue;
            }
            Err(error) => error,
        };
        if let Err(error) = pause(error) {
            return (written, Err(error));
        }
    }
    while let Err(error) = out.flush() {
        if let Err(error) = pause(error) {
            return (written, Err(error));
        }
    }
    (written, Ok(()))
}

/// Waits a little where that is all it takes.
fn pause(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        }
        _ => Err(error),
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
