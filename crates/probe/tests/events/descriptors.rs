//! Descriptors: making, copying, closing, and the kinds without a name.

use event::constants as k;
use libc::{O_CLOEXEC, O_NONBLOCK};

use crate::raw::Word;
use crate::stage::{Actor, Row};

pub(crate) const ROWS: &[Row] = row![
    dup,
    close_range,
    pipe,
    eventfd,
    signalfd,
    timerfd_create,
    inotify_init,
    epoll_create,
    memfd_create,
    userfaultfd,
    pidfd,
    fcntl,
    flock,
    ioctl,
];

const EBADF: i64 = -9;
const EINVAL: i64 = -22;
const EMFILE: i64 = -24;

fn null(a: &mut Actor) -> i64 {
    let fd = call!(a, SYS_open, c"/dev/null", libc::O_RDWR);
    assert!(fd > 0);
    fd
}

fn dup(a: &mut Actor) {
    let old = null(a);
    let new = call!(a, SYS_dup, old);
    sees!(a, SYSCALL_DUP_1_X, new, old);
    call!(a, SYS_dup, -1);
    sees!(a, SYSCALL_DUP_1_X, EBADF, -1i64);
    call!(a, SYS_dup2, old, new);
    sees!(a, SYSCALL_DUP2_X, new, old, new);
    call!(a, SYS_dup2, -7, new);
    sees!(a, SYSCALL_DUP2_X, EBADF, -7i64, new);
    call!(a, SYS_dup3, old, new, O_CLOEXEC);
    sees!(a, SYSCALL_DUP3_X, new, old, new, k::O_CLOEXEC);
    call!(a, SYS_dup3, old, old, 0);
    sees!(a, SYSCALL_DUP3_X, EINVAL, old, old, 0u32);
}

fn close_range(a: &mut Actor) {
    assert_eq!(call!(a, SYS_unshare, libc::CLONE_FILES), 0);
    let fd = null(a);
    // Linux 5.11 knows the flag.
    let result = call!(a, SYS_close_range, fd, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    assert!(result == 0 || result == EINVAL);
    let flags = k::CLOSE_RANGE_CLOEXEC;
    sees!(a, SYSCALL_CLOSE_RANGE_X, result, fd as u32, u32::MAX, flags);
    call!(a, SYS_close_range, fd, fd, 0);
    sees!(a, SYSCALL_CLOSE_RANGE_X, 0i64, fd as u32, fd as u32, 0u32);
    call!(a, SYS_close_range, 9, 8, 0);
    sees!(a, SYSCALL_CLOSE_RANGE_X, EINVAL, 9u32, 8u32, 0u32);
}

fn inode_of(fd: i32) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/thread-self/fd/{fd}"))
        .unwrap()
        .ino()
}

fn pipe(a: &mut Actor) {
    let mut ends = [0i32; 2];
    let out = (&raw mut ends).word();
    call!(a, SYS_pipe, out);
    let [one, two] = ends.map(i64::from);
    sees!(a, SYSCALL_PIPE_X, 0i64, one, two, inode_of(ends[0]));
    call!(a, SYS_pipe2, out, O_CLOEXEC | O_NONBLOCK);
    let [one, two] = ends.map(i64::from);
    let flags = k::O_CLOEXEC | k::O_NONBLOCK;
    sees!(a, SYSCALL_PIPE2_X, 0i64, one, two, inode_of(ends[0]), flags);
    // Where the numbers cannot be read they are -1.
    call!(a, SYS_pipe, 16);
    sees!(a, SYSCALL_PIPE_X, -14i64, -1i64, -1i64, 0u64);
    call!(a, SYS_pipe2, 16, 0);
    sees!(a, SYSCALL_PIPE2_X, -14i64, -1i64, -1i64, 0u64, 0u32);
}

/// No descriptor is free any more; the table is this thread's own, the limit is not.
fn fill_table(a: &mut Actor) -> i64 {
    assert_eq!(call!(a, SYS_unshare, libc::CLONE_FILES), 0);
    let fd = null(a);
    let mut taken = fd;
    while taken >= 0 {
        taken = crate::raw::syscall(libc::SYS_dup, &[fd as u64]);
    }
    assert_eq!(taken, EMFILE);
    fd
}

fn eventfd(a: &mut Actor) {
    let fd = call!(a, SYS_eventfd, 7);
    sees!(a, SYSCALL_EVENTFD_X, fd, 7u64, 0u32);
    let fd = call!(a, SYS_eventfd2, 9, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
    let flags = (k::O_NONBLOCK | k::O_CLOEXEC) as u16;
    sees!(a, SYSCALL_EVENTFD2_X, fd, flags, 9u64);
    call!(a, SYS_eventfd2, 9, 0x4_0000);
    sees!(a, SYSCALL_EVENTFD2_X, EINVAL, 0u16, 9u64);
    fill_table(a);
    call!(a, SYS_eventfd, 7);
    sees!(a, SYSCALL_EVENTFD_X, EMFILE, 7u64, 0u32);
}

fn signalfd(a: &mut Actor) {
    let mask = 1u64 << (libc::SIGUSR1 - 1);
    let fd = call!(a, SYS_signalfd, -1, &raw const mask, 8);
    sees!(a, SYSCALL_SIGNALFD_X, fd, -1i64, 0u32, 0u8);
    call!(a, SYS_signalfd, 1, &raw const mask, 3);
    sees!(a, SYSCALL_SIGNALFD_X, EINVAL, 1i64, 0u32, 0u8);
    let fd = call!(a, SYS_signalfd4, -1, &raw const mask, 8, libc::SFD_CLOEXEC);
    sees!(a, SYSCALL_SIGNALFD4_X, fd, k::O_CLOEXEC as u16, -1i64, 0u32);
    call!(a, SYS_signalfd4, -1, &raw const mask, 8, 1);
    sees!(a, SYSCALL_SIGNALFD4_X, EINVAL, 0u16, -1i64, 0u32);
}

fn timerfd_create(a: &mut Actor) {
    let fd = call!(
        a,
        SYS_timerfd_create,
        libc::CLOCK_MONOTONIC,
        libc::TFD_NONBLOCK
    );
    // The original's program knows the flags' bits by the name of open's.
    sees!(a, SYSCALL_TIMERFD_CREATE_X, fd, 1u8, k::O_NONBLOCK as u8);
    call!(a, SYS_timerfd_create, 250, 0);
    sees!(a, SYSCALL_TIMERFD_CREATE_X, EINVAL, 250u8, 0u8);
}

fn inotify_init(a: &mut Actor) {
    let fd = call!(a, SYS_inotify_init);
    sees!(a, SYSCALL_INOTIFY_INIT_X, fd, 0u8);
    let fd = call!(a, SYS_inotify_init1, libc::IN_NONBLOCK | libc::IN_CLOEXEC);
    sees!(
        a,
        SYSCALL_INOTIFY_INIT1_X,
        fd,
        (k::O_NONBLOCK | k::O_CLOEXEC) as u16
    );
    call!(a, SYS_inotify_init1, 1);
    sees!(a, SYSCALL_INOTIFY_INIT1_X, EINVAL, 0u16);
    fill_table(a);
    call!(a, SYS_inotify_init);
    sees!(a, SYSCALL_INOTIFY_INIT_X, EMFILE, 0u8);
}

fn epoll_create(a: &mut Actor) {
    let fd = call!(a, SYS_epoll_create, 33);
    sees!(a, SYSCALL_EPOLL_CREATE_X, fd, 33i32);
    call!(a, SYS_epoll_create, -1);
    sees!(a, SYSCALL_EPOLL_CREATE_X, EINVAL, -1i32);
    let fd = call!(a, SYS_epoll_create1, libc::EPOLL_CLOEXEC);
    sees!(a, SYSCALL_EPOLL_CREATE1_X, fd, k::EPOLL_CLOEXEC);
    call!(a, SYS_epoll_create1, 4);
    sees!(a, SYSCALL_EPOLL_CREATE1_X, EINVAL, 0u32);
}

fn memfd_create(a: &mut Actor) {
    let fd = call!(
        a,
        SYS_memfd_create,
        c"in memory",
        libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING
    );
    let flags = k::MFD_CLOEXEC | k::MFD_ALLOW_SEALING;
    sees!(a, SYSCALL_MEMFD_CREATE_X, fd, c"in memory", flags);
    call!(a, SYS_memfd_create, c"x", 0x4000);
    sees!(a, SYSCALL_MEMFD_CREATE_X, EINVAL, c"x", 0u32);
}

fn userfaultfd(a: &mut Actor) {
    let fd = call!(a, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    assert!(fd > 0);
    // As they are, not translated.
    sees!(
        a,
        SYSCALL_USERFAULTFD_X,
        fd,
        (O_CLOEXEC | O_NONBLOCK) as u32
    );
    call!(a, SYS_userfaultfd, 0x10);
    sees!(a, SYSCALL_USERFAULTFD_X, EINVAL, 0x10u32);
}

fn pidfd(a: &mut Actor) {
    let me = i64::from(std::process::id());
    let fd = call!(a, SYS_pidfd_open, me, O_NONBLOCK);
    assert!(fd > 0);
    sees!(a, SYSCALL_PIDFD_OPEN_X, fd, me, k::PIDFD_NONBLOCK);
    call!(a, SYS_pidfd_open, 0x3fff_ffff, 0);
    sees!(a, SYSCALL_PIDFD_OPEN_X, -3i64, 0x3fff_ffffi64, 0u32);
    let got = call!(a, SYS_pidfd_getfd, fd, 1, 0);
    sees!(a, SYSCALL_PIDFD_GETFD_X, got, fd, 1i64, 0u32);
    call!(a, SYS_pidfd_getfd, fd, 987_654, 0);
    sees!(a, SYSCALL_PIDFD_GETFD_X, EBADF, fd, 987_654i64, 0u32);
}

fn fcntl(a: &mut Actor) {
    let fd = null(a);
    let copy = call!(a, SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 1000);
    assert_eq!(copy, 1000);
    sees!(
        a,
        SYSCALL_FCNTL_X,
        1000i64,
        fd,
        k::FCNTL_F_DUPFD_CLOEXEC as u8,
        1000u64
    );
    call!(a, SYS_fcntl, fd, libc::F_SETFD, libc::FD_CLOEXEC);
    sees!(a, SYSCALL_FCNTL_X, 0i64, fd, k::FCNTL_F_SETFD as u8, 1u64);
    call!(a, SYS_fcntl, -1, libc::F_GETFL, 0);
    sees!(
        a,
        SYSCALL_FCNTL_X,
        EBADF,
        -1i64,
        k::FCNTL_F_GETFL as u8,
        0u64
    );
}

fn flock(a: &mut Actor) {
    let path = a.file("lock", b"");
    let fd = call!(a, SYS_open, &path, libc::O_RDWR);
    call!(a, SYS_flock, fd, libc::LOCK_EX | libc::LOCK_NB);
    sees!(a, SYSCALL_FLOCK_X, 0i64, fd, k::LOCK_EX | k::LOCK_NB);
    call!(a, SYS_flock, -1, libc::LOCK_UN);
    sees!(a, SYSCALL_FLOCK_X, EBADF, -1i64, k::LOCK_UN);
}

fn ioctl(a: &mut Actor) {
    let mut ends = [0i32; 2];
    call!(a, SYS_pipe, &raw mut ends);
    let mut waiting = 0i32;
    let out = (&raw mut waiting).word();
    let fd = i64::from(ends[0]);
    call!(a, SYS_ioctl, fd, libc::FIONREAD, out);
    sees!(a, SYSCALL_IOCTL_3_X, 0i64, fd, libc::FIONREAD, out);
    call!(a, SYS_ioctl, fd, libc::TIOCGWINSZ, 0);
    sees!(a, SYSCALL_IOCTL_3_X, -25i64, fd, libc::TIOCGWINSZ, 0u64);
}
