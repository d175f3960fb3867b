//! Sockets: what socket, bind, connect, accept and the data calls tell of their ends.
//!
//! A socket's `source` is the side that connected. Which side that is follows from connect and
//! accept; for a socket of which neither was seen, the first data tells: who reads first serves.

use std::rc::Rc;

use event::snapshot::L4Proto;
use event::sock::{Endpoint, SockAddr, SockTuple};
use event::{EventFlags, Record, codes as c, constants as k};

use crate::addresses::{
    fill_from_interfaces, is_unix_name, no_address, rename, unmap, unmap_both, write_sockaddr,
    write_tuple, write_unix,
};
use crate::context::Context;
use crate::descriptor::{Descriptor, DescriptorFlags, Kind, SocketName};
use crate::state::State;
use crate::thread::ThreadIx;

const EINPROGRESS: i64 = 115;
/// Unix paths are compared so far.
const UNIX_PATH: usize = 108;

fn kind_of(end: Endpoint) -> Kind {
    if end.ip.is_ipv4() {
        Kind::Ipv4
    } else {
        Kind::Ipv6
    }
}

/// Protocol that a socket of this type and protocol number speaks.
fn protocol(ty: u32, number: u32) -> L4Proto {
    const SOCK_STREAM: u32 = 1;
    const SOCK_DGRAM: u32 = 2;
    const SOCK_RAW: u32 = 3;
    match number {
        0 => match ty & 0xff {
            SOCK_STREAM => L4Proto::Tcp,
            SOCK_DGRAM => L4Proto::Udp,
            _ => L4Proto::Unknown,
        },
        1 if ty == SOCK_RAW => L4Proto::Raw,
        1 => L4Proto::Icmp,
        6 if ty == SOCK_RAW => L4Proto::Raw,
        6 => L4Proto::Tcp,
        17 if ty == SOCK_RAW => L4Proto::Raw,
        17 => L4Proto::Udp,
        255 => L4Proto::Raw,
        _ => L4Proto::Unknown,
    }
}

impl State {
    pub(crate) fn socket_made(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(fd) = r.result().filter(|&fd| fd >= 0) else {
            return;
        };
        let domain = r.u32(1).unwrap_or(0);
        let kind = match domain {
            k::AF_UNIX => Kind::Unix,
            k::AF_INET => Kind::Ipv4,
            k::AF_INET6 => Kind::Ipv6,
            k::AF_NETLINK => Kind::Netlink,
            _ => Kind::Unknown,
        };
        let mut rc = self.fresh(kind);
        let d = Rc::get_mut(&mut rc).expect("just made");
        if kind.is_ip() {
            d.l4 = protocol(r.u32(2).unwrap_or(0), r.u32(3).unwrap_or(0));
        }
        d.open_flags = r.u32(4).unwrap_or(0);
        self.add_descriptor(ix, fd, rc);
        cx.fd = Some(fd);
    }

    pub(crate) fn socket_pair_made(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let (Some(fd1), Some(fd2)) = (r.i64(1), r.i64(2)) else {
            return;
        };
        if r.result().is_none_or(|ret| ret < 0) || fd1 == fd2 {
            return;
        }
        let ends = SocketName::Unix {
            source: r.u64(3).unwrap_or(0),
            dest: r.u64(4).unwrap_or(0),
        };
        for fd in [fd1, fd2] {
            let mut rc = self.fresh(Kind::Unix);
            Rc::get_mut(&mut rc).expect("just made").socket = ends;
            self.add_descriptor(ix, fd, rc);
            cx.fd = Some(fd);
        }
    }

    pub(crate) fn bound(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        if r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        let Some(address) = SockAddr::parse(r.param(1)) else {
            return;
        };
        let mut name = std::mem::take(&mut self.scratch);
        name.clear();
        if let Some(d) = cx.fd.and_then(|fd| self.descriptor_mut(ix, fd)) {
            let mut address = address;
            if let SockAddr::Inet(local) = address {
                let local = unmap(local);
                address = SockAddr::Inet(local);
                if local.port > 0 {
                    d.kind = if local.ip.is_ipv4() {
                        Kind::Ipv4Server
                    } else {
                        Kind::Ipv6Server
                    };
                    d.socket = SocketName::Local(local);
                    d.flags |= DescriptorFlags::SERVER;
                    d.flags -= DescriptorFlags::CLIENT;
                }
            }
            write_sockaddr(&mut name, &address);
            cx.name_changed = d.name() != name;
            d.set_name(&name);
        }
        self.scratch = name;
    }

    pub(crate) fn accepted(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(fd) = r.result().filter(|&fd| fd >= 0) else {
            return;
        };
        cx.fd = Some(fd);
        let (kind, socket) = match SockTuple::parse(r.param(1)) {
            Some(SockTuple::Inet { source, dest }) => {
                let (source, dest) = unmap_both(source, dest);
                (kind_of(source), SocketName::Tuple { source, dest })
            }
            Some(SockTuple::Unix { source, dest, .. }) => {
                (Kind::Unix, SocketName::Unix { source, dest })
            }
            _ => return,
        };
        let mut name = std::mem::take(&mut self.scratch);
        let mut rc = self.fresh(kind);
        let d = Rc::get_mut(&mut rc).expect("just made");
        d.socket = socket;
        d.flags = DescriptorFlags::SERVER | DescriptorFlags::CONNECTED;
        if let Some(SockTuple::Unix { source, dest, path }) = SockTuple::parse(r.param(1)) {
            name.clear();
            write_unix(&mut name, source, dest, path);
            d.set_name(&name);
        } else {
            d.l4 = L4Proto::Tcp;
            rename(d, &mut name);
        }
        if r.code.number() == c::SOCKET_ACCEPT4_6_X {
            d.set_close_on_exec(r.i32(5).unwrap_or(0) as u32 & k::O_CLOEXEC != 0);
        }
        cx.name_changed = true;
        self.scratch = name;
        self.add_descriptor(ix, fd, rc);
        if self.names.is_some() {
            self.name_far_end(ix, fd, r.param(1), true, r.ts);
        }
    }

    // ---- connect ----

    pub(crate) fn connected(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        enter: Option<&Record<'_>>,
    ) {
        let Some(ret) = r.result() else { return };
        let tracks = self.options.track_connections;
        let pending = ret == -EINPROGRESS;
        if !tracks && ret < 0 && !pending {
            return;
        }
        let mut name = std::mem::take(&mut self.scratch);
        if let Some(d) = cx.fd.and_then(|fd| self.descriptor_mut(ix, fd)) {
            let all = DescriptorFlags::CONNECTED
                | DescriptorFlags::CONNECT_PENDING
                | DescriptorFlags::CONNECT_FAILED;
            d.flags -= all;
            d.flags |= match (tracks, ret >= 0) {
                (false, _) | (true, true) => DescriptorFlags::CONNECTED,
                (true, false) if pending => DescriptorFlags::CONNECT_PENDING,
                (true, false) => DescriptorFlags::CONNECT_FAILED,
            };
            cx.name_changed = connect(d, r, enter, &mut name);
        }
        self.scratch = name;
        if self.names.is_some()
            && let Some(fd) = cx.fd
        {
            self.name_far_end(ix, fd, r.param(1), false, r.ts);
        }
    }

    /// The state of a socket's connect was asked for.
    pub(crate) fn option_read(&mut self, cx: &Context, ix: ThreadIx, r: &Record<'_>) {
        /// Variant of a dynamic value that holds an error number.
        const ERRNO: u8 = 1;
        let is_error = r.u8(2).map(u32::from) == Some(k::SOCKOPT_LEVEL_SOL_SOCKET)
            && r.u8(3).map(u32::from) == Some(k::SOCKOPT_SO_ERROR);
        if !self.options.track_connections || !is_error || r.result() != Some(0) {
            return;
        }
        let Some((&ERRNO, value)) = r.param(4).split_first() else {
            return;
        };
        let Ok(error) = value.try_into().map(i64::from_le_bytes) else {
            return;
        };
        if let Some(d) = cx.fd.and_then(|fd| self.descriptor_mut(ix, fd))
            && d.flags.contains(DescriptorFlags::CONNECT_PENDING)
        {
            d.flags -= DescriptorFlags::CONNECT_PENDING;
            d.flags |= if error == 0 {
                DescriptorFlags::CONNECTED
            } else {
                DescriptorFlags::CONNECT_FAILED
            };
        }
    }

    // ---- data ----

    /// Reads and writes; `tuple` is the parameter that holds both ends.
    #[inline]
    pub(crate) fn transferred(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        tuple: Option<usize>,
    ) {
        self.transfer(cx, ix, r, tuple);
        if self.names.is_some() {
            self.hear_names(cx, ix, r);
        }
    }

    #[inline]
    fn transfer(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>, tuple: Option<usize>) {
        let Some(fd) = cx.fd else { return };
        if r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        let tuple = tuple.map_or(&[][..], |at| r.param(at));
        if tuple.is_empty() && self.descriptors(ix).is_some_and(|t| t.is_settled(fd)) {
            return;
        }
        match self.descriptor(ix, fd) {
            Some(d) => {
                let is_connection = matches!(d.kind, Kind::Ipv4 | Kind::Ipv6);
                let connects = is_connection && !d.flags.contains(DescriptorFlags::CONNECTED);
                let is_new =
                    !tuple.is_empty() && (d.name().is_empty() || !is_tcp(d)) && !is_known(d, tuple);
                if !connects && !is_new {
                    // So it stays for data without addresses until the descriptor changes.
                    if let Some(owner) = self.owner_of_descriptors(ix)
                        && let Some(table) =
                            Rc::get_mut(&mut self.threads.at_unseen(owner).descriptors)
                    {
                        table.settle(fd);
                    }
                    return;
                }
                self.ends_told(cx, ix, fd, r, if is_new { tuple } else { &[] });
            }
            None => {
                self.counters.descriptors_unknown += 1;
                self.infer_socket(cx, ix, fd, r, tuple);
            }
        }
    }

    /// A message was sent on a socket that nobody saw being made: it can only be UDP's.
    fn infer_socket(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        fd: i64,
        r: &Record<'_>,
        tuple: &[u8],
    ) {
        let sends = matches!(
            r.code.number(),
            c::SOCKET_SEND_X | c::SOCKET_SENDTO_X | c::SOCKET_SENDMSG_X
        );
        let Some(SockTuple::Inet { source, dest }) = SockTuple::parse(tuple) else {
            return;
        };
        if !sends {
            return;
        }
        let (source, _) = unmap_both(source, dest);
        let mut rc = self.fresh(kind_of(source));
        Rc::get_mut(&mut rc).expect("just made").l4 = L4Proto::Udp;
        if self.add_descriptor(ix, fd, rc) {
            self.ends_told(cx, ix, fd, r, tuple);
        }
    }

    /// Data went over a socket, perhaps with both ends named.
    fn ends_told(&mut self, cx: &mut Context, ix: ThreadIx, fd: i64, r: &Record<'_>, tuple: &[u8]) {
        let reads = r.info.flags.contains(EventFlags::READS_FROM_FD);
        let interfaces = std::mem::take(&mut self.interfaces);
        let mut name = std::mem::take(&mut self.scratch);
        let mut is_elsewhere = false;
        if let Some(d) = self.descriptor_mut(ix, fd) {
            if matches!(d.kind, Kind::Ipv4 | Kind::Ipv6) {
                d.flags |= DescriptorFlags::CONNECTED;
            }
            match SockTuple::parse(tuple) {
                Some(SockTuple::Inet { source, dest }) => {
                    let (source, dest) = unmap_both(source, dest);
                    if learn(d, source, dest) {
                        if d.l4 == L4Proto::Unknown {
                            d.l4 = L4Proto::Udp;
                        }
                        settle_ends(d, reads, &interfaces);
                        cx.name_changed = rename(d, &mut name);
                        is_elsewhere = true;
                    }
                }
                Some(SockTuple::Unix { source, dest, path }) => {
                    d.socket = SocketName::Unix { source, dest };
                    name.clear();
                    write_unix(&mut name, source, dest, path);
                    cx.name_changed = d.name() != name;
                    d.set_name(&name);
                }
                _ => {}
            }
        }
        self.scratch = name;
        self.interfaces = interfaces;
        if is_elsewhere && self.names.is_some() {
            self.name_far_end(ix, fd, tuple, reads, r.ts);
        }
    }
}

fn is_tcp(d: &Descriptor) -> bool {
    d.kind.is_ip() && d.l4 == L4Proto::Tcp
}

/// Whether the descriptor has these ends, and the name that they make, already.
fn is_known(d: &Descriptor, tuple: &[u8]) -> bool {
    match (SockTuple::parse(tuple), d.socket) {
        (Some(SockTuple::Inet { source, dest }), SocketName::Tuple { source: s, dest: t }) => {
            let ends = unmap_both(source, dest);
            !d.name().is_empty() && (ends == (s, t) || ends == (t, s))
        }
        (Some(SockTuple::Unix { source, dest, path }), SocketName::Unix { source: s, dest: t }) => {
            (source, dest) == (s, t) && is_unix_name(d.name(), source, dest, path)
        }
        _ => false,
    }
}

/// Takes both ends into the descriptor unless it has them already, either way round.
fn learn(d: &mut Descriptor, source: Endpoint, dest: Endpoint) -> bool {
    let none = no_address(source);
    let (old_source, old_dest) = match d.socket {
        SocketName::Tuple { source, dest } => (source, dest),
        // What a bound socket gets is meant for where it is bound; a bound "any" tells only the
        // port. (The original reads the bound port as part of an address here.)
        _ => (none, none),
    };
    if (old_source, old_dest) == (source, dest) || (old_source, old_dest) == (dest, source) {
        return false;
    }
    d.kind = kind_of(source);
    d.socket = SocketName::Tuple { source, dest };
    true
}

/// Fills an unknown address, guesses the role and puts the client first.
fn settle_ends(d: &mut Descriptor, reads: bool, interfaces: &[event::snapshot::Interface]) {
    let SocketName::Tuple {
        mut source,
        mut dest,
    } = d.socket
    else {
        return;
    };
    fill_from_interfaces(interfaces, &mut source, &mut dest);
    if d.has_no_role() {
        // For IPv6 the original compares with bytes of an address; in practice: client.
        let serves = reads && d.kind == Kind::Ipv4;
        d.flags |= if serves {
            DescriptorFlags::SERVER
        } else {
            DescriptorFlags::CLIENT
        };
    }
    if d.is_role_client() == reads {
        std::mem::swap(&mut source, &mut dest);
    }
    d.socket = SocketName::Tuple { source, dest };
}

/// What a connect tells of its socket. Says whether the name changed.
fn connect(
    d: &mut Descriptor,
    r: &Record<'_>,
    enter: Option<&Record<'_>>,
    name: &mut Vec<u8>,
) -> bool {
    let entered = enter.and_then(|e| SockAddr::parse(e.param(1)));
    if r.param(1).is_empty() {
        let Some(entered) = entered else { return false };
        if let SockAddr::Inet(dest) = entered {
            let dest = unmap(dest);
            d.kind = kind_of(dest);
            d.socket = SocketName::Tuple {
                source: no_address(dest),
                dest,
            };
        }
        return false;
    }
    // The address that the kernel read a second time tells which of both is the true one.
    let seen = SockAddr::parse(r.param(3));
    match SockTuple::parse(r.param(1)) {
        Some(SockTuple::Inet { source, mut dest }) => {
            if let (Some(SockAddr::Inet(seen)), Some(SockAddr::Inet(entered))) = (seen, entered)
                && seen == dest
            {
                dest = entered;
            }
            let (mut source, mut dest) = unmap_both(source, dest);
            let changed = d.socket != SocketName::Tuple { source, dest };
            if changed && d.l4 == L4Proto::Udp && d.is_role_server() {
                std::mem::swap(&mut source, &mut dest);
            }
            // The original keeps the protocol beside the addresses, at another place for each
            // family, and loses it where an IPv6 socket turns out to speak IPv4.
            if d.kind == Kind::Ipv6 && source.ip.is_ipv4() {
                d.l4 = L4Proto::Unknown;
            }
            d.kind = kind_of(source);
            d.socket = SocketName::Tuple { source, dest };
            name.clear();
            write_tuple(name, source, dest, d.l4);
        }
        Some(SockTuple::Unix {
            source,
            dest,
            mut path,
        }) => {
            if d.kind != Kind::Unix {
                return false;
            }
            if let (Some(SockAddr::Unix(seen)), Some(SockAddr::Unix(entered))) = (seen, entered)
                && cut(seen) == cut(path)
            {
                path = entered;
            }
            d.socket = SocketName::Unix { source, dest };
            name.clear();
            write_unix(name, source, dest, path);
        }
        _ => return false,
    }
    let changed = d.name() != *name;
    d.set_name(name);
    if d.has_no_role() {
        d.flags |= DescriptorFlags::CLIENT;
    }
    changed
}

fn cut(path: &[u8]) -> &[u8] {
    &path[..path.len().min(UNIX_PATH)]
}
