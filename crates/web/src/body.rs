//! The body of a request: so many bytes, or chunks. Never more than the route allows.

use std::io::{self, Read};

use crate::head::{Length, Refusal};

/// Longest line that may announce a chunk, and longest trailer.
const MAX_LINE: usize = 1024;

/// Why there is no body.
#[derive(Debug)]
pub enum BodyError {
    /// The client is told.
    Refused(Refusal),
    /// The connection is of no use any more.
    Broken(io::Error),
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

const TOO_LARGE: BodyError = BodyError::Refused(Refusal(413, "the body is too large"));
const MALFORMED: BodyError = BodyError::Refused(Refusal(400, "malformed chunks"));

/// What was read beyond the head, followed by the connection.
pub(crate) struct Input<'s, S> {
    pub(crate) buffer: &'s mut Vec<u8>,
    pub(crate) stream: &'s mut S,
}

impl<S: Read> Input<'_, S> {
    fn more(&mut self) -> io::Result<()> {
        let mut bytes = [0; 8192];
        match self.stream.read(&mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.buffer.extend_from_slice(&bytes[..length]);
                Ok(())
            }
        }
    }

    /// Takes `length` bytes off the front.
    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(self.buffer, rest))
    }

    /// Takes a line off the front, without its end.
    fn line(&mut self) -> Result<Vec<u8>, BodyError> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..]
                .windows(2)
                .position(|pair| pair == b"\r\n")
            {
                let mut line = self.take(seen + at + 2)?;
                line.truncate(seen + at);
                return Ok(line);
            }
            if self.buffer.len() > MAX_LINE {
                return Err(MALFORMED);
            }
            seen = self.buffer.len().saturating_sub(1);
            self.more()?;
        }
    }

    /// Reads the whole body of at most `limit` bytes.
    pub(crate) fn body(&mut self, length: Length, limit: usize) -> Result<Vec<u8>, BodyError> {
        match length {
            Length::Known(length) if length > limit => Err(TOO_LARGE),
            Length::Known(length) => Ok(self.take(length)?),
            Length::Chunked => self.chunks(limit),
        }
    }

    fn chunks(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
            let text = std::str::from_utf8(digits).ok().filter(|_| plain);
            let size = text.and_then(|text| usize::from_str_radix(text, 16).ok());
            let size = size.ok_or(MALFORMED)?;
            if size > limit - body.len() {
                return Err(TOO_LARGE);
            }
            if size == 0 {
                break;
            }
            body.extend_from_slice(&self.take(size)?);
            if self.take(2)? != b"\r\n" {
                return Err(MALFORMED);
            }
        }
        let mut trailer = 0;
        loop {
            match self.line()?.len() {
                0 => return Ok(body),
                length => trailer += length,
            }
            if trailer > MAX_LINE {
                return Err(MALFORMED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &[u8], length: Length) -> Result<Vec<u8>, u16> {
        // The first bytes came with the head.
        let (first, mut rest) = text.split_at(text.len().min(3));
        let mut buffer = first.to_vec();
        let mut input = Input {
            buffer: &mut buffer,
            stream: &mut rest,
        };
        input.body(length, 10).map_err(|error| match error {
            BodyError::Refused(Refusal(status, _)) => status,
            BodyError::Broken(_) => 0,
        })
    }

    #[test]
    fn lengths_and_chunks() {
        assert_eq!(body(b"hello", Length::Known(5)).unwrap(), b"hello");
        assert_eq!(body(b"hello", Length::Known(6)), Err(0));
        assert_eq!(body(b"", Length::Known(11)), Err(413));
        let chunked = |text: &[u8]| body(text, Length::Chunked);
        assert_eq!(
            chunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n").unwrap(),
            b"abcde"
        );
        assert_eq!(chunked(b"b\r\nabcdefghijk\r\n0\r\n\r\n"), Err(413));
        assert_eq!(chunked(b"6\r\nabcdef\r\n6\r\nabcdef\r\n"), Err(413));
        assert_eq!(chunked(b"ffffffffffffffffffff\r\n"), Err(400));
        assert_eq!(chunked(b"-1\r\n"), Err(400));
        assert_eq!(chunked(b"\r\n"), Err(400));
        assert_eq!(chunked(b"1\r\nabc\r\n"), Err(400));
        assert_eq!(chunked(&[b'0'; 2000]), Err(400));
        assert_eq!(chunked(b"2\r\nab"), Err(0));
    }
}
