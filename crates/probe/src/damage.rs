//! A probe that no longer sees: how that is found out.
//!
//! Whoever has the privilege can take programs away without ending the process: its descriptors can be
//! closed through a debugger, tracepoints silenced through tracing's own switches, programs replaced. Links tell
//! the first. For the rest the probe makes a call of its own and looks whether a program counted it:
//! own calls are not reported, but where they are left out is a counter.

use crate::loader::Attached;
use crate::shared::Shared;

/// What of a probe is not in place any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Programs were detached.
    #[error("{links} of the programs in the kernel were detached")]
    Detached {
        /// How many.
        links: usize,
    },
    /// They are attached, but a call that they must see was not seen.
    #[error("the programs in the kernel are attached but do not see calls")]
    Silent,
}

/// Calls that fail at once and change nothing: the first argument is no descriptor, address or size.
const HARMLESS: [(&str, libc::c_long); 7] = [
    ("close", libc::SYS_close),
    ("dup", libc::SYS_dup),
    ("fchdir", libc::SYS_fchdir),
    ("connect", libc::SYS_connect),
    ("openat", libc::SYS_openat),
    ("setns", libc::SYS_setns),
    ("getppid", libc::SYS_getppid),
];

impl Shared {
    /// Whether the programs noticed a call of our own; also if there is none that could be made, or if own
    /// calls are not looked for.
    pub(crate) fn notices_own_call(&self, attached: &[Attached]) -> bool {
        let call = HARMLESS.iter().find(|(name, number)| {
            self.sees_all(*number as usize) && attached.iter().any(|a| a.name == *name)
        });
        let Some((_, number)) = call.filter(|_| self.leaves_out_process()) else {
            return true;
        };
        let before = self.own_calls();
        // SAFETY: no descriptor, no address.
        unsafe { libc::syscall(*number, -1i64, 0, 0, 0) };
        self.own_calls() != before
    }
}
