//! A NATS server: each message is published under a subject.
//!
//! The protocol is lines of text; of its many verbs a publisher needs six. After each batch it sends
//! `PING`: the `PONG` says that the server has processed everything before it, and only then are
//! the messages counted as delivered. Core NATS hands them to whoever listens and keeps nothing; a
//! stream of JetStream over the same subject does.

use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::channel::wire::{Wire, connect};
use crate::channel::{Channel, Failure, Progress, about, fault, is_timeout};
use crate::message::Batch;
use crate::tls::TlsOptions;

/// Messages between two acknowledgements.
const STRIDE: usize = 256;
/// Longest line a server may send.
const MAX_LINE: u64 = 64 << 10;

/// Which server, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsTarget {
    /// `host:port`
    pub address: String,
    /// Where messages are published.
    pub subject: String,
    /// `user` and `password`, or a token under the empty user.
    pub login: Option<(String, String)>,
    /// Encryption, whether or not the server insists.
    pub tls: Option<TlsOptions>,
    /// For connecting and for each answer.
    pub timeout: Duration,
}

struct Session {
    stream: BufReader<Wire>,
    max_payload: usize,
}

/// The channel.
pub struct NatsChannel {
    target: NatsTarget,
    tls: Option<Arc<ClientConfig>>,
    session: Option<Session>,
}

impl NatsChannel {
    /// A channel to a server.
    ///
    /// # Errors
    /// When the subject is none or a certificate is of no use.
    pub fn open(target: &NatsTarget) -> io::Result<Self> {
        let subject = &target.subject;
        let plain = |c: char| c.is_ascii_graphic() && c != '*' && c != '>';
        if subject.is_empty()
            || !subject.chars().all(plain)
            || subject.split('.').any(str::is_empty)
        {
            return Err(fault(format!(
                "'{subject}' is no subject that can be published to"
            )));
        }
        let tls = target
            .tls
            .as_ref()
            .map(TlsOptions::client_config)
            .transpose()?;
        Ok(Self {
            target: target.clone(),
            tls,
            session: None,
        })
    }

    fn connect(&self) -> io::Result<Session> {
        let target = &self.target;
        let tcp = connect(&target.address, target.timeout)?;
        let mut stream = BufReader::new(Wire::Tcp(tcp));
        let greeting = line(&mut stream)?;
        let info = greeting
            .strip_prefix("INFO ")
            .ok_or_else(|| fault("this is no NATS server"))?;
        let info: Value = serde_json::from_str(info).map_err(io::Error::other)?;
        if info["tls_required"] == true && self.tls.is_none() {
            return Err(fault("the server insists on TLS"));
        }
        if let Some(config) = &self.tls {
            let Wire::Tcp(tcp) = stream.into_inner() else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            stream = BufReader::new(Wire::tls(tcp, &target.address, config)?);
        }
        let mut options = json!({
            "verbose": false, "pedantic": false, "name": "peregrine", "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "protocol": 0, "tls_required": self.tls.is_some(),
        });
        match &target.login {
            Some((user, token)) if user.is_empty() => options["auth_token"] = json!(token),
            Some((user, password)) => {
                options["user"] = json!(user);
                options["pass"] = json!(password);
            }
            None => {}
        }
        stream
            .get_mut()
            .write_all(format!("CONNECT {options}\r\nPING\r\n").as_bytes())?;
        let max_payload = info["max_payload"]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok());
        let mut session = Session {
            stream,
            max_payload: max_payload.unwrap_or(1 << 20),
        };
        session.acknowledge()?;
        Ok(session)
    }

    fn attempt(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let failure = |error: io::Error| {
            let told = about(&self.target.address, &error);
            if is_timeout(&error) {
                Failure::Slow(told)
            } else {
                Failure::Again(told)
            }
        };
        if self.session.is_none() {
            self.session = Some(self.connect().map_err(failure)?);
        }
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        while progress.done() < batch.len() {
            let mut out = Vec::new();
            let mut sent = 0;
            for message in batch.messages().skip(progress.done()).take(STRIDE) {
                if message.line.len() > session.max_payload {
                    if sent > 0 {
                        break;
                    }
                    let length = message.line.len();
                    let text = format!("{length} bytes are more than the server takes");
                    return Err(Failure::Refused(about(&self.target.address, &fault(text))));
                }
                write!(
                    out,
                    "PUB {} {}\r\n",
                    self.target.subject,
                    message.line.len()
                )
                .map_err(failure)?;
                out.extend_from_slice(message.line);
                out.extend_from_slice(b"\r\n");
                sent += 1;
            }
            out.extend_from_slice(b"PING\r\n");
            session.stream.get_mut().write_all(&out).map_err(failure)?;
            session.acknowledge().map_err(failure)?;
            progress.delivered(sent);
        }
        Ok(())
    }
}

impl Session {
    /// Reads up to the answer to our own `PING`.
    fn acknowledge(&mut self) -> io::Result<()> {
        loop {
            let text = line(&mut self.stream)?;
            match text.split_ascii_whitespace().next() {
                Some("PONG") => return Ok(()),
                Some("PING") => self.stream.get_mut().write_all(b"PONG\r\n")?,
                Some("-ERR") => return Err(fault(format!("the server says {}", text[4..].trim()))),
                // Greetings of a changed cluster, and what else does not concern a publisher.
                _ => {}
            }
        }
    }
}

fn line(stream: &mut BufReader<Wire>) -> io::Result<String> {
    let mut text = Vec::new();
    io::Read::take(&mut *stream, MAX_LINE).read_until(b'\n', &mut text)?;
    if text.last() != Some(&b'\n') {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

impl Channel for NatsChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let delivered = self.attempt(batch, progress);
        if matches!(delivered, Err(Failure::Again(_) | Failure::Slow(_))) {
            self.session = None;
        }
        delivered
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.session = None;
        Ok(())
    }
}
