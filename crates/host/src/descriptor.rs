//! A process's open descriptors.
//!
//! A machine has many times more descriptors than processes, so this is where a scan's time goes:
//! names are looked up relative to the process's two folders, files are read in one go, and what is
//! known of a path is kept for the next descriptor on it.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::constants as ppm;
use event::snapshot::{Descriptor, NamedKind, Target};
use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, readlinkat, statat};

use crate::read::{self, field, number, octal};
use crate::sockets::{Sockets, Tables};
use crate::{Seen, Summary};

/// Paths that are kept; with more, keeping begins anew.
const PATHS: usize = 65_536;

/// What descriptors of all processes have in common.
pub(crate) struct Common {
    sockets: Sockets,
    /// By mount namespace and path.
    files: FxHashMap<Vec<u8>, FxHashMap<Vec<u8>, File>>,
    kept: usize,
}

impl Common {
    pub(crate) fn new(tables: &Arc<Tables>) -> Self {
        Self {
            sockets: Sockets::new(tables),
            files: FxHashMap::default(),
            kept: 0,
        }
    }

    /// Forgets what may be otherwise by now; sockets have their own time.
    pub(crate) fn forget_files(&mut self) {
        self.files.clear();
        self.kept = 0;
    }
}

#[derive(Clone, Copy)]
struct File {
    kind: FileType,
    ino: u64,
    dev: u64,
}

/// The descriptors of one process.
pub(crate) struct Folder {
    dir: PathBuf,
    fds: OwnedFd,
    infos: Option<OwnedFd>,
    mounts: Option<Vec<u8>>,
    net: Option<Vec<u8>>,
    info: Vec<u8>,
}

fn open(dir: &Path, name: &str) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, dir.join(name), flags, Mode::empty()).ok()
}

impl Folder {
    /// Those of the process with this directory.
    pub(crate) fn of(dir: &Path) -> Option<Self> {
        Some(Self {
            fds: open(dir, "fd")?,
            infos: open(dir, "fdinfo"),
            dir: dir.to_owned(),
            mounts: None,
            net: None,
            info: Vec::new(),
        })
    }

    /// Where a descriptor leads; nothing if it is gone.
    pub(crate) fn link(&self, name: &CStr, reuse: Vec<u8>) -> Vec<u8> {
        readlinkat(&self.fds, name, reuse)
            .map_or_else(|_| Vec::new(), std::ffi::CString::into_bytes)
    }

    /// What a descriptor with this link is.
    pub(crate) fn target<'a>(
        &mut self,
        name: &CStr,
        link: &'a [u8],
        common: &'a mut Common,
    ) -> Option<(u64, Target<'a>)> {
        let named = |kind, name| Target::Named { kind, name };
        if let Some(ino) = bracketed(link, b"socket:") {
            let net = self
                .net
                .get_or_insert_with(|| read::link(&self.dir.join("ns/net")));
            let target = common.sockets.find(&self.dir, net, ino);
            return target.map(|target| (ino, target));
        }
        if let Some(ino) = bracketed(link, b"pipe:") {
            return Some((ino, named(NamedKind::Fifo, link)));
        }
        if let Some(kind) = link.strip_prefix(b"anon_inode:") {
            return Some((0, named(anonymous(kind), b"")));
        }
        let Some(file) = self.file(name, link, common) else {
            return Some((0, named(NamedKind::Unsupported, b"")));
        };
        let target = match file.kind {
            _ if link.starts_with(b"/memfd:") => named(NamedKind::MemFd, link),
            FileType::Directory => named(NamedKind::Directory, link),
            FileType::Fifo => named(NamedKind::Fifo, link),
            FileType::RegularFile | FileType::BlockDevice | FileType::CharacterDevice => {
                Target::File {
                    name: link,
                    open_flags: self.open_flags(name),
                    dev: encode_dev(file.dev),
                }
            }
            _ => named(NamedKind::Unsupported, b""),
        };
        Some((file.ino, target))
    }

    fn file(&mut self, name: &CStr, link: &[u8], common: &mut Common) -> Option<File> {
        // Many files that are gone may have had one name.
        let lasting = link.first() == Some(&b'/') && !link.ends_with(b" (deleted)");
        if lasting {
            let mounts = self
                .mounts
                .get_or_insert_with(|| read::link(&self.dir.join("ns/mnt")));
            if let Some(file) = common.files.get(mounts).and_then(|files| files.get(link)) {
                return Some(*file);
            }
        }
        let stat = statat(&self.fds, name, AtFlags::empty()).ok()?;
        let file = File {
            kind: FileType::from_raw_mode(stat.st_mode),
            ino: stat.st_ino,
            dev: stat.st_dev,
        };
        if let Some(mounts) = self.mounts.as_ref().filter(|_| lasting) {
            if common.kept >= PATHS {
                common.files.clear();
                common.kept = 0;
            }
            let files = common.files.entry(mounts.clone()).or_default();
            files.insert(link.to_vec(), file);
            common.kept += 1;
        }
        Some(file)
    }

    fn open_flags(&mut self, name: &CStr) -> u32 {
        let opened = self.infos.as_ref().and_then(|infos| {
            openat(infos, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
        });
        let Some(file) = opened else { return 0 };
        self.info.clear();
        if !read::fill(file, 4096, &mut self.info) {
            return 0;
        }
        field(&self.info, "flags")
            .and_then(octal)
            .map_or(0, portable_flags)
    }
}

/// A descriptor's number as the name of its entry.
pub(crate) fn entry_name(fd: i64) -> std::ffi::CString {
    std::ffi::CString::new(fd.to_string()).expect("digits")
}

/// Hands out the descriptors of the process with this directory.
pub(crate) fn scan(
    dir: &Path,
    tid: i64,
    common: &mut Common,
    summary: &mut Summary,
    sink: &mut dyn FnMut(Seen<'_>),
) {
    let Some(mut folder) = Folder::of(dir) else {
        return;
    };
    let mut link = Vec::new();
    for fd in read::numbers(&dir.join("fd")) {
        let name = entry_name(fd);
        link = folder.link(&name, link);
        if link.is_empty() {
            continue;
        }
        let Some((ino, target)) = folder.target(&name, &link, common) else {
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
