//! Structures that the kernel programs share with us, as `bpf/include/maps.bpf.h` declares them.

use crate::uring::MAX_OPERATIONS;

/// Largest CPU number plus one that the programs count for.
pub(crate) const MAX_CPUS: usize = 1024;
/// System call numbers are below this.
pub(crate) const MAX_SYSCALLS: usize = 512;
/// In [`SharedMemory::wanted`], by number: the 64-bit call is wanted.
pub(crate) const WANTED_NATIVE: u8 = 1;
/// The 32-bit call of that number is wanted.
pub(crate) const WANTED_IA32: u8 = 2;
/// Nobody reads the calls that succeed.
pub(crate) const UNREAD_SUCCESS: u8 = 4;
/// Nobody reads the calls that fail.
pub(crate) const UNREAD_FAILURE: u8 = 8;
/// Nobody reads some of them, as [`RawFilter`] says.
pub(crate) const WANTED_FILTERED: u8 = 16;
/// The call changes what the caller's image is known by.
pub(crate) const CHANGES_IMAGE: u8 = 32;
/// The 32-bit call that makes any network call.
pub(crate) const IA32_SOCKETCALL: usize = 102;
/// Classes of events, by which losses are counted.
pub(crate) const CLASSES: usize = 11;
/// Bytes before each record in a ring: cpu u16, class u8, flags u8, 0 u32.
pub(crate) const PREFIX_LEN: usize = 8;
/// The record describes work that io_uring did.
pub(crate) const FLAG_IO_URING: u8 = 1;

/// Constants of a load.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub boot_time: u64,
    pub snaplen: u32,
    pub drop_failed: u8,
    pub ia32: u8,
    pub uring_complete_members: u8,
    /// Which calls this copy of the programs is for.
    pub part: u8,
    pub name_snaplen: u32,
    /// Bits of `crate::names::CALLS`.
    pub names_alone: u32,
    /// Whose calls [`SharedMemory::own_id`] means: its own, or those of everybody else.
    pub others_left_out: u32,
    pub pad: u32,
    pub ia32_table: [i16; MAX_SYSCALLS],
    pub code_table: [u16; MAX_SYSCALLS],
    pub uring_table: [i16; MAX_OPERATIONS],
}

impl Settings {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: repr(C), made of integers only, and without padding (asserted below), so every
        // byte of it is initialised.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

/// What one CPU lost.
#[repr(C)]
pub(crate) struct RawCounters {
    pub lost_full: [u64; CLASSES],
    pub lost_large: u64,
    pub lost_other: u64,
    pub unread: [u64; 2],
    pub own_calls: u64,
}

/// What of a call nobody reads. Arguments and bits are counted from 1; 0: none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawFilter {
    pub kinds: u8,
    pub fd_at: u8,
    pub failed_modes: u8,
    pub flags_at: u8,
    pub path_at: u8,
    pub process_bit: u8,
    pub pad: [u8; 2],
}

impl RawFilter {
    /// As one word, in which it is written.
    pub(crate) const fn word(self) -> u64 {
        u64::from_ne_bytes([
            self.kinds,
            self.fd_at,
            self.failed_modes,
            self.flags_at,
            self.path_at,
            self.process_bit,
            0,
            0,
        ])
    }
}

/// Longest path that the programs compare, its NUL included.
pub(crate) const FILTER_PATH: usize = 128;

/// A key of the prefixes' map.
#[repr(C)]
pub(crate) struct PrefixKey {
    pub bits: u32,
    pub call: u16,
    pub path: [u8; FILTER_PATH],
    pub pad: u16,
}

/// What a process's image is known to be.
#[repr(C)]
pub(crate) struct Image {
    pub bits: u64,
    pub valid_from: u64,
}

/// What both sides write while the programs run.
#[repr(C)]
pub(crate) struct SharedMemory {
    pub wanted: [u8; MAX_SYSCALLS],
    pub own_id: u32,
    /// 0: a process's calls are left out, 1: a thread's, 2: those of all others.
    pub own_kind: u32,
    pub pad1: [u8; 56],
    pub reader_sleeps: u32,
    pub pad2: [u8; 60],
    pub counters: [RawCounters; MAX_CPUS],
    pub filters: [RawFilter; MAX_SYSCALLS],
    pub images_since: u64,
    pub images_are_told: u32,
    pub pad3: u32,
}

const _: () = assert!(size_of::<Settings>() == 32 + 4 * MAX_SYSCALLS + 2 * MAX_OPERATIONS);
const _: () = assert!(size_of::<RawCounters>() == 128);
const _: () = assert!(std::mem::offset_of!(SharedMemory, reader_sleeps) == 576);
const _: () = assert!(std::mem::offset_of!(SharedMemory, counters) == 640);
const _: () = assert!(std::mem::offset_of!(SharedMemory, filters) == 640 + 128 * MAX_CPUS);
const _: () = assert!(size_of::<RawFilter>() == 8);
const _: () = assert!(size_of::<PrefixKey>() == 8 + FILTER_PATH);
