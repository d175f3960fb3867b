//! Tracepoints by name: their numbers, and perf events on them for programs to sit on.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::Error;

/// The tracing file system, of the machine or mounted for us alone.
pub(crate) struct Tracefs {
    root: OwnedFd,
}

impl Tracefs {
    /// Opens it where it is mounted; where it is not, mounts one that no path leads to, so that
    /// nothing of it stays behind.
    pub(crate) fn open() -> Result<Self, Error> {
        for path in [c"/sys/kernel/tracing", c"/sys/kernel/debug/tracing"] {
            let mounted = Path::new(path.to_str().expect("ASCII")).join("events");
            if mounted.exists() {
                return Ok(Self {
                    root: open_at(libc::AT_FDCWD, path, libc::O_PATH)?,
                });
            }
        }
        Self::mount_detached()
    }

    fn mount_detached() -> Result<Self, Error> {
        const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
        let failed = || Error::last_os("mount the tracing file system (CONFIG_FTRACE)");
        // SAFETY: system calls with valid strings and numbers; descriptors they return are owned
        // from then on.
        unsafe {
            let fs = libc::syscall(libc::SYS_fsopen, c"tracefs".as_ptr(), 1);
            if fs < 0 {
                return Err(failed());
            }
            let fs = OwnedFd::from_raw_fd(fs as i32);
            let null = std::ptr::null::<libc::c_char>();
            let fd = fs.as_raw_fd();
            if libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, null, null, 0) < 0 {
                return Err(failed());
            }
            let root = libc::syscall(libc::SYS_fsmount, fd, 1, 0);
            if root < 0 {
                return Err(failed());
            }
            Ok(Self {
                root: OwnedFd::from_raw_fd(root as i32),
            })
        }
    }

    /// A perf event on `group/name`; `None` if the kernel has no such tracepoint. Closing one takes
    /// the kernel some 50 ms, for it waits until no CPU is in the tracepoint any more.
    pub(crate) fn perf_event(&self, group: &str, name: &str) -> Result<Option<OwnedFd>, Error> {
        self.number(group, name)?.map(open_perf_event).transpose()
    }

    /// The number of `group/name`; `None` if the kernel has no such tracepoint.
    pub(crate) fn number(&self, group: &str, name: &str) -> Result<Option<u64>, Error> {
        let path = CString::new(format!("events/{group}/{name}/id")).expect("names without NUL");
        let Ok(file) = open_at(self.root.as_raw_fd(), &path, libc::O_RDONLY) else {
            return Ok(None);
        };
        let mut text = String::new();
        let action = || format!("read the number of tracepoint {group}/{name}");
        File::from(file)
            .read_to_string(&mut text)
            .map_err(|refusal| Error::System {
                action: action(),
                refusal,
            })?;
        let number = text.trim().parse().map_err(|_| Error::System {
            action: action(),
            refusal: std::io::Error::other("not a number"),
        })?;
        Ok(Some(number))
    }
}

fn open_at(dir: i32, path: &CStr, flags: i32) -> Result<OwnedFd, Error> {
    // SAFETY: `path` is NUL-terminated; the descriptor is owned from here on.
    unsafe {
        let fd = libc::openat(dir, path.as_ptr(), flags | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(Error::last_os(format!("open {}", path.to_string_lossy())));
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The head of `struct perf_event_attr`, its first published version, which all kernels take.
#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    bp_addr: u64,
}

/// A program on the event runs on every CPU: the CPU named here only says where to count.
fn open_perf_event(id: u64) -> Result<OwnedFd, Error> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    let attr = PerfEventAttr {
        kind: PERF_TYPE_TRACEPOINT,
        size: size_of::<PerfEventAttr>() as u32,
        config: id,
        ..Default::default()
    };
    // SAFETY: `attr` has the size it states; the descriptor is owned from here on.
    unsafe {
        let fd = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            -1,
            0,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        );
        if fd < 0 {
            return Err(Error::last_os(format!(
                "open a perf event on tracepoint {id}"
            )));
        }
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}
