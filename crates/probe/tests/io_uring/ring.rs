//! A ring of io_uring, by raw system calls: enough to submit one request at a time.

use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// A request. Fields are named as in the kernel's header; those that share a place, by one of them.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Request {
    pub opcode: u8,
    pub flags: u8,
    pub ioprio: u16,
    pub fd: i32,
    pub off: u64,
    pub addr: u64,
    pub len: u32,
    pub op_flags: u32,
    pub user_data: u64,
    pub buf_index: u16,
    pub personality: u16,
    pub file_index: u32,
    pub rest: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    resv: [u32; 3],
    /// head, tail, mask, entries, flags, dropped, array, ...
    sq: [u32; 10],
    /// head, tail, mask, entries, overflow, completions, ...
    cq: [u32; 10],
}

const SETUP_SQPOLL: u32 = 2;
const NEED_WAKEUP: u32 = 1;

/// A ring with 8 places for requests and 16 for completions.
pub(crate) struct Ring {
    fd: OwnedFd,
    params: Params,
    rings: *mut u8,
    requests: *mut Request,
}

impl Ring {
    /// `None` where io_uring is turned off.
    pub(crate) fn new(polled: bool) -> Option<Self> {
        let mut params = Params {
            flags: if polled { SETUP_SQPOLL } else { 0 },
            sq_thread_idle: 50,
            ..Params::default()
        };
        // SAFETY: room for the parameters; the descriptor is owned from here on.
        unsafe {
            let fd = libc::syscall(libc::SYS_io_uring_setup, 8, &raw mut params);
            if fd < 0 {
                eprintln!("no io_uring: {}", Error::last_os_error());
                return None;
            }
            let fd = OwnedFd::from_raw_fd(fd as i32);
            let map = |len: usize, offset: i64| {
                let at = libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_SHARED,
                    fd.as_raw_fd(),
                    offset,
                );
                assert_ne!(at, libc::MAP_FAILED);
                at.cast::<u8>()
            };
            let rings = map((params.cq[5] + params.cq_entries * 16) as usize, 0);
            let requests = map(64 * params.sq_entries as usize, 0x1000_0000).cast();
            Some(Self {
                fd,
                params,
                rings,
                requests,
            })
        }
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: an aligned u32 of the mapped rings.
        unsafe { &*self.rings.add(offset as usize).cast::<AtomicU32>() }
    }

    fn enter(&self, submit: u32, wait: u32, flags: u32) {
        // SAFETY: no memory is handed over.
        let done = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd.as_raw_fd(),
                submit,
                wait,
                flags,
                0,
                0,
            )
        };
        assert!(done >= 0, "io_uring_enter: {}", Error::last_os_error());
    }

    /// Puts a request into the ring and has the kernel take it.
    pub(crate) fn submit(&self, request: Request) {
        let tail = self.word(self.params.sq[1]).load(Ordering::Acquire);
        let slot = tail & self.word(self.params.sq[2]).load(Ordering::Relaxed);
        // SAFETY: `slot` is below the number of entries.
        unsafe { self.requests.add(slot as usize).write_volatile(request) };
        self.word(self.params.sq[6] + 4 * slot)
            .store(slot, Ordering::Relaxed);
        self.word(self.params.sq[1])
            .store(tail.wrapping_add(1), Ordering::SeqCst);
        if self.params.flags & SETUP_SQPOLL == 0 {
            self.enter(1, 0, 0);
        } else if self.word(self.params.sq[4]).load(Ordering::SeqCst) & NEED_WAKEUP != 0 {
            self.enter(1, 0, 2);
        }
    }

    /// Waits for the next completion: user data and result.
    pub(crate) fn completion(&self) -> (u64, i32) {
        let head = self.word(self.params.cq[0]);
        let at = head.load(Ordering::Relaxed);
        while self.word(self.params.cq[1]).load(Ordering::Acquire) == at {
            self.enter(0, 1, 1);
        }
        let slot = at & self.word(self.params.cq[2]).load(Ordering::Relaxed);
        // SAFETY: a completion that the kernel has written: user data u64, result i32, flags u32.
        let done = unsafe {
            let at = self.rings.add((self.params.cq[5] + 16 * slot) as usize);
            (
                at.cast::<u64>().read_volatile(),
                at.add(8).cast::<i32>().read_volatile(),
            )
        };
        head.store(at.wrapping_add(1), Ordering::Release);
        done
    }

    /// Submits, waits, gives the result.
    pub(crate) fn run(&self, request: Request) -> i32 {
        self.submit(request);
        self.completion().1
    }

    /// Makes a table of `files` places for registered files.
    pub(crate) fn register_files(&self, files: &[i32]) {
        // SAFETY: as many descriptors as it is told.
        let done = unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.fd.as_raw_fd(),
                2,
                files.as_ptr(),
                files.len(),
            )
        };
        assert_eq!(done, 0, "{}", Error::last_os_error());
    }
}
