//! A NATS server: each message is published under a subject.
//!
//! The protocol is lines of text; of its many verbs a publisher needs eight. Core NATS hands messages
//! to whoever listens and keeps nothing: after each batch we send `PING`, and the `PONG` says that
//! the server has processed everything before it. With [`jetstream`](NatsTarget::jetstream) every
//! message asks for an answer of its own, which the stream gives when it has stored it
//! ([`jetstream`](crate::channel::jetstream)); only that counts as delivered.

use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::channel::jetstream::{Answers, Inbox};
use crate::channel::wire::{Wire, connect};
use crate::channel::{Channel, Failure, Progress, about, fault, trouble};
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
    /// A stream stores the subject, and says so for each message.
    pub jetstream: bool,
    /// Encryption, whether or not the server insists.
    pub tls: Option<TlsOptions>,
    /// For connecting and for each answer.
    pub timeout: Duration,
}

struct Session {
    stream: BufReader<Wire>,
    max_payload: usize,
    /// Where answers of a stream come to.
    inbox: Option<Inbox>,
}

/// What a server says that concerns a publisher.
enum Word {
    Pong,
    /// Under which subject, with which status in its head, and what.
    Message(String, Option<u16>, Vec<u8>),
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
        Ok(Self {
            tls: TlsOptions::of(target.tls.as_ref())?,
            target: target.clone(),
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
            "headers": target.jetstream, "no_responders": target.jetstream,
        });
        match &target.login {
            Some((user, token)) if user.is_empty() => options["auth_token"] = json!(token),
            Some((user, password)) => {
                options["user"] = json!(user);
                options["pass"] = json!(password);
            }
            None => {}
        }
        let inbox = target.jetstream.then(Inbox::new);
        let listen = inbox.as_ref().map_or_else(String::new, Inbox::subscription);
        stream
            .get_mut()
            .write_all(format!("CONNECT {options}\r\n{listen}PING\r\n").as_bytes())?;
        let max_payload = info["max_payload"]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok());
        let mut session = Session {
            stream,
            max_payload: max_payload.unwrap_or(1 << 20),
            inbox,
        };
        session.acknowledge()?;
        Ok(session)
    }

    fn attempt(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let failure = |error: io::Error| trouble(&self.target.address, &error);
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
                let line = message.line;
                let begin = out.len();
                let size = match &session.inbox {
                    Some(inbox) => inbox.publication(&mut out, &self.target.subject, sent, line),
                    None => {
                        let subject = &self.target.subject;
                        write!(out, "PUB {subject} {}\r\n", line.len()).map_err(failure)?;
                        line.len()
                    }
                };
                if size > session.max_payload {
                    out.truncate(begin);
                    if sent > 0 {
                        break;
                    }
                    let text = format!("{size} bytes are more than the server takes");
                    return Err(Failure::Refused(about(&self.target.address, &fault(text))));
                }
                out.extend_from_slice(line);
                out.extend_from_slice(b"\r\n");
                sent += 1;
            }
            if session.inbox.is_none() {
                out.extend_from_slice(b"PING\r\n");
            }
            session.stream.get_mut().write_all(&out).map_err(failure)?;
            if session.inbox.is_none() {
                session.acknowledge().map_err(failure)?;
                progress.delivered(sent);
                continue;
            }
            let answers = session.answers(sent).map_err(failure)?;
            let (stored, complaint) = answers.verdict(&self.target.address, &self.target.subject);
            progress.delivered(stored);
            if let Some(complaint) = complaint {
                return Err(complaint);
            }
        }
        Ok(())
    }
}

impl Session {
    /// Reads up to the answer to our own `PING`.
    fn acknowledge(&mut self) -> io::Result<()> {
        while !matches!(self.word()?, Word::Pong) {}
        Ok(())
    }

    /// Reads until the stream has answered so many publications.
    fn answers(&mut self, sent: usize) -> io::Result<Answers> {
        let mut answers = Answers::of(sent);
        while !answers.complete() {
            if let Word::Message(subject, status, body) = self.word()? {
                let number = self.inbox.as_ref().and_then(|inbox| inbox.number(&subject));
                answers.take(number, status, &body);
            }
        }
        Ok(answers)
    }

    fn word(&mut self) -> io::Result<Word> {
        loop {
            let text = line(&mut self.stream)?;
            let words: Vec<&str> = text.split_ascii_whitespace().collect();
            match words.first() {
                Some(&"PONG") => return Ok(Word::Pong),
                Some(&"PING") => self.stream.get_mut().write_all(b"PONG\r\n")?,
                Some(&"-ERR") => {
                    return Err(fault(format!("the server says {}", text[4..].trim())));
                }
                Some(&kind @ ("MSG" | "HMSG")) => return self.message(kind == "HMSG", &words),
                // Greetings of a changed cluster, and what else does not concern a publisher.
                _ => {}
            }
        }
    }

    /// The rest of a message whose first line was `MSG SUBJECT ID [REPLY] LENGTH`, or
    /// `HMSG SUBJECT ID [REPLY] LENGTH-OF-HEAD LENGTH`.
    fn message(&mut self, headed: bool, words: &[&str]) -> io::Result<Word> {
        let number = |from_end: usize| {
            let word = words.len().checked_sub(from_end).and_then(|n| words.get(n));
            word.and_then(|word| word.parse::<usize>().ok())
        };
        let length = number(1).filter(|length| *length as u64 <= MAX_LINE);
        let head = if headed { number(2) } else { Some(0) };
        let (Some(length), Some(head)) = (length, head) else {
            return Err(fault("the server sends what is no message"));
        };
        let mut body = vec![0; length + 2];
        io::Read::read_exact(&mut self.stream, &mut body)?;
        body.truncate(length);
        let text = body.split_off(head.min(length));
        // NATS/1.0 503 No Responders
        let status = String::from_utf8_lossy(&body)
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok());
        let subject = words.get(1).copied().unwrap_or_default().to_owned();
        Ok(Word::Message(subject, status, text))
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
