//! gRPC over a Unix socket: unary calls and streams of answers.
//!
//! ```text
//! POST /package.Service/Method    body:  | compressed u8 | length u32 be | message | ...
//!                                 trailers: grpc-status, grpc-message
//! ```
//!
//! Messages declare only the fields that are read; the others are skipped by their wire type.

use std::path::Path;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{Error, cut};

const NOT_FOUND: u32 = 5;
const HEAD: usize = 5;

/// A method of a service behind a socket.
#[derive(Clone, Copy, Debug)]
pub struct Method<'a> {
    /// The service's socket.
    pub socket: &'a Path,
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// Value of `containerd-namespace`; empty: none.
    pub namespace: &'a str,
    /// Longest message.
    pub limit: usize,
    /// Longest time for an answer.
    pub time: Duration,
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Protocol(cut(&error.to_string()))
}

fn framed(message: &impl Message) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + message.encoded_len());
    out.put_u8(0);
    out.put_u32(message.encoded_len() as u32);
    // A growing buffer holds whatever its length says.
    let _ = message.encode(&mut out);
    out.freeze()
}

impl Method<'_> {
    async fn open(&self, question: Bytes) -> Result<Answers, Error> {
        let stream = UnixStream::connect(self.socket)
            .await
            .map_err(Error::Connect)?;
        let (mut sender, connection) =
            hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_frame_size(64 * 1024)
                .max_header_list_size(64 * 1024)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(broken)?;
        tokio::spawn(async move {
            // How it ended shows in the body.
            let _ = connection.await;
        });
        let mut request = Request::post(format!("http://localhost{}", self.path))
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        if !self.namespace.is_empty() {
            request = request.header("containerd-namespace", self.namespace);
        }
        let request = request.body(Full::new(question)).map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(Error::Refused {
                code: u32::from(response.status().as_u16()),
                message: String::new(),
            });
        }
        status(response.headers())?;
        Ok(Answers {
            body: response.into_body(),
            waiting: BytesMut::new(),
            limit: self.limit,
            _sender: sender,
        })
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// [`Error`] says what went wrong on the way, or what the service says.
    pub async fn call<A: Message + Default>(&self, question: &impl Message) -> Result<A, Error> {
        let question = framed(question);
        let all = async {
            let mut answers = self.open(question).await?;
            let answer = answers.next::<A>().await?;
            let answer = answer.ok_or_else(|| Error::Malformed("no message".to_owned()))?;
            // The status comes behind the message.
            while answers.next::<A>().await?.is_some() {}
            Ok(answer)
        };
        timeout(self.time, all).await.map_err(|_| Error::TimedOut)?
    }

    /// One question, answers without end.
    ///
    /// # Errors
    /// As [`Method::call`].
    pub async fn stream(&self, question: &impl Message) -> Result<Answers, Error> {
        let question = framed(question);
        timeout(self.time, self.open(question))
            .await
            .map_err(|_| Error::TimedOut)?
    }
}

fn status(headers: &HeaderMap) -> Result<(), Error> {
    let Some(code) = headers.get("grpc-status") else {
        return Ok(());
    };
    let code = code.to_str().ok().and_then(|text| text.parse::<u32>().ok());
    let message = headers
        .get("grpc-message")
        .and_then(|text| text.to_str().ok());
    match code {
        Some(0) => Ok(()),
        Some(NOT_FOUND) => Err(Error::NotFound),
        code => Err(Error::Refused {
            code: code.unwrap_or(2),
            message: cut(message.unwrap_or_default()),
        }),
    }
}

/// Messages of an answer's body.
pub struct Answers {
    body: Incoming,
    waiting: BytesMut,
    limit: usize,
    /// Without it the connection would end.
    _sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
}

impl Answers {
    /// The next message; `None` after the last one.
    ///
    /// # Errors
    /// As [`Method::call`].
    pub async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Error> {
        loop {
            if let Some(message) = self.whole()? {
                let answer = A::decode(message);
                return answer
                    .map(Some)
                    .map_err(|e| Error::Malformed(cut(&e.to_string())));
            }
            match self.body.frame().await {
                None if self.waiting.is_empty() => return Ok(None),
                None => return Err(Error::Protocol("a message was cut off".to_owned())),
                Some(frame) => match frame.map_err(broken)?.into_data() {
                    Ok(data) => self.waiting.extend_from_slice(&data),
                    Err(frame) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            status(trailers)?;
                        }
                    }
                },
            }
        }
    }

    fn whole(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(&[compressed, a, b, c, d]) = self.waiting.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if compressed != 0 {
            return Err(Error::Malformed("a compressed message".to_owned()));
        }
        if length > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        if self.waiting.len() < HEAD + length {
            return Ok(None);
        }
        self.waiting.advance(HEAD);
        Ok(Some(self.waiting.split_to(length).freeze()))
    }
}
