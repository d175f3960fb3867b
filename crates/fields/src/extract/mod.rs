//! Values of all fields.
//!
//! [`value`] is entered once per predicate and event. The few fields that nearly every rule asks for come
//! first; the rest is found by class, then by number: two jumps, no search. Values borrow from the event or
//! the state; what must be composed is written into the caller's scratch arena.
//!
//! Where the original has defects, this is what happens instead:
//!
//! - `evt.abspath` does not change what `fd.*` mean afterwards.
//! - `proc.ppid.duration` is missing while the parent's start is unknown; the original shows the number of
//!   descriptors.
//! - `evt.deltatime*` are the time since the previous event in JSON too; the original shows 0 there.
//! - `evt.buffer` of an empty buffer is `NULL`, without left-over bytes behind it, and is encoded in base64 once.
//! - `evt.rawarg.NAME` of any integer type can be printed.
//! - `fs.path.*` of renameat and linkat are relative to the descriptors that the call names; the original takes
//!   the current directory. The current directory stands where a call says so (`AT_FDCWD`).

mod capability;
pub use capability::capability;
mod container;
mod descriptor;
mod event;
mod orchestration;
mod paths;
mod process;
mod syslog;

use std::net::IpAddr;

use crate::catalogue::{Class, FIRST_STATIC, Id};
use crate::render::Out;
use crate::view::EventView;
use bumpalo::Bump;
use filter::{Argument, FieldRef, Purpose, Value};

/// What an extractor gets besides the event.
#[derive(Clone, Copy)]
struct Ask<'f, 's> {
    id: Id,
    arg: &'f Argument,
    purpose: Purpose,
    scratch: &'s Bump,
}

impl<'s> Ask<'_, 's> {
    /// Text that `write` composes.
    fn compose(&self, write: impl FnOnce(&mut Out<'s>)) -> Value<'s> {
        let mut out = Out::new_in(self.scratch);
        write(&mut out);
        Value::Bytes(out.into_bump_slice())
    }

    fn is_comparison(&self) -> bool {
        self.purpose == Purpose::Compare
    }
}

/// The value of a field; `None` where the event has none.
#[inline]
pub(crate) fn value<'s>(
    view: &'s EventView<'s>,
    field: &FieldRef,
    purpose: Purpose,
    scratch: &'s Bump,
) -> Option<Value<'s>> {
    let Some(id) = Id::from_number(field.id) else {
        return static_value(view, field.id);
    };
    match id {
        Id::EvtType => Some(Value::Bytes(event::name(view))),
        Id::ProcName => Some(Value::Bytes(view.thread()?.comm())),
        Id::ProcExepath => Some(Value::Bytes(view.thread()?.image.exepath())),
        Id::ProcCmdline => Some(Value::Bytes(view.thread()?.image.cmdline())),
        Id::EvtIsOpenWrite => Some(Value::Bool(event::is_open(view, event::WRITE))),
        Id::EvtIsOpenRead => Some(Value::Bool(event::is_open(view, event::READ))),
        Id::ContainerId => container::id(view),
        Id::FdName | Id::FdTypechar | Id::FdNum | Id::FdDirectory | Id::FdFilename => {
            descriptor::frequent(view, id).unwrap_or_else(|| {
                descriptor::value(
                    view,
                    &Ask {
                        id,
                        arg: &field.arg,
                        purpose,
                        scratch,
                    },
                )
            })
        }
        _ => by_class(
            view,
            &Ask {
                id,
                arg: &field.arg,
                purpose,
                scratch,
            },
        ),
    }
}

fn static_value<'s>(view: &'s EventView<'s>, number: u16) -> Option<Value<'s>> {
    let index = usize::from(number.checked_sub(FIRST_STATIC)?);
    view.env.statics.get(index).map(|v| Value::Bytes(v))
}

fn by_class<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    match ask.id.row().class {
        Class::Generic | Class::Event | Class::Util => event::value(view, ask),
        Class::Process => process::value(view, ask),
        Class::User | Class::Group => process::account(view, ask),
        Class::Descriptor => descriptor::value(view, ask),
        Class::Path => paths::value(view, ask),
        Class::FdList => descriptor::list(view, ask),
        Class::Container => container::value(view, ask),
        Class::Syslog => syslog::value(view, ask),
        Class::Mesos => orchestration::mesos(view, ask),
        Class::Span | Class::EvtIn | Class::Static => None,
    }
}

/// The address in a parameter of 4 or 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(|b: [u8; 4]| IpAddr::from(b)),
        16 => bytes.try_into().ok().map(|b: [u8; 16]| IpAddr::from(b)),
        _ => None,
    }
}

/// A text as value.
fn bytes<'s>(text: &'s (impl AsRef<[u8]> + ?Sized)) -> Option<Value<'s>> {
    Some(Value::Bytes(text.as_ref()))
}
