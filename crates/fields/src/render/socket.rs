//! Socket addresses as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use event::sock::Endpoint;
use event::{SockAddr, SockTuple};

use super::{Out, number};

/// An address in its canonical form.
pub fn ip(address: IpAddr, out: &mut Out<'_>) {
    match address {
        IpAddr::V4(v4) => ipv4(v4, out),
        IpAddr::V6(v6) => ipv6(v6, out),
    }
}

fn ipv4(address: Ipv4Addr, out: &mut Out<'_>) {
    for (i, octet) in address.octets().into_iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        number::unsigned(u64::from(octet), out);
    }
}

fn ipv6(address: Ipv6Addr, out: &mut Out<'_>) {
    use std::io::Write;
    let mut text = [0u8; 48];
    let mut rest = &mut text[..];
    // `Ipv6Addr` writes what inet_ntop writes, the embedded IPv4 form of `::a.b.c.d` aside.
    let segments = address.segments();
    let compatible = segments[..6] == [0; 6] && segments[6] != 0;
    if compatible {
        out.extend_from_slice(b"::");
        let low = u32::from(segments[6]) << 16 | u32::from(segments[7]);
        return ipv4(Ipv4Addr::from(low), out);
    }
    if write!(rest, "{address}").is_ok() {
        let left = rest.len();
        out.extend_from_slice(&text[..text.len() - left]);
    }
}

/// `ADDRESS:PORT`, IPv6 without brackets.
pub fn endpoint(end: Endpoint, out: &mut Out<'_>) {
    ip(end.ip, out);
    out.push(b':');
    number::unsigned(u64::from(end.port), out);
}

/// A parameter of type `SockAddr`.
pub fn address(raw: &[u8], out: &mut Out<'_>) {
    match SockAddr::parse(raw) {
        Some(SockAddr::Inet(end)) => endpoint(end, out),
        Some(SockAddr::Unix(path)) => out.extend_from_slice(until_nul(path)),
        Some(SockAddr::Other(family)) => other(family, out),
        None => out.extend_from_slice(b"<NA>"),
    }
}

/// A parameter of type `SockTuple`.
pub fn tuple(raw: &[u8], out: &mut Out<'_>) {
    match SockTuple::parse(raw) {
        Some(SockTuple::Inet { source, dest }) => {
            let (source, dest) = unmapped(source, dest);
            endpoint(source, out);
            out.extend_from_slice(b"->");
            endpoint(dest, out);
        }
        Some(SockTuple::Unix { source, dest, path }) => {
            number::hex_lower(source, out);
            out.extend_from_slice(b"->");
            number::hex_lower(dest, out);
            out.push(b' ');
            out.extend_from_slice(until_nul(path));
        }
        Some(SockTuple::Other(family)) => other(family, out),
        None => out.extend_from_slice(b"NULL"),
    }
}

/// Both ends as IPv4 where both are IPv4 mapped into IPv6; "any" counts as mapped.
#[must_use]
pub fn unmapped(source: Endpoint, dest: Endpoint) -> (Endpoint, Endpoint) {
    let v4 = |end: Endpoint| match end.ip {
        IpAddr::V6(v6) if v6.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let with = |ip: Ipv4Addr, end: Endpoint| Endpoint {
        ip: IpAddr::V4(ip),
        port: end.port,
    };
    match (v4(source), v4(dest)) {
        (Some(a), Some(b)) => (with(a, source), with(b, dest)),
        _ => (source, dest),
    }
}

fn other(family: u8, out: &mut Out<'_>) {
    out.extend_from_slice(b"family ");
    number::unsigned(u64::from(family), out);
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&b| b == 0).next().unwrap_or(text)
}
