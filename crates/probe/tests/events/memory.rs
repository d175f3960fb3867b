//! Memory: maps, locks, and looking into another process.

use event::constants as k;

use crate::files::pieces;
use crate::raw::Word;
use crate::stage::{Actor, Row};
use crate::value::{Value, has, kilobytes, none, swapped};

pub(crate) const ROWS: &[Row] = row![brk, mmap, mprotect, mlock, mlockall, process_vm, page_fault];

const PAGE: u64 = 4096;
const EINVAL: i64 = -22;
const ENOMEM: i64 = -12;

fn mapped(a: &mut Actor) -> u64 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let at = call!(
        a,
        SYS_mmap,
        0,
        4 * PAGE,
        libc::PROT_READ | libc::PROT_WRITE,
        flags,
        -1,
        0
    );
    assert!(at > 0);
    at as u64
}

/// The program's size as /proc tells it, in kilobytes: other threads may change it meanwhile.
fn size() -> Value {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u32 = statm.split(' ').next().unwrap().parse().unwrap();
    has(format!("about {} kB", pages * 4), move |b| {
        let told = b.try_into().map_or(0, u32::from_le_bytes);
        told.abs_diff(pages * 4) <= 256 << 10
    })
}

fn brk(a: &mut Actor) {
    let at = call!(a, SYS_brk, 0) as u64;
    sees!(a, SYSCALL_BRK_4_X, at, size(), kilobytes(), swapped(), 0u64);
    // It gives the old end where it cannot move it.
    call!(a, SYS_brk, 8);
    sees!(a, SYSCALL_BRK_4_X, at, size(), kilobytes(), swapped(), 8u64);
}

fn mmap(a: &mut Actor) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    let prot = libc::PROT_READ | libc::PROT_EXEC;
    let at = call!(a, SYS_mmap, 0, 3 * PAGE, prot, flags, -1, 0);
    let told = k::MAP_PRIVATE | k::MAP_ANONYMOUS | k::MAP_POPULATE;
    let rights = k::PROT_READ | k::PROT_EXEC;
    sees!(
        a,
        SYSCALL_MMAP_X,
        at,
        size(),
        kilobytes(),
        swapped(),
        0u64,
        3 * PAGE,
        rights,
        told,
        -1i64,
        0u64
    );
    call!(a, SYS_munmap, at, PAGE);
    sees!(
        a,
        SYSCALL_MUNMAP_X,
        0i64,
        size(),
        kilobytes(),
        swapped(),
        at,
        PAGE
    );
    call!(a, SYS_munmap, at + 1, PAGE);
    sees!(
        a,
        SYSCALL_MUNMAP_X,
        EINVAL,
        size(),
        kilobytes(),
        swapped(),
        at + 1,
        PAGE
    );
    call!(
        a,
        SYS_mmap,
        64,
        PAGE,
        libc::PROT_WRITE,
        libc::MAP_SHARED,
        -1,
        PAGE
    );
    let rights = k::PROT_WRITE;
    let told = k::MAP_SHARED;
    sees!(
        a,
        SYSCALL_MMAP_X,
        -9i64,
        size(),
        kilobytes(),
        swapped(),
        64u64,
        PAGE,
        rights,
        told,
        -1i64,
        PAGE
    );
}

fn mprotect(a: &mut Actor) {
    let at = mapped(a);
    let rights = k::PROT_READ | k::PROT_EXEC;
    call!(a, SYS_mprotect, at, PAGE, libc::PROT_READ | libc::PROT_EXEC);
    sees!(a, SYSCALL_MPROTECT_X, 0i64, at, PAGE, rights);
    call!(a, SYS_mprotect, at + 5, PAGE, libc::PROT_NONE);
    sees!(a, SYSCALL_MPROTECT_X, EINVAL, at + 5, PAGE, 0u32);
}

fn mlock(a: &mut Actor) {
    let at = mapped(a);
    call!(a, SYS_mlock, at, PAGE);
    sees!(a, SYSCALL_MLOCK_X, 0i64, at, PAGE);
    call!(a, SYS_mlock, 0, PAGE);
    sees!(a, SYSCALL_MLOCK_X, ENOMEM, 0u64, PAGE);
    call!(a, SYS_mlock2, at, PAGE, libc::MLOCK_ONFAULT);
    sees!(a, SYSCALL_MLOCK2_X, 0i64, at, PAGE, k::MLOCK_ONFAULT);
    call!(a, SYS_mlock2, at, PAGE, 8);
    sees!(a, SYSCALL_MLOCK2_X, EINVAL, at, PAGE, 0u32);
    call!(a, SYS_munlock, at, PAGE);
    sees!(a, SYSCALL_MUNLOCK_X, 0i64, at, PAGE);
    call!(a, SYS_munlock, 0, PAGE);
    sees!(a, SYSCALL_MUNLOCK_X, ENOMEM, 0u64, PAGE);
}

fn mlockall(a: &mut Actor) {
    // Pages to come, and only when they are touched: nothing of this process is locked.
    call!(a, SYS_mlockall, libc::MCL_FUTURE | libc::MCL_ONFAULT);
    let flags = k::MLOCKALL_MCL_FUTURE | k::MLOCKALL_MCL_ONFAULT;
    sees!(a, SYSCALL_MLOCKALL_X, 0i64, flags);
    call!(a, SYS_munlockall);
    sees!(a, SYSCALL_MUNLOCKALL_X, 0i64);
    call!(a, SYS_mlockall, 0);
    sees!(a, SYSCALL_MLOCKALL_X, EINVAL, 0u32);
}

fn process_vm(a: &mut Actor) {
    let me = i64::from(std::process::id());
    let mut there = *b"what lies there";
    let (mut one, mut two) = ([0u8; 5], [0u8; 10]);
    let local = pieces(&mut one, &mut two);
    let remote = libc::iovec {
        iov_base: there.as_mut_ptr().cast(),
        iov_len: 15,
    };
    let (l, r) = ((&raw const local).word(), (&raw const remote).word());
    assert_eq!(call!(a, SYS_process_vm_readv, me, l, 2, r, 1, 0), 15);
    sees!(
        a,
        SYSCALL_PROCESS_VM_READV_X,
        15i64,
        me,
        &b"what lies there"[..]
    );
    call!(a, SYS_process_vm_readv, 0x3fff_ffff, l, 2, r, 1, 0);
    sees!(a, SYSCALL_PROCESS_VM_READV_X, -3i64, 0x3fff_ffffi64, none());
    assert_eq!(call!(a, SYS_process_vm_writev, me, l, 2, r, 1, 0), 15);
    sees!(
        a,
        SYSCALL_PROCESS_VM_WRITEV_X,
        15i64,
        me,
        &b"what lies there"[..]
    );
    call!(a, SYS_process_vm_writev, 0x3fff_ffff, l, 2, r, 1, 0);
    sees!(
        a,
        SYSCALL_PROCESS_VM_WRITEV_X,
        -3i64,
        0x3fff_ffffi64,
        none()
    );
}

fn page_fault(a: &mut Actor) {
    let at = mapped(a) + 2 * PAGE + 123;
    a.step("write to a fresh page", || {
        // SAFETY: the page was mapped above, writable, and is nobody else's.
        unsafe { (at as *mut u8).write_volatile(1) };
        0
    });
    let code = k::PF_PAGE_NOT_PRESENT | k::PF_WRITE_ACCESS | k::PF_USER_FAULT;
    let here = page_fault as fn(&mut Actor) as usize as u64;
    let nearby = has("an address in this program", move |b| {
        b.try_into().map_or(0, u64::from_le_bytes).abs_diff(here) < 64 << 20
    });
    sees!(a, PAGE_FAULT_E, at, nearby, code);
}
