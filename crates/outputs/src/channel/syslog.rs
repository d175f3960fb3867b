//! Syslog: the machine's own daemon over `/dev/log`, or one elsewhere over UDP, TCP, TLS or RELP.
//!
//! ```text
//! local     <PRI>Mmm dd hh:mm:ss ident: text                              as the C library writes
//! RFC 3164  <PRI>Mmm dd hh:mm:ss host ident: text
//! RFC 5424  <PRI>1 YYYY-MM-DDThh:mm:ss.ffffffZ host ident pid - - text
//! ```
//!
//! A datagram is one message. A stream ends each with a newline, or counts its bytes first (RFC 6587).
//! Neither is acknowledged: what lies in the buffers of a connection that breaks is lost, as with
//! every syslog but [RELP](crate::channel::relp).

use std::io::{self, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rules::Priority;
use rustls::ClientConfig;

use crate::channel::relp::{Relp, WINDOW};
use crate::channel::wire::{Wire, connect};
use crate::channel::{Channel, Failure, Progress, trouble};
use crate::message::{Batch, Message};
use crate::tls::TlsOptions;

/// Most bytes in one datagram.
const DATAGRAM: usize = 60_000;

/// Where the daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A datagram socket of this machine, usually `/dev/log`.
    Local(PathBuf),
    /// `host:port`, a datagram each.
    Udp(String),
    /// `host:port`, a stream.
    Tcp(String),
    /// `host:port`, an encrypted stream.
    Tls(String, Box<TlsOptions>),
    /// `host:port`, a stream that is acknowledged; encrypted where it says how.
    Relp(String, Option<Box<TlsOptions>>),
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The old form.
    Rfc3164,
    /// The newer one.
    Rfc5424,
}

/// A syslog daemon, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogTarget {
    /// Where.
    pub place: Place,
    /// Form of messages; a local daemon gets the form of the C library instead of the old one.
    pub form: Form,
    /// Streams: each message is preceded by its length.
    pub counted: bool,
    /// 0 to 23; 1 is "user".
    pub facility: u8,
    /// The program's name.
    pub ident: String,
    /// The machine's name.
    pub hostname: String,
    /// For connecting and for each write.
    pub timeout: Duration,
}

impl SyslogTarget {
    /// The machine's own daemon.
    #[must_use]
    pub fn local(ident: impl Into<String>) -> Self {
        Self {
            place: Place::Local(PathBuf::from("/dev/log")),
            form: Form::Rfc3164,
            counted: false,
            facility: 1,
            ident: ident.into(),
            hostname: String::new(),
            timeout: Duration::from_secs(2),
        }
    }
}

enum Line {
    Local(UnixDatagram),
    Udp(UdpSocket),
    Stream(Wire),
    Relp(Relp),
}

/// The channel.
pub struct SyslogChannel {
    target: SyslogTarget,
    tls: Option<Arc<ClientConfig>>,
    line: Option<Line>,
}

impl SyslogChannel {
    /// A channel to a daemon.
    ///
    /// # Errors
    /// When a certificate is of no use.
    pub fn open(target: &SyslogTarget) -> io::Result<Self> {
        let tls = match &target.place {
            Place::Tls(_, options) | Place::Relp(_, Some(options)) => {
                Some(options.client_config()?)
            }
            _ => None,
        };
        Ok(Self {
            target: target.clone(),
            tls,
            line: None,
        })
    }

    /// One message, at once; for the program's own log.
    ///
    /// # Errors
    /// When the daemon cannot be reached.
    pub fn send(&mut self, priority: Priority, text: &[u8]) -> io::Result<()> {
        let head = self.head(priority);
        let message = [head.as_bytes(), text].concat();
        self.write(&message).or_else(|_| {
            self.line = None;
            self.write(&message)
        })
    }

    fn connect(&self) -> io::Result<Line> {
        let timeout = self.target.timeout;
        Ok(match &self.target.place {
            Place::Local(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(timeout))?;
                Line::Local(socket)
            }
            Place::Udp(address) => {
                let socket =
                    UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)))?;
                if socket.connect(address.as_str()).is_err() {
                    // No IPv6 here, or the address is of the older kind.
                    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
                    socket.connect(address.as_str())?;
                    return Ok(Line::Udp(socket));
                }
                Line::Udp(socket)
            }
            Place::Tcp(address) => Line::Stream(Wire::Tcp(connect(address, timeout)?)),
            Place::Tls(address, _) => {
                let stream = connect(address, timeout)?;
                let config = self.tls.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
                Line::Stream(Wire::tls(stream, address, config)?)
            }
            Place::Relp(address, _) => {
                let stream = connect(address, timeout)?;
                Line::Relp(Relp::open(match &self.tls {
                    None => Wire::Tcp(stream),
                    Some(config) => Wire::tls(stream, address, config)?,
                })?)
            }
        })
    }

    fn head(&self, priority: Priority) -> String {
        let target = &self.target;
        let pri = (u16::from(target.facility) << 3) + priority as u16;
        let now = jiff::Timestamp::now();
        let host = if target.hostname.is_empty() {
            "-"
        } else {
            &target.hostname
        };
        if target.form == Form::Rfc5424 {
            let (stamp, pid) = (now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ"), std::process::id());
            return format!("<{pri}>1 {stamp} {host} {} {pid} - - ", target.ident);
        }
        let local = now.to_zoned(TimeZone::system());
        let stamp = local.strftime("%b %e %H:%M:%S");
        match target.place {
            Place::Local(_) => format!("<{pri}>{stamp} {}: ", target.ident),
            _ => format!("<{pri}>{stamp} {host} {}: ", target.ident),
        }
    }

    fn write(&mut self, message: &[u8]) -> io::Result<()> {
        if self.line.is_none() {
            self.line = Some(self.connect()?);
        }
        let counted = self.target.counted;
        match &mut self.line {
            Some(Line::Local(socket)) => socket.send(message).map(|_| ()),
            Some(Line::Udp(socket)) => socket.send(message).map(|_| ()),
            Some(Line::Stream(wire)) => {
                let mut framed = if counted {
                    format!("{} ", message.len()).into_bytes()
                } else {
                    Vec::new()
                };
                framed.extend_from_slice(message);
                if !counted {
                    framed.push(b'\n');
                }
                wire.write_all(&framed)?;
                wire.flush()
            }
            Some(Line::Relp(session)) => session.send(&[message.to_vec()], || ()),
            None => Ok(()),
        }
    }

    /// Many at once over RELP, where each would wait for its answer.
    fn deliver_acknowledged(
        &mut self,
        batch: &Batch,
        progress: &mut Progress<'_>,
    ) -> io::Result<()> {
        while progress.done() < batch.len() {
            if self.line.is_none() {
                self.line = Some(self.connect()?);
            }
            let window: Vec<Vec<u8>> = batch
                .messages()
                .skip(progress.done())
                .take(WINDOW)
                .map(|message| [self.head(message.priority).as_bytes(), message.line].concat())
                .collect();
            if let Some(Line::Relp(session)) = &mut self.line {
                session.send(&window, || progress.delivered(1))?;
            }
        }
        Ok(())
    }

    fn deliver_one(&mut self, message: Message<'_>, progress: &mut Progress<'_>) -> io::Result<()> {
        let mut text = [self.head(message.priority).as_bytes(), message.line].concat();
        if !matches!(self.line, Some(Line::Stream(_))) && text.len() > DATAGRAM {
            text.truncate(DATAGRAM);
            progress.truncated();
        }
        self.write(&text)
    }

    fn name(&self) -> String {
        match &self.target.place {
            Place::Local(path) => path.display().to_string(),
            Place::Udp(address) => format!("udp://{address}"),
            Place::Tcp(address) => format!("tcp://{address}"),
            Place::Tls(address, _) => format!("tls://{address}"),
            Place::Relp(address, None) => format!("relp://{address}"),
            Place::Relp(address, Some(_)) => format!("relps://{address}"),
        }
    }

    /// Whether this is about the machine's own daemon.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(&self.target.place, Place::Local(path) if path == Path::new("/dev/log"))
    }
}

impl Channel for SyslogChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        if let Some(Line::Stream(wire)) = &mut self.line
            && wire.check().is_err()
        {
            self.line = None;
        }
        if let Place::Relp(..) = self.target.place {
            return self.deliver_acknowledged(batch, progress).map_err(|error| {
                self.line = None;
                trouble(&self.name(), &error)
            });
        }
        for message in batch.messages().skip(progress.done()) {
            // A daemon that was restarted has a new socket: one more attempt.
            let sent = self.deliver_one(message, progress).or_else(|_| {
                self.line = None;
                self.deliver_one(message, progress)
            });
            if let Err(error) = sent {
                self.line = None;
                return Err(trouble(&self.name(), &error));
            }
            progress.delivered(1);
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.line = None;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(Line::Relp(session)) = self.line.take() {
            session.close();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pulse::Pulse;

    fn deliver(channel: &mut SyslogChannel) -> Result<(), Failure> {
        let mut batch = Batch::default();
        batch.push(Priority::Warning, b"hello");
        let pulse = Pulse::default();
        channel.deliver(&batch, &mut Progress::new(&pulse))
    }

    #[test]
    fn datagrams_survive_a_restart_of_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let place = Place::Local(path.clone());
        let target = SyslogTarget {
            place,
            ..SyslogTarget::local("peregrine")
        };
        let mut channel = SyslogChannel::open(&target).unwrap();
        assert!(deliver(&mut channel).is_err(), "nobody listens");
        for _ in 0..2 {
            let _ = std::fs::remove_file(&path);
            let daemon = UnixDatagram::bind(&path).unwrap();
            daemon
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            deliver(&mut channel).unwrap();
            let mut bytes = [0; 200];
            let length = daemon.recv(&mut bytes).unwrap();
            let text = std::str::from_utf8(&bytes[..length]).unwrap();
            assert!(
                text.starts_with("<12>") && text.ends_with(" peregrine: hello"),
                "{text}"
            );
            // A child that another test forks may hold the socket a moment longer than this one.
            daemon.shutdown(std::net::Shutdown::Both).unwrap();
        }
    }

    #[test]
    fn udp_in_the_newer_form() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let target = SyslogTarget {
            place: Place::Udp(daemon.local_addr().unwrap().to_string()),
            form: Form::Rfc5424,
            facility: 13,
            hostname: "box".to_owned(),
            ..SyslogTarget::local("peregrine")
        };
        deliver(&mut SyslogChannel::open(&target).unwrap()).unwrap();
        let mut bytes = [0; 200];
        let length = daemon.recv(&mut bytes).unwrap();
        let text = std::str::from_utf8(&bytes[..length]).unwrap();
        let pid = std::process::id();
        assert!(
            text.starts_with("<108>1 20")
                && text.ends_with(&format!("Z box peregrine {pid} - - hello")),
            "{text}"
        );
    }
}
