//! System calls without a library in between: nothing is called but what stands there, and the
//! result is -errno on failure.

use std::arch::asm;
use std::ffi::{CStr, CString};

/// What can stand as an argument of a system call.
pub(crate) trait Word {
    fn word(self) -> u64;
}

macro_rules! words {
    ($($ty:ty),*) => { $(impl Word for $ty {
        fn word(self) -> u64 { i64::from(self) as u64 }
    })* };
}
words!(i32, u32, i64, u16);

impl Word for u64 {
    fn word(self) -> u64 {
        self
    }
}
impl Word for usize {
    fn word(self) -> u64 {
        self as u64
    }
}
impl<T> Word for *const T {
    fn word(self) -> u64 {
        self as u64
    }
}
impl<T> Word for *mut T {
    fn word(self) -> u64 {
        self as u64
    }
}
impl Word for &CString {
    fn word(self) -> u64 {
        self.as_c_str().word()
    }
}
/// Looks at the text: what nobody has touched may not be in memory, and a program of the probe cannot
/// bring it there.
impl Word for &CStr {
    fn word(self) -> u64 {
        // SAFETY: a string has one byte at least.
        unsafe { std::ptr::read_volatile(self.as_ptr()) };
        self.as_ptr() as u64
    }
}

/// One call.
pub(crate) fn syscall(number: i64, args: &[u64]) -> i64 {
    let mut a = [0u64; 6];
    a[..args.len()].copy_from_slice(args);
    let result: i64;
    // SAFETY: the kernel changes rax, rcx, r11 and what the arguments point to; callers pass
    // pointers to memory of theirs, or to nothing on purpose.
    unsafe {
        asm!("syscall", inlateout("rax") number => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// What a child does before it exits with status 7: one call.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(dead_code, reason = "read by assembly")]
pub(crate) struct ChildCall {
    /// Number and arguments.
    pub(crate) number: i64,
    pub(crate) args: [u64; 5],
}

#[derive(Clone, Copy)]
#[repr(C)]
#[allow(dead_code, reason = "read by assembly")]
struct Spawn {
    number: i64,
    args: [u64; 5],
    child: ChildCall,
}

/// Makes a child by any of the calls that do. The child uses no stack, so it may share everything
/// with us: it makes one call, and exits.
pub(crate) fn spawn(number: i64, args: [u64; 5], child: ChildCall) -> i64 {
    // Not on the stack, which a thread that shares it would find overwritten. Rows come one by one.
    static mut PLAN: Spawn = Spawn {
        number: 0,
        args: [0; 5],
        child: ChildCall {
            number: 0,
            args: [0; 5],
        },
    };
    let plan = &raw mut PLAN;
    let result: i64;
    // SAFETY: one row at a time uses the plan, and waits for its child. The child leaves this block
    // by exit only and touches registers and the plan.
    unsafe {
        plan.write(Spawn {
            number,
            args,
            child,
        });
        asm!(
            "mov rax, [r12]",
            "mov rdi, [r12 + 8]",
            "mov rsi, [r12 + 16]",
            "mov rdx, [r12 + 24]",
            "mov r10, [r12 + 32]",
            "mov r8, [r12 + 40]",
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rax, [r12 + 48]",
            "mov rdi, [r12 + 56]",
            "mov rsi, [r12 + 64]",
            "mov rdx, [r12 + 72]",
            "mov r10, [r12 + 80]",
            "mov r8, [r12 + 88]",
            "syscall",
            "mov edi, 7",
            "mov eax, 60",
            "syscall",
            "2:",
            in("r12") plan,
            lateout("rax") result,
            lateout("rdi") _, lateout("rsi") _, lateout("rdx") _, lateout("r10") _,
            lateout("r8") _, lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

/// A copy of this process that runs `work` and exits with what it returns. `work` may make system
/// calls and nothing else: other threads may have held locks.
pub(crate) fn fork(work: impl FnOnce() -> i64) -> i64 {
    let pid = syscall(libc::SYS_fork, &[]);
    if pid == 0 {
        let status = work();
        syscall(libc::SYS_exit_group, &[status as u64]);
    }
    pid
}

/// Waits for a child; gives its raw status.
pub(crate) fn wait(pid: i64) -> i32 {
    let mut status = 0;
    let found = syscall(
        libc::SYS_wait4,
        &[pid as u64, (&raw mut status) as u64, 0x4000_0000, 0],
    );
    assert_eq!(found, pid, "waiting for a child");
    status
}
