//! The head of a request: request line and header fields.
//!
//! `httparse` splits the bytes; what the fields mean for the length of the body is decided here, and
//! strictly: two readers that disagree about where a request ends are how requests are smuggled.

use crate::message::Method;

/// Most header fields a request may have.
const MAX_FIELDS: usize = 64;

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Known(usize),
    /// In chunks.
    Chunked,
}

/// A parsed head.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// HEAD was asked for: the answer has no body.
    pub no_body: bool,
    /// Path without query.
    pub path: String,
    /// Query.
    pub query: String,
    /// Fields; names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body's length.
    pub length: Length,
    /// The connection may serve another request.
    pub keep_alive: bool,
    /// The client waits for leave to send its body.
    pub expects: bool,
}

/// A status to refuse with, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub u16, pub &'static str);

/// Parses the head at the begin of `bytes`; `None` while it is incomplete. The number is the head's
/// length.
///
/// # Errors
/// [`Refusal`] for what is no request or one that is not served.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal(431, "too many header fields")),
        Err(httparse::Error::Version) => return Err(Refusal(505, "only HTTP/1.0 and HTTP/1.1")),
        Err(_) => return Err(Refusal(400, "not an HTTP request")),
    };
    let (method, no_body) = match request.method {
        Some("GET") => (Method::Get, false),
        Some("HEAD") => (Method::Get, true),
        Some("POST") => (Method::Post, false),
        _ => return Err(Refusal(404, "not found")),
    };
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') {
        return Err(Refusal(400, "the target must be a path"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields: Vec<(String, Vec<u8>)> = request
        .headers
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()))
        .collect();
    let newer = request.version == Some(1);
    let mut head = Head {
        method,
        no_body,
        path: path.to_owned(),
        query: query.to_owned(),
        fields,
        length: Length::Known(0),
        keep_alive: newer,
        expects: false,
    };
    head.meaning(newer)?;
    Ok(Some((head, size)))
}

impl Head {
    fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let fields = self.fields.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.trim_ascii())
    }

    /// Whether a browser sent it for a page that is not from here. Nothing but a browser says where a
    /// request comes from; and no page from here ever posts anything, whatever name it was reached by.
    #[must_use]
    pub fn is_of_another_site(&self) -> bool {
        let origins = || self.all("origin");
        let host = self.all("host").next().unwrap_or_default();
        let own = |origin: &[u8]| {
            let authority = origin.strip_prefix(b"http://");
            authority.or_else(|| origin.strip_prefix(b"https://")) == Some(host)
        };
        let own_site = |site: &[u8]| site == b"same-origin" || site == b"none";
        (self.method == Method::Post && origins().next().is_some())
            || !origins().all(own)
            || !self.all("sec-fetch-site").all(own_site)
    }

    /// What the fields say about the body and the connection.
    fn meaning(&mut self, newer: bool) -> Result<(), Refusal> {
        if newer && self.all("host").count() != 1 {
            return Err(Refusal(400, "exactly one Host is needed"));
        }
        let mut lengths = self.all("content-length");
        let length = lengths.next().map(<[u8]>::to_vec);
        if lengths.next().is_some() {
            return Err(Refusal(400, "more than one Content-Length"));
        }
        drop(lengths);
        let mut codings = self.all("transfer-encoding");
        let coding = codings.next().map(<[u8]>::to_ascii_lowercase);
        if codings.next().is_some() {
            return Err(Refusal(400, "more than one Transfer-Encoding"));
        }
        drop(codings);
        let expects: Vec<Vec<u8>> = self.all("expect").map(<[u8]>::to_ascii_lowercase).collect();
        let closes = self.all("connection").any(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
        });
        self.length = match (length, coding) {
            (Some(_), Some(_)) => {
                return Err(Refusal(400, "both Content-Length and Transfer-Encoding"));
            }
            (None, Some(coding)) if coding == b"chunked" && newer => Length::Chunked,
            (None, Some(_)) => return Err(Refusal(501, "unknown Transfer-Encoding")),
            (Some(digits), None) => {
                let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(&digits).ok().filter(|_| plain);
                let number = text.and_then(|text| text.parse().ok());
                Length::Known(number.ok_or(Refusal(400, "Content-Length is no number"))?)
            }
            (None, None) if self.method == Method::Post => {
                return Err(Refusal(411, "a body needs its length"));
            }
            (None, None) => Length::Known(0),
        };
        self.expects = match expects.as_slice() {
            [] => false,
            [word] if word == b"100-continue" => true,
            _ => return Err(Refusal(417, "unknown expectation")),
        };
        self.keep_alive &= !closes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Head, u16> {
        match parse(text.as_bytes()) {
            Ok(Some((head, size))) => {
                assert_eq!(size, text.len());
                Ok(head)
            }
            Ok(None) => panic!("incomplete: {text:?}"),
            Err(Refusal(status, _)) => Err(status),
        }
    }

    #[test]
    fn requests() {
        let head = check("GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Y: z\r\n\r\n").unwrap();
        assert_eq!((head.path.as_str(), head.query.as_str()), ("/a", "b=c"));
        assert!(head.keep_alive && head.length == Length::Known(0));
        assert!(!check("GET / HTTP/1.0\r\n\r\n").unwrap().keep_alive);
        assert!(
            !check("GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n")
                .unwrap()
                .keep_alive
        );
        let head = check("POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 12\r\n\r\n").unwrap();
        assert_eq!(head.length, Length::Known(12));
        assert!(parse(b"GET / HTTP/1.1\r\nHo").unwrap().is_none());
    }

    #[test]
    fn what_is_refused() {
        for (status, text) in [
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "\x16\x03\x01\x02 / HTTP/1.1\r\n\r\n"),
            (404, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
            (411, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (
                400,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                501,
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            ),
            (
                417,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: more\r\n\r\n",
            ),
        ] {
            assert_eq!(check(text).unwrap_err(), status, "{text:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
        assert_eq!(check(&many).unwrap_err(), 431);
    }
}
