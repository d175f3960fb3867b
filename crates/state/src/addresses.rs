//! Addresses of sockets: their texts, IPv4 inside IPv6, and the machine's own.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use event::snapshot::{Interface, L4Proto};
use event::sock::{Endpoint, SockAddr};

use crate::descriptor::{Descriptor, SocketName};

fn write_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        // Four numbers by hand: formatting machinery costs more than the rest of a connect.
        IpAddr::V4(ip) => {
            for (i, byte) in ip.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                write_number(out, u16::from(byte));
            }
        }
        IpAddr::V6(ip) => write!(out, "{ip}").expect("a vector takes all"),
    }
}

fn write_number(out: &mut Vec<u8>, number: u16) {
    let mut digits = [0u8; 5];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `address:port`; IPv6 likewise, without brackets.
fn write_endpoint(out: &mut Vec<u8>, end: Endpoint, with_port: bool) {
    write_ip(out, end.ip);
    if with_port {
        out.push(b':');
        write_number(out, end.port);
    }
}

/// `source->dest`; protocols without ports show none over IPv4, an unknown one shows nothing at all
/// there.
pub(crate) fn write_tuple(out: &mut Vec<u8>, source: Endpoint, dest: Endpoint, l4: L4Proto) {
    if source.ip.is_ipv4() && l4 == L4Proto::Unknown {
        out.extend_from_slice(b"<unknown>");
        return;
    }
    let bare = source.ip.is_ipv4() && matches!(l4, L4Proto::Icmp | L4Proto::Raw);
    write_endpoint(out, source, !bare);
    out.extend_from_slice(b"->");
    write_endpoint(out, dest, !bare);
}

/// `source->dest path`, both ends in hexadecimal.
pub(crate) fn write_unix(out: &mut Vec<u8>, source: u64, dest: u64, path: &[u8]) {
    write_hex(out, source);
    out.extend_from_slice(b"->");
    write_hex(out, dest);
    out.push(b' ');
    out.extend_from_slice(path);
}

/// Whether [`write_unix`] would write this.
pub(crate) fn is_unix_name(name: &[u8], source: u64, dest: u64, path: &[u8]) -> bool {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    let (first, second) = (hex(source, &mut first), hex(dest, &mut second));
    let rest = name
        .strip_prefix(first)
        .and_then(|name| name.strip_prefix(b"->"));
    let rest = rest.and_then(|name| name.strip_prefix(second)?.strip_prefix(b" "));
    rest == Some(path)
}

fn write_hex(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(hex(number, &mut [0; 16]));
}

/// In hexadecimal, without leading zeros. (The formatter of the library takes ten times as long, and
/// every message on a socket names its ends.)
fn hex(number: u64, digits: &mut [u8; 16]) -> &[u8] {
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
        if left == 0 {
            return &digits[at..];
        }
    }
}

pub(crate) fn write_sockaddr(out: &mut Vec<u8>, address: &SockAddr<'_>) {
    match address {
        SockAddr::Inet(end) => write_endpoint(out, *end, true),
        SockAddr::Unix(path) => out.extend_from_slice(path),
        SockAddr::Other(family) => write!(out, "family {family}").expect("a vector takes all"),
    }
}

/// Gives an IP socket the name that its addresses make. Says whether it changed.
pub(crate) fn rename(d: &mut Descriptor, scratch: &mut Vec<u8>) -> bool {
    scratch.clear();
    match d.socket {
        SocketName::Tuple { source, dest } => write_tuple(scratch, source, dest, d.l4),
        SocketName::Local(local) => write_endpoint(scratch, local, true),
        SocketName::None | SocketName::Unix { .. } => return false,
    }
    let changed = d.name() != *scratch;
    d.set_name(scratch);
    changed
}

/// "Any", port 0, of the same family.
pub(crate) fn no_address(like: Endpoint) -> Endpoint {
    let ip = match like.ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Endpoint { ip, port: 0 }
}

/// The IPv4 address inside an IPv6 one. "Any" counts as mapped too.
fn mapped(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) if ip.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    }
}

/// Both ends as IPv4 if both are.
pub(crate) fn unmap_both(source: Endpoint, dest: Endpoint) -> (Endpoint, Endpoint) {
    match (mapped(source.ip), mapped(dest.ip)) {
        (Some(s), Some(d)) => (
            Endpoint {
                ip: s.into(),
                ..source
            },
            Endpoint {
                ip: d.into(),
                ..dest
            },
        ),
        _ => (source, dest),
    }
}

/// One end as IPv4 if it is.
pub(crate) fn unmap(end: Endpoint) -> Endpoint {
    mapped(end.ip).map_or(end, |ip| Endpoint {
        ip: ip.into(),
        ..end
    })
}

/// Where one end is "any", the machine's own address on the way to the other end.
pub(crate) fn fill_from_interfaces(
    interfaces: &[Interface],
    source: &mut Endpoint,
    dest: &mut Endpoint,
) {
    let (unknown, other) = if source.ip.is_unspecified() {
        (source, *dest)
    } else if dest.ip.is_unspecified() {
        (dest, *source)
    } else {
        return;
    };
    let Some(own) = own_address(interfaces, other.ip) else {
        return;
    };
    if own == other.ip && unknown.port == other.port {
        return;
    }
    unknown.ip = own;
}

/// The machine's address that talks to `peer`.
fn own_address(interfaces: &[Interface], peer: IpAddr) -> Option<IpAddr> {
    let of_family = || {
        interfaces
            .iter()
            .filter(|i| i.address.is_ipv4() == peer.is_ipv4())
    };
    let loopback = |ip: IpAddr| ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
    of_family()
        .find(|i| i.address == peer)
        .or_else(|| of_family().find(|i| same_network(i, peer)))
        .or_else(|| of_family().find(|i| !loopback(i.address)))
        .map(|i| i.address)
}

/// Whether an interface's network has the address.
pub(crate) fn same_network(interface: &Interface, ip: IpAddr) -> bool {
    match (interface.address, interface.netmask, ip) {
        (IpAddr::V4(a), IpAddr::V4(m), IpAddr::V4(b)) => {
            a.to_bits() & m.to_bits() == b.to_bits() & m.to_bits()
        }
        (IpAddr::V6(a), IpAddr::V6(m), IpAddr::V6(b)) => {
            a.to_bits() & m.to_bits() == b.to_bits() & m.to_bits()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unix_sockets() {
        for (source, dest) in [(0, 1), (0xffff_8881_0a0b_0c0d, 0x10), (u64::MAX, 0xabc)] {
            let mut name = Vec::new();
            write_unix(&mut name, source, dest, b"/run/a b");
            let wanted = format!("{source:x}->{dest:x} /run/a b");
            assert_eq!(String::from_utf8_lossy(&name), wanted);
            assert!(is_unix_name(&name, source, dest, b"/run/a b"));
            assert!(!is_unix_name(&name, source, dest, b"/run/a"));
            assert!(!is_unix_name(&name, dest, source, b"/run/a b"));
            assert!(!is_unix_name(b"/run/a b", source, dest, b"/run/a b"));
        }
    }

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint {
            ip: ip.parse().unwrap(),
            port,
        }
    }

    fn interface(address: &str, netmask: &str) -> Interface {
        Interface {
            name: b"i".to_vec(),
            address: address.parse().unwrap(),
            netmask: netmask.parse().unwrap(),
            broadcast: address.parse().unwrap(),
            link_speed: None,
        }
    }

    #[test]
    fn texts() {
        let text = |s, d, l4| {
            let mut out = Vec::new();
            write_tuple(&mut out, s, d, l4);
            String::from_utf8(out).unwrap()
        };
        let (a, b) = (end("10.0.20.255", 0), end("192.168.1.7", 65535));
        assert_eq!(text(a, b, L4Proto::Tcp), "10.0.20.255:0->192.168.1.7:65535");
        assert_eq!(text(a, b, L4Proto::Icmp), "10.0.20.255->192.168.1.7");
        assert_eq!(
            text(end("::1", 1), end("fe80::2", 2), L4Proto::Raw),
            "::1:1->fe80::2:2"
        );
        let mut out = Vec::new();
        write_unix(&mut out, 0xff, 0, b"/s");
        assert_eq!(out, b"ff->0 /s");
    }

    #[test]
    fn ipv4_inside_ipv6() {
        let (a, b) = unmap_both(end("::ffff:1.2.3.4", 1), end("::", 2));
        assert_eq!((a, b), (end("1.2.3.4", 1), end("0.0.0.0", 2)));
        let (a, _) = unmap_both(end("::ffff:1.2.3.4", 1), end("::5", 2));
        assert_eq!(a, end("::ffff:1.2.3.4", 1));
    }

    #[test]
    fn own_addresses() {
        let all = [
            interface("127.0.0.1", "255.0.0.0"),
            interface("10.0.0.2", "255.255.255.0"),
            interface("172.17.0.1", "255.255.0.0"),
        ];
        let fill = |peer: &str| {
            let (mut s, mut d) = (end("0.0.0.0", 5), end(peer, 80));
            fill_from_interfaces(&all, &mut s, &mut d);
            s.ip.to_string()
        };
        assert_eq!(fill("127.0.0.1"), "127.0.0.1");
        assert_eq!(fill("172.17.3.3"), "172.17.0.1");
        assert_eq!(fill("8.8.8.8"), "10.0.0.2");
    }
}
