//! Fields of descriptors.
//!
//! Addresses are numbers as they lie in memory on Linux: an IPv4 address in network order, the two halves of an IPv6
//! address likewise, ports in the host's order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use event::sock::Endpoint;

use super::{Cell, Extra};
use crate::descriptor::{Descriptor, DescriptorFlags, Kind, L4Proto, SocketName};
use crate::state::State;
use crate::thread::ThreadIx;

/// A field of descriptors. Of the socket's fields, those that do not fit its kind are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in `Descriptor`")]
pub enum FdField {
    Kind,
    OpenFlags,
    Name,
    NameRaw,
    /// Names of before are not kept: always empty, read only.
    OldName,
    Flags,
    Dev,
    /// Not known: always 0, read only.
    MountId,
    Ino,
    /// Of the thread; read only.
    Pid,
    /// Its number; read only.
    Fd,
    Ipv4SourceIp,
    Ipv4DestIp,
    Ipv4SourcePort,
    Ipv4DestPort,
    Ipv4L4,
    Ipv6SourceLow,
    Ipv6SourceHigh,
    Ipv6DestLow,
    Ipv6DestHigh,
    Ipv6SourcePort,
    Ipv6DestPort,
    Ipv6L4,
    Ipv4ServerIp,
    Ipv4ServerPort,
    Ipv4ServerL4,
    Ipv6ServerLow,
    Ipv6ServerHigh,
    Ipv6ServerPort,
    Ipv6ServerL4,
    UnixSource,
    UnixDest,
}

/// Which end of a socket a field is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Dest,
    Local,
}

/// Which part of an address a field is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Low,
    High,
    Port,
}

impl FdField {
    /// Family, end and part of the fields that are part of an address; `true`: IPv6.
    fn address(self) -> Option<(bool, End, Part)> {
        Some(match self {
            Self::Ipv4SourceIp => (false, End::Source, Part::Whole),
            Self::Ipv4DestIp => (false, End::Dest, Part::Whole),
            Self::Ipv4SourcePort => (false, End::Source, Part::Port),
            Self::Ipv4DestPort => (false, End::Dest, Part::Port),
            Self::Ipv4ServerIp => (false, End::Local, Part::Whole),
            Self::Ipv4ServerPort => (false, End::Local, Part::Port),
            Self::Ipv6SourceLow => (true, End::Source, Part::Low),
            Self::Ipv6SourceHigh => (true, End::Source, Part::High),
            Self::Ipv6DestLow => (true, End::Dest, Part::Low),
            Self::Ipv6DestHigh => (true, End::Dest, Part::High),
            Self::Ipv6SourcePort => (true, End::Source, Part::Port),
            Self::Ipv6DestPort => (true, End::Dest, Part::Port),
            Self::Ipv6ServerLow => (true, End::Local, Part::Low),
            Self::Ipv6ServerHigh => (true, End::Local, Part::High),
            Self::Ipv6ServerPort => (true, End::Local, Part::Port),
            _ => return None,
        })
    }
}

fn part(endpoint: Endpoint, six: bool, part: Part) -> u64 {
    match (endpoint.ip, six, part) {
        (IpAddr::V4(_), false, Part::Port) | (IpAddr::V6(_), true, Part::Port) => {
            endpoint.port.into()
        }
        (IpAddr::V4(ip), false, _) => u32::from_ne_bytes(ip.octets()).into(),
        (IpAddr::V6(ip), true, part) => {
            let octets = ip.octets();
            let half = if part == Part::High {
                &octets[8..]
            } else {
                &octets[..8]
            };
            half.try_into().map_or(0, u64::from_ne_bytes)
        }
        _ => 0,
    }
}

fn set_part(endpoint: &mut Endpoint, six: bool, part: Part, number: u64) {
    match (&mut endpoint.ip, part) {
        (_, Part::Port) => endpoint.port = number as u16,
        (IpAddr::V4(ip), _) if !six => *ip = Ipv4Addr::from((number as u32).to_ne_bytes()),
        (IpAddr::V6(ip), part) if six => {
            let mut octets = ip.octets();
            let half = if part == Part::High { 8..16 } else { 0..8 };
            octets[half].copy_from_slice(&number.to_ne_bytes());
            *ip = Ipv6Addr::from(octets);
        }
        _ => {}
    }
}

fn nowhere(six: bool) -> Endpoint {
    let ip = if six {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    Endpoint { ip, port: 0 }
}

impl Descriptor {
    fn cell(&self, field: FdField, pid: i64, fd: i64) -> Cell {
        use FdField as F;
        let number = |number: u64| Cell::Unsigned(number);
        if let Some((six, end, which)) = field.address() {
            let endpoint = match (self.socket, end) {
                (SocketName::Tuple { source, .. }, End::Source) => source,
                (SocketName::Tuple { dest, .. }, End::Dest) => dest,
                (SocketName::Local(local), End::Local) => local,
                _ => return number(0),
            };
            return number(part(endpoint, six, which));
        }
        let l4 = |kind| number(if self.kind == kind { self.l4.code() } else { 0 }.into());
        match field {
            F::Kind => number(self.kind as u64),
            F::OpenFlags => number(self.open_flags.into()),
            F::Name => Cell::Text(self.name().to_vec()),
            F::NameRaw => Cell::Text(self.name_raw().to_vec()),
            F::OldName => Cell::Text(Vec::new()),
            F::Flags => number(self.flags.bits().into()),
            F::Dev => number(self.dev.into()),
            F::Ino => number(self.ino),
            F::Pid => Cell::Signed(pid),
            F::Fd => Cell::Signed(fd),
            F::Ipv4L4 => l4(Kind::Ipv4),
            F::Ipv6L4 => l4(Kind::Ipv6),
            F::Ipv4ServerL4 => l4(Kind::Ipv4Server),
            F::Ipv6ServerL4 => l4(Kind::Ipv6Server),
            F::UnixSource | F::UnixDest => match self.socket {
                SocketName::Unix { source, .. } if field == F::UnixSource => number(source),
                SocketName::Unix { dest, .. } => number(dest),
                _ => number(0),
            },
            _ => number(0),
        }
    }

    fn set_cell(&mut self, field: FdField, cell: &Cell) -> bool {
        use FdField as F;
        match field {
            F::Name | F::NameRaw => {
                let Some(text) = cell.text() else {
                    return false;
                };
                if field == F::Name {
                    self.set_name(text);
                } else {
                    let name = self.name().to_vec();
                    self.set_names(&name, text);
                }
                return true;
            }
            F::OldName | F::MountId | F::Pid | F::Fd => return false,
            _ => {}
        }
        let Some(number) = cell.number().map(|number| number as u64) else {
            return false;
        };
        if let Some((six, end, which)) = field.address() {
            self.set_address(six, end, which, number);
            return true;
        }
        match field {
            F::Kind => self.kind = kind(number),
            F::OpenFlags => self.open_flags = number as u32,
            F::Flags => self.flags = DescriptorFlags::from_bits_truncate(number as u16),
            F::Dev => self.dev = number as u32,
            F::Ino => self.ino = number,
            F::Ipv4L4 | F::Ipv6L4 | F::Ipv4ServerL4 | F::Ipv6ServerL4 => {
                self.l4 = L4Proto::from_code(number as u8);
            }
            F::UnixSource | F::UnixDest => {
                let (mut source, mut dest) = match self.socket {
                    SocketName::Unix { source, dest } => (source, dest),
                    _ => (0, 0),
                };
                *(if field == F::UnixSource {
                    &mut source
                } else {
                    &mut dest
                }) = number;
                self.socket = SocketName::Unix { source, dest };
            }
            _ => return false,
        }
        true
    }

    fn set_address(&mut self, six: bool, end: End, which: Part, number: u64) {
        if end == End::Local {
            let mut local = self
                .local()
                .filter(|local| local.ip.is_ipv6() == six)
                .unwrap_or_else(|| nowhere(six));
            set_part(&mut local, six, which, number);
            self.socket = SocketName::Local(local);
            return;
        }
        let (mut source, mut dest) = match self.socket {
            SocketName::Tuple { source, dest } if source.ip.is_ipv6() == six => (source, dest),
            _ => (nowhere(six), nowhere(six)),
        };
        let endpoint = if end == End::Source {
            &mut source
        } else {
            &mut dest
        };
        set_part(endpoint, six, which, number);
        self.socket = SocketName::Tuple { source, dest };
    }
}

/// The kind with this number of the capture format.
fn kind(number: u64) -> Kind {
    use Kind as K;
    const ALL: [Kind; 22] = [
        K::Unknown,
        K::OldFile,
        K::Directory,
        K::Ipv4,
        K::Ipv6,
        K::Ipv4Server,
        K::Ipv6Server,
        K::Fifo,
        K::Unix,
        K::EventFd,
        K::Unsupported,
        K::SignalFd,
        K::EventPoll,
        K::Inotify,
        K::TimerFd,
        K::Netlink,
        K::File,
        K::Bpf,
        K::UserFaultFd,
        K::IoUring,
        K::MemFd,
        K::PidFd,
    ];
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    ALL.get(at).copied().unwrap_or_default()
}

impl State {
    /// Value of a descriptor's field; `None` where there is no such descriptor.
    #[must_use]
    pub fn fd_cell(&self, ix: ThreadIx, fd: i64, field: FdField) -> Option<Cell> {
        let pid = self.threads.at(ix).pid;
        Some(self.descriptor(ix, fd)?.cell(field, pid, fd))
    }

    /// Writes a descriptor's field. False: it is not there, cannot be written, or the value does not fit it.
    pub fn set_fd_cell(&mut self, ix: ThreadIx, fd: i64, field: FdField, cell: &Cell) -> bool {
        self.descriptor_mut(ix, fd)
            .is_some_and(|descriptor| descriptor.set_cell(field, cell))
    }

    /// A field that a plugin added to descriptors; `None` where it was never written.
    #[must_use]
    pub fn fd_extra(&self, ix: ThreadIx, fd: i64, number: usize) -> Option<&Cell> {
        self.descriptor(ix, fd)?.extra.as_ref()?.cell(number)
    }

    /// Writes it. False: there is no such descriptor, or there are too many fields.
    pub fn set_fd_extra(&mut self, ix: ThreadIx, fd: i64, number: usize, cell: Cell) -> bool {
        self.descriptor_mut(ix, fd).is_some_and(|descriptor| {
            let extra: &mut Extra = descriptor.extra.get_or_insert_default();
            extra.set(number, cell)
        })
    }

    /// Adds an empty descriptor, in place of what has its number. False: the process has too many.
    pub fn add_blank_fd(&mut self, ix: ThreadIx, fd: i64) -> bool {
        self.add_descriptor(ix, fd, Rc::new(Descriptor::new(Kind::Unknown)))
    }

    /// Adds a copy of another state's descriptor, in place of what has its number. False: it is not there, or the process
    /// has too many.
    pub fn adopt_fd(&mut self, from: (&State, ThreadIx, i64), ix: ThreadIx, fd: i64) -> bool {
        let (other, thread, number) = from;
        let copy = other
            .descriptors(thread)
            .and_then(|table| table.shared(number))
            .cloned();
        copy.is_some_and(|copy| self.add_descriptor(ix, fd, copy))
    }

    /// The same from one thread of this state to another.
    pub fn move_fd(&mut self, from: (ThreadIx, i64), ix: ThreadIx, fd: i64) -> bool {
        let copy = self
            .descriptors(from.0)
            .and_then(|table| table.shared(from.1))
            .cloned();
        copy.is_some_and(|copy| self.add_descriptor(ix, fd, copy))
    }

    /// Takes a descriptor out. False: it is not there.
    pub fn erase_fd(&mut self, ix: ThreadIx, fd: i64) -> bool {
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return false;
        };
        if self.threads.at(owner).descriptors.find(fd).is_none() {
            return false;
        }
        Rc::make_mut(&mut self.threads.at_unseen(owner).descriptors)
            .remove(fd)
            .is_some()
    }

    /// Takes all descriptors of a process out.
    pub fn clear_fds(&mut self, ix: ThreadIx) {
        if let Some(owner) = self.owner_of_descriptors(ix) {
            self.threads.at_unseen(owner).descriptors = Rc::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Options;

    #[test]
    fn sockets_are_written_part_by_part() {
        let mut state = State::new(Options::default());
        let ix = state.blank();
        assert!(state.add_blank_fd(ix, 3));
        let mut set = |field, number| state.set_fd_cell(ix, 3, field, &Cell::Unsigned(number));
        assert!(set(FdField::Kind, 3) && set(FdField::Ipv4SourcePort, 80));
        assert!(set(
            FdField::Ipv4SourceIp,
            u32::from_ne_bytes([10, 0, 0, 1]).into()
        ));
        assert!(set(FdField::Ipv4L4, 2) && !set(FdField::Fd, 4));
        let d = state.descriptor(ix, 3).unwrap();
        assert_eq!((d.kind, d.l4), (Kind::Ipv4, L4Proto::Tcp));
        assert_eq!(d.source().unwrap().ip.to_string(), "10.0.0.1");
        assert_eq!(
            state.fd_cell(ix, 3, FdField::Ipv4SourcePort),
            Some(Cell::Unsigned(80))
        );
        assert_eq!(
            state.fd_cell(ix, 3, FdField::Ipv6SourcePort),
            Some(Cell::Unsigned(0))
        );
        // Another family begins anew.
        let mut set = |field, number| state.set_fd_cell(ix, 3, field, &Cell::Unsigned(number));
        let half = u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(set(FdField::Ipv6ServerHigh, half) && set(FdField::Ipv6ServerPort, 53));
        let local = state.descriptor(ix, 3).unwrap().local().unwrap();
        assert_eq!((local.ip.to_string().as_str(), local.port), ("::1", 53));
        assert!(state.set_fd_extra(ix, 3, 0, Cell::Bool(true)));
        assert_eq!(state.fd_extra(ix, 3, 0), Some(&Cell::Bool(true)));
        assert!(!state.set_fd_extra(ix, 4, 0, Cell::Bool(true)));
        let mut other = State::new(Options::default());
        let there = other.blank();
        assert!(other.adopt_fd((&state, ix, 3), there, 9));
        assert_eq!(other.fd_extra(there, 9, 0), Some(&Cell::Bool(true)));
        assert!(other.erase_fd(there, 9) && !other.erase_fd(there, 9));
        state.clear_fds(ix);
        assert_eq!(state.fd_cell(ix, 3, FdField::Kind), None);
    }
}
