//! Room for descriptors: every program of the kernel side and every place where one is attached is one.
//!
//! By tracepoints of calls, or by ends of functions, that is many more than the thousand which a process may
//! open ordinarily without asking. The hard limit stays; who starts other programs gives them the old one
//! ([`give_back`]).

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

/// Enough for two copies of all programs, and for all else that a watcher has open.
const WANTED: u64 = 8192;

static BEFORE: OnceLock<u64> = OnceLock::new();

/// Raises the limit as far as the hard one allows. Where that is not far, loading says so.
pub(crate) fn make() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes one limit into what it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return;
    }
    let raised = limit.rlim_max.min(WANTED);
    if limit.rlim_cur >= raised {
        return;
    }
    let old = std::mem::replace(&mut limit.rlim_cur, raised);
    // SAFETY: the call reads one limit from what it is given.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
        let _ = BEFORE.set(old);
    }
}

/// Has a command begin with the limit that this process had before a probe needed more, if that was ever
/// changed: from its first instruction on, so not from outside once it runs.
pub fn give_back(command: &mut Command) {
    let Some(&before) = BEFORE.get() else { return };
    let limit_it = move || {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the calls write one limit into what they are given, and read one from it.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
                limit.rlim_cur = before.min(limit.rlim_max);
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            }
        }
        Ok(())
    };
    // SAFETY: two system calls and no memory from anywhere, which is all that a fork of a process with
    // threads may do before its exec.
    unsafe { command.pre_exec(limit_it) };
}
