//! Today's events and descriptors in a form that sysdig 0.29.3 understands.
//!
//! That release (July 2022, still what Debian 12 has) expects what the drivers of its time sent: two
//! events for a system call, the second with fewer parameters than today's only one. It passes
//! silently over event types from [`FIRST_UNKNOWN`] on, ends at generic events of system calls from
//! [`FIRST_UNKNOWN_CALL`] on, and refuses descriptors of kinds that came after files with their open
//! flags.
//!
//! So an event is written as the pair that it was then:
//!
//! ```text
//! close(res, fd)   ->   close(fd)   close(res)
//! ```
//!
//! with parameters found by their names. Types that came later are written as the older type that
//! stood for them (`dup2` as `dup`, `pipe2` as `pipe`), or else as the generic event of their
//! system call: its name shows, its parameters do not. What is no system call, and was unknown then,
//! is left out. Readers of today get the one event back from the pair; what became generic stays so.

use event::snapshot::{Descriptor, NamedKind, Target};
use event::{EVENTS, EventCode, EventInfo, ParamType, Record, RecordBuilder, codes as c, syscalls};

use crate::write::event::{Made, copy};

/// The first event type that sysdig 0.29.3 does not know.
pub const FIRST_UNKNOWN: u16 = 336;
/// The first code of a system call that it does not know.
pub const FIRST_UNKNOWN_CALL: u16 = 329;

/// Event types with more parameters today, and how many they had: `(exit, count)`, in order.
const COUNTS: [(u16, usize); 82] = [
    (1, 1),
    (3, 5),
    (5, 1),
    (7, 2),
    (9, 2),
    (19, 1),
    (21, 2),
    (23, 2),
    (25, 1),
    (29, 2),
    (31, 2),
    (33, 2),
    (35, 3),
    (37, 1),
    (43, 5),
    (49, 2),
    (51, 0),
    (53, 4),
    (55, 0),
    (59, 4),
    (63, 1),
    (65, 1),
    (71, 1),
    (79, 1),
    (81, 2),
    (87, 1),
    (89, 1),
    (97, 1),
    (113, 2),
    (115, 2),
    (117, 3),
    (119, 2),
    (121, 3),
    (123, 2),
    (127, 1),
    (129, 1),
    (131, 1),
    (133, 1),
    (135, 1),
    (137, 1),
    (139, 1),
    (141, 3),
    (143, 3),
    (145, 5),
    (151, 1),
    (159, 4),
    (161, 4),
    (163, 4),
    (165, 4),
    (167, 1),
    (169, 3),
    (171, 1),
    (189, 2),
    (191, 14),
    (193, 1),
    (195, 1),
    (199, 1),
    (201, 1),
    (223, 20),
    (225, 20),
    (227, 20),
    (237, 1),
    (239, 1),
    (241, 1),
    (243, 1),
    (251, 8),
    (253, 1),
    (255, 2),
    (257, 4),
    (263, 1),
    (265, 2),
    (277, 2),
    (285, 1),
    (293, 20),
    (295, 1),
    (299, 1),
    (307, 6),
    (327, 6),
    (329, 1),
    (331, 20),
    (333, 3),
    (335, 20),
];

/// Newer exit types and the older ones that stood for the same system calls.
const OLDER: [(u16, u16); 10] = [
    (c::SYSCALL_DUP_1_X, c::SYSCALL_DUP_X),
    (c::SYSCALL_DUP2_X, c::SYSCALL_DUP_X),
    (c::SYSCALL_DUP3_X, c::SYSCALL_DUP_X),
    (c::SYSCALL_PIPE2_X, c::SYSCALL_PIPE_X),
    (c::SYSCALL_EVENTFD2_X, c::SYSCALL_EVENTFD_X),
    (c::SYSCALL_SIGNALFD4_X, c::SYSCALL_SIGNALFD_X),
    (c::SYSCALL_INOTIFY_INIT1_X, c::SYSCALL_INOTIFY_INIT_X),
    (c::SOCKET_ACCEPT4_6_X, c::SOCKET_ACCEPT4_5_X),
    (c::SYSCALL_UMOUNT_1_X, c::SYSCALL_UMOUNT_X),
    (c::SYSCALL_UMOUNT2_X, c::SYSCALL_UMOUNT_X),
];

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
    if record.code.is_enter() {
        // Of the calls that have them, the pair is made of the exit.
        if record.info.source != event::Source::Syscall && record.code.number() < FIRST_UNKNOWN {
            made.push(&copy(record, usize::MAX, hidden));
        }
        return;
    }
    let code = record.code.number();
    let older = OLDER.iter().find(|(new, _)| *new == code);
    let target = older.map_or(code, |(_, old)| *old);
    let (Some(exit), Some(enter)) = (row(target), row(target.wrapping_sub(1))) else {
        return;
    };
    if target >= FIRST_UNKNOWN {
        if let Some(call) = syscalls::X86_64_SYSCALLS
            .iter()
            .find(|call| call.exit == code)
        {
            generic(record, call.code, call.number, made);
        }
        return;
    }
    if target == c::GENERIC_X {
        generic(
            record,
            record.u16(0).unwrap_or(0),
            record.u16(1).unwrap_or(0),
            made,
        );
        return;
    }
    // A child has not entered the call that it returns from.
    let is_birth = matches!(
        target,
        c::SYSCALL_CLONE_20_X | c::SYSCALL_CLONE3_X | c::SYSCALL_FORK_20_X | c::SYSCALL_VFORK_20_X
    );
    if !(is_birth && record.result() == Some(0)) {
        made.push(&by_name(record, enter, usize::MAX, None));
    }
    let count = COUNTS
        .binary_search_by_key(&target, |(code, _)| *code)
        .map_or(usize::MAX, |at| COUNTS[at].1);
    made.push(&by_name(record, exit, count, hidden));
}

fn row(code: u16) -> Option<&'static EventInfo> {
    EVENTS.get(usize::from(code))
}

/// The pair of a system call without types of its own.
fn generic(record: &Record<'_>, call: u16, number: u16, made: &mut Made) {
    let known = if call < FIRST_UNKNOWN_CALL { call } else { 0 };
    let new = |code| RecordBuilder::new(EventCode::new(code), record.ts, record.tid);
    made.push(&new(c::GENERIC_E).u16(known).u16(number));
    made.push(&new(c::GENERIC_X).u16(known));
}

/// A record of another type, its first parameters taken from those of the same name.
fn by_name(
    record: &Record<'_>,
    target: &EventInfo,
    count: usize,
    hidden: Option<usize>,
) -> RecordBuilder {
    let mut builder = RecordBuilder::new(EventCode::new(target.code), record.ts, record.tid);
    for (index, wanted) in target.params.iter().enumerate().take(count) {
        // Where both have it at the same place, that is the one: names may come twice.
        let same = record
            .info
            .params
            .get(index)
            .is_some_and(|p| p.name == wanted.name);
        let found = if same {
            Some(index)
        } else {
            let alias = match wanted.name {
                "fd" if record.info.param_index("oldfd").is_some() => "oldfd",
                name => name,
            };
            record.info.param_index(alias)
        };
        let bytes = match found {
            Some(at) if hidden != Some(at) => record.param(at),
            _ => b"",
        };
        push(&mut builder, bytes, wanted.ty);
    }
    builder
}

/// Adds a parameter in the width of its type.
fn push(builder: &mut RecordBuilder, bytes: &[u8], ty: ParamType) {
    match ty.width() {
        Some(width) if !bytes.is_empty() && bytes.len() != width => {
            let mut fitted = [0; 16];
            let kept = bytes.len().min(width).min(fitted.len());
            fitted[..kept].copy_from_slice(&bytes[..kept]);
            builder.push(&fitted[..width.min(fitted.len())]);
        }
        _ => builder.push(bytes),
    }
}

#[cfg(test)]
mod tests {
    use event::RecordFlags;

    use super::*;

    fn made(builder: RecordBuilder) -> Vec<(u16, Vec<Vec<u8>>)> {
        let bytes = builder.finish();
        let record = Record::parse(&bytes, 3, RecordFlags::default()).unwrap();
        let mut made = Made::default();
        event(&record, None, &mut made);
        made.records(&record)
            .map(|r| {
                assert_eq!((r.ts, r.tid, r.cpu), (5, 7, 3));
                let params = (0..r.param_count()).map(|n| r.param(n).to_vec());
                (r.code.number(), params.collect())
            })
            .collect()
    }

    fn new(code: u16) -> RecordBuilder {
        RecordBuilder::new(EventCode::new(code), 5, 7)
    }

    #[test]
    fn one_event_becomes_the_pair_it_was() {
        let pair = made(new(c::SYSCALL_CLOSE_X).i64(0).i64(9));
        let (zero, nine) = (0i64.to_le_bytes().to_vec(), 9i64.to_le_bytes().to_vec());
        assert_eq!(
            pair,
            [
                (c::SYSCALL_CLOSE_E, vec![nine.clone()]),
                (c::SYSCALL_CLOSE_X, vec![zero])
            ]
        );
        let dup = made(new(c::SYSCALL_DUP2_X).i64(4).i64(9).i64(4));
        assert_eq!(dup[0], (c::SYSCALL_DUP_E, vec![nine]));
        assert_eq!(dup[1].0, c::SYSCALL_DUP_X);
        // Widths are those of the old type.
        let eventfd = made(new(c::SYSCALL_EVENTFD2_X).i64(4).u16(1).u64(2));
        assert_eq!(eventfd[0].1[1], 1u32.to_le_bytes());
    }

    #[test]
    fn what_is_unknown_becomes_generic() {
        let chown = made(new(c::SYSCALL_CHOWN_X).i64(0).text("/x").u32(1).u32(1));
        assert_eq!(chown[1].0, c::GENERIC_X);
        let name = u16::from_le_bytes(chown[1].1[0].clone().try_into().unwrap());
        assert_eq!(syscalls::SYSCALL_NAMES[usize::from(name)], "chown");
        let late = made(new(c::GENERIC_X).u16(400).u16(334));
        assert_eq!(late[1].1[0], [0, 0]);
        assert!(made(new(c::SYSCALL_OPENAT_2_E).i64(0).text("x").u32(0).u32(0)).is_empty());
        assert_eq!(made(new(c::PROCEXIT_1_E).i64(0)).len(), 1);
    }

    #[test]
    fn counts_are_in_order_and_smaller_than_today_s() {
        for pair in COUNTS.windows(2) {
            assert!(pair[0].0 < pair[1].0);
        }
        for (code, count) in COUNTS {
            assert!(count < row(code).unwrap().params.len(), "{code}");
        }
        for (new, old) in OLDER {
            assert!(old < FIRST_UNKNOWN && new >= FIRST_UNKNOWN);
        }
    }
}
