//! `evt.*`, `syscall.type` and `util.cnt`.

use std::sync::atomic::Ordering;

use event::syscalls::{SYSCALL_NAMES, X86_64_SYSCALLS};
use event::{Category, EventFlags, ParamType, RecordFlags, Source, codes, constants as c, errno};
use filter::{Argument, Purpose, Value};
use state::Kind;

use super::{Ask, bytes, paths, syslog};
use crate::catalogue::{Id, params};
use crate::render;
use crate::render::time::{SECOND, Shape, moment};
use crate::view::EventView;

/// Bit of the open flags that stands for reading.
pub(super) const READ: u32 = c::O_RDONLY;
/// Bit of the open flags that stands for writing.
pub(super) const WRITE: u32 = c::O_WRONLY;

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let record = view.record;
    let flags = record.info.flags;
    let ts = record.ts;
    let time = |shape| match ask.purpose {
        Purpose::Json => Value::Unsigned(ts),
        _ => ask.compose(|out| moment(ts, shape, view.env.zone, out)),
    };
    let has = |flag| Some(Value::Bool(flags.contains(flag)));
    Some(match ask.id {
        Id::EvtNum => Value::Unsigned(view.context.number),
        Id::EvtTime => time(Shape::Time),
        Id::EvtTimeS => time(Shape::TimeSeconds),
        Id::EvtTimeIso8601 => time(Shape::Iso8601),
        Id::EvtDatetime => time(Shape::DateTime),
        Id::EvtDatetimeS => time(Shape::DateTimeSeconds),
        Id::EvtOutputtime if view.env.iso_time => time(Shape::Iso8601),
        Id::EvtOutputtime => time(Shape::Time),
        Id::EvtRawtime => Value::Unsigned(ts),
        Id::EvtRawtimeS => Value::Unsigned(ts / SECOND),
        Id::EvtRawtimeNs => Value::Unsigned(ts % SECOND),
        Id::EvtReltime => Value::Unsigned(relative(view)),
        Id::EvtReltimeS => Value::Unsigned(relative(view) / SECOND),
        Id::EvtReltimeNs => Value::Unsigned(relative(view) % SECOND),
        Id::EvtDeltatime => Value::Unsigned(delta(view)),
        Id::EvtDeltatimeS => Value::Unsigned(delta(view) / SECOND),
        Id::EvtDeltatimeNs => Value::Unsigned(delta(view) % SECOND),
        Id::EvtSource => return bytes(&view.env.source),
        Id::EvtHostname => return bytes(&view.env.hostname),
        Id::EvtIsIoUring => Value::Bool(record.flags.contains(RecordFlags::IO_URING)),
        Id::EvtIsAsync => Value::Bool(record.info.source == Source::Meta),
        Id::EvtAsynctype if record.info.source == Source::Meta => return bytes(name(view)),
        Id::EvtLatency
        | Id::EvtLatencyS
        | Id::EvtLatencyNs
        | Id::EvtLatencyQuantized
        | Id::EvtWaitLatency => Value::Unsigned(0),
        Id::EvtLatencyHuman => Value::Bytes(b"0ns"),
        Id::EvtDir => Value::Bytes(if record.code.is_enter() { b">" } else { b"<" }),
        Id::EvtType => Value::Bytes(name(view)),
        Id::EvtTypeIs => Value::Unsigned(u64::from(is_type(view, ask.arg))),
        Id::SyscallType if record.info.source == Source::Syscall => return bytes(name(view)),
        Id::EvtCategory => Value::Bytes(category(view).as_bytes()),
        Id::EvtCpu => Value::Signed(i64::from(record.cpu as i16)),
        Id::EvtArgs | Id::EvtInfo if is_generic(view) => Value::Bytes(b""),
        Id::EvtArgs | Id::EvtInfo => ask.compose(|out| render::args(view, out)),
        Id::EvtArg => return argument(view, ask),
        Id::EvtRawarg => return raw_argument(view, ask),
        Id::EvtBuffer => return buffer(view, ask),
        Id::EvtBuflen
        | Id::EvtBuflenIn
        | Id::EvtBuflenOut
        | Id::EvtBuflenFile
        | Id::EvtBuflenFileIn
        | Id::EvtBuflenFileOut
        | Id::EvtBuflenNet
        | Id::EvtBuflenNetIn
        | Id::EvtBuflenNetOut => return transferred(view, ask.id),
        Id::EvtRes => return result_text(view, ask),
        Id::EvtRawres => Value::Signed(view.record.result()?),
        Id::EvtFailed => Value::Bool(view.record.result()? < 0),
        Id::EvtIsIo => {
            Value::Bool(flags.intersects(EventFlags::READS_FROM_FD | EventFlags::WRITES_TO_FD))
        }
        Id::EvtIsIoRead => return has(EventFlags::READS_FROM_FD),
        Id::EvtIsIoWrite => return has(EventFlags::WRITES_TO_FD),
        Id::EvtIsWait => return has(EventFlags::WAITS),
        Id::EvtIoDir if flags.contains(EventFlags::READS_FROM_FD) => Value::Bytes(b"read"),
        Id::EvtIoDir if flags.contains(EventFlags::WRITES_TO_FD) => Value::Bytes(b"write"),
        Id::EvtIsSyslog => Value::Bool(syslog::is_message(view)),
        Id::EvtCount => Value::Unsigned(1),
        Id::EvtCountError
        | Id::EvtCountErrorFile
        | Id::EvtCountErrorNet
        | Id::EvtCountErrorMemory
        | Id::EvtCountErrorOther => return error_count(view, ask.id),
        Id::EvtCountExit if !record.code.is_enter() => Value::Unsigned(1),
        Id::EvtCountProcinfo => {
            let main = view.thread().is_some_and(state::Thread::is_main);
            Value::Unsigned(u64::from(main && record.code.number() == codes::PROCINFO_E))
        }
        Id::EvtCountThreadinfo => {
            Value::Unsigned(u64::from(record.code.number() == codes::PROCINFO_E))
        }
        Id::EvtAround => {
            let Argument::Key(center) = ask.arg else {
                return None;
            };
            Value::Unsigned(ts.abs_diff(center.parse().ok()?).div_ceil(1_000_000))
        }
        Id::EvtAbspath => return paths::absolute(view, ask),
        Id::EvtIsOpenRead => Value::Bool(is_open(view, READ)),
        Id::EvtIsOpenWrite => Value::Bool(is_open(view, WRITE)),
        Id::EvtIsOpenExec => Value::Bool(is_open_exec(view)),
        Id::EvtIsOpenCreate => Value::Bool(is_open_create(view)),
        Id::UtilCnt => Value::Unsigned(view.env.reads.fetch_add(1, Ordering::Relaxed)),
        _ => return None,
    })
}

/// Whether the event is of a system call without a type of its own.
fn is_generic(view: &EventView<'_>) -> bool {
    view.record.code.number() <= codes::GENERIC_X
}

/// `evt.type`: the name of the type, or what the event itself says where the type is a collective one.
#[inline]
pub(super) fn name<'s>(view: &EventView<'s>) -> &'s [u8] {
    let record = view.record;
    match record.code.number() {
        codes::GENERIC_E | codes::GENERIC_X => {
            let code = record.u16(0).unwrap_or(0);
            syscall_name(code, record.u16(1)).map_or(record.info.name.as_bytes(), str::as_bytes)
        }
        codes::ASYNCEVENT_E => record.text(1),
        _ => record.info.name.as_bytes(),
    }
}

/// Name of a system call: by the schema's own code, or where that says "unknown" by the machine's number.
fn syscall_name(code: u16, native: Option<u16>) -> Option<&'static str> {
    const UNKNOWN: u16 = 0;
    if code == UNKNOWN
        && let Some(call) = native.and_then(|n| X86_64_SYSCALLS.iter().find(|s| s.number == n))
    {
        return Some(call.name);
    }
    SYSCALL_NAMES.get(usize::from(code)).copied()
}

fn is_type(view: &EventView<'_>, arg: &Argument) -> bool {
    match arg {
        Argument::Index(number) => u32::from(view.record.code.number()) == *number,
        Argument::Key(key) => view.record.info.name == &**key,
        Argument::None => false,
    }
}

fn relative(view: &EventView<'_>) -> u64 {
    view.record
        .ts
        .saturating_sub(view.env.first_event.unwrap_or(0))
}

fn delta(view: &EventView<'_>) -> u64 {
    view.env
        .previous_event
        .map_or(0, |previous| view.record.ts.saturating_sub(previous))
}

/// What the event is about; transfers take the category of what they work on.
fn category(view: &EventView<'_>) -> &'static str {
    if view.record.info.internal {
        return "internal";
    }
    match view.record.info.category {
        Category::Unknown => "unknown",
        Category::Other => "other",
        Category::File => "file",
        Category::Net => "net",
        Category::Ipc => "IPC",
        Category::Memory => "memory",
        Category::Process => "process",
        Category::Sleep => "sleep",
        Category::System => "system",
        Category::Signal => "signal",
        Category::User => "user",
        Category::Time => "time",
        Category::Processing => "processing",
        Category::Wait => "wait",
        Category::Scheduler => "scheduler",
        Category::IoRead | Category::IoWrite | Category::IoOther => {
            match view.descriptor().map(|d| d.kind) {
                Some(Kind::OldFile | Kind::File | Kind::Directory) => "file",
                Some(Kind::Ipv4 | Kind::Ipv6 | Kind::Ipv4Server | Kind::Ipv6Server) => "net",
                Some(Kind::Fifo | Kind::Unix | Kind::EventFd | Kind::SignalFd | Kind::Inotify) => {
                    "ipc"
                }
                _ => "unknown",
            }
        }
    }
}

fn parameter_position(view: &EventView<'_>, arg: &Argument) -> Option<usize> {
    let Argument::Index(index) = *arg else {
        return None;
    };
    params::position(view.record.code, index).filter(|&p| p < view.record.len())
}

fn argument<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let position = parameter_position(view, ask.arg)?;
    Some(ask.compose(|out| render::shown(view, position, out)))
}

/// A parameter as it is.
fn raw_argument<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let position = parameter_position(view, ask.arg)?;
    let ty = view.record.info.params[position].ty;
    let raw = view.record.param(position);
    if raw.is_empty() {
        return None;
    }
    Some(match ty {
        ParamType::CharBuf | ParamType::FsPath | ParamType::FsRelPath => {
            Value::Bytes(render::text(raw))
        }
        ParamType::Ipv4Addr | ParamType::Ipv6Addr | ParamType::IpAddr => {
            Value::Ip(super::address(raw)?)
        }
        ParamType::Double => Value::Double(f64::from_le_bytes(raw.try_into().ok()?)),
        ParamType::Bool => Value::Bool(render::integer(ty, raw)? != 0),
        _ if ty.width().is_some() => {
            let number = render::integer(ty, raw)?;
            if ty.signed() {
                Value::Signed(number)
            } else {
                Value::Unsigned(number as u64)
            }
        }
        _ => Value::Bytes(raw),
    })
}

/// The data; how it prints is up to the output.
fn buffer<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let position = view
        .record
        .info
        .param_index("data")
        .filter(|&p| p < view.record.len())?;
    let raw = view.record.param(position);
    if raw.is_empty() && !ask.is_comparison() {
        return Some(Value::Bytes(b"NULL"));
    }
    Some(Value::Bytes(raw))
}

/// `evt.buflen` and what is counted by direction and kind.
fn transferred<'s>(view: &EventView<'s>, id: Id) -> Option<Value<'s>> {
    let info = view.record.info;
    let io = matches!(
        info.category,
        Category::IoRead | Category::IoWrite | Category::IoOther
    );
    let descriptor = view.descriptor().filter(|_| io)?;
    let reads = info.flags.contains(EventFlags::READS_FROM_FD);
    let writes = info.flags.contains(EventFlags::WRITES_TO_FD);
    let file = descriptor.kind.is_file();
    let net = descriptor.kind.is_ip();
    let counted = match id {
        Id::EvtBuflenIn => reads,
        Id::EvtBuflenOut => writes,
        Id::EvtBuflenFile => file,
        Id::EvtBuflenFileIn => file && reads,
        Id::EvtBuflenFileOut => file && writes,
        Id::EvtBuflenNet => net,
        Id::EvtBuflenNetIn => net && reads,
        Id::EvtBuflenNetOut => net && writes,
        _ => true,
    };
    let length = u64::try_from(view.record.result()?).ok()?;
    counted.then_some(Value::Unsigned(length))
}

/// `SUCCESS`, the error's name, or the number where the call returns something else than an error.
fn result_text<'s>(view: &EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let result = view.record.result()?;
    if result >= 0 {
        return bytes("SUCCESS");
    }
    let named = matches!(
        view.record.info.params[0].ty,
        ParamType::Errno | ParamType::Fd | ParamType::Fd32
    );
    let name = u32::try_from(result.unsigned_abs())
        .ok()
        .and_then(errno::errno_name);
    match name.filter(|_| named) {
        Some(name) => bytes(name),
        None => Some(ask.compose(|out| render::number::signed(result, out))),
    }
}

fn error_count<'s>(view: &EventView<'s>, id: Id) -> Option<Value<'s>> {
    let failed = view.record.result()? < 0;
    let kind = view.descriptor().map(|d| d.kind);
    let name = view.record.info.name;
    let file = match kind {
        Some(kind) => kind.is_file() || kind == Kind::Directory,
        None => matches!(
            name,
            "open" | "openat" | "openat2" | "creat" | "open_by_handle_at"
        ),
    };
    let net = kind.is_some_and(|k| k.is_ip() || k == Kind::Unix)
        || matches!(name, "accept" | "accept4" | "connect");
    let memory = view.record.info.category == Category::Memory;
    let counted = match id {
        Id::EvtCountErrorFile => file,
        Id::EvtCountErrorNet => net,
        Id::EvtCountErrorMemory => memory,
        Id::EvtCountErrorOther => !file && !net && !memory,
        _ => true,
    };
    counted.then_some(Value::Unsigned(u64::from(failed)))
}

/// Flags of an event that opens a file, and the position of its mode.
#[inline]
fn open_flags(view: &EventView<'_>) -> Option<(u32, Option<usize>)> {
    let (flags, mode) = match view.record.code.number() {
        codes::SYSCALL_OPEN_X => (2, Some(3)),
        codes::SYSCALL_OPENAT_2_X | codes::SYSCALL_OPENAT2_X => (3, Some(4)),
        codes::SYSCALL_OPEN_BY_HANDLE_AT_X => (2, None),
        _ => return None,
    };
    Some((view.record.u32(flags).unwrap_or(0), mode))
}

/// Whether a file is opened with all bits of `access`.
#[inline]
pub(super) fn is_open(view: &EventView<'_>, access: u32) -> bool {
    open_flags(view).is_some_and(|(flags, _)| flags & access == access)
}

fn is_open_exec(view: &EventView<'_>) -> bool {
    const ANY_EXECUTE: u32 = c::S_IXUSR | c::S_IXGRP | c::S_IXOTH;
    if view.record.code.number() == codes::SYSCALL_CREAT_X {
        return view.record.u32(2).unwrap_or(0) & ANY_EXECUTE != 0;
    }
    open_flags(view).is_some_and(|(flags, mode)| {
        let mode = || {
            mode.and_then(|position| view.record.u32(position))
                .unwrap_or(0)
        };
        flags & (c::O_CREAT | c::O_TMPFILE) != 0 && mode() & ANY_EXECUTE != 0
    })
}

fn is_open_create(view: &EventView<'_>) -> bool {
    open_flags(view).is_some_and(|(flags, _)| {
        let succeeded = view.record.result().is_some_and(|result| result >= 0);
        flags & c::O_F_CREATED != 0 || (flags & c::O_TMPFILE != 0 && succeeded)
    })
}
