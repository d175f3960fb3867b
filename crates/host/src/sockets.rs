//! Sockets by inode, from the kernel's tables, which are one per network namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use event::snapshot::{L4Proto, NamedKind, Target};
use event::sock::Endpoint;
use rustc_hash::FxHashMap;

use crate::diag;
use crate::read::{hex, number, words};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
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

/// Sockets of one network namespace, by inode.
pub(crate) type Table = FxHashMap<u64, Socket>;

/// How long a table may be used: reading one takes the kernel some milliseconds, whatever is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freshness {
    /// As long as the scan takes.
    Scan,
    /// For so long; for a socket that is not in it, a hundredth of that.
    For(Duration),
}

impl Freshness {
    fn covers(self, age: Duration, found: bool) -> bool {
        match self {
            Self::Scan => true,
            Self::For(time) => age < if found { time } else { time / 100 },
        }
    }
}

#[derive(Clone)]
struct Read {
    at: Instant,
    table: Arc<Table>,
}

/// The tables of all namespaces met so far, for all threads of a scan.
pub(crate) struct Tables {
    freshness: Freshness,
    read: Mutex<FxHashMap<Vec<u8>, Read>>,
}

impl Tables {
    pub(crate) fn new(freshness: Freshness) -> Arc<Self> {
        Arc::new(Self {
            freshness,
            read: Mutex::default(),
        })
    }

    /// The table of a namespace, which is that of the process with this directory; read anew unless
    /// it `is` good. Who else wants one waits meanwhile: it may be the same.
    fn of(&self, dir: &Path, namespace: &[u8], is_good: impl Fn(&Read) -> bool) -> Read {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = read.get(namespace).filter(|found| is_good(found)) {
            return found.clone();
        }
        // Namespaces come and go with containers.
        if read.len() >= 1024 {
            read.clear();
        }
        let found = Read {
            at: Instant::now(),
            table: Arc::new(table(dir, namespace)),
        };
        read.insert(namespace.to_vec(), found.clone());
        found
    }
}

/// Sockets as one thread of a scan looks them up.
pub(crate) struct Sockets {
    tables: Arc<Tables>,
    /// The namespace of the last one.
    last: Option<(Vec<u8>, Read)>,
}

impl Sockets {
    pub(crate) fn new(tables: &Arc<Tables>) -> Self {
        Self {
            tables: Arc::clone(tables),
            last: None,
        }
    }

    /// The socket with this inode, as the process with this directory in this network namespace has
    /// it.
    pub(crate) fn find(&mut self, dir: &Path, namespace: &[u8], ino: u64) -> Option<Target<'_>> {
        let freshness = self.tables.freshness;
        let is_good = |read: &Read| {
            let found = read.table.contains_key(&ino);
            freshness.covers(read.at.elapsed(), found)
        };
        let last = self
            .last
            .take()
            .filter(|(of, read)| of == namespace && is_good(read));
        let last = last.unwrap_or_else(|| {
            let read = self.tables.of(dir, namespace, is_good);
            (namespace.to_vec(), read)
        });
        let (_, read) = self.last.insert(last);
        Some(match read.table.get(&ino)? {
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

/// IP sockets as the kernel tells over netlink where it is our own namespace, otherwise from the
/// text that `/proc` has of them; the others from there always.
fn table(dir: &Path, namespace: &[u8]) -> Table {
    let net = dir.join("net");
    let mut found = match diag::own_namespace(namespace).then(diag::sockets).flatten() {
        Some(found) => found,
        None => inet_texts(&net),
    };
    let file = |name: &str| std::fs::read(net.join(name)).unwrap_or_default();
    found.extend(file("unix").split(|&b| b == b'\n').skip(1).filter_map(unix));
    found.extend(
        file("netlink")
            .split(|&b| b == b'\n')
            .skip(1)
            .filter_map(|line| Some((number(words(line).last()?)?, Socket::Netlink))),
    );
    found
}

fn inet_texts(net: &Path) -> Table {
    let mut found = Table::default();
    for (name, l4) in [
        ("tcp", L4Proto::Tcp),
        ("tcp6", L4Proto::Tcp),
        ("udp", L4Proto::Udp),
        ("udp6", L4Proto::Udp),
        ("raw", L4Proto::Raw),
        ("raw6", L4Proto::Raw),
    ] {
        let text = std::fs::read(net.join(name)).unwrap_or_default();
        found.extend(
            text.split(|&b| b == b'\n')
                .skip(1)
                .filter_map(|line| inet(line, l4)),
        );
    }
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
