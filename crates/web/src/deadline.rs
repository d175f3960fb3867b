//! Streams whose reads and writes end by a point in time, not after a pause: a client that sends a
//! byte now and then is as slow as one that sends nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Something that can be told by when it must be done.
pub trait Deadline {
    /// From now on, reads and writes fail with [`io::ErrorKind::TimedOut`] past this point.
    fn allow_until(&mut self, end: Instant);

    /// Tells the other side that nothing more will be written.
    fn end_writing(&mut self);
}

/// A connection with a deadline.
#[derive(Debug)]
pub struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Timed {
    /// A connection that must be done by `end`.
    #[must_use]
    pub fn new(stream: TcpStream, end: Instant) -> Self {
        Self { stream, end }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Deadline for Timed {
    fn allow_until(&mut self, end: Instant) {
        self.end = end;
    }

    fn end_writing(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// What a socket says when its time is up.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Deadline for rustls::StreamOwned<rustls::ServerConnection, Timed> {
    fn allow_until(&mut self, end: Instant) {
        self.sock.allow_until(end);
    }

    fn end_writing(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        self.sock.end_writing();
    }
}
