//! A byte stream to a receiver: TCP, TLS or a Unix socket, with a time-out on everything.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::channel::fault;

/// An open stream.
pub(crate) enum Wire {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

/// Opens a TCP connection to `host:port`; each address of the host has a share of the time.
pub(crate) fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = address.to_socket_addrs()?.collect();
    let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = fault("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, share.max(Duration::from_millis(10))) {
            // Nobody listens there, and the kernel chose the same port for this end: whoever would like to
            // listen again could not while this is open.
            Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {
                last = io::ErrorKind::ConnectionRefused.into();
            }
            Ok(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The host in `host:port`, without brackets.
pub(crate) fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Wire {
    pub(crate) fn tls(
        stream: TcpStream,
        address: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let name = host(address)
            .to_owned()
            .try_into()
            .map_err(io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    pub(crate) fn unix(path: &Path, timeout: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self::Unix(stream))
    }

    /// Fails where the other side has closed the stream: what is written to such a stream is lost
    /// without a word.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        let mut byte = [0; 64];
        self.nonblocking(true)?;
        let read = self.read(&mut byte);
        self.nonblocking(false)?;
        match read {
            Ok(0) => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn nonblocking(&self, yes: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(yes),
            Self::Tls(stream) => stream.sock.set_nonblocking(yes),
            Self::Unix(stream) => stream.set_nonblocking(yes),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}
