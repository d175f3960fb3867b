//! HTTP to runtimes and API servers: one request on one connection, everything bounded.
//!
//! Connections are not kept: over a Unix socket a new one costs microseconds, and there is no
//! state that a peer could leave behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{Error, cut};

/// Whom to talk to.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Unix(PathBuf),
    Tcp {
        host: String,
        port: u16,
        tls: Option<Arc<rustls::ClientConfig>>,
    },
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Protocol(cut(&error.to_string()))
}

impl Peer {
    /// A peer as in `http://HOST:PORT`, and what of the path follows.
    pub(crate) fn parse(
        url: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<(Self, String), Error> {
        let (rest, secure) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (rest, true),
            (_, Some(rest)) => (rest, false),
            _ => return Err(Error::Malformed(format!("'{}' is no URL", cut(url)))),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (
                host,
                port.parse()
                    .map_err(|_| Error::Malformed(format!("'{}' is no port", cut(port))))?,
            ),
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = if secure { tls } else { None };
        if secure && tls.is_none() {
            return Err(Error::Malformed("https needs certificates".to_owned()));
        }
        Ok((Self::Tcp { host, port, tls }, path.to_owned()))
    }

    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(Error::Connect)?;
                Ok(Box::new(stream))
            }
            Self::Tcp { host, port, tls } => {
                let address = (host.as_str(), *port);
                let stream = TcpStream::connect(address).await.map_err(Error::Connect)?;
                let Some(tls) = tls else {
                    return Ok(Box::new(stream));
                };
                let name = ServerName::try_from(host.clone()).map_err(broken)?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(Error::Connect)?;
                Ok(Box::new(stream))
            }
        }
    }

    fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

/// A question: where, what, and how much of an answer is read for how long.
#[derive(Clone, Debug)]
pub(crate) struct Get<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) limit: usize,
    pub(crate) time: Duration,
}

/// Longest text of a refusal that is read.
const REFUSAL_MAX: usize = 4096;

impl Get<'_> {
    async fn open(&self) -> Result<(StatusCode, Incoming), Error> {
        let stream = self.peer.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(async move {
            // How it ended shows in the body.
            let _ = connection.await;
        });
        let mut request = Request::get(self.path)
            .header("Host", self.peer.authority())
            .header("Accept", "application/json")
            .header(
                "User-Agent",
                concat!("peregrine/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(token) = self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok((response.status(), response.into_body()))
    }

    /// The whole body of a good answer.
    pub(crate) async fn fetch(&self) -> Result<Bytes, Error> {
        let all = async {
            let (status, mut body) = self.open().await?;
            if !status.is_success() {
                return Err(refusal(status, &mut body).await);
            }
            collect(&mut body, self.limit).await
        };
        timeout(self.time, all).await.map_err(|_| Error::TimedOut)?
    }

    /// A body that comes line by line and does not end. Only the head has to come in time.
    pub(crate) async fn lines(&self) -> Result<Lines, Error> {
        let head = async {
            let (status, mut body) = self.open().await?;
            if status.is_success() {
                Ok(body)
            } else {
                Err(refusal(status, &mut body).await)
            }
        };
        let body = timeout(self.time, head)
            .await
            .map_err(|_| Error::TimedOut)??;
        Ok(Lines {
            body,
            waiting: BytesMut::new(),
            searched: 0,
            limit: self.limit,
        })
    }
}

async fn refusal(status: StatusCode, body: &mut Incoming) -> Error {
    if status == StatusCode::NOT_FOUND {
        return Error::NotFound;
    }
    let text = collect(body, REFUSAL_MAX).await.unwrap_or_default();
    Error::Refused {
        code: u32::from(status.as_u16()),
        message: cut(&String::from_utf8_lossy(&text)),
    }
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Error> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if all.len() + data.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Lines of an endless body.
pub(crate) struct Lines {
    body: Incoming,
    waiting: BytesMut,
    searched: usize,
    limit: usize,
}

impl Lines {
    /// The next line that is not empty; `None` where the body ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(at) = self.waiting[self.searched..]
                .iter()
                .position(|&b| b == b'\n')
            {
                let mut line = self.waiting.split_to(self.searched + at + 1);
                self.searched = 0;
                line.truncate(line.len() - 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line.freeze()));
            }
            self.searched = self.waiting.len();
            if self.waiting.len() > self.limit {
                return Err(Error::TooLarge(self.limit));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(broken)?.into_data() {
                        self.waiting.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = |url: &str| match Peer::parse(url, None) {
            Ok((peer, path)) => format!("{} {path}", peer.authority()),
            Err(_) => "error".to_owned(),
        };
        assert_eq!(parse("http://a:8080"), "a:8080 ");
        assert_eq!(parse("http://a/x/"), "a:80 /x");
        assert_eq!(parse("http://user:pw@a:1/x"), "a:1 /x");
        assert_eq!(parse("http://[::1]:81"), "[::1]:81 ");
        assert_eq!(parse("http://[::1]"), "[::1]:80 ");
        for bad in ["a:1", "ftp://a", "http://a:x", "https://a"] {
            assert_eq!(parse(bad), "error", "{bad}");
        }
    }
}
