//! Processes and threads: their making by every call that can, their end, and ptrace.

use std::ffi::CString;

use event::{codes, constants as k};
use libc::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_NEWPID, CLONE_NEWUTS,
    CLONE_PARENT_SETTID, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK, CLONE_VM,
    SIGCHLD,
};

use crate::raw::{ChildCall, Word, fork, spawn, syscall};
use crate::stage::{Actor, Row, Want, ends, ends_with_children, wait, wanted};
use crate::value::{Value, count, dynamic, has, kilobytes, none, swapped};

pub(crate) const ROWS: &[Row] = row![
    fork_call,
    vfork,
    clone,
    clone3,
    clone_fails,
    thread,
    pid_namespace,
    user_of_child,
    orphan,
    ptrace,
];

const ESRCH: i64 = -3;

/// What the child does: a call that has an event of its own.
const UMASK: ChildCall = ChildCall {
    number: libc::SYS_getuid,
    args: [0; 5],
};

/// Exe and args as the kernel has them: the start of the command line, 4,096 bytes at most.
pub(crate) fn command_line() -> (Vec<u8>, Vec<u8>) {
    let all = std::fs::read("/proc/self/cmdline").unwrap();
    let exe = all.iter().position(|b| *b == 0).unwrap() + 1;
    assert!(all.len() < 4096, "a short command line");
    (all[..exe].to_vec(), all[exe..].to_vec())
}

/// `name=path` of the five controllers. Those without a hierarchy of their own are in the unified one.
pub(crate) fn cgroups() -> Vec<u8> {
    let text = std::fs::read_to_string("/proc/thread-self/cgroup").unwrap();
    let path_of = |controller: &str| {
        let mut unified = "/";
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, path) = (parts.next().unwrap(), parts.next().unwrap());
            if names.split(',').any(|name| name == controller) {
                return path;
            }
            if names.is_empty() {
                unified = path;
            }
        }
        unified
    };
    let mut bytes = Vec::new();
    for (name, v1) in [
        ("cpuset", "cpuset"),
        ("cpu", "cpu"),
        ("cpuacct", "cpuacct"),
        ("io", "blkio"),
        ("memory", "memory"),
    ] {
        bytes.extend(format!("{name}={}\0", path_of(v1)).into_bytes());
    }
    bytes
}

fn limit() -> i64 {
    let mut limit = [0i64; 2];
    let at = (&raw mut limit).word();
    syscall(libc::SYS_getrlimit, &[u64::from(libc::RLIMIT_NOFILE), at]);
    limit[0]
}

/// Name of the calling thread.
pub(crate) fn comm() -> CString {
    let mut name = std::fs::read("/proc/thread-self/comm").unwrap();
    name.pop();
    CString::new(name).unwrap()
}

/// The one who started this process.
fn grandparent() -> i64 {
    syscall(libc::SYS_getppid, &[])
}

/// Nanoseconds from boot to the start of a process, which /proc tells in ticks.
fn start_of(pid: i64) -> Value {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split(' ')
        .nth(20)
        .unwrap()
        .parse()
        .unwrap();
    // SAFETY: a question.
    let tick = 1_000_000_000 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    has(format!("start of {pid}: tick {ticks}"), move |b| {
        b.try_into().map_or(0, u64::from_le_bytes) / tick == ticks
    })
}

struct Family {
    code: u16,
    res: i64,
    tid: i64,
    pid: i64,
    ptid: i64,
    flags: u32,
    ids: (u32, u32),
    virtual_ids: (i64, i64),
    namespace_start: Value,
}

/// An event of the clone family, seen by parent or child. Called on the parent's thread.
fn family(f: Family) -> Want {
    let (exe, args) = if f.res < 0 {
        (vec![], vec![])
    } else {
        command_line()
    };
    wanted(
        f.code,
        vec![
            f.res.into(),
            exe.into(),
            args.into(),
            f.tid.into(),
            f.pid.into(),
            f.ptid.into(),
            none(),
            limit().into(),
            count(),
            count(),
            kilobytes(),
            kilobytes(),
            swapped(),
            (&comm()).into(),
            cgroups().into(),
            f.flags.into(),
            f.ids.0.into(),
            f.ids.1.into(),
            f.virtual_ids.0.into(),
            f.virtual_ids.1.into(),
            f.namespace_start,
        ],
    )
}

/// First event of a child (or thread) of the calling thread.
pub(crate) fn born(code: u16, parent: i64, tid: i64, pid: i64, flags: u32) -> Want {
    let ptid = if pid == tid { parent } else { grandparent() };
    family(Family {
        code,
        res: 0,
        tid,
        pid,
        ptid,
        flags,
        ids: (0, 0),
        virtual_ids: (tid, pid),
        namespace_start: start_of(1),
    })
}

/// The same event as the calling thread sees it.
pub(crate) fn bore(code: u16, res: i64, flags: u32) -> Want {
    let (tid, pid) = (
        syscall(libc::SYS_gettid, &[]),
        i64::from(std::process::id()),
    );
    family(Family {
        code,
        res,
        tid,
        pid,
        ptid: grandparent(),
        flags,
        ids: (0, 0),
        virtual_ids: (tid, pid),
        namespace_start: 0u64.into(),
    })
}

fn told(a: &mut Actor, want: Want) {
    a.want(want);
}

/// Parent's and child's side of a child that makes one call and ends.
fn both_sides(a: &mut Actor, code: u16, child: i64, flags: u32) {
    assert!(child > 0, "{child}");
    let status = wait(child);
    assert_eq!(status, 7 << 8);
    told(a, bore(code, child, flags));
    a.child_sees(
        child,
        vec![
            born(code, a.tid, child, child, flags),
            want!(SYSCALL_GETUID_X, 0u32),
            ends(7 << 8),
        ],
    );
}

fn fork_call(a: &mut Actor) {
    let child = a.step("fork", || spawn(libc::SYS_fork, [0; 5], UMASK));
    both_sides(a, codes::SYSCALL_FORK_20_X, child, 0);
}

fn vfork(a: &mut Actor) {
    let child = a.step("vfork", || spawn(libc::SYS_vfork, [0; 5], UMASK));
    both_sides(a, codes::SYSCALL_VFORK_20_X, child, 0);
}

fn clone(a: &mut Actor) {
    let mut place = 0i32;
    let flags = CLONE_FS | CLONE_FILES | CLONE_PARENT_SETTID | CLONE_NEWUTS | SIGCHLD;
    // A new namespace of host names and a shared folder go together; both are told.
    let told = k::CL_CLONE_FS | k::CL_CLONE_FILES | k::CL_CLONE_PARENT_SETTID | k::CL_CLONE_NEWUTS;
    let args = [flags.word(), 0, (&raw mut place).word(), 0, 0];
    let child = a.step("clone", || spawn(libc::SYS_clone, args, UMASK));
    assert_eq!(i64::from(place), child);
    both_sides(a, codes::SYSCALL_CLONE_20_X, child, told);
}

/// `struct clone_args`.
fn clone_args(flags: i32, signal: i32) -> [u64; 8] {
    [flags.word(), 0, 0, 0, signal.word(), 0, 0, 0]
}

fn clone3(a: &mut Actor) {
    let flags = CLONE_VM | CLONE_VFORK | CLONE_SYSVSEM;
    let told = k::CL_CLONE_VM | k::CL_CLONE_VFORK | k::CL_CLONE_SYSVSEM;
    let plan = clone_args(flags, SIGCHLD);
    let args = [(&raw const plan).word(), 64, 0, 0, 0];
    let child = a.step("clone3", || spawn(libc::SYS_clone3, args, UMASK));
    both_sides(a, codes::SYSCALL_CLONE3_X, child, told);
}

fn clone_fails(a: &mut Actor) {
    let einval = -22i64;
    let flags = CLONE_THREAD | SIGCHLD;
    a.step("clone", || {
        spawn(libc::SYS_clone, [flags.word(), 0, 0, 0, 0], UMASK)
    });
    told(
        a,
        bore(codes::SYSCALL_CLONE_20_X, einval, k::CL_CLONE_THREAD),
    );
    let plan = clone_args(CLONE_SIGHAND, 0);
    let args = [(&raw const plan).word(), 64, 0, 0, 0];
    a.step("clone3", || spawn(libc::SYS_clone3, args, UMASK));
    told(
        a,
        bore(codes::SYSCALL_CLONE3_X, einval, k::CL_CLONE_SIGHAND),
    );
}

fn thread(a: &mut Actor) {
    let mut word = 1i32;
    let at = (&raw mut word).word();
    let flags = CLONE_VM
        | CLONE_FS
        | CLONE_FILES
        | CLONE_SIGHAND
        | CLONE_THREAD
        | CLONE_SYSVSEM
        | CLONE_CHILD_CLEARTID
        | CLONE_CHILD_SETTID;
    let told_flags = k::CL_CLONE_VM
        | k::CL_CLONE_FS
        | k::CL_CLONE_FILES
        | k::CL_CLONE_SIGHAND
        | k::CL_CLONE_THREAD
        | k::CL_CLONE_SYSVSEM
        | k::CL_CLONE_CHILD_CLEARTID
        | k::CL_CLONE_CHILD_SETTID;
    // The stack is never used.
    let stack = vec![0u64; 64];
    let args = [flags.word(), stack.as_ptr_range().end.word(), 0, at, 0];
    let code = codes::SYSCALL_CLONE_20_X;
    let tid = a.step("clone", || {
        let tid = spawn(libc::SYS_clone, args, UMASK);
        // SAFETY: the kernel writes there at the thread's start and end.
        while unsafe { (at as *const i32).read_volatile() } != 0 {
            std::hint::spin_loop();
        }
        tid
    });
    told(a, bore(code, tid, told_flags));
    let me = i64::from(std::process::id());
    a.child_sees(
        tid,
        vec![
            born(code, a.tid, tid, me, told_flags),
            want!(SYSCALL_GETUID_X, 0u32),
            ends(7 << 8),
        ],
    );
}

/// A process that is number 1 of its own namespace.
fn pid_namespace(a: &mut Actor) {
    let flags = CLONE_NEWPID | SIGCHLD;
    // It stays until its start time has been read.
    let mut ends_of_pipe = [0i32; 2];
    call!(a, SYS_pipe, &raw mut ends_of_pipe);
    let mut byte = 0u8;
    let read = ChildCall {
        number: libc::SYS_read,
        args: [ends_of_pipe[0].word(), (&raw mut byte).word(), 1, 0, 0],
    };
    let child = a.step("clone", || {
        spawn(libc::SYS_clone, [flags.word(), 0, 0, 0, 0], read)
    });
    assert!(child > 0);
    // The parent's own namespace is the first one; the child's is not.
    let code = codes::SYSCALL_CLONE_20_X;
    told(a, bore(code, child, k::CL_CLONE_NEWPID));
    let flags = k::CL_CLONE_NEWPID | k::CL_CHILD_IN_PIDNS;
    let birth = family(Family {
        code,
        res: 0,
        tid: child,
        pid: child,
        ptid: a.tid,
        flags,
        ids: (0, 0),
        virtual_ids: (1, 1),
        namespace_start: start_of(child),
    });
    call!(a, SYS_write, ends_of_pipe[1], c"!", 1);
    wait(child);
    let fd = i64::from(ends_of_pipe[0]);
    a.child_sees(
        child,
        vec![
            birth,
            want!(SYSCALL_READ_X, 1i64, &b"!"[..], fd, 1u32),
            ends(7 << 8),
        ],
    );
}

fn user_of_child(a: &mut Actor) {
    call!(a, SYS_setresgid, -1, 1234, -1);
    call!(a, SYS_setresuid, -1, 4321, -1);
    let code = codes::SYSCALL_FORK_20_X;
    let child = a.step("fork", || {
        spawn(
            libc::SYS_fork,
            [0; 5],
            ChildCall {
                number: libc::SYS_geteuid,
                args: [0; 5],
            },
        )
    });
    wait(child);
    let birth = family(Family {
        code,
        res: 0,
        tid: child,
        pid: child,
        ptid: a.tid,
        flags: 0,
        ids: (4321, 1234),
        virtual_ids: (child, child),
        namespace_start: start_of(1),
    });
    a.child_sees(
        child,
        vec![birth, want!(SYSCALL_GETEUID_X, 4321u32), ends(7 << 8)],
    );
}

/// Who takes over the children of a process that ends: the nearest one that asked for it.
fn orphan(a: &mut Actor) {
    let mut middle = 0i64;
    let page = syscall(libc::SYS_mmap, &[0, 4096, 3, 0x21, u64::MAX, 0]);
    assert!(page > 0);
    let shared = page as *mut i64;
    let reaper = fork(|| {
        syscall(libc::SYS_prctl, &[libc::PR_SET_CHILD_SUBREAPER as u64, 1]);
        let parent = fork(|| {
            let child = fork(|| {
                // Until its parent has gone.
                let parent = syscall(libc::SYS_getppid, &[]);
                while syscall(libc::SYS_getppid, &[]) == parent {
                    syscall(libc::SYS_sched_yield, &[]);
                }
                0
            });
            i64::from(child < 0)
        });
        // SAFETY: the page is shared between these processes and outlives them.
        unsafe { shared.write_volatile(parent) };
        syscall(libc::SYS_wait4, &[u64::MAX, 0, 0x4000_0000, 0]);
        syscall(libc::SYS_wait4, &[u64::MAX, 0, 0x4000_0000, 0]);
        0
    });
    wait(reaper);
    // SAFETY: as above; all writers have ended.
    middle += unsafe { shared.read_volatile() };
    a.child_ends(middle, ends_with_children(0, reaper));
}

fn ptrace(a: &mut Actor) {
    let value = 0x1122_3344_5566_7788u64;
    let at = (&raw const value).word();
    let child = fork(|| {
        syscall(libc::SYS_ptrace, &[libc::PTRACE_TRACEME.into(), 0, 0, 0]);
        let me = syscall(libc::SYS_getpid, &[]);
        syscall(libc::SYS_kill, &[me as u64, libc::SIGSTOP as u64]);
        0
    });
    let mut status = 0i32;
    syscall(
        libc::SYS_wait4,
        &[child as u64, (&raw mut status).word(), 2, 0],
    );
    assert!(libc::WIFSTOPPED(status));
    let number = |n: u64| dynamic(k::PTRACE_IDX_UINT64 as u8, &n.to_le_bytes());
    let mut word = 0u64;
    let out = (&raw mut word).word();
    call!(a, SYS_ptrace, libc::PTRACE_PEEKDATA, child, at, out);
    assert_eq!(word, value);
    sees!(
        a,
        SYSCALL_PTRACE_X,
        0i64,
        number(at),
        number(value),
        k::PTRACE_PEEKDATA as u16,
        child
    );
    call!(a, SYS_ptrace, libc::PTRACE_POKEDATA, child, at, 99);
    sees!(
        a,
        SYSCALL_PTRACE_X,
        0i64,
        number(at),
        number(99),
        k::PTRACE_POKEDATA as u16,
        child
    );
    call!(a, SYS_ptrace, libc::PTRACE_ATTACH, 0x3fff_ffff, 5, 6);
    let attach = k::PTRACE_ATTACH as u16;
    sees!(
        a,
        SYSCALL_PTRACE_X,
        ESRCH,
        number(0),
        number(0),
        attach,
        0x3fff_ffffi64
    );
    call!(a, SYS_ptrace, libc::PTRACE_CONT, child, 1, 0);
    let signal = dynamic(k::PTRACE_IDX_SIGTYPE as u8, &[0]);
    sees!(
        a,
        SYSCALL_PTRACE_X,
        0i64,
        number(1),
        signal,
        k::PTRACE_CONT as u16,
        child
    );
    wait(child);
}
