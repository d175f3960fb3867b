//! What a handler is given and what it returns.

use std::io::{self, Write};
use std::net::IpAddr;

/// The methods that are served. HEAD is a GET whose body is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET and HEAD.
    Get,
    /// POST.
    Post,
}

/// A request, complete and within its limits.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, undecoded, without query.
    pub path: String,
    /// What follows `?`, undecoded; empty where nothing does.
    pub query: String,
    /// Header fields in order; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body of a POST.
    pub body: Vec<u8>,
    /// Who asks; `None` where that is not known.
    pub peer: Option<IpAddr>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

impl Request {
    /// The first header field of that name, which must be in lower case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    /// The value of `name` in the query, with `%XX` and `+` decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self
            .query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
    }
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let escape = bytes
            .get(at..at + 2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match (
            byte,
            escape.and_then(|pair| u8::from_str_radix(pair, 16).ok()),
        ) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes the body of an answer piece by piece until it returns or the client goes.
pub type Stream = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// The body of an answer.
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// Written while it comes into being; the connection ends with it.
    Stream(Stream),
}

/// An answer.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields besides the length and those that every answer carries.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Body,
}

impl Response {
    /// An answer with a content type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: Body::Bytes(body.into()),
        }
    }

    /// 200 with JSON.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/json", body)
    }

    /// A status with a sentence as plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// 200 with a body that goes on.
    #[must_use]
    pub fn stream(
        content_type: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            body: Body::Stream(Box::new(write)),
            ..Self::new(200, content_type, "")
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more header field. Its value must not come from outside unchecked: control
    /// characters are taken out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.chars().filter(|c| !c.is_control()).collect();
        self.headers.push((name, value));
        self
    }
}

/// The phrase that goes with a status.
pub(crate) fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        302 => "Found",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let request = Request {
            method: Method::Get,
            path: "/".into(),
            query: "a=1&name=x%20y+z%zz%4&flag".into(),
            headers: vec![("x-a".into(), b" v ".to_vec())],
            body: Vec::new(),
            peer: None,
            secure: false,
        };
        assert_eq!(request.parameter("name").as_deref(), Some("x y z%zz%4"));
        assert_eq!(request.parameter("flag").as_deref(), Some(""));
        assert_eq!(request.parameter("b"), None);
        assert_eq!(request.header("x-a"), Some("v"));
    }

    #[test]
    fn no_header_is_split() {
        let response = Response::text(200, "").with_header("Location", "/a\r\nSet-Cookie: x");
        assert_eq!(response.headers[1].1, "/aSet-Cookie: x");
    }
}
