//! Constants: what a type makes of the text on the right side.
//!
//! Numbers are read as C's `scanf` does, because rules rely on it: leading white space, a sign, digits
//! and then nothing. 64-bit values stop at the type's end, 32-bit ones wrap around, smaller ones are
//! read as 32 bits and cut. So `-1` in an unsigned field is its highest value.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::compile_error::CompileErrorKind as Kind;
use crate::lexer::hex_byte;
use crate::pattern::Pattern;
use crate::schema::Schema;
use crate::value::Type;

/// Types that compare alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Text,
    Buffer,
    /// Width in bits.
    Signed(u8),
    /// Width in bits.
    Unsigned(u8),
    Double,
    Bool,
    Address,
    Network,
    /// No operator but `exists`.
    Opaque,
}

impl Family {
    pub(crate) const fn of(ty: Type) -> Self {
        match ty {
            Type::CharBuf | Type::Domain | Type::FsPath | Type::FsRelPath => Self::Text,
            Type::ByteBuf => Self::Buffer,
            Type::Int8 => Self::Signed(8),
            Type::Int16 => Self::Signed(16),
            Type::Int32 => Self::Signed(32),
            Type::Int64 | Type::Errno | Type::Fd | Type::Pid => Self::Signed(64),
            Type::Uint8
            | Type::SigType
            | Type::L4Proto
            | Type::SockFamily
            | Type::Flags8
            | Type::EnumFlags8 => Self::Unsigned(8),
            Type::Uint16 | Type::SyscallId | Type::Port | Type::Flags16 | Type::EnumFlags16 => {
                Self::Unsigned(16)
            }
            Type::Uint32 | Type::Flags32 | Type::EnumFlags32 | Type::Mode => Self::Unsigned(32),
            Type::Uint64 | Type::RelTime | Type::AbsTime => Self::Unsigned(64),
            Type::Double => Self::Double,
            Type::Bool => Self::Bool,
            Type::IpAddr | Type::Ipv4Addr | Type::Ipv6Addr => Self::Address,
            Type::IpNet => Self::Network,
            Type::Dynamic
            | Type::Uid
            | Type::Gid
            | Type::SigSet
            | Type::SockAddr
            | Type::SockTuple
            | Type::FdList => Self::Opaque,
        }
    }

    pub(crate) const fn is_numeric(self) -> bool {
        matches!(self, Self::Signed(_) | Self::Unsigned(_) | Self::Double)
    }
}

/// A network: an address with host bits off, and the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Network {
    V4 { address: u32, mask: u32 },
    V6 { address: u128, mask: u128 },
}

impl Network {
    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::V4 { address, mask }, IpAddr::V4(ip)) => ip.to_bits() & mask == address,
            (Self::V6 { address, mask }, IpAddr::V6(ip)) => ip.to_bits() & mask == address,
            _ => false,
        }
    }
}

/// A constant ready to compare with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Bytes(Box<[u8]>),
    /// As [`crate::domain::normal`] has it.
    Domain(Box<[u8]>),
    Signed(i64),
    Unsigned(u64),
    /// Doubles are compared with whole numbers only.
    Double(i32),
    Bool(bool),
    Address(IpAddr),
    Network(Network),
    Pattern(Arc<Pattern>),
}

impl Constant {
    /// An order that says nothing but is always the same. Those of one test are nearly always of one
    /// kind; what has no order of its own goes by its text.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bytes(own), Self::Bytes(other)) | (Self::Domain(own), Self::Domain(other)) => {
                own.cmp(other)
            }
            (Self::Signed(own), Self::Signed(other)) => own.cmp(other),
            (Self::Unsigned(own), Self::Unsigned(other)) => own.cmp(other),
            (Self::Double(own), Self::Double(other)) => own.cmp(other),
            (Self::Bool(own), Self::Bool(other)) => own.cmp(other),
            (Self::Address(own), Self::Address(other)) => own.cmp(other),
            _ => format!("{self:?}").cmp(&format!("{other:?}")),
        }
    }
}

/// Longest constant in bytes. The original's buffer holds 256 with a terminator.
const LONGEST: usize = 255;

/// Reads a constant for a field of this type.
pub(crate) fn read(bytes: &[u8], ty: Type, schema: &dyn Schema) -> Result<Constant, Kind> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let family = Family::of(ty);
    if bytes.len() > LONGEST {
        return Err(Kind::TooLong {
            length: bytes.len(),
            longest: LONGEST,
        });
    }
    if family != Family::Buffer && bytes.contains(&0) {
        return Err(Kind::Nul);
    }
    Ok(match family {
        Family::Text | Family::Buffer => Constant::Bytes(bytes.into()),
        Family::Unsigned(16) if ty == Type::Port => Constant::Unsigned(port(bytes, schema)?.into()),
        Family::Signed(width) => {
            let value = scan(bytes).ok_or_else(|| Kind::Number { value: shown() })?;
            Constant::Signed(match width {
                64 => value.signed(),
                32 => i64::from(value.signed() as i32),
                16 => i64::from(value.signed() as i16),
                _ => i64::from(value.signed() as i8),
            })
        }
        Family::Unsigned(width) => {
            let value = scan(bytes).ok_or_else(|| Kind::Number { value: shown() })?;
            Constant::Unsigned(match width {
                64 => value.unsigned(),
                32 => u64::from(value.unsigned() as u32),
                16 => u64::from(value.unsigned() as u16),
                _ => u64::from(value.unsigned() as u8),
            })
        }
        Family::Double => {
            let value = scan(bytes).ok_or_else(|| Kind::Number { value: shown() })?;
            Constant::Double(value.signed() as i32)
        }
        Family::Bool => match bytes {
            b"true" => Constant::Bool(true),
            b"false" => Constant::Bool(false),
            _ => return Err(Kind::Boolean { value: shown() }),
        },
        Family::Address => Constant::Address(address(bytes).map_err(|six| {
            if six {
                Kind::Ipv6 { value: shown() }
            } else {
                Kind::Ipv4 { value: shown() }
            }
        })?),
        Family::Network => Constant::Network(network(bytes)?),
        Family::Opaque => return Err(Kind::OpaqueType { ty }),
    })
}

/// Reads an even number of hexadecimal digits for `bcontains` and `bstartswith`.
pub(crate) fn read_hex(bytes: &[u8]) -> Result<Constant, Kind> {
    if bytes.len() > 2 * LONGEST {
        return Err(Kind::TooLong {
            length: bytes.len(),
            longest: 2 * LONGEST,
        });
    }
    let decoded: Option<Box<[u8]>> = bytes.chunks(2).map(hex_byte).collect();
    decoded.map(Constant::Bytes).ok_or(Kind::Hex)
}

/// Sign and magnitude; the magnitude stops at the highest 64-bit value.
struct Scanned {
    negative: bool,
    magnitude: u64,
}

impl Scanned {
    fn signed(&self) -> i64 {
        if self.negative {
            0_i64
                .checked_sub_unsigned(self.magnitude)
                .unwrap_or(i64::MIN)
        } else {
            i64::try_from(self.magnitude).unwrap_or(i64::MAX)
        }
    }

    /// What `strtoul` makes of it: a negative number wraps, one too large stops at the end.
    fn unsigned(&self) -> u64 {
        if self.negative && self.magnitude != u64::MAX {
            self.magnitude.wrapping_neg()
        } else {
            self.magnitude
        }
    }
}

fn scan(bytes: &[u8]) -> Option<Scanned> {
    let blanks = bytes
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let (negative, digits) = match &bytes[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut magnitude = 0_u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'));
    }
    Some(Scanned {
        negative,
        magnitude,
    })
}

fn port(bytes: &[u8], schema: &dyn Schema) -> Result<u16, Kind> {
    if bytes.iter().all(u8::is_ascii_digit) {
        return Ok(scan(bytes).map_or(0, |value| value.unsigned() as u16));
    }
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|name| schema.service_port(name))
        .ok_or_else(|| Kind::Service {
            name: String::from_utf8_lossy(bytes).into_owned(),
        })
}

/// The error says whether it was read as an IPv6 address.
fn address(bytes: &[u8]) -> Result<IpAddr, bool> {
    let text = std::str::from_utf8(bytes).unwrap_or("");
    if text.contains('.') {
        text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| false)
    } else {
        text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| true)
    }
}

fn network(bytes: &[u8]) -> Result<Network, Kind> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Some((ip, prefix)) = text.split_once('/') else {
        return Err(Kind::Network { value: text });
    };
    // The prefix is read as 8 bits before it is checked, so /264 is /8.
    let number = scan(prefix.as_bytes()).ok_or_else(|| Kind::Number {
        value: prefix.to_owned(),
    })?;
    let length = u32::from(number.unsigned() as u8);
    if text.contains('.') {
        let ip: Ipv4Addr = ip.parse().map_err(|_| Kind::Network {
            value: text.clone(),
        })?;
        if length > 32 {
            return Err(Kind::Netmask {
                prefix: prefix.to_owned(),
                longest: 32,
            });
        }
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        Ok(Network::V4 {
            address: ip.to_bits() & mask,
            mask,
        })
    } else {
        let ip: Ipv6Addr = ip.parse().map_err(|_| Kind::Network {
            value: text.clone(),
        })?;
        if length > 128 || length == 0 {
            return Err(Kind::Netmask {
                prefix: prefix.to_owned(),
                longest: 128,
            });
        }
        let mask = u128::MAX << (128 - length);
        Ok(Network::V6 {
            address: ip.to_bits() & mask,
            mask,
        })
    }
}
