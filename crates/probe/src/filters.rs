//! Calls of which nobody reads those done with certain things: descriptors of a kind, access modes,
//! paths, images. The kernel side recognises them (`bpf/include/filter.bpf.h`) and leaves them out.
//!
//! As with [`Unread`], what the state needs is known here and stays: a descriptor's kind, a path or an
//! image filters only calls that change no state, an access mode only opens that failed. What may be
//! asked for is listed in [`TRANSFERS`], [`FD_CALLS`], [`PATH_CALLS`] and [`OPEN_CALLS`]: those whose argument is known
//! to be the parameter that rules see.
//!
//! Only the dispatcher filters like this; the other ways of attaching report such calls.

use std::collections::BTreeMap;

use event::syscalls::SYSCALLS;

use crate::layout::{FILTER_PATH, RawFilter};
use crate::options::Syscalls;
use crate::unread::{Unread, may_change_state};

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with a name in a file system.
    File,
    /// A directory.
    Directory,
    /// An end of a pipe without a name.
    Pipe,
}

impl Kind {
    const fn bit(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::Pipe => 4,
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`
    Read,
    /// `O_WRONLY`
    Write,
    /// `O_RDWR`
    Both,
}

/// Bits that can be told of an image.
pub const IMAGE_BITS: u8 = 64;

/// Calls that carry data on the descriptor in their first argument: of those on sockets the state learns
/// who is at the other end.
const TRANSFERS: [&str; 12] = [
    "read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "pwritev", "recvfrom",
    "sendto", "recvmsg", "sendmsg",
];
/// More calls whose first argument is the descriptor that the event is about.
const FD_CALLS: [&str; 8] = [
    "lseek",
    "fstat",
    "getdents",
    "getdents64",
    "ioctl",
    "flock",
    "fchmod",
    "fchown",
];
/// Calls with one path, and its argument, counted from 1.
const PATH_CALLS: [(&str, u8); 15] = [
    ("unlink", 1),
    ("unlinkat", 2),
    ("rmdir", 1),
    ("mkdir", 1),
    ("mkdirat", 2),
    ("chmod", 1),
    ("fchmodat", 2),
    ("chown", 1),
    ("lchown", 1),
    ("fchownat", 2),
    ("access", 1),
    ("stat", 1),
    ("lstat", 1),
    ("newfstatat", 2),
    ("mknod", 1),
];
/// Calls that open a file by its name, and the argument with the flags, counted from 1.
const OPEN_CALLS: [(&str, u8); 1] = [("openat", 3)];

/// What is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    pub(crate) unread: Unread,
    pub(crate) calls: BTreeMap<u16, RawFilter>,
    /// Call and prefix.
    pub(crate) prefixes: Vec<(u16, Vec<u8>)>,
}

impl Filters {
    /// Leaves out whole outcomes.
    #[must_use]
    pub fn new(unread: Unread) -> Self {
        Self {
            unread,
            ..Self::default()
        }
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Outcomes that are left out.
    #[must_use]
    pub fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Leaves out calls of this name on descriptors of this kind; false if that may not be.
    pub fn leave_out_kind(&mut self, call: &str, kind: Kind) -> bool {
        let free = FD_CALLS.contains(&call) && !may_change_state(call);
        if !free && !TRANSFERS.contains(&call) {
            return false;
        }
        self.change(call, |filter| {
            filter.kinds |= kind.bit();
            filter.fd_at = 1;
        })
    }

    /// Leaves out opens that fail and were for this access; false if that may not be.
    pub fn leave_out_failed_open(&mut self, call: &str, access: Access) -> bool {
        let Some((_, at)) = OPEN_CALLS.iter().find(|(name, _)| *name == call) else {
            return false;
        };
        let mode = match access {
            Access::Read => libc::O_RDONLY,
            Access::Write => libc::O_WRONLY,
            Access::Both => libc::O_RDWR,
        };
        self.change(call, |filter| {
            filter.failed_modes |= 1 << mode;
            filter.flags_at = *at;
        })
    }

    /// Leaves out calls whose path is absolute and plain and begins with none of these; false if that
    /// may not be.
    pub fn leave_out_elsewhere(&mut self, call: &str, prefixes: &[Vec<u8>]) -> bool {
        let Some((_, at)) = PATH_CALLS.iter().find(|(name, _)| *name == call) else {
            return false;
        };
        let fits = |prefix: &Vec<u8>| !prefix.is_empty() && prefix.len() < FILTER_PATH;
        if may_change_state(call) || !prefixes.iter().all(fits) {
            return false;
        }
        let Some(number) = number(call) else {
            return false;
        };
        let own = prefixes.iter().map(|prefix| (number, prefix.clone()));
        self.prefixes.extend(own);
        self.change(call, |filter| filter.path_at = *at)
    }

    /// Leaves out calls of images that have this bit; false if that may not be.
    pub fn leave_out_image(&mut self, call: &str, bit: u8) -> bool {
        if may_change_state(call) || TRANSFERS.contains(&call) || bit >= IMAGE_BITS {
            return false;
        }
        self.change(call, |filter| filter.process_bit = bit + 1)
    }

    /// Whether images are to be told.
    #[must_use]
    pub fn asks_for_images(&self) -> bool {
        self.calls.values().any(|filter| filter.process_bit != 0)
    }

    fn change(&mut self, call: &str, change: impl FnOnce(&mut RawFilter)) -> bool {
        let Some(number) = number(call) else {
            return false;
        };
        change(self.calls.entry(number).or_default());
        true
    }
}

/// Calls after which a thread goes by another name or user.
pub(crate) fn image_changes() -> Syscalls {
    let names = [
        "prctl",
        "setuid",
        "setgid",
        "setreuid",
        "setregid",
        "setresuid",
        "setresgid",
    ];
    names
        .into_iter()
        .filter_map(number)
        .fold(Syscalls::none(), Syscalls::with)
}

fn number(name: &str) -> Option<u16> {
    let call = SYSCALLS.iter().find(|call| call.name == name);
    call.map(|call| call.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_call() {
        let names = TRANSFERS.iter().chain(&FD_CALLS).copied();
        let paths = PATH_CALLS.iter().chain(&OPEN_CALLS).map(|(name, _)| *name);
        for name in names.chain(paths) {
            assert!(number(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_the_state_needs_stays() {
        let mut filters = Filters::default();
        let here = [b"/etc".to_vec()];
        for call in ["openat", "close", "chdir", "execve", "setuid", "dup"] {
            assert!(!filters.leave_out_kind(call, Kind::File), "{call}");
            assert!(!filters.leave_out_elsewhere(call, &here), "{call}");
            assert!(!filters.leave_out_image(call, 0), "{call}");
        }
        // What comes on sockets tells whom they are connected to; on files it tells nothing.
        assert!(!filters.leave_out_image("recvmsg", 0) && !filters.leave_out_image("read", 0));
        assert!(filters.leave_out_kind("recvmsg", Kind::File));
        assert!(filters.leave_out_elsewhere("unlink", &here));
        assert!(filters.leave_out_image("unlink", 63));
        assert!(!filters.leave_out_image("unlink", IMAGE_BITS));
        assert!(!filters.leave_out_elsewhere("rename", &here), "two paths");
        assert!(filters.leave_out_failed_open("openat", Access::Both));
        let openat = number("openat").unwrap();
        assert_eq!(
            (
                filters.calls[&openat].failed_modes,
                filters.calls[&openat].flags_at
            ),
            (4, 3)
        );
    }
}
