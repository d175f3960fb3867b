//! Sending signals, their arrival, and ends by them.

use event::codes;

use crate::raw::{fork, syscall};
use crate::stage::{Actor, Row, ends, wait};

pub(crate) const ROWS: &[Row] = row![
    kill,
    tkill,
    tgkill,
    arrives_from_a_process,
    arrives_in_real_time,
    child_ended,
    killed,
    quits,
    terminated,
];

const ESRCH: i64 = -3;
const NOBODY: i64 = 0x3fff_ffff;

fn kill(a: &mut Actor) {
    let me = i64::from(std::process::id());
    call!(a, SYS_kill, me, 0);
    sees!(a, SYSCALL_KILL_X, 0i64, me, 0u8);
    call!(a, SYS_kill, NOBODY, libc::SIGTERM);
    sees!(a, SYSCALL_KILL_X, ESRCH, NOBODY, 15u8);
    call!(a, SYS_kill, -NOBODY, libc::SIGUSR1);
    sees!(a, SYSCALL_KILL_X, ESRCH, -NOBODY, 10u8);
}

fn tkill(a: &mut Actor) {
    let me = a.tid;
    call!(a, SYS_tkill, me, 0);
    sees!(a, SYSCALL_TKILL_X, 0i64, me, 0u8);
    call!(a, SYS_tkill, NOBODY, 9);
    sees!(a, SYSCALL_TKILL_X, ESRCH, NOBODY, 9u8);
}

fn tgkill(a: &mut Actor) {
    let (me, process) = (a.tid, i64::from(std::process::id()));
    call!(a, SYS_tgkill, process, me, 0);
    sees!(a, SYSCALL_TGKILL_X, 0i64, process, me, 0u8);
    call!(a, SYS_tgkill, process, NOBODY, 64);
    sees!(a, SYSCALL_TGKILL_X, ESRCH, process, NOBODY, 64u8);
}

extern "C" fn nothing(_: libc::c_int) {}

fn handle(signal: i32) {
    // SAFETY: the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}

/// The number of the generic event of a call.
fn generic(number: i64) -> crate::stage::Want {
    let call = event::syscalls::X86_64_SYSCALLS
        .iter()
        .find(|call| i64::from(call.number) == number)
        .unwrap();
    want!(GENERIC_X, call.code, call.number)
}

/// The return from a handler has no event: the call's number is gone when it ends.
fn arrives_from_a_process(a: &mut Actor) {
    handle(libc::SIGHUP);
    let (me, process) = (a.tid, i64::from(std::process::id()));
    call!(a, SYS_tgkill, process, me, libc::SIGHUP);
    sees!(a, SYSCALL_TGKILL_X, 0i64, process, me, 1u8);
    sees!(a, SIGNALDELIVER_E, process, me, 1u8);
}

/// Of the other signals, only those in real time tell who sent them.
fn arrives_in_real_time(a: &mut Actor) {
    let (me, process) = (a.tid, i64::from(std::process::id()));
    for (signal, sender) in [(41, process), (libc::SIGUSR2, 0)] {
        handle(signal);
        call!(a, SYS_tgkill, process, me, signal);
        sees!(a, SYSCALL_TGKILL_X, 0i64, process, me, signal as u8);
        sees!(a, SIGNALDELIVER_E, sender, me, signal as u8);
    }
}

fn child_ended(a: &mut Actor) {
    let page = syscall(libc::SYS_mmap, &[0, 4096, 3, 0x21, u64::MAX, 0]);
    let shared = page as *mut i64;
    let child = fork(|| {
        handle(libc::SIGCHLD);
        let grandchild = fork(|| 0);
        // SAFETY: the page is shared with the parent, which waits for our end.
        unsafe { shared.write_volatile(grandchild) };
        while syscall(libc::SYS_wait4, &[grandchild as u64, 0, 0, 0]) == -4 {}
        0
    });
    wait(child);
    // SAFETY: as above; the writer has ended.
    let grandchild = unsafe { shared.read_volatile() };
    a.child_has(child, want!(SIGNALDELIVER_E, grandchild, child, 17u8));
}

/// What a child does that gets a signal it does not handle.
fn dies_of(a: &mut Actor, signal: i32, arrives: impl Fn(i64) -> crate::stage::Want) {
    let child = fork(|| {
        // No core file, wherever the machine puts them.
        let none = [0u64; 2];
        syscall(libc::SYS_setrlimit, &[4, (&raw const none) as u64]);
        let me = syscall(libc::SYS_getpid, &[]);
        syscall(libc::SYS_kill, &[me as u64, signal as u64]);
        0
    });
    let status = wait(child);
    assert_eq!(status & 0x7f, signal);
    let born = crate::process::born(codes::SYSCALL_FORK_20_X, a.tid, child, child, 0);
    a.child_sees(
        child,
        vec![
            born,
            want!(SYSCALL_SETRLIMIT_X, 0i64, 0i64, 0i64, 4u8),
            generic(libc::SYS_getpid),
            want!(SYSCALL_KILL_X, 0i64, child, signal as u8),
            arrives(child),
            ends(status),
        ],
    );
}

fn killed(a: &mut Actor) {
    dies_of(a, libc::SIGKILL, |child| {
        want!(SIGNALDELIVER_E, 0i64, child, 9u8)
    });
}

/// One that ends by a core dump comes as itself.
fn quits(a: &mut Actor) {
    dies_of(a, libc::SIGQUIT, |child| {
        want!(SIGNALDELIVER_E, child, child, 3u8)
    });
}

/// One that ends without, as SIGKILL; the end tells which it was.
fn terminated(a: &mut Actor) {
    dies_of(a, libc::SIGTERM, |child| {
        want!(SIGNALDELIVER_E, 0i64, child, 9u8)
    });
}
