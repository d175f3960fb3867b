//! IP sockets over netlink (sock_diag): some hundred bytes of text less for each to write and read.
//!
//! A netlink socket sees the namespace that it was made in, so this serves our own one only. Where
//! the kernel lacks it, the texts in `/proc` have the same.
//!
//! ```text
//! message    | length u32 | type u16 | flags u16 | sequence u32 | port u32 |
//! request    | family u8 | protocol u8 | extensions u8 | 0 | states u32 | id 48 |
//! answer     | family u8 | state u8 | timer u8 | retransmits u8 | id 48 | expires, queues, uid: 16 | inode u32 |
//! id         | source port, destination port: u16 big-endian | source 16 | destination 16 | interface u32 | cookie 8 |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use event::snapshot::L4Proto;
use event::sock::Endpoint;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::sockets::{Socket, Table};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;
const RAW: u8 = 255;

/// `SOCK_DIAG_BY_FAMILY`
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEAD: usize = 16;
/// Bytes of an answer up to the end of its inode.
const ANSWER: usize = 72;
/// Messages after which a dump that does not end is given up: each is some kilobytes.
const MOST: usize = 100_000;

/// Whether this is the namespace that we are in.
pub(crate) fn own_namespace(namespace: &[u8]) -> bool {
    let own = crate::read::link(std::path::Path::new("/proc/self/ns/net"));
    !own.is_empty() && own == namespace
}

/// All IP sockets of our namespace; `None` if the kernel does not tell.
pub(crate) fn sockets() -> Option<Table> {
    let flags = SocketFlags::CLOEXEC;
    let kind = SocketType::DGRAM;
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, kind, flags, protocol).ok()?;
    let mut found = Table::default();
    for (protocol, l4) in [
        (TCP, L4Proto::Tcp),
        (UDP, L4Proto::Udp),
        (RAW, L4Proto::Raw),
    ] {
        for family in [AF_INET, AF_INET6] {
            match dump(&socket, family, protocol, l4, &mut found) {
                Some(()) => {}
                // Raw sockets can be asked for since 4.10 only, and their module may not be there;
                // few programs have one.
                None if protocol == RAW => {}
                None => return None,
            }
        }
    }
    Some(found)
}

fn dump(socket: &OwnedFd, family: u8, protocol: u8, l4: L4Proto, out: &mut Table) -> Option<()> {
    let mut request = [0_u8; HEAD + 56];
    let length = request.len() as u32;
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    request[HEAD] = family;
    request[HEAD + 1] = protocol;
    // All states.
    request[HEAD + 4..HEAD + 8].copy_from_slice(&u32::MAX.to_ne_bytes());
    rustix::net::send(socket, &request, SendFlags::empty()).ok()?;
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..MOST {
        let (got, _) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()).ok()?;
        match messages(&buffer[..got], l4, out) {
            Progress::More => {}
            Progress::Done => return Some(()),
            Progress::Refused => return None,
        }
    }
    None
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    More,
    Done,
    Refused,
}

/// Takes in the messages of one datagram.
fn messages(mut bytes: &[u8], l4: L4Proto, out: &mut Table) -> Progress {
    while let Some(head) = bytes.first_chunk::<HEAD>() {
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(message) = bytes.get(HEAD..length) else {
            return Progress::Refused;
        };
        match u16::from_ne_bytes([head[4], head[5]]) {
            NLMSG_DONE => return Progress::Done,
            NLMSG_ERROR => return Progress::Refused,
            _ => out.extend(answer(message, l4)),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Progress::More
}

fn answer(message: &[u8], l4: L4Proto) -> Option<(u64, Socket)> {
    let message = message.first_chunk::<ANSWER>()?;
    let end = |port: usize, address: usize| -> Option<Endpoint> {
        let address: &[u8; 16] = message[address..].first_chunk()?;
        let ip = match message[0] {
            AF_INET => IpAddr::V4(Ipv4Addr::from(*address.first_chunk::<4>()?)),
            AF_INET6 => IpAddr::V6(Ipv6Addr::from(*address)),
            _ => return None,
        };
        let port = u16::from_be_bytes([message[port], message[port + 1]]);
        Some(Endpoint { ip, port })
    };
    let (local, remote) = (end(4, 8)?, end(6, 24)?);
    let ino = u32::from_ne_bytes(*message[68..].first_chunk()?);
    let remote = (!remote.ip.is_unspecified()).then_some(remote);
    // Connections that nobody holds any more have none.
    (ino != 0).then_some((u64::from(ino), Socket::Inet { local, remote, l4 }))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    fn inode(socket: &impl AsFd) -> u64 {
        rustix::fs::fstat(socket).unwrap().st_ino
    }

    #[test]
    fn sockets_of_our_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let client = TcpStream::connect(at).unwrap();
        let udp = UdpSocket::bind("[::1]:0");
        let Some(found) = sockets() else {
            eprintln!("left out: this kernel has no sock_diag");
            return;
        };
        let Some(Socket::Inet { local, remote, l4 }) = found.get(&inode(&listener)) else {
            panic!("the listener is not among {}", found.len())
        };
        assert_eq!((local.ip, local.port), (at.ip(), at.port()));
        assert_eq!((remote, *l4), (&None, L4Proto::Tcp));
        let Some(Socket::Inet {
            remote: Some(remote),
            ..
        }) = found.get(&inode(&client))
        else {
            panic!("the client is not there")
        };
        assert_eq!((remote.ip, remote.port), (at.ip(), at.port()));
        if let Ok(udp) = udp {
            let Some(Socket::Inet { local, l4, .. }) = found.get(&inode(&udp)) else {
                panic!("the datagram socket is not there")
            };
            assert_eq!(local.port, udp.local_addr().unwrap().port());
            assert_eq!(*l4, L4Proto::Udp);
        }
    }

    #[test]
    fn damaged_answers_are_no_fault() {
        let mut message = vec![0_u8; HEAD + ANSWER];
        let length = message.len() as u32;
        message[..4].copy_from_slice(&length.to_ne_bytes());
        message[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        message[HEAD] = AF_INET;
        message[HEAD + 68] = 9;
        let mut out = Table::default();
        assert_eq!(messages(&message, L4Proto::Tcp, &mut out), Progress::More);
        assert!(out.contains_key(&9));
        for at in 0..message.len() {
            messages(&message[..at], L4Proto::Tcp, &mut out);
            let mut damaged = message.clone();
            damaged[at] ^= 0xff;
            messages(&damaged, L4Proto::Tcp, &mut out);
        }
        // A length of 0 must not go round for ever.
        assert_eq!(
            messages(&[0; 64], L4Proto::Tcp, &mut out),
            Progress::Refused
        );
    }
}
