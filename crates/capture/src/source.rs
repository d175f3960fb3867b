//! The byte stream behind a capture: plain, gzip or zstd, told apart by the first bytes.
//!
//! A compressed stream that ends early ends the content and nothing more: whatever it cuts is
//! reported by whoever reads the content. Bytes after the last gzip member are ignored, as gzip's
//! own tools do. Damage inside the stream is an error, after all content before it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// How a capture is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Input with its first bytes put back.
type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Compressed bytes that are read ahead.
const INPUT_LEN: usize = 64 * 1024;
/// Log of the largest zstd window that is accepted: 128 MiB, what the format's own tools accept.
const WINDOW_LOG: u32 = 27;

/// Decoded content of an input.
#[allow(clippy::large_enum_variant, reason = "there is one for each reader")]
pub(crate) enum Source<R: Read> {
    Plain {
        head: Cursor<Vec<u8>>,
        rest: R,
    },
    Gzip(Option<Member<R>>),
    Zstd {
        decoder: zstd::stream::read::Decoder<'static, Input<R>>,
        ended: bool,
    },
}

/// One gzip member being read; the input moves on to the next one.
pub(crate) struct Member<R: Read> {
    decoder: flate2::bufread::GzDecoder<Input<R>>,
    /// What follows a first member and isn't a member after all is ignored, not an error.
    may_be_garbage: bool,
}

impl<R: Read> Source<R> {
    /// Looks at the first bytes and chooses the decoder.
    pub(crate) fn new(mut input: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        let mut chunk = [0u8; 4];
        while head.len() < 4 {
            match input.read(&mut chunk[..4 - head.len()]) {
                Ok(0) => break,
                Ok(n) => head.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if head.starts_with(&[0x1f, 0x8b]) {
            let input = BufReader::with_capacity(INPUT_LEN, Cursor::new(head).chain(input));
            let decoder = flate2::bufread::GzDecoder::new(input);
            Ok(Self::Gzip(Some(Member {
                decoder,
                may_be_garbage: false,
            })))
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let input = BufReader::with_capacity(INPUT_LEN, Cursor::new(head).chain(input));
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(Self::Zstd {
                decoder,
                ended: false,
            })
        } else {
            Ok(Self::Plain {
                head: Cursor::new(head),
                rest: input,
            })
        }
    }

    pub(crate) fn compression(&self) -> Compression {
        match self {
            Self::Plain { .. } => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd { .. } => Compression::Zstd,
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain { head, rest } => match head.read(out)? {
                0 => rest.read(out),
                n => Ok(n),
            },
            Self::Gzip(member) => read_members(member, out),
            Self::Zstd { ended: true, .. } => Ok(0),
            Self::Zstd { decoder, ended } => match decoder.read(out) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    *ended = true;
                    Ok(0)
                }
                other => other,
            },
        }
    }
}

fn read_members<R: Read>(slot: &mut Option<Member<R>>, out: &mut [u8]) -> io::Result<usize> {
    loop {
        let Some(member) = slot else { return Ok(0) };
        match member.decoder.read(out) {
            Ok(0) if !out.is_empty() => {
                // The member is over; another one or anything else may follow.
                let Some(Member { decoder, .. }) = slot.take() else {
                    return Ok(0);
                };
                let mut input = decoder.into_inner();
                if next_is_member(&mut input)? {
                    let decoder = flate2::bufread::GzDecoder::new(input);
                    *slot = Some(Member {
                        decoder,
                        may_be_garbage: true,
                    });
                }
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof || member.may_be_garbage => {
                *slot = None;
                return Ok(0);
            }
            Ok(n) => {
                member.may_be_garbage = false;
                return Ok(n);
            }
            Err(e) => return Err(e),
        }
    }
}

/// Whether the next byte can begin a member. One byte decides when it is the last in the buffer:
/// a header that then proves wrong is an error of the decoder.
fn next_is_member<R: BufRead>(input: &mut R) -> io::Result<bool> {
    let ahead = loop {
        match input.fill_buf() {
            Ok(ahead) => break ahead,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    };
    Ok(match ahead {
        [] => false,
        [only] => *only == 0x1f,
        [a, b, ..] => [*a, *b] == [0x1f, 0x8b],
    })
}
