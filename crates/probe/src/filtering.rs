//! What the filters of the running programs look at: prefixes of paths, and bits of images.

#![allow(unsafe_code, reason = "a system call that has no wrapper")]

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::filters::Filters;
use crate::layout::{FILTER_PATH, Image, PrefixKey};

/// The maps.
#[derive(Debug)]
pub(crate) struct Filtering {
    pub prefixes: MapHandle,
    pub images: MapHandle,
}

impl Filtering {
    /// Puts the prefixes in the place of those before; filters that look at prefixes are suspended
    /// meanwhile. The result is what can be heeded.
    pub(crate) fn prepare(&self, filters: &Filters) -> Filters {
        let old: Vec<Vec<u8>> = self.prefixes.keys().collect();
        for key in old {
            // Gone already: all the better.
            let _ = self.prefixes.delete(&key);
        }
        let mut full = BTreeSet::new();
        for (call, prefix) in &filters.prefixes {
            let stored =
                self.prefixes
                    .update(&key(*call, prefix), &1u32.to_ne_bytes(), MapFlags::ANY);
            if stored.is_err() {
                full.insert(*call);
            }
        }
        let mut heeded = filters.clone();
        for (call, filter) in &mut heeded.calls {
            if full.contains(call) {
                filter.path_at = 0;
            }
        }
        heeded
    }

    /// Tells what is known of a thread's image as of an event at `valid_from`, nanoseconds since the
    /// epoch. False where the thread is gone, or the kernel has no handle for it.
    pub(crate) fn tell(&self, tid: u32, bits: u64, valid_from: u64) -> bool {
        let Some(thread) = thread(tid) else {
            return false;
        };
        let image = Image { bits, valid_from };
        let mut value = [0; size_of::<Image>()];
        value[..8].copy_from_slice(&image.bits.to_ne_bytes());
        value[8..].copy_from_slice(&image.valid_from.to_ne_bytes());
        let key = thread.as_raw_fd().to_ne_bytes();
        self.images.update(&key, &value, MapFlags::ANY).is_ok()
    }
}

fn key(call: u16, prefix: &[u8]) -> Vec<u8> {
    let mut key = vec![0; size_of::<PrefixKey>()];
    let bits = (size_of::<u16>() + prefix.len()) as u32 * 8;
    let path = std::mem::offset_of!(PrefixKey, path);
    let prefix = &prefix[..prefix.len().min(FILTER_PATH)];
    key[..4].copy_from_slice(&bits.to_ne_bytes());
    key[4..path].copy_from_slice(&call.to_ne_bytes());
    key[path..path + prefix.len()].copy_from_slice(prefix);
    key
}

/// A descriptor of a thread: `PIDFD_THREAD` since 6.9, of those that lead a process since 5.3.
fn thread(tid: u32) -> Option<OwnedFd> {
    const PIDFD_THREAD: i32 = libc::O_EXCL;
    for flags in [PIDFD_THREAD, 0] {
        // SAFETY: a system call with two numbers; a descriptor that it gives is ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, flags) };
        if fd >= 0 {
            // SAFETY: as above.
            return Some(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        }
    }
    None
}
