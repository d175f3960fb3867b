//! The file format's blocks: their codes, what each holds and in which version.
//!
//! ```text
//! | code u32 | total u32 | body ... | total u32 |     total = 8 + body with padding + 4
//! ```
//!
//! Until 2018 a change of layout took a new code; since then (format 1.2) entries carry their own
//! length and grow at the end. The codes 0x80xxABCD were used before the first release, in early
//! 2014. A section header is the first block and says byte order and version.

use std::fmt;

/// First block of a section.
pub const SECTION: u32 = 0x0A0D_0D0A;
/// Byte-order magic in a section header, read in the right order.
pub const MAGIC: u32 = 0x1A2B_3C4D;
/// Major version of the format.
pub const MAJOR: u16 = 1;
/// Minor version that is written.
pub const MINOR: u16 = 2;
/// Machine information.
pub const MACHINE: u32 = 0x201;
/// Interfaces whose entries carry their length.
pub const INTERFACES: u32 = 0x219;
/// Users and groups whose entries carry their length.
pub const USERS: u32 = 0x220;
/// Processes whose entries carry their length.
pub const PROCESSES: u32 = 0x215;
/// Descriptors whose entries carry their length.
pub const DESCRIPTORS: u32 = 0x218;
/// An event whose header carries the number of parameters.
pub const EVENT: u32 = 0x216;
/// The same, with flags.
pub const EVENT_FLAGS: u32 = 0x217;
/// The same as [`EVENT`], longer than 64 KiB.
pub const EVENT_LARGE: u32 = 0x221;
/// The same as [`EVENT_FLAGS`], longer than 64 KiB.
pub const EVENT_FLAGS_LARGE: u32 = 0x222;

/// Bytes of code and length before the body.
pub const HEADER_LEN: usize = 8;
/// Bytes of the length after the body.
pub const TRAILER_LEN: usize = 4;
/// Bytes around the body.
pub const FRAME_LEN: usize = HEADER_LEN + TRAILER_LEN;
/// Longest body with trailer of an event block that isn't "large".
pub const MAX_EVENT: usize = 65536;

/// A block type's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockCode(pub u32);

/// What a block holds, in which layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A new section.
    Section,
    /// Machine information.
    Machine,
    /// Process list, with its version.
    Processes(u8),
    /// Descriptors of one thread.
    Descriptors(Entries),
    /// Interface list.
    Interfaces(Entries),
    /// Users and groups.
    Users(Entries),
    /// One event.
    Event(EventLayout),
    /// Packets of a network capture.
    Packets,
    /// Anything else.
    Unknown,
}

/// Whether a list's entries say how long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// Version 1: they do not.
    Plain,
    /// Version 2: they do.
    Sized,
}

/// How an event stands in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLayout {
    /// Version 1: the event header lacks the number of parameters.
    pub old_header: bool,
    /// A word of flags stands before the event.
    pub flags: bool,
    /// The block may be longer than 64 KiB.
    pub large: bool,
}

const fn event(old_header: bool, flags: bool, large: bool) -> Kind {
    Kind::Event(EventLayout {
        old_header,
        flags,
        large,
    })
}

impl BlockCode {
    /// What blocks of this type hold.
    #[must_use]
    #[inline]
    pub const fn kind(self) -> Kind {
        match self.0 {
            EVENT => event(false, false, false),
            EVENT_FLAGS => event(false, true, false),
            0x204 | 0x8010_ABCD => event(true, false, false),
            0x208 => event(true, true, false),
            EVENT_LARGE => event(false, false, true),
            EVENT_FLAGS_LARGE => event(false, true, true),
            SECTION => Kind::Section,
            MACHINE | 0x8002_ABCD => Kind::Machine,
            0x202 | 0x8000_ABCD => Kind::Processes(1),
            0x207 | 0x8013_ABCD => Kind::Processes(2),
            0x209 | 0x8014_ABCD => Kind::Processes(3),
            0x210..=0x215 => Kind::Processes((self.0 - 0x210) as u8 + 4),
            0x203 | 0x8001_ABCD => Kind::Descriptors(Entries::Plain),
            DESCRIPTORS => Kind::Descriptors(Entries::Sized),
            0x205 | 0x8011_ABCD => Kind::Interfaces(Entries::Plain),
            INTERFACES => Kind::Interfaces(Entries::Sized),
            0x206 | 0x8012_ABCD => Kind::Users(Entries::Plain),
            USERS => Kind::Users(Entries::Sized),
            2 | 3 | 6 => Kind::Packets,
            _ => Kind::Unknown,
        }
    }
}

impl fmt::Display for BlockCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind() {
            Kind::Section => "section header",
            Kind::Machine => "machine",
            Kind::Processes(_) => "process list",
            Kind::Descriptors(_) => "descriptor list",
            Kind::Interfaces(_) => "interface list",
            Kind::Users(_) => "user list",
            Kind::Event(_) => "event",
            Kind::Packets => "packet",
            Kind::Unknown => "unknown",
        };
        write!(f, "{name} (0x{:x})", self.0)
    }
}
