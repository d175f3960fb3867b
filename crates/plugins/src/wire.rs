//! What goes over the socket between us and a child.
//!
//! A frame is a length of four bytes, a tag, and the rest. Numbers are little-endian; texts and blobs have a length of
//! four bytes before them. Both ends check everything: the other may be mad.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use crate::field::{Datum, Wanted};

/// Longest frame: a batch of events of ordinary size, or a few large ones.
pub(crate) const MAX_FRAME: usize = 256 << 20;

/// Requests of ours.
pub(crate) mod ask {
    pub(crate) const LOAD: u8 = 1;
    pub(crate) const INIT: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const NEXT: u8 = 5;
    pub(crate) const EXTRACT: u8 = 6;
    /// Has no answer.
    pub(crate) const PARSE: u8 = 7;
    pub(crate) const START_ASYNC: u8 = 8;
    pub(crate) const STOP_ASYNC: u8 = 9;
    pub(crate) const LISTEN: u8 = 10;
    pub(crate) const DESCRIBE: u8 = 11;
    pub(crate) const OPEN_PARAMS: u8 = 12;
    pub(crate) const METRICS: u8 = 13;
    /// Like PARSE, of a plugin that uses tables: the answer says that it has seen the event.
    pub(crate) const PARSE_ASKED: u8 = 14;
    /// A question of another plugin's about its tables.
    pub(crate) const TABLE: u8 = 15;
    /// The answer to its own question about tables.
    pub(crate) const ANSWER: u8 = 16;
    pub(crate) const SET_CONFIG: u8 = 17;
    pub(crate) const DUMP: u8 = 18;
}

/// What a child says.
pub(crate) mod say {
    /// The answer to a request.
    pub(crate) const OK: u8 = 1;
    /// The request failed; a text follows.
    pub(crate) const FAILED: u8 = 2;
    /// An event that the plugin puts into the stream.
    pub(crate) const INJECT: u8 = 3;
    /// A line for the log.
    pub(crate) const LOG: u8 = 4;
    /// A question about tables, in the middle of a request.
    pub(crate) const TABLE: u8 = 5;
}

/// Writes one frame.
///
/// # Errors
/// Those of the stream; a frame that is too long.
pub(crate) fn write_frame(out: &mut impl Write, tag: u8, body: &[u8]) -> io::Result<()> {
    let length = body.len() + 1;
    if length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the frame is too long",
        ));
    }
    let mut frame = Vec::with_capacity(length + 4);
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.push(tag);
    frame.extend_from_slice(body);
    out.write_all(&frame)
}

/// Reads one frame: its tag and the rest.
///
/// # Errors
/// Those of the stream; a length out of bounds.
pub(crate) fn read_frame(input: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 || length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame of impossible length",
        ));
    }
    let mut tag = [0];
    input.read_exact(&mut tag)?;
    // Grows as bytes come: a length alone takes no memory.
    let mut body = Vec::new();
    input.take(length as u64 - 1).read_to_end(&mut body)?;
    if body.len() != length - 1 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((tag[0], body))
}

/// Composes a body.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn wanted(&mut self, all: &[Wanted]) -> &mut Self {
        self.u32(all.len() as u32);
        for wanted in all {
            self.u32(wanted.field);
            match &wanted.argument {
                None => self.u8(0),
                Some(text) => self.u8(1).blob(text.as_bytes()),
            };
        }
        self
    }

    pub(crate) fn values(&mut self, all: &[Option<Vec<Datum>>]) -> &mut Self {
        self.u32(all.len() as u32);
        for value in all {
            let Some(data) = value else {
                self.u8(0);
                continue;
            };
            self.u8(1).u32(data.len() as u32);
            for datum in data {
                match datum {
                    Datum::Number(number) => self.u8(0).u64(*number),
                    Datum::Text(text) => self.u8(1).blob(text),
                    Datum::Bool(is) => self.u8(2).u8(u8::from(*is)),
                    Datum::Ip(IpAddr::V4(ip)) => self.u8(3).blob(&ip.octets()),
                    Datum::Ip(IpAddr::V6(ip)) => self.u8(3).blob(&ip.octets()),
                };
            }
        }
        self
    }
}

/// Takes a body apart; `None` where it ends too early or makes no sense.
#[derive(Debug)]
pub(crate) struct Reader<'b>(pub(crate) &'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(crate) fn blob(&mut self) -> Option<&'b [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        self.blob()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn wanted(&mut self) -> Option<Vec<Wanted>> {
        let count = self.u32()?;
        (0..count)
            .map(|_| {
                let field = self.u32()?;
                let argument = match self.u8()? {
                    0 => None,
                    _ => Some(self.text()?),
                };
                Some(Wanted { field, argument })
            })
            .collect()
    }

    pub(crate) fn values(&mut self) -> Option<Vec<Option<Vec<Datum>>>> {
        let count = self.u32()?;
        (0..count)
            .map(|_| {
                if self.u8()? == 0 {
                    return Some(None);
                }
                let count = self.u32()?;
                let data: Option<Vec<Datum>> = (0..count).map(|_| self.datum()).collect();
                data.map(Some)
            })
            .collect()
    }

    fn datum(&mut self) -> Option<Datum> {
        Some(match self.u8()? {
            0 => Datum::Number(self.u64()?),
            1 => Datum::Text(self.blob()?.to_vec()),
            2 => Datum::Bool(self.u8()? != 0),
            3 => {
                let bytes = self.blob()?;
                match bytes.len() {
                    4 => Datum::Ip(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
                    _ => Datum::Ip(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
                }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back() {
        let wanted = vec![
            Wanted {
                field: 3,
                argument: None,
            },
            Wanted {
                field: 0,
                argument: Some("a".into()),
            },
        ];
        let values = vec![
            None,
            Some(vec![Datum::Number(7), Datum::Bool(true)]),
            Some(vec![
                Datum::Text(b"x\0".to_vec()),
                Datum::Ip("::1".parse().unwrap()),
            ]),
            Some(vec![Datum::Ip("1.2.3.4".parse().unwrap())]),
        ];
        let mut writer = Writer::default();
        writer.wanted(&wanted).values(&values).blob(b"end");
        let mut reader = Reader(&writer.0);
        assert_eq!(reader.wanted(), Some(wanted));
        assert_eq!(reader.values(), Some(values));
        assert_eq!(reader.blob(), Some(&b"end"[..]));
        for length in 0..writer.0.len() {
            let mut reader = Reader(&writer.0[..length]);
            let _ = (reader.wanted(), reader.values(), reader.blob());
        }
    }

    #[test]
    fn frames_are_bounded() {
        let mut out = Vec::new();
        write_frame(&mut out, 9, b"abc").unwrap();
        assert_eq!(read_frame(&mut &out[..]).unwrap(), (9, b"abc".to_vec()));
        assert!(read_frame(&mut &out[..5]).is_err());
        assert!(read_frame(&mut &[0, 0, 0, 0][..]).is_err());
        assert!(read_frame(&mut &[0xFF, 0xFF, 0xFF, 0xFF, 1][..]).is_err());
    }
}
