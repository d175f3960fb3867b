//! Mounts, keys, quotas, modules, BPF, io_uring, and calls without an event of their own.

use event::constants as k;

use crate::raw::Word;
use crate::stage::{Actor, Row};
use crate::value::{Value, dynamic, none};

pub(crate) const ROWS: &[Row] = row![
    mount, fsconfig, keyctl, quotactl, modules, bpf, io_uring, generic
];

const EBADF: i64 = -9;
const EINVAL: i64 = -22;
const ENOENT: i64 = -2;

fn mount(a: &mut Actor) {
    let dir = a.path("target");
    std::fs::create_dir(a.dir.join("target")).unwrap();
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    call!(a, SYS_mount, c"source", &dir, c"tmpfs", flags, c"size=64k");
    let told = k::MS_NOSUID | k::MS_NODEV;
    sees!(a, SYSCALL_MOUNT_X, 0i64, c"source", &dir, c"tmpfs", told);
    call!(a, SYS_umount2, &dir, libc::MNT_DETACH);
    sees!(a, SYSCALL_UMOUNT2_X, 0i64, &dir, k::MNT_DETACH);
    call!(
        a,
        SYS_umount2,
        &dir,
        libc::MNT_FORCE | libc::UMOUNT_NOFOLLOW
    );
    let told = k::MNT_FORCE | k::UMOUNT_NOFOLLOW;
    sees!(a, SYSCALL_UMOUNT2_X, EINVAL, &dir, told);
    let missing = a.path("missing");
    call!(a, SYS_mount, 0, &missing, c"proc", libc::MS_RDONLY, 0);
    sees!(
        a,
        SYSCALL_MOUNT_X,
        ENOENT,
        none(),
        &missing,
        c"proc",
        k::MS_RDONLY
    );
}

fn fsconfig(a: &mut Actor) {
    let fd = call!(a, SYS_fsopen, c"tmpfs", 0);
    assert!(fd > 0);
    let string = k::FSCONFIG_SET_STRING;
    call!(a, SYS_fsconfig, fd, string, c"size", c"64k", 0);
    sees!(
        a,
        SYSCALL_FSCONFIG_X,
        0i64,
        fd,
        string,
        c"size",
        none(),
        c"64k",
        0i32
    );
    // What was refused is not told.
    call!(a, SYS_fsconfig, fd, string, c"no such key", c"value", 0);
    sees!(
        a,
        SYSCALL_FSCONFIG_X,
        EINVAL,
        fd,
        string,
        c"no such key",
        none(),
        none(),
        0i32
    );
    let create = k::FSCONFIG_CMD_CREATE;
    call!(a, SYS_fsconfig, fd, create, 0, 0, 0);
    sees!(
        a,
        SYSCALL_FSCONFIG_X,
        0i64,
        fd,
        create,
        none(),
        none(),
        none(),
        0i32
    );
}

fn keyctl(a: &mut Actor) {
    let int = |n: i64| dynamic(k::KEYCTL_IDX_INT64 as u8, &n.to_le_bytes());
    let text = |s: &std::ffi::CStr| dynamic(k::KEYCTL_IDX_CHARBUF as u8, s.to_bytes_with_nul());
    let join = k::KEYCTL_JOIN_SESSION_KEYRING;
    let ring = call!(a, SYS_keyctl, join, c"peregrine");
    assert!(ring > 0);
    sees!(
        a,
        SYSCALL_KEYCTL_X,
        ring,
        join,
        text(c"peregrine"),
        int(0),
        int(0),
        int(0)
    );
    let search = k::KEYCTL_SEARCH;
    call!(a, SYS_keyctl, search, ring, c"user", c"nobody", 0);
    let wanted: [Value; 4] = [int(ring), text(c"user"), text(c"nobody"), int(0)];
    let [two, three, four, five] = wanted;
    sees!(a, SYSCALL_KEYCTL_X, -126i64, search, two, three, four, five);
    let chown = k::KEYCTL_CHOWN;
    call!(a, SYS_keyctl, chown, ring, 0, -1, 0);
    sees!(
        a,
        SYSCALL_KEYCTL_X,
        0i64,
        chown,
        int(ring),
        int(0),
        int(-1),
        int(0)
    );
}

fn quotactl(a: &mut Actor) {
    let command = |c: i32, kind: i32| (c << 8 | kind) as u32;
    let zero = || Value::from(0u64);
    let unused = k::QFMT_NOT_USED as u8;
    // Of all file systems: nothing to do is a success.
    let sync = command(0x80_0001, 0);
    assert_eq!(call!(a, SYS_quotactl, sync, 0, 0, 0), 0);
    sees!(
        a,
        SYSCALL_QUOTACTL_X,
        0i64,
        none(),
        none(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        0u8,
        unused,
        k::Q_SYNC as u16,
        k::USRQUOTA as u8,
        0u32,
        unused
    );
    let on = command(0x80_0002, 1);
    assert_eq!(
        call!(a, SYS_quotactl, on, c"/dev/none", 4, c"/quota.file"),
        ENOENT
    );
    let vfs_v1 = k::QFMT_VFS_V1 as u8;
    sees!(
        a,
        SYSCALL_QUOTACTL_X,
        ENOENT,
        c"/dev/none",
        c"/quota.file",
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        0u8,
        unused,
        k::Q_QUOTAON as u16,
        k::GRPQUOTA as u8,
        0u32,
        vfs_v1
    );
    // Limits, of which those marked valid are told: blocks (1), inodes (4), time of blocks (16).
    let limits = [10u64, 20, 30, 40, 50, 60, 70, 80, 1 | 4 | 16];
    let set = command(0x80_0008, 0);
    assert_eq!(
        call!(a, SYS_quotactl, set, c"/dev/none", 1000, &raw const limits),
        ENOENT
    );
    sees!(
        a,
        SYSCALL_QUOTACTL_X,
        ENOENT,
        c"/dev/none",
        none(),
        10u64,
        20u64,
        zero(),
        40u64,
        50u64,
        70u64,
        zero(),
        zero(),
        zero(),
        0u8,
        unused,
        k::Q_SETQUOTA as u16,
        k::USRQUOTA as u8,
        1000u32,
        unused
    );
}

fn modules(a: &mut Actor) {
    // Its bytes are not cut where those of other calls are.
    let image = *b"\x7fELF but no module at all, and longer than the eighty bytes that are kept elsewhere ....";
    let len = image.len();
    // EPERM, ENOSYS or ENOEXEC: no kernel takes it.
    let res = call!(a, SYS_init_module, &raw const image, len, c"key=value");
    assert!(res < 0);
    sees!(
        a,
        SYSCALL_INIT_MODULE_X,
        res,
        &image[..],
        len as u64,
        c"key=value"
    );
    let flags = 1 | 4;
    let res = call!(a, SYS_finit_module, -1, c"p=1", flags);
    assert!(res < 0);
    let told = k::MODULE_INIT_IGNORE_MODVERSIONS | k::MODULE_INIT_COMPRESSED_FILE;
    sees!(a, SYSCALL_FINIT_MODULE_X, res, -1i64, c"p=1", told);
    let res = call!(
        a,
        SYS_delete_module,
        c"no such",
        libc::O_NONBLOCK | libc::O_TRUNC
    );
    assert!(res < 0);
    let told = k::DELETE_MODULE_O_NONBLOCK | k::DELETE_MODULE_O_TRUNC;
    sees!(a, SYSCALL_DELETE_MODULE_X, res, c"no such", told);
}

fn bpf(a: &mut Actor) {
    // An array of one number: kind, size of key, of value, entries, flags.
    let map = [2u32, 4, 4, 1, 0];
    let fd = call!(a, SYS_bpf, 0, &raw const map, 20);
    assert!(fd > 0);
    sees!(a, SYSCALL_BPF_2_X, fd, k::BPF_MAP_CREATE);
    let nothing = [0u64; 4];
    let res = call!(a, SYS_bpf, 5, &raw const nothing, 32);
    assert!(res < 0);
    sees!(a, SYSCALL_BPF_2_X, res, k::BPF_PROG_LOAD);
}

fn io_uring(a: &mut Actor) {
    #[repr(C)]
    struct Params {
        sq_entries: u32,
        cq_entries: u32,
        flags: u32,
        sq_thread_cpu: u32,
        sq_thread_idle: u32,
        features: u32,
        rest: [u32; 24],
    }
    // Clamp, a completion queue of 64, and starting disabled.
    let mut params = Params {
        sq_entries: 0,
        cq_entries: 64,
        flags: 1 << 3 | 1 << 4 | 1 << 6,
        sq_thread_cpu: 3,
        sq_thread_idle: 250,
        features: 0,
        rest: [0; 24],
    };
    let at = (&raw mut params).word();
    let fd = call!(a, SYS_io_uring_setup, 5, at);
    assert!(fd > 0, "{fd}");
    assert_eq!((params.sq_entries, params.cq_entries), (8, 64));
    let flags = k::IORING_SETUP_CQSIZE | k::IORING_SETUP_CLAMP | k::IORING_SETUP_R_DISABLED;
    // The first eleven features by the kernel's bits; the original leaves number 8 out.
    let features = params.features & 0x6ff;
    sees!(
        a,
        SYSCALL_IO_URING_SETUP_X,
        fd,
        5u32,
        8u32,
        64u32,
        flags,
        3u32,
        250u32,
        features
    );
    call!(a, SYS_io_uring_setup, 4, 16);
    sees!(
        a,
        SYSCALL_IO_URING_SETUP_X,
        -14i64,
        4u32,
        0u32,
        0u32,
        0u32,
        0u32,
        0u32,
        0u32
    );
    let enable = k::IORING_REGISTER_ENABLE_RINGS as u16;
    call!(a, SYS_io_uring_register, fd, 12, 0, 0);
    sees!(a, SYSCALL_IO_URING_REGISTER_X, 0i64, fd, enable, 0u64, 0u32);
    let probe = k::IORING_REGISTER_PROBE as u16;
    call!(a, SYS_io_uring_register, 987_654, 8, at, 7);
    sees!(
        a,
        SYSCALL_IO_URING_REGISTER_X,
        EBADF,
        987_654i64,
        probe,
        at,
        7u32
    );
    let events = k::IORING_ENTER_GETEVENTS;
    call!(a, SYS_io_uring_enter, fd, 0, 0, 1, 0, 8);
    sees!(
        a,
        SYSCALL_IO_URING_ENTER_X,
        0i64,
        fd,
        0u32,
        0u32,
        events,
        0u32
    );
    call!(a, SYS_io_uring_enter, -1, 3, 2, 0, 0, 0);
    sees!(
        a,
        SYSCALL_IO_URING_ENTER_X,
        EBADF,
        -1i64,
        3u32,
        2u32,
        0u32,
        0u32
    );
}

/// The portable code and this machine's number, and nothing else.
fn generic(a: &mut Actor) {
    let code = |name: &str| {
        let names = &event::syscalls::SYSCALL_NAMES;
        names.iter().position(|n| *n == name).unwrap() as u16
    };
    call!(a, SYS_getppid);
    sees!(a, GENERIC_X, code("getppid"), libc::SYS_getppid as u16);
    call!(a, SYS_fsync, -1);
    sees!(a, GENERIC_X, code("fsync"), libc::SYS_fsync as u16);
    call!(a, SYS_landlock_create_ruleset, 0, 0, 1);
    let number = libc::SYS_landlock_create_ruleset as u16;
    sees!(a, GENERIC_X, code("landlock_create_ruleset"), number);
}
