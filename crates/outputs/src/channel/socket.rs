//! A Unix socket: lines over a stream, or a datagram each.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use crate::channel::wire::Wire;
use crate::channel::{Channel, Failure, Progress, about, is_timeout};
use crate::message::Batch;

/// Which socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketTarget {
    /// Its path.
    pub path: PathBuf,
    /// Datagrams instead of a stream.
    pub datagram: bool,
    /// For each write.
    pub timeout: Duration,
}

enum Open {
    Stream(Wire),
    Datagram(UnixDatagram),
}

/// The channel.
pub struct SocketChannel {
    target: SocketTarget,
    open: Option<Open>,
}

impl SocketChannel {
    /// A channel that connects with the first message.
    #[must_use]
    pub fn new(target: SocketTarget) -> Self {
        Self { target, open: None }
    }

    fn connect(&self) -> io::Result<Open> {
        if !self.target.datagram {
            return Ok(Open::Stream(Wire::unix(
                &self.target.path,
                self.target.timeout,
            )?));
        }
        let socket = UnixDatagram::unbound()?;
        socket.connect(&self.target.path)?;
        socket.set_write_timeout(Some(self.target.timeout))?;
        Ok(Open::Datagram(socket))
    }

    fn attempt(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> io::Result<()> {
        if let Some(Open::Stream(wire)) = &mut self.open
            && wire.check().is_err()
        {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.connect()?);
        }
        for message in batch.messages().skip(progress.done()) {
            match &mut self.open {
                Some(Open::Stream(wire)) => {
                    wire.write_all(&[message.line, b"\n"].concat())?;
                }
                Some(Open::Datagram(socket)) => {
                    socket.send(message.line)?;
                }
                None => {}
            }
            progress.delivered(1);
        }
        Ok(())
    }
}

impl Channel for SocketChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        self.attempt(batch, progress).map_err(|error| {
            self.open = None;
            let told = about(&self.target.path.display().to_string(), &error);
            if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) {
                Failure::Refused(told)
            } else if is_timeout(&error) {
                Failure::Slow(told)
            } else {
                Failure::Again(told)
            }
        })
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        Ok(())
    }
}
