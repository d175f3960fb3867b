//! What stands behind a field's name.

use event::{EVENTS, ParamType, Print};
use filter::{Argument, Format, ResolveError, Type};

use super::params;
use super::row::Arg;
use super::table::Id;

/// A checked argument.
pub(super) struct Parsed {
    pub(super) arg: Argument,
    /// Type and format of the value where the argument decides them.
    pub(super) ty: Option<(Type, Format)>,
}

/// How the argument is written.
enum Written<'t> {
    Nothing,
    Bracket(&'t str),
    Dotted(&'t str),
}

impl<'t> Written<'t> {
    fn new(rest: &'t str) -> Result<Self, ResolveError> {
        if rest.is_empty() {
            return Ok(Self::Nothing);
        }
        if let Some(inner) = rest.strip_prefix('[') {
            return inner
                .strip_suffix(']')
                .map(Self::Bracket)
                .ok_or(ResolveError::Unknown);
        }
        rest.strip_prefix('.')
            .map(Self::Dotted)
            .ok_or(ResolveError::Unknown)
    }
}

/// Checks the text behind the name of field `id` against what the field takes.
///
/// A dotted rest behind a field that takes none is an unknown field, not a wrong argument.
pub(super) fn parse(id: Id, kind: Arg, rest: &str) -> Result<Parsed, ResolveError> {
    let name = id.row().name;
    let plain = |arg| Ok(Parsed { arg, ty: None });
    match (kind, Written::new(rest)?) {
        (kind, Written::Nothing) if kind.optional() => plain(Argument::None),
        (_, Written::Nothing) => Err(ResolveError::Argument(format!(
            "field '{name}' requires an argument"
        ))),
        (Arg::None, Written::Bracket(_)) => Err(ResolveError::Argument(format!(
            "field '{name}' takes no argument"
        ))),
        (Arg::Index | Arg::IndexRequired, Written::Bracket(key)) => plain(index(name, key)?),
        (Arg::Key | Arg::KeyRequired, Written::Bracket(key)) => plain(Argument::Key(key.into())),
        (Arg::Either | Arg::EitherRequired, Written::Bracket(key)) => {
            plain(number(key).map_or_else(|| Argument::Key(key.into()), Argument::Index))
        }
        (Arg::SuffixRequired, Written::Bracket(key) | Written::Dotted(key)) if !key.is_empty() => {
            plain(Argument::Key(key.into()))
        }
        (Arg::Parameter, Written::Bracket(key)) => plain(index(name, key)?),
        (Arg::Parameter, Written::Dotted(key)) => {
            let column = params::number(key).ok_or(ResolveError::Unknown)?;
            plain(Argument::Index(params::NAMED | column))
        }
        (Arg::RawParameter, Written::Dotted(key)) => {
            let column = params::number(key).ok_or(ResolveError::Unknown)?;
            let param = params::first(key).ok_or(ResolveError::Unknown)?;
            let format = match param.print {
                Print::Hex => Format::Hex,
                Print::Oct => Format::Octal,
                Print::Dec | Print::None => Format::Decimal,
            };
            let ty = Some((field_type(param.ty), format));
            Ok(Parsed {
                arg: Argument::Index(params::NAMED | column),
                ty,
            })
        }
        (Arg::EventType, Written::Dotted(key) | Written::Bracket(key)) => {
            if let Some(n) = number(key) {
                if usize::try_from(n).is_ok_and(|n| n < EVENTS.len()) {
                    return plain(Argument::Index(n));
                }
            } else if EVENTS.iter().any(|e| e.name == key) {
                return plain(Argument::Key(key.into()));
            }
            Err(ResolveError::Argument(format!(
                "unknown event type '{key}'"
            )))
        }
        (Arg::Moment, Written::Bracket(key)) if key.parse::<u64>().is_ok() => {
            plain(Argument::Key(key.into()))
        }
        (Arg::Moment, Written::Bracket(_)) => Err(ResolveError::Argument(format!(
            "field '{name}' takes a time in nanoseconds"
        ))),
        (Arg::PathSide, Written::Dotted(key @ ("src" | "dst"))) => plain(Argument::Key(key.into())),
        (Arg::Loose | Arg::LooseRequired, Written::Bracket(key) | Written::Dotted(key)) => {
            plain(Argument::Key(key.into()))
        }
        _ => Err(ResolveError::Unknown),
    }
}

/// A level or position. A negative one means none, as it always did.
fn index(name: &str, text: &str) -> Result<Argument, ResolveError> {
    if let Some(n) = number(text) {
        return Ok(Argument::Index(n));
    }
    let negative = text.strip_prefix('-').is_some_and(|t| number(t).is_some());
    if negative {
        return Ok(Argument::None);
    }
    Err(ResolveError::Argument(format!(
        "field '{name}' takes a number as argument, not '{text}'"
    )))
}

/// Decimal digits only, below the range that [`params::NAMED`] marks.
fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&n| n < params::NAMED)
}

/// Type of the field that gives a parameter as it is.
pub(crate) const fn field_type(ty: ParamType) -> Type {
    use ParamType as P;
    match ty {
        P::Int8 => Type::Int8,
        P::Int16 => Type::Int16,
        P::Int32 => Type::Int32,
        P::Int64 => Type::Int64,
        P::Uint8 => Type::Uint8,
        P::Uint16 => Type::Uint16,
        P::Uint32 => Type::Uint32,
        P::Uint64 => Type::Uint64,
        P::CharBuf | P::CharBufArray | P::CharBufPairArray => Type::CharBuf,
        P::ByteBuf => Type::ByteBuf,
        P::Errno => Type::Errno,
        P::SockAddr => Type::SockAddr,
        P::SockTuple => Type::SockTuple,
        P::Fd | P::Fd32 => Type::Fd,
        P::Pid | P::Pid32 => Type::Pid,
        P::FdList => Type::FdList,
        P::FsPath => Type::FsPath,
        P::FsRelPath => Type::FsRelPath,
        P::SyscallId => Type::SyscallId,
        P::SigType => Type::SigType,
        P::SigSet => Type::SigSet,
        P::RelTime => Type::RelTime,
        P::AbsTime => Type::AbsTime,
        P::Port => Type::Port,
        P::L4Proto => Type::L4Proto,
        P::SockFamily => Type::SockFamily,
        P::Bool => Type::Bool,
        P::Ipv4Addr => Type::Ipv4Addr,
        P::Ipv6Addr => Type::Ipv6Addr,
        P::IpAddr => Type::IpAddr,
        P::Ipv4Net | P::Ipv6Net | P::IpNet => Type::IpNet,
        P::Flags8 => Type::Flags8,
        P::Flags16 => Type::Flags16,
        P::Flags32 => Type::Flags32,
        P::EnumFlags8 => Type::EnumFlags8,
        P::EnumFlags16 => Type::EnumFlags16,
        P::EnumFlags32 => Type::EnumFlags32,
        P::Mode => Type::Mode,
        P::Uid => Type::Uid,
        P::Gid => Type::Gid,
        P::Double => Type::Double,
        P::Dyn | P::None => Type::Dynamic,
    }
}
