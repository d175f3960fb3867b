//! Outcomes of system calls that nobody reads, so that the kernel side may leave them out.
//!
//! Whoever knows the rules says of which calls no rule reads the successes, and of which none reads the
//! failures. What the state needs is known here and stays: a set can be asked for, never forced, so
//! no descriptor, path or credential goes missing by it. What is left out is counted.

use event::syscalls::SYSCALLS;
use event::{EVENTS, EventFlags};

use crate::options::Syscalls;

/// Calls that are reported when they begin, which must not be left without an end; `connect` moreover
/// fails when it goes on in the background.
const SEEN_TO_BEGIN: [&str; 4] = ["connect", "open", "openat2", "creat"];

/// Calls whose successes, and calls whose failures, are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    successes: Syscalls,
    failures: Syscalls,
}

impl Unread {
    /// Leaves out what may be left out of this: successes of calls that change no state, failures of
    /// all but those in [`SEEN_TO_BEGIN`].
    #[must_use]
    pub fn new(successes: &Syscalls, failures: &Syscalls) -> Self {
        let keep = |set: &Syscalls, may: fn(&str) -> bool| {
            SYSCALLS
                .iter()
                .filter(|call| set.contains(call.number) && may(call.name))
                .fold(Syscalls::none(), |kept, call| kept.with(call.number))
        };
        Self {
            successes: keep(successes, |name| !may_change_state(name)),
            failures: keep(failures, |name| !SEEN_TO_BEGIN.contains(&name)),
        }
    }

    /// Calls whose successes are left out.
    #[must_use]
    pub const fn successes(&self) -> &Syscalls {
        &self.successes
    }

    /// Calls whose failures are left out.
    #[must_use]
    pub const fn failures(&self) -> &Syscalls {
        &self.failures
    }
}

impl Default for Unread {
    fn default() -> Self {
        Self::new(&Syscalls::none(), &Syscalls::none())
    }
}

/// Whether a successful call changes what is known of processes and descriptors. A call that the
/// event table has under another name, or not at all, might.
pub(crate) fn may_change_state(name: &str) -> bool {
    let mut rows = EVENTS.iter().filter(|row| row.name == name).peekable();
    rows.peek().is_none() || rows.any(|row| row.flags.contains(EventFlags::MODIFIES_STATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_state_needs_stays() {
        let all = Syscalls::all();
        let unread = Unread::new(&all, &all);
        let names = |set: &Syscalls| -> Vec<&str> {
            SYSCALLS
                .iter()
                .filter(|call| set.contains(call.number))
                .map(|call| call.name)
                .collect()
        };
        let (successes, failures) = (names(unread.successes()), names(unread.failures()));
        for needed in [
            "open", "openat", "close", "dup", "connect", "accept4", "chdir", "clone", "execve",
            "setuid", "socket", "pipe2", "fcntl", "mount", "prctl", "getppid",
        ] {
            assert!(!successes.contains(&needed), "{needed}");
        }
        for free in [
            "unlink", "mkdir", "rename", "chmod", "read", "write", "kill",
        ] {
            assert!(successes.contains(&free), "{free}");
        }
        assert!(failures.contains(&"openat"));
        assert!(SEEN_TO_BEGIN.iter().all(|name| !failures.contains(name)));
    }
}
