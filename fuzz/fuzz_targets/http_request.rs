//! One connection to the web server: whatever the client sends, it ends, within the limits.

#![no_main]

use std::io::{self, Read, Write};
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use web::connection::serve;
use web::deadline::Deadline;
use web::{Limits, Response, Router};

/// Hands out the input in pieces, as a network would.
struct Client<'b> {
    bytes: &'b [u8],
    piece: usize,
    answered: usize,
}

impl Read for Client<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.piece.min(self.bytes.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.bytes[..length]);
        self.bytes = &self.bytes[length..];
        Ok(length)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answered += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deadline for Client<'_> {
    fn allow_until(&mut self, _: Instant) {}

    fn end_writing(&mut self) {}
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    let mut router = Router::new();
    router.get("/a", |request| Response::text(200, request.parameter("q").unwrap_or_default()));
    router.post("/b", 64, |request| {
        assert!(request.body.len() <= 64);
        Response::json(request.body.clone())
    });
    let limits = Limits { head_size: 1024, ..Limits::default() };
    let mut client = Client { bytes: rest, piece: usize::from(first) + 1, answered: 0 };
    serve(&mut client, &router, &limits, None, false);
    assert!(client.answered <= 1000 * 2048);
});
