//! One open descriptor: what it refers to and what was learnt about it.

use event::constants as k;
pub use event::snapshot::L4Proto;
use event::sock::Endpoint;

/// What a descriptor refers to. The numbers are those of the capture format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
#[repr(u8)]
pub enum Kind {
    #[default]
    Unknown = 0,
    /// A file of which a recorder before 2017 kept no open flags.
    OldFile = 1,
    Directory = 2,
    Ipv4 = 3,
    Ipv6 = 4,
    Ipv4Server = 5,
    Ipv6Server = 6,
    Fifo = 7,
    Unix = 8,
    EventFd = 9,
    Unsupported = 10,
    SignalFd = 11,
    EventPoll = 12,
    Inotify = 13,
    TimerFd = 14,
    Netlink = 15,
    File = 16,
    Bpf = 17,
    UserFaultFd = 18,
    IoUring = 19,
    MemFd = 20,
    PidFd = 21,
}

impl Kind {
    /// The one letter of `fd.typechar`.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Unknown => b'o',
            Self::OldFile | Self::File => b'f',
            Self::Directory => b'd',
            Self::Ipv4 | Self::Ipv4Server => b'4',
            Self::Ipv6 | Self::Ipv6Server => b'6',
            Self::Fifo => b'p',
            Self::Unix | Self::UserFaultFd => b'u',
            Self::EventFd => b'e',
            Self::Unsupported => b'X',
            Self::SignalFd => b's',
            Self::EventPoll => b'l',
            Self::Inotify => b'i',
            Self::TimerFd => b't',
            Self::Netlink => b'n',
            Self::Bpf => b'b',
            Self::IoUring => b'r',
            Self::MemFd => b'm',
            Self::PidFd => b'P',
        }
    }

    /// `fd.type`; `None` where there is no word for it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown | Self::Unsupported => return None,
            Self::OldFile | Self::File => "file",
            Self::Directory => "directory",
            Self::Ipv4 | Self::Ipv4Server => "ipv4",
            Self::Ipv6 | Self::Ipv6Server => "ipv6",
            Self::Fifo => "pipe",
            Self::Unix => "unix",
            Self::UserFaultFd => "userfaultfd",
            Self::EventFd => "event",
            Self::SignalFd => "signalfd",
            Self::EventPoll => "eventpoll",
            Self::Inotify => "inotify",
            Self::TimerFd => "timerfd",
            Self::Netlink => "netlink",
            Self::Bpf => "bpf",
            Self::IoUring => "io_uring",
            Self::MemFd => "memfd",
            Self::PidFd => "pidfd",
        })
    }

    /// A regular file or something opened as one.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::OldFile | Self::File)
    }

    /// IPv4 or IPv6, connected or listening.
    #[must_use]
    pub const fn is_ip(self) -> bool {
        matches!(
            self,
            Self::Ipv4 | Self::Ipv6 | Self::Ipv4Server | Self::Ipv6Server
        )
    }

    /// A bound IPv4 or IPv6 socket.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::Ipv4Server | Self::Ipv6Server)
    }
}

bitflags::bitflags! {
    /// What was learnt about a descriptor.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DescriptorFlags: u16 {
        /// It was open when the capture began.
        const FROM_SNAPSHOT = 1;
        /// This side accepted the connection or listens.
        const SERVER = 2;
        /// This side made the connection.
        const CLIENT = 4;
        /// The socket is connected.
        const CONNECTED = 8;
        /// A connect is under way.
        const CONNECT_PENDING = 16;
        /// The last connect failed.
        const CONNECT_FAILED = 32;
        /// The file lies in an overlay's upper layer.
        const UPPER_LAYER = 64;
        /// The file lies in an overlay's lower layer.
        const LOWER_LAYER = 128;
    }
}

/// Addresses of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketName {
    /// Not a socket, or nothing known yet.
    #[default]
    None,
    /// Both ends; both are of the family that [`Kind`] says.
    Tuple {
        /// The side that connected, where the role is known.
        source: Endpoint,
        /// The other side.
        dest: Endpoint,
    },
    /// Where it listens.
    Local(Endpoint),
    /// Kernel pointers of a Unix socket's two ends.
    Unix {
        /// One end.
        source: u64,
        /// The other.
        dest: u64,
    },
}

/// An open descriptor.
#[derive(Clone, Debug, Default)]
pub struct Descriptor {
    /// What it refers to.
    pub kind: Kind,
    /// What was learnt about it.
    pub flags: DescriptorFlags,
    /// Protocol above IP.
    pub l4: L4Proto,
    /// `PPM_O_*` bits; for memfd, eventpoll and others their own creation bits.
    pub open_flags: u32,
    /// Device.
    pub dev: u32,
    /// Inode.
    pub ino: u64,
    /// Addresses of a socket.
    pub socket: SocketName,
    /// What the far end was called when it was connected to.
    pub(crate) named: Option<std::rc::Rc<crate::names::Named>>,
    /// Fields that plugins have added.
    pub(crate) extra: Option<Box<crate::outside::Extra>>,
    /// Name, then the raw name where it differs.
    text: Vec<u8>,
    name_end: u32,
    raw: Raw,
}

/// Where the raw name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Raw {
    #[default]
    None,
    AsName,
    AfterName,
}

/// Longest name that is kept: a path of the kernel's.
const NAME_MAX: usize = 4096;

impl Descriptor {
    /// A descriptor without a name.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// Its name: path, addresses, or empty (`fd.name`).
    #[must_use]
    #[inline]
    pub fn name(&self) -> &[u8] {
        &self.text[..self.name_end as usize]
    }

    /// The path as the caller gave it to open (`fd.nameraw`); empty for all others.
    #[must_use]
    pub fn name_raw(&self) -> &[u8] {
        match self.raw {
            Raw::None => b"",
            Raw::AsName => self.name(),
            Raw::AfterName => &self.text[self.name_end as usize..],
        }
    }

    /// Sets the name; there is no raw one.
    pub(crate) fn set_name(&mut self, name: &[u8]) {
        self.text.clear();
        self.text
            .extend_from_slice(&name[..name.len().min(NAME_MAX)]);
        self.name_end = self.text.len() as u32;
        self.raw = Raw::None;
    }

    /// Sets the name and the one that the caller gave.
    pub(crate) fn set_names(&mut self, name: &[u8], raw: &[u8]) {
        self.set_name(name);
        if name == raw {
            self.raw = Raw::AsName;
        } else {
            self.text.extend_from_slice(&raw[..raw.len().min(NAME_MAX)]);
            self.raw = Raw::AfterName;
        }
    }

    /// Empties it for a new use; the text keeps its memory unless that is large.
    pub(crate) fn clear(&mut self, kind: Kind) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        if text.capacity() > 512 {
            text = Vec::new();
        }
        *self = Self {
            kind,
            text,
            ..Self::default()
        };
    }

    /// The bit of `open_flags` that marks it to be closed by an exec.
    fn close_on_exec_bit(&self) -> u32 {
        match self.kind {
            Kind::EventPoll => k::EPOLL_CLOEXEC,
            Kind::MemFd => k::MFD_CLOEXEC,
            _ => k::O_CLOEXEC,
        }
    }

    /// Whether an exec closes it.
    #[must_use]
    pub fn closes_on_exec(&self) -> bool {
        self.open_flags & self.close_on_exec_bit() != 0
    }

    pub(crate) fn set_close_on_exec(&mut self, on: bool) {
        let bit = self.close_on_exec_bit();
        self.open_flags = if on {
            self.open_flags | bit
        } else {
            self.open_flags & !bit
        };
    }

    /// This side accepted the connection, or listens.
    #[must_use]
    pub fn is_role_server(&self) -> bool {
        self.flags.contains(DescriptorFlags::SERVER)
    }

    /// This side made the connection.
    #[must_use]
    pub fn is_role_client(&self) -> bool {
        self.flags.contains(DescriptorFlags::CLIENT)
    }

    /// Neither side is known to be the client.
    #[must_use]
    pub fn has_no_role(&self) -> bool {
        !self
            .flags
            .intersects(DescriptorFlags::CLIENT | DescriptorFlags::SERVER)
    }

    /// Source end of a connected IP socket.
    #[must_use]
    pub fn source(&self) -> Option<Endpoint> {
        match self.socket {
            SocketName::Tuple { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Destination end of a connected IP socket.
    #[must_use]
    pub fn dest(&self) -> Option<Endpoint> {
        match self.socket {
            SocketName::Tuple { dest, .. } => Some(dest),
            _ => None,
        }
    }

    /// Where a server socket listens.
    #[must_use]
    pub fn local(&self) -> Option<Endpoint> {
        match self.socket {
            SocketName::Local(local) => Some(local),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let mut d = Descriptor::new(Kind::File);
        assert_eq!((d.name(), d.name_raw()), (&b""[..], &b""[..]));
        d.set_names(b"/tmp/a", b"a");
        assert_eq!((d.name(), d.name_raw()), (&b"/tmp/a"[..], &b"a"[..]));
        d.set_names(b"/tmp/a", b"");
        assert_eq!((d.name(), d.name_raw()), (&b"/tmp/a"[..], &b""[..]));
        d.set_name(b"/b");
        assert_eq!((d.name(), d.name_raw()), (&b"/b"[..], &b""[..]));
        d.set_names(b"/b", b"/b");
        assert_eq!((d.name(), d.name_raw()), (&b"/b"[..], &b"/b"[..]));
        d.clear(Kind::Fifo);
        assert_eq!((d.kind, d.name()), (Kind::Fifo, &b""[..]));
    }

    #[test]
    fn endless_names_are_cut() {
        let mut d = Descriptor::new(Kind::File);
        d.set_names(&[b'x'; 70_000], &[b'y'; 70_000]);
        assert_eq!((d.name().len(), d.name_raw().len()), (NAME_MAX, NAME_MAX));
    }
}
