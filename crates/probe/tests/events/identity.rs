//! Who a thread is and what it may do. Credentials are those of one thread in the kernel.

use event::constants as k;

use crate::raw::{Word, fork, syscall};
use crate::stage::{Actor, Row, ends, wait};
use crate::value::none;

pub(crate) const ROWS: &[Row] = row![
    getuid, setuid, setgid, setreuid, setregid, setresuid, setresgid, capset, setpgid, setsid,
    prctl, rlimit, unshare, setns, seccomp,
];

const EPERM: i64 = -1;
const EINVAL: i64 = -22;
/// No user has it.
const USER: u32 = 54_321;

fn getuid(a: &mut Actor) {
    call!(a, SYS_setresgid, 0, 77, 88);
    call!(a, SYS_setresuid, 0, 55, 66);
    call!(a, SYS_getuid);
    sees!(a, SYSCALL_GETUID_X, 0u32);
    call!(a, SYS_geteuid);
    sees!(a, SYSCALL_GETEUID_X, 55u32);
    call!(a, SYS_getgid);
    sees!(a, SYSCALL_GETGID_X, 0u32);
    call!(a, SYS_getegid);
    sees!(a, SYSCALL_GETEGID_X, 77u32);
    let mut ids = [9u32; 3];
    let [x, y, z] = [0, 1, 2].map(|i| (&raw mut ids[i]).word());
    call!(a, SYS_getresuid, x, y, z);
    sees!(a, SYSCALL_GETRESUID_X, 0i64, 0u32, 55u32, 66u32);
    call!(a, SYS_getresgid, x, y, z);
    sees!(a, SYSCALL_GETRESGID_X, 0i64, 0u32, 77u32, 88u32);
    // What cannot be read is 0; the others still hold what the last call left there.
    call!(a, SYS_getresuid, 16, y, z);
    sees!(a, SYSCALL_GETRESUID_X, -14i64, 0u32, 77u32, 88u32);
    call!(a, SYS_getresgid, 16, y, z);
    sees!(a, SYSCALL_GETRESGID_X, -14i64, 0u32, 77u32, 88u32);
}

fn setuid(a: &mut Actor) {
    call!(a, SYS_setuid, USER);
    sees!(a, SYSCALL_SETUID_X, 0i64, USER);
    call!(a, SYS_setuid, 0);
    sees!(a, SYSCALL_SETUID_X, EPERM, 0u32);
}

fn setgid(a: &mut Actor) {
    call!(a, SYS_setgid, USER);
    sees!(a, SYSCALL_SETGID_X, 0i64, USER);
    call!(a, SYS_setuid, USER);
    call!(a, SYS_setgid, 0);
    sees!(a, SYSCALL_SETGID_X, EPERM, 0u32);
}

fn setreuid(a: &mut Actor) {
    call!(a, SYS_setreuid, -1, USER);
    sees!(a, SYSCALL_SETREUID_X, 0i64, u32::MAX, USER);
    call!(a, SYS_setreuid, 5, 6);
    sees!(a, SYSCALL_SETREUID_X, EPERM, 5u32, 6u32);
}

fn setregid(a: &mut Actor) {
    call!(a, SYS_setregid, USER, -1);
    sees!(a, SYSCALL_SETREGID_X, 0i64, USER, u32::MAX);
    call!(a, SYS_setuid, USER);
    call!(a, SYS_setregid, 5, 6);
    sees!(a, SYSCALL_SETREGID_X, EPERM, 5u32, 6u32);
}

fn setresuid(a: &mut Actor) {
    call!(a, SYS_setresuid, USER, USER + 1, USER + 2);
    sees!(a, SYSCALL_SETRESUID_X, 0i64, USER, USER + 1, USER + 2);
    call!(a, SYS_setresuid, -1, 0, -1);
    sees!(a, SYSCALL_SETRESUID_X, EPERM, u32::MAX, 0u32, u32::MAX);
}

fn setresgid(a: &mut Actor) {
    call!(a, SYS_setresgid, -1, USER, -1);
    sees!(a, SYSCALL_SETRESGID_X, 0i64, u32::MAX, USER, u32::MAX);
    call!(a, SYS_setuid, USER);
    call!(a, SYS_setresgid, 1, 2, 3);
    sees!(a, SYSCALL_SETRESGID_X, EPERM, 1u32, 2u32, 3u32);
}

/// Inheritable, permitted and effective, as /proc tells them of this thread.
pub(crate) fn capabilities() -> [u64; 3] {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    ["CapInh:", "CapPrm:", "CapEff:"].map(|key| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        u64::from_str_radix(line[key.len()..].trim(), 16).unwrap()
    })
}

fn capset(a: &mut Actor) {
    let [_, permitted, effective] = capabilities();
    let reduced = (
        k::CAP_NET_RAW as u64,
        permitted & !(k::CAP_SYS_TIME as u64),
        effective & !(k::CAP_SYS_TIME as u64) & !k::CAP_BPF,
    );
    // Version 3: two groups of effective, permitted, inheritable, 32 bits each.
    let header = [0x2008_0522u32, 0];
    let (i, p, e) = reduced;
    let data = [
        e as u32,
        p as u32,
        i as u32,
        (e >> 32) as u32,
        (p >> 32) as u32,
        (i >> 32) as u32,
    ];
    assert_eq!(call!(a, SYS_capset, &raw const header, &raw const data), 0);
    assert_eq!(capabilities(), [i, p, e]);
    sees!(a, SYSCALL_CAPSET_X, 0i64, i, p, e);
    // A refused call tells what the thread still has.
    let all = [u32::MAX; 6];
    assert_eq!(
        call!(a, SYS_capset, &raw const header, &raw const all),
        EPERM
    );
    sees!(a, SYSCALL_CAPSET_X, EPERM, i, p, e);
}

fn setpgid(a: &mut Actor) {
    let child = fork(|| {
        syscall(libc::SYS_pause, &[]);
        0
    });
    call!(a, SYS_setpgid, child, 0);
    sees!(a, SYSCALL_SETPGID_X, 0i64, child, 0i64);
    call!(a, SYS_setpgid, -1, -5);
    sees!(a, SYSCALL_SETPGID_X, EINVAL, -1i64, -5i64);
    syscall(libc::SYS_kill, &[child as u64, 9]);
    wait(child);
}

fn setsid(a: &mut Actor) {
    let child = fork(|| {
        syscall(libc::SYS_setsid, &[]);
        syscall(libc::SYS_setsid, &[]);
        0
    });
    wait(child);
    let born = crate::process::born(event::codes::SYSCALL_FORK_20_X, a.tid, child, child, 0);
    a.child_sees(
        child,
        vec![
            born,
            want!(SYSCALL_SETSID_X, child),
            want!(SYSCALL_SETSID_X, EPERM),
            ends(0),
        ],
    );
}

fn prctl(a: &mut Actor) {
    call!(a, SYS_prctl, libc::PR_SET_NAME, c"given");
    sees!(a, SYSCALL_PRCTL_X, 0i64, k::PR_SET_NAME, c"given", 0i64);
    let mut name = [0u8; 16];
    call!(a, SYS_prctl, libc::PR_GET_NAME, &raw mut name);
    sees!(a, SYSCALL_PRCTL_X, 0i64, k::PR_GET_NAME, c"given", 0i64);
    let mut answer = -1i32;
    call!(a, SYS_prctl, libc::PR_GET_CHILD_SUBREAPER, &raw mut answer);
    let option = k::PR_GET_CHILD_SUBREAPER;
    sees!(a, SYSCALL_PRCTL_X, 0i64, option, none(), i64::from(answer));
    call!(a, SYS_prctl, libc::PR_SET_PDEATHSIG, 999);
    sees!(
        a,
        SYSCALL_PRCTL_X,
        EINVAL,
        k::PR_SET_PDEATHSIG,
        none(),
        999i64
    );
}

fn rlimit(a: &mut Actor) {
    let mut limit = [0i64; 2];
    let at = (&raw mut limit).word();
    let cores = k::RLIMIT_CORE as u8;
    call!(a, SYS_getrlimit, libc::RLIMIT_CORE, at);
    let [soft, hard] = limit;
    sees!(a, SYSCALL_GETRLIMIT_X, 0i64, soft, hard, cores);
    call!(a, SYS_getrlimit, 99, at);
    sees!(
        a,
        SYSCALL_GETRLIMIT_X,
        EINVAL,
        -1i64,
        -1i64,
        k::RLIMIT_UNKNOWN as u8
    );
    call!(a, SYS_setrlimit, libc::RLIMIT_CORE, at);
    sees!(a, SYSCALL_SETRLIMIT_X, 0i64, soft, hard, cores);
    let wrong = [9i64, 3];
    let wrong_at = (&raw const wrong).word();
    call!(a, SYS_setrlimit, libc::RLIMIT_CORE, wrong_at);
    sees!(a, SYSCALL_SETRLIMIT_X, EINVAL, 9i64, 3i64, cores);
    let mut old = [0i64; 2];
    call!(a, SYS_prlimit64, 0, libc::RLIMIT_CORE, at, &raw mut old);
    assert_eq!(old, limit);
    sees!(
        a,
        SYSCALL_PRLIMIT_X,
        0i64,
        soft,
        hard,
        soft,
        hard,
        0i64,
        cores
    );
    let me = i64::from(std::process::id());
    call!(a, SYS_prlimit64, me, libc::RLIMIT_CORE, 0, at);
    sees!(
        a,
        SYSCALL_PRLIMIT_X,
        0i64,
        0i64,
        0i64,
        soft,
        hard,
        me,
        cores
    );
    call!(a, SYS_prlimit64, -1, libc::RLIMIT_NOFILE, wrong_at, at);
    let files = k::RLIMIT_NOFILE as u8;
    sees!(
        a,
        SYSCALL_PRLIMIT_X,
        -3i64,
        9i64,
        3i64,
        -1i64,
        -1i64,
        -1i64,
        files
    );
}

fn unshare(a: &mut Actor) {
    call!(a, SYS_unshare, libc::CLONE_NEWUTS | libc::CLONE_FS);
    let flags = k::CL_CLONE_NEWUTS | k::CL_CLONE_FS;
    sees!(a, SYSCALL_UNSHARE_X, 0i64, flags);
    // A new pid namespace is for processes of one thread.
    call!(a, SYS_unshare, libc::CLONE_NEWUSER | 1);
    sees!(a, SYSCALL_UNSHARE_X, EINVAL, k::CL_CLONE_NEWUSER);
}

fn setns(a: &mut Actor) {
    let fd = call!(a, SYS_open, c"/proc/self/ns/uts", libc::O_RDONLY);
    call!(a, SYS_setns, fd, libc::CLONE_NEWUTS);
    sees!(a, SYSCALL_SETNS_X, 0i64, fd, k::CL_CLONE_NEWUTS);
    call!(a, SYS_setns, -1, libc::CLONE_NEWNET);
    sees!(a, SYSCALL_SETNS_X, -9i64, -1i64, k::CL_CLONE_NEWNET);
}

fn seccomp(a: &mut Actor) {
    let action = libc::SECCOMP_RET_ERRNO;
    call!(
        a,
        SYS_seccomp,
        libc::SECCOMP_GET_ACTION_AVAIL,
        0,
        &raw const action
    );
    let op = u64::from(libc::SECCOMP_GET_ACTION_AVAIL);
    sees!(a, SYSCALL_SECCOMP_X, 0i64, op, 0u64);
    call!(a, SYS_seccomp, 99, 3, 0);
    sees!(a, SYSCALL_SECCOMP_X, EINVAL, 99u64, 3u64);
}
