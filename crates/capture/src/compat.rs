//! Today's events and descriptors in a form that sysdig 0.29.3 understands.
//!
//! That release (July 2022, still what Debian 12 has) knows the event types below
//! [`FIRST_UNKNOWN`] and passes silently over all others, and descriptors up to files with their open flags; it refuses a capture with others.
//! What it does not know is written as the generic event of its system call, so that none is
//! missing: it shows the name of the call without parameters.

use event::snapshot::{Descriptor, NamedKind, Target};
use event::{EventCode, Record, RecordBuilder, codes as c, syscalls};

use crate::write::event::{Made, copy};

/// The first event type that sysdig 0.29.3 does not know.
pub const FIRST_UNKNOWN: u16 = 336;

/// The descriptor as that release may read it.
pub(crate) fn descriptor<'a>(descriptor: &Descriptor<'a>) -> Descriptor<'a> {
    let target = match descriptor.target {
        Target::Named {
            kind:
                NamedKind::Bpf
                | NamedKind::UserFaultFd
                | NamedKind::IoUring
                | NamedKind::MemFd
                | NamedKind::PidFd,
            name,
        } => Target::Named {
            kind: NamedKind::Unsupported,
            name,
        },
        target => target,
    };
    Descriptor {
        target,
        ..*descriptor
    }
}

/// Makes the records that stand for an event.
pub(crate) fn event(record: &Record<'_>, hidden: Option<usize>, made: &mut Made) {
    let code = record.code.number();
    if code < FIRST_UNKNOWN {
        made.push(&copy(record, usize::MAX, hidden));
        return;
    }
    let call = syscalls::X86_64_SYSCALLS
        .iter()
        .find(|call| call.exit == code || call.enter == code);
    // What is no system call, and unknown then, has no old form.
    let Some(call) = call else { return };
    let generic = EventCode::new(if record.code.is_enter() {
        c::GENERIC_E
    } else {
        c::GENERIC_X
    });
    made.push(&RecordBuilder::new(generic, record.ts, record.tid).u16(call.code));
}
