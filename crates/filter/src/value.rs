//! Types and values of fields.

use std::net::IpAddr;

/// Type of a field, named as the field listings name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the listings")]
pub enum Type {
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    CharBuf,
    /// A name of the domain name system, in lower case: see [`crate::domain`].
    Domain,
    ByteBuf,
    Errno,
    Fd,
    Pid,
    FsPath,
    FsRelPath,
    SyscallId,
    SigType,
    RelTime,
    AbsTime,
    Port,
    L4Proto,
    SockFamily,
    Bool,
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    IpNet,
    Dynamic,
    Flags8,
    Flags16,
    Flags32,
    EnumFlags8,
    EnumFlags16,
    EnumFlags32,
    Mode,
    Uid,
    Gid,
    SigSet,
    Double,
    SockAddr,
    SockTuple,
    FdList,
}

impl Type {
    /// The listing's name, such as `CHARBUF`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::CharBuf => "CHARBUF",
            Self::Domain => "DOMAIN",
            Self::ByteBuf => "BYTEBUF",
            Self::Errno => "ERRNO",
            Self::Fd => "FD",
            Self::Pid => "PID",
            Self::FsPath => "FSPATH",
            Self::FsRelPath => "FSRELPATH",
            Self::SyscallId => "SYSCALLID",
            Self::SigType => "SIGTYPE",
            Self::RelTime => "RELTIME",
            Self::AbsTime => "ABSTIME",
            Self::Port => "PORT",
            Self::L4Proto => "L4PROTO",
            Self::SockFamily => "SOCKFAMILY",
            Self::Bool => "BOOL",
            Self::IpAddr => "IPADDR",
            Self::Ipv4Addr => "IPV4ADDR",
            Self::Ipv6Addr => "IPV6ADDR",
            Self::IpNet => "IPNET",
            Self::Dynamic => "DYNAMIC",
            Self::Flags8 => "FLAGS8",
            Self::Flags16 => "FLAGS16",
            Self::Flags32 => "FLAGS32",
            Self::EnumFlags8 => "ENUMFLAGS8",
            Self::EnumFlags16 => "ENUMFLAGS16",
            Self::EnumFlags32 => "ENUMFLAGS32",
            Self::Mode => "MODE",
            Self::Uid => "UID",
            Self::Gid => "GID",
            Self::SigSet => "SIGSET",
            Self::Double => "DOUBLE",
            Self::SockAddr => "SOCKADDR",
            Self::SockTuple => "SOCKTUPLE",
            Self::FdList => "FDLIST",
        }
    }
}

/// A value taken from an event; it borrows from the event, the state or the scratch arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Signed integers of any width.
    Signed(i64),
    /// Unsigned integers of any width: ports, flags, times in nanoseconds.
    Unsigned(u64),
    /// Floating point.
    Double(f64),
    /// Truth.
    Bool(bool),
    /// Texts, paths and buffers; any bytes may be in them.
    Bytes(&'a [u8]),
    /// An address, also the left side of a network comparison.
    Ip(IpAddr),
    /// Several values of one type.
    List(&'a [Value<'a>]),
}
