//! Precedence of the thread that empties the buffers.
//!
//! Nothing can hold up the kernel's programs: a reader that waits for its turn on a busy machine loses
//! events instead. So its thread is preferred to ordinary work, as far as it may be. It sleeps whenever
//! there is nothing to read, so others hardly notice. Not real-time scheduling: a fault of ours must not
//! be able to take a processor from the machine.

use std::io::{Error, Result};

/// Niceness of the thread that reads.
pub const NICENESS: i32 = -10;

/// Sets the calling thread's niceness to [`NICENESS`]. Threads and children that it makes later begin
/// with the ordinary one. A niceness other than 0 was chosen by somebody, and stays.
///
/// # Errors
/// The system's, where neither CAP_SYS_NICE nor CAP_SYS_RESOURCE is at hand.
pub fn take_precedence() -> Result<()> {
    if niceness()? != 0 {
        return Ok(());
    }
    prefer().or_else(|_| within_wider_limit(prefer))
}

/// The calling thread's niceness.
///
/// # Errors
/// The system's.
pub fn niceness() -> Result<i32> {
    // SAFETY: no memory is passed. -1 is both a niceness and a failure, which errno tells apart.
    let (niceness, error) = unsafe {
        *libc::__errno_location() = 0;
        let niceness = libc::getpriority(libc::PRIO_PROCESS, 0);
        (niceness, *libc::__errno_location())
    };
    match error {
        0 => Ok(niceness),
        error => Err(Error::from_raw_os_error(error)),
    }
}

fn prefer() -> Result<()> {
    // SAFETY: integers only, for which zero is a value.
    let mut wish: libc::sched_attr = unsafe { std::mem::zeroed() };
    wish.size = size_of::<libc::sched_attr>() as u32;
    wish.sched_policy = libc::SCHED_OTHER as u32;
    wish.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
    wish.sched_nice = NICENESS;
    // SAFETY: the structure says how long it is; the kernel only reads it.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wish, 0) };
    if answer == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

/// Who may widen limits may also do so for itself, for a moment: what was taken meanwhile stays.
fn within_wider_limit(act: impl FnOnce() -> Result<()>) -> Result<()> {
    let limit = |new: Option<libc::rlimit>| {
        let mut old = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: `new` is null or a limit that lives, `old` a place for one.
        match unsafe { libc::prlimit(0, libc::RLIMIT_NICE, new, &raw mut old) } {
            0 => Ok(old),
            _ => Err(Error::last_os_error()),
        }
    };
    // The limit counts from 20 downwards.
    let enough = (20 - NICENESS) as libc::rlim_t;
    let before = limit(None)?;
    limit(Some(libc::rlimit {
        rlim_cur: enough,
        rlim_max: before.rlim_max.max(enough),
    }))?;
    let done = act();
    limit(Some(before))?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_ordinary() {
        let (own, of_thread) = std::thread::spawn(|| {
            if take_precedence().is_err() {
                return (0, 0);
            }
            let of_thread = std::thread::spawn(|| niceness().unwrap()).join().unwrap();
            (niceness().unwrap(), of_thread)
        })
        .join()
        .unwrap();
        // Somebody may have chosen a niceness for the tests.
        if own == NICENESS {
            assert_eq!(of_thread, 0);
        } else {
            assert_eq!(own, niceness().unwrap());
        }
    }
}
