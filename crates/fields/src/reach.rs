//! Which parameters of an event a field may look at, one bit each: for those who decide what is worth
//! capturing. Never too few; too many where a field can show several things.

use event::{EventCode, EventInfo, ParamType};
use filter::{Argument, FieldDef, Lifetime};

use crate::catalogue::{Class, Id, params};

/// Bits of all parameters.
fn all(info: &EventInfo) -> u32 {
    ((1u64 << info.params.len()) - 1) as u32
}

/// Bits of the parameters of which `wanted` is true.
fn of(info: &EventInfo, wanted: impl Fn(&event::ParamInfo) -> bool) -> u32 {
    let bits = info.params.iter().enumerate();
    bits.filter(|(_, param)| wanted(param))
        .fold(0, |bits, (at, _)| bits | 1 << at)
}

fn is_path(ty: ParamType) -> bool {
    use ParamType as T;
    matches!(
        ty,
        T::CharBuf | T::FsPath | T::FsRelPath | T::SockAddr | T::SockTuple | T::Fd | T::Fd32
    )
}

/// Parameters of events of type `code` that the field may look at.
#[must_use]
pub fn parameters(field: &FieldDef, code: EventCode) -> u32 {
    let Some(info) = code.info() else { return 0 };
    let Some(id) = Id::from_number(field.field.id) else {
        return 0;
    };
    let result = u32::from(!info.params.is_empty());
    match id {
        Id::EvtArg | Id::EvtRawarg => match field.field.arg {
            Argument::Index(index) => params::position(code, index)
                .filter(|&at| at < info.params.len())
                .map_or(0, |at| {
                    let dir = info.params[at].dir_param.map_or(0, |dir| 1 << dir);
                    1 << at | dir
                }),
            _ => all(info),
        },
        Id::EvtType | Id::SyscallType | Id::EvtTypeIs if has_own_name(code) => 0,
        Id::EvtNum
        | Id::EvtCpu
        | Id::EvtDir
        | Id::EvtCategory
        | Id::EvtCount
        | Id::EvtCountExit
        | Id::EvtIsIo
        | Id::EvtIsIoRead
        | Id::EvtIsIoWrite
        | Id::EvtIoDir
        | Id::EvtIsWait
        | Id::EvtIsAsync => 0,
        Id::EvtRes | Id::EvtRawres | Id::EvtFailed => result,
        Id::EvtBuffer => of(info, |param| param.name == "data"),
        Id::EvtIsOpenRead | Id::EvtIsOpenWrite | Id::EvtIsOpenExec | Id::EvtIsOpenCreate => {
            result
                | of(info, |param| {
                    matches!(param.name, "flags" | "mode" | "creat_flags")
                })
        }
        Id::DnsQuery => {
            let fd = info.fd_param.map_or(0, |at| 1 << at);
            result | fd | of(info, |param| is_path(param.ty) || param.name == "data")
        }
        _ if field.lifetime != Lifetime::Event && id.row().class != Class::Descriptor => 0,
        _ => match id.row().class {
            Class::Process | Class::User | Class::Group | Class::Container => 0,
            Class::Descriptor | Class::Path => {
                let fd = info.fd_param.map_or(0, |at| 1 << at);
                result | fd | of(info, |param| is_path(param.ty))
            }
            _ if id.row().name.starts_with("evt.time")
                || id.row().name.starts_with("evt.rawtime")
                || id.row().name.starts_with("evt.datetime")
                || id.row().name.starts_with("evt.deltatime")
                || id.row().name.starts_with("evt.reltime") =>
            {
                0
            }
            _ => all(info),
        },
    }
}

/// Whether the type's name is its own, not something that its parameters hold.
fn has_own_name(code: EventCode) -> bool {
    code.number() > 1 && code.number() != event::codes::ASYNCEVENT_E
}

#[cfg(test)]
mod tests {
    use event::codes as c;
    use filter::Schema;

    use super::*;
    use crate::Catalogue;

    #[test]
    fn parameters_by_field() {
        let catalogue = Catalogue::new([]);
        let reach = |field: &str, code| {
            let field = catalogue.resolve(field).unwrap();
            parameters(&field, EventCode::new(code))
        };
        // openat: fd, dirfd, name, flags, mode, dev, ino
        let open = c::SYSCALL_OPENAT_2_X;
        assert_eq!(reach("evt.type", open), 0);
        assert_eq!(reach("proc.name", open), 0);
        assert_eq!(reach("evt.failed", open), 1);
        assert_eq!(reach("evt.arg.flags", open), 1 << 3);
        assert_eq!(reach("evt.arg.name", open), 1 << 2 | 1 << 1);
        assert_eq!(reach("fd.name", open), 0b111);
        assert_eq!(reach("evt.is_open_write", open), 0b1_1001);
        assert_eq!(reach("evt.args", open), 0x7f);
        // read: res, data, fd, size
        assert_eq!(reach("evt.buffer", c::SYSCALL_READ_X), 0b10);
        assert_eq!(reach("fd.name", c::SYSCALL_READ_X), 0b101);
    }
}
