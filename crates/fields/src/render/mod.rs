//! Parameters as text: the raw form, the readable ("resolved") form, and all of an event's in one line.
//!
//! Everything is written into a scratch vector; nothing is formatted before somebody asks for it.
//! Where the original is odd and its users see the oddity, the text is the same: unsigned integers of 32 and 64 bits show
//! as signed ones, flags in raw form are decimal whatever their format says.

pub mod bytes;
pub mod flags;
pub mod number;
pub mod path;
pub mod socket;
pub mod time;

use event::syscalls::SYSCALL_NAMES;
use event::{ParamInfo, ParamType, Print, errno, signal};
use state::{Descriptor, L4Proto};

use crate::view::EventView;

/// Where text is written to.
pub type Out<'b> = bumpalo::collections::Vec<'b, u8>;

/// The number of the current directory among directory descriptors.
pub const AT_FDCWD: i64 = -100;

/// `NAME=VALUE NAME=VALUE(RESOLVED) ...` of all parameters.
pub fn args(view: &EventView<'_>, out: &mut Out<'_>) {
    for (index, param) in view
        .record
        .info
        .params
        .iter()
        .take(view.record.len())
        .enumerate()
    {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(param.name.as_bytes());
        out.push(b'=');
        raw(view, index, out);
        let start = out.len();
        out.push(b'(');
        if resolved(view, index, out) {
            out.push(b')');
        } else {
            out.truncate(start);
        }
    }
}

/// The form that people read: resolved if there is one, otherwise raw.
pub fn shown(view: &EventView<'_>, index: usize, out: &mut Out<'_>) {
    if !resolved(view, index, out) {
        raw(view, index, out);
    }
}

/// The raw form of a parameter.
pub fn raw(view: &EventView<'_>, index: usize, out: &mut Out<'_>) {
    if let Some(param) = view.record.info.params.get(index) {
        raw_value(
            view,
            param,
            param.ty,
            param.print,
            view.record.param(index),
            out,
        );
    }
}

/// The resolved form of a parameter; `false` and nothing written where there is none.
pub fn resolved(view: &EventView<'_>, index: usize, out: &mut Out<'_>) -> bool {
    let Some(param) = view.record.info.params.get(index) else {
        return false;
    };
    let start = out.len();
    resolved_value(view, param, param.ty, view.record.param(index), out);
    out.len() > start
}

/// What a parameter without bytes shows.
const fn absent(ty: ParamType) -> &'static [u8] {
    match ty {
        ParamType::ByteBuf
        | ParamType::SockTuple
        | ParamType::FdList
        | ParamType::CharBufArray
        | ParamType::CharBufPairArray
        | ParamType::Dyn => b"NULL",
        _ => b"<NA>",
    }
}

/// The integer in `bytes`, its sign extended where the type has one; `None` for a wrong width.
#[must_use]
pub fn integer(ty: ParamType, bytes: &[u8]) -> Option<i64> {
    if ty.width() != Some(bytes.len()) {
        return None;
    }
    Some(match (bytes.len(), ty.signed()) {
        (1, false) => i64::from(bytes[0]),
        (1, true) => i64::from(bytes[0] as i8),
        (2, signed) => {
            let value = u16::from_le_bytes(bytes.try_into().ok()?);
            if signed {
                i64::from(value as i16)
            } else {
                i64::from(value)
            }
        }
        (4, signed) => {
            let value = u32::from_le_bytes(bytes.try_into().ok()?);
            if signed {
                i64::from(value as i32)
            } else {
                i64::from(value)
            }
        }
        (8, _) => i64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn raw_value(
    view: &EventView<'_>,
    param: &ParamInfo,
    ty: ParamType,
    print: Print,
    bytes: &[u8],
    out: &mut Out<'_>,
) {
    use ParamType as T;
    if bytes.is_empty() {
        return out.extend_from_slice(absent(ty));
    }
    match ty {
        T::CharBuf | T::FsPath | T::FsRelPath => out.extend_from_slice(text(bytes)),
        T::ByteBuf if view.env.base64_buffers => bytes::base64(bytes, out),
        T::ByteBuf | T::CharBufArray | T::CharBufPairArray => bytes::dotted(bytes, out),
        T::SockAddr => socket::address(bytes, out),
        T::SockTuple => socket::tuple(bytes, out),
        T::FdList => descriptor_list(view, bytes, out),
        T::Dyn => match variant(param, bytes) {
            Some((T::CharBuf, _, [])) => out.extend_from_slice(b"(null)"),
            Some((ty, print, rest)) => raw_value(view, param, ty, print, rest, out),
            None => out.extend_from_slice(absent(ty)),
        },
        T::Ipv4Addr | T::Ipv6Addr | T::IpAddr => match crate::extract::address(bytes) {
            Some(address) => socket::ip(address, out),
            None => out.extend_from_slice(absent(ty)),
        },
        T::Ipv4Net | T::Ipv6Net | T::IpNet => out.extend_from_slice(b"<IPNET>"),
        T::Double => match bytes.try_into().map(f64::from_le_bytes) {
            Ok(value) => number::general(value, out),
            Err(_) => out.extend_from_slice(absent(ty)),
        },
        _ => match integer(ty, bytes) {
            Some(value) => raw_integer(view, ty, print, value, bytes.len(), out),
            None => out.extend_from_slice(absent(ty)),
        },
    }
}

fn raw_integer(
    view: &EventView<'_>,
    ty: ParamType,
    print: Print,
    value: i64,
    width: usize,
    out: &mut Out<'_>,
) {
    use ParamType as T;
    // Formats see the bits of the parameter's own width.
    let bits = if width == 8 {
        value as u64
    } else {
        value as u64 & ((1 << (8 * width)) - 1)
    };
    match ty {
        T::Mode => number::octal(bits, out),
        T::Uid | T::Gid if bits == u64::from(u32::MAX) => out.extend_from_slice(b"-1"),
        T::RelTime if bits == u64::MAX => out.extend_from_slice(b"none"),
        T::RelTime => number::unsigned(bits, out),
        T::AbsTime => time::moment(bits, time::Shape::DateTime, view.env.zone, out),
        T::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        T::SigSet => signals(bits, out),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Uint8 | T::Uint16 | T::Uint32 | T::Uint64 => {
            match print {
                Print::Hex => number::hex(bits, out),
                Print::Oct => number::octal(bits, out),
                // The original prints them signed: an id of all ones is -1.
                Print::Dec | Print::None if ty == T::Uint32 => {
                    number::signed(i64::from(bits as u32 as i32), out);
                }
                Print::Dec | Print::None => number::signed(value, out),
            }
        }
        _ => number::signed(value, out),
    }
}

fn resolved_value(
    view: &EventView<'_>,
    param: &ParamInfo,
    ty: ParamType,
    bytes: &[u8],
    out: &mut Out<'_>,
) {
    use ParamType as T;
    match ty {
        T::Dyn => {
            if let Some((ty, _, rest)) = variant(param, bytes) {
                resolved_value(view, param, ty, rest, out);
            }
            return;
        }
        T::FsPath => return path::resolve_cwd(view, text(bytes), out),
        T::FsRelPath => {
            let dir = param
                .dir_param
                .and_then(|i| view.record.i64(usize::from(i)));
            return path::resolve_dir(view, dir, text(bytes), out);
        }
        _ => {}
    }
    let Some(value) = integer(ty, bytes) else {
        return;
    };
    match ty {
        T::Errno => errno_text(value, out),
        T::Fd | T::Fd32 => descriptor(view, value, out),
        T::Pid | T::Pid32 => {
            if let Some(ix) = view.state.by_tid(value).filter(|_| value >= 0) {
                bytes::clean(view.state.thread(ix).comm(), out);
            }
        }
        T::Uid => out.extend_from_slice(user(view, value as u32)),
        T::Gid => out.extend_from_slice(group(view, value as u32)),
        T::SyscallId => {
            if let Some(name) = usize::try_from(value)
                .ok()
                .and_then(|i| SYSCALL_NAMES.get(i))
            {
                out.extend_from_slice(name.as_bytes());
            }
        }
        T::SigType => {
            if let Some(name) = u8::try_from(value).ok().and_then(signal::signal_name) {
                out.extend_from_slice(name.as_bytes());
            }
        }
        T::Flags8 | T::Flags16 | T::Flags32 | T::Mode => {
            flags::bits(param.flags, value as u32, out);
        }
        T::EnumFlags8 | T::EnumFlags16 | T::EnumFlags32 => {
            flags::values(param.flags, value as u32, out);
        }
        T::RelTime if value != -1 => time::span(value as u64, out),
        _ => {}
    }
}

/// Type, format and bytes of the variant that the index byte names.
fn variant<'b>(param: &ParamInfo, bytes: &'b [u8]) -> Option<(ParamType, Print, &'b [u8])> {
    let (&index, rest) = bytes.split_first()?;
    let variant = param.variants.get(usize::from(index))?;
    // No variant is itself dynamic; a table that said so would recurse on fewer bytes each time.
    (variant.ty != ParamType::Dyn).then_some((variant.ty, variant.print, rest))
}

/// A text parameter up to its NUL; `(NULL)` of old drivers is `<NA>`.
#[must_use]
pub fn text(bytes: &[u8]) -> &[u8] {
    if bytes.is_empty() || bytes == b"(NULL)\0" {
        return b"<NA>";
    }
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

fn errno_text(value: i64, out: &mut Out<'_>) {
    if value < 0
        && let Some(name) = u32::try_from(value.unsigned_abs())
            .ok()
            .and_then(errno::errno_name)
    {
        out.extend_from_slice(name.as_bytes());
    }
}

/// `<f>/path`, `<4t>tuple`, `AT_FDCWD` or the error's name.
fn descriptor(view: &EventView<'_>, fd: i64, out: &mut Out<'_>) {
    if fd >= 0 {
        let Some(found) = view.descriptor_numbered(fd) else {
            return;
        };
        out.push(b'<');
        out.push(found.kind.letter());
        if let Some(letter) = protocol_letter(found) {
            out.push(letter);
        }
        out.push(b'>');
        bytes::clean(found.name(), out);
    } else if fd == AT_FDCWD {
        out.extend_from_slice(b"AT_FDCWD");
    } else {
        errno_text(fd, out);
    }
}

/// Letter of a socket's protocol; none while the socket has no role, unless it is a raw one.
fn protocol_letter(descriptor: &Descriptor) -> Option<u8> {
    if !descriptor.kind.is_ip() || (descriptor.has_no_role() && descriptor.l4 != L4Proto::Raw) {
        return None;
    }
    match descriptor.l4 {
        L4Proto::Tcp => Some(b't'),
        L4Proto::Udp => Some(b'u'),
        L4Proto::Icmp => Some(b'i'),
        L4Proto::Raw => Some(b'r'),
        _ => None,
    }
}

/// Number, letter and poll flags of each descriptor that a poll names.
fn descriptor_list(view: &EventView<'_>, bytes: &[u8], out: &mut Out<'_>) {
    for (i, (fd, flags)) in poll_list(bytes).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        number::unsigned(fd as u64, out);
        out.push(b':');
        let letter = view
            .descriptor_numbered(fd)
            .map_or(b'?', |d| d.kind.letter());
        out.push(letter);
        number::hex_lower(u64::from(flags as u16), out);
    }
}

/// Descriptor number and poll flags of each entry of a `FdList`.
pub fn poll_list(bytes: &[u8]) -> impl Iterator<Item = (i64, i16)> {
    let (count, entries) = bytes.split_at_checked(2).unwrap_or((&[0, 0], &[]));
    let count = usize::from(u16::from_le_bytes([count[0], count[1]]));
    entries.as_chunks::<10>().0.iter().take(count).map(|entry| {
        let fd = i64::from_le_bytes(*entry.first_chunk().expect("10 bytes"));
        (fd, i16::from_le_bytes([entry[8], entry[9]]))
    })
}

fn signals(set: u64, out: &mut Out<'_>) {
    let start = out.len();
    for signal in (0..32u8).filter(|bit| set >> bit & 1 == 1) {
        if let Some(name) = signal::signal_name(signal + 1) {
            if out.len() > start {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
}

/// Name of a user in the container of the event's thread.
pub fn user<'a>(view: &EventView<'a>, uid: u32) -> &'a [u8] {
    if uid == u32::MAX {
        return b"<NONE>";
    }
    let container = view.thread().map_or(&b""[..], |t| t.container_id());
    view.state
        .user(container, uid)
        .map_or(b"<NA>", |user| &user.name)
}

/// Name of a group in the container of the event's thread.
pub fn group<'a>(view: &EventView<'a>, gid: u32) -> &'a [u8] {
    if gid == u32::MAX {
        return b"<NONE>";
    }
    let container = view.thread().map_or(&b""[..], |t| t.container_id());
    view.state
        .group(container, gid)
        .map_or(b"<NA>", |group| &group.name)
}
