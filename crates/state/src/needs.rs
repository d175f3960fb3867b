//! What the state takes from each event type: for those who decide which events, and which parts of
//! them, are worth capturing.
//!
//! Whatever its type, an event also tells that its thread exists and when it was last seen. Where an
//! event without other effect is left out, the thread's next event tells that.

use event::{EVENTS, EventCode, EventFlags, codes as c};

/// What an event changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing.
    None,
    /// Something, if the call succeeded.
    Success,
    /// Something, if the call succeeded or is under way (`EINPROGRESS`).
    SuccessOrPending,
    /// Something, if the call succeeded and the descriptor is a socket.
    SuccessOnSocket,
    /// Sizes of memory and numbers of page faults, and nothing else.
    Memory,
    /// Something in any case.
    Always,
}

impl Effect {
    /// Whether a call that failed changes nothing. One that is under way has not failed.
    #[must_use]
    pub const fn ends_with_failure(self) -> bool {
        matches!(
            self,
            Self::None | Self::Success | Self::SuccessOrPending | Self::SuccessOnSocket
        )
    }
}

/// What events of a type change. Types that this crate knows nothing of change nothing.
#[must_use]
pub fn effect(code: EventCode) -> Effect {
    match code.number() {
        c::SYSCALL_BRK_4_X
        | c::SYSCALL_MMAP_X
        | c::SYSCALL_MMAP2_X
        | c::SYSCALL_MUNMAP_X
        | c::SCHEDSWITCH_6_E => Effect::Memory,
        c::SOCKET_CONNECT_X => Effect::SuccessOrPending,
        number if is_transfer(number) => Effect::SuccessOnSocket,
        c::PROCEXIT_1_E
        | c::CONTAINER_JSON_2_E
        | c::ASYNCEVENT_E
        | c::USER_ADDED_E
        | c::USER_DELETED_E
        | c::GROUP_ADDED_E
        | c::GROUP_DELETED_E => Effect::Always,
        number if is_change(number) => Effect::Success,
        // Enter events are kept for their exits.
        _ if code.is_enter()
            && code
                .info()
                .is_some_and(|i| !i.flags.contains(EventFlags::SKIP_PARSE_RESET)) =>
        {
            Effect::Always
        }
        _ => Effect::None,
    }
}

/// Parameters that the state may read of events of a type, one bit each.
#[must_use]
pub fn parameters(code: EventCode) -> u32 {
    let Some(info) = EVENTS.get(usize::from(code.number())) else {
        return 0;
    };
    let all = (1u64 << info.params.len()) - 1;
    let fd = info.fd_param.map_or(0, |at| 1u64 << at);
    let wanted = match effect(code) {
        Effect::None => fd,
        Effect::SuccessOnSocket => {
            let told = |name| info.param_index(name).map_or(0, |at| 1u64 << at);
            1 | fd | told("tuple") | told("msgcontrol")
        }
        _ => all,
    };
    (wanted & all) as u32
}

/// Calls that carry data.
const fn is_transfer(number: u16) -> bool {
    matches!(
        number,
        c::SYSCALL_READ_X
            | c::SYSCALL_WRITE_X
            | c::SYSCALL_READV_X
            | c::SYSCALL_PREAD_X
            | c::SYSCALL_PREADV_X
            | c::SYSCALL_WRITEV_X
            | c::SYSCALL_PWRITE_X
            | c::SYSCALL_PWRITEV_X
            | c::SYSCALL_SENDFILE_X
            | c::SOCKET_RECVFROM_X
            | c::SOCKET_RECVMSG_X
            | c::SOCKET_RECVMMSG_X
            | c::SOCKET_RECV_X
            | c::SOCKET_SEND_X
            | c::SOCKET_SENDTO_X
            | c::SOCKET_SENDMSG_X
            | c::SOCKET_SENDMMSG_X
    )
}

/// Calls that change threads or descriptors where they succeed.
const fn is_change(number: u16) -> bool {
    matches!(
        number,
        c::SYSCALL_OPEN_X
            | c::SYSCALL_OPENAT_2_X
            | c::SYSCALL_OPENAT2_X
            | c::SYSCALL_CREAT_X
            | c::SYSCALL_OPEN_BY_HANDLE_AT_X
            | c::SYSCALL_CLOSE_X
            | c::SYSCALL_CLOSE_RANGE_X
            | c::SYSCALL_CLONE_20_X
            | c::SYSCALL_CLONE3_X
            | c::SYSCALL_FORK_20_X
            | c::SYSCALL_VFORK_20_X
            | c::SYSCALL_EXECVE_19_X
            | c::SYSCALL_EXECVEAT_X
            | c::SOCKET_SOCKET_X
            | c::SOCKET_SOCKETPAIR_X
            | c::SOCKET_BIND_X
            | c::SOCKET_ACCEPT_5_X
            | c::SOCKET_ACCEPT4_6_X
            | c::SOCKET_GETSOCKOPT_X
            | c::SYSCALL_PIPE_X
            | c::SYSCALL_PIPE2_X
            | c::SYSCALL_DUP_1_X
            | c::SYSCALL_DUP2_X
            | c::SYSCALL_DUP3_X
            | c::SYSCALL_FCNTL_X
            | c::SYSCALL_EVENTFD_X
            | c::SYSCALL_EVENTFD2_X
            | c::SYSCALL_SIGNALFD_X
            | c::SYSCALL_SIGNALFD4_X
            | c::SYSCALL_TIMERFD_CREATE_X
            | c::SYSCALL_INOTIFY_INIT_X
            | c::SYSCALL_INOTIFY_INIT1_X
            | c::SYSCALL_EPOLL_CREATE_X
            | c::SYSCALL_EPOLL_CREATE1_X
            | c::SYSCALL_BPF_2_X
            | c::SYSCALL_USERFAULTFD_X
            | c::SYSCALL_IO_URING_SETUP_X
            | c::SYSCALL_MEMFD_CREATE_X
            | c::SYSCALL_PIDFD_OPEN_X
            | c::SYSCALL_PIDFD_GETFD_X
            | c::SYSCALL_CHDIR_X
            | c::SYSCALL_GETCWD_X
            | c::SYSCALL_FCHDIR_X
            | c::SYSCALL_CHROOT_X
            | c::SYSCALL_SETRESUID_X
            | c::SYSCALL_SETREUID_X
            | c::SYSCALL_SETUID_X
            | c::SYSCALL_SETRESGID_X
            | c::SYSCALL_SETREGID_X
            | c::SYSCALL_SETGID_X
            | c::SYSCALL_SETSID_X
            | c::SYSCALL_CAPSET_X
            | c::SYSCALL_UNSHARE_X
            | c::SYSCALL_SETNS_X
            | c::SYSCALL_PRCTL_X
            | c::SYSCALL_SETRLIMIT_X
            | c::SYSCALL_GETRLIMIT_X
            | c::SYSCALL_PRLIMIT_X
    )
}

#[cfg(test)]
mod tests {
    use event::{Record, RecordBuilder, RecordFlags, snapshot};

    use super::*;
    use crate::State;

    /// What there is to see of a state, but for the times and memory of threads.
    fn shown(state: &State) -> String {
        let mut out = String::new();
        for (ix, t) in state.threads() {
            let mut t = t.clone();
            (t.last_event_ts, t.prev_event_ts, t.generation) = (0, 0, 0);
            t.flags -= crate::ThreadFlags::ACTIVE;
            t.memory = crate::Memory::default();
            std::rc::Rc::make_mut(&mut t.descriptors).unsettle();
            out.push_str(&format!("{ix:?} {t:?}\n"));
        }
        out
    }

    /// Whatever a type's parameters hold, its events change no more than [`effect`] admits.
    #[test]
    fn nothing_else_is_changed() {
        for info in &EVENTS {
            let code = EventCode::new(info.code);
            let effect = effect(code);
            let old = EventFlags::OLD_VERSION | EventFlags::UNUSED;
            if effect == Effect::Always || info.flags.intersects(old) {
                continue;
            }
            for (result, seed) in [(0i64, 1i64), (-1, 1), (-1, 3), (0, 3), (7, 4), (-13, 0)] {
                let mut state = State::new(crate::Options::default());
                for tid in [5, 6, 7] {
                    state.load_process(&snapshot::Process {
                        tid,
                        pid: tid,
                        ptid: 5,
                        comm: b"a",
                        ..Default::default()
                    });
                }
                state.finish_load();
                let open = RecordBuilder::new(EventCode::new(c::SYSCALL_OPENAT_2_X), 1, 6)
                    .i64(3)
                    .i64(-100)
                    .text("/file");
                let open = open.u32(1).u32(0).u32(0).u64(1).finish();
                state.process(&Record::parse(&open, 0, RecordFlags::default()).unwrap());
                let before = shown(&state);
                let mut b = RecordBuilder::new(code, 2, 6);
                for (at, param) in info.params.iter().enumerate() {
                    let value = if at == 0 { result } else { seed };
                    b = match param.ty.width() {
                        Some(1) => b.u8(value as u8),
                        Some(2) => b.u16(value as u16),
                        Some(4) => b.u32(value as u32),
                        Some(8) => b.i64(value),
                        _ => b.text("/else"),
                    };
                }
                let bytes = b.finish();
                let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
                state.process(&record);
                // What was put off is done with the next event.
                let next = RecordBuilder::new(EventCode::new(c::SYSCALL_GETUID_X), 3, 6);
                let next = next.u32(0).finish();
                state.process(&Record::parse(&next, 0, RecordFlags::default()).unwrap());
                let free = match effect {
                    Effect::None | Effect::Memory => true,
                    // The only descriptor is a file.
                    Effect::SuccessOnSocket => true,
                    _ => record.result().is_some_and(|r| r < 0),
                };
                if free {
                    assert_eq!(shown(&state), before, "{} {result} {seed}", info.id);
                }
            }
        }
    }
}
