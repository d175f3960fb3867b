//! What can be wrong with a capture, said so that a person can act on it.

use std::fmt;
use std::io;

use event::RecordError;

use crate::blocks::BlockCode;
use crate::convert::ConvertError;
use crate::source::Compression;

/// Where in a capture something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Byte offset in the decoded stream of the block's first byte.
    pub offset: u64,
    /// Type of the block.
    pub block: BlockCode,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} block at byte {}", self.block, self.offset)
    }
}

/// Why a capture cannot be read on. Everything before the fault has been delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No byte at all.
    #[error("the input is empty, it holds no capture")]
    Empty,
    /// Something else.
    #[error("not a capture file: {0}")]
    NotCapture(Lookalike),
    /// Of a format that this reader does not know.
    #[error(
        "the capture has format version {major}.{minor}, this reader knows versions 1.x: \
         is there a newer release that reads it?"
    )]
    NewerFormat {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The input itself failed.
    #[error("cannot read the capture after byte {offset} of its content: {source}")]
    Io {
        /// Decoded bytes before the failure.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The compressed stream is no such stream, or damaged.
    #[error("the {compression} data is damaged after byte {offset} of its content: {source}")]
    Compression {
        /// Kind of compression.
        compression: Compression,
        /// Decoded bytes before the damage.
        offset: u64,
        /// The decoder's reason.
        source: io::Error,
    },
    /// The stream ends inside something.
    #[error("{place}: {what} needs {expected} bytes, {found} are left; is the file truncated?")]
    Truncated {
        /// Block.
        place: Place,
        /// What was being read.
        what: &'static str,
        /// Bytes that it takes.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// A block's length is impossible.
    #[error("{place}: its length field says {found}, expected {expected}; is the file damaged?")]
    BlockLength {
        /// Block.
        place: Place,
        /// What would be right.
        expected: Bound,
        /// The length field.
        found: u64,
    },
    /// The length after a block differs from the one before it.
    #[error(
        "{place}: the length at its end is {trailer}, at its start {header}; \
         is the file damaged?"
    )]
    Trailer {
        /// Block.
        place: Place,
        /// Length before the body.
        header: u32,
        /// Length after the body.
        trailer: u32,
    },
    /// A value inside a block's list is impossible.
    #[error("{place}: {what} is {found}, expected {expected}; is the file damaged?")]
    Value {
        /// Block.
        place: Place,
        /// The field.
        what: &'static str,
        /// What would be right.
        expected: Bound,
        /// What there is.
        found: u64,
    },
    /// Neither event nor new section where only these can be.
    #[error(
        "{0}: only events or a new section header may follow the first event; \
         is the file damaged?"
    )]
    UnexpectedBlock(Place),
    /// The end came before the first event.
    #[error("the capture ends at byte {offset} without any event")]
    NoEvents {
        /// Decoded length.
        offset: u64,
    },
    /// An event's own lengths do not fit.
    #[error("{place}: {source}; is the file damaged?")]
    Record {
        /// Block.
        place: Place,
        /// What is wrong.
        source: RecordError,
    },
    /// An event of the first format whose parameter count can't be derived.
    #[error(
        "{place}: an event of type {code} with {len} bytes fits no number of parameters \
         that its type has had; is the file damaged?"
    )]
    ParamCount {
        /// Block.
        place: Place,
        /// Event type.
        code: u16,
        /// Its length field.
        len: u32,
    },
    /// An old event cannot be brought to today's form.
    #[error("{place}: {source}")]
    Convert {
        /// Block.
        place: Place,
        /// What is wrong.
        source: ConvertError,
    },
}

/// What a number should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This or more.
    AtLeast(u64),
    /// This or less.
    AtMost(u64),
    /// One of a few, as told.
    OneOf(&'static str),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(n) => write!(f, "at least {n}"),
            Self::AtMost(n) => write!(f, "at most {n}"),
            Self::OneOf(names) => f.write_str(names),
        }
    }
}

/// What a file that is no capture looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// Packets, classic form.
    Pcap,
    /// Packets in blocks.
    Pcapng,
    /// Compressed once more than the reader undoes.
    Compressed(&'static str),
    /// A program or library.
    Elf,
    /// Another recorder's file.
    PerfData,
    /// JSON text.
    Json,
    /// Text.
    Text,
    /// Nothing but zero bytes.
    Zeros,
    /// Fewer bytes than any capture has.
    TooShort(usize),
    /// Anything else, with its first bytes.
    Data([u8; 4]),
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcap => f.write_str("it looks like a packet capture (pcap)"),
            Self::Pcapng => {
                f.write_str("it is a packet capture (pcapng), without system call events")
            }
            Self::Compressed(with) => {
                write!(
                    f,
                    "its content is compressed with {with}; decompress it first"
                )
            }
            Self::Elf => f.write_str("it looks like a program or library (ELF)"),
            Self::PerfData => f.write_str("it looks like a recording of perf"),
            Self::Json => f.write_str("it looks like JSON"),
            Self::Text => f.write_str("it looks like text"),
            Self::Zeros => f.write_str("it begins with zero bytes only"),
            Self::TooShort(len) => write!(f, "it has {len} bytes only"),
            Self::Data([a, b, c, d]) => {
                write!(
                    f,
                    "it begins with the bytes {a:02x} {b:02x} {c:02x} {d:02x}"
                )
            }
        }
    }
}

impl Lookalike {
    /// Names what `head`, the first bytes of something, looks like.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        const STARTS: [(&[u8], Lookalike); 13] = [
            (b"\xd4\xc3\xb2\xa1", Lookalike::Pcap),
            (b"\xa1\xb2\xc3\xd4", Lookalike::Pcap),
            (b"\x4d\x3c\xb2\xa1", Lookalike::Pcap),
            (b"\xa1\xb2\x3c\x4d", Lookalike::Pcap),
            (b"\x1f\x8b", Lookalike::Compressed("gzip")),
            (b"\x28\xb5\x2f\xfd", Lookalike::Compressed("zstd")),
            (b"BZh", Lookalike::Compressed("bzip2")),
            (b"\xfd7zXZ\0", Lookalike::Compressed("xz")),
            (b"\x04\x22\x4d\x18", Lookalike::Compressed("lz4")),
            (b"PK\x03\x04", Lookalike::Compressed("zip")),
            (b"\x7fELF", Lookalike::Elf),
            (b"PERFILE2", Lookalike::PerfData),
            (
                b"\x0a\x0d\x0d\x0a",
                Lookalike::Data([0x0a, 0x0d, 0x0d, 0x0a]),
            ),
        ];
        for (start, kind) in STARTS {
            if head.starts_with(start) {
                return kind;
            }
        }
        let Some(first) = head.first_chunk::<4>() else {
            return Self::TooShort(head.len());
        };
        let text = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
        if head.iter().all(|&b| b == 0) {
            Self::Zeros
        } else if head.iter().all(text) {
            match head.trim_ascii_start().first() {
                Some(b'{' | b'[') => Self::Json,
                _ => Self::Text,
            }
        } else {
            Self::Data(*first)
        }
    }
}
