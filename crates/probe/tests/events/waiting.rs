//! Waiting: for descriptors, for time, for memory.

use event::constants as k;

use crate::raw::Word;
use crate::stage::{Actor, Row};
use crate::value::has;

pub(crate) const ROWS: &[Row] = row![poll, ppoll, select, epoll_wait, nanosleep, futex, switch];

const EINVAL: i64 = -22;

/// An FDLIST: a count, then descriptor and what happened to it.
fn fd_list(items: &[(i64, u32)]) -> Vec<u8> {
    let mut bytes = (items.len() as u16).to_le_bytes().to_vec();
    for (fd, events) in items {
        bytes.extend(fd.to_le_bytes());
        bytes.extend((*events as i16).to_le_bytes());
    }
    bytes
}

fn pipe_with_a_byte(a: &mut Actor) -> [i64; 2] {
    let mut ends = [0i32; 2];
    call!(a, SYS_pipe, &raw mut ends);
    call!(a, SYS_write, ends[1], c"x", 1);
    ends.map(i64::from)
}

fn poll(a: &mut Actor) {
    let [reader, writer] = pipe_with_a_byte(a);
    let mut fds = [
        libc::pollfd {
            fd: reader as i32,
            events: libc::POLLIN,
            revents: 0,
        },
        libc::pollfd {
            fd: writer as i32,
            events: libc::POLLIN,
            revents: 0,
        },
        libc::pollfd {
            fd: 987_654,
            events: libc::POLLOUT,
            revents: 0,
        },
    ];
    assert_eq!(call!(a, SYS_poll, &raw mut fds, 3, 250), 2);
    let list = fd_list(&[(reader, k::POLLIN), (writer, 0), (987_654, k::POLLNVAL)]);
    sees!(a, SYSCALL_POLL_X, 2i64, list, 250i64);
    call!(a, SYS_poll, 16, 1, -1);
    sees!(a, SYSCALL_POLL_X, -14i64, fd_list(&[]), -1i64);
    // Sixteen are told of twenty.
    let mut many = [libc::pollfd {
        fd: reader as i32,
        events: libc::POLLIN,
        revents: 0,
    }; 20];
    call!(a, SYS_poll, &raw mut many, 20, 0);
    sees!(
        a,
        SYSCALL_POLL_X,
        20i64,
        fd_list(&[(reader, k::POLLIN); 16]),
        0i64
    );
}

fn ppoll(a: &mut Actor) {
    let [reader, writer] = pipe_with_a_byte(a);
    let mut fds = [
        libc::pollfd {
            fd: reader as i32,
            events: 0,
            revents: 0,
        },
        libc::pollfd {
            fd: writer as i32,
            events: libc::POLLOUT,
            revents: 0,
        },
    ];
    let mut left = libc::timespec {
        tv_sec: 3,
        tv_nsec: 0,
    };
    let mask = 1u64 << (libc::SIGUSR2 - 1) | 1 << 40;
    let out = &raw mut fds;
    assert_eq!(
        call!(a, SYS_ppoll, out, 2, &raw mut left, &raw const mask, 8),
        1
    );
    // The kernel leaves there what is left of the time.
    let ns = left.tv_sec * 1_000_000_000 + left.tv_nsec;
    let list = fd_list(&[(reader, 0), (writer, k::POLLOUT)]);
    sees!(a, SYSCALL_PPOLL_X, 1i64, list, ns, mask as u32);
    let bad = libc::timespec {
        tv_sec: 1,
        tv_nsec: -1,
    };
    call!(a, SYS_ppoll, out, 2, &raw const bad, 0, 8);
    let list = fd_list(&[(reader, 0), (writer, k::POLLOUT)]);
    sees!(a, SYSCALL_PPOLL_X, EINVAL, list, 999_999_999i64, 0u32);
    // Without an end: 0, as with a time that cannot be read.
    call!(a, SYS_ppoll, out, 2, 0, 0, 8);
    let list = fd_list(&[(reader, 0), (writer, k::POLLOUT)]);
    sees!(a, SYSCALL_PPOLL_X, 1i64, list, 0u64, 0u32);
}

fn select(a: &mut Actor) {
    let mut time = libc::timeval {
        tv_sec: 0,
        tv_usec: 1,
    };
    call!(a, SYS_select, 0, 0, 0, 0, &raw mut time);
    sees!(a, SYSCALL_SELECT_X, 0i64);
    call!(a, SYS_select, -1, 0, 0, 0, &raw mut time);
    sees!(a, SYSCALL_SELECT_X, EINVAL);
}

fn epoll_wait(a: &mut Actor) {
    let fd = call!(a, SYS_epoll_create1, 0);
    let mut events = [0u8; 120];
    call!(a, SYS_epoll_wait, fd, &raw mut events, 10, 0);
    sees!(a, SYSCALL_EPOLLWAIT_X, 0i64, 10i64);
    call!(a, SYS_epoll_wait, fd, &raw mut events, -4, 0);
    sees!(a, SYSCALL_EPOLLWAIT_X, EINVAL, -4i64);
}

fn nanosleep(a: &mut Actor) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1_234_567,
    };
    call!(a, SYS_nanosleep, &raw const time, 0);
    sees!(a, SYSCALL_NANOSLEEP_X, 0i64, 1_234_567i64);
    let time = libc::timespec {
        tv_sec: 2,
        tv_nsec: 1_000_000_001,
    };
    call!(a, SYS_nanosleep, &raw const time, 0);
    sees!(a, SYSCALL_NANOSLEEP_X, EINVAL, 3_000_000_001i64);
}

fn futex(a: &mut Actor) {
    let word = 5u32;
    let at = (&raw const word).word();
    call!(
        a,
        SYS_futex,
        at,
        libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
        3
    );
    let op = (k::FU_FUTEX_WAKE | k::FU_FUTEX_PRIVATE_FLAG) as u16;
    sees!(a, SYSCALL_FUTEX_X, 0i64, at, op, 3u64);
    call!(a, SYS_futex, at, libc::FUTEX_WAIT, 6, 0);
    sees!(
        a,
        SYSCALL_FUTEX_X,
        -11i64,
        at,
        k::FU_FUTEX_WAIT as u16,
        6u64
    );
}

/// The scheduler takes the thread off its CPU.
fn switch(a: &mut Actor) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    call!(a, SYS_nanosleep, &raw const time, 0);
    sees!(a, SYSCALL_NANOSLEEP_X, 0i64, 20_000_000i64);
    let me = a.tid;
    sees!(
        a,
        SCHEDSWITCH_6_E,
        has("another thread", move |b| b.len() == 8
            && b != me.to_le_bytes()),
        crate::value::count(),
        crate::value::count(),
        crate::value::kilobytes(),
        crate::value::kilobytes(),
        crate::value::swapped()
    );
}
