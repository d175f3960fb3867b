//! Types of event parameters and how their integers print.

/// Type of a parameter; decides its width and its text.
///
/// Integers are little-endian. Zero bytes mean "absent" for every type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamType {
    /// Unused slot.
    None,
    /// 1 byte.
    Int8,
    /// 2 bytes.
    Int16,
    /// 4 bytes.
    Int32,
    /// 8 bytes.
    Int64,
    /// 1 byte.
    Uint8,
    /// 2 bytes.
    Uint16,
    /// 4 bytes.
    Uint32,
    /// 8 bytes.
    Uint64,
    /// Text with its terminating NUL.
    CharBuf,
    /// Raw bytes, as many as the snap length allowed.
    ByteBuf,
    /// 8 bytes, negative: an errno.
    Errno,
    /// Family byte and address, see [`crate::sock`].
    SockAddr,
    /// Family byte and both ends, see [`crate::sock`].
    SockTuple,
    /// 8 bytes, negative: an errno, -100: the current directory.
    Fd,
    /// 4 bytes, otherwise as [`ParamType::Fd`].
    Fd32,
    /// 8 bytes.
    Pid,
    /// 4 bytes.
    Pid32,
    /// u16 count, then count times (i64 descriptor, i16 poll flags).
    FdList,
    /// Path text with its NUL, relative to the current directory.
    FsPath,
    /// Path text with its NUL, relative to a directory descriptor in another parameter.
    FsRelPath,
    /// 2 bytes, index into [`crate::syscalls::SYSCALL_NAMES`].
    SyscallId,
    /// 1 byte, a signal number.
    SigType,
    /// 4 bytes, bit n is signal n+1.
    SigSet,
    /// 8 bytes, nanoseconds; all ones: none.
    RelTime,
    /// 8 bytes, nanoseconds since the epoch.
    AbsTime,
    /// 2 bytes, host order.
    Port,
    /// 1 byte, see the `L4_` constants of the capture format.
    L4Proto,
    /// 1 byte, an address family.
    SockFamily,
    /// 4 bytes.
    Bool,
    /// 4 bytes, network order.
    Ipv4Addr,
    /// 16 bytes, network order.
    Ipv6Addr,
    /// 4 or 16 bytes.
    IpAddr,
    /// Not used by any event.
    Ipv4Net,
    /// Not used by any event.
    Ipv6Net,
    /// Not used by any event.
    IpNet,
    /// 1 byte of flag bits.
    Flags8,
    /// 2 bytes of flag bits.
    Flags16,
    /// 4 bytes of flag bits.
    Flags32,
    /// 1 byte, one value of a table.
    EnumFlags8,
    /// 2 bytes, one value of a table.
    EnumFlags16,
    /// 4 bytes, one value of a table.
    EnumFlags32,
    /// 4 bytes, permission bits.
    Mode,
    /// 4 bytes, all ones: none.
    Uid,
    /// 4 bytes, all ones: none.
    Gid,
    /// 8 bytes.
    Double,
    /// NUL-separated texts.
    CharBufArray,
    /// NUL-separated pairs of texts.
    CharBufPairArray,
    /// Index byte, then a value of the variant's type.
    Dyn,
}

impl ParamType {
    /// Width in bytes of a present value, `None` where it varies.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        use ParamType as T;
        Some(match self {
            T::Int8 | T::Uint8 | T::SigType | T::L4Proto | T::SockFamily | T::Flags8 => 1,
            T::EnumFlags8 => 1,
            T::Int16 | T::Uint16 | T::SyscallId | T::Port | T::Flags16 | T::EnumFlags16 => 2,
            T::Int32 | T::Uint32 | T::Fd32 | T::Pid32 | T::SigSet | T::Bool | T::Ipv4Addr => 4,
            T::Flags32 | T::EnumFlags32 | T::Mode | T::Uid | T::Gid => 4,
            T::Int64 | T::Uint64 | T::Errno | T::Fd | T::Pid | T::RelTime | T::AbsTime => 8,
            T::Double => 8,
            T::Ipv6Addr => 16,
            _ => return None,
        })
    }

    /// Whether integers of this type are signed.
    #[must_use]
    pub const fn signed(self) -> bool {
        use ParamType as T;
        matches!(
            self,
            T::Int8
                | T::Int16
                | T::Int32
                | T::Int64
                | T::Errno
                | T::Fd
                | T::Fd32
                | T::Pid
                | T::Pid32
        )
    }
}

/// How an integer parameter prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Print {
    /// As the type says.
    None,
    /// Decimal.
    Dec,
    /// Upper-case hexadecimal without prefix.
    Hex,
    /// Octal with a leading 0.
    Oct,
}
