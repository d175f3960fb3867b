//! The local syslog daemon, spoken to as the C library does: a datagram to `/dev/log`,
//! `<facility*8+priority>Mmm dd hh:mm:ss ident: text`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::channel::{Channel, about};
use crate::message::Batch;

/// Facility "user", shifted as the protocol wants it.
const USER: u8 = 1 << 3;

/// The channel.
#[derive(Debug)]
pub struct SyslogChannel {
    path: PathBuf,
    ident: String,
    socket: Option<UnixDatagram>,
}

impl SyslogChannel {
    /// The machine's syslog; `ident` is the program's name.
    #[must_use]
    pub fn new(ident: impl Into<String>) -> Self {
        Self {
            path: PathBuf::from("/dev/log"),
            ident: ident.into(),
            socket: None,
        }
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        if self.socket.is_none() {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&self.path)?;
            self.socket = Some(socket);
        }
        self.socket
            .as_ref()
            .map_or(Ok(0), |socket| socket.send(datagram))
            .map(|_| ())
    }
}

impl Channel for SyslogChannel {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        let now = jiff::Timestamp::now().to_zoned(TimeZone::system());
        let stamp = now.strftime("%b %e %H:%M:%S").to_string();
        for message in batch.messages() {
            let head = format!(
                "<{}>{stamp} {}: ",
                USER + message.priority as u8,
                self.ident
            );
            let datagram = [head.as_bytes(), message.line].concat();
            // A daemon that was restarted has a new socket: one more attempt.
            if self.send(&datagram).is_err() {
                self.socket = None;
                self.send(&datagram).map_err(|error| {
                    self.socket = None;
                    about(&self.path.display().to_string(), &error)
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rules::Priority;

    use super::*;

    #[test]
    fn datagrams_survive_a_restart_of_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut channel = SyslogChannel::new("peregrine");
        channel.path.clone_from(&path);
        let mut batch = Batch::default();
        batch.push(Priority::Warning, b"hello");
        assert!(channel.deliver(&batch).is_err(), "nobody listens");
        for _ in 0..2 {
            let _ = std::fs::remove_file(&path);
            let daemon = UnixDatagram::bind(&path).unwrap();
            daemon
                .set_read_timeout(Some(std::time::Duration::from_secs(10)))
                .unwrap();
            channel.deliver(&batch).unwrap();
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
}
