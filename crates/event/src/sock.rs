//! Socket addresses as they stand inside parameters.
//!
//! Family byte first (Linux numbers). Ports are host order, addresses network order; the two
//! numbers of a Unix tuple are kernel socket pointers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Family byte of Unix sockets.
pub const AF_UNIX: u8 = 1;
/// Family byte of IPv4.
pub const AF_INET: u8 = 2;
/// Family byte of IPv6.
pub const AF_INET6: u8 = 10;

/// An address with its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// IPv4 or IPv6.
    pub ip: IpAddr,
    /// Host order.
    pub port: u16,
}

/// A parameter of type `SockAddr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SockAddr<'a> {
    /// IPv4 or IPv6.
    Inet(Endpoint),
    /// Path without its NUL.
    Unix(&'a [u8]),
    /// Any other family.
    Other(u8),
}

/// A parameter of type `SockTuple`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SockTuple<'a> {
    /// Both ends over IPv4 or IPv6.
    Inet {
        /// Where it comes from.
        source: Endpoint,
        /// Where it goes to.
        dest: Endpoint,
    },
    /// Both ends over a Unix socket.
    Unix {
        /// Kernel pointer of one end.
        source: u64,
        /// Kernel pointer of the other.
        dest: u64,
        /// Path without its NUL.
        path: &'a [u8],
    },
    /// Any other family.
    Other(u8),
}

fn v4(b: &[u8]) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::from(*b.first_chunk::<4>()?)))
}

fn v6(b: &[u8]) -> Option<IpAddr> {
    Some(IpAddr::V6(Ipv6Addr::from(*b.first_chunk::<16>()?)))
}

fn port(b: &[u8]) -> Option<u16> {
    b.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

fn pointer(b: &[u8]) -> Option<u64> {
    b.first_chunk::<8>().map(|b| u64::from_le_bytes(*b))
}

impl<'a> SockAddr<'a> {
    /// `None` when too short, or a Unix path without its final NUL.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let (&family, rest) = raw.split_first()?;
        match family {
            AF_INET => Some(Self::Inet(Endpoint {
                ip: v4(rest)?,
                port: port(rest.get(4..)?)?,
            })),
            AF_INET6 => Some(Self::Inet(Endpoint {
                ip: v6(rest)?,
                port: port(rest.get(16..)?)?,
            })),
            AF_UNIX => rest.strip_suffix(&[0]).map(Self::Unix),
            other => Some(Self::Other(other)),
        }
    }
}

impl<'a> SockTuple<'a> {
    /// `None` when too short, or a Unix path without its final NUL.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let (&family, rest) = raw.split_first()?;
        match family {
            AF_INET => Some(Self::Inet {
                source: Endpoint {
                    ip: v4(rest)?,
                    port: port(rest.get(4..)?)?,
                },
                dest: Endpoint {
                    ip: v4(rest.get(6..)?)?,
                    port: port(rest.get(10..)?)?,
                },
            }),
            AF_INET6 => Some(Self::Inet {
                source: Endpoint {
                    ip: v6(rest)?,
                    port: port(rest.get(16..)?)?,
                },
                dest: Endpoint {
                    ip: v6(rest.get(18..)?)?,
                    port: port(rest.get(34..)?)?,
                },
            }),
            AF_UNIX => {
                let path = rest.get(16..)?.strip_suffix(&[0])?;
                Some(Self::Unix {
                    source: pointer(rest)?,
                    dest: pointer(&rest[8..])?,
                    path,
                })
            }
            other => Some(Self::Other(other)),
        }
    }
}
