//! A web server: a POST for each message.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | delivered |
//! | 408, 429, 502, 503, 504, none | the receiver is not there for now: the message waits |
//! | any other 5xx | the receiver stumbled: some more attempts, then the next message |
//! | 1xx, 3xx, 4xx | the receiver will not have it: told, counted, and on to the next |
//!
//! The original ignores the status; redirects are followed by neither.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter,
};
use ureq::{Agent, Proxy};

use crate::channel::{Channel, Failure, Progress, fault, otlp};
use crate::message::{Batch, Message};
use crate::tls::TlsOptions;

/// Bytes of an answer that are read, for the echo or to keep the connection.
const MAX_ANSWER: u64 = 64 << 10;

/// Where messages are posted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTarget {
    /// `http://` or `https://`.
    pub url: String,
    /// `application/json` or `text/plain`.
    pub content_type: String,
    /// Bodies are log records of OpenTelemetry ([`otlp`]) of the machine with this name.
    pub otlp: Option<String>,
    /// What we call ourselves.
    pub user_agent: String,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
    /// Trust and identity.
    pub tls: TlsOptions,
    /// Bodies are compressed with gzip.
    pub gzip: bool,
    /// The server may compress what it transfers.
    pub compressed_transfer: bool,
    /// Connections are used again.
    pub keep_alive: bool,
    /// What the server answers is printed.
    pub echo: bool,
    /// For the whole of a request.
    pub timeout: Duration,
}

/// The channel.
pub struct HttpChannel {
    target: HttpTarget,
    agent: Agent,
}

impl HttpChannel {
    /// A channel to a server.
    ///
    /// # Errors
    /// When the address is none, or a certificate is of no use.
    pub fn open(target: &HttpTarget) -> io::Result<Self> {
        let url = &target.url;
        let parsed: ureq::http::Uri = url
            .parse()
            .map_err(|error| fault(format!("'{url}' is no address: {error}")))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(fault(format!(
                "'{url}' is no address that begins with http:// or https://"
            )));
        }
        for (name, value) in &target.headers {
            let fits = ureq::http::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && ureq::http::HeaderValue::from_str(value).is_ok();
            if !fits {
                return Err(fault(format!("'{name}: {value}' is no header field")));
            }
        }
        // Certificates matter to encrypted connections only: a machine without any still posts.
        let tls = (parsed.scheme_str() == Some("https"))
            .then(|| target.tls.client_config())
            .transpose()?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(target.timeout))
            .user_agent(target.user_agent.as_str())
            .max_idle_connections(usize::from(target.keep_alive))
            .max_idle_connections_per_host(usize::from(target.keep_alive))
            .proxy(Proxy::try_from_env())
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector { config: tls });
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self {
            target: target.clone(),
            agent,
        })
    }

    fn body(&self, message: Message<'_>) -> io::Result<Vec<u8>> {
        let plain = match &self.target.otlp {
            None => message.line.to_vec(),
            Some(hostname) => otlp::request(message, hostname),
        };
        if !self.target.gzip {
            return Ok(plain);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain)?;
        encoder.finish()
    }

    fn post(&self, message: Message<'_>) -> Result<(), Failure> {
        let target = &self.target;
        let told = |what: String| fault(format!("{}: {what}", target.url));
        let mut request = self
            .agent
            .post(&target.url)
            .header("Content-Type", &target.content_type);
        if target.gzip {
            request = request.header("Content-Encoding", "gzip");
        }
        if target.compressed_transfer {
            request = request.header("TE", "gzip");
        }
        if !target.keep_alive {
            request = request.header("Connection", "close");
        }
        for (name, value) in &target.headers {
            request = request.header(name, value);
        }
        let body = self
            .body(message)
            .map_err(|error| Failure::Again(told(error.to_string())))?;
        let mut response = request.send(body.as_slice()).map_err(|error| match error {
            ureq::Error::Timeout(_) => Failure::Slow(told("no answer in time".to_owned())),
            error => Failure::Again(told(error.to_string())),
        })?;
        let status = response.status();
        let mut answer = Vec::new();
        // The status has come; what becomes of the rest changes nothing about the delivery.
        let _ = response
            .body_mut()
            .as_reader()
            .take(MAX_ANSWER)
            .read_to_end(&mut answer);
        if target.echo && !answer.is_empty() {
            let mut out = io::stdout().lock();
            let _ = out
                .write_all(&answer)
                .and_then(|()| out.write_all(b"\n"))
                .and_then(|()| out.flush());
        }
        if status.is_success() {
            let rejected = target.otlp.as_ref().and_then(|_| otlp::rejection(&answer));
            return rejected.map_or(Ok(()), |why| {
                Err(Failure::Refused(told(format!(
                    "rejected the record: {why}"
                ))))
            });
        }
        let error = told(format!("answered {status}"));
        Err(match status.as_u16() {
            408 | 429 | 502 | 503 | 504 => Failure::Again(error),
            500.. => Failure::Stumbled(error),
            _ => Failure::Refused(error),
        })
    }
}

impl Channel for HttpChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        for message in batch.messages().skip(progress.done()) {
            self.post(message)?;
            progress.delivered(1);
        }
        Ok(())
    }
}

/// Puts our own TLS on top of a connection.
struct TlsConnector {
    config: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let config = self
            .config
            .as_ref()
            .ok_or(ureq::Error::Tls("no TLS for this address"))?;
        let host = details.uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = host
            .try_into()
            .map_err(|_| ureq::Error::Tls("no name that a certificate could bear"))?;
        let mut conn = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        sock.set_timeout(details.timeout);
        while conn.is_handshaking() {
            conn.complete_io(&mut sock)?;
        }
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport {
            buffers,
            stream: StreamOwned { conn, sock },
        })))
    }
}

struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
