//! The memory that the running programs and we both write.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use event::syscalls::IA32_TO_X86_64;

use crate::filters::{Filters, image_changes};
use crate::layout::{
    CHANGES_IMAGE, CLASSES, IA32_SOCKETCALL, MAX_CPUS, MAX_SYSCALLS, SharedMemory, UNREAD_FAILURE,
    UNREAD_SUCCESS, WANTED_FILTERED, WANTED_IA32, WANTED_NATIVE,
};
use crate::{Error, Syscalls};

/// A mapping of the programs' `.data.shared`. All access is by atomics: the kernel writes too.
pub(crate) struct Shared {
    memory: NonNull<SharedMemory>,
    len: usize,
    /// Numbers of programs that the kernel may pass over.
    programs: OnceLock<Vec<u32>>,
    /// Events that the reader gave up, by CPU and class.
    given_up: Box<[[AtomicU64; CLASSES]]>,
}

// SAFETY: the mapping belongs to this value alone, and everything in it is accessed atomically.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps it, for CPU numbers below `cpus`.
    pub(crate) fn map(fd: BorrowedFd<'_>, cpus: usize) -> Result<Self, Error> {
        let page = page_size();
        let len = size_of::<SharedMemory>().div_ceil(page) * page;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(Error::last_os("map the programs' shared memory"));
        }
        let memory = NonNull::new(memory.cast()).expect("mmap gives no null but in failure");
        Ok(Self {
            memory,
            len,
            programs: OnceLock::new(),
            given_up: std::iter::repeat_with(Default::default)
                .take(cpus)
                .collect(),
        })
    }

    fn u32_at(&self, field: *const u32) -> &AtomicU32 {
        // SAFETY: `field` was derived from the live mapping, is aligned (repr(C)), and lives as
        // long as `self`; the kernel's accesses are of the same width.
        unsafe { &*field.cast::<AtomicU32>() }
    }

    fn raw(&self) -> *const SharedMemory {
        self.memory.as_ptr()
    }

    /// Says which calls are reported, and which of them are left out. What was told of images up to
    /// `now` means something else.
    pub(crate) fn set_wanted(&self, wanted: &Syscalls, filters: &Filters, now: u64) {
        // SAFETY: raw field projection only, no access.
        let since = unsafe { &raw const (*self.raw()).images_since };
        // SAFETY: in the mapping, eight bytes that begin at a multiple of eight.
        unsafe { &*since.cast::<AtomicU64>() }.store(now, Ordering::SeqCst);
        let mut marks = [0; MAX_SYSCALLS];
        let mut mark = |calls: &Syscalls, bit: u8| {
            for number in calls.iter() {
                marks[usize::from(number)] |= bit;
            }
        };
        mark(wanted, WANTED_NATIVE);
        mark(filters.unread.successes(), UNREAD_SUCCESS);
        mark(filters.unread.failures(), UNREAD_FAILURE);
        for &number in filters.calls.keys() {
            mark(&Syscalls::none().with(number), WANTED_FILTERED);
        }
        if filters.asks_for_images() {
            mark(&image_changes(), CHANGES_IMAGE);
        }
        for (narrow, native) in IA32_TO_X86_64 {
            if let (Some(mark), Ok(native)) =
                (marks.get_mut(usize::from(narrow)), u16::try_from(native))
                && wanted.contains(native)
            {
                *mark |= WANTED_IA32;
            }
        }
        // socketcall(2) may be any of the network calls: the program looks into it.
        marks[IA32_SOCKETCALL] |= WANTED_IA32;
        // SAFETY: raw field projection only, no access.
        let told = self.u32_at(unsafe { &raw const (*self.raw()).images_are_told });
        told.store(u32::from(filters.asks_for_images()), Ordering::SeqCst);
        for (number, mark) in marks.into_iter().enumerate() {
            // SAFETY: in the mapping; an index beyond the array panics before it is used.
            let byte = unsafe { &*(&raw const (*self.raw()).wanted[number]).cast::<AtomicU8>() };
            // SAFETY: raw field projection only, no access.
            let word = unsafe { &raw const (*self.raw()).filters[number] };
            // SAFETY: in the mapping, eight bytes that begin at a multiple of eight.
            let word = unsafe { &*word.cast::<AtomicU64>() };
            let filter = filters.calls.get(&(number as u16)).copied();
            // A filter counts when it is there as a whole, and no longer than it is.
            byte.store(mark & !WANTED_FILTERED, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            word.store(filter.unwrap_or_default().word(), Ordering::SeqCst);
            byte.store(mark, Ordering::SeqCst);
        }
    }

    /// Stops all filters of [`Filters::calls`], before the prefixes that they look at change.
    pub(crate) fn suspend_filters(&self) {
        for number in 0..MAX_SYSCALLS {
            // SAFETY: in the mapping; an index beyond the array panics before it is used.
            let byte = unsafe { &*(&raw const (*self.raw()).wanted[number]).cast::<AtomicU8>() };
            byte.fetch_and(!WANTED_FILTERED, Ordering::SeqCst);
        }
    }

    /// Names the thread or process whose own calls are left out, or whose alone are not; 0: none. As
    /// [`SharedMemory::own_kind`] has it.
    pub(crate) fn set_own(&self, id: u32, own_kind: u32) {
        // SAFETY: raw field projection only, no access.
        let (own, kind) = unsafe {
            (
                &raw const (*self.raw()).own_id,
                &raw const (*self.raw()).own_kind,
            )
        };
        self.u32_at(kind).store(own_kind, Ordering::Relaxed);
        self.u32_at(own).store(id, Ordering::Release);
    }

    /// Whether the reader is asleep; programs take it back when they wake it.
    pub(crate) fn reader_sleeps(&self) -> &AtomicU32 {
        // SAFETY: raw field projection only, no access.
        self.u32_at(unsafe { &raw const (*self.raw()).reader_sleeps })
    }

    /// Counts an event as lost for want of room that the reader gave up.
    pub(crate) fn give_up(&self, cpu: u16, class: u8) {
        let counts = self
            .given_up
            .get(usize::from(cpu))
            .or(self.given_up.first());
        if let Some(counts) = counts {
            counts[usize::from(class).min(CLASSES - 1)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a CPU lost: by class for want of room, for size, and for want of a buffer.
    pub(crate) fn losses(&self, cpu: usize) -> ([u64; CLASSES], u64, u64) {
        assert!(cpu < MAX_CPUS, "callers iterate over 0..MAX_CPUS");
        // SAFETY: `cpu` is in bounds; aligned 64-bit loads of memory that the kernel changes with
        // atomic adds.
        unsafe {
            let raw = &raw const (*self.raw()).counters[cpu];
            let load = |at: *const u64| (*at.cast::<AtomicU64>()).load(Ordering::Relaxed);
            let mut full = [0; CLASSES];
            for (i, slot) in full.iter_mut().enumerate() {
                *slot = load(&raw const (*raw).lost_full[i]);
                if let Some(given_up) = self.given_up.get(cpu) {
                    *slot += given_up[i].load(Ordering::Relaxed);
                }
            }
            (
                full,
                load(&raw const (*raw).lost_large),
                load(&raw const (*raw).lost_other),
            )
        }
    }
}

impl Shared {
    /// Calls of our own that the programs saw and left out.
    pub(crate) fn own_calls(&self) -> u64 {
        (0..MAX_CPUS)
            .map(|cpu| {
                // SAFETY: in bounds; an aligned 64-bit load of memory that the kernel adds to.
                unsafe {
                    let at = &raw const (*self.raw()).counters[cpu].own_calls;
                    (*at.cast::<AtomicU64>()).load(Ordering::Relaxed)
                }
            })
            .sum()
    }

    /// Whether calls of our whole process are left out.
    pub(crate) fn leaves_out_process(&self) -> bool {
        // SAFETY: raw field projections only, no access.
        let (own, kind) = unsafe {
            (
                &raw const (*self.raw()).own_id,
                &raw const (*self.raw()).own_kind,
            )
        };
        let load = |field| self.u32_at(field).load(Ordering::Relaxed);
        load(own) != 0 && load(kind) == 0
    }

    /// Whether a call of this number is looked at however it ends.
    pub(crate) fn sees_all(&self, number: usize) -> bool {
        // SAFETY: in the mapping; an index beyond the array panics before it is used.
        let byte = unsafe { &*(&raw const (*self.raw()).wanted[number]).cast::<AtomicU8>() };
        let mark = byte.load(Ordering::Relaxed);
        let somehow = UNREAD_SUCCESS | UNREAD_FAILURE | WANTED_FILTERED;
        mark & (WANTED_NATIVE | somehow) == WANTED_NATIVE
    }

    /// Names the programs that the kernel may pass over; once.
    pub(crate) fn watch_programs(&self, programs: Vec<u32>) {
        let _ = self.programs.set(programs);
    }

    /// How often it did, for they were running on that CPU already.
    pub(crate) fn passed_over(&self) -> u64 {
        let programs = self.programs.get().map_or(&[][..], Vec::as_slice);
        crate::functions::passed_over(programs)
    }

    /// What the programs left out because nobody reads it: that succeeded, that failed.
    pub(crate) fn unread(&self) -> [u64; 2] {
        let mut sum = [0; 2];
        for cpu in 0..MAX_CPUS {
            for (i, sum) in sum.iter_mut().enumerate() {
                // SAFETY: in bounds; an aligned 64-bit load of memory that the kernel adds to.
                let at = unsafe { &raw const (*self.raw()).counters[cpu].unread[i] };
                // SAFETY: as above.
                *sum += unsafe { &*at.cast::<AtomicU64>() }.load(Ordering::Relaxed);
            }
        }
        sum
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: made by `map` with this length; nothing borrowed from it outlives `self`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.len) };
    }
}

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    // SAFETY: no arguments that could be wrong.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("a page has a size")
}
