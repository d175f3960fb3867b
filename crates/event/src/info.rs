//! The shape of a row of the event table.

use crate::types::{ParamType, Print};

bitflags::bitflags! {
    /// Properties of an event type (`EF_*` of the schema).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct EventFlags: u32 {
        /// Its result is a new descriptor.
        const CREATES_FD = 1;
        /// It closes the descriptor it names.
        const DESTROYS_FD = 2;
        /// It works on the descriptor it names.
        const USES_FD = 4;
        /// It reads from the descriptor.
        const READS_FROM_FD = 8;
        /// It writes to the descriptor.
        const WRITES_TO_FD = 16;
        /// State must see it even where a capture filter hides it.
        const MODIFIES_STATE = 32;
        /// Never delivered.
        const UNUSED = 64;
        /// It may block.
        const WAITS = 128;
        /// It belongs to no thread.
        const SKIP_PARSE_RESET = 256;
        /// Superseded; converted when read from a file.
        const OLD_VERSION = 512;
        /// Parameter lengths take 4 bytes instead of 2.
        const LARGE_PAYLOAD = 2048;
        /// The conversion table has rules for it.
        const CONVERTER_MANAGED = 4096;
    }
}

/// Where an event type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A system call.
    Syscall,
    /// A kernel tracepoint.
    Tracepoint,
    /// A plugin.
    Plugin,
    /// The engine itself.
    Meta,
    /// A kernel iterator at start.
    Iterator,
    /// A type that nothing sends.
    None,
}

/// What an event type is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum Category {
    Unknown,
    Other,
    File,
    Net,
    Ipc,
    Memory,
    Process,
    Sleep,
    System,
    Signal,
    User,
    Time,
    Processing,
    IoRead,
    IoWrite,
    IoOther,
    Wait,
    Scheduler,
}

/// A named bit set or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As printed.
    pub name: &'static str,
    /// The bits.
    pub value: u32,
}

/// One variant of a parameter whose first byte tells its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynVariant {
    /// Type of the bytes after the index.
    pub ty: ParamType,
    /// How they print.
    pub print: Print,
}

/// A parameter of an event type.
#[derive(Clone, Copy, Debug)]
pub struct ParamInfo {
    /// Name as in `evt.arg.NAME`.
    pub name: &'static str,
    /// Type of its bytes.
    pub ty: ParamType,
    /// How its integers print.
    pub print: Print,
    /// Names of its bits or values; empty for most.
    pub flags: &'static [Flag],
    /// Variants of a [`ParamType::Dyn`]; empty for all others.
    pub variants: &'static [DynVariant],
    /// Index of the directory descriptor that a [`ParamType::FsRelPath`] is relative to.
    pub dir_param: Option<u8>,
}

/// A row of the event table.
#[derive(Clone, Copy, Debug)]
pub struct EventInfo {
    /// Its number: even enters, odd leaves.
    pub code: u16,
    /// The schema's name, `PPME_...`.
    pub id: &'static str,
    /// `evt.type`.
    pub name: &'static str,
    /// Who sends it.
    pub source: Source,
    /// What it is about.
    pub category: Category,
    /// Hidden unless asked for.
    pub internal: bool,
    /// Its properties.
    pub flags: EventFlags,
    /// Index of the parameter that holds the descriptor it uses.
    pub fd_param: Option<u8>,
    /// Its parameters, in order.
    pub params: &'static [ParamInfo],
    /// Width in bytes of the return value, parameter 0 of an exit; 0: it has none.
    pub(crate) result_width: u8,
}

impl EventInfo {
    /// Whether this is an entry (`>`), not a return (`<`).
    #[must_use]
    pub const fn is_enter(&self) -> bool {
        self.code & 1 == 0
    }

    /// Whether its events tell what the call returned.
    #[must_use]
    pub const fn has_result(&self) -> bool {
        self.result_width != 0
    }

    /// Index of the parameter with this name.
    #[must_use]
    pub fn param_index(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|p| p.name == name)
    }
}

/// A system call of one architecture.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// The architecture's number.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// Code that does not depend on the architecture.
    pub code: u16,
    /// `UF_*` bits of the schema: used 1, never drop 2, always drop 4, atomic 16.
    pub flags: u8,
    /// Event type when entered.
    pub enter: u16,
    /// Event type when left.
    pub exit: u16,
}

pub(crate) const fn flag(name: &'static str, value: u32) -> Flag {
    Flag { name, value }
}

pub(crate) const fn dynamic(ty: ParamType, print: Print) -> DynVariant {
    DynVariant { ty, print }
}

pub(crate) const fn param(name: &'static str, ty: ParamType, print: Print) -> ParamInfo {
    ParamInfo {
        name,
        ty,
        print,
        flags: &[],
        variants: &[],
        dir_param: None,
    }
}

pub(crate) const fn param_flags(
    name: &'static str,
    ty: ParamType,
    print: Print,
    flags: &'static [Flag],
) -> ParamInfo {
    ParamInfo {
        name,
        ty,
        print,
        flags,
        variants: &[],
        dir_param: None,
    }
}

pub(crate) const fn param_dir(
    name: &'static str,
    ty: ParamType,
    print: Print,
    dir: u8,
) -> ParamInfo {
    ParamInfo {
        name,
        ty,
        print,
        flags: &[],
        variants: &[],
        dir_param: Some(dir),
    }
}

pub(crate) const fn param_dyn(
    name: &'static str,
    ty: ParamType,
    print: Print,
    variants: &'static [DynVariant],
) -> ParamInfo {
    ParamInfo {
        name,
        ty,
        print,
        flags: &[],
        variants,
        dir_param: None,
    }
}

#[allow(clippy::too_many_arguments, reason = "a row of a table")]
pub(crate) const fn event(
    code: u16,
    id: &'static str,
    name: &'static str,
    source: Source,
    category: Category,
    internal: bool,
    flags: u32,
    fd_param: i8,
    params: &'static [ParamInfo],
) -> EventInfo {
    EventInfo {
        code,
        id,
        name,
        source,
        category,
        internal,
        flags: EventFlags::from_bits_retain(flags),
        fd_param: if fd_param < 0 {
            None
        } else {
            Some(fd_param as u8)
        },
        params,
        result_width: match params {
            [first, ..] if code & 1 == 1 => result_width(first.ty),
            _ => 0,
        },
    }
}

/// Calls that cannot fail return what they were asked for: an id, an address.
const fn result_width(ty: ParamType) -> u8 {
    use ParamType as T;
    match ty {
        T::Errno | T::Fd | T::Pid | T::Int64 | T::Uint64 => 8,
        T::Fd32 | T::Pid32 | T::Int32 | T::Uint32 | T::Uid | T::Gid => 4,
        _ => 0,
    }
}

pub(crate) const fn syscall(
    number: u16,
    name: &'static str,
    code: u16,
    flags: u8,
    enter: u16,
    exit: u16,
) -> Syscall {
    Syscall {
        number,
        name,
        code,
        flags,
        enter,
        exit,
    }
}
