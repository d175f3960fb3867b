//! An entry of a descriptor list.
//!
//! ```text
//! | length u32, version 2 only | fd i64 | ino u64 | kind u8 | what the kind needs |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use event::snapshot::{L4Proto, NamedKind, Target};
use event::sock::Endpoint;

use crate::blocks::Entries;
use crate::cursor::{Cursor, Fault, Order};

/// Longest name of a descriptor.
pub(crate) const MAX_NAME: u64 = 1023;
/// No entry's known part is longer.
pub(crate) const MAX_KNOWN: usize = 2 * 1024;

/// The kinds that have a name only, by their number.
pub(crate) const NAMED: [(u8, NamedKind); 14] = [
    (2, NamedKind::Directory),
    (7, NamedKind::Fifo),
    (9, NamedKind::EventFd),
    (10, NamedKind::Unsupported),
    (11, NamedKind::SignalFd),
    (12, NamedKind::EventPoll),
    (13, NamedKind::Inotify),
    (14, NamedKind::TimerFd),
    (15, NamedKind::Netlink),
    (17, NamedKind::Bpf),
    (18, NamedKind::UserFaultFd),
    (19, NamedKind::IoUring),
    (20, NamedKind::MemFd),
    (21, NamedKind::PidFd),
];

const LENGTH: &str = "length of a descriptor";

/// An entry, without the thread, which stands once before the list.
pub(crate) struct Entry<'a> {
    pub(crate) fd: i64,
    pub(crate) ino: u64,
    pub(crate) target: Target<'a>,
    /// Bytes that it takes.
    pub(crate) used: u64,
    /// Nothing after it can be read, because its length is unknown.
    pub(crate) last: bool,
}

/// Reads one entry from the head of `bytes`. `name` is room for a name made up.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    order: Order,
    entries: Entries,
    name: &'a mut Vec<u8>,
) -> Result<Entry<'a>, Fault> {
    let (bytes, length) = match entries {
        Entries::Plain => (bytes, None),
        Entries::Sized => {
            let length = Cursor::new(bytes, order).u32(LENGTH)? as usize;
            (bytes.get(..length).unwrap_or(bytes), Some(length))
        }
    };
    let mut c = Cursor::new(bytes, order);
    let read = fields(&mut c, length);
    let (fd, ino, target) = match (read, length) {
        (
            Err(Fault::Short {
                expected, found, ..
            }),
            Some(length),
        ) if bytes.len() == length => {
            let least = length as u64 + expected.saturating_sub(found);
            return Err(Fault::Small {
                what: LENGTH,
                least,
                found: length as u64,
            });
        }
        (read, _) => read?,
    };
    let used = length.map_or(c.at() as u64, |l| l as u64);
    Ok(match target {
        Ok(target) => Entry {
            fd,
            ino,
            target,
            used,
            last: false,
        },
        Err(Newer(kind)) => {
            name.clear();
            name.extend_from_slice(format!("unknown-type:[{kind}]").as_bytes());
            let target = Target::Named {
                kind: NamedKind::Unsupported,
                name,
            };
            Entry {
                fd,
                ino,
                target,
                used,
                last: length.is_none(),
            }
        }
    })
}

/// A kind that only newer writers know.
struct Newer(u8);

type Fields<'a> = (i64, u64, Result<Target<'a>, Newer>);

fn fields<'a>(c: &mut Cursor<'a>, length: Option<usize>) -> Result<Fields<'a>, Fault> {
    if length.is_some() {
        c.u32(LENGTH)?;
    }
    let fd = c.i64("descriptor number")?;
    let ino = c.u64("inode")?;
    let kind = c.u8("descriptor kind")?;
    Ok((fd, ino, target(c, kind, length)?.ok_or(Newer(kind))))
}

/// What follows the kind; `None` for a kind of a newer writer.
fn target<'a>(
    c: &mut Cursor<'a>,
    kind: u8,
    length: Option<usize>,
) -> Result<Option<Target<'a>>, Fault> {
    const NAME: &str = "length of a descriptor's name";
    Ok(Some(match kind {
        0 => Target::Unknown,
        1 => Target::OldFile {
            name: c.text(NAME, MAX_NAME)?,
        },
        3 | 4 => {
            let source = address(c, kind == 3)?;
            let dest = address(c, kind == 3)?;
            let source = Endpoint {
                ip: source,
                port: c.u16("port")?,
            };
            let dest = Endpoint {
                ip: dest,
                port: c.u16("port")?,
            };
            let l4 = L4Proto::from_code(c.u8("protocol")?);
            Target::Connection { source, dest, l4 }
        }
        5 | 6 => {
            let local = Endpoint {
                ip: address(c, kind == 5)?,
                port: c.u16("port")?,
            };
            Target::Server {
                local,
                l4: L4Proto::from_code(c.u8("protocol")?),
            }
        }
        8 => {
            let source = c.u64("source of a Unix socket")?;
            let dest = c.u64("destination of a Unix socket")?;
            Target::Unix {
                source,
                dest,
                name: c.text(NAME, MAX_NAME)?,
            }
        }
        16 => {
            let open_flags = c.u32("open flags")?;
            let name = c.text(NAME, MAX_NAME)?;
            let dev = match length {
                Some(length) if length - c.at() >= 4 => c.u32("device")?,
                _ => 0,
            };
            Target::File {
                name,
                open_flags,
                dev,
            }
        }
        _ => match NAMED.iter().find(|(code, _)| *code == kind) {
            Some(&(_, kind)) => Target::Named {
                kind,
                name: c.text(NAME, MAX_NAME)?,
            },
            None => return Ok(None),
        },
    }))
}

/// An address in network order.
pub(crate) fn address(c: &mut Cursor<'_>, v4: bool) -> Result<IpAddr, Fault> {
    const WHAT: &str = "address";
    if v4 {
        let mut octets = [0; 4];
        octets.copy_from_slice(c.take(WHAT, 4)?);
        Ok(IpAddr::V4(Ipv4Addr::from(octets)))
    } else {
        let mut octets = [0; 16];
        octets.copy_from_slice(c.take(WHAT, 16)?);
        Ok(IpAddr::V6(Ipv6Addr::from(octets)))
    }
}
