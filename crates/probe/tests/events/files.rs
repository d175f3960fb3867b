//! Opening files and moving their bytes.

use std::ffi::CString;
use std::os::linux::fs::MetadataExt;

use event::constants as k;
use libc::{AT_FDCWD, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

use crate::raw::Word;
use crate::stage::{Actor, Row};
use crate::value::none;

pub(crate) const ROWS: &[Row] = row![
    open,
    open_as_zero,
    openat,
    openat2,
    creat,
    open_by_handle_at,
    layers,
    read,
    write,
    pread,
    pwrite,
    readv,
    writev,
    preadv,
    pwritev,
    lseek,
    sendfile,
    splice,
    copy_file_range,
];

const EBADF: i64 = -9;
const ENOENT: i64 = -2;

/// Device and inode as events give them.
pub(crate) fn identity(path: &CString) -> (u32, u64) {
    let path = std::path::Path::new(std::str::from_utf8(path.as_bytes()).unwrap());
    let file = std::fs::symlink_metadata(path).unwrap();
    let (major, minor) = (libc::major(file.st_dev()), libc::minor(file.st_dev()));
    (
        (minor & 0xff) | major << 8 | (minor & !0xff) << 12,
        file.st_ino(),
    )
}

fn open(a: &mut Actor) {
    let path = a.path("new");
    let flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
    let told = k::O_RDWR | k::O_CREAT | k::O_TRUNC | k::O_CLOEXEC;
    for created in [k::O_F_CREATED, 0] {
        let fd = call!(a, SYS_open, &path, flags, 0o640);
        assert!(fd > 2);
        let (dev, ino) = identity(&path);
        sees!(a, SYSCALL_OPEN_E, &path, told, 0o640u32);
        sees!(
            a,
            SYSCALL_OPEN_X,
            fd,
            &path,
            told | created,
            0o640u32,
            dev,
            ino
        );
        call!(a, SYS_close, fd);
        sees!(a, SYSCALL_CLOSE_X, 0i64, fd);
    }
    // The mode counts only where a file may be made.
    let missing = a.path("missing");
    assert_eq!(call!(a, SYS_open, &missing, O_WRONLY, 0o777), ENOENT);
    sees!(a, SYSCALL_OPEN_E, &missing, k::O_WRONLY, 0u32);
    sees!(
        a,
        SYSCALL_OPEN_X,
        ENOENT,
        &missing,
        k::O_WRONLY,
        0u32,
        0u32,
        0u64
    );
    // No path at all.
    call!(a, SYS_open, 8, O_RDONLY, 0);
    sees!(a, SYSCALL_OPEN_E, none(), k::O_RDONLY, 0u32);
    sees!(
        a,
        SYSCALL_OPEN_X,
        -14i64,
        none(),
        k::O_RDONLY,
        0u32,
        0u32,
        0u64
    );
    assert_eq!(call!(a, SYS_close, 987_654), EBADF);
    sees!(a, SYSCALL_CLOSE_X, EBADF, 987_654i64);
}

fn open_as_zero(a: &mut Actor) {
    // A table of descriptors of this thread's own.
    assert_eq!(call!(a, SYS_unshare, libc::CLONE_FILES), 0);
    call!(a, SYS_close, 0);
    let path = a.file("zero", b"");
    assert_eq!(call!(a, SYS_open, &path, O_RDONLY, 0), 0);
    sees!(a, SYSCALL_OPEN_E, &path, k::O_RDONLY, 0u32);
    // The original driver looks at the file from descriptor 1 on.
    sees!(
        a,
        SYSCALL_OPEN_X,
        0i64,
        &path,
        k::O_RDONLY,
        0u32,
        0u32,
        0u64
    );
}

fn openat(a: &mut Actor) {
    a.file("there", b"");
    let dir = a.path("");
    // O_TMPFILE is two bits, of which O_DIRECTORY is one: the original tells of either.
    let flags = k::O_RDONLY | k::O_DIRECTORY | k::O_TMPFILE;
    let at = call!(a, SYS_openat, AT_FDCWD, &dir, O_RDONLY | O_DIRECTORY, 0);
    let (dev, ino) = identity(&dir);
    sees!(a, SYSCALL_OPENAT_2_E, -100i64, &dir, flags, 0u32);
    sees!(
        a,
        SYSCALL_OPENAT_2_X,
        at,
        -100i64,
        &dir,
        flags,
        0u32,
        dev,
        ino
    );
    let fd = call!(a, SYS_openat, at, c"there", O_RDWR, 0);
    let (dev, ino) = identity(&a.path("there"));
    sees!(a, SYSCALL_OPENAT_2_E, at, c"there", k::O_RDWR, 0u32);
    sees!(
        a,
        SYSCALL_OPENAT_2_X,
        fd,
        at,
        c"there",
        k::O_RDWR,
        0u32,
        dev,
        ino
    );
    call!(a, SYS_openat, at, c"missing", O_RDWR, 0);
    sees!(a, SYSCALL_OPENAT_2_E, at, c"missing", k::O_RDWR, 0u32);
    sees!(
        a,
        SYSCALL_OPENAT_2_X,
        ENOENT,
        at,
        c"missing",
        k::O_RDWR,
        0u32,
        0u32,
        0u64
    );
    // A descriptor of which only the low half counts.
    call!(a, SYS_openat, 0xffff_ffff_ffff_ff17u64, c"x", O_RDWR, 0);
    sees!(a, SYSCALL_OPENAT_2_E, -233i64, c"x", k::O_RDWR, 0u32);
    sees!(
        a,
        SYSCALL_OPENAT_2_X,
        EBADF,
        -233i64,
        c"x",
        k::O_RDWR,
        0u32,
        0u32,
        0u64
    );
}

fn openat2(a: &mut Actor) {
    #[repr(C)]
    struct How {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    let path = a.path("how");
    let how = How {
        flags: (O_WRONLY | O_CREAT) as u64,
        mode: 0o604,
        resolve: libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS,
    };
    let (told, resolve) = (
        (k::O_WRONLY | k::O_CREAT),
        (k::RESOLVE_NO_SYMLINKS | k::RESOLVE_NO_MAGICLINKS),
    );
    let created = told | k::O_F_CREATED;
    let fd = call!(
        a,
        SYS_openat2,
        AT_FDCWD,
        &path,
        &raw const how,
        size_of::<How>()
    );
    assert!(fd > 0);
    let (dev, ino) = identity(&path);
    sees!(
        a,
        SYSCALL_OPENAT2_E,
        -100i64,
        &path,
        told,
        0o604u32,
        resolve
    );
    sees!(
        a,
        SYSCALL_OPENAT2_X,
        fd,
        -100i64,
        &path,
        created,
        0o604u32,
        resolve,
        dev,
        ino
    );
    let how = How {
        flags: O_RDONLY as u64,
        mode: 0,
        resolve: libc::RESOLVE_BENEATH,
    };
    let (told, resolve) = (k::O_RDONLY, k::RESOLVE_BENEATH);
    let res = call!(
        a,
        SYS_openat2,
        AT_FDCWD,
        &path,
        &raw const how,
        size_of::<How>()
    );
    assert_eq!(res, -18);
    sees!(a, SYSCALL_OPENAT2_E, -100i64, &path, told, 0u32, resolve);
    sees!(
        a,
        SYSCALL_OPENAT2_X,
        res,
        -100i64,
        &path,
        told,
        0u32,
        resolve,
        0u32,
        0u64
    );
}

fn creat(a: &mut Actor) {
    let path = a.path("made");
    let fd = call!(a, SYS_creat, &path, 0o4711);
    let (dev, ino) = identity(&path);
    sees!(a, SYSCALL_CREAT_E, &path, 0o4711u32);
    sees!(a, SYSCALL_CREAT_X, fd, &path, 0o4711u32, dev, ino, 0u16);
    let path = a.path("no/such");
    call!(a, SYS_creat, &path, 0o600);
    sees!(a, SYSCALL_CREAT_E, &path, 0o600u32);
    sees!(
        a,
        SYSCALL_CREAT_X,
        ENOENT,
        &path,
        0o600u32,
        0u32,
        0u64,
        0u16
    );
}

fn open_by_handle_at(a: &mut Actor) {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        data: [u8; 128],
    }
    let mut handle = Handle {
        bytes: 128,
        kind: 0,
        data: [0; 128],
    };
    let path = a.file("handled", b"");
    let mut mount = 0i32;
    let found = call!(
        a,
        SYS_name_to_handle_at,
        AT_FDCWD,
        &path,
        &raw mut handle,
        &raw mut mount,
        0
    );
    assert_eq!(found, 0);
    let dir = call!(a, SYS_open, &a.path(""), O_RDONLY | O_DIRECTORY);
    let fd = call!(a, SYS_open_by_handle_at, dir, &raw const handle, O_RDWR);
    assert!(fd > 0);
    let (dev, ino) = identity(&path);
    sees!(
        a,
        SYSCALL_OPEN_BY_HANDLE_AT_X,
        fd,
        dir,
        k::O_RDWR,
        &path,
        dev,
        ino
    );
    call!(a, SYS_open_by_handle_at, -1, &raw const handle, O_RDONLY);
    let told = k::O_RDONLY;
    sees!(
        a,
        SYSCALL_OPEN_BY_HANDLE_AT_X,
        EBADF,
        -1i64,
        told,
        none(),
        0u32,
        0u64
    );
}

/// Mounts an overlay with a file in either layer; gives its folder.
pub(crate) fn overlay(a: &Actor) -> CString {
    for name in ["lower", "upper", "work", "both"] {
        std::fs::create_dir(a.dir.join(name)).unwrap();
    }
    std::fs::write(a.dir.join("lower/low"), b"low").unwrap();
    std::fs::write(a.dir.join("upper/high"), b"high").unwrap();
    let both = a.path("both");
    let dir = a.dir.display();
    let options = CString::new(format!(
        "lowerdir={dir}/lower,upperdir={dir}/upper,workdir={dir}/work"
    ));
    let kind = c"overlay";
    let done = crate::raw::syscall(
        libc::SYS_mount,
        &[
            kind.word(),
            (&both).word(),
            kind.word(),
            0,
            (&options.unwrap()).word(),
        ],
    );
    assert_eq!(done, 0, "mounting an overlay");
    both
}

fn layers(a: &mut Actor) {
    overlay(a);
    for (name, layer) in [
        ("both/low", k::FD_LOWER_LAYER),
        ("both/high", k::FD_UPPER_LAYER),
    ] {
        let path = a.path(name);
        let fd = call!(a, SYS_openat, AT_FDCWD, &path, O_RDONLY, 0);
        let (dev, ino) = identity(&path);
        let (told, flags) = (k::O_RDONLY, (k::O_RDONLY | layer));
        sees!(a, SYSCALL_OPENAT_2_E, -100i64, &path, told, 0u32);
        sees!(
            a,
            SYSCALL_OPENAT_2_X,
            fd,
            -100i64,
            &path,
            flags,
            0u32,
            dev,
            ino
        );
    }
    let path = a.path("both/fresh");
    let fd = call!(a, SYS_creat, &path, 0o600);
    let (dev, ino) = identity(&path);
    sees!(a, SYSCALL_CREAT_E, &path, 0o600u32);
    let upper = k::FD_UPPER_LAYER_CREAT as u16;
    sees!(a, SYSCALL_CREAT_X, fd, &path, 0o600u32, dev, ino, upper);
}

fn opened(a: &mut Actor, name: &str, content: &[u8]) -> i64 {
    let path = a.file(name, content);
    let fd = call!(a, SYS_open, &path, O_RDWR, 0);
    assert!(fd > 0);
    fd
}

fn read(a: &mut Actor) {
    let long: Vec<u8> = (0..200).collect();
    let fd = opened(a, "read", &long);
    let mut buffer = [0u8; 300];
    assert_eq!(call!(a, SYS_read, fd, &raw mut buffer, 300), 200);
    // 80 bytes are kept; the size is what was asked for.
    sees!(a, SYSCALL_READ_X, 200i64, &long[..80], fd, 300u32);
    assert_eq!(call!(a, SYS_read, fd, &raw mut buffer, 300), 0);
    sees!(a, SYSCALL_READ_X, 0i64, none(), fd, 300u32);
    call!(a, SYS_read, -5, &raw mut buffer, 10);
    sees!(a, SYSCALL_READ_X, EBADF, none(), -5i64, 10u32);
}

fn write(a: &mut Actor) {
    let fd = opened(a, "write", b"");
    let text = b"some words\0and\xffmore";
    let size = text.len();
    assert_eq!(call!(a, SYS_write, fd, text.as_ptr(), size), size as i64);
    sees!(a, SYSCALL_WRITE_X, size as i64, &text[..], fd, size as u32);
    // What could not be written is told too.
    call!(a, SYS_write, -1, text.as_ptr(), 4);
    sees!(a, SYSCALL_WRITE_X, EBADF, &text[..4], -1i64, 4u32);
}

fn pread(a: &mut Actor) {
    let fd = opened(a, "pread", b"0123456789");
    let mut buffer = [0u8; 16];
    assert_eq!(call!(a, SYS_pread64, fd, &raw mut buffer, 16, 6), 4);
    sees!(a, SYSCALL_PREAD_X, 4i64, &b"6789"[..], fd, 16u32, 6u64);
    assert_eq!(call!(a, SYS_pread64, fd, &raw mut buffer, 16, -1), -22);
    sees!(a, SYSCALL_PREAD_X, -22i64, none(), fd, 16u32, u64::MAX);
}

fn pwrite(a: &mut Actor) {
    let fd = opened(a, "pwrite", b"");
    assert_eq!(call!(a, SYS_pwrite64, fd, c"abcdef", 3, 1u64 << 33), 3);
    sees!(a, SYSCALL_PWRITE_X, 3i64, &b"abc"[..], fd, 3u32, 1u64 << 33);
    call!(a, SYS_pwrite64, 77_777, c"abcdef", 6, 0);
    sees!(
        a,
        SYSCALL_PWRITE_X,
        EBADF,
        &b"abcdef"[..],
        77_777i64,
        6u32,
        0u64
    );
}

/// Two pieces of memory as the kernel wants them.
pub(crate) fn pieces(one: &mut [u8], two: &mut [u8]) -> [libc::iovec; 2] {
    [one, two].map(|piece| libc::iovec {
        iov_base: piece.as_mut_ptr().cast(),
        iov_len: piece.len(),
    })
}

fn readv(a: &mut Actor) {
    let fd = opened(a, "readv", b"abcdefghij");
    let (mut one, mut two) = ([0u8; 4], [0u8; 40]);
    let iov = pieces(&mut one, &mut two);
    assert_eq!(call!(a, SYS_readv, fd, &raw const iov, 2), 10);
    sees!(a, SYSCALL_READV_X, 10i64, 10u32, &b"abcdefghij"[..], fd);
    call!(a, SYS_readv, -1, &raw const iov, 2);
    sees!(a, SYSCALL_READV_X, EBADF, 0u32, none(), -1i64);
}

fn writev(a: &mut Actor) {
    let fd = opened(a, "writev", b"");
    let (mut one, mut two) = (*b"first,", *b"second");
    let iov = pieces(&mut one, &mut two);
    assert_eq!(call!(a, SYS_writev, fd, &raw const iov, 2), 12);
    sees!(a, SYSCALL_WRITEV_X, 12i64, &b"first,second"[..], fd, 12u32);
    call!(a, SYS_writev, -1, &raw const iov, 2);
    sees!(
        a,
        SYSCALL_WRITEV_X,
        EBADF,
        &b"first,second"[..],
        -1i64,
        12u32
    );
}

fn preadv(a: &mut Actor) {
    let fd = opened(a, "preadv", b"abcdefghij");
    let (mut one, mut two) = ([0u8; 2], [0u8; 2]);
    let iov = pieces(&mut one, &mut two);
    assert_eq!(call!(a, SYS_preadv, fd, &raw const iov, 2, 3, 0), 4);
    sees!(a, SYSCALL_PREADV_X, 4i64, 4u32, &b"defg"[..], fd, 3u64);
    call!(a, SYS_preadv, -1, &raw const iov, 2, 3, 0);
    sees!(a, SYSCALL_PREADV_X, EBADF, 0u32, none(), -1i64, 3u64);
}

fn pwritev(a: &mut Actor) {
    let fd = opened(a, "pwritev", b"");
    let (mut one, mut two) = (*b"1234", *b"56");
    let iov = pieces(&mut one, &mut two);
    assert_eq!(call!(a, SYS_pwritev, fd, &raw const iov, 2, 9, 0), 6);
    sees!(a, SYSCALL_PWRITEV_X, 6i64, &b"123456"[..], fd, 6u32, 9u64);
    call!(a, SYS_pwritev, -1, &raw const iov, 2, 9, 0);
    sees!(
        a,
        SYSCALL_PWRITEV_X,
        EBADF,
        &b"123456"[..],
        -1i64,
        6u32,
        9u64
    );
}

fn lseek(a: &mut Actor) {
    let fd = opened(a, "lseek", b"0123456789");
    assert_eq!(call!(a, SYS_lseek, fd, -3, libc::SEEK_END), 7);
    sees!(a, SYSCALL_LSEEK_X, 7i64, fd, -3i64, k::SEEK_END as u8);
    call!(a, SYS_lseek, -1, 5, libc::SEEK_CUR);
    sees!(a, SYSCALL_LSEEK_X, EBADF, -1i64, 5u64, k::SEEK_CUR as u8);
}

fn sendfile(a: &mut Actor) {
    let from = opened(a, "from", b"0123456789");
    let to = opened(a, "to", b"");
    let mut offset = 4i64;
    assert_eq!(call!(a, SYS_sendfile, to, from, &raw mut offset, 3), 3);
    // Read at the end: the kernel has moved it on.
    sees!(a, SYSCALL_SENDFILE_X, 3i64, 7u64, to, from, 3u64);
    call!(a, SYS_sendfile, -1, from, 0, 5);
    sees!(a, SYSCALL_SENDFILE_X, EBADF, 0u64, -1i64, from, 5u64);
}

fn splice(a: &mut Actor) {
    let from = opened(a, "from", b"0123456789");
    let mut ends = [0i32; 2];
    call!(a, SYS_pipe, &raw mut ends);
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_MORE;
    let told = k::SPLICE_F_MOVE | k::SPLICE_F_MORE;
    assert_eq!(call!(a, SYS_splice, from, 0, ends[1], 0, 6, flags), 6);
    sees!(
        a,
        SYSCALL_SPLICE_X,
        6i64,
        from,
        i64::from(ends[1]),
        6u64,
        told
    );
    call!(a, SYS_splice, -1, 0, ends[1], 0, 6, 0);
    sees!(
        a,
        SYSCALL_SPLICE_X,
        EBADF,
        -1i64,
        i64::from(ends[1]),
        6u64,
        0u32
    );
}

fn copy_file_range(a: &mut Actor) {
    let from = opened(a, "from", b"0123456789");
    let to = opened(a, "to", b"");
    let (mut at_from, mut at_to) = (2i64, 1i64);
    let (p, q) = (&raw mut at_from, &raw mut at_to);
    assert_eq!(call!(a, SYS_copy_file_range, from, p, to, q, 5, 0), 5);
    // The offsets are told as they were given: pointers.
    sees!(
        a,
        SYSCALL_COPY_FILE_RANGE_X,
        5i64,
        to,
        q.word(),
        from,
        p.word(),
        5u64
    );
    call!(a, SYS_copy_file_range, -1, 0, to, 0, 5, 0);
    sees!(
        a,
        SYSCALL_COPY_FILE_RANGE_X,
        EBADF,
        to,
        0u64,
        -1i64,
        0u64,
        5u64
    );
}
