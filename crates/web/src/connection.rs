//! One connection: requests in, answers out, until it ends or breaks a limit.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::body::{BodyError, Input};
use crate::deadline::Deadline;
use crate::head::{Head, Refusal, parse};
use crate::message::{Body, Request, Response, phrase};
use crate::router::Router;
use crate::server::Limits;

/// Requests that one connection may make.
const MAX_REQUESTS: usize = 1000;

/// Why the connection ends after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

/// Serves a connection to its end. Broken connections are the client's matter: nothing is returned.
pub fn serve<S: Read + Write + Deadline>(
    stream: &mut S,
    router: &Router,
    limits: &Limits,
    peer: Option<IpAddr>,
    secure: bool,
) {
    let mut buffer = Vec::new();
    for _ in 0..MAX_REQUESTS {
        match request(stream, &mut buffer, router, limits, peer, secure) {
            Ok(After::GoOn) => {}
            Ok(After::Close) | Err(_) => return,
        }
    }
}

fn request<S: Read + Write + Deadline>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    router: &Router,
    limits: &Limits,
    peer: Option<IpAddr>,
    secure: bool,
) -> io::Result<After> {
    stream.allow_until(Instant::now() + limits.head_time);
    let head = match head(stream, buffer, limits.head_size)? {
        Ok(head) => head,
        Err(refusal) => return refuse(stream, refusal, limits),
    };
    if head.is_of_another_site() {
        return refuse(stream, Refusal(403, "another site asked for this"), limits);
    }
    let Some(limit) = router.limit(head.method, &head.path) else {
        return refuse(stream, Refusal(404, "not found"), limits);
    };
    stream.allow_until(Instant::now() + limits.body_time);
    if head.expects && buffer.is_empty() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = match (Input { buffer, stream }).body(head.length, limit) {
        Ok(body) => body,
        Err(BodyError::Refused(refusal)) => return refuse(stream, refusal, limits),
        Err(BodyError::Broken(error)) => return Err(error),
    };
    let request = Request {
        method: head.method,
        path: head.path,
        query: head.query,
        headers: head.fields,
        body,
        peer,
        secure,
    };
    let response = router.answer(&request);
    stream.allow_until(Instant::now() + limits.answer_time);
    answer(
        stream,
        response,
        head.keep_alive,
        head.no_body,
        limits.answer_time,
    )
}

/// Reads until a head is complete; what follows it stays in the buffer.
fn head<S: Read>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Result<Head, Refusal>> {
    loop {
        if !buffer.is_empty() {
            match parse(buffer) {
                Ok(Some((head, size))) if size <= limit => {
                    buffer.drain(..size);
                    return Ok(Ok(head));
                }
                Ok(None) if buffer.len() <= limit => {}
                Ok(_) => return Ok(Err(Refusal(431, "the head is too large"))),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => buffer.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !buffer.is_empty() => {
                return Ok(Err(Refusal(408, "too slow")));
            }
            Err(error) => return Err(error),
        }
    }
}

fn refuse<S: Read + Write + Deadline>(
    stream: &mut S,
    Refusal(status, why): Refusal,
    limits: &Limits,
) -> io::Result<After> {
    // Little time, and the client's remaining bytes are taken so that the answer is not lost to a
    // reset of the connection; but only so many.
    stream.allow_until(Instant::now() + limits.answer_time.min(Duration::from_secs(2)));
    answer(
        stream,
        Response::text(status, format!("{why}\n")),
        false,
        false,
        limits.answer_time,
    )?;
    stream.end_writing();
    let mut sink = [0; 8192];
    for _ in 0..16 {
        if stream.read(&mut sink)? == 0 {
            break;
        }
    }
    Ok(After::Close)
}

fn answer<S: Write + Deadline>(
    stream: &mut S,
    response: Response,
    keep_alive: bool,
    no_body: bool,
    pause: Duration,
) -> io::Result<After> {
    let Response {
        status,
        headers,
        body,
    } = response;
    let goes_on = keep_alive && matches!(body, Body::Bytes(_));
    let mut head = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // Nobody may frame, sniff, cache or pass on what is served here.
    head.push_str("X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
    if let Body::Bytes(bytes) = &body {
        head.push_str(&format!("Content-Length: {}\r\n", bytes.len()));
    }
    head.push_str(if goes_on {
        "Connection: keep-alive\r\n\r\n"
    } else {
        "Connection: close\r\n\r\n"
    });
    match body {
        Body::Bytes(bytes) => {
            let mut message = head.into_bytes();
            if !no_body {
                message.extend_from_slice(&bytes);
            }
            stream.write_all(&message)?;
            stream.flush()?;
        }
        Body::Stream(write) => {
            stream.write_all(head.as_bytes())?;
            stream.flush()?;
            if !no_body {
                write(&mut Paced { stream, pause })?;
            }
        }
    }
    Ok(if goes_on { After::GoOn } else { After::Close })
}

/// A stream that goes on as long as each piece of it is taken in time.
struct Paced<'s, S> {
    stream: &'s mut S,
    pause: Duration,
}

impl<S: Write + Deadline> Write for Paced<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.allow_until(Instant::now() + self.pause);
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.allow_until(Instant::now() + self.pause);
        self.stream.flush()
    }
}
