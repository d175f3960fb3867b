//! `fd.*` and `fdlist.*`.
//!
//! The descriptor is the one that the event creates, uses or closes. Where it is not in the table, name and
//! kind are guessed from the event; everything else is missing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bumpalo::collections::Vec as BumpVec;
use event::sock::Endpoint;
use event::{EventFlags, codes as e};
use filter::{Argument, Value};
use state::{Descriptor, DescriptorFlags, Kind, L4Proto};

use super::{Ask, bytes};
use crate::catalogue::Id;
use crate::render::{self, Out, number, path, socket};
use crate::view::EventView;

/// The ends of a connection as roles see them.
#[derive(Clone, Copy)]
struct Ends {
    client: Endpoint,
    server: Endpoint,
}

impl Ends {
    /// Ends of a connected socket.
    fn of(descriptor: &Descriptor) -> Option<Self> {
        Some(Self {
            client: descriptor.source()?,
            server: descriptor.dest()?,
        })
    }

    /// Ends of a connected socket whose role is known.
    fn with_role(descriptor: &Descriptor) -> Option<Self> {
        if descriptor.has_no_role() {
            None
        } else {
            Self::of(descriptor)
        }
    }
}

/// Where the server end is: of a connection or of a listening socket.
fn server(descriptor: &Descriptor) -> Option<Endpoint> {
    descriptor
        .local()
        .or_else(|| Ends::with_role(descriptor).map(|e| e.server))
}

const ON_DESCRIPTORS: EventFlags = EventFlags::CREATES_FD
    .union(EventFlags::USES_FD)
    .union(EventFlags::DESTROYS_FD);

/// The fields that most rules ask for, of a descriptor that is known; `None`: ask [`value`].
#[inline]
pub(super) fn frequent<'s>(view: &EventView<'s>, id: Id) -> Option<Option<Value<'s>>> {
    let descriptor = view.descriptor()?;
    if !view.record.info.flags.intersects(ON_DESCRIPTORS) || view.thread_ix().is_none() {
        return None;
    }
    Some(match id {
        Id::FdName => bytes(descriptor.name()),
        Id::FdTypechar => bytes(letter(descriptor.kind)),
        Id::FdNum => Some(Value::Signed(view.context.fd.unwrap_or(-1))),
        Id::FdDirectory => directory(descriptor.kind, descriptor.name()).map(Value::Bytes),
        Id::FdFilename if descriptor.kind.is_file() => bytes(filename(descriptor.name())),
        _ => return None,
    })
}

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    if !view.record.info.flags.intersects(ON_DESCRIPTORS) {
        return None;
    }
    let thread = view.thread_ix()?;
    match ask.id {
        Id::FdNum => return Some(Value::Signed(view.context.fd.unwrap_or(-1))),
        Id::FdUid => {
            return Some(ask.compose(|out| {
                number::signed(view.record.tid, out);
                number::signed(view.context.fd.unwrap_or(-1), out);
            }));
        }
        Id::FdTypes => return types(view, ask, thread),
        _ => {}
    }
    match view.descriptor() {
        Some(descriptor) => known(view, ask, descriptor),
        None => guessed(view, ask),
    }
}

#[inline]
fn known<'s>(
    view: &'s EventView<'s>,
    ask: &Ask<'_, 's>,
    descriptor: &'s Descriptor,
) -> Option<Value<'s>> {
    let kind = descriptor.kind;
    let flag = |flag| Some(Value::Bool(descriptor.flags.contains(flag)));
    let port = |end: Endpoint| Some(Value::Unsigned(u64::from(end.port)));
    let port_text =
        |end: Endpoint| Some(ask.compose(|out| number::unsigned(u64::from(end.port), out)));
    let ends = || Ends::with_role(descriptor);
    let sides = || Sides::of(view, descriptor);
    let network = |address: IpAddr| match ask.is_comparison() {
        true => Some(Value::Ip(address)),
        false => Some(Value::Bytes(b"<IPNET>")),
    };
    match ask.id {
        Id::FdName => bytes(descriptor.name()),
        Id::FdNameraw => bytes(descriptor.name_raw()),
        Id::FdType => bytes(kind.name().unwrap_or("<NA>")),
        Id::FdTypechar => bytes(letter(kind)),
        Id::FdDirectory => directory(kind, descriptor.name()).map(Value::Bytes),
        Id::FdFilename if kind.is_file() => bytes(filename(descriptor.name())),
        Id::FdIp | Id::FdNet | Id::FdPort | Id::FdProto => both_ends(ask, descriptor),
        Id::FdCip => Some(Value::Ip(ends()?.client.ip)),
        Id::FdSip => Some(Value::Ip(server(descriptor)?.ip)),
        Id::FdLip => Some(Value::Ip(sides()?.local.ip)),
        Id::FdRip => Some(Value::Ip(sides()?.remote.ip)),
        Id::FdCport => port(ends()?.client),
        Id::FdSport => port(server(descriptor)?),
        Id::FdLport => port(sides()?.local),
        Id::FdRport => port(sides()?.remote),
        Id::FdCproto if descriptor.has_no_role() => None,
        Id::FdCproto => ends().map_or(bytes(b""), |e| port_text(e.client)),
        Id::FdSproto if descriptor.local().is_some() => bytes(b""),
        Id::FdSproto => port_text(ends()?.server),
        Id::FdLproto => port_text(sides()?.local),
        Id::FdRproto => port_text(sides()?.remote),
        Id::FdCnet => network(ends()?.client.ip),
        Id::FdSnet => network(server(descriptor)?.ip),
        Id::FdLnet => network(sides()?.local.ip),
        Id::FdRnet => network(sides()?.remote.ip),
        Id::FdSipDns => names(ask, descriptor, server(descriptor)?.ip),
        Id::FdRipDns => names(ask, descriptor, sides()?.remote.ip),
        Id::DnsQuery => {
            let name = state::name_asked(view.record, descriptor)?;
            Some(Value::Bytes(ask.scratch.alloc_slice_copy(&name)))
        }
        Id::FdCipName => host_name(view, ask, ends()?.client.ip),
        Id::FdSipName => host_name(view, ask, server(descriptor)?.ip),
        Id::FdLipName => host_name(view, ask, sides()?.local.ip),
        Id::FdRipName => host_name(view, ask, sides()?.remote.ip),
        Id::FdL4proto => bytes(transport(descriptor)),
        Id::FdSockfamily if kind.is_ip() => bytes("ip"),
        Id::FdSockfamily if kind == Kind::Unix => bytes("unix"),
        Id::FdIsServer => Some(Value::Bool(is_server(view, descriptor))),
        Id::FdConnected => flag(DescriptorFlags::CONNECTED),
        Id::FdNameChanged => Some(Value::Bool(name_changed(view, descriptor))),
        Id::FdDev => Some(Value::Signed(i64::from(descriptor.dev))),
        Id::FdDevMajor => Some(Value::Signed(i64::from(descriptor.dev >> 8 & 0xfff))),
        Id::FdDevMinor => {
            let minor = descriptor.dev & 0xff | descriptor.dev >> 12 & 0xf_ff00;
            Some(Value::Signed(i64::from(minor)))
        }
        Id::FdIno => Some(Value::Signed(descriptor.ino as i64)),
        Id::FdIsUpperLayer => flag(DescriptorFlags::UPPER_LAYER),
        Id::FdIsLowerLayer => flag(DescriptorFlags::LOWER_LAYER),
        Id::FdContainername => Some(in_container(view, ask, descriptor.name())),
        Id::FdContainerdirectory => {
            Some(in_container(view, ask, directory(kind, descriptor.name())?))
        }
        _ => None,
    }
}

/// What the event's own parameters tell of a descriptor that is not in the table.
fn guessed<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let name = || -> &'s [u8] {
        let mut out = Out::new_in(ask.scratch);
        guessed_name(view, &mut out);
        out.into_bump_slice()
    };
    match ask.id {
        Id::FdName | Id::FdNameraw => bytes(name()),
        Id::FdDirectory => bytes(parent(name())),
        Id::FdTypechar => bytes(guessed_letter(view)),
        Id::FdContainername => Some(in_container(view, ask, name())),
        Id::FdContainerdirectory => Some(in_container(view, ask, parent(name()))),
        _ => None,
    }
}

fn guessed_name(view: &EventView<'_>, out: &mut Out<'_>) {
    match view.record.code.number() {
        e::SYSCALL_OPEN_X | e::SYSCALL_CREAT_X => render::shown(view, 1, out),
        e::SOCKET_CONNECT_X | e::SOCKET_ACCEPT_5_X | e::SOCKET_ACCEPT4_6_X => {
            render::shown(view, 1, out);
        }
        e::SYSCALL_OPEN_BY_HANDLE_AT_X => render::shown(view, 3, out),
        e::SYSCALL_OPENAT_2_X | e::SYSCALL_OPENAT2_X => {
            path::join_dir(view, view.record.i64(1), view.record.text(2), out);
        }
        _ => {}
    }
}

fn guessed_letter(view: &EventView<'_>) -> &'static [u8] {
    match view.record.code.number() {
        e::SYSCALL_OPENAT_2_X | e::SYSCALL_OPENAT2_X | e::SYSCALL_CREAT_X => b"f",
        e::SOCKET_SOCKET_X | e::SOCKET_ACCEPT_5_X | e::SOCKET_ACCEPT4_6_X => b"4",
        _ => b"o",
    }
}

/// The letter of a kind as text.
fn letter(kind: Kind) -> &'static [u8] {
    match kind.letter() {
        b'f' => b"f",
        b'd' => b"d",
        b'4' => b"4",
        b'6' => b"6",
        b'u' => b"u",
        b'p' => b"p",
        b'e' => b"e",
        b's' => b"s",
        b'l' => b"l",
        b'i' => b"i",
        b't' => b"t",
        b'n' => b"n",
        b'b' => b"b",
        b'r' => b"r",
        b'm' => b"m",
        b'P' => b"P",
        b'X' => b"X",
        _ => b"o",
    }
}

#[inline]
fn directory(kind: Kind, name: &[u8]) -> Option<&[u8]> {
    match kind {
        Kind::Directory => Some(name),
        kind if kind.is_file() => Some(parent(name)),
        _ => None,
    }
}

/// Text before the last slash; `/` where there is none or only a leading one; a name that ends in a slash whole.
#[inline]
fn parent(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', name) {
        None | Some(0) => b"/",
        Some(at) if at + 1 == name.len() => name,
        Some(at) => &name[..at],
    }
}

/// Text behind the last slash; `/` where there is none; a name that ends in a slash whole.
fn filename(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', name) {
        None => b"/",
        Some(at) if at + 1 == name.len() => name,
        Some(at) => &name[at + 1..],
    }
}

/// Both ends for comparisons; outputs show nothing.
fn both_ends<'s>(ask: &Ask<'_, 's>, descriptor: &Descriptor) -> Option<Value<'s>> {
    if !ask.is_comparison() {
        return None;
    }
    let ports = matches!(ask.id, Id::FdPort | Id::FdProto);
    let value = |end: Endpoint| match ports {
        true => Value::Unsigned(u64::from(end.port)),
        false => Value::Ip(end.ip),
    };
    let ends: &[Value<'s>] = match (descriptor.local(), Ends::of(descriptor)) {
        (Some(local), _) => ask.scratch.alloc([value(local)]),
        (None, Some(ends)) => ask.scratch.alloc([value(ends.client), value(ends.server)]),
        (None, None) => &[],
    };
    Some(Value::List(ends))
}

/// What the address was called when it was connected to.
fn names<'s>(ask: &Ask<'_, 's>, descriptor: &'s Descriptor, ip: IpAddr) -> Option<Value<'s>> {
    let named = descriptor.named().filter(|named| named.address == ip)?;
    if ask.is_comparison() {
        let all = named.names.iter().map(|name| Value::Bytes(name));
        return Some(Value::List(ask.scratch.alloc_slice_fill_iter(all)));
    }
    Some(ask.compose(|out| {
        for (at, name) in named.names.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
        }
    }))
}

/// The ends of a connection as this machine sees them.
struct Sides {
    local: Endpoint,
    remote: Endpoint,
}

impl Sides {
    fn of(view: &EventView<'_>, descriptor: &Descriptor) -> Option<Self> {
        let Ends { client, server } = Ends::with_role(descriptor)?;
        Some(if is_local(view, client.ip) {
            Self {
                local: client,
                remote: server,
            }
        } else {
            Self {
                local: server,
                remote: client,
            }
        })
    }
}

/// A new descriptor gets its name, a copy keeps it; later changes are the state's to tell.
fn name_changed(view: &EventView<'_>, descriptor: &Descriptor) -> bool {
    let is_new = view.record.info.flags.contains(EventFlags::CREATES_FD)
        && !matches!(
            view.record.info.name,
            "dup" | "dup2" | "dup3" | "pidfd_getfd"
        );
    view.context.name_changed || (is_new && !descriptor.name().is_empty())
}

fn is_server(view: &EventView<'_>, descriptor: &Descriptor) -> bool {
    // An IPv6 socket that is not connected has the address "any", which is everybody's.
    descriptor.kind.is_server()
        || (descriptor.kind == Kind::Ipv6 && Ends::of(descriptor).is_none())
        || Ends::of(descriptor).is_some_and(|ends| is_local(view, ends.server.ip))
}

/// Whether an address is this machine's, or that of the event's container.
fn is_local(view: &EventView<'_>, address: IpAddr) -> bool {
    // Other addresses of 127.0.0.0/8 are often somebody else's: Docker's resolver answers on 127.0.0.11.
    if address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST) {
        return true;
    }
    if view
        .state
        .interfaces()
        .iter()
        .any(|interface| interface.address == address)
    {
        return true;
    }
    let is = |container: &state::Container| {
        let text = std::str::from_utf8(&container.ip).ok();
        text.and_then(|t| t.parse::<IpAddr>().ok()) == Some(address)
    };
    match view.thread().map(state::Thread::container_id) {
        Some(id) if !id.is_empty() => match view.state.container(id) {
            Some(container) => is(container),
            None => view.state.containers().any(is),
        },
        _ => false,
    }
}

fn transport(descriptor: &Descriptor) -> &'static str {
    if !descriptor.kind.is_ip() || (descriptor.has_no_role() && descriptor.l4 != L4Proto::Raw) {
        return "<NA>";
    }
    match descriptor.l4 {
        L4Proto::Tcp => "tcp",
        L4Proto::Udp => "udp",
        L4Proto::Icmp => "icmp",
        L4Proto::Raw => "raw",
        _ => "<NA>",
    }
}

fn host_name<'s>(view: &EventView<'_>, ask: &Ask<'_, 's>, address: IpAddr) -> Option<Value<'s>> {
    let name = view.env.resolver.as_ref()?.name(address)?;
    Some(Value::Bytes(ask.scratch.alloc_slice_copy(name.as_bytes())))
}

fn in_container<'s>(view: &EventView<'_>, ask: &Ask<'_, 's>, name: &[u8]) -> Value<'s> {
    ask.compose(|out| {
        out.extend_from_slice(view.thread().map_or(&b""[..], |t| t.container_id()));
        out.push(b':');
        out.extend_from_slice(name);
    })
}

/// Kinds of the open descriptors, each once; or of one by number.
fn types<'s>(
    view: &'s EventView<'s>,
    ask: &Ask<'_, 's>,
    thread: state::ThreadIx,
) -> Option<Value<'s>> {
    let name = |d: &Descriptor| d.kind.name().unwrap_or("<NA>");
    let mut names = BumpVec::new_in(ask.scratch);
    if let Argument::Index(number) = *ask.arg {
        let descriptor = view.state.descriptor(thread, i64::from(number))?;
        names.push(Value::Bytes(name(descriptor).as_bytes()));
        return Some(Value::List(names.into_bump_slice()));
    }
    let mut seen = 0u32;
    for (_, descriptor) in view.state.descriptors(thread)?.iter() {
        let bit = 1 << (descriptor.kind as u32);
        if seen & bit == 0 {
            seen |= bit;
            let value = Value::Bytes(name(descriptor).as_bytes());
            // Several kinds share a word: old and new files, connected and listening sockets.
            if !names.contains(&value) {
                names.push(value);
            }
        }
    }
    (!names.is_empty()).then(|| Value::List(names.into_bump_slice()))
}

/// `fdlist.*`: one text of all descriptors that poll or ppoll waits for.
pub(super) fn list<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    if !matches!(
        view.record.code.number(),
        e::SYSCALL_POLL_X | e::SYSCALL_PPOLL_X
    ) {
        return None;
    }
    let raw = view.record.param(1);
    let mut out = Out::new_in(ask.scratch);
    for (fd, _) in render::poll_list(raw) {
        let start = out.len();
        if start > 0 {
            out.push(b',');
        }
        let before = out.len();
        if !list_item(ask.id, fd, view.descriptor_numbered(fd), &mut out) || out.len() == before {
            out.truncate(start);
        }
    }
    (!out.is_empty()).then(|| Value::Bytes(out.into_bump_slice()))
}

/// Writes what one descriptor contributes; false: nothing.
fn list_item(id: Id, fd: i64, descriptor: Option<&Descriptor>, out: &mut Out<'_>) -> bool {
    match (id, descriptor) {
        (Id::FdlistNums, _) => number::signed(fd, out),
        (Id::FdlistNames, Some(d)) if !d.name().is_empty() => out.extend_from_slice(d.name()),
        (Id::FdlistNames, _) => out.extend_from_slice(b"<NA>"),
        (_, None) => return false,
        (_, Some(d)) => {
            let end = match id {
                Id::FdlistCips | Id::FdlistCports => d.source(),
                _ => d.local().or(d.dest()),
            };
            let Some(end) = end else { return false };
            if matches!(id, Id::FdlistCips | Id::FdlistSips) {
                socket::ip(end.ip, out);
            } else {
                number::unsigned(u64::from(end.port), out);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths() {
        for (path, directory, file) in [
            ("/etc/passwd", "/etc", "passwd"),
            ("/etc", "/", "etc"),
            ("/", "/", "/"),
            ("", "/", "/"),
            ("relative", "/", "/"),
            ("a/b", "a", "b"),
            ("/dir/", "/dir/", "/dir/"),
        ] {
            assert_eq!(parent(path.as_bytes()), directory.as_bytes(), "{path}");
            assert_eq!(filename(path.as_bytes()), file.as_bytes(), "{path}");
        }
    }
}
