//! Names: files' and folders' making, moving, removing, their modes and owners.

use event::constants as k;
use libc::{AT_FDCWD, O_DIRECTORY, O_RDONLY};

use crate::stage::{Actor, Row};
use crate::value::none;

pub(crate) const ROWS: &[Row] = row![
    stat, access, getcwd, chdir, chroot, mkdir, rmdir, unlink, rename, link, symlink, chmod, chown,
    mknod, getdents,
];

const ENOENT: i64 = -2;
const EBADF: i64 = -9;
const EEXIST: i64 = -17;

fn folder(a: &mut Actor) -> i64 {
    let fd = call!(a, SYS_open, &a.path(""), O_RDONLY | O_DIRECTORY);
    assert!(fd > 0);
    fd
}

fn stat(a: &mut Actor) {
    let path = a.file("there", b"");
    let missing = a.path("missing");
    let mut data = [0u64; 32];
    let out = &raw mut data;
    call!(a, SYS_stat, &path, out);
    sees!(a, SYSCALL_STAT_X, 0i64, &path);
    call!(a, SYS_stat, &missing, out);
    sees!(a, SYSCALL_STAT_X, ENOENT, &missing);
    call!(a, SYS_lstat, &path, out);
    sees!(a, SYSCALL_LSTAT_X, 0i64, &path);
    call!(a, SYS_lstat, &missing, out);
    sees!(a, SYSCALL_LSTAT_X, ENOENT, &missing);
    let dir = folder(a);
    call!(a, SYS_fstat, dir, out);
    sees!(a, SYSCALL_FSTAT_X, 0i64, dir);
    call!(a, SYS_fstat, -2, out);
    sees!(a, SYSCALL_FSTAT_X, EBADF, -2i64);
    call!(
        a,
        SYS_newfstatat,
        dir,
        c"there",
        out,
        libc::AT_SYMLINK_NOFOLLOW
    );
    let flags = k::AT_SYMLINK_NOFOLLOW;
    sees!(a, SYSCALL_NEWFSTATAT_X, 0i64, dir, c"there", flags);
    call!(a, SYS_newfstatat, AT_FDCWD, &missing, out, 0);
    sees!(a, SYSCALL_NEWFSTATAT_X, ENOENT, -100i64, &missing, 0u32);
    call!(a, SYS_newfstatat, dir, c"", out, libc::AT_EMPTY_PATH);
    sees!(a, SYSCALL_NEWFSTATAT_X, 0i64, dir, c"", k::AT_EMPTY_PATH);
}

fn access(a: &mut Actor) {
    let path = a.file("there", b"");
    call!(a, SYS_access, &path, libc::R_OK | libc::W_OK);
    sees!(a, SYSCALL_ACCESS_X, 0i64, &path, k::R_OK | k::W_OK);
    let missing = a.path("missing");
    call!(a, SYS_access, &missing, libc::F_OK);
    sees!(a, SYSCALL_ACCESS_X, ENOENT, &missing, 0u32);
}

fn getcwd(a: &mut Actor) {
    let mut buffer = [0u8; 4096];
    let here = std::env::current_dir().unwrap();
    let here = std::ffi::CString::new(here.into_os_string().into_encoded_bytes()).unwrap();
    let len = here.as_bytes_with_nul().len() as i64;
    assert_eq!(call!(a, SYS_getcwd, &raw mut buffer, 4096), len);
    sees!(a, SYSCALL_GETCWD_X, len, &here);
    let mut small = [0u8; 1];
    call!(a, SYS_getcwd, &raw mut small, 1);
    sees!(a, SYSCALL_GETCWD_X, -34i64, none());
}

/// A working directory and a root of this thread's own.
fn alone(a: &mut Actor) {
    assert_eq!(call!(a, SYS_unshare, libc::CLONE_FS), 0);
    sees!(a, SYSCALL_UNSHARE_X, 0i64, k::CL_CLONE_FS);
}

fn chdir(a: &mut Actor) {
    alone(a);
    let dir = a.path("");
    call!(a, SYS_chdir, &dir);
    sees!(a, SYSCALL_CHDIR_X, 0i64, &dir);
    call!(a, SYS_chdir, c"missing");
    sees!(a, SYSCALL_CHDIR_X, ENOENT, c"missing");
    let fd = folder(a);
    call!(a, SYS_fchdir, fd);
    sees!(a, SYSCALL_FCHDIR_X, 0i64, fd);
    call!(a, SYS_fchdir, -3);
    sees!(a, SYSCALL_FCHDIR_X, EBADF, -3i64);
}

fn chroot(a: &mut Actor) {
    alone(a);
    let missing = a.path("missing");
    call!(a, SYS_chroot, &missing);
    sees!(a, SYSCALL_CHROOT_X, ENOENT, &missing);
    let dir = a.path("");
    call!(a, SYS_chroot, &dir);
    sees!(a, SYSCALL_CHROOT_X, 0i64, &dir);
}

fn mkdir(a: &mut Actor) {
    let path = a.path("made");
    call!(a, SYS_mkdir, &path, 0o1750);
    sees!(a, SYSCALL_MKDIR_2_X, 0i64, &path, 0o1750u32);
    call!(a, SYS_mkdir, &path, 0o700);
    sees!(a, SYSCALL_MKDIR_2_X, EEXIST, &path, 0o700u32);
    let dir = folder(a);
    call!(a, SYS_mkdirat, dir, c"other", 0o711);
    sees!(a, SYSCALL_MKDIRAT_X, 0i64, dir, c"other", 0o711u32);
    call!(a, SYS_mkdirat, dir, c"other", 0o711);
    sees!(a, SYSCALL_MKDIRAT_X, EEXIST, dir, c"other", 0o711u32);
}

fn rmdir(a: &mut Actor) {
    std::fs::create_dir(a.dir.join("sub")).unwrap();
    let path = a.path("sub");
    for result in [0i64, ENOENT] {
        assert_eq!(call!(a, SYS_rmdir, &path), result);
        sees!(a, SYSCALL_RMDIR_2_X, result, &path);
    }
}

fn unlink(a: &mut Actor) {
    let path = a.file("one", b"");
    for result in [0i64, ENOENT] {
        assert_eq!(call!(a, SYS_unlink, &path), result);
        sees!(a, SYSCALL_UNLINK_2_X, result, &path);
    }
    std::fs::create_dir(a.dir.join("sub")).unwrap();
    let dir = folder(a);
    call!(a, SYS_unlinkat, dir, c"sub", libc::AT_REMOVEDIR);
    sees!(a, SYSCALL_UNLINKAT_2_X, 0i64, dir, c"sub", k::AT_REMOVEDIR);
    call!(a, SYS_unlinkat, dir, c"sub", 0);
    sees!(a, SYSCALL_UNLINKAT_2_X, ENOENT, dir, c"sub", 0u32);
}

fn rename(a: &mut Actor) {
    let (from, to) = (a.file("from", b""), a.path("to"));
    for result in [0i64, ENOENT] {
        call!(a, SYS_rename, &from, &to);
        sees!(a, SYSCALL_RENAME_X, result, &from, &to);
    }
    let dir = folder(a);
    for result in [0i64, ENOENT] {
        call!(a, SYS_renameat, dir, c"to", AT_FDCWD, &from);
        sees!(a, SYSCALL_RENAMEAT_X, result, dir, c"to", -100i64, &from);
    }
    a.file("to", b"");
    call!(
        a,
        SYS_renameat2,
        dir,
        c"to",
        dir,
        c"from",
        libc::RENAME_EXCHANGE
    );
    let flags = k::RENAME_EXCHANGE;
    sees!(
        a,
        SYSCALL_RENAMEAT2_X,
        0i64,
        dir,
        c"to",
        dir,
        c"from",
        flags
    );
    call!(
        a,
        SYS_renameat2,
        dir,
        c"to",
        dir,
        c"from",
        libc::RENAME_NOREPLACE
    );
    let flags = k::RENAME_NOREPLACE;
    sees!(
        a,
        SYSCALL_RENAMEAT2_X,
        EEXIST,
        dir,
        c"to",
        dir,
        c"from",
        flags
    );
}

fn link(a: &mut Actor) {
    let (from, to) = (a.file("from", b""), a.path("to"));
    for result in [0i64, EEXIST] {
        call!(a, SYS_link, &from, &to);
        sees!(a, SYSCALL_LINK_2_X, result, &from, &to);
    }
    let dir = folder(a);
    let flags = k::AT_SYMLINK_FOLLOW;
    for result in [0i64, EEXIST] {
        call!(
            a,
            SYS_linkat,
            dir,
            c"from",
            dir,
            c"third",
            libc::AT_SYMLINK_FOLLOW
        );
        sees!(
            a,
            SYSCALL_LINKAT_2_X,
            result,
            dir,
            c"from",
            dir,
            c"third",
            flags
        );
    }
}

fn symlink(a: &mut Actor) {
    let path = a.path("soft");
    for result in [0i64, EEXIST] {
        call!(a, SYS_symlink, c"any text", &path);
        sees!(a, SYSCALL_SYMLINK_X, result, c"any text", &path);
    }
    let dir = folder(a);
    for result in [0i64, EEXIST] {
        call!(a, SYS_symlinkat, c"../up", dir, c"softer");
        sees!(a, SYSCALL_SYMLINKAT_X, result, c"../up", dir, c"softer");
    }
}

fn chmod(a: &mut Actor) {
    let (path, missing) = (a.file("there", b""), a.path("missing"));
    call!(a, SYS_chmod, &path, 0o6755);
    sees!(a, SYSCALL_CHMOD_X, 0i64, &path, 0o6755u32);
    call!(a, SYS_chmod, &missing, 0o644);
    sees!(a, SYSCALL_CHMOD_X, ENOENT, &missing, 0o644u32);
    let dir = folder(a);
    call!(a, SYS_fchmod, dir, 0o755);
    sees!(a, SYSCALL_FCHMOD_X, 0i64, dir, 0o755u32);
    call!(a, SYS_fchmod, -1, 0o755);
    sees!(a, SYSCALL_FCHMOD_X, EBADF, -1i64, 0o755u32);
    call!(a, SYS_fchmodat, dir, c"there", 0o111);
    sees!(a, SYSCALL_FCHMODAT_X, 0i64, dir, c"there", 0o111u32);
    call!(a, SYS_fchmodat, dir, c"missing", 0);
    sees!(a, SYSCALL_FCHMODAT_X, ENOENT, dir, c"missing", 0u32);
}

fn chown(a: &mut Actor) {
    let (path, missing) = (a.file("there", b""), a.path("missing"));
    call!(a, SYS_chown, &path, 12, 34);
    sees!(a, SYSCALL_CHOWN_X, 0i64, &path, 12u32, 34u32);
    call!(a, SYS_chown, &missing, -1, 5);
    sees!(a, SYSCALL_CHOWN_X, ENOENT, &missing, u32::MAX, 5u32);
    call!(a, SYS_lchown, &path, 1, -1);
    sees!(a, SYSCALL_LCHOWN_X, 0i64, &path, 1u32, u32::MAX);
    call!(a, SYS_lchown, &missing, 1, 2);
    sees!(a, SYSCALL_LCHOWN_X, ENOENT, &missing, 1u32, 2u32);
    let dir = folder(a);
    call!(a, SYS_fchown, dir, 0, 0);
    sees!(a, SYSCALL_FCHOWN_X, 0i64, dir, 0u32, 0u32);
    call!(a, SYS_fchown, -1, 0, 7);
    sees!(a, SYSCALL_FCHOWN_X, EBADF, -1i64, 0u32, 7u32);
    // Of the flags, the original tells of this one only where there is no path.
    call!(
        a,
        SYS_fchownat,
        dir,
        c"there",
        3,
        4,
        libc::AT_SYMLINK_NOFOLLOW
    );
    sees!(a, SYSCALL_FCHOWNAT_X, 0i64, dir, c"there", 3u32, 4u32, 0u32);
    call!(a, SYS_fchownat, dir, c"", 0, 0, libc::AT_EMPTY_PATH);
    sees!(
        a,
        SYSCALL_FCHOWNAT_X,
        0i64,
        dir,
        c"",
        0u32,
        0u32,
        k::AT_EMPTY_PATH
    );
    call!(a, SYS_fchownat, dir, c"missing", 3, 4, 0);
    sees!(
        a,
        SYSCALL_FCHOWNAT_X,
        ENOENT,
        dir,
        c"missing",
        3u32,
        4u32,
        0u32
    );
}

fn mknod(a: &mut Actor) {
    let path = a.path("pipe");
    let mode = k::S_IFIFO | 0o600;
    call!(a, SYS_mknod, &path, libc::S_IFIFO | 0o600, 0);
    sees!(a, SYSCALL_MKNOD_X, 0i64, &path, mode, 0u32);
    call!(a, SYS_mknod, &path, libc::S_IFIFO | 0o600, 0);
    sees!(a, SYSCALL_MKNOD_X, EEXIST, &path, mode, 0u32);
    let dir = folder(a);
    // Major 7, minor 300, which a program writes as 0x10072c. The original takes that for the
    // kernel's own form, and encodes it once more.
    let device = libc::makedev(7, 300) as u32;
    let mode = k::S_IFCHR | 0o644;
    for result in [0i64, EEXIST] {
        call!(a, SYS_mknodat, dir, c"null", libc::S_IFCHR | 0o644, device);
        sees!(
            a,
            SYSCALL_MKNODAT_X,
            result,
            dir,
            c"null",
            mode,
            0x0070_012cu32
        );
    }
}

fn getdents(a: &mut Actor) {
    let dir = folder(a);
    let mut buffer = [0u64; 512];
    let out = &raw mut buffer;
    let len = call!(a, SYS_getdents64, dir, out, 4096);
    assert!(len > 0);
    sees!(a, SYSCALL_GETDENTS64_X, len, dir);
    call!(a, SYS_getdents64, -1, out, 4096);
    sees!(a, SYSCALL_GETDENTS64_X, EBADF, -1i64);
    call!(a, SYS_lseek, dir, 0, 0);
    let len = call!(a, SYS_getdents, dir, out, 4096);
    assert!(len > 0);
    sees!(a, SYSCALL_GETDENTS_X, len, dir);
    call!(a, SYS_getdents, -1, out, 4096);
    sees!(a, SYSCALL_GETDENTS_X, EBADF, -1i64);
}
