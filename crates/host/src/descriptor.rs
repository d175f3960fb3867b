//! A process's open descriptors.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use event::constants as ppm;
use event::snapshot::{Descriptor, NamedKind, Target};

use crate::read::{self, field, number, octal};
use crate::sockets::Sockets;
use crate::{Seen, Summary};

/// Hands out the descriptors of the process with this directory.
pub(crate) fn scan(
    dir: &Path,
    tid: i64,
    sockets: &mut Sockets,
    summary: &mut Summary,
    sink: &mut dyn FnMut(Seen<'_>),
) {
    let fds = dir.join("fd");
    for fd in read::numbers(&fds) {
        let path = fds.join(fd.to_string());
        let name = read::link(&path);
        if name.is_empty() {
            continue;
        }
        let Some((ino, target)) = target(dir, fd, &path, &name, sockets) else {
            continue;
        };
        sink(Seen::Descriptor(&Descriptor {
            tid,
            fd,
            ino,
            target,
        }));
        summary.descriptors += 1;
    }
}

pub(crate) fn target<'a>(
    dir: &Path,
    fd: i64,
    path: &Path,
    name: &'a [u8],
    sockets: &'a mut Sockets,
) -> Option<(u64, Target<'a>)> {
    let named = |kind, name| Target::Named { kind, name };
    if let Some(ino) = bracketed(name, b"socket:") {
        return sockets.find(dir, ino).map(|target| (ino, target));
    }
    if let Some(ino) = bracketed(name, b"pipe:") {
        return Some((ino, named(NamedKind::Fifo, name)));
    }
    if let Some(kind) = name.strip_prefix(b"anon_inode:") {
        return Some((0, named(anonymous(kind), b"")));
    }
    if name.starts_with(b"/memfd:") {
        let ino = std::fs::metadata(path).map_or(0, |meta| meta.ino());
        return Some((ino, named(NamedKind::MemFd, name)));
    }
    let Ok(meta) = std::fs::metadata(path) else {
        return Some((0, named(NamedKind::Unsupported, b"")));
    };
    let kind = meta.file_type();
    if kind.is_dir() {
        return Some((meta.ino(), named(NamedKind::Directory, name)));
    }
    if kind.is_fifo() {
        return Some((meta.ino(), named(NamedKind::Fifo, name)));
    }
    if kind.is_file() || kind.is_block_device() || kind.is_char_device() {
        let info = read::bytes(&dir.join(format!("fdinfo/{fd}")));
        let open_flags = field(&info, "flags")
            .and_then(octal)
            .map_or(0, portable_flags);
        let dev = encode_dev(meta.dev());
        return Some((
            meta.ino(),
            Target::File {
                name,
                open_flags,
                dev,
            },
        ));
    }
    Some((meta.ino(), named(NamedKind::Unsupported, b"")))
}

/// The number in `PREFIX[NUMBER]`.
fn bracketed(name: &[u8], prefix: &[u8]) -> Option<u64> {
    number(
        name.strip_prefix(prefix)?
            .strip_prefix(b"[")?
            .strip_suffix(b"]")?,
    )
}

fn anonymous(kind: &[u8]) -> NamedKind {
    match kind {
        b"[eventfd]" => NamedKind::EventFd,
        b"[eventpoll]" => NamedKind::EventPoll,
        b"inotify" | b"[inotify]" => NamedKind::Inotify,
        b"[signalfd]" => NamedKind::SignalFd,
        b"[timerfd]" => NamedKind::TimerFd,
        b"[io_uring]" => NamedKind::IoUring,
        b"[userfaultfd]" => NamedKind::UserFaultFd,
        b"[pidfd]" => NamedKind::PidFd,
        b"bpf-map" | b"bpf-prog" | b"bpf_link" | b"bpf-link" | b"bpf_iter" | b"[bpf-map]"
        | b"[bpf-prog]" | b"[bpf-link]" => NamedKind::Bpf,
        _ => NamedKind::Unsupported,
    }
}

/// Major and minor as user space packs them in 32 bits.
fn encode_dev(dev: u64) -> u32 {
    let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Linux open flags as the portable table has them.
fn portable_flags(flags: u32) -> u32 {
    use rustix::fs::OFlags;
    let mut out = match flags & 3 {
        1 => ppm::O_WRONLY,
        2 => ppm::O_RDWR,
        _ => ppm::O_RDONLY,
    };
    for (kernel, portable) in [
        (OFlags::CREATE, ppm::O_CREAT),
        (OFlags::APPEND, ppm::O_APPEND),
        (OFlags::DSYNC, ppm::O_DSYNC),
        (OFlags::EXCL, ppm::O_EXCL),
        (OFlags::NONBLOCK, ppm::O_NONBLOCK),
        (OFlags::SYNC, ppm::O_SYNC),
        (OFlags::TRUNC, ppm::O_TRUNC),
        (OFlags::DIRECT, ppm::O_DIRECT),
        (OFlags::DIRECTORY, ppm::O_DIRECTORY),
        (OFlags::CLOEXEC, ppm::O_CLOEXEC),
    ] {
        if flags & kernel.bits() != 0 {
            out |= portable;
        }
    }
    // The kernel shows O_LARGEFILE as it stores it, which on 64 bits libc calls 0.
    if flags & 0o100_000 != 0 {
        out |= ppm::O_LARGEFILE;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_kernel() {
        assert_eq!(bracketed(b"socket:[4711]", b"socket:"), Some(4711));
        assert_eq!(bracketed(b"socket:[x]", b"socket:"), None);
        assert_eq!(anonymous(b"[eventpoll]"), NamedKind::EventPoll);
        assert_eq!(anonymous(b"[new thing]"), NamedKind::Unsupported);
        assert_eq!(encode_dev(rustix::fs::makedev(8, 1)), 0x801);
        assert_eq!(portable_flags(0o100_002), ppm::O_RDWR | ppm::O_LARGEFILE);
    }
}
