//! One BPF ring buffer, read in place.
//!
//! ```text
//! page 0        consumer position, ours to write
//! page 1        producer position, the kernel's
//! from page 2   the data, and its beginning once more, so a record that wraps is contiguous
//!
//! record        | length u32: bit 31 being written, bit 30 to be skipped | page offset u32 | data |
//! ```
//!
//! Own code instead of libbpf's: it hands records to a call-back buffer by buffer and moves the
//! consumer position itself, which leaves no way to merge several buffers by time in place.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use event::Record;

use crate::Error;
use crate::layout::{FLAG_IO_URING, PREFIX_LEN};
use crate::shared::page_size;

const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;
const HEADER: u64 = 8;

/// Bytes of the data that are mapped a second time: more than the longest record. All of it would
/// count as memory of ours once more.
const TWICE: usize = 128 << 10;

/// The first unread record of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing unread, or the first record is still being written.
    None,
    /// A record: its time and its place.
    Ready { ts: u64, at: u64, len: u32 },
}

/// A mapped ring.
pub(crate) struct Ring {
    fd: OwnedFd,
    consumer: NonNull<u8>,
    producer: NonNull<u8>,
    page: usize,
    size: usize,
    /// Bytes that are mapped from `producer` on.
    mapped: usize,
    /// Up to where records were handed out.
    position: u64,
    /// What the kernel was told of that.
    published: u64,
    /// Up to where records are known to be.
    seen: u64,
}

// SAFETY: the mappings belong to this value alone; positions are accessed atomically.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring behind `fd`, whose data area has `size` bytes.
    pub(crate) fn map(fd: OwnedFd, size: usize) -> Result<Self, Error> {
        let page = page_size();
        let map = |len, protection, offset: usize| {
            // SAFETY: a new mapping at an address of the kernel's choice.
            let at = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    protection,
                    libc::MAP_SHARED,
                    fd.as_raw_fd(),
                    offset as libc::off_t,
                )
            };
            if at == libc::MAP_FAILED {
                return Err(Error::last_os("map a ring buffer"));
            }
            Ok(NonNull::new(at.cast::<u8>()).expect("mmap gives no null but in failure"))
        };
        let consumer = map(page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        let mapped = page + size + TWICE.min(size);
        let producer = match map(mapped, libc::PROT_READ, page) {
            Ok(at) => at,
            Err(error) => {
                // SAFETY: mapped just above with this length.
                unsafe { libc::munmap(consumer.as_ptr().cast(), page) };
                return Err(error);
            }
        };
        Ok(Self {
            fd,
            consumer,
            producer,
            page,
            size,
            mapped,
            position: 0,
            published: 0,
            seen: 0,
        })
    }

    /// The map's descriptor.
    pub(crate) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn data(&self, position: u64) -> *const u8 {
        let offset = (position & (self.size as u64 - 1)) as usize;
        // SAFETY: the data area begins one page behind the producer's, and an offset below `size`
        // lies in its first copy.
        unsafe { self.producer.as_ptr().add(self.page + offset) }
    }

    /// Looks how far the kernel has written.
    pub(crate) fn refresh(&mut self) {
        // SAFETY: the producer position is an aligned u64 at the start of its page.
        let at = unsafe { &*self.producer.as_ptr().cast::<AtomicU64>() };
        self.seen = at.load(Ordering::Acquire);
    }

    /// Whether anything is unread, records still being written included.
    pub(crate) fn has_unread(&self) -> bool {
        self.seen != self.position
    }

    /// Bytes that wait to be read.
    pub(crate) fn backlog(&self) -> u64 {
        self.seen - self.position
    }

    /// Whether so much is unread that records may soon be lost.
    pub(crate) fn is_crowded(&self) -> bool {
        self.backlog() > self.size as u64 / 4 * 3
    }

    /// The first unread record; skips discarded ones.
    #[inline]
    pub(crate) fn head(&mut self) -> Head {
        while self.position < self.seen {
            // SAFETY: `position` is below the producer position and is kept a multiple of 8, so
            // here is an aligned record header.
            let header = unsafe { &*self.data(self.position).cast::<AtomicU32>() };
            let header = header.load(Ordering::Acquire);
            if header & BUSY != 0 {
                return Head::None;
            }
            let len = header & !(BUSY | DISCARD);
            let possible = PREFIX_LEN + event::record::HEADER_LEN..TWICE;
            if header & DISCARD != 0 || !possible.contains(&(len as usize)) {
                self.position += step(len);
                continue;
            }
            self.fetch_ahead();
            let at = self.position + HEADER;
            // SAFETY: a committed record of `len` bytes, which is at least a prefix and a header;
            // the kernel leaves it alone until the consumer position passes it.
            let ts = unsafe { self.data(at).add(PREFIX_LEN).cast::<u64>().read_unaligned() };
            return Head::Ready {
                ts: u64::from_le(ts),
                at,
                len,
            };
        }
        Head::None
    }

    /// Has the cache get what comes soon: another processor wrote it.
    #[inline]
    fn fetch_ahead(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            const AHEAD: u64 = 256;
            let at = self.data(self.position + AHEAD).cast::<i8>();
            // SAFETY: a hint, which reads nothing; inside the mapping besides.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
        }
    }

    /// The bytes of a record that [`Ring::head`] found, prefix first.
    ///
    /// # Safety
    /// They must not be used any more when [`Ring::publish`] has gone past them.
    #[inline]
    pub(crate) unsafe fn bytes<'a>(&self, at: u64, len: u32) -> &'a [u8] {
        debug_assert!(len as usize <= self.size);
        // SAFETY: committed, `len` bytes long, which `head` found to be less than what is mapped
        // behind the data, so contiguous; the caller keeps it from being freed.
        unsafe { std::slice::from_raw_parts(self.data(at), len as usize) }
    }

    /// Goes past the record of `len` bytes that [`Ring::head`] found.
    #[inline]
    pub(crate) fn advance(&mut self, len: u32) {
        self.position += step(len);
    }

    /// Throws away all that is unread.
    pub(crate) fn skip_all(&mut self) {
        self.refresh();
        self.position = self.seen;
        self.publish();
    }

    /// Gives the kernel back what was read, when that is worth a shared cache line.
    #[inline]
    pub(crate) fn publish_some(&mut self) {
        if self.position - self.published >= self.size as u64 / 32 {
            self.publish();
        }
    }

    /// Gives the kernel back all that was read.
    pub(crate) fn publish(&mut self) {
        if self.position == self.published {
            return;
        }
        // SAFETY: the consumer position is an aligned u64 at the start of its page.
        let at = unsafe { &*self.consumer.as_ptr().cast::<AtomicU64>() };
        at.store(self.position, Ordering::Release);
        self.published = self.position;
    }
}

/// Bytes from one record to the next.
#[inline]
fn step(len: u32) -> u64 {
    (u64::from(len) + HEADER).next_multiple_of(8)
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: both were mapped by `map` with these lengths; records borrowed from them cannot
        // outlive the reader that owns this ring.
        unsafe {
            libc::munmap(self.consumer.as_ptr().cast(), self.page);
            libc::munmap(self.producer.as_ptr().cast(), self.mapped);
        }
    }
}

/// A record and its prefix: the CPU, the class, the flags.
pub(crate) struct Entry<'a> {
    pub record: Record<'a>,
    pub class: u8,
    pub flags: u8,
}

/// Takes a ring's entry apart; `None` if it is no record of ours.
#[inline]
pub(crate) fn entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (prefix, record) = bytes.split_first_chunk::<PREFIX_LEN>()?;
    let cpu = u16::from_le_bytes([prefix[0], prefix[1]]);
    let mut flags = event::RecordFlags::empty();
    if prefix[3] & FLAG_IO_URING != 0 {
        flags |= event::RecordFlags::IO_URING;
    }
    let record = Record::parse(record, cpu, flags).ok()?;
    Some(Entry {
        record,
        class: prefix[2],
        flags: prefix[3],
    })
}
