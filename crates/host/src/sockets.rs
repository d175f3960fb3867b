//! Sockets by inode, from the tables in `/proc/PID/net`, which are one per network namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use event::snapshot::{L4Proto, NamedKind, Target};
use event::sock::Endpoint;
use rustc_hash::FxHashMap;

use crate::read::{hex, number, words};

enum Socket {
    Inet {
        local: Endpoint,
        remote: Option<Endpoint>,
        l4: L4Proto,
    },
    Unix {
        id: u64,
        name: Vec<u8>,
    },
    Netlink,
}

/// The tables of all namespaces met so far.
#[derive(Default)]
pub(crate) struct Sockets {
    namespaces: FxHashMap<Vec<u8>, FxHashMap<u64, Socket>>,
}

impl Sockets {
    /// The socket with this inode, as the process with this directory in this network namespace has
    /// it.
    pub(crate) fn find(&mut self, dir: &Path, namespace: &[u8], ino: u64) -> Option<Target<'_>> {
        if !self.namespaces.contains_key(namespace) {
            let tables = tables(&dir.join("net"));
            self.namespaces.insert(namespace.to_vec(), tables);
        }
        let table = self.namespaces.get(namespace)?;
        Some(match table.get(&ino)? {
            Socket::Inet {
                local,
                remote: Some(dest),
                l4,
            } => Target::Connection {
                source: *local,
                dest: *dest,
                l4: *l4,
            },
            Socket::Inet {
                local,
                remote: None,
                l4,
            } => Target::Server {
                local: *local,
                l4: *l4,
            },
            Socket::Unix { id, name } => Target::Unix {
                source: *id,
                dest: 0,
                name,
            },
            Socket::Netlink => Target::Named {
                kind: NamedKind::Netlink,
                name: b"",
            },
        })
    }
}

fn tables(net: &Path) -> FxHashMap<u64, Socket> {
    let mut found = FxHashMap::default();
    let file = |name: &str| std::fs::read(net.join(name)).unwrap_or_default();
    for (name, l4) in [
        ("tcp", L4Proto::Tcp),
        ("tcp6", L4Proto::Tcp),
        ("udp", L4Proto::Udp),
        ("udp6", L4Proto::Udp),
        ("raw", L4Proto::Raw),
        ("raw6", L4Proto::Raw),
    ] {
        let text = file(name);
        found.extend(
            text.split(|&b| b == b'\n')
                .skip(1)
                .filter_map(|line| inet(line, l4)),
        );
    }
    found.extend(file("unix").split(|&b| b == b'\n').skip(1).filter_map(unix));
    found.extend(
        file("netlink")
            .split(|&b| b == b'\n')
            .skip(1)
            .filter_map(|line| Some((number(words(line).last()?)?, Socket::Netlink))),
    );
    found
}

/// `sl: LOCAL:PORT REMOTE:PORT st tx:rx tr:when retr uid timeout INODE ..`
fn inet(line: &[u8], l4: L4Proto) -> Option<(u64, Socket)> {
    let mut fields = words(line).skip(1);
    let local = endpoint(fields.next()?)?;
    let remote = endpoint(fields.next()?)?;
    let ino = number(fields.nth(6)?)?;
    let remote = (!remote.ip.is_unspecified()).then_some(remote);
    Some((ino, Socket::Inet { local, remote, l4 }))
}

/// Words of the address in hexadecimal, each in the machine's byte order, then the port.
fn endpoint(text: &[u8]) -> Option<Endpoint> {
    let colon = memchr::memchr(b':', text)?;
    let (address, port) = (&text[..colon], hex(&text[colon + 1..])?);
    let word = |i: usize| {
        let digits = address.get(i * 8..i * 8 + 8)?;
        Some(u32::try_from(hex(digits)?).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (i, chunk) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *chunk = word(i)?;
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(Endpoint {
        ip,
        port: u16::try_from(port).ok()?,
    })
}

/// `NUM: refcount protocol flags type st INODE [PATH]`
fn unix(line: &[u8]) -> Option<(u64, Socket)> {
    let mut fields = words(line);
    let id = hex(fields.next()?.strip_suffix(b":")?)?;
    let ino = number(fields.nth(5)?)?;
    let name = fields.next().unwrap_or_default().to_vec();
    Some((ino, Socket::Unix { id, name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_tables() {
        let line = b"   1: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  0 0 4711 1 0";
        let (ino, socket) = inet(line, L4Proto::Tcp).unwrap();
        assert_eq!(ino, 4711);
        let Socket::Inet { local, remote, .. } = socket else {
            panic!()
        };
        assert_eq!(
            (local.ip.to_string().as_str(), local.port),
            ("127.0.0.1", 8080)
        );
        assert_eq!(remote.unwrap().port, 50000);
        let listening = b"0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 99 1";
        let (ino, socket) = inet(listening, L4Proto::Tcp).unwrap();
        let Socket::Inet {
            local,
            remote: None,
            ..
        } = socket
        else {
            panic!()
        };
        assert_eq!((ino, local.ip.to_string().as_str()), (99, "::1"));
        let (ino, socket) =
            unix(b"0000000000000abc: 00000002 0 00010000 0001 01 17 /run/x.sock").unwrap();
        let Socket::Unix { id: 0xabc, name } = socket else {
            panic!()
        };
        assert_eq!((ino, name.as_slice()), (17, b"/run/x.sock".as_slice()));
        assert!(inet(b"", L4Proto::Tcp).is_none() && unix(b"x: y").is_none());
    }
}
